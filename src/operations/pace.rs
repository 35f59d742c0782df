//! How fast the queue moves.

use super::{Done, Operations};
use crate::model::ConnectionName;
use jiff::Timestamp;

/// What was settled, second by second, and what is still to go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// Seconds with the number of jobs that were settled in them (done, failed, unknown), the oldest first; seconds in which
    /// none was are left out.
    pub settled: Vec<(Timestamp, u64)>,
    /// Jobs that a worker is at, or could be: what a pause stops is not among them.
    pub to_go: u64,
}

impl Operations {
    /// How fast the queue of a connection has moved since a moment. It costs what was settled since then.
    pub async fn pace(&self, connection: &ConnectionName, since: Timestamp) -> Done<Pace> {
        let store = &self.inner.store;
        Ok(Pace {
            settled: store.settled_since(connection, since).await?,
            to_go: store.to_go(connection).await?,
        })
    }
}
