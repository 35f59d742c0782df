//! What is kept on disk: jobs and their attempts, effects, export runs with their planned writes, what each
//! mapping saw of each record, what ActiveCampaign last confirmed, webhooks as they came, timers, budgets.
//!
//! One SQLite file (sync.md, Store), and beside it the pages that an export has read ahead. One connection writes, in
//! transactions that begin with the write lock; a few others read. A write that returned is on disk, but for what is found
//! out again where the machine itself stops: claims, holds, planned pages, budgets (a lost row costs a few permits at
//! most, and a permit must not wait for the disk). They go through the same connection all the same, since SQLite
//! throws a connection's cache away whenever another one has written. For that reason the look-ups of an export, hundreds
//! a second between its writes, are made there as well.

mod ahead;
mod alerts;
mod audit;
mod backlog;
mod batch_rows;
mod budgets;
mod bulk;
mod candidates;
mod claim;
mod conditions;
mod confirm;
mod deletions;
mod edits;
mod effects;
mod elsewhere;
mod enqueue;
mod error;
mod events;
mod failures;
mod figures;
mod flights;
mod fold;
mod give_way;
mod heirs;
mod holds;
mod jobs;
mod leases;
mod links;
mod list_effects;
mod meta;
mod moves;
mod open;
mod open_queues;
mod outbox;
mod pace;
mod pauses;
mod plan;
mod prune;
mod replan;
mod rows;
mod runs;
mod search;
mod settle;
mod sqlite;
mod standing;
mod states;
mod steps;
#[cfg(test)]
mod tests;
mod timers;
mod workers;

pub use ahead::PageAhead;
pub use alerts::{Alert, AlertMessage};
pub use audit::NewAudit;
pub use bulk::Selection;
pub use candidates::Candidate;
pub use claim::{BACKLOG, Change, Claim};
pub use confirm::{BatchResult, Confirmed, FailedRow, KnownContact};
pub use deletions::Evidence;
pub use edits::{InForce, NewEdit};
pub use effects::{EffectEnd, EffectPlan, NEVER, OpenEffect, TurnPlan, TurnedFrom};
pub use enqueue::{NewAttempt, NewJob};
pub use error::{Result, StoreError};
pub use events::{Event, NewEvent, SettledEvent};
pub use figures::{ClassFigure, JobFigure, RunFigure};
pub use flights::Flight;
pub use heirs::Heir;
pub use holds::{Arrives, Asked, Held};
pub use jobs::{Count, Cursor, Sort, SortBy};
pub use links::{Link, LinkWrite, RecordSeen};
pub use list_effects::ListEffect;
pub use outbox::{Batch, BatchKind, BatchState, OutboxRow};
pub use pauses::NewPause;
pub use plan::{PagePlan, Planned, PlannedRow, Seen};
pub use prune::{Pruned, Retention};
pub use rows::to_json;
pub use runs::{NewRun, RunContext, Spent, Started};
pub use settle::{PartlySettled, Settlement};
pub use sqlite::SEARCHABLE;
pub use standing::{Holder, Standing};
pub use states::ConfirmedState;
pub use timers::{Duty, Timer, TimerKey};
pub use workers::{MappingVersion, Versions, WorkerSeen};

use jiff::Timestamp;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock, RwLock};
use tokio::sync::{Mutex, MutexGuard, watch};

/// Jobs that a person's action, or pruning, touches in one transaction.
const SLICE: u32 = 500;

/// Jobs or webhooks that are settled in one transaction at most: who else has something to write waits for no more of them.
const TOGETHER: usize = 16;

/// Where the store's time comes from: it decides leases and waits, so tests own it.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The store. Clones share one file and its connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    writer: Mutex<Writer>,
    /// Whose turn it is to wait for the writer, see [`Store::writer`].
    turn: Mutex<()>,
    readers: SqlitePool,
    changes: watch::Sender<u64>,
    unfolded: fold::Unfolded,
    /// Jobs claimed so far by this process, for the tenth claim and the turn of the connections.
    claims: AtomicU64,
    /// How long a claim of this process holds, in microseconds.
    lease: AtomicI64,
    /// The versions of this process's mappings, once it works the queue.
    versions: RwLock<Option<Versions>>,
    watch: OnceLock<elsewhere::Watch>,
    /// Removes the file of a store that was made for a test.
    _folder: Option<tempfile::TempDir>,
}

/// The connection that writes, until the store is closed.
struct Writer {
    path: PathBuf,
    connection: Option<SqliteConnection>,
    /// The last transaction could not be begun: what failed behind `BEGIN` left one of which the driver does not know.
    doubtful: bool,
}

impl Writer {
    fn connection(&mut self) -> Result<&mut SqliteConnection> {
        self.connection.as_mut().ok_or(StoreError::Closed)
    }

    /// A transaction that holds the write lock, and whose commit waits for the disk.
    async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>> {
        self.lock(sqlite::BEGIN).await
    }

    /// As [`Writer::begin`], but the commit does not wait.
    async fn begin_hasty(&mut self) -> Result<Transaction<'_, Sqlite>> {
        self.lock(sqlite::BEGIN_HASTY).await
    }

    /// As [`Writer::begin_hasty`], for what concerns nobody else: committed by itself, not by [`Store::commit`].
    async fn begin_quiet(&mut self) -> Result<Transaction<'_, Sqlite>> {
        self.lock(sqlite::BEGIN_QUIET).await
    }

    /// The connection, with no transaction on it: for a statement that is one by itself.
    async fn alone(&mut self) -> Result<&mut SqliteConnection> {
        self.leave_transaction().await?;
        self.connection()
    }

    async fn lock(&mut self, begin: &'static str) -> Result<Transaction<'_, Sqlite>> {
        self.leave_transaction().await?;
        let Self {
            path,
            connection,
            doubtful,
        } = self;
        let connection = connection.as_mut().ok_or(StoreError::Closed)?;
        let begun = connection.begin_with(begin).await;
        *doubtful = begun.is_err();
        begun.map_err(|error| StoreError::from(error).at(path))
    }

    /// Makes sure that no transaction is left over from before. One that was given up is rolled back when its turn
    /// comes. Where the disk was full SQLite has rolled back by itself, the driver's own rollback then fails, and the
    /// driver counts the transaction as open for ever: only a new connection mends that.
    async fn leave_transaction(&mut self) -> Result<()> {
        let doubtful = std::mem::take(&mut self.doubtful);
        let connection = self.connection()?;
        if doubtful {
            // Usually there is none.
            let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
        }
        if !connection.is_in_transaction() {
            return Ok(());
        }
        // Answered behind everything asked for before, a rollback too.
        let answers = connection.ping().await.is_ok();
        if answers && !connection.is_in_transaction() {
            return Ok(());
        }
        tracing::warn!("the store's connection is stuck in a transaction; it is opened again");
        self.connection = Some(sqlite::connect_writer(&self.path).await?);
        Ok(())
    }
}

impl Store {
    /// The connection that writes, in turn. Only one waits for it at a time, the others for their turn to do so: whoever
    /// cannot wait for all of them goes by [`Store::writer_soon`].
    async fn writer(&self) -> MutexGuard<'_, Writer> {
        let _turn = self.inner.turn.lock().await;
        self.inner.writer.lock().await
    }

    /// As [`Store::writer`], behind two transactions at most: for what somebody outside waits for.
    async fn writer_soon(&self) -> MutexGuard<'_, Writer> {
        self.inner.writer.lock().await
    }

    /// Commits and tells who listens that something changed, here and in other processes.
    async fn commit(&self, tx: Transaction<'_, Sqlite>) -> Result<()> {
        let committed = tx.commit().await;
        committed.map_err(|error| StoreError::from(error).at(&self.inner.path))?;
        self.inner.changes.send_modify(|number| *number += 1);
        Ok(())
    }

    /// Waits until everything that was committed so far is on disk. Others may write meanwhile, which a commit that waits for the
    /// disk itself does not let them.
    async fn flush(&self) -> Result<()> {
        let wal = sqlite::wal_path(&self.inner.path);
        let flushed = tokio::task::spawn_blocking({
            let wal = wal.clone();
            move || match File::open(wal) {
                Ok(wal) => wal.sync_data(),
                // Folded into the file, and on disk with it.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            }
        });
        let flushed = flushed
            .await
            .unwrap_or_else(|ended| Err(std::io::Error::other(ended)));
        flushed.map_err(|source| StoreError::Io { path: wal, source })
    }

    fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    /// The store's clock: it decides leases and what is due.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn now_micros(&self) -> i64 {
        self.now().as_microsecond()
    }

    /// A number that changes with every write of this process. For those of other processes see
    /// [`Store::changes_elsewhere`].
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }
}
