//! What a mapping makes of one record, in the form that previews, the sync view and `sync --json` show.

use super::contact::Surroundings;
use super::{ContactId, Email, Problem, Record, RecordId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of a preview: a contact field with its source, its value to be, and its value now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewField {
    /// The contact field as config.toml names it: `first_name`, `%PET_NAME%`.
    pub field: String,
    /// The record field or template it comes from.
    pub source: String,
    /// The record's raw value as JSON text; `None` where the record has none.
    pub record: Option<String>,
    /// The value to send; `""` clears; `None` sends nothing.
    pub send: Option<String>,
    /// The contact's value; `None` where there is no contact or no value.
    pub contact: Option<String>,
    /// True if sending would change the contact.
    pub changes: bool,
    /// Why the value cannot be sent: an error.
    pub problem: Option<Problem>,
    /// Sent all the same, but something was lost or looks wrong.
    pub warning: Option<String>,
}

/// A rule and whether it would fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewRule {
    pub name: String,
    /// The condition is true now.
    #[serde(default)]
    pub holds: bool,
    /// The condition has turned true.
    pub fires: bool,
    /// `tag pet-adopted`, `automation "Adoption welcome"`.
    pub actions: Vec<String>,
    /// Why it does not fire, or what is wrong with it.
    pub note: Option<String>,
}

/// A record beside its contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    pub mapping: String,
    pub record: Record,
    /// The record's name: its primary property.
    pub title: String,
    pub email: Option<Email>,
    pub contact_id: Option<ContactId>,
    pub fields: Vec<PreviewField>,
    pub rules: Vec<PreviewRule>,
    /// Why the record cannot be synced at all: no e-mail, a malformed one.
    pub problem: Option<Problem>,
    /// The record has no e-mail, and the mapping says to skip such records: that is no problem, and nothing is sent.
    pub skips: bool,
    /// What a sync would do all the same, and a person should know of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The edit that takes the place of some of the record's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<super::job::Edit>,
    /// The last confirmed sync of this contact.
    pub last_sent: Option<Timestamp>,
    /// The record that won the contact, if it is another one.
    pub superseded_by: Option<RecordId>,
    pub surroundings: Option<Surroundings>,
}

impl Preview {
    /// Why a record is skipped.
    pub const NO_ADDRESS: &str =
        "the record has no e-mail address, and the mapping skips such records";
    /// What is said of it.
    pub const SKIPPED: &str =
        "skipped: the record has no e-mail address, and the mapping skips such records";

    /// True if a sync would change nothing.
    pub fn in_step(&self) -> bool {
        self.problem.is_none()
            && !self.skips
            && self.contact_id.is_some()
            && self
                .fields
                .iter()
                .all(|field| !field.changes && field.problem.is_none())
    }
}

/// What came of syncing one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Synced,
    Unchanged,
    Superseded,
    Skipped,
    Failed,
    Unknown,
    /// Put off: a transient error or a rate limit; the queue goes on with it.
    Waiting,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 7] = [
        Self::Synced,
        Self::Unchanged,
        Self::Superseded,
        Self::Skipped,
        Self::Failed,
        Self::Unknown,
        Self::Waiting,
    ];

    /// The outcome of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Unchanged => "unchanged",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
        }
    }
}

/// One field of a sync that was done or, in a dry run, would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncedField {
    pub field: String,
    pub old: Option<String>,
    pub new: Option<String>,
    /// True if the contact gets another value: another spelling of the same date, number or set of values is none.
    #[serde(default)]
    pub changes: bool,
    pub problem: Option<Problem>,
}

/// The result line of `tramline sync --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncResult {
    pub record: RecordId,
    pub outcome: Outcome,
    pub contact_id: Option<ContactId>,
    pub fields: Vec<SyncedField>,
    /// The record that has the contact, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<RecordId>,
    /// What was done all the same, and a person should know of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The rules that fired, with what was done of them; in a dry run, those that would fire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FiringRule>,
    /// Of a sync that waits: one sentence on what for, and until when. Of one that was skipped: a clause on why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub error: Option<Problem>,
}

impl SyncResult {
    /// True if nothing is left to be done.
    pub fn is_over(&self) -> bool {
        match self.outcome {
            Outcome::Synced | Outcome::Unchanged | Outcome::Superseded | Outcome::Skipped => true,
            Outcome::Failed | Outcome::Unknown | Outcome::Waiting => false,
        }
    }
}

/// A rule that fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FiringRule {
    pub rule: String,
    /// As in [`PreviewRule::actions`].
    pub actions: Vec<String>,
}
