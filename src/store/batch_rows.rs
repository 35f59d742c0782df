//! The rows of the outbox beneath the batches: which may be taken, which belong to a batch.

use super::error::Result;
use super::holds::held_by;
use super::outbox::{BATCH, Batch, BatchKind, BatchState, HOLD, OutboxRow, missing};
use super::replan::CountsChange;
use super::rows::{email, from_json, time, unreadable};
use super::runs::{RunRow, Spent, run_row_by, run_row_of};
use super::sqlite::gathered;
use crate::model::view::Outcome;
use crate::model::{ContactId, Email, Fingerprint, RecordId, RunId};
use serde::Deserialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite, SqliteConnection};
use std::collections::HashSet;

const ROW: &str = "o.id, o.email, o.record_id, o.version, o.fingerprint, o.size, o.rides,
     coalesce(o.contact_id, l.contact_id) AS contact_id,
     CASE WHEN l.record_id = o.record_id AND l.version > o.version THEN 1
         WHEN r.version > o.version OR (r.version = o.version AND r.competes = 0) THEN 1 ELSE 0 END AS overtaken,
     1 - o.replanned AS counts, CASE WHEN l.record_id <> o.record_id THEN 1 ELSE 0 END AS contested";

/// The columns of [`ROW`] and the mark of a busy contact, in the order of [`Fetched`].
const COLUMNS: &str = "id, email, record_id, version, write, fingerprint, size, rides, contact_id, overtaken, counts, contested, busy";

const FROM: &str = "FROM outbox o LEFT JOIN links l
         ON l.connection = o.connection AND l.mapping = o.mapping AND l.email = o.email
     LEFT JOIN records r ON r.connection = o.connection AND r.mapping = o.mapping AND r.record_id = o.record_id";

/// The write of a row that is taken, where it is not left to be read later.
const UNREAD: &str = "CASE WHEN o.kind = 'single' OR o.rides IS NOT NULL THEN o.write END";

/// True for a row whose contact has another write under way: one of the same run, or of a run that is alive (`$5`).
const BUSY: &str = "EXISTS (SELECT 1 FROM outbox p JOIN runs r ON r.id = p.run_id
     WHERE p.email = o.email AND p.connection = o.connection AND p.id <> o.id
         AND p.id <= CASE p.kind WHEN 'import' THEN r.taken_import ELSE r.taken_single END
         AND (p.run_id = o.run_id OR r.updated_at > $5))";

/// What a row takes along to a new place at the end.
const COPIED: &str = "run_id, connection, mapping, email, record_id, version, size, contact_id, created, replanned, fingerprint,
     properties, write, rides";

/// The ids between which a batch's rows lie.
pub(super) type Span = (i64, i64);

/// A row as the store gives it, see [`COLUMNS`].
type Fetched = (
    i64,
    Email,
    RecordId,
    i64,
    Option<String>,
    Fingerprint,
    u32,
    Option<String>,
    Option<ContactId>,
    u8,
    u8,
    u8,
    u8,
);

/// A row, and what speaks against taking it.
#[derive(Deserialize)]
#[serde(from = "Fetched")]
pub(super) struct Next {
    id: i64,
    row: OutboxRow,
    overtaken: bool,
    counts: bool,
    busy: bool,
}

impl From<Fetched> for Next {
    fn from(row: Fetched) -> Self {
        let (id, email, record, version, write_json, fingerprint, size, rides_json, contact_id, ..) =
            row;
        Self {
            id,
            row: OutboxRow {
                email,
                record,
                version,
                write_json,
                fingerprint,
                rides_json,
                size,
                contact_id,
                contested: row.11 != 0,
            },
            overtaken: row.9 != 0,
            counts: row.10 != 0,
            busy: row.12 != 0,
        }
    }
}

/// What is taken of the waiting rows.
#[derive(Default)]
pub(super) struct Pick {
    pub(super) ids: Vec<i64>,
    pub(super) rows: Vec<OutboxRow>,
    pub(super) busy: Vec<i64>,
    /// Id, and whether the run counts the record by this row.
    overtaken: Vec<(i64, bool)>,
}

impl Pick {
    pub(super) fn of(next: Vec<Next>, held: &HashSet<Email>, max_bytes: u32) -> Self {
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
            } else if busy || held.contains(&row.email) {
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

    pub(super) fn overtaken(&self) -> Option<&[(i64, bool)]> {
        (!self.overtaken.is_empty()).then_some(&self.overtaken)
    }
}

/// What a batch is taken from.
pub(super) struct Waiting {
    pub(super) run: RunRow,
    pub(super) rows: Vec<Next>,
    /// Contacts that running jobs have.
    pub(super) held: HashSet<Email>,
}

/// Reads a run with the first rows of its outbox that were not taken yet.
pub(super) async fn waiting(
    tx: &mut SqliteConnection,
    run: &RunId,
    kind: BatchKind,
    max_rows: u32,
    now: i64,
) -> Result<Waiting> {
    let taken = match kind {
        BatchKind::Import => "taken_import",
        BatchKind::Single => "taken_single",
    };
    let next = gathered(
        COLUMNS,
        &format!(
            "SELECT {ROW}, {UNREAD} AS write, {BUSY} AS busy {FROM} WHERE o.run_id = $1 AND o.kind = $2
                 AND o.id > (SELECT {taken} FROM runs WHERE id = $1) ORDER BY o.id LIMIT $4"
        ),
    );
    let (run_row, held) = (
        run_row_by("$1"),
        held_by("(SELECT connection FROM runs WHERE id = $1)", "$3"),
    );
    let answers = sqlx::query(AssertSqlSafe(format!("{run_row};\n{next};\n{held}")))
        .bind(run.as_str())
        .bind(kind.name())
        .bind(now)
        .bind(max_rows.max(1))
        .bind(now - HOLD)
        .fetch_all(tx)
        .await?;
    let mut answers = answers.iter();
    let (Some(run_row), Some(next)) = (answers.next(), answers.next()) else {
        return Err(super::runs::missing(run));
    };
    Ok(Waiting {
        run: run_row_of(run_row)?,
        rows: in_order(next.try_get(0)?)?,
        held: answers
            .map(|row| email(row.try_get(0)?))
            .collect::<Result<_>>()?,
    })
}

/// Gathered rows in the order of planning, which gathering does not promise to keep.
fn in_order(rows: &str) -> Result<Vec<Next>> {
    let mut rows: Vec<Next> = from_json("outbox", rows)?;
    rows.sort_unstable_by_key(|next| next.id);
    Ok(rows)
}

pub(super) async fn drop_rows(
    tx: &mut SqliteConnection,
    run: &RunId,
    rows: &[(i64, bool)],
    now: i64,
) -> Result<()> {
    let mut change = CountsChange::default();
    for (id, counts) in rows {
        change.add(Outcome::Synced.name(), i64::from(*counts));
        sqlx::query(
            "UPDATE records SET holds = 0 WHERE (connection, mapping, record_id) IN
                 (SELECT connection, mapping, record_id FROM outbox WHERE id = $1)",
        )
        .bind(id)
        .execute(&mut *tx)
        .await?;
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

/// Executes statements, then brings a batch's number of pending rows up to date and answers it. A batch without rows is done and
/// goes.
pub(super) async fn recount(
    tx: &mut SqliteConnection,
    mut behind: QueryBuilder<Sqlite>,
    batch: i64,
) -> Result<i64> {
    behind.push(
        "UPDATE batches SET pending = (SELECT count(*) FROM outbox WHERE run_id = batches.run_id AND kind = batches.kind
             AND id BETWEEN batches.first_id AND batches.last_id) WHERE id = ",
    );
    behind.push_bind(batch).push(" RETURNING pending;\n");
    behind.push("DELETE FROM batches WHERE pending = 0 AND id = ");
    behind.push_bind(batch);
    let pending: Vec<i64> = behind.build_query_scalar().fetch_all(tx).await?;
    Ok(pending.into_iter().next().unwrap_or(0))
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

/// As [`batch_head`], with the run it is of.
pub(super) async fn head_and_run(
    tx: &mut SqliteConnection,
    id: i64,
) -> Result<(Batch, Span, RunRow)> {
    let run_row = run_row_by("(SELECT run_id FROM batches WHERE id = $1)");
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT {BATCH} FROM batches WHERE id = $1;\n{run_row}"
    )))
    .bind(id)
    .fetch_all(tx)
    .await?;
    let [head, run_row] = rows.as_slice() else {
        return Err(missing(id));
    };
    let (batch, span) = batch(head)?;
    Ok((batch, span, run_row_of(run_row)?))
}

pub(super) async fn with_rows(
    tx: &mut SqliteConnection,
    mut batch: Batch,
    span: Span,
) -> Result<Batch> {
    let rows = rows_of(tx, &batch, span).await?;
    batch.rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(batch)
}

pub(super) async fn rows_of(
    tx: &mut SqliteConnection,
    batch: &Batch,
    span: Span,
) -> Result<Vec<(i64, OutboxRow)>> {
    let sql = gathered(
        COLUMNS,
        &format!(
            "SELECT {ROW}, o.write, 0 AS busy {FROM} WHERE o.run_id = $1 AND o.kind = $2 AND o.id BETWEEN $3 AND $4 ORDER BY o.id"
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

pub(super) fn batch(head: &SqliteRow) -> Result<(Batch, Span)> {
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
