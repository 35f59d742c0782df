//! What became of jobs that were retried.

use super::{Done, Operations};
use crate::model::filter::{Bound, Comparison, Condition, Filter, TriggerKind};
use crate::model::{ConnectionName, JobState};
use jiff::Timestamp;

/// Jobs that were retried, by how they stand now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AfterRetry {
    pub done: u64,
    /// Failed again, or with an unknown outcome.
    pub failed: u64,
    /// Ready, waiting or at a worker.
    pub to_go: u64,
}

impl Operations {
    /// What became of the jobs of a connection that were retried since a moment, each kind counted up to 10,000. It costs what
    /// changed since then.
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
            Done::Ok(self.inner.store.count(&filter).await?.number)
        };
        Ok(AfterRetry {
            done: count(&[JobState::Done]).await?,
            failed: count(&[JobState::Failed, JobState::Unknown]).await?,
            to_go: count(&[JobState::Ready, JobState::Waiting, JobState::Running]).await?,
        })
    }
}
