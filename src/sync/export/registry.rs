//! The exports that run in this process.

use crate::model::{Problem, RunId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Run ids with what wakes their watch, so that a pause is heard at once.
#[derive(Default)]
pub struct Exports {
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    at_work: HashMap<RunId, Arc<Notify>>,
    /// Why a run stopped whose end could not be written down.
    failed: HashMap<RunId, Problem>,
}

impl Exports {
    /// A run began.
    pub fn insert(&self, id: RunId, wake: Arc<Notify>) {
        let mut runs = self.lock();
        runs.failed.remove(&id);
        runs.at_work.insert(id, wake);
    }

    /// A run ended; with a problem if its end could not be written down.
    pub fn remove(&self, id: &RunId, failure: Option<Problem>) {
        let mut runs = self.lock();
        runs.at_work.remove(id);
        if let Some(problem) = failure {
            runs.failed.insert(id.clone(), problem);
        }
    }

    /// True if the run is at work here.
    pub fn has(&self, id: &RunId) -> bool {
        self.lock().at_work.contains_key(id)
    }

    /// Why a run stopped here whose end could not be written down.
    pub fn failure(&self, id: &RunId) -> Option<Problem> {
        self.lock().failed.get(id).cloned()
    }

    /// True if none is at work here.
    pub fn is_empty(&self) -> bool {
        self.lock().at_work.is_empty()
    }

    /// Lets a run look at its state at once.
    pub fn wake(&self, id: &RunId) {
        if let Some(wake) = self.lock().at_work.get(id) {
            wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
