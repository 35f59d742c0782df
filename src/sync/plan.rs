//! What a record means for its contact: pure, before the store and either API are asked.

use crate::mapping::{EmailOutcome, Mapping, OnMissingEmail};
use crate::model::{ContactWrite, Email, Fingerprint, Problem, Record, RelatedContact};

/// The plan of one record.
#[derive(Debug)]
pub enum Plan {
    /// These values are to stand in the contact.
    Send(Planned),
    /// Nothing to sync: no e-mail, and the mapping says to skip.
    Skip,
    /// A person must mend the record or the mapping.
    Fail {
        problem: Problem,
        /// The address, where that was not the fault.
        email: Option<Email>,
    },
}

/// Values on their way to a contact.
#[derive(Clone, Debug)]
pub struct Planned {
    pub write: ContactWrite,
    pub fingerprint: Fingerprint,
}

/// Maps a record and says what is to be done with it. The association of the mapping, if any, was
/// followed already.
pub fn plan(mapping: &Mapping, record: &Record, related: Option<&RelatedContact>) -> Plan {
    let applied = mapping.apply(record, related);
    if applied.email == EmailOutcome::Missing
        && mapping.spec().on_missing_email == OnMissingEmail::Skip
    {
        return Plan::Skip;
    }
    let email = match &applied.email {
        EmailOutcome::Found(email) => Some(email.clone()),
        _ => None,
    };
    match applied.write() {
        Ok(write) => Plan::Send(Planned {
            fingerprint: write.fingerprint(),
            write,
        }),
        Err(problems) => Plan::Fail {
            problem: merged(problems),
            email,
        },
    }
}

/// The first problem, with the number of the others.
fn merged(problems: Vec<Problem>) -> Problem {
    let more = problems.len().saturating_sub(1);
    let mut problems = problems.into_iter();
    let Some(mut first) = problems.next() else {
        return Problem::new(
            crate::model::ErrorClass::Invalid,
            "the record cannot be mapped",
        );
    };
    if more > 0 {
        let fields: Vec<String> = problems.filter_map(|problem| problem.field).collect();
        first.message = format!("{} (and {more} more: {})", first.message, fields.join(", "));
    }
    first
}

/// A record's version in the store: its `updatedAt` in microseconds; 0 where the API gave none.
pub fn version(record: &Record) -> i64 {
    record.updated_at.map_or(0, |at| at.as_microsecond())
}
