//! The latest HTTP calls of this process.

use crate::http::Observer;
use crate::model::call::Call;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

const KEPT: usize = 1_000;

/// A ring of calls, and a channel for those who watch.
#[derive(Clone)]
pub struct Calls {
    ring: Arc<Mutex<VecDeque<Call>>>,
    watchers: broadcast::Sender<Call>,
}

impl Calls {
    /// An empty ring.
    pub fn new() -> Self {
        Self {
            ring: Arc::default(),
            watchers: broadcast::channel(256).0,
        }
    }

    /// What the clients tell of each call.
    pub fn observer(&self) -> Observer {
        let calls = self.clone();
        Arc::new(move |call| calls.add(call))
    }

    fn add(&self, call: &Call) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(call.clone());
        drop(ring);
        // Nobody watching is the usual case.
        let _ = self.watchers.send(call.clone());
    }

    /// The calls kept, oldest first.
    pub fn recent(&self) -> Vec<Call> {
        self.ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Every call from now on.
    pub fn watch(&self) -> broadcast::Receiver<Call> {
        self.watchers.subscribe()
    }
}
