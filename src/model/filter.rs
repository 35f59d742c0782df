//! The filter language of lists: `state:failed error:"invalid e-mail" -mapping:pets age>1h` (product.md, Filters).
//!
//! Terms stand side by side and must all hold; commas within a term mean or; a minus negates a term; a word
//! without a key is text to be found.

mod parse;

use super::group::group;
use super::{ErrorClass, Job, JobState, Problem, Trigger, WaitReason};
use jiff::Timestamp;
use std::fmt;

pub use parse::{FilterError, unknown_key, unknown_value};

/// A filter; an empty one holds for every job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Terms that must all hold.
    pub terms: Vec<Term>,
}

/// One condition, perhaps negated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub negated: bool,
    pub condition: Condition,
}

/// What a term asks. Each list holds if one of its values does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    State(Vec<JobState>),
    /// Why it waits.
    Reason(Vec<WaitReason>),
    Mapping(Vec<String>),
    Connection(Vec<String>),
    /// Object keys, with or without `custom_objects.`.
    Object(Vec<String>),
    Record(Vec<String>),
    /// Contact ids or e-mail addresses.
    Contact(Vec<String>),
    Class(Vec<ErrorClass>),
    /// Text within the error's field or message.
    Error(Vec<String>),
    /// Failure groups, see [`group`].
    Group(Vec<String>),
    Trigger(Vec<TriggerKind>),
    /// Runs whose failures these are, by id.
    Run(Vec<String>),
    /// Seconds since the job was made.
    Age(Vec<Bound>),
    Attempts(Vec<Bound>),
    /// Seconds since the job last changed.
    Updated(Vec<Bound>),
    /// Text within the record's id, the contact's id or address, the error's field or message.
    Text(String),
}

/// A comparison with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    pub comparison: Comparison,
    pub value: u32,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Comparison {
    /// The sign of the language, and of SQL.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::More => ">",
        }
    }

    /// The comparison with its sides exchanged: an age of more than an hour is a time of creation less than that of
    /// an hour ago.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::Equal => Self::Equal,
            Self::AtLeast => Self::AtMost,
            Self::More => Self::Less,
        }
    }

    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }
}

/// What made a job, without the run of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerKind {
    Webhook,
    Poll,
    Schedule,
    Manual,
    Export,
    Retry,
}

impl TriggerKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Webhook,
        Self::Poll,
        Self::Schedule,
        Self::Manual,
        Self::Export,
        Self::Retry,
    ];

    /// The kind of a trigger.
    pub fn of(trigger: &Trigger) -> Self {
        match trigger {
            Trigger::Webhook => Self::Webhook,
            Trigger::Poll => Self::Poll,
            Trigger::Schedule => Self::Schedule,
            Trigger::Manual => Self::Manual,
            Trigger::Export(_) => Self::Export,
            Trigger::Retry => Self::Retry,
        }
    }

    /// The name used in filters and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Poll => "poll",
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Export => "export",
            Self::Retry => "retry",
        }
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// An unknown key, a value that its key does not know, a quote that does not end: each with its position.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// The ways in which the last word of an unfinished filter may go on; each replaces that word.
    pub fn complete(text: &str) -> Vec<String> {
        parse::complete(text)
    }

    /// True for a word that is a key without what it asks for: `state`, `-age`.
    pub fn is_key(word: &str) -> bool {
        parse::KEYS.contains(&word.strip_prefix('-').unwrap_or(word))
    }

    /// This filter and one more term.
    pub fn and(mut self, condition: Condition) -> Self {
        self.terms.push(Term {
            negated: false,
            condition,
        });
        self
    }

    /// True if every term holds for the job at that moment.
    pub fn matches(&self, job: &Job, now: Timestamp) -> bool {
        self.terms
            .iter()
            .all(|term| term.condition.holds(job, now) != term.negated)
    }
}

impl Condition {
    fn holds(&self, job: &Job, now: Timestamp) -> bool {
        let error = job.error.as_ref();
        let since = |bounds: &[Bound], time: Timestamp| {
            bounds.iter().any(|bound| {
                let then = moments_ago(now, bound.value);
                bound
                    .comparison
                    .mirrored()
                    .holds(time.as_microsecond(), then)
            })
        };
        match self {
            Self::State(states) => states.contains(&job.state),
            Self::Reason(reasons) => job
                .waiting
                .as_ref()
                .is_some_and(|waiting| reasons.contains(&waiting.reason)),
            Self::Mapping(names) => names.iter().any(|name| name == job.mapping.as_str()),
            Self::Connection(names) => names.iter().any(|name| name == job.connection.as_str()),
            Self::Object(keys) => keys
                .iter()
                .any(|key| key == job.object.as_str() || key == job.object.short()),
            Self::Record(ids) => ids.iter().any(|id| id == job.record.as_str()),
            Self::Contact(names) => names.iter().any(|name| {
                job.contact
                    .id
                    .as_ref()
                    .is_some_and(|id| id.as_str() == name)
                    || job
                        .contact
                        .email
                        .as_ref()
                        .is_some_and(|email| email.as_str() == name.to_lowercase())
            }),
            Self::Class(classes) => error.is_some_and(|error| classes.contains(&error.class)),
            Self::Error(texts) => error.is_some_and(|error| {
                let searched = searched_error(error);
                texts.iter().any(|text| searched.contains(&fold(text)))
            }),
            Self::Group(groups) => error.is_some_and(|error| groups.contains(&group(error))),
            Self::Trigger(kinds) => kinds.contains(&TriggerKind::of(&job.trigger)),
            Self::Run(runs) => match &job.trigger {
                Trigger::Export(run) => runs.iter().any(|id| id == run.as_str()),
                _ => false,
            },
            Self::Age(bounds) => since(bounds, job.created_at),
            Self::Updated(bounds) => since(bounds, job.updated_at),
            Self::Attempts(bounds) => bounds.iter().any(|bound| {
                bound
                    .comparison
                    .holds(i64::from(job.attempts), i64::from(bound.value))
            }),
            Self::Text(text) => {
                let text = fold(text);
                searched_ids(job).contains(&text)
                    || error.is_some_and(|error| searched_error(error).contains(&text))
            }
        }
    }
}

/// The microsecond that lies so many seconds before a moment.
pub fn moments_ago(now: Timestamp, seconds: u32) -> i64 {
    now.as_microsecond() - i64::from(seconds) * 1_000_000
}

/// A text as searches compare it: lower case, without NUL.
pub fn fold(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '\0')
        .flat_map(char::to_lowercase)
        .collect()
}

/// The part of a job that text is looked for in, beside its error.
pub fn searched_ids(job: &Job) -> String {
    searched_parts(
        job.record.as_str(),
        job.contact.id.as_ref().map(|id| id.as_str()),
        job.contact.email.as_ref().map(|email| email.as_str()),
    )
}

/// As [`searched_ids`], of a job's parts.
pub fn searched_parts(record: &str, contact_id: Option<&str>, email: Option<&str>) -> String {
    fold(&format!(
        "{record}\n{}\n{}",
        contact_id.unwrap_or_default(),
        email.unwrap_or_default()
    ))
}

/// The part of an error that text is looked for in: its field and the first 500 characters of its message.
pub fn searched_error(problem: &Problem) -> String {
    let message: String = problem.message.chars().take(500).collect();
    fold(&format!(
        "{}\n{message}",
        problem.field.as_deref().unwrap_or_default()
    ))
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{term}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        let list = |f: &mut fmt::Formatter<'_>, key: &str, values: Vec<String>| {
            write!(f, "{key}:{}", values.join(","))
        };
        let quoted = |values: &[String]| values.iter().map(|value| quote(value)).collect();
        let seconds = |bounds: &[Bound]| bounds.iter().map(|b| bound(b, "s")).collect();
        match &self.condition {
            Condition::State(v) => list(f, "state", v.iter().map(|v| v.name().into()).collect()),
            Condition::Reason(v) => list(f, "reason", v.iter().map(|v| v.name().into()).collect()),
            Condition::Mapping(v) => list(f, "mapping", quoted(v)),
            Condition::Connection(v) => list(f, "connection", quoted(v)),
            Condition::Object(v) => list(f, "object", quoted(v)),
            Condition::Record(v) => list(f, "record", quoted(v)),
            Condition::Contact(v) => list(f, "contact", quoted(v)),
            Condition::Class(v) => list(f, "class", v.iter().map(|v| v.name().into()).collect()),
            Condition::Error(v) => list(f, "error", quoted(v)),
            Condition::Group(v) => list(f, "group", quoted(v)),
            Condition::Trigger(v) => {
                list(f, "trigger", v.iter().map(|v| v.name().into()).collect())
            }
            Condition::Run(v) => list(f, "run", quoted(v)),
            Condition::Age(v) => list(f, "age", seconds(v)),
            Condition::Attempts(v) => list(f, "attempts", v.iter().map(|b| bound(b, "")).collect()),
            Condition::Updated(v) => list(f, "updated", seconds(v)),
            Condition::Text(text) => f.write_str(&quote(text)),
        }
    }
}

fn bound(bound: &Bound, unit: &str) -> String {
    format!("{}{}{unit}", bound.comparison.sign(), bound.value)
}

/// A value as the filter languages spell it: one that is no plain word is quoted.
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-.@+#%/".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
