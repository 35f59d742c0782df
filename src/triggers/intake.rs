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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    fn event(number: usize) -> Vec<NewEvent> {
        vec![NewEvent {
            connection: "default".into(),
            key: format!("w {number}"),
            kind: "RecordUpdate".into(),
            happened_at: None,
            body: "{}".into(),
        }]
    }

    #[tokio::test]
    async fn many_at_once_share_a_commit_and_each_is_on_disk_when_answered() {
        let store = Store::memory().await.unwrap();
        let shelf = Arc::new(Shelf::default());
        let (intake, write) = Intake::new(store.clone(), Arc::clone(&shelf), Room::default());
        let writer = tokio::spawn(write);
        let commits = *store.changes().borrow();
        let mut senders = JoinSet::new();
        for number in 0..300 {
            let (intake, store) = (intake.clone(), store.clone());
            senders.spawn(async move {
                // Each second one is a repeat.
                let kept = intake.keep(event(number / 2)).await;
                assert!(store.waiting_events().await.unwrap() >= 1);
                kept
            });
        }
        let kept = senders.join_all().await;
        assert_eq!(kept.iter().filter(|kept| **kept == Ok(true)).count(), 150);
        assert_eq!(kept.iter().filter(|kept| **kept == Ok(false)).count(), 150);
        assert_eq!(store.waiting_events().await.unwrap(), 150);
        let commits = *store.changes().borrow() - commits;
        assert!(commits < 100, "{commits} commits");
        drop(intake);
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_inbox_refuses_and_a_closed_store_fails() {
        let store = Store::memory().await.unwrap();
        let room = Room {
            arriving: 10,
            waiting: 2,
        };
        let shelf = Arc::new(Shelf::default());
        let (intake, write) = Intake::new(store.clone(), Arc::clone(&shelf), room);
        tokio::spawn(write);
        for number in 0..2 {
            assert_eq!(intake.keep(event(number)).await, Ok(true));
        }
        assert_eq!(intake.keep(event(2)).await, Err(NotKept::Full));
        // Worked off meanwhile.
        shelf.waiting.store(0, Ordering::Relaxed);
        assert_eq!(intake.keep(event(2)).await, Ok(true));
        store.close().await.unwrap();
        assert_eq!(intake.keep(event(3)).await, Err(NotKept::Failed));
    }

    #[tokio::test]
    async fn no_more_arrive_than_there_is_room_for() {
        let store = Store::memory().await.unwrap();
        let room = Room {
            arriving: 1,
            waiting: 100,
        };
        // Nobody writes: the disk hangs.
        let (intake, _write) = Intake::new(store, Arc::default(), room);
        let first = intake.keep(event(0));
        tokio::pin!(first);
        let patience = std::time::Duration::from_millis(20);
        assert!(
            tokio::time::timeout(patience, first.as_mut())
                .await
                .is_err()
        );
        assert_eq!(intake.keep(event(1)).await, Err(NotKept::Full));
    }
}
