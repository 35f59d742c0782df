//! The writes of a run on their way: taken in batches, which are on disk before their request leaves.

use super::Store;
use super::error::{Result, StoreError};
use super::plan::CountsChange;
use super::rows::{count, from_json, time};
use super::runs::{Spent, run_row};
use super::sqlite::gathered;
use crate::model::view::Outcome;
use crate::model::{ConnectionName, ContactId, Email, Fingerprint, RecordId, RunId};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

/// How a write goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchKind {
    /// With others in a bulk import.
    Import,
    /// One by one through contact/sync: clears, and what an import refused.
    Single,
}

impl BatchKind {
    pub(super) fn name(self) -> &'static str {
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

const BATCH: &str = "id, run_id, kind, state, import_id, sent_at, attempts, first_id, last_id";

const ROW: &str = "o.id, o.email, o.record_id, o.version, o.write, o.fingerprint, o.size,
     coalesce(o.contact_id, l.contact_id) AS contact_id,
     CASE WHEN l.record_id = o.record_id AND l.version > o.version THEN 1 ELSE 0 END AS overtaken,
     1 - o.replanned AS counts";

/// The columns of [`ROW`] and the mark of a busy contact, in the order of [`Fetched`].
const COLUMNS: &str =
    "id, email, record_id, version, write, fingerprint, size, contact_id, overtaken, counts, busy";

const FROM: &str = "FROM outbox o LEFT JOIN links l
     ON l.connection = o.connection AND l.mapping = o.mapping AND l.email = o.email";

/// True for a row whose contact has another write under way: one of the same run, or of a run that is alive (`$5`).
const BUSY: &str = "EXISTS (SELECT 1 FROM outbox p JOIN runs r ON r.id = p.run_id
     WHERE p.email = o.email AND p.connection = o.connection AND p.id <> o.id
         AND p.id <= CASE p.kind WHEN 'import' THEN r.taken_import ELSE r.taken_single END
         AND (p.run_id = o.run_id OR r.updated_at > $5))";

/// What a row takes along to a new place at the end.
const COPIED: &str = "run_id, connection, mapping, email, record_id, version, size, contact_id, created, replanned, fingerprint,
     properties, write";

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
        let run_row = run_row(&mut tx, run).await?;
        if !run_row.running {
            return Ok(None);
        }
        let next = next_rows(&mut tx, run, kind, run_row.taken(kind), max_rows, now).await?;
        let pick = Pick::of(next, max_bytes);
        if let Some(overtaken) = pick.overtaken() {
            drop_rows(&mut tx, run, overtaken, now).await?;
        }
        let (Some(first), Some(last)) = (pick.ids.first(), pick.ids.last()) else {
            if pick.overtaken().is_some() {
                self.commit(tx).await?;
            }
            return Ok(None);
        };
        for id in pick.busy.iter().filter(|id| *id < last) {
            move_to_end(&mut tx, *id, kind).await?;
        }
        let head = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO batches (connection, mapping, run_id, kind, first_id, last_id, state, pending, sent_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'sending', $7, $8) RETURNING {BATCH}"
        )))
        .bind(run_row.connection.as_str())
        .bind(run_row.mapping.as_str())
        .bind(run.as_str())
        .bind(kind.name())
        .bind(first)
        .bind(last)
        .bind(i64::try_from(pick.ids.len()).unwrap_or(i64::MAX))
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        let (mut batch, _) = batch(&head)?;
        sqlx::query(match kind {
            BatchKind::Import => "UPDATE runs SET taken_import = $1, updated_at = $2 WHERE id = $3",
            BatchKind::Single => "UPDATE runs SET taken_single = $1, updated_at = $2 WHERE id = $3",
        })
        .bind(last)
        .bind(now)
        .bind(run.as_str())
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        batch.rows = pick.rows;
        Ok(Some(batch))
    }

    /// ActiveCampaign has taken a batch's import.
    pub async fn batch_queued(&self, batch: i64, import_id: &str, at: Timestamp) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
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

    /// Leaves the first `keep` rows in a batch and moves the others to a new one, to be sent apart: a refused import is
    /// bisected so. `None` if one of the two would be empty.
    pub async fn split_batch(&self, id: i64, keep: usize) -> Result<Option<Batch>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let (old, span) = batch_head(&mut tx, id).await?.ok_or_else(|| missing(id))?;
        let rows = rows_of(&mut tx, &old, span).await?;
        if keep == 0 || keep >= rows.len() {
            return Ok(None);
        }
        let middle = rows[keep].0;
        let head = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO batches (connection, mapping, run_id, kind, first_id, last_id, state, pending, sent_at)
             SELECT connection, mapping, run_id, kind, $1, last_id, 'sending', 0, $2 FROM batches WHERE id = $3
             RETURNING {BATCH}"
        )))
        .bind(middle)
        .bind(now)
        .bind(id)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query("UPDATE batches SET last_id = $1 WHERE id = $2")
            .bind(middle - 1)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        let (mut new, new_span) = batch(&head)?;
        recount(&mut tx, &old, (span.0, middle - 1)).await?;
        recount(&mut tx, &new, new_span).await?;
        self.commit(tx).await?;
        new.rows = rows.into_iter().skip(keep).map(|(_, row)| row).collect();
        Ok(Some(new))
    }

    /// A batch with the rows that are not confirmed yet; `None` once it is done.
    pub async fn batch(&self, id: i64) -> Result<Option<Batch>> {
        let mut reader = self.readers().acquire().await?;
        match batch_head(&mut reader, id).await? {
            None => Ok(None),
            Some((batch, span)) => Ok(Some(with_rows(&mut reader, batch, span).await?)),
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
            let (batch, span) = batch(head)?;
            batches.push(with_rows(&mut reader, batch, span).await?);
        }
        Ok(batches)
    }

    /// Writes of a run that were not taken yet, by kind.
    pub async fn outbox_len(&self, run: &RunId, kind: BatchKind) -> Result<u64> {
        let mut reader = self.readers().acquire().await?;
        let taken = run_row(&mut reader, run).await?.taken(kind);
        let row = sqlx::query(
            "SELECT count(*) FROM outbox NOT INDEXED WHERE run_id = $1 AND kind = $2 AND id > $3",
        )
        .bind(run.as_str())
        .bind(kind.name())
        .bind(taken)
        .fetch_one(&mut *reader)
        .await?;
        count(&row, 0)
    }

    /// True if an export has a write for this contact's address under way.
    pub async fn contact_busy(&self, connection: &ConnectionName, email: &Email) -> Result<bool> {
        let busy: Option<i64> = sqlx::query_scalar(
            "SELECT p.id FROM outbox p JOIN runs r ON r.id = p.run_id
             WHERE p.email = $1 AND p.connection = $2 AND r.updated_at > $3
                 AND p.id <= CASE p.kind WHEN 'import' THEN r.taken_import ELSE r.taken_single END LIMIT 1",
        )
        .bind(email.as_str())
        .bind(connection.as_str())
        .bind(self.now_micros() - HOLD)
        .fetch_optional(self.readers())
        .await?;
        Ok(busy.is_some())
    }
}

pub(super) fn missing(batch: i64) -> StoreError {
    StoreError::Missing {
        what: "batch",
        id: batch.to_string(),
    }
}

/// The ids between which a batch's rows lie.
pub(super) type Span = (i64, i64);

/// A row as the store gives it, see [`COLUMNS`].
type Fetched = (
    i64,
    Email,
    RecordId,
    i64,
    String,
    Fingerprint,
    u32,
    Option<ContactId>,
    u8,
    u8,
    u8,
);

/// A row, and what speaks against taking it.
#[derive(Deserialize)]
#[serde(from = "Fetched")]
struct Next {
    id: i64,
    row: OutboxRow,
    overtaken: bool,
    counts: bool,
    busy: bool,
}

impl From<Fetched> for Next {
    fn from(row: Fetched) -> Self {
        let (id, email, record, version, write_json, fingerprint, size, contact_id, ..) = row;
        Self {
            id,
            row: OutboxRow {
                email,
                record,
                version,
                write_json,
                fingerprint,
                size,
                contact_id,
            },
            overtaken: row.8 != 0,
            counts: row.9 != 0,
            busy: row.10 != 0,
        }
    }
}

/// What is taken of the waiting rows.
#[derive(Default)]
struct Pick {
    ids: Vec<i64>,
    rows: Vec<OutboxRow>,
    busy: Vec<i64>,
    /// Id, and whether the run counts the record by this row.
    overtaken: Vec<(i64, bool)>,
}

impl Pick {
    fn of(next: Vec<Next>, max_bytes: u32) -> Self {
        let mut pick = Self::default();
        let mut bytes: u32 = 0;
        for Next {
            id,
            row,
            overtaken,
            counts,
            busy,
        } in next
        {
            if overtaken {
                pick.overtaken.push((id, counts));
            } else if busy {
                pick.busy.push(id);
            } else {
                bytes = bytes.saturating_add(row.size);
                if bytes > max_bytes && !pick.rows.is_empty() {
                    break;
                }
                pick.ids.push(id);
                pick.rows.push(row);
            }
        }
        pick
    }

    fn overtaken(&self) -> Option<&[(i64, bool)]> {
        (!self.overtaken.is_empty()).then_some(&self.overtaken)
    }
}

async fn next_rows(
    tx: &mut SqliteConnection,
    run: &RunId,
    kind: BatchKind,
    taken: i64,
    max_rows: u32,
    now: i64,
) -> Result<Vec<Next>> {
    let sql = gathered(
        COLUMNS,
        &format!(
            "SELECT {ROW}, {BUSY} AS busy {FROM} WHERE o.run_id = $1 AND o.kind = $2 AND o.id > $3 ORDER BY o.id LIMIT $4"
        ),
    );
    let rows: String = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(run.as_str())
        .bind(kind.name())
        .bind(taken)
        .bind(max_rows.max(1))
        .bind(now - HOLD)
        .fetch_one(tx)
        .await?;
    in_order(&rows)
}

/// Gathered rows in the order of planning, which gathering does not promise to keep.
fn in_order(rows: &str) -> Result<Vec<Next>> {
    let mut rows: Vec<Next> = from_json("outbox", rows)?;
    rows.sort_unstable_by_key(|next| next.id);
    Ok(rows)
}

async fn drop_rows(
    tx: &mut SqliteConnection,
    run: &RunId,
    rows: &[(i64, bool)],
    now: i64,
) -> Result<()> {
    let mut change = CountsChange::default();
    for (id, counts) in rows {
        change.add(Outcome::Synced.name(), i64::from(*counts));
        sqlx::query("DELETE FROM outbox WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    change.write(tx, run, &Spent::default(), now).await
}

/// Puts a row behind all others, to wait there (again).
pub(super) async fn move_to_end(tx: &mut SqliteConnection, id: i64, kind: BatchKind) -> Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO outbox ({COPIED}, kind) SELECT {COPIED}, $1 FROM outbox WHERE id = $2"
    )))
    .bind(kind.name())
    .bind(id)
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM outbox WHERE id = $1")
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Brings a batch's number of pending rows up to date; one without rows is done and goes.
pub(super) async fn recount(tx: &mut SqliteConnection, batch: &Batch, span: Span) -> Result<i64> {
    let pending: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM outbox WHERE run_id = $1 AND kind = $2 AND id BETWEEN $3 AND $4",
    )
    .bind(batch.run.as_str())
    .bind(batch.kind.name())
    .bind(span.0)
    .bind(span.1)
    .fetch_one(&mut *tx)
    .await?;
    let sql = if pending == 0 {
        "DELETE FROM batches WHERE id = $1"
    } else {
        "UPDATE batches SET pending = $2 WHERE id = $1"
    };
    sqlx::query(sql)
        .bind(batch.id)
        .bind(pending)
        .execute(tx)
        .await?;
    Ok(pending)
}

/// A batch without its rows, and where they lie.
pub(super) async fn batch_head(
    tx: &mut SqliteConnection,
    id: i64,
) -> Result<Option<(Batch, Span)>> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT {BATCH} FROM batches WHERE id = $1"
    )))
    .bind(id)
    .fetch_optional(tx)
    .await?
    .as_ref()
    .map(batch)
    .transpose()
}

async fn with_rows(tx: &mut SqliteConnection, mut batch: Batch, span: Span) -> Result<Batch> {
    let rows = rows_of(tx, &batch, span).await?;
    batch.rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(batch)
}

async fn rows_of(
    tx: &mut SqliteConnection,
    batch: &Batch,
    span: Span,
) -> Result<Vec<(i64, OutboxRow)>> {
    let sql = gathered(
        COLUMNS,
        &format!(
            "SELECT {ROW}, 0 AS busy {FROM} WHERE o.run_id = $1 AND o.kind = $2 AND o.id BETWEEN $3 AND $4 ORDER BY o.id"
        ),
    );
    let rows: String = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(batch.run.as_str())
        .bind(batch.kind.name())
        .bind(span.0)
        .bind(span.1)
        .fetch_one(tx)
        .await?;
    Ok(in_order(&rows)?
        .into_iter()
        .map(|next| (next.id, next.row))
        .collect())
}

fn batch(head: &SqliteRow) -> Result<(Batch, Span)> {
    let state: &str = head.try_get(3)?;
    let kind: &str = head.try_get(2)?;
    let batch = Batch {
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
        rows: Vec::new(),
    };
    Ok((batch, (head.try_get(7)?, head.try_get(8)?)))
}

fn unreadable(what: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable {
        what,
        value: value.to_owned(),
    }
}
