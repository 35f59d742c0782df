//! What became of jobs that were retried.

use super::{Done, Operations};
use crate::model::filter::{Bound, Comparison, Condition, Filter, TriggerKind};
use crate::model::{ConnectionName, JobState};
pub use crate::store::Count;
use jiff::Timestamp;

/// Jobs that were retried, by how they stand now; each number is counted up to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterRetry {
    pub done: Count,
    /// Failed again, or with an unknown outcome.
    pub failed: Count,
    /// Ready, waiting or at a worker.
    pub to_go: Count,
}

impl AfterRetry {
    /// False if there are more of a kind than were counted: its number then stands still while its jobs move.
    pub fn is_exact(&self) -> bool {
        self.done.exact && self.failed.exact && self.to_go.exact
    }

    /// The number of all of them, or of those that were counted.
    pub fn all(&self) -> u64 {
        self.done.number + self.failed.number + self.to_go.number
    }
}

impl Operations {
    /// What became of all jobs of a connection that were retried since a moment, whoever retried them. A job that a newer change
    /// took over since is not among them, nor is one that was discarded. It costs what changed since then.
    pub async fn after_retry(
        &self,
        connection: &ConnectionName,
        since: Timestamp,
    ) -> Done<AfterRetry> {
        let age = Timestamp::now().duration_since(since).as_secs().max(0) + 1;
        let updated = Bound {
            comparison: Comparison::AtMost,
            value: u32::try_from(age).unwrap_or(u32::MAX),
        };
        let count = async |states: &[JobState]| {
            let filter = Filter::default()
                .and(Condition::State(states.to_vec()))
                .and(Condition::Connection(vec![connection.to_string()]))
                .and(Condition::Trigger(vec![TriggerKind::Retry]))
                .and(Condition::Updated(vec![updated]));
            Done::Ok(self.inner.store.count(&filter).await?)
        };
        // In the order that jobs go: one that moves in between is counted twice, and never missed.
        let to_go = count(&[JobState::Ready, JobState::Waiting, JobState::Running]).await?;
        let failed = count(&[JobState::Failed, JobState::Unknown]).await?;
        Ok(AfterRetry {
            to_go,
            failed,
            done: count(&[JobState::Done]).await?,
        })
    }
}
