//! What one process knows of a budget: the lease it draws on, what ended since the last row update, and
//! whose turn it is.

use super::row::{Done, HOLD, LedgerRow};
use super::{Budget, Inner, Lane};
use crate::http::ServerSays;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, Notify};

/// Time after an answer in which the next request usually carries the news to the row.
const IDLE: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(super) struct Local {
    /// The lease that permits are taken from.
    current: Option<u64>,
    leases: HashMap<u64, Lease>,
    done: Vec<Done>,
    /// The row as last seen.
    pub row: LedgerRow,
    /// A flush is on its way.
    flushing: bool,
}

struct Lease {
    permits: u32,
    left: u32,
    /// Permits taken and not ended.
    out: u32,
    expires: i64,
    last_answer: Option<i64>,
    says: ServerSays,
    used: u32,
}

impl Local {
    /// A lease was granted; its first permit is taken.
    pub fn opened(&mut self, slot: u64, permits: u32, used: u32, now: i64) {
        let lease = Lease {
            permits,
            left: permits - 1,
            out: 1,
            expires: now + HOLD,
            last_answer: None,
            says: ServerSays::default(),
            used,
        };
        self.leases.insert(slot, lease);
        if permits > 1 {
            self.retire();
            self.current = Some(slot);
        }
    }

    /// A permit of the current lease, if it has one.
    pub fn take(&mut self, now: i64) -> Option<(u64, u32)> {
        let slot = self.current?;
        let lease = self.leases.get_mut(&slot)?;
        if lease.left == 0 || now >= lease.expires {
            self.retire();
            return None;
        }
        lease.left -= 1;
        lease.out += 1;
        Some((slot, lease.used))
    }

    /// Gives up what is left of the current lease: the server refused, or the process ends.
    pub fn retire(&mut self) {
        if let Some(slot) = self.current.take() {
            if let Some(lease) = self.leases.get_mut(&slot) {
                lease.left = 0;
            }
            self.close_if_over(slot);
        }
    }

    /// A permit of a lease ended.
    pub fn ended(&mut self, slot: u64, answered: Option<i64>, says: ServerSays) {
        let Some(lease) = self.leases.get_mut(&slot) else {
            return;
        };
        lease.out = lease.out.saturating_sub(1);
        lease.last_answer = lease.last_answer.max(answered);
        if says != ServerSays::default() {
            lease.says = says;
        }
        // The server allows less than a whole lease: what is left of it must not be used.
        if says.max.is_some_and(|max| max < lease.permits) {
            lease.left = 0;
        }
        self.close_if_over(slot);
    }

    fn close_if_over(&mut self, slot: u64) {
        let over = self
            .leases
            .get(&slot)
            .is_some_and(|lease| lease.left == 0 && lease.out == 0);
        if over && let Some(lease) = self.leases.remove(&slot) {
            if self.current == Some(slot) {
                self.current = None;
            }
            self.done.push(Done {
                slot,
                permits: lease.permits,
                answered: lease.last_answer,
                says: lease.says,
                used: lease.used,
            });
        }
    }

    /// Something ended that the row does not have yet.
    pub fn has_done(&self) -> bool {
        !self.done.is_empty()
    }

    pub fn take_done(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }

    pub fn put_back(&mut self, mut done: Vec<Done>) {
        done.append(&mut self.done);
        self.done = done;
    }

    /// Permits leased and not taken.
    pub fn unused(&self, now: i64) -> u32 {
        self.current
            .and_then(|slot| self.leases.get(&slot))
            .filter(|lease| now < lease.expires)
            .map_or(0, |lease| lease.left)
    }
}

/// Lets other processes see what ended here, if no request does so soon.
pub(super) fn flush_soon(inner: &Arc<Inner>) {
    {
        let mut local = inner.local();
        if local.flushing || !local.has_done() {
            return;
        }
        local.flushing = true;
    }
    // The task holds no budget alive and ends by itself within the time of one row update.
    let weak = Arc::downgrade(inner);
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        inner.local().flushing = false;
        return;
    };
    runtime.spawn(async move {
        tokio::time::sleep(IDLE).await;
        let Some(inner) = weak.upgrade() else {
            return;
        };
        inner.local().flushing = false;
        if let Err(error) = (Budget { inner }).tell().await {
            tracing::debug!(%error, "a budget could not be written back");
        }
    });
}

/// Whose turn it is within this process.
#[derive(Default)]
pub(super) struct Turns {
    /// Held while the row is updated.
    pub row: Mutex<()>,
    person: Mutex<()>,
    bulk: Mutex<()>,
    persons: AtomicUsize,
    no_person: Notify,
}

/// A place at the head of a lane.
pub(super) struct Turn<'a> {
    _place: MutexGuard<'a, ()>,
    _person: Option<Person<'a>>,
}

struct Person<'a>(&'a Turns);

impl Drop for Person<'_> {
    fn drop(&mut self) {
        if self.0.persons.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.no_person.notify_waiters();
        }
    }
}

impl Turns {
    /// Persons that wait for a permit.
    pub fn persons(&self) -> usize {
        self.persons.load(Ordering::Acquire)
    }

    /// Waits for the head of a lane. A person counts as waiting from here on.
    pub async fn wait(&self, lane: Lane) -> Turn<'_> {
        match lane {
            Lane::Person => {
                self.persons.fetch_add(1, Ordering::AcqRel);
                let person = Person(self);
                Turn {
                    _place: self.person.lock().await,
                    _person: Some(person),
                }
            }
            Lane::Bulk => Turn {
                _place: self.bulk.lock().await,
                _person: None,
            },
        }
    }

    /// Bulk work waits here while a person waits for a permit.
    pub async fn yield_to_persons(&self, lane: Lane) {
        if lane == Lane::Person {
            return;
        }
        loop {
            let notified = self.no_person.notified();
            if self.persons() == 0 {
                return;
            }
            notified.await;
        }
    }
}
