//! Reading the filter language, and completing it.

use super::{Bound, Comparison, Condition, Filter, Term, TriggerKind};
use crate::model::{ErrorClass, JobState, WaitReason, nearest};

/// The keys, in the order in which they are offered.
pub(super) const KEYS: [&str; 15] = [
    "state",
    "reason",
    "mapping",
    "connection",
    "object",
    "record",
    "contact",
    "class",
    "error",
    "group",
    "trigger",
    "run",
    "age",
    "updated",
    "attempts",
];

const CLASSES: [ErrorClass; 8] = [
    ErrorClass::Transient,
    ErrorClass::Throttled,
    ErrorClass::Auth,
    ErrorClass::Invalid,
    ErrorClass::Missing,
    ErrorClass::Unknown,
    ErrorClass::Config,
    ErrorClass::Store,
];

/// A filter that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter, character {}: {message}", position + 1)]
pub struct FilterError {
    /// Characters before the fault.
    pub position: usize,
    /// What is wrong, with a suggestion where there is one.
    pub message: String,
}

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let mut reader = Reader { text, at: 0 };
    let mut terms = Vec::new();
    loop {
        reader.skip_spaces();
        if reader.rest().is_empty() {
            return Ok(Filter { terms });
        }
        terms.push(reader.term()?);
    }
}

/// One value as it was written, with where it began.
struct Value {
    at: usize,
    text: String,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault<T>(&self, at: usize, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError {
            position: self.text[..at].chars().count(),
            message: message.into(),
        })
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn term(&mut self) -> Result<Term, FilterError> {
        let after_minus = self.rest().strip_prefix('-');
        let negated = after_minus
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(char::is_whitespace));
        self.at += usize::from(negated);
        let start = self.at;
        let length = self
            .rest()
            .find(|c: char| !c.is_ascii_alphabetic() && c != '_')
            .unwrap_or(self.rest().len());
        let key = &self.rest()[..length];
        if key.is_empty() || !self.rest()[length..].starts_with([':', '<', '>', '=']) {
            let text = self.value(false)?.text;
            if text.is_empty() {
                return self.fault(start, "an empty text finds nothing");
            }
            let condition = Condition::Text(text);
            return Ok(Term { negated, condition });
        }
        self.at += length;
        let sign = self.sign();
        if sign.is_none() {
            self.take(":");
        }
        let condition = self.condition(key, start, sign)?;
        if !(self.rest().is_empty() || self.rest().starts_with(char::is_whitespace)) {
            return self.fault(self.at, "a space is missing after the quote");
        }
        Ok(Term { negated, condition })
    }

    fn sign(&mut self) -> Option<Comparison> {
        [
            Comparison::AtMost,
            Comparison::AtLeast,
            Comparison::Less,
            Comparison::More,
            Comparison::Equal,
        ]
        .into_iter()
        .find(|comparison| self.take(comparison.sign()))
    }

    /// A quoted or bare value; a bare one ends at a space and, in a list, at a comma.
    fn value(&mut self, list: bool) -> Result<Value, FilterError> {
        let at = self.at;
        if !self.take("\"") {
            let end = self
                .rest()
                .find(|c: char| c.is_whitespace() || (list && c == ','))
                .unwrap_or(self.rest().len());
            let text = self.rest()[..end].to_owned();
            self.at += end;
            return Ok(Value { at, text });
        }
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += index + 1;
                    return Ok(Value { at, text });
                }
                '\\' if self.rest()[index + 1..].starts_with(['"', '\\']) => {
                    text.extend(chars.next().map(|(_, c)| c));
                }
                _ => text.push(c),
            }
        }
        self.fault(at, "this quote does not end")
    }

    fn values(&mut self, key: &str) -> Result<Vec<Value>, FilterError> {
        let mut values = Vec::new();
        loop {
            let value = self.value(true)?;
            if value.text.is_empty() {
                return self.fault(value.at, format!("{key}: wants a value"));
            }
            values.push(value);
            if !self.take(",") {
                return Ok(values);
            }
        }
    }

    fn condition(
        &mut self,
        key: &str,
        start: usize,
        sign: Option<Comparison>,
    ) -> Result<Condition, FilterError> {
        if matches!(key, "age" | "updated" | "attempts") {
            let bounds = self.bounds(key, sign)?;
            return Ok(match key {
                "age" => Condition::Age(bounds),
                "updated" => Condition::Updated(bounds),
                _ => Condition::Attempts(bounds),
            });
        }
        if !KEYS.contains(&key) {
            return self.fault(start, unknown_key(key, &KEYS));
        }
        if sign.is_some() {
            return self.fault(
                start + key.len(),
                format!("{key} cannot be compared, write {key}:"),
            );
        }
        let values = self.values(key)?;
        Ok(match key {
            "state" => Condition::State(self.names(values, key, &JobState::ALL, |v| v.name())?),
            "reason" => Condition::Reason(self.names(values, key, &WaitReason::ALL, |v| v.name())?),
            "class" => Condition::Class(self.names(values, key, &CLASSES, |v| v.name())?),
            "trigger" => {
                Condition::Trigger(self.names(values, key, &TriggerKind::ALL, |v| v.name())?)
            }
            "mapping" => Condition::Mapping(texts(values)),
            "connection" => Condition::Connection(texts(values)),
            "object" => Condition::Object(texts(values)),
            "record" => Condition::Record(texts(values)),
            "contact" => Condition::Contact(texts(values)),
            "error" => Condition::Error(texts(values)),
            "group" => Condition::Group(texts(values)),
            _ => Condition::Run(texts(values)),
        })
    }

    fn names<T: Copy>(
        &self,
        values: Vec<Value>,
        key: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<Vec<T>, FilterError> {
        values
            .into_iter()
            .map(|value| {
                let wanted = value.text.to_ascii_lowercase();
                if let Some(found) = all.iter().find(|one| name(**one) == wanted) {
                    return Ok(*found);
                }
                let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
                self.fault(value.at, unknown_value(key, &value.text, &names))
            })
            .collect()
    }

    fn bounds(&mut self, key: &str, sign: Option<Comparison>) -> Result<Vec<Bound>, FilterError> {
        let values = self.values(key)?;
        if sign.is_some() && values.len() > 1 {
            return self.fault(values[1].at, format!("{key} is compared with one value"));
        }
        values
            .into_iter()
            .map(|value| self.bound(key, sign, &value))
            .collect()
    }

    fn bound(
        &self,
        key: &str,
        sign: Option<Comparison>,
        value: &Value,
    ) -> Result<Bound, FilterError> {
        let mut inner = Reader {
            text: &value.text,
            at: 0,
        };
        let comparison = sign.or_else(|| inner.sign());
        let text = inner.rest();
        if key == "attempts" {
            return match text.parse() {
                Ok(number) => Ok(Bound {
                    comparison: comparison.unwrap_or(Comparison::Equal),
                    value: number,
                }),
                Err(_) => self.fault(value.at, format!("{text} is no number, write {key}>=3")),
            };
        }
        let Some(seconds) = seconds(text) else {
            return self.fault(
                value.at,
                format!("{text} is no length of time, write {key}>90s, 15m, 1h or 2d"),
            );
        };
        match comparison {
            Some(comparison) => Ok(Bound {
                comparison,
                value: seconds,
            }),
            None => self.fault(value.at, format!("write {key}>{text} or {key}<{text}")),
        }
    }
}

/// What is said of a key that a filter language does not have.
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    let hint = nearest(key, known.iter().copied()).map_or_else(
        || {
            format!(
                "the keys are {}; quote it to look for text",
                known.join(" ")
            )
        },
        |near| format!("did you mean {near}?"),
    );
    format!("unknown key {key}; {hint}")
}

/// What is said of a value that a key does not have.
pub fn unknown_value(key: &str, value: &str, known: &[&str]) -> String {
    let hint = nearest(&value.to_ascii_lowercase(), known.iter().copied()).map_or_else(
        || format!("one of {}", known.join(" ")),
        |near| format!("did you mean {near}?"),
    );
    format!("unknown {key} {value}; {hint}")
}

fn texts(values: Vec<Value>) -> Vec<String> {
    values.into_iter().map(|value| value.text).collect()
}

fn seconds(text: &str) -> Option<u32> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if !number.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    number.parse::<u32>().ok()?.checked_mul(unit)
}

pub(super) fn complete(text: &str) -> Vec<String> {
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let (minus, bare) = match word.strip_prefix('-') {
        Some(bare) => ("-", bare),
        None => ("", word),
    };
    let Some((key, values)) = bare.split_once(':') else {
        return KEYS
            .iter()
            .filter(|key| key.starts_with(bare) && **key != bare)
            .map(|key| {
                let sign = match *key {
                    "age" | "updated" => ">",
                    "attempts" => ">=",
                    _ => ":",
                };
                format!("{minus}{key}{sign}")
            })
            .collect();
    };
    let names: Vec<&str> = match key {
        "state" => JobState::ALL.iter().map(|v| v.name()).collect(),
        "reason" => WaitReason::ALL.iter().map(|v| v.name()).collect(),
        "class" => CLASSES.iter().map(|v| v.name()).collect(),
        "trigger" => TriggerKind::ALL.iter().map(|v| v.name()).collect(),
        _ => return Vec::new(),
    };
    let (before, last) = match values.rsplit_once(',') {
        Some((before, last)) => (format!("{before},"), last),
        None => (String::new(), values),
    };
    names
        .iter()
        .filter(|name| name.starts_with(last) && **name != last)
        .map(|name| format!("{minus}{key}:{before}{name}"))
        .collect()
}
