//! One record in, one contact's values out.

use super::compile::Mapping;
use crate::model::{ContactWrite, Email, ErrorClass, Problem, Record, RelatedContact, TargetField};
use std::sync::Arc;

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
        todo!()
    }
}

impl Applied {
    /// What to write, values sorted by target; or everything that stands against it.
    pub fn write(self) -> Result<ContactWrite, Vec<Problem>> {
        todo!()
    }
}
