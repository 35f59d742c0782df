//! The filter of the activity: `level:warn job:0192 -refused`, in the manner of the filter of jobs. Terms must all
//! hold; commas within one mean or; a minus negates; a word without a key is text to be found.

use super::entry::Entry;
use crate::model::nearest;
use crate::operations::{LogFilter, LogLevel};

/// The keys, in the order in which they are offered.
pub const KEYS: [&str; 12] = [
    "level",
    "job",
    "request",
    "record",
    "run",
    "mapping",
    "connection",
    "api",
    "method",
    "status",
    "who",
    "action",
];

/// What each row of the activity is measured by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowFilter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    negated: bool,
    /// `None` for text.
    key: Option<&'static str>,
    /// Text is in lower case.
    values: Vec<String>,
}

impl RowFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// A sentence on what cannot be read, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for (at, word) in words(text)? {
            terms.push(term(&word).map_err(|fault| format!("character {}: {fault}", at + 1))?);
        }
        Ok(Self { terms })
    }

    /// True if every term holds for the row.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.terms.iter().all(|term| {
            let holds = match term.key {
                None => term.values.iter().any(|text| entry.has_text(text)),
                Some(key) => term.values.iter().any(|value| entry.holds(key, value)),
            };
            holds != term.negated
        })
    }

    /// True if a term is about a key.
    pub fn names(&self, key: &str) -> bool {
        self.terms.iter().any(|term| term.key == Some(key))
    }

    /// What the log is read by, so that lines far back are found: no more than what every matching line has.
    pub fn of_log(&self) -> LogFilter {
        let one = |key: &str| {
            let mut terms = self.terms.iter();
            let term = terms.find(|term| term.key == Some(key) && !term.negated)?;
            match term.values.as_slice() {
                [value] => Some(value.clone()),
                _ => None,
            }
        };
        LogFilter {
            level: one("level"),
            request: one("request"),
            job: one("job"),
            record: one("record"),
            run: one("run"),
            mapping: one("mapping"),
            connection: one("connection"),
        }
    }

    /// The ways in which the last word may go on; each replaces that word.
    pub fn complete(text: &str) -> Vec<String> {
        let word = text.rsplit(' ').next().unwrap_or_default();
        let (minus, rest) = match word.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", word),
        };
        let Some((key, begun)) = rest.split_once(':') else {
            let keys = KEYS.iter().filter(|key| key.starts_with(rest));
            return keys.map(|key| format!("{minus}{key}:")).collect();
        };
        let values: &[&str] = match key {
            "level" => &["error", "warn", "info", "debug", "trace"],
            "api" => &["highlevel", "activecampaign"],
            "method" => &["GET", "POST", "PUT", "DELETE"],
            "status" => &["2xx", "4xx", "5xx", "429", "none"],
            _ => &[],
        };
        let goes_on = |value: &&&str| value.starts_with(begun) && **value != begun;
        let values = values.iter().filter(goes_on);
        values
            .map(|value| format!("{minus}{key}:{value}"))
            .collect()
    }
}

fn term(word: &str) -> Result<Term, String> {
    let (negated, rest) = match word.strip_prefix('-') {
        Some(rest) if !rest.is_empty() => (true, rest),
        _ => (false, word),
    };
    let name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase());
    // An address is text, as a time is.
    let is_key = |(key, value): &(&str, &str)| name(key) && !value.starts_with("//");
    let keyed = rest.split_once(':').filter(is_key);
    let Some((key, values)) = keyed else {
        let text = unquoted(rest).to_lowercase();
        return Ok(Term {
            negated,
            key: None,
            values: vec![text],
        });
    };
    let Some(key) = KEYS.into_iter().find(|known| *known == key) else {
        let near = nearest(key, KEYS).map(|near| format!("; did you mean {near}?"));
        return Err(format!("there is no key {key}{}", near.unwrap_or_default()));
    };
    let values: Vec<String> = match values.starts_with('"') {
        true => vec![unquoted(values)],
        false => values.split(',').map(str::to_owned).collect(),
    };
    if values.iter().any(String::is_empty) {
        return Err(format!("{key}: wants a value"));
    }
    if key == "level"
        && let Some(wrong) = values.iter().find(|v| LogLevel::from_name(v).is_none())
    {
        return Err(format!(
            "there is no level {wrong}: error, warn, info, debug or trace"
        ));
    }
    Ok(Term {
        negated,
        key: Some(key),
        values,
    })
}

/// Words with the characters before them; spaces within quotes do not end one.
fn words(text: &str) -> Result<Vec<(usize, String)>, String> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let (mut quoted, mut escaped, mut open) = (None, false, false);
    for (at, c) in text.chars().enumerate() {
        if quoted.is_none() && c.is_whitespace() {
            open = false;
            continue;
        }
        if c == '"' && !escaped {
            quoted = match quoted {
                None => Some(at),
                Some(_) => None,
            };
        }
        escaped = c == '\\' && !escaped && quoted.is_some();
        match words.last_mut().filter(|_| open) {
            Some((_, word)) => word.push(c),
            None => words.push((at, c.to_string())),
        }
        open = true;
    }
    match quoted {
        Some(at) => Err(format!("character {}: this quote does not end", at + 1)),
        None => Ok(words),
    }
}

fn unquoted(text: &str) -> String {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    match inner {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, said) in [
            (
                "a recrd:1",
                "character 3: there is no key recrd; did you mean record?",
            ),
            ("level:loud", "character 1: there is no level loud"),
            ("x job:", "character 3: job: wants a value"),
            ("say \"x", "character 5: this quote does not end"),
        ] {
            let fault = RowFilter::parse(text).unwrap_err();
            assert!(fault.starts_with(said), "{fault}");
        }
        // A time and an address are text.
        assert!(RowFilter::parse("14:02 https://x/y").is_ok());
    }

    #[test]
    fn the_log_is_read_by_what_every_line_must_have() {
        let of = |text: &str| RowFilter::parse(text).unwrap().of_log();
        let log = of("level:warn job:j1 \"some text\" run:a,b -record:r1");
        assert_eq!(log.level.as_deref(), Some("warn"));
        assert_eq!(log.job.as_deref(), Some("j1"));
        assert_eq!((log.run, log.record), (None, None));
        assert_eq!(
            of("mapping:\"a \\\"b\\\"\"").mapping.as_deref(),
            Some("a \"b\"")
        );
    }

    #[test]
    fn keys_and_values_are_completed() {
        assert_eq!(RowFilter::complete("x -re"), ["-request:", "-record:"]);
        assert_eq!(RowFilter::complete("level:w"), ["level:warn"]);
        assert!(RowFilter::complete("level:warn").is_empty());
    }
}
