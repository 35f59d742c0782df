//! What is always in view: budgets, queue, workers, the running export, the last error.

use super::{Done, Operations, stub};
use crate::model::call::{BudgetView, Call};
use crate::model::export::Run;
use crate::model::job::JobCounts;
use crate::model::{ConnectionName, Problem};
use jiff::Timestamp;
use tokio::sync::broadcast;

/// The last error that somebody should see.
#[derive(Clone, Debug, PartialEq)]
pub struct LastError {
    pub at: Timestamp,
    pub problem: Problem,
    /// How many jobs failed with the same message.
    pub count: u64,
}

/// The status bar's content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    pub highlevel: Option<BudgetView>,
    pub activecampaign: Option<BudgetView>,
    pub imports: Option<BudgetView>,
    pub counts: JobCounts,
    /// Workers alive on this store, this process included.
    pub workers: u32,
    /// Running exports, newest first.
    pub exports: Vec<Run>,
    pub last_error: Option<LastError>,
}

impl Operations {
    /// Everything the status bar shows. No network; a few small reads of the store.
    pub async fn status(&self, _connection: &ConnectionName) -> Done<Status> {
        stub()
    }

    /// The latest HTTP calls of this process, oldest first, at most 1,000.
    pub fn recent_calls(&self) -> Vec<Call> {
        stub()
    }

    /// Every HTTP call from now on; a slow listener misses some.
    pub fn watch_calls(&self) -> broadcast::Receiver<Call> {
        stub()
    }
}
