//! The exports that run in this process.

use crate::model::RunId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Run ids with what wakes their watch, so that a pause is heard at once.
#[derive(Default)]
pub struct Exports {
    running: Mutex<HashMap<RunId, Arc<Notify>>>,
}

impl Exports {
    /// A run began.
    pub fn insert(&self, id: RunId, wake: Arc<Notify>) {
        self.lock().insert(id, wake);
    }

    /// A run ended.
    pub fn remove(&self, id: &RunId) {
        self.lock().remove(id);
    }

    /// True if the run is at work here.
    pub fn has(&self, id: &RunId) -> bool {
        self.lock().contains_key(id)
    }

    /// True if none is at work here.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Lets a run look at its state at once.
    pub fn wake(&self, id: &RunId) {
        if let Some(wake) = self.lock().get(id) {
            wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
