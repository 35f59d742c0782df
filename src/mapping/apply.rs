//! One record in, one contact's values out.

use super::coerce;
use super::compile::{EmailSource, Mapping};
use super::fault::{Fault, quote};
use super::field_spec::Empty;
use super::line::{From, Line};
use crate::model::{
    ContactWrite, Decimal, Email, ErrorClass, Problem, Properties, Record, RelatedContact,
    TargetField,
};
use minijinja::Value as Context;
use std::borrow::Cow;
use std::sync::Arc;

/// Digits that a double keeps for certain.
const DOUBLE_DIGITS: usize = 15;

/// What a mapping makes of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    pub email: EmailOutcome,
    /// One for each field of the mapping, in its order.
    pub values: Vec<MappedValue>,
}

/// The e-mail address of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailOutcome {
    Found(Email),
    /// The record, or the contact its association leads to, has none; or the association leads nowhere.
    Missing,
    /// There is a text, but it is no address.
    Malformed(String),
}

/// One contact field's value to be.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedValue {
    pub target: TargetField,
    /// The contact field as config.toml names it.
    pub field: Arc<str>,
    /// The record field or template as config.toml gives it.
    pub source: Arc<str>,
    pub send: Send,
    /// Why the value cannot be sent; `send` is `Ignore` then.
    pub problem: Option<Problem>,
    /// What was lost on the way, or looks wrong.
    pub warnings: Vec<String>,
}

/// What is done to a contact field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Send {
    /// It gets this value, which is never empty.
    Set(String),
    /// It is emptied.
    Clear,
    /// It is not sent and keeps its value.
    Ignore,
}

impl Mapping {
    /// Maps a record. `related` is the contact that the association leads to, for a mapping that
    /// [needs it](Mapping::association).
    pub fn apply(&self, record: &Record, related: Option<&RelatedContact>) -> Applied {
        // Made for the first template only: most mappings have none.
        let mut context: Option<Context> = None;
        let values = self
            .lines
            .iter()
            .map(|line| {
                let mut warnings = Vec::new();
                let sent = match &line.from {
                    From::Template { id, numbers, .. } => {
                        let context = context.get_or_insert_with(|| {
                            self.scope
                                .context(record, &record.properties, related, None)
                        });
                        self.templates
                            .render(id, context)
                            .map_err(|error| {
                                Fault::new(format!(
                                    "the template {} fails: {error}",
                                    quote(&line.source)
                                ))
                            })
                            .and_then(|text| {
                                lost_digits(numbers, &record.properties, &text, &mut warnings);
                                line.plan.text(&text, &mut warnings)
                            })
                    }
                    From::Members(key) => line
                        .plan
                        .members(key, &record.properties)
                        .and_then(|text| line.plan.assembled(&text, &mut warnings)),
                    from => match from.raw(&record.properties) {
                        Some(value) => line.plan.coerce(value, &mut warnings),
                        None => Ok(None),
                    },
                };
                line.value(sent, warnings)
            })
            .collect();
        Applied {
            email: self.address(record, related),
            values,
        }
    }

    /// The e-mail address of a record, without mapping its fields.
    pub fn address(&self, record: &Record, related: Option<&RelatedContact>) -> EmailOutcome {
        let raw = match &self.email {
            EmailSource::Property(key) => match record.properties.get(key) {
                None => None,
                Some(value) => match coerce::scalar(value) {
                    Ok(text) => text,
                    Err(_) => return EmailOutcome::Malformed(value.to_string()),
                },
            },
            EmailSource::Association(_) => related
                .and_then(|contact| contact.email.as_deref())
                .map(Cow::Borrowed),
        };
        match raw
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            None => EmailOutcome::Missing,
            Some(text) => match Email::parse(text) {
                Ok(email) => EmailOutcome::Found(email),
                Err(_) => EmailOutcome::Malformed(text.to_owned()),
            },
        }
    }
}

impl Line {
    fn value(&self, sent: Result<Option<String>, Fault>, warnings: Vec<String>) -> MappedValue {
        let (send, problem) = match sent {
            Ok(Some(text)) => (Send::Set(text), None),
            Ok(None) if self.empty == Empty::Clear => (Send::Clear, None),
            Ok(None) => (Send::Ignore, None),
            Err(fault) => (Send::Ignore, Some(self.problem(fault))),
        };
        MappedValue {
            target: self.target.clone(),
            field: Arc::clone(&self.field),
            source: Arc::clone(&self.source),
            send,
            problem,
            warnings,
        }
    }

    fn problem(&self, fault: Fault) -> Problem {
        let message = match &self.from {
            From::Template { .. } => fault.message,
            _ => format!("{}: {}", self.source, fault.message),
        };
        let mut problem = Problem::new(ErrorClass::Invalid, message).field(&*self.field);
        problem.remedy = fault.remedy;
        problem
    }
}

/// Warns where a number has more digits than a template keeps, unless it was printed as it is.
fn lost_digits(
    numbers: &[String],
    properties: &Properties,
    text: &str,
    warnings: &mut Vec<String>,
) {
    for key in numbers {
        let Some(value) = properties.get(key) else {
            continue;
        };
        let Ok(Some(literal)) = coerce::scalar(value) else {
            continue;
        };
        let Ok(plain) = Decimal::plain(&literal) else {
            continue;
        };
        let digits = plain.bytes().filter(u8::is_ascii_digit).count();
        if digits > DOUBLE_DIGITS && plain.parse::<i128>().is_err() && !text.contains(&*plain) {
            warnings.push(format!(
                "{key} has {digits} digits, of which a template keeps about {DOUBLE_DIGITS}"
            ));
        }
    }
}

impl EmailOutcome {
    /// The address, or why there is none.
    pub fn into_email(self) -> Result<Email, Problem> {
        match self {
            Self::Found(email) => Ok(email),
            Self::Missing => Err(Problem::new(
                ErrorClass::Invalid,
                "the record has no e-mail address",
            )
            .field("email")
            .remedy("give the record an e-mail address, or set on_missing_email = \"skip\"")),
            Self::Malformed(text) => Err(Problem::new(
                ErrorClass::Invalid,
                format!("{} is no e-mail address", quote(&text)),
            )
            .field("email")
            .remedy("correct the address in HighLevel")),
        }
    }
}

impl Applied {
    /// What to write, values sorted by target; or everything that stands against it.
    pub fn write(self) -> Result<ContactWrite, Vec<Problem>> {
        let mut problems = Vec::new();
        let email = self
            .email
            .into_email()
            .map_err(|problem| problems.push(problem))
            .ok();
        let mut values = Vec::with_capacity(self.values.len());
        for value in self.values {
            match (value.problem, value.send) {
                (Some(problem), _) => problems.push(problem),
                (None, Send::Set(text)) => values.push((value.target, text)),
                (None, Send::Clear) => values.push((value.target, String::new())),
                (None, Send::Ignore) => {}
            }
        }
        match email {
            Some(email) if problems.is_empty() => {
                values.sort_unstable();
                Ok(ContactWrite { email, values })
            }
            _ => Err(problems),
        }
    }
}
