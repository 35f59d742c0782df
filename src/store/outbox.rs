//! The writes of a run on their way: taken in batches, which are on disk before their request leaves.

use super::Store;
use super::batch_rows::{
    Pick, batch, batch_head, drop_rows, move_to_end, recount, rows_of, waiting, with_rows,
};
use super::error::{Result, StoreError};
use super::rows::count;
use super::runs::run_row;
use super::sqlite::HASTY;
use crate::model::{ContactId, Email, Fingerprint, RecordId, RunId};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, QueryBuilder};

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
    pub(super) fn name(self) -> &'static str {
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
    /// The `ContactWrite` as JSON. `None` in an import's batch as it is taken, where the row goes alone: whoever planned it may
    /// have it at hand, and [`Store::batch`] reads it.
    pub write_json: Option<String>,
    pub fingerprint: Fingerprint,
    /// What goes along in an import: tags and lists, as JSON of the engine's making.
    pub rides_json: Option<String>,
    /// Bytes that the row takes in an import.
    pub size: u32,
    /// The contact's id, if the mapping's link knows it.
    pub contact_id: Option<ContactId>,
    /// The contact holds another record's values, as far as the link knows.
    pub contested: bool,
}

/// How long a write that is under way keeps its contact for itself against other work (sync.md, promise 6), in
/// microseconds.
pub(super) const HOLD: i64 = 600_000_000;

pub(super) const BATCH: &str =
    "id, run_id, kind, state, import_id, sent_at, attempts, first_id, last_id";

impl Store {
    /// Takes the next writes of a running run, in the order of planning: at most so many rows and bytes, but at
    /// least one. When this returns the batch is on disk as being sent. A contact with a write under way is left for
    /// later; a write that a newer version of its record has overtaken, or whose record is gone, is counted synced and
    /// dropped.
    pub async fn take_batch(
        &self,
        run: &RunId,
        kind: BatchKind,
        max_rows: u32,
        max_bytes: u32,
    ) -> Result<Option<Batch>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let waiting = waiting(&mut tx, run, kind, max_rows, now).await?;
        if !waiting.run.running {
            return Ok(None);
        }
        let pick = Pick::of(waiting.rows, &waiting.held, max_bytes);
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
        let taken = match kind {
            BatchKind::Import => "UPDATE runs SET taken_import = $6, updated_at = $8 WHERE id = $3",
            BatchKind::Single => "UPDATE runs SET taken_single = $6, updated_at = $8 WHERE id = $3",
        };
        let heads = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO batches (connection, mapping, run_id, kind, first_id, last_id, state, pending, sent_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'sending', $7, $8) RETURNING {BATCH};\n{taken}"
        )))
        .bind(waiting.run.connection.as_str())
        .bind(waiting.run.mapping.as_str())
        .bind(run.as_str())
        .bind(kind.name())
        .bind(first)
        .bind(last)
        .bind(i64::try_from(pick.ids.len()).unwrap_or(i64::MAX))
        .bind(now)
        .fetch_all(&mut *tx)
        .await?;
        let (mut batch, _) = batch(heads.first().ok_or_else(|| missing(*first))?)?;
        self.commit(tx).await?;
        drop(writer);
        self.flush().await?;
        batch.rows = pick.rows;
        Ok(Some(batch))
    }

    /// ActiveCampaign has taken a batch's import.
    pub async fn batch_queued(&self, batch: i64, import_id: &str, at: Timestamp) -> Result<()> {
        let mut writer = self.writer().await;
        let alone = writer.alone().await?;
        sqlx::query(AssertSqlSafe(format!(
            "{HASTY}; UPDATE batches SET state = 'queued', import_id = $1, sent_at = $2 WHERE id = $3"
        )))
        .bind(import_id)
        .bind(at.as_microsecond())
        .bind(batch)
        .execute(alone)
        .await?;
        Ok(())
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

    /// Puts the rows of a batch that was not sent back to those that wait, behind them.
    pub async fn untake_batch(&self, id: i64) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let (batch, span) = batch_head(&mut tx, id).await?.ok_or_else(|| missing(id))?;
        for (row, _) in rows_of(&mut tx, &batch, span).await? {
            move_to_end(&mut tx, row, batch.kind).await?;
        }
        recount(&mut tx, QueryBuilder::default(), id).await?;
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
        let (mut new, _) = batch(&head)?;
        for batch in [old.id, new.id] {
            recount(&mut tx, QueryBuilder::default(), batch).await?;
        }
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
}

pub(super) fn missing(batch: i64) -> StoreError {
    StoreError::Missing {
        what: "batch",
        id: batch.to_string(),
    }
}
