//! The writes of a run on their way: taken in batches, which are on disk before their request leaves.

use super::Store;
use super::error::{Result, StoreError};
use super::plan::CountsChange;
use super::rows::{chunks, count, email, push_list, time};
use super::runs::Spent;
use crate::model::{ConnectionName, ContactId, Email, Fingerprint, RecordId, RunId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite, SqliteConnection};

/// How a write goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchKind {
    /// With others in a bulk import.
    Import,
    /// One by one through contact/sync: clears, and what an import refused.
    Single,
}

impl BatchKind {
    fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Single => "single",
        }
    }
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// Its request may have left; after a crash nobody knows.
    Sending,
    /// ActiveCampaign has taken the import under an id.
    Queued,
    /// The import is final; what it did not name is read back.
    Confirming,
}

impl BatchState {
    fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Queued => "queued",
            Self::Confirming => "confirming",
        }
    }
}

/// Writes that went out together.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub id: i64,
    pub run: RunId,
    pub kind: BatchKind,
    pub state: BatchState,
    /// The import's id at ActiveCampaign.
    pub import_id: Option<String>,
    pub sent_at: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// What is not confirmed yet, in the order of planning.
    pub rows: Vec<OutboxRow>,
}

/// One planned write.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxRow {
    pub email: Email,
    pub record: RecordId,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    /// The `ContactWrite` as JSON.
    pub write_json: String,
    pub fingerprint: Fingerprint,
    /// Bytes that the row takes in an import.
    pub size: u32,
    /// The contact's id, if the mapping's link knows it.
    pub contact_id: Option<ContactId>,
}

/// How long a write that is under way keeps its contact for itself against other work (sync.md, promise 6), in
/// microseconds.
const HOLD: i64 = 600_000_000;

const BATCH: &str = "id, run_id, kind, state, import_id, sent_at, attempts";

const ROW: &str = "o.id, o.email, o.record_id, o.version, o.write, o.fingerprint, o.size,
     coalesce(o.contact_id, l.contact_id) AS contact_id,
     CASE WHEN l.record_id = o.record_id AND l.version > o.version THEN 1 ELSE 0 END AS stale
     FROM outbox o LEFT JOIN links l
         ON l.connection = o.connection AND l.mapping = o.mapping AND l.email = o.email";

impl Store {
    /// Takes the next writes of a running run, in the order of planning: at most so many rows and bytes, but at
    /// least one. When this returns the batch is on disk as being sent. A contact with a write under way is left for
    /// later; a write that a newer confirmed version of its record has overtaken is counted synced and dropped.
    pub async fn take_batch(
        &self,
        run: &RunId,
        kind: BatchKind,
        max_rows: u32,
        max_bytes: u32,
    ) -> Result<Option<Batch>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ROW} WHERE o.run_id = $1 AND o.batch_id = 0 AND o.kind = $2
                 AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND state = 'running')
                 AND NOT EXISTS (SELECT 1 FROM outbox p JOIN batches b ON b.id = p.batch_id
                     WHERE p.email = o.email AND p.connection = o.connection AND p.batch_id > 0
                         AND (p.run_id = o.run_id OR b.sent_at > $4))
             ORDER BY o.id LIMIT $3"
        )))
        .bind(run.as_str())
        .bind(kind.name())
        .bind(max_rows.max(1))
        .bind(now - HOLD)
        .fetch_all(&mut *tx)
        .await?;
        let (stale, fresh): (Vec<_>, Vec<_>) = split_stale(rows)?;
        if !stale.is_empty() {
            drop_overtaken(&mut tx, run, &stale, now).await?;
        }
        let mut bytes: u32 = 0;
        let mut ids = Vec::with_capacity(fresh.len());
        let mut taken = Vec::with_capacity(fresh.len());
        for (id, row) in fresh {
            bytes = bytes.saturating_add(row.size);
            if bytes > max_bytes && !taken.is_empty() {
                break;
            }
            ids.push(id);
            taken.push(row);
        }
        if taken.is_empty() {
            if !stale.is_empty() {
                self.commit(tx).await?;
            }
            return Ok(None);
        }
        let head = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO batches (connection, mapping, run_id, kind, state, pending, sent_at)
             SELECT connection, mapping, id, $1, 'sending', $2, $3 FROM runs WHERE id = $4 RETURNING {BATCH}"
        )))
        .bind(kind.name())
        .bind(i64::try_from(taken.len()).unwrap_or(i64::MAX))
        .bind(now)
        .bind(run.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let batch = batch(&head, taken)?;
        assign(&mut tx, &ids, batch.id).await?;
        self.commit(tx).await?;
        Ok(Some(batch))
    }

    /// ActiveCampaign has taken a batch's import.
    pub async fn batch_queued(&self, batch: i64, import_id: &str, at: Timestamp) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin_unsynced().await?;
        sqlx::query(
            "UPDATE batches SET state = 'queued', import_id = $1, sent_at = $2 WHERE id = $3",
        )
        .bind(import_id)
        .bind(at.as_microsecond())
        .bind(batch)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// A batch is about to be sent once more: its import's id is forgotten.
    pub async fn batch_sending(&self, batch: i64) -> Result<()> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "UPDATE batches SET state = 'sending', import_id = NULL, sent_at = $1, attempts = attempts + 1 WHERE id = $2",
        )
        .bind(now)
        .bind(batch)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Moves some contacts of a batch to a new one, to be sent apart: a refused import is bisected so.
    pub async fn split_batch(&self, from: i64, emails: &[Email]) -> Result<Batch> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let head = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO batches (connection, mapping, run_id, kind, state, pending, sent_at)
             SELECT connection, mapping, run_id, kind, 'sending', 0, $1 FROM batches WHERE id = $2 RETURNING {BATCH}"
        )))
        .bind(now)
        .bind(from)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| missing(from))?;
        let mut new = batch(&head, Vec::new())?;
        for chunk in chunks(emails) {
            let mut query = QueryBuilder::new("UPDATE outbox SET batch_id = ");
            query.push_bind(new.id);
            query.push(" WHERE batch_id = ").push_bind(from);
            query.push(" AND run_id = ").push_bind(new.run.as_str());
            query.push(" AND email IN ");
            push_list(&mut query, chunk.iter().map(Email::as_str));
            query.build().execute(&mut *tx).await?;
        }
        for id in [from, new.id] {
            recount(&mut tx, &new.run, id).await?;
        }
        new.rows = rows_of(&mut tx, &new.run, new.id).await?;
        self.commit(tx).await?;
        Ok(new)
    }

    /// A batch with the rows that are not confirmed yet; `None` once it is done.
    pub async fn batch(&self, id: i64) -> Result<Option<Batch>> {
        let mut reader = self.readers().acquire().await?;
        let head = sqlx::query(AssertSqlSafe(format!(
            "SELECT {BATCH} FROM batches WHERE id = $1"
        )))
        .bind(id)
        .fetch_optional(&mut *reader)
        .await?;
        match head {
            None => Ok(None),
            Some(head) => {
                let mut batch = batch(&head, Vec::new())?;
                batch.rows = rows_of(&mut reader, &batch.run, id).await?;
                Ok(Some(batch))
            }
        }
    }

    /// The batches of a run whose result is awaited: what a restart goes on with.
    pub async fn open_batches(&self, run: &RunId) -> Result<Vec<Batch>> {
        let mut reader = self.readers().acquire().await?;
        let heads = sqlx::query(AssertSqlSafe(format!(
            "SELECT {BATCH} FROM batches WHERE run_id = $1 ORDER BY id"
        )))
        .bind(run.as_str())
        .fetch_all(&mut *reader)
        .await?;
        let mut batches = Vec::with_capacity(heads.len());
        for head in &heads {
            let mut batch = batch(head, Vec::new())?;
            batch.rows = rows_of(&mut reader, run, batch.id).await?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Writes of a run that were not taken yet, by kind.
    pub async fn outbox_len(&self, run: &RunId, kind: BatchKind) -> Result<u64> {
        let row = sqlx::query(
            "SELECT count(*) FROM outbox WHERE run_id = $1 AND batch_id = 0 AND kind = $2",
        )
        .bind(run.as_str())
        .bind(kind.name())
        .fetch_one(self.readers())
        .await?;
        count(&row, 0)
    }

    /// When the write left that a contact's address is busy with, if any export has one under way.
    pub async fn contact_busy(
        &self,
        connection: &ConnectionName,
        email: &Email,
    ) -> Result<Option<Timestamp>> {
        let sent: Option<i64> = sqlx::query_scalar(
            "SELECT b.sent_at FROM outbox o JOIN batches b ON b.id = o.batch_id
             WHERE o.email = $1 AND o.connection = $2 AND o.batch_id > 0 AND b.sent_at > $3 LIMIT 1",
        )
        .bind(email.as_str())
        .bind(connection.as_str())
        .bind(self.now_micros() - HOLD)
        .fetch_optional(self.readers())
        .await?;
        sent.map(time).transpose()
    }
}

pub(super) fn missing(batch: i64) -> StoreError {
    StoreError::Missing {
        what: "batch",
        id: batch.to_string(),
    }
}

type IdRows = Vec<(i64, OutboxRow)>;

fn split_stale(rows: Vec<SqliteRow>) -> Result<(IdRows, IdRows)> {
    let mut stale = Vec::new();
    let mut fresh = Vec::with_capacity(rows.len());
    for row in rows {
        let entry = (row.try_get(0)?, outbox_row(&row)?);
        if row.try_get::<i64, _>(8)? == 0 {
            fresh.push(entry);
        } else {
            stale.push(entry);
        }
    }
    Ok((stale, fresh))
}

async fn drop_overtaken(
    tx: &mut SqliteConnection,
    run: &RunId,
    stale: &IdRows,
    now: i64,
) -> Result<()> {
    let mut change = CountsChange::default();
    for (id, row) in stale {
        let done = sqlx::query(
            "UPDATE records SET run_outcome = 'synced' WHERE run_id = $1 AND run_outcome = 'sending' AND record_id = $2
                 AND (connection, mapping) IN (SELECT connection, mapping FROM outbox WHERE id = $3)",
        )
        .bind(run.as_str())
        .bind(row.record.as_str())
        .bind(id)
        .execute(&mut *tx)
        .await?;
        change.add("synced", i64::try_from(done.rows_affected()).unwrap_or(0));
        sqlx::query("DELETE FROM outbox WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    change.write(tx, run, &Spent::default(), now).await
}

async fn assign(tx: &mut SqliteConnection, ids: &[i64], batch: i64) -> Result<()> {
    for chunk in chunks(ids) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("UPDATE OR FAIL outbox SET batch_id = ");
        query.push_bind(batch);
        query.push(" WHERE id IN (");
        let mut list = query.separated(", ");
        for id in chunk {
            list.push_bind(*id);
        }
        query.push(")");
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Brings a batch's number of pending rows up to date; one without rows is done and goes.
pub(super) async fn recount(tx: &mut SqliteConnection, run: &RunId, batch: i64) -> Result<i64> {
    let pending: i64 =
        sqlx::query_scalar("SELECT count(*) FROM outbox WHERE run_id = $1 AND batch_id = $2")
            .bind(run.as_str())
            .bind(batch)
            .fetch_one(&mut *tx)
            .await?;
    let sql = if pending == 0 {
        "DELETE FROM batches WHERE id = $1"
    } else {
        "UPDATE batches SET pending = $2 WHERE id = $1"
    };
    sqlx::query(sql)
        .bind(batch)
        .bind(pending)
        .execute(tx)
        .await?;
    Ok(pending)
}

pub(super) async fn rows_of(
    tx: &mut SqliteConnection,
    run: &RunId,
    batch: i64,
) -> Result<Vec<OutboxRow>> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT {ROW} WHERE o.run_id = $1 AND o.batch_id = $2 ORDER BY o.id"
    )))
    .bind(run.as_str())
    .bind(batch)
    .fetch_all(tx)
    .await?
    .iter()
    .map(outbox_row)
    .collect()
}

fn outbox_row(row: &SqliteRow) -> Result<OutboxRow> {
    Ok(OutboxRow {
        email: email(row.try_get(1)?)?,
        record: row.try_get::<String, _>(2)?.into(),
        version: row.try_get(3)?,
        write_json: row.try_get(4)?,
        fingerprint: Fingerprint::stored(row.try_get::<String, _>(5)?),
        size: row.try_get(6)?,
        contact_id: row.try_get::<Option<String>, _>(7)?.map(Into::into),
    })
}

pub(super) fn batch(head: &SqliteRow, rows: Vec<OutboxRow>) -> Result<Batch> {
    let state: &str = head.try_get(3)?;
    let kind: &str = head.try_get(2)?;
    Ok(Batch {
        id: head.try_get(0)?,
        run: head.try_get::<String, _>(1)?.into(),
        kind: [BatchKind::Import, BatchKind::Single]
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| unreadable("batch kind", kind))?,
        state: [
            BatchState::Sending,
            BatchState::Queued,
            BatchState::Confirming,
        ]
        .into_iter()
        .find(|known| known.name() == state)
        .ok_or_else(|| unreadable("batch state", state))?,
        import_id: head.try_get(4)?,
        sent_at: time(head.try_get(5)?)?,
        attempts: head.try_get(6)?,
        rows,
    })
}

fn unreadable(what: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable {
        what,
        value: value.to_owned(),
    }
}
