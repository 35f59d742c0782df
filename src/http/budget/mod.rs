//! The rate limiter: one budget per account and API, shared by all processes of a store (sync.md, Budgets).

mod ledger;
mod local;
mod row;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod text;

pub use ledger::{Ledger, LedgerError, MemoryLedger, RowUpdate};
pub use row::{LedgerRow, Limit};

use super::ServerSays;
use super::clock::Clock;
use crate::model::call::BudgetView;
use jiff::Timestamp;
use local::{Local, Turns};
use row::Decision;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who asks: a person's request takes the next permit, bulk work takes what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    Person,
    #[default]
    Bulk,
}

/// Why no permit was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The server closed the budget for longer than a call may wait.
    #[error("the rate limit is closed until {until}")]
    Blocked { until: Timestamp },
    /// The requests of the day are used up.
    #[error("the requests of today are used up; looking again at {until}")]
    Spent { until: Timestamp },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The longest time that a request waits for a budget that a rate-limit answer closed.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// One budget. Cheap to clone.
#[derive(Clone)]
pub struct Budget {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    key: String,
    limit: Limit,
    /// Longest time until an answer, in microseconds.
    timeout: i64,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    local: Mutex<Local>,
    turns: Turns,
}

impl Inner {
    fn local(&self) -> MutexGuard<'_, Local> {
        // A panic elsewhere leaves counts that are at worst too high, which heals with the window.
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    /// A budget called `name` on the screen (`highlevel`, `activecampaign`, `import`), whose row in the
    /// ledger is `key` (account and API). `timeout` is the longest time a request takes.
    pub fn new(
        name: impl Into<String>,
        key: impl Into<String>,
        limit: Limit,
        timeout: Duration,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                name: name.into(),
                key: key.into(),
                limit,
                timeout: i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX / 4),
                ledger,
                clock,
                local: Mutex::new(Local::default()),
                turns: Turns::default(),
            }),
        }
    }

    /// Waits for a permit. Persons go first; within a lane it is first come, first served. Dropping the
    /// future gives the place up.
    ///
    /// # Errors
    /// A rate-limit answer closed the budget for longer than `patience`, it is spent for today, or its row cannot be written.
    pub async fn acquire(&self, lane: Lane, patience: Duration) -> Result<Permit, BudgetError> {
        let inner = &self.inner;
        if let Some(permit) = self.take_local(lane) {
            return Ok(permit);
        }
        let _turn = inner.turns.wait(lane).await;
        let mut closed = None;
        loop {
            inner.turns.yield_to_persons(lane).await;
            if let Some(permit) = self.take_local(lane) {
                return Ok(permit);
            }
            let (decision, now) = self.consult(lane).await?;
            match decision {
                Decision::Granted {
                    slot,
                    permits,
                    used,
                } => {
                    inner.local().opened(slot, permits, used, now);
                    return Ok(Permit::new(inner.clone(), slot, used));
                }
                Decision::Wait { until } => {
                    // A person wakes in time to renew the mark that holds bulk work of other processes off.
                    let until = match lane {
                        Lane::Person => until.min(now + 900_000),
                        Lane::Bulk => until,
                    };
                    inner.clock.sleep_until(until.max(now + 500)).await;
                }
                Decision::Blocked { until } => {
                    // It may be closed again and again.
                    let since = *closed.get_or_insert(now);
                    if until - since > micros(patience) {
                        return Err(BudgetError::Blocked {
                            until: timestamp(until),
                        });
                    }
                    inner.clock.sleep_until(until).await;
                }
                Decision::Spent { until } => {
                    return Err(BudgetError::Spent {
                        until: timestamp(until),
                    });
                }
            }
        }
    }

    fn take_local(&self, lane: Lane) -> Option<Permit> {
        if lane == Lane::Bulk && self.inner.turns.persons() > 0 {
            return None;
        }
        let now = self.inner.clock.now_micros();
        let (slot, used) = self.inner.local().take(now)?;
        Some(Permit::new(self.inner.clone(), slot, used))
    }

    /// One row update: settles what ended and asks for a lease.
    async fn consult(&self, lane: Lane) -> Result<(Decision, i64), BudgetError> {
        let inner = &self.inner;
        let _row = inner.turns.row.lock().await;
        let (limit, timeout) = (inner.limit, inner.timeout);
        let now = inner.clock.now_micros();
        let decision = self
            .update(now, move |row| {
                row.lease(&limit, lane == Lane::Person, timeout, now)
            })
            .await?;
        Ok((decision, now))
    }

    async fn update<T: Send + 'static>(
        &self,
        now: i64,
        change: impl FnOnce(&mut LedgerRow) -> T + Send + 'static,
    ) -> Result<T, LedgerError> {
        let inner = &self.inner;
        let limit = inner.limit;
        let done = inner.local().take_done();
        let kept = done.clone();
        let out = Arc::new(Mutex::new(None));
        let slot = out.clone();
        let result = inner
            .ledger
            .update(
                &inner.key,
                Box::new(move |row| {
                    row.settle(&limit, &done, now);
                    let value = change(row);
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some((value, row.clone()));
                }),
            )
            .await;
        let outcome = out.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (result, outcome) {
            (Ok(()), Some((value, row))) => {
                inner.local().row = row;
                Ok(value)
            }
            (result, _) => {
                inner.local().put_back(kept);
                Err(result.err().unwrap_or_else(|| {
                    LedgerError("the ledger did not apply the change".to_owned())
                }))
            }
        }
    }

    /// Closes the budget after a rate-limit answer to the request of a permit: for the time that it `asked` for, else for
    /// ever longer pauses. Answers for how long. Where that cannot be written, this process keeps off all the same.
    pub async fn refused(&self, slot: u64, asked: Option<Duration>) -> Duration {
        let inner = &self.inner;
        let (limit, now) = (inner.limit, inner.clock.now_micros());
        let (what, jitter) = ((slot, asked.map(micros)), fastrand::f64());
        let here = {
            let mut local = inner.local();
            local.retire();
            local.row.refuse(&limit, what, jitter, now)
        };
        let _row = inner.turns.row.lock().await;
        let everywhere = self.update(now, move |row| row.refuse(&limit, what, jitter, now));
        let until = everywhere.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the rate limit could not be noted");
            here
        });
        Duration::from_micros(u64::try_from(until - now).unwrap_or(0))
    }

    /// The request of a permit was answered, and no rate limit met: if one was before, it has passed.
    pub(super) async fn accepted(&self, slot: u64) {
        if self.inner.local().row.refusals == 0 {
            return;
        }
        let _row = self.inner.turns.row.lock().await;
        let now = self.inner.clock.now_micros();
        if let Err(error) = self.update(now, move |row| row.accept(slot)).await {
            tracing::debug!(%error, "the end of a rate limit could not be noted");
        }
    }

    /// Reads the row again, for [`Budget::view`], and tells other processes what ended here.
    ///
    /// # Errors
    /// The row cannot be read or written.
    pub async fn refresh(&self) -> Result<BudgetView, LedgerError> {
        let _row = self.inner.turns.row.lock().await;
        let now = self.inner.clock.now_micros();
        self.update(now, |_| ()).await?;
        Ok(self.view())
    }

    /// Gives up what is leased and not used, and tells other processes what ended here. A process does so before it ends:
    /// what nobody tells of counts as unanswered, and keeps its permit in use for a timeout and a window.
    ///
    /// # Errors
    /// The row cannot be written.
    pub async fn close(&self) -> Result<(), LedgerError> {
        self.inner.local().retire();
        self.tell().await
    }

    /// Tells other processes what ended here, if anything did since the last row update.
    async fn tell(&self) -> Result<(), LedgerError> {
        if self.inner.local().has_done() {
            self.refresh().await?;
        }
        Ok(())
    }

    /// The budget as last known: no I/O.
    pub fn view(&self) -> BudgetView {
        let inner = &self.inner;
        let now = inner.clock.now_micros();
        let local = inner.local();
        let window = local.row.window(&inner.limit);
        let left = local.row.left(&inner.limit, now) + local.unused(now);
        BudgetView {
            name: inner.name.clone(),
            left: left.min(window.permits),
            size: window.permits,
            window_ms: u64::try_from(window.micros / 1000).unwrap_or(0),
            daily_left: local.row.daily_left(&inner.limit, now),
            blocked_until: local.row.blocked_until(now).map(timestamp),
        }
    }

    /// True if the permit was granted while most of the budget was in use.
    pub(super) fn was_busy(&self, permit_used: u32) -> bool {
        let size = self.inner.local().row.window(&self.inner.limit).permits;
        u64::from(permit_used) * 5 >= u64::from(size) * 4
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// The right to send one request.
pub struct Permit {
    inner: Arc<Inner>,
    slot: u64,
    used: u32,
    open: bool,
}

impl Permit {
    fn new(inner: Arc<Inner>, slot: u64, used: u32) -> Self {
        Self {
            inner,
            slot,
            used,
            open: true,
        }
    }

    /// Which permit of its budget it is.
    pub(super) fn slot(&self) -> u64 {
        self.slot
    }

    /// Permits in use when this one was granted, itself among them.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// The answer came, or the request ended without one and can no longer arrive.
    pub fn answered(mut self, says: ServerSays) {
        self.open = false;
        let now = self.inner.clock.now_micros();
        self.inner.local().ended(self.slot, Some(now), says);
        local::flush_soon(&self.inner);
    }

    /// Nothing was sent: the permit is free again.
    pub fn unused(mut self) {
        self.open = false;
        self.inner
            .local()
            .ended(self.slot, None, ServerSays::default());
        local::flush_soon(&self.inner);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.open {
            // Given up on the way: the request may still arrive until its timeout.
            let latest = self.inner.clock.now_micros() + self.inner.timeout;
            self.inner
                .local()
                .ended(self.slot, Some(latest), ServerSays::default());
            local::flush_soon(&self.inner);
        }
    }
}
