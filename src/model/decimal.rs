//! Numbers that keep every digit: an exact decimal, never a float.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most digits that an exponent may expand to; a literal that spells out more digits than these keeps
/// them all.
const MAX_EXPANDED: usize = 400;

/// An exact decimal number in its shortest plain form: no exponent, no leading or trailing zeros, no `-0`.
/// Two decimals are equal exactly if their texts are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(String);

/// Why a text is no decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("not a number")]
    NotANumber,
    #[error("the number's exponent is too large")]
    TooLarge,
}

impl Decimal {
    /// Reads a JSON number literal, or the same with a plus sign, leading zeros, or digits on one side of
    /// the point only. Surrounding blanks are ignored; digit groups (`1,234`) are refused.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        Self::plain(text).map(|plain| Self(plain.into_owned()))
    }

    /// As [`Decimal::parse`], but gives only the text, borrowed where it is in plain form already.
    pub fn plain(text: &str) -> Result<Cow<'_, str>, DecimalError> {
        let text = text.trim();
        if is_plain(text) {
            return Ok(Cow::Borrowed(text));
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty())
            || !digits_only(whole)
            || !digits_only(fraction)
        {
            return Err(DecimalError::NotANumber);
        }
        let mut digits = String::with_capacity(mantissa.len());
        digits.push_str(whole);
        digits.push_str(fraction);
        let significant = digits.trim_start_matches('0');
        // Number of digits before the point, counted from the first significant one.
        let mut point = whole.len() as i64 - (digits.len() - significant.len()) as i64;
        let significant = significant.trim_end_matches('0');
        let exponent = exponent.map_or(Ok(0), parse_exponent)?;
        if significant.is_empty() {
            return Ok(Cow::Borrowed("0"));
        }
        point = point.checked_add(exponent).ok_or(DecimalError::TooLarge)?;
        let length = significant.len() as i64;
        let expanded = point.max(length).max(length.saturating_sub(point));
        if expanded > (MAX_EXPANDED as i64).max(mantissa.len() as i64) {
            return Err(DecimalError::TooLarge);
        }
        Ok(Cow::Owned(place_point(negative, significant, point)))
    }

    /// The number in plain digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for text that is in normal form as it stands: the usual case, which then needs no work.
fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(|fraction| digits(fraction) && !fraction.ends_with('0'))
        && text != "-0"
}

/// An exponent; one beyond i64 saturates, because it is refused (or its mantissa is zero) either way.
fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    let size = digits
        .parse::<i64>()
        .unwrap_or(i64::MAX / 4)
        .min(i64::MAX / 4);
    Ok(if negative { -size } else { size })
}

/// Writes significant digits with the point after the first `point` of them.
fn place_point(negative: bool, significant: &str, point: i64) -> String {
    let mut out = String::with_capacity(significant.len() + 3);
    if negative {
        out.push('-');
    }
    let zeros = |out: &mut String, count: i64| (0..count).for_each(|_| out.push('0'));
    let length = significant.len() as i64;
    if point <= 0 {
        out.push_str("0.");
        zeros(&mut out, -point);
        out.push_str(significant);
    } else if point >= length {
        out.push_str(significant);
        zeros(&mut out, point - length);
    } else {
        let (whole, fraction) = significant.split_at(point as usize);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    }
    out
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Decimal {
    type Error = DecimalError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.0
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0.strip_prefix('-'), other.0.strip_prefix('-')) {
            (None, None) => compare_unsigned(&self.0, &other.0),
            (Some(a), Some(b)) => compare_unsigned(b, a),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
        }
    }
}

fn compare_unsigned(a: &str, b: &str) -> Ordering {
    let (whole_a, fraction_a) = a.split_once('.').unwrap_or((a, ""));
    let (whole_b, fraction_b) = b.split_once('.').unwrap_or((b, ""));
    // Without leading zeros, the longer whole part is the greater one; fractions compare as text.
    whole_a
        .len()
        .cmp(&whole_b.len())
        .then_with(|| whole_a.cmp(whole_b))
        .then_with(|| fraction_a.cmp(fraction_b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(text: &str) -> String {
        Decimal::parse(text).unwrap().to_string()
    }

    #[test]
    fn the_shortest_plain_form_is_kept() {
        for (text, expected) in [
            ("12.40", "12.4"),
            ("1e21", "1000000000000000000000"),
            ("1.5E-7", "0.00000015"),
            ("-0.0", "0"),
            ("-0", "0"),
            ("007", "7"),
            ("+3.", "3"),
            (".5", "0.5"),
            ("120e-1", "12"),
            ("0.1e1", "1"),
            ("100", "100"),
            (" 12.4 ", "12.4"),
            ("0e999999999999999999999", "0"),
            (
                "123456789012345678901234567890.123",
                "123456789012345678901234567890.123",
            ),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", " ", ".", "-", "+", "e5", "1e", "1e+", "1,234", "0x10", "1 2", "NaN", "inf", "--1",
            "1.2.3", "１２",
        ] {
            assert_eq!(
                Decimal::parse(text),
                Err(DecimalError::NotANumber),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_exponent_cannot_exhaust_the_memory() {
        for text in [
            "1e401",
            "1e-401",
            "1e999999999",
            "-1e-99999999999999999999999",
        ] {
            assert_eq!(Decimal::parse(text), Err(DecimalError::TooLarge), "{text}");
        }
        assert_eq!(plain("1e399").len(), 400);
        let long = "7".repeat(2_000);
        assert_eq!(plain(&long), long);
    }

    #[test]
    fn decimals_order_by_value() {
        let mut numbers: Vec<Decimal> = ["10", "9.5", "-2", "0", "9.05", "-10", "0.001"]
            .iter()
            .map(|text| Decimal::parse(text).unwrap())
            .collect();
        numbers.sort();
        let texts: Vec<&str> = numbers.iter().map(Decimal::as_str).collect();
        assert_eq!(texts, ["-10", "-2", "0", "0.001", "9.05", "9.5", "10"]);
    }

    proptest! {
        /// The digits, placed by hand, come back whatever the spelling.
        #[test]
        fn no_digit_is_lost(
            negative in any::<bool>(), digits in "[1-9][0-9]{0,40}[1-9]", shift in -60i64..60,
        ) {
            let sign = if negative { "-" } else { "" };
            let spelled = Decimal::parse(&format!("{sign}{digits}e{shift}")).unwrap();
            let shown: String = spelled.as_str().chars().filter(char::is_ascii_digit).collect();
            prop_assert_eq!(shown.trim_matches('0'), digits.as_str());
            prop_assert_eq!(Decimal::parse(spelled.as_str()).unwrap(), spelled.clone());
            let moved = Decimal::parse(&format!("{spelled}e{}", -shift)).unwrap();
            prop_assert_eq!(moved.to_string(), format!("{sign}{digits}"));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE ]{0,12}") {
            if let Ok(decimal) = Decimal::parse(&text) {
                prop_assert_eq!(Decimal::parse(decimal.as_str()).unwrap(), decimal.clone());
                prop_assert!(!decimal.as_str().contains(['e', 'E', '+', ' ']));
            }
        }
    }
}
