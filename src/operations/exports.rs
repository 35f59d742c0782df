//! Runs of bulk exports.

use super::{Done, Operations, stub};
use crate::model::export::{ExportOptions, Run};
use crate::model::{MappingName, RunId};

impl Operations {
    /// Starts a run in the background of this process; one running export per mapping.
    pub async fn start_export(&self, _mapping: &MappingName, _options: ExportOptions) -> Done<Run> {
        stub()
    }

    /// Runs, newest first.
    pub async fn exports(&self, _limit: u32) -> Done<Vec<Run>> {
        stub()
    }

    /// One run; `id` may be a unique beginning.
    pub async fn export(&self, _id: &str) -> Done<Run> {
        stub()
    }

    /// Stops a run after what is in flight; it can be resumed.
    pub async fn pause_export(&self, _id: &RunId) -> Done<Run> {
        stub()
    }

    /// Goes on with a paused or failed run in the background of this process.
    pub async fn resume_export(&self, _id: &RunId) -> Done<Run> {
        stub()
    }

    /// Ends a run for good after what is in flight; what was sent stays sent.
    pub async fn cancel_export(&self, _id: &RunId) -> Done<Run> {
        stub()
    }
}
