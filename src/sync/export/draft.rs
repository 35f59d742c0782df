//! What a record means for its contact, written out: all of planning that needs neither the store nor another call.

use crate::activecampaign::import_row_json;
use crate::mapping::{EmailSource, Mapping};
use crate::model::{Email, Problem, Record, RelatedContact};
use crate::store::{StoreError, to_json};
use crate::sync::plan::{Plan, Planned, plan};

/// A record as it was read.
pub struct Draft {
    pub record: Record,
    /// What it means for its contact; `None` where that takes another call.
    pub meaning: Option<Meaning>,
}

/// As [`Plan`], with what is sent in the form that it is kept in.
pub enum Meaning {
    Send(Box<Values>),
    Skip,
    Fail {
        problem: Problem,
        /// The address, where that was not the fault.
        email: Option<Email>,
    },
}

/// Values on their way to a contact.
pub struct Values {
    pub planned: Planned,
    /// The `ContactWrite` as JSON.
    pub write_json: String,
    /// The row in an import, with nothing that goes along.
    pub row_json: String,
}

impl Draft {
    /// What the record alone tells. A mapping that finds its contact by an association has to ask for that first.
    ///
    /// # Errors
    /// The values cannot be written as JSON.
    pub fn of(mapping: &Mapping, record: Record) -> Result<Self, StoreError> {
        let meaning = match mapping.email() {
            EmailSource::Property(_) => Some(Meaning::of(mapping, &record, None)?),
            EmailSource::Association(_) => None,
        };
        Ok(Self { record, meaning })
    }
}

impl Meaning {
    /// Maps a record whose association, if the mapping has one, was followed.
    ///
    /// # Errors
    /// The values cannot be written as JSON.
    pub fn of(
        mapping: &Mapping,
        record: &Record,
        related: Option<&RelatedContact>,
    ) -> Result<Self, StoreError> {
        Ok(match plan(mapping, record, related) {
            Plan::Send(planned) => Self::Send(Box::new(Values {
                write_json: to_json(&planned.write)?,
                row_json: import_row_json(&planned.write),
                planned,
            })),
            Plan::Skip => Self::Skip,
            Plan::Fail { problem, email } => Self::Fail { problem, email },
        })
    }

    /// The contact that the record competes for.
    pub fn goes_to(&self) -> Option<&Email> {
        match self {
            Self::Send(values) => Some(&values.planned.write.email),
            Self::Skip | Self::Fail { .. } => None,
        }
    }
}
