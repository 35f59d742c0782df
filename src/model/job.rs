//! Jobs of the queue: one record of one mapping to be brought to its contact.

use super::view::Outcome;
use super::{
    ConnectionName, ContactId, Email, ErrorClass, JobId, MappingName, ObjectKey, Problem,
    Properties, RecordId, RunId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// May be claimed now.
    Ready,
    /// Waits for a reason that a [`Waiting`] names.
    Waiting,
    /// A worker holds it.
    Running,
    /// The contact is in step, or there was nothing to do.
    Done,
    /// Needs a person.
    Failed,
    /// It is not known whether the write happened; needs a person.
    Unknown,
    /// A person gave it up.
    Discarded,
}

impl JobState {
    /// All states, in the order of the screens.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Waiting,
        Self::Running,
        Self::Failed,
        Self::Unknown,
        Self::Done,
        Self::Discarded,
    ];

    /// The name used in filters, JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Discarded => "discarded",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Why a job waits. Waiting uses no attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// A time was set: a backoff after a transient error, or a schedule.
    Scheduled,
    RateLimited,
    Paused,
    BreakerOpen,
    ContactBusy,
    /// The record's association leads to no contact yet.
    NoContactYet,
}

impl WaitReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::Scheduled,
        Self::RateLimited,
        Self::Paused,
        Self::BreakerOpen,
        Self::ContactBusy,
        Self::NoContactYet,
    ];

    /// The name used in filters, JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::RateLimited => "rate_limited",
            Self::Paused => "paused",
            Self::BreakerOpen => "breaker_open",
            Self::ContactBusy => "contact_busy",
            Self::NoContactYet => "no_contact_yet",
        }
    }

    /// The reason of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A wait: its reason, its end where one is known, and who or what set it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub reason: WaitReason,
    pub until: Option<Timestamp>,
    pub by: String,
}

/// What made a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Trigger {
    Webhook,
    Poll,
    Schedule,
    Manual,
    Export(RunId),
    Retry,
}

impl Trigger {
    /// Larger is more urgent: a person, then webhooks, then schedules, then exports (sync.md, Jobs).
    pub fn priority(&self) -> i64 {
        match self {
            Self::Manual | Self::Retry => 3,
            Self::Webhook => 2,
            Self::Schedule | Self::Poll => 1,
            Self::Export(_) => 0,
        }
    }
}

impl From<Trigger> for String {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Webhook => "webhook".into(),
            Trigger::Poll => "poll".into(),
            Trigger::Schedule => "schedule".into(),
            Trigger::Manual => "manual".into(),
            Trigger::Export(run) => format!("export {run}"),
            Trigger::Retry => "retry".into(),
        }
    }
}

impl From<String> for Trigger {
    fn from(text: String) -> Self {
        match text.as_str() {
            "webhook" => Self::Webhook,
            "poll" => Self::Poll,
            "schedule" => Self::Schedule,
            "retry" => Self::Retry,
            _ => match text.strip_prefix("export ") {
                Some(run) => Self::Export(RunId::from(run)),
                None => Self::Manual,
            },
        }
    }
}

/// The contact a job writes to, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobContact {
    pub id: Option<ContactId>,
    pub email: Option<Email>,
}

/// How a job came to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEnd {
    pub outcome: Outcome,
    /// One clause on why nothing was sent, where that is so: `the record has no address in owner_email`.
    pub why: Option<String>,
}

/// One job, as lists, details and `--json` show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub mapping: MappingName,
    pub connection: ConnectionName,
    pub object: ObjectKey,
    pub record: RecordId,
    pub contact: JobContact,
    pub state: JobState,
    pub waiting: Option<Waiting>,
    pub trigger: Trigger,
    /// Attempts used so far.
    pub attempts: u32,
    /// The last error; kept while the job waits to be tried again.
    pub error: Option<Problem>,
    /// Of a job that is done; `None` where an export resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<JobEnd>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Job {
    /// True while the job comes to an end without a person and soon: it is due or at work, or waits for a time, a rate
    /// limit or its contact. A job that waits for a refused token, or for a contact that does not exist yet, is
    /// nothing to sit and wait for.
    pub fn is_under_way(&self) -> bool {
        match self.state {
            JobState::Ready | JobState::Running => true,
            JobState::Waiting => {
                let reason = self.waiting.as_ref().map(|waiting| waiting.reason);
                let refused = self
                    .error
                    .as_ref()
                    .is_some_and(|error| error.class == ErrorClass::Auth);
                !refused
                    && matches!(
                        reason,
                        Some(
                            WaitReason::Scheduled
                                | WaitReason::RateLimited
                                | WaitReason::ContactBusy
                        )
                    )
            }
            _ => false,
        }
    }
}

/// One attempt at a job, with what went over the wire, redacted and bounded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub number: u32,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Host and process that made it.
    pub worker: String,
    /// What came out: `synced`, `unchanged`, `superseded`, `skipped`, `failed`, `unknown`, `retry`.
    pub outcome: String,
    pub error: Option<Problem>,
    /// Redacted request, such as `POST /contact/sync {…}`.
    pub request: Option<String>,
    /// Redacted response, such as `422 {…}`.
    pub response: Option<String>,
    /// Fingerprint of the mapping's configuration.
    pub mapping_hash: String,
    /// The edit that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<u32>,
    /// What was done all the same, and a person should know of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Values that a person put in place of a record's, for one mapping and until the record changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    pub number: u32,
    pub properties: Properties,
    /// The person.
    pub by: String,
    pub at: Timestamp,
    /// `None` while it is in force.
    pub ended_at: Option<Timestamp>,
    /// `the record changed`, `replaced by another edit`.
    pub ended_why: Option<String>,
}

impl Edit {
    /// Puts values in place of a record's; null takes one away.
    pub fn put(values: &Properties, record: &mut Properties) {
        for (key, value) in values {
            if value.is_null() {
                record.shift_remove(key);
            } else {
                record.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Number of jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    pub ready: u64,
    pub waiting: u64,
    pub running: u64,
    pub failed: u64,
    pub unknown: u64,
    pub done: u64,
    pub discarded: u64,
}

impl JobCounts {
    /// The count of one state.
    pub fn of(&self, state: JobState) -> u64 {
        match state {
            JobState::Ready => self.ready,
            JobState::Waiting => self.waiting,
            JobState::Running => self.running,
            JobState::Failed => self.failed,
            JobState::Unknown => self.unknown,
            JobState::Done => self.done,
            JobState::Discarded => self.discarded,
        }
    }

    /// The count of one state, to be changed.
    pub fn of_mut(&mut self, state: JobState) -> &mut u64 {
        match state {
            JobState::Ready => &mut self.ready,
            JobState::Waiting => &mut self.waiting,
            JobState::Running => &mut self.running,
            JobState::Failed => &mut self.failed,
            JobState::Unknown => &mut self.unknown,
            JobState::Done => &mut self.done,
            JobState::Discarded => &mut self.discarded,
        }
    }

    /// All jobs.
    pub fn total(&self) -> u64 {
        JobState::ALL.iter().map(|state| self.of(*state)).sum()
    }
}
