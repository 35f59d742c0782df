//! Which jobs may have sent something: what left may arrive later than whoever takes the job next.

use crate::model::JobId;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The jobs of those worked together of which a request that writes may have left.
#[derive(Default)]
pub struct Sent(Mutex<HashSet<JobId>>);

impl Sent {
    /// Requests of these jobs are about to leave.
    pub fn note<'a>(&self, jobs: impl IntoIterator<Item = &'a JobId>) {
        self.jobs().extend(jobs.into_iter().cloned());
    }

    /// True once a request of this job may have left.
    pub fn has(&self, job: &JobId) -> bool {
        self.jobs().contains(job)
    }

    fn jobs(&self) -> MutexGuard<'_, HashSet<JobId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
