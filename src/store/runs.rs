//! Export runs: one at work per mapping, owned by one process at a time.

use super::effects::OPEN_EFFECT;
use super::enqueue::NewJob;
use super::error::{Result, StoreError};
use super::failures::UNRESOLVED;
use super::pauses::Stops;
use super::rows::{RUN, int, run, to_json};
use super::{BatchKind, Store};
use crate::model::export::{ExportOptions, RequestCounts, Run, RunState};
use crate::model::{ConnectionName, MappingName, ObjectKey, Problem, RecordId, RunId, Trigger};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

/// How long a run stays its owner's without a heartbeat, in microseconds.
pub(super) const OWNER_LEASE: i64 = 30_000_000;

/// A run to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    pub connection: ConnectionName,
    pub mapping: MappingName,
    pub object: ObjectKey,
    pub options: ExportOptions,
    /// Fingerprint of the mapping's configuration.
    pub mapping_hash: String,
    /// Host and process that works on it.
    pub owner: String,
}

/// What came of starting a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Started {
    Run(Run),
    /// The mapping has a run that is at work or paused.
    Already(Run),
}

/// What a process needs to go on with a run, beside the run itself.
#[derive(Clone, Debug, PartialEq)]
pub struct RunContext {
    pub object: ObjectKey,
    pub mapping_hash: String,
    /// Where reading stands, as the engine last wrote it (JSON).
    pub cursor_json: Option<String>,
    pub owner: Option<String>,
}

/// Requests and rate-limit answers since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub requests: RequestCounts,
    pub throttled: u64,
}

impl Store {
    /// Starts a run. A mapping has one run at work or paused at a time; dry runs are beside it.
    pub async fn start_run(&self, new: &NewRun) -> Result<Started> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        if !new.options.dry_run
            && let Some(run) = open_run(&mut tx, &new.connection, &new.mapping).await?
        {
            return Ok(Started::Already(run));
        }
        let row = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO runs (id, connection, mapping, object, state, dry_run, options, mapping_hash, owner, owner_until,
                 beat_at, started_at, updated_at)
             VALUES ($1, $2, $3, $4, 'running', $5, $6, $7, $8, $9, $10, $10, $10) RETURNING {RUN}"
        )))
        .bind(RunId::fresh().as_str())
        .bind(new.connection.as_str())
        .bind(new.mapping.as_str())
        .bind(new.object.as_str())
        .bind(i64::from(new.options.dry_run))
        .bind(to_json(&new.options)?)
        .bind(&new.mapping_hash)
        .bind(&new.owner)
        .bind(now + OWNER_LEASE)
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        let started = run(&row)?;
        self.commit(tx).await?;
        Ok(Started::Run(started))
    }

    /// Takes over a running run whose owner is gone (or is the caller): `None` if another process works on it.
    pub async fn adopt_run(&self, id: &RunId, owner: &str) -> Result<Option<Run>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let row = sqlx::query(AssertSqlSafe(format!(
            "UPDATE runs SET owner = $1, owner_until = $2, beat_at = $3, updated_at = $3
             WHERE id = $4 AND state = 'running' AND (owner IS NULL OR owner = $1 OR owner_until <= $3) RETURNING {RUN}"
        )))
        .bind(owner)
        .bind(now + OWNER_LEASE)
        .bind(now)
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let adopted = row.as_ref().map(run).transpose()?;
        self.commit(tx).await?;
        Ok(adopted)
    }

    /// Every two seconds from the owner: keeps the run, counts the time worked (none under a pause) and what was spent. Answers
    /// the state, by which the owner hears of a pause or a cancellation; `None` if the run is another's now.
    pub async fn run_heartbeat(
        &self,
        id: &RunId,
        owner: &str,
        spent: Spent,
    ) -> Result<Option<RunState>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let state: Option<String> = sqlx::query_scalar(
            "UPDATE runs SET owner_until = $1, highlevel = highlevel + $2, activecampaign = activecampaign + $3,
                 throttled = throttled + $4, updated_at = $5,
                 elapsed = elapsed + CASE WHEN state = 'running' AND $5 > beat_at AND NOT EXISTS (SELECT 1 FROM pauses
                     WHERE pauses.connection = runs.connection AND pauses.mapping IN ('', runs.mapping)
                     AND (pauses.until IS NULL OR pauses.until > $5)) THEN $5 - beat_at ELSE 0 END, beat_at = $5
             WHERE id = $6 AND owner = $7 RETURNING state",
        )
        .bind(now + OWNER_LEASE)
        .bind(int(spent.requests.highlevel))
        .bind(int(spent.requests.activecampaign))
        .bind(int(spent.throttled))
        .bind(now)
        .bind(id.as_str())
        .bind(owner)
        .fetch_optional(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(state.as_deref().and_then(RunState::from_name))
    }

    /// Gives a run free without changing its state: the process ends, the next start goes on.
    pub async fn release_run(&self, id: &RunId, owner: &str) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "UPDATE runs SET owner = NULL, owner_until = NULL WHERE id = $1 AND owner = $2",
        )
        .bind(id.as_str())
        .bind(owner)
        .execute(&mut *tx)
        .await?;
        let cancelled: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM runs WHERE id = $1 AND state = 'cancelled' AND owner IS NULL",
        )
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        // Nobody awaits a cancelled run's imports any more; their contacts must not stay busy.
        if cancelled.is_some() {
            let_go(&mut tx, id).await?;
            for table in ["outbox", "batches"] {
                let sql = format!("DELETE FROM {table} WHERE run_id = $1");
                sqlx::query(AssertSqlSafe(sql))
                    .bind(id.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        self.commit(tx).await?;
        drop(writer);
        if cancelled.is_some() {
            // Once more: this process may have kept pages after another one had cancelled.
            self.forget_run(id).await;
        }
        Ok(())
    }

    /// Pauses, resumes, cancels or fails a run; false if its state does not allow that. A paused or failed run may be
    /// resumed; a cancelled one forgets the writes that were not taken yet. Resuming needs that the mapping has no
    /// other run at work.
    pub async fn set_run_state(
        &self,
        id: &RunId,
        state: RunState,
        error: Option<&Problem>,
    ) -> Result<bool> {
        let from = match state {
            RunState::Running => "('paused', 'failed')",
            RunState::Paused => "('running')",
            RunState::Cancelled => "('running', 'paused', 'failed')",
            RunState::Failed | RunState::Completed => "('running', 'paused')",
        };
        let now = self.now_micros();
        let ended = !matches!(state, RunState::Running | RunState::Paused);
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        if state == RunState::Running && self.blocked(&mut tx, id).await? {
            return Ok(false);
        }
        let done = sqlx::query(AssertSqlSafe(format!(
            "UPDATE runs SET state = $1, error = $2, updated_at = $3, ended_at = $4,
                 elapsed = elapsed + CASE WHEN state = 'running' AND $3 > beat_at THEN $3 - beat_at ELSE 0 END, beat_at = $3
             WHERE id = $5 AND state IN {from}"
        )))
        .bind(state.name())
        .bind(error.map(to_json).transpose()?)
        .bind(now)
        .bind(ended.then_some(now))
        .bind(id.as_str())
        .execute(&mut *tx)
        .await?;
        let changed = done.rows_affected() > 0;
        if changed && state == RunState::Cancelled {
            let_go(&mut tx, id).await?;
            // What is under way is left to the owner that awaits its result; without one nobody does.
            sqlx::query(
                "DELETE FROM outbox WHERE run_id = $1 AND EXISTS (SELECT 1 FROM runs WHERE id = $1
                     AND (owner IS NULL OR owner_until <= $2
                         OR outbox.id > CASE kind WHEN 'import' THEN taken_import ELSE taken_single END))",
            )
            .bind(id.as_str())
            .bind(now)
            .execute(&mut *tx)
            .await?;
            sqlx::query(
                "DELETE FROM batches WHERE run_id = $1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE run_id = $1)",
            )
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        }
        self.commit(tx).await?;
        drop(writer);
        if changed && matches!(state, RunState::Cancelled | RunState::Completed) {
            self.forget_run(id).await;
        }
        Ok(changed)
    }

    /// Ends a run as completed and gives it free. Writes that are still planned or on their way forbid it: then
    /// `None`.
    pub async fn finish_run(&self, id: &RunId, spent: Spent) -> Result<Option<Run>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let row = sqlx::query(AssertSqlSafe(format!(
            "UPDATE runs SET state = 'completed', owner = NULL, owner_until = NULL, updated_at = $1, ended_at = $1,
                 highlevel = highlevel + $2, activecampaign = activecampaign + $3, throttled = throttled + $4,
                 elapsed = elapsed + CASE WHEN $1 > beat_at THEN $1 - beat_at ELSE 0 END, beat_at = $1
             WHERE id = $5 AND state = 'running' AND NOT EXISTS (SELECT 1 FROM outbox WHERE run_id = $5)
             RETURNING {RUN}"
        )))
        .bind(now)
        .bind(int(spent.requests.highlevel))
        .bind(int(spent.requests.activecampaign))
        .bind(int(spent.throttled))
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let finished = row.as_ref().map(run).transpose()?;
        self.commit(tx).await?;
        drop(writer);
        if finished.is_some() {
            self.forget_run(id).await;
        }
        Ok(finished)
    }

    /// A run by its id, or by the only beginning of an id that fits.
    pub async fn run(&self, id: &RunId) -> Result<Option<Run>> {
        let mut reader = self.readers().acquire().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RUN} FROM runs WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2"
        )))
        .bind(id.as_str())
        .bind(format!("{id}~"))
        .fetch_all(&mut *reader)
        .await?;
        let found = match rows.as_slice() {
            [row] => run(row)?,
            [row, _] if row.try_get::<&str, _>(0)? == id.as_str() => run(row)?,
            _ => return Ok(None),
        };
        let stops = Stops::read(&mut reader, self.now_micros()).await?;
        Ok(Some(stops.shown_run(found)))
    }

    /// Runs, the last started first, behind the run named by `after`.
    pub async fn runs(&self, limit: u32, after: Option<&RunId>) -> Result<Vec<Run>> {
        self.runs_of(limit, after, None).await
    }

    /// As [`Store::runs`], of one connection where one is given.
    pub async fn runs_of(
        &self,
        limit: u32,
        after: Option<&RunId>,
        only: Option<&ConnectionName>,
    ) -> Result<Vec<Run>> {
        let mut reader = self.readers().acquire().await?;
        let stops = Stops::read(&mut reader, self.now_micros()).await?;
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {RUN} FROM runs WHERE ($1 IS NULL OR id < $1) AND ($3 IS NULL OR connection = $3)
             ORDER BY id DESC LIMIT $2"
        )))
        .bind(after.map(RunId::as_str))
        .bind(limit)
        .bind(only.map(ConnectionName::as_str))
        .fetch_all(&mut *reader)
        .await?
        .iter()
        .map(|row| Ok(stops.shown_run(run(row)?)))
        .collect()
    }

    /// What a process needs to go on with a run.
    pub async fn run_context(&self, id: &RunId) -> Result<Option<RunContext>> {
        let row =
            sqlx::query("SELECT object, mapping_hash, position, owner FROM runs WHERE id = $1")
                .bind(id.as_str())
                .fetch_optional(self.readers())
                .await?;
        row.map(|row| {
            Ok(RunContext {
                object: row.try_get::<String, _>(0)?.into(),
                mapping_hash: row.try_get(1)?,
                cursor_json: row.try_get(2)?,
                owner: row.try_get(3)?,
            })
        })
        .transpose()
    }

    async fn blocked(&self, tx: &mut SqliteConnection, id: &RunId) -> Result<bool> {
        let row = sqlx::query("SELECT connection, mapping, dry_run FROM runs WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else {
            return Ok(false);
        };
        if row.try_get::<i64, _>(2)? != 0 {
            return Ok(false);
        }
        let connection = row.try_get::<String, _>(0)?.into();
        let mapping = row.try_get::<String, _>(1)?.into();
        let open = open_run(tx, &connection, &mapping).await?;
        Ok(open.is_some_and(|open| open.id != *id))
    }
}

/// The records whose writes are about to be forgotten have their contacts no more by these.
async fn let_go(tx: &mut SqliteConnection, id: &RunId) -> Result<()> {
    sqlx::query(
        "UPDATE records SET holds = 0 WHERE (connection, mapping, record_id) IN
             (SELECT connection, mapping, record_id FROM outbox WHERE run_id = $1)",
    )
    .bind(id.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

async fn open_run(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
) -> Result<Option<Run>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {RUN} FROM runs WHERE connection = $1 AND mapping = $2 AND state IN ('running', 'paused') AND dry_run = 0"
    )))
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(run).transpose()
}

/// What the transactions of a run need to know about it.
pub(super) struct RunRow {
    pub(super) connection: ConnectionName,
    pub(super) mapping: MappingName,
    pub(super) object: ObjectKey,
    pub(super) dry_run: bool,
    pub(super) running: bool,
    pub(super) cancelled: bool,
    /// The mapping has effects that are not over: usually not, and then its records need no look.
    pub(super) effects_open: bool,
    /// The mapping has jobs that an export may resolve: usually not, and then its records need no look.
    pub(super) unresolved: bool,
    /// The last row of the outbox that was taken for an import.
    taken_import: i64,
    /// The last row of the outbox that was taken to be sent by itself.
    taken_single: i64,
}

impl RunRow {
    /// A job that follows from the run, for a record that is to be synced by itself.
    pub(super) fn job(&self, run: &RunId, record: RecordId) -> NewJob {
        let trigger = Trigger::Export(run.clone());
        NewJob::new(
            &self.connection,
            &self.mapping,
            &self.object,
            record,
            trigger,
        )
    }

    /// The last row of the outbox that was taken.
    pub(super) fn taken(&self, kind: BatchKind) -> i64 {
        match kind {
            BatchKind::Import => self.taken_import,
            BatchKind::Single => self.taken_single,
        }
    }
}

pub(super) async fn run_row(tx: &mut SqliteConnection, id: &RunId) -> Result<RunRow> {
    sqlx::query(AssertSqlSafe(run_row_by("$1")))
        .bind(id.as_str())
        .fetch_optional(tx)
        .await?
        .map_or_else(|| Err(missing(id)), |row| run_row_of(&row))
}

/// The query of [`run_row_of`]; `id` is the run's, as SQL.
pub(super) fn run_row_by(id: &str) -> String {
    format!(
        "SELECT connection, mapping, object, dry_run, taken_import, taken_single, state,
             EXISTS (SELECT 1 FROM effects WHERE {OPEN_EFFECT} AND connection = runs.connection AND mapping = runs.mapping),
             ({UNRESOLVED} WHERE connection = runs.connection AND mapping = runs.mapping)
         FROM runs WHERE id = {id}"
    )
}

pub(super) fn run_row_of(row: &SqliteRow) -> Result<RunRow> {
    let state: &str = row.try_get(6)?;
    Ok(RunRow {
        connection: row.try_get::<String, _>(0)?.into(),
        mapping: row.try_get::<String, _>(1)?.into(),
        object: row.try_get::<String, _>(2)?.into(),
        dry_run: row.try_get::<i64, _>(3)? != 0,
        taken_import: row.try_get(4)?,
        taken_single: row.try_get(5)?,
        running: state == RunState::Running.name(),
        cancelled: state == RunState::Cancelled.name(),
        effects_open: row.try_get(7)?,
        unresolved: row.try_get(8)?,
    })
}

pub(super) fn missing(id: &RunId) -> StoreError {
    StoreError::Missing {
        what: "run",
        id: id.to_string(),
    }
}
