//! What keeps the worker of this process from its work, for those who wait for its jobs.

use super::Engine;
use crate::model::{JobId, Problem};
use crate::store::StoreError;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long jobs cannot be claimed before it is told: a lock that another process held for long passes by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// The store's refusals that the worker met and that have not passed.
#[derive(Default)]
pub struct Trouble {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    claiming: Option<(Instant, Problem)>,
    unsettled: HashMap<JobId, Problem>,
}

impl Trouble {
    /// Jobs were looked for.
    pub fn claimed(&self, failure: Option<StoreError>) {
        let mut state = self.lock();
        state.claiming = failure.map(|error| {
            let since = state.claiming.take().map(|(since, _)| since);
            (since.unwrap_or_else(Instant::now), error.into())
        });
    }

    /// A job's end was to be written down.
    pub fn settled(&self, id: &JobId, failure: Option<StoreError>) {
        let mut state = self.lock();
        match failure {
            Some(error) => state.unsettled.insert(id.clone(), error.into()),
            None => state.unsettled.remove(id),
        };
    }

    /// Why these jobs do not come to an end here, if something keeps them.
    pub fn of<'a>(&self, ids: impl IntoIterator<Item = &'a JobId>) -> Option<Problem> {
        let state = self.lock();
        let unsettled = ids.into_iter().find_map(|id| state.unsettled.get(id));
        let claiming = state.claiming.as_ref();
        unsettled
            .or_else(|| {
                claiming
                    .filter(|(since, _)| since.elapsed() >= PATIENCE)
                    .map(|(_, problem)| problem)
            })
            .cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Ends a wait for jobs that nothing will move on here.
    ///
    /// # Errors
    /// The store does not take what the worker has to write.
    pub(super) fn not_in_trouble<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a JobId>,
    ) -> Result<(), Problem> {
        self.inner.trouble.of(ids).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_cannot_be_settled_is_told_until_it_is() {
        let trouble = Trouble::default();
        let (mine, other) = (JobId::from("mine"), JobId::from("other"));
        trouble.settled(&mine, Some(StoreError::DiskFull));
        assert!(trouble.of([&other]).is_none());
        let problem = trouble.of([&other, &mine]).unwrap();
        assert!(problem.message.contains("full"), "{problem}");
        trouble.settled(&mine, None);
        assert!(trouble.of([&mine]).is_none());
    }

    #[test]
    fn claims_that_fail_for_a_moment_are_not_told() {
        let trouble = Trouble::default();
        trouble.claimed(Some(StoreError::Locked));
        assert!(trouble.of([]).is_none());
        trouble.lock().claiming = Some((
            Instant::now()
                .checked_sub(PATIENCE)
                .unwrap_or_else(Instant::now),
            StoreError::DiskFull.into(),
        ));
        // The time of the first failure counts, the last one's reason is told.
        trouble.claimed(Some(StoreError::Locked));
        assert!(trouble.of([]).unwrap().message.contains("locked"));
        trouble.claimed(None);
        assert!(trouble.of([]).is_none());
    }
}
