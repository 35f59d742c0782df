//! Runs of bulk exports.

use super::{ConnectionName, MappingName, RunId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A process works on it, or its process died and the next start goes on with it.
    Running,
    Paused,
    Cancelled,
    Completed,
    /// It could not go on: the run's error says why. `resume` goes on where it stood.
    Failed,
}

impl RunState {
    /// The name used in JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Paused,
            Self::Cancelled,
            Self::Completed,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// What a run was asked to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExportOptions {
    /// Reads and plans, writes nothing to ActiveCampaign.
    pub dry_run: bool,
    /// Sends contacts whose fingerprint has not changed as well.
    pub full: bool,
    /// Only records updated at or after this time.
    pub since: Option<Timestamp>,
    /// At most so many records are read.
    pub limit: Option<u64>,
    /// A trigger started it: a schedule, or polling that met many changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<super::Trigger>,
}

/// What became of the records of a run: `read = unchanged + synced + superseded + skipped + failed` once it
/// has ended; before that the rest is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportCounts {
    /// Distinct records read.
    pub read: u64,
    /// The contact holds these values already.
    pub unchanged: u64,
    /// Confirmed by ActiveCampaign (a dry run: would be sent).
    pub synced: u64,
    /// Another record of the same contact won.
    pub superseded: u64,
    /// Nothing to sync.
    pub skipped: u64,
    /// In the queue with an error (a dry run: would fail).
    pub failed: u64,
}

impl ExportCounts {
    /// Records whose outcome is settled.
    pub fn settled(&self) -> u64 {
        self.unchanged + self.synced + self.superseded + self.skipped + self.failed
    }
}

/// Requests spent, by API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    pub highlevel: u64,
    pub activecampaign: u64,
}

/// A run as lists, the screen and `exports show --json` give it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    pub mapping: MappingName,
    pub connection: ConnectionName,
    pub state: RunState,
    pub options: ExportOptions,
    pub counts: ExportCounts,
    /// Records the object holds, as the first page said.
    pub total: Option<u64>,
    /// Records sent and waiting for their import's result.
    pub sent: u64,
    pub requests: RequestCounts,
    /// Rate-limit answers received.
    pub throttled: u64,
    /// Where reading stands, for people: `page 17`, `after 66b1…`.
    pub checkpoint: Option<String>,
    /// A run at work that its account's or its mapping's pause keeps from going on.
    #[serde(default)]
    pub waiting: Option<super::Waiting>,
    pub error: Option<super::Problem>,
    pub started_at: Timestamp,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Milliseconds of work, pauses and dead time left out.
    pub elapsed_ms: u64,
}

/// The one line that `export --json` ends with (product.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub run: RunId,
    pub mapping: MappingName,
    pub state: RunState,
    /// Nothing was sent: `synced` would be, `failed` would fail. Left out where it is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    pub read: u64,
    pub unchanged: u64,
    pub synced: u64,
    pub superseded: u64,
    pub skipped: u64,
    pub failed: u64,
    pub requests: RequestCounts,
    pub throttled: u64,
    pub elapsed_ms: u64,
}

impl Run {
    /// Where it stands, in one word: a run at work that is kept from going on is waiting.
    pub fn standing(&self) -> &'static str {
        if self.waiting.is_some() {
            "waiting"
        } else {
            self.state.name()
        }
    }

    /// The run in the form of the summary.
    pub fn summary(&self) -> Summary {
        Summary {
            run: self.id.clone(),
            mapping: self.mapping.clone(),
            state: self.state,
            dry_run: self.options.dry_run,
            read: self.counts.read,
            unchanged: self.counts.unchanged,
            synced: self.counts.synced,
            superseded: self.counts.superseded,
            skipped: self.counts.skipped,
            failed: self.counts.failed,
            requests: self.requests,
            throttled: self.throttled,
            elapsed_ms: self.elapsed_ms,
        }
    }
}
