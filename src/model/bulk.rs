//! What a person asked to be done to many jobs.

use super::BulkId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    /// Failed, unknown and waiting jobs become ready.
    Retry,
    /// Jobs that are not over and do not run are given up.
    Discard,
}

impl BulkAction {
    /// The name used in commands, JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard => "discard",
        }
    }

    /// The action of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Retry, Self::Discard]
            .into_iter()
            .find(|action| action.name() == name)
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkState {
    /// Not applied to its end yet; any worker goes on with it.
    Open,
    Done,
    /// Taken back; what was changed by then stays changed.
    Cancelled,
}

impl BulkState {
    /// The name used in JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Cancelled]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// One action on many jobs, with its progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bulk {
    pub id: BulkId,
    pub action: BulkAction,
    /// The filter that says which jobs; `None` if they were named.
    pub filter: Option<String>,
    /// Jobs that were named.
    pub jobs: Option<u64>,
    /// The person.
    pub by: String,
    pub state: BulkState,
    /// Jobs changed so far.
    pub changed: u64,
    /// Not applied before then.
    pub start_at: Timestamp,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}
