//! The filter of the activity: `level:warn job:0192 -refused`, in the manner of the filter of jobs. Terms must all
//! hold; commas within one mean or; a minus negates; a word without a key is text to be found.

use super::entry::{Entry, is_api, is_status_name};
use crate::model::call::Api;
use crate::model::filter::{FilterError, unknown_key, unknown_value};
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
    /// What cannot be read, and where.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut terms = Vec::new();
        for (start, word) in words(text)? {
            let fault = |(at, message)| FilterError {
                position: start + at,
                message,
            };
            terms.push(term(&word).map_err(fault)?);
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
        let goes_on = |value: &&&str| value.starts_with(begun) && **value != begun;
        let values = values_of(key).iter().filter(goes_on);
        values
            .map(|value| format!("{minus}{key}:{value}"))
            .collect()
    }
}

/// The values of a key that has only so many, and those that are offered of others.
fn values_of(key: &str) -> &'static [&'static str] {
    match key {
        "level" => &["error", "warn", "info", "debug", "trace"],
        "api" => &["highlevel", "activecampaign"],
        "method" => &["GET", "POST", "PUT", "DELETE"],
        "status" => &["2xx", "4xx", "5xx", "429", "none"],
        _ => &[],
    }
}

/// True for a value that a key can have.
fn may_be(key: &str, value: &str) -> bool {
    match key {
        "level" => LogLevel::from_name(value).is_some(),
        "api" => [Api::HighLevel, Api::ActiveCampaign]
            .iter()
            .any(|api| is_api(*api, value)),
        "method" => values_of(key)
            .iter()
            .any(|known| known.eq_ignore_ascii_case(value)),
        "status" => is_status_name(value),
        _ => true,
    }
}

/// Reads one term; a fault comes with the characters of the term before it.
fn term(word: &str) -> Result<Term, (usize, String)> {
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
        return Err((usize::from(negated), unknown_key(key, &KEYS)));
    };
    let values: Vec<String> = match values.starts_with('"') {
        true => vec![unquoted(values)],
        false => values.split(',').map(str::to_owned).collect(),
    };
    let mut at = usize::from(negated) + key.len() + 1;
    for value in &values {
        if value.is_empty() {
            return Err((at, format!("{key}: wants a value")));
        }
        if !may_be(key, value) {
            return Err((at, unknown_value(key, value, values_of(key))));
        }
        at += value.chars().count() + 1;
    }
    Ok(Term {
        negated,
        key: Some(key),
        values,
    })
}

/// Words with the characters before them; spaces within quotes do not end one.
fn words(text: &str) -> Result<Vec<(usize, String)>, FilterError> {
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
        Some(position) => Err(FilterError {
            position,
            message: "this quote does not end".to_owned(),
        }),
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
                "filter, character 3: unknown key recrd; did you mean record?",
            ),
            (
                "level:loud",
                "filter, character 7: unknown level loud; one of error warn info debug trace",
            ),
            (
                "api:ghost",
                "filter, character 5: unknown api ghost; one of highlevel activecampaign",
            ),
            (
                "method:FETCH",
                "filter, character 8: unknown method FETCH; one of GET POST PUT DELETE",
            ),
            (
                "-status:2xx,9xx",
                "filter, character 13: unknown status 9xx; ",
            ),
            ("status:9xx", "filter, character 8: unknown status 9xx; "),
            ("x job:", "filter, character 7: job: wants a value"),
            ("say \"x", "filter, character 5: this quote does not end"),
            (
                "levl:",
                "filter, character 1: unknown key levl; did you mean level?",
            ),
            (
                "zz:1",
                "filter, character 1: unknown key zz; the keys are level job ",
            ),
        ] {
            let fault = RowFilter::parse(text).unwrap_err().to_string();
            assert!(fault.starts_with(said), "{fault}");
        }
        for text in [
            "level:warn,ERROR",
            "api:ghl",
            "method:put",
            "status:429,none,2xx,404",
        ] {
            assert!(RowFilter::parse(text).is_ok(), "{text}");
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
