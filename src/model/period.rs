//! Lengths of time as config.toml spells them: `90s`, `15m`, `1h`, `30d`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A whole number of seconds, minutes, hours or days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(Duration);

/// Text that is no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no length of time; write a whole number and s, m, h or d, such as \"15m\"")]
pub struct InvalidPeriod(pub String);

impl Period {
    /// The period of a duration; parts of a second are dropped.
    pub fn new(duration: Duration) -> Self {
        Self(Duration::from_secs(duration.as_secs()))
    }

    /// Reads `90s`, `15m`, `1h`, `30d`.
    pub fn parse(text: &str) -> Result<Self, InvalidPeriod> {
        let invalid = || InvalidPeriod(text.to_owned());
        let trimmed = text.trim();
        let unit = trimmed.chars().last().ok_or_else(invalid)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(invalid()),
        };
        let count: u64 = trimmed[..trimmed.len() - unit.len_utf8()]
            .trim_end()
            .parse()
            .map_err(|_| invalid())?;
        let total = count.checked_mul(seconds).ok_or_else(invalid)?;
        Ok(Self(Duration::from_secs(total)))
    }

    /// The length as a duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => f.write_str("0s"),
            _ if seconds.is_multiple_of(86_400) => write!(f, "{}d", seconds / 86_400),
            _ if seconds.is_multiple_of(3_600) => write!(f, "{}h", seconds / 3_600),
            _ if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            _ => write!(f, "{seconds}s"),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = InvalidPeriod;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_read_and_print() {
        for (text, seconds, shown) in [
            ("90s", 90, "90s"),
            ("15m", 900, "15m"),
            ("120m", 7_200, "2h"),
            ("30d", 2_592_000, "30d"),
            ("0s", 0, "0s"),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!(period.duration().as_secs(), seconds);
            assert_eq!(period.to_string(), shown);
        }
        for text in [
            "",
            "15",
            "m",
            "1.5h",
            "-1m",
            "1 year",
            "99999999999999999999d",
            "5µ",
        ] {
            assert!(Period::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
