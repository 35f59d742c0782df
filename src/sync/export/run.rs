//! One run at work: what its two tasks share, and how it ends.

use super::super::account::Account;
use super::super::breaker::Probed;
use super::super::{Engine, backoff};
use super::at_hand::AtHand;
use super::{deliver, read};
use crate::http::{ApiError, Meter};
use crate::mapping::Mapping;
use crate::model::export::{ExportOptions, RequestCounts, Run, RunState};
use crate::model::view::Outcome;
use crate::model::{ConnectionName, ErrorClass, MappingName, Problem, RecordId, RunId};
use crate::store::{Batch, NewAttempt, Spent, Store, StoreError};
use jiff::Timestamp;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How often the run's lease is prolonged and its state looked at.
const BEAT: Duration = Duration::from_secs(2);
/// Attempts at one call before the run stops as failed; it can be resumed.
const ATTEMPTS: u32 = 8;
/// Further attempts after a refused token.
const REFUSALS: u32 = 2;
/// How long a refused call waits where the account could not be asked whether it still accepts the token.
const SILENT: Duration = Duration::from_secs(10);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Why a task of a run stops before its end.
#[derive(Debug)]
pub enum Halt {
    /// Paused, cancelled, taken over by another process, or the process ends: the store knows where it stood.
    Asked,
    /// It cannot go on.
    Failed(Problem),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ApiError> for Halt {
    fn from(error: ApiError) -> Self {
        Self::Failed(error.into())
    }
}

/// Tells the log of a record that goes to the queue: the spans around it name the run and its mapping.
pub fn tell_failed(record: &RecordId, problem: &Problem) {
    tracing::warn!(%record, outcome = Outcome::Failed.name(), error = %problem, "record settled");
}

/// How a task of the run ended.
pub fn joined<T, E: Into<Halt>>(ended: Result<Result<T, E>, JoinError>) -> Result<T, Halt> {
    match ended {
        Ok(result) => result.map_err(Into::into),
        Err(error) => Err(Halt::Failed(Problem::new(
            ErrorClass::Store,
            format!("the export stopped by a fault of its own: {error}"),
        ))),
    }
}

/// What is in the outbox for the next import, as far as this process put it there.
#[derive(Default)]
pub struct Backlog {
    pub rows: AtomicU64,
    pub bytes: AtomicU64,
}

/// The rows of a batch, and their bytes in an import.
fn measure(batch: &Batch) -> (u64, u64) {
    let bytes = batch.rows.iter().map(|row| u64::from(row.size)).sum();
    (batch.rows.len() as u64, bytes)
}

/// One run at work.
pub struct Work {
    pub engine: Engine,
    pub account: Account,
    pub mapping: Arc<Mapping>,
    pub id: RunId,
    pub options: ExportOptions,
    /// Everything was read and planned.
    pub read_done: AtomicBool,
    /// Reading brought something for [`deliver`].
    pub filled: Notify,
    /// [`deliver`] took something of it.
    pub taken: Notify,
    pub backlog: Backlog,
    /// Imports' rows that need not be read from the outbox.
    pub at_hand: AtHand,
    /// True while a write may have to wait for the last page, because a later record could win its contact.
    pub hold: AtomicBool,
    /// ActiveCampaign refuses imports to a token that is good otherwise: contacts are written one by one.
    pub imports_refused: AtomicBool,
    /// Paused, cancelled or ending: take nothing new.
    pub halt: CancellationToken,
    wake: Arc<Notify>,
    /// When nothing was last seen to pause the run.
    pub free: Mutex<Option<Instant>>,
    meter: Arc<Meter>,
    reported: Mutex<Spent>,
}

impl Work {
    /// A run about to begin in this process.
    pub fn new(engine: Engine, account: &Account, mapping: Arc<Mapping>, run: &Run) -> Self {
        let meter = Arc::new(Meter::default());
        Self {
            account: account.metered(&meter),
            engine,
            mapping,
            id: run.id.clone(),
            options: run.options.clone(),
            read_done: AtomicBool::new(false),
            filled: Notify::new(),
            taken: Notify::new(),
            backlog: Backlog::default(),
            at_hand: AtHand::default(),
            hold: AtomicBool::new(false),
            imports_refused: AtomicBool::new(false),
            halt: CancellationToken::new(),
            wake: Arc::default(),
            free: Mutex::default(),
            meter,
            reported: Mutex::default(),
        }
    }

    /// What lets the run look at its state at once.
    pub fn wake_handle(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    pub fn store(&self) -> &Store {
        self.engine.store()
    }

    pub fn connection(&self) -> &ConnectionName {
        &self.account.name
    }

    pub fn name(&self) -> &MappingName {
        self.mapping.name()
    }

    /// Works to the run's end, or to a pause, and writes down how it ended. Where even that fails, as on a full disk, it
    /// answers why the run stopped.
    pub async fn run(self: &Arc<Self>) -> Option<Problem> {
        let dry_run = self.options.dry_run.then_some(true);
        tracing::info!(run = %self.id, mapping = %self.name(), dry_run, "export at work");
        let watch = self.engine.inner.tracker.spawn({
            let work = Arc::clone(self);
            async move { work.watch().await }
        });
        // Neither is dropped half-way: when one stops, the other ends what is under way.
        let (read, delivered) = tokio::join!(
            self.beside(|work| async move { read::read(&work).await }),
            self.beside(|work| async move { deliver::deliver(&work).await }),
        );
        let result = match (read, delivered) {
            (Err(Halt::Failed(problem)), _) | (_, Err(Halt::Failed(problem))) => {
                Err(Halt::Failed(problem))
            }
            (Ok(()), Ok(())) => Ok(()),
            _ => Err(Halt::Asked),
        };
        watch.abort();
        let (written, why) = match result {
            Ok(()) => (self.finish().await, None),
            Err(Halt::Asked) => (self.leave().await, None),
            Err(Halt::Failed(problem)) => {
                tracing::error!(run = %self.id, %problem, "export stopped");
                self.halt.cancel();
                (self.fail(&problem).await, Some(problem))
            }
        };
        let problem = written.err()?;
        tracing::error!(run = %self.id, %problem, "the export's end could not be written down");
        Some(why.unwrap_or(problem))
    }

    /// Runs one of the two tasks; if it stops before its end, the other one takes nothing new.
    async fn beside<F>(self: &Arc<Self>, task: impl FnOnce(Arc<Self>) -> F) -> Result<(), Halt>
    where
        F: Future<Output = Result<(), Halt>> + Send + 'static,
    {
        let task = task(Arc::clone(self)).in_current_span();
        let result = joined(self.engine.inner.tracker.spawn(task).await);
        if result.is_err() {
            self.halt.cancel();
        }
        result
    }

    /// Keeps the lease and hears of a pause, a cancellation or the process's end.
    async fn watch(&self) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = self.wake.notified() => {}
                () = self.engine.inner.stop.cancelled() => {
                    self.halt.cancel();
                    return;
                }
            }
            match self
                .store()
                .run_heartbeat(&self.id, &self.engine.inner.owner, self.spent())
                .await
            {
                Ok(Some(RunState::Running)) => {}
                // The lease is kept until what is under way is confirmed.
                Ok(Some(_)) => self.halt.cancel(),
                Ok(None) => {
                    self.halt.cancel();
                    return;
                }
                Err(error) => {
                    tracing::warn!(run = %self.id, %error, "the run's lease could not be prolonged")
                }
            }
        }
    }

    async fn finish(&self) -> Result<(), Problem> {
        match self.store().finish_run(&self.id, self.spent()).await? {
            Some(run) if run.options.dry_run => {
                tracing::info!(run = %self.id, read = run.counts.read, would_send = run.counts.synced, would_fail = run.counts.failed, "dry run completed");
                Ok(())
            }
            Some(run) => {
                tracing::info!(run = %self.id, read = run.counts.read, synced = run.counts.synced, failed = run.counts.failed, "export completed");
                Ok(())
            }
            None => {
                let run = self.store().run(&self.id).await?;
                if run.is_some_and(|run| run.state == RunState::Running) {
                    let problem = Problem::new(
                        ErrorClass::Store,
                        "the export ended with writes left in the outbox",
                    );
                    return self.fail(&problem.remedy("resume it")).await;
                }
                // Paused or cancelled in its last moment.
                self.leave().await
            }
        }
    }

    async fn leave(&self) -> Result<(), Problem> {
        let store = self.store();
        store
            .run_heartbeat(&self.id, &self.engine.inner.owner, self.spent())
            .await?;
        Ok(store
            .release_run(&self.id, &self.engine.inner.owner)
            .await?)
    }

    async fn fail(&self, problem: &Problem) -> Result<(), Problem> {
        self.leave().await?;
        self.store()
            .set_run_state(&self.id, RunState::Failed, Some(problem))
            .await?;
        Ok(())
    }

    /// Requests since the last call: each is reported once.
    pub fn spent(&self) -> Spent {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = self.meter.counts();
        let now = Spent {
            requests: counts,
            throttled: self.meter.throttled(),
        };
        let since = Spent {
            requests: RequestCounts {
                highlevel: counts.highlevel - reported.requests.highlevel,
                activecampaign: counts.activecampaign - reported.requests.activecampaign,
            },
            throttled: now.throttled - reported.throttled,
        };
        *reported = now;
        since
    }

    /// Rows were taken from the outbox for an import.
    pub fn note_taken(&self, batch: &Batch) {
        let (rows, bytes) = measure(batch);
        let less = |counter: &AtomicU64, by: u64| {
            // A restart knows rows without their bytes, so the counters may run short of each other.
            let _ = counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                Some(now.saturating_sub(by))
            });
        };
        less(&self.backlog.rows, rows);
        less(&self.backlog.bytes, bytes);
        self.taken.notify_one();
    }

    /// They were put back.
    pub fn note_waiting(&self, batch: &Batch) {
        let (rows, bytes) = measure(batch);
        self.backlog.rows.fetch_add(rows, Ordering::AcqRel);
        self.backlog.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// True if the run does not come to all records.
    pub fn reads_part(&self) -> bool {
        self.options.limit.is_some() || self.options.since.is_some()
    }

    /// An attempt of this run that ended now.
    pub fn attempt(&self, request: Option<String>, response: Option<String>) -> NewAttempt {
        let now = Timestamp::now();
        NewAttempt {
            started_at: now,
            ended_at: Some(now),
            worker: self.engine.inner.owner.clone(),
            request,
            response,
            warning: None,
            mapping_hash: self.mapping.hash().as_str().to_owned(),
        }
    }

    /// Calls until an answer comes: errors that pass are tried again with backoff, rate limits waited for. Only for
    /// calls that may be repeated: reads and upserts.
    ///
    /// # Errors
    /// `Asked` if the run halts meanwhile; `Failed` if the error does not pass.
    pub async fn persist<T, F: Future<Output = Result<T, ApiError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, Halt> {
        let mut tries = 0;
        loop {
            self.mended().await?;
            let error = tokio::select! {
                result = call() => match result {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                },
                // A write under way is awaited; only the wait for it is cut short when the process ends.
                () = self.engine.inner.stop.cancelled() => return Err(Halt::Asked),
            };
            self.wait_out(error, &mut tries).await?;
        }
    }

    /// Waits before a call is made again. A token that is refused everywhere stops the account, and the call waits for a
    /// better one.
    ///
    /// # Errors
    /// `Asked` if the run halts meanwhile; `Failed` if the error does not pass, or came too often.
    pub async fn wait_out(&self, error: ApiError, tries: &mut u32) -> Result<(), Halt> {
        let wait = match error.class {
            ErrorClass::Throttled => error.retry_after.unwrap_or(LONGEST_WAIT),
            // A refusal is at times false, and at times a token was just changed.
            ErrorClass::Auth if *tries < REFUSALS => {
                *tries += 1;
                backoff::next(*tries)
            }
            ErrorClass::Transient if *tries + 1 < ATTEMPTS => {
                *tries += 1;
                backoff::next(*tries).min(LONGEST_WAIT)
            }
            // Whoever waits for a dry run mends the token and starts it again.
            ErrorClass::Auth | ErrorClass::Config if !self.options.dry_run => {
                match self.probed(&error).await {
                    Probed::Alive => return Err(error.into()),
                    Probed::Silent => SILENT,
                    Probed::Dead => {
                        *tries = 0;
                        Duration::ZERO
                    }
                }
            }
            _ => return Err(error.into()),
        };
        tracing::warn!(run = %self.id, %error, wait_ms = wait.as_millis() as u64, "a call is tried again");
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.halt.cancelled() => Err(Halt::Asked),
        }
    }

    /// True if a refusal is about the call alone: the token is good for others (fact sheet §1.2).
    pub async fn is_of_the_call(&self, problem: &Problem) -> bool {
        problem.class == ErrorClass::Auth && self.account.activecampaign.me().await.is_ok()
    }

    /// True once everything was read.
    pub fn is_read(&self) -> bool {
        self.read_done.load(Ordering::Acquire)
    }
}
