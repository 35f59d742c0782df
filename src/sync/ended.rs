//! How an attempt at a job ended, and what a person is told of it.

use super::plan::{Planned, version};
use crate::mapping::Mapping;
use crate::model::job::JobContact;
use crate::model::view::{FiringRule, Outcome, Preview, PreviewField, SyncResult, SyncedField};
use crate::model::{ContactId, Email, Job, JobState, Problem, Record, RecordId, WaitReason};
use crate::store::{Heir, LinkWrite, RecordSeen, Settlement, StoreError};
use jiff::Timestamp;
use std::time::Duration;

/// How an attempt ended, before it is written down.
pub struct Ended {
    pub outcome: Outcome,
    pub error: Option<Problem>,
    /// Why nothing was sent, though it did not fail: one clause.
    pub why: Option<String>,
    pub waiting: Option<(WaitReason, Timestamp)>,
    /// True if this counts against the number of attempts: a tried and failed one does, waiting does not.
    pub uses_attempt: bool,
    pub contact: JobContact,
    pub link: Option<LinkWrite>,
    pub record: Option<RecordSeen>,
    /// The address that the contact had before it was renamed.
    pub moved_from: Option<Email>,
    /// The record was deleted.
    pub gone: bool,
    pub fields: Vec<SyncedField>,
    pub request: Option<String>,
    pub response: Option<String>,
    /// The effects that were planned went along with the values.
    pub rode: bool,
    /// What was done all the same, and a person should know of.
    pub warning: Option<String>,
    /// The record leaves all contacts that it had or stood for, to whoever is next in line.
    pub leaves: Option<Heir>,
}

impl Ended {
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            error: None,
            why: None,
            waiting: None,
            uses_attempt: outcome != Outcome::Waiting,
            contact: JobContact::default(),
            link: None,
            record: None,
            moved_from: None,
            gone: false,
            fields: Vec::new(),
            request: None,
            response: None,
            rode: false,
            warning: None,
            leaves: None,
        }
    }

    pub fn failed(problem: Problem) -> Self {
        Self {
            error: Some(problem),
            ..Self::new(Outcome::Failed)
        }
    }

    /// Put off for a while, without using an attempt.
    pub fn waiting(reason: WaitReason, time: Duration) -> Self {
        Self {
            waiting: Some((reason, Timestamp::now() + time)),
            ..Self::new(Outcome::Waiting)
        }
    }

    /// What is written down of it.
    pub fn settlement(&self, worker: &str) -> Settlement {
        Settlement {
            waiting: self.waiting.map(|(reason, until)| crate::model::Waiting {
                reason,
                until: Some(until),
                by: worker.to_owned(),
            }),
            error: self.error.clone(),
            why: self.why_nothing(),
            contact: self.contact.clone(),
            uses_attempt: self.uses_attempt,
            link: self.link.clone(),
            record: self.record.clone(),
            moved_from: self.moved_from.clone(),
            gone: self.gone,
            rode: self.rode,
            leaves: self.leaves,
            ..Settlement::new(self.outcome, state(self.outcome))
        }
    }

    fn why_nothing(&self) -> Option<String> {
        let record = self.record.as_ref();
        let winner = record.and_then(|record| record.superseded_by.as_ref());
        let lost = winner.map(|winner| format!("record {winner} has the contact"));
        self.why.clone().or(lost)
    }

    /// What a person is told.
    pub fn result(&self, job: &Job) -> SyncResult {
        SyncResult {
            record: job.record.clone(),
            outcome: self.outcome,
            contact_id: self.contact.id.clone(),
            fields: self.fields.clone(),
            superseded_by: self
                .record
                .as_ref()
                .and_then(|record| record.superseded_by.clone()),
            warning: self.warning.clone(),
            rules: Vec::new(),
            why: self.why.clone(),
            error: self.error.clone(),
        }
    }
}

/// The state a job takes for an outcome.
fn state(outcome: Outcome) -> JobState {
    match outcome {
        Outcome::Synced | Outcome::Unchanged | Outcome::Superseded | Outcome::Skipped => {
            JobState::Done
        }
        Outcome::Failed => JobState::Failed,
        Outcome::Unknown => JobState::Unknown,
        Outcome::Waiting => JobState::Waiting,
    }
}

/// What was seen of a record; it competes for its contact once it has been decided on.
pub fn seen(record: &Record, email: Option<Email>, outcome: Outcome) -> RecordSeen {
    let competes = email.is_some()
        && matches!(
            outcome,
            Outcome::Synced | Outcome::Unchanged | Outcome::Superseded
        );
    RecordSeen {
        record: record.id.clone(),
        email,
        version: version(record),
        outcome,
        superseded_by: None,
        competes,
    }
}

/// The link of a confirmed write.
pub fn confirmed(
    mapping: &Mapping,
    record: &Record,
    planned: &Planned,
    contact: Option<ContactId>,
    created: bool,
) -> Result<LinkWrite, StoreError> {
    Ok(LinkWrite {
        email: planned.write.email.clone(),
        contact_id: contact,
        record: record.id.clone(),
        version: version(record),
        fingerprint: planned.fingerprint.clone(),
        write_json: crate::store::to_json(&planned.write)?,
        properties_json: if mapping.spec().rules.is_empty() {
            None
        } else {
            Some(crate::store::to_json(&record.properties)?)
        },
        created_by_us: created,
    })
}

/// The fields of a preview in the form of a sync's result: those that are sent, and those that cannot be.
pub fn fields(preview: Vec<PreviewField>) -> Vec<SyncedField> {
    preview
        .into_iter()
        .filter(|field| field.send.is_some() || field.problem.is_some())
        .map(|field| SyncedField {
            field: field.field,
            old: field.contact,
            new: field.send,
            changes: field.changes,
            problem: field.problem,
        })
        .collect()
}

/// The result of a record that could not even be read.
pub fn failed(record: RecordId, problem: Problem) -> SyncResult {
    SyncResult {
        record,
        outcome: Outcome::Failed,
        contact_id: None,
        fields: Vec::new(),
        superseded_by: None,
        warning: None,
        rules: Vec::new(),
        why: None,
        error: Some(problem),
    }
}

/// What a sync would come to, from a preview.
pub fn rehearsed(preview: &Preview) -> SyncResult {
    let first = preview
        .fields
        .iter()
        .find_map(|field| field.problem.clone());
    let error = preview.problem.clone().or(first);
    let outcome = match &error {
        _ if preview.skips => Outcome::Skipped,
        Some(_) => Outcome::Failed,
        None if preview.superseded_by.is_some() => Outcome::Superseded,
        None if preview.in_step() => Outcome::Unchanged,
        None => Outcome::Synced,
    };
    SyncResult {
        record: preview.record.id.clone(),
        outcome,
        contact_id: preview.contact_id.clone(),
        fields: match outcome {
            Outcome::Superseded | Outcome::Skipped => Vec::new(),
            _ => fields(preview.fields.clone()),
        },
        superseded_by: preview
            .superseded_by
            .clone()
            .filter(|_| outcome == Outcome::Superseded),
        warning: preview
            .warning
            .clone()
            .filter(|_| matches!(outcome, Outcome::Synced | Outcome::Unchanged)),
        rules: preview
            .rules
            .iter()
            .filter(|rule| rule.fires && matches!(outcome, Outcome::Synced | Outcome::Unchanged))
            .map(|rule| FiringRule {
                rule: rule.name.clone(),
                actions: rule.actions.clone(),
            })
            .collect(),
        why: preview.skips.then(|| Preview::NO_ADDRESS.to_owned()),
        error: error.filter(|_| outcome == Outcome::Failed),
    }
}
