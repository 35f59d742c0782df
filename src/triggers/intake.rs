//! Group commit: webhooks that arrive while the disk is busy go into the next transaction together, so that hundreds a
//! second cost a few waits for the disk, and each is on disk before it is answered.

use crate::store::{NewEvent, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Notify, mpsc, oneshot};

/// Webhooks of one transaction at most.
const BATCH: usize = 256;

/// Why a webhook was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// More wait than the inbox may hold.
    Full,
    /// The store failed.
    Failed,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Webhooks on their way to the disk.
    pub arriving: usize,
    /// Webhooks on disk that are not worked off.
    pub waiting: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            arriving: 1024,
            waiting: 100_000,
        }
    }
}

/// What the intake and the inbox know of each other.
#[derive(Default)]
pub struct Shelf {
    /// Webhooks on disk that are not worked off, about.
    pub waiting: AtomicU64,
    /// Something came in.
    pub filled: Notify,
}

/// One webhook, as a row for each connection that it concerns, and who waits for it.
struct Arrival {
    events: Vec<NewEvent>,
    kept: oneshot::Sender<Result<bool, NotKept>>,
}

/// The door to the inbox. Clones share it.
#[derive(Clone)]
pub struct Intake {
    arrivals: mpsc::Sender<Arrival>,
    shelf: Arc<Shelf>,
    room: Room,
}

impl Intake {
    /// An intake, and the task that writes: it ends when every clone of the intake is gone.
    pub fn new(
        store: Store,
        shelf: Arc<Shelf>,
        room: Room,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::channel(room.arriving.max(1));
        let intake = Self {
            arrivals: sender,
            shelf: Arc::clone(&shelf),
            room,
        };
        (intake, write(store, shelf, receiver))
    }

    /// Keeps a webhook; true if it was not known. When this returns, it is on disk.
    ///
    /// # Errors
    /// There is no room, or the store failed: it is not kept.
    pub async fn keep(&self, events: Vec<NewEvent>) -> Result<bool, NotKept> {
        if self.shelf.waiting.load(Ordering::Relaxed) >= self.room.waiting {
            return Err(NotKept::Full);
        }
        let (kept, answer) = oneshot::channel();
        self.arrivals
            .try_send(Arrival { events, kept })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => NotKept::Full,
                mpsc::error::TrySendError::Closed(_) => NotKept::Failed,
            })?;
        answer.await.unwrap_or(Err(NotKept::Failed))
    }
}

async fn write(store: Store, shelf: Arc<Shelf>, mut receiver: mpsc::Receiver<Arrival>) {
    let mut arrived = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut arrived, BATCH).await > 0 {
        let mut events = Vec::with_capacity(arrived.len());
        let mut waiting = Vec::with_capacity(arrived.len());
        for arrival in arrived.drain(..) {
            waiting.push((arrival.events.len(), arrival.kept));
            events.extend(arrival.events);
        }
        let stored = store.keep_events(&events).await;
        match &stored {
            Ok(fresh) => {
                let new = fresh.iter().filter(|fresh| **fresh).count() as u64;
                shelf.waiting.fetch_add(new, Ordering::Relaxed);
                if new > 0 {
                    shelf.filled.notify_one();
                }
            }
            Err(error) => {
                tracing::error!(%error, webhooks = waiting.len(), "webhooks could not be stored; their sender is told to try again");
            }
        }
        let mut rest = stored.as_deref().unwrap_or_default();
        for (rows, kept) in waiting {
            let answer = if stored.is_ok() {
                let (own, others) = rest.split_at(rows.min(rest.len()));
                rest = others;
                Ok(own.contains(&true))
            } else {
                Err(NotKept::Failed)
            };
            // Whoever hung up meanwhile sends the webhook again, and it is known then.
            let _ = kept.send(answer);
        }
    }
}
