//! What people did, for those who ask later.

use super::ConnectionName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One action of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// The login, and where the SSH connection comes from.
    pub who: String,
    /// `retry`, `discard`, `edit`, `pause`, `record update`, …
    pub action: String,
    /// Ids, a filter, a mapping: what it was about.
    pub target: String,
    /// `None` where it belongs to no connection.
    pub connection: Option<ConnectionName>,
    pub reason: Option<String>,
    /// Number of jobs or records that it changed.
    pub count: Option<u64>,
    /// `done`, what was not (`1 waiting`), or what went wrong; `None` if it was begun and its process ended before it did.
    pub outcome: Option<String>,
}
