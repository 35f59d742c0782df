//! What a run planned before and plans anew: a record read twice, a contact that a better record takes; and the
//! counts that follow.

use super::BatchKind;
use super::effects::{any_open, void};
use super::error::Result;
use super::rows::{chunks, int, push_list};
use super::runs::{RunRow, Spent};
use crate::model::view::Outcome;
use crate::model::{RecordId, RunId};
use sqlx::{QueryBuilder, Row, SqliteConnection};
use std::collections::HashMap;

/// How a run planned a record before.
pub(super) struct Before {
    pub(super) version: i64,
    pub(super) outcome: String,
    email: Option<String>,
}

/// The records that the run has planned already.
pub(super) async fn planned_before(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    records: &[&str],
) -> Result<HashMap<String, Before>> {
    let mut found = HashMap::new();
    for chunk in chunks(records) {
        let mut query = QueryBuilder::new(
            "SELECT record_id, version, run_outcome, email FROM records WHERE connection = ",
        );
        query.push_bind(row.connection.as_str());
        query
            .push(" AND mapping = ")
            .push_bind(row.mapping.as_str());
        query.push(" AND run_id = ").push_bind(run.as_str());
        query.push(" AND record_id IN ");
        push_list(&mut query, chunk.iter().copied());
        for row in query.build().fetch_all(&mut *tx).await? {
            let before = Before {
                version: row.try_get(1)?,
                outcome: row.try_get::<Option<String>, _>(2)?.unwrap_or_default(),
                email: row.try_get(3)?,
            };
            found.insert(row.try_get(0)?, before);
        }
    }
    Ok(found)
}

/// A record that is planned anew gives up its write: one that waits is removed, one under way is no longer counted when
/// it is settled. False if there is none: it was confirmed.
pub(super) async fn withdraw(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    record: &RecordId,
    before: &Before,
) -> Result<bool> {
    let removed = sqlx::query(
        "DELETE FROM outbox WHERE email = $1 AND run_id = $2 AND record_id = $3
             AND id > CASE kind WHEN 'import' THEN $4 ELSE $5 END",
    )
    .bind(before.email.as_deref())
    .bind(run.as_str())
    .bind(record.as_str())
    .bind(row.taken(BatchKind::Import))
    .bind(row.taken(BatchKind::Single))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    sqlx::query(
        "UPDATE records SET holds = 0 WHERE connection = $1 AND mapping = $2 AND record_id = $3",
    )
    .bind(row.connection.as_str())
    .bind(row.mapping.as_str())
    .bind(record.as_str())
    .execute(&mut *tx)
    .await?;
    let under_way = sqlx::query(
        "UPDATE outbox SET replanned = 1 WHERE email = $1 AND run_id = $2 AND record_id = $3 AND replanned = 0",
    )
    .bind(before.email.as_deref())
    .bind(run.as_str())
    .bind(record.as_str())
    .execute(tx)
    .await?
    .rows_affected();
    Ok(removed + under_way > 0)
}

/// Writes that wait for the contacts of new ones (e-mail and record) go; a record that is not planned in this page itself is superseded by
/// that.
pub(super) async fn displace(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    sends: &[(&str, &str)],
    change: &mut CountsChange,
    now: i64,
) -> Result<()> {
    let mut losers: Vec<(String, String)> = Vec::new();
    for chunk in chunks(sends) {
        let mut query = QueryBuilder::new("DELETE FROM outbox WHERE email IN ");
        push_list(&mut query, chunk.iter().map(|(email, _)| *email));
        query.push(" AND run_id = ").push_bind(run.as_str());
        query.push(" AND id > CASE kind WHEN 'import' THEN ");
        query.push_bind(row.taken(BatchKind::Import));
        query.push(" ELSE ").push_bind(row.taken(BatchKind::Single));
        query.push(" END RETURNING email, record_id");
        for gone in query.build().fetch_all(&mut *tx).await? {
            losers.push((gone.try_get(0)?, gone.try_get(1)?));
        }
    }
    for (email, loser) in losers {
        let winner = sends.iter().find(|(address, _)| *address == email);
        supersede(tx, run, row, &loser, winner.map(|(_, record)| *record), now).await?;
        change.add(Outcome::Superseded.name(), 1);
    }
    Ok(())
}

/// A record that the run wanted to send gives way to another one, and gives up its effects.
pub(super) async fn supersede(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    record: &str,
    by: Option<&str>,
    now: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE records SET run_outcome = 'superseded', outcome = 'superseded', superseded_by = $1, holds = 0
         WHERE connection = $2 AND mapping = $3 AND record_id = $4 AND run_id = $5",
    )
    .bind(by)
    .bind(row.connection.as_str())
    .bind(row.mapping.as_str())
    .bind(record)
    .bind(run.as_str())
    .execute(&mut *tx)
    .await?;
    let (connection, mapping) = (row.connection.as_str(), row.mapping.as_str());
    if any_open(tx, connection, mapping).await? {
        void(tx, connection, mapping, record, now).await?;
    }
    Ok(())
}

/// By how much a run's counts change.
#[derive(Default)]
pub(super) struct CountsChange {
    pub(super) read: i64,
    unchanged: i64,
    synced: i64,
    superseded: i64,
    skipped: i64,
    failed: i64,
}

impl CountsChange {
    /// Counts records under an outcome's name; what is on its way is not counted.
    pub(super) fn add(&mut self, outcome: &str, number: i64) {
        match outcome {
            "unchanged" => self.unchanged += number,
            "synced" => self.synced += number,
            "superseded" => self.superseded += number,
            "skipped" => self.skipped += number,
            "failed" => self.failed += number,
            _ => {}
        }
    }

    pub(super) async fn write(
        &self,
        tx: &mut SqliteConnection,
        run: &RunId,
        spent: &Spent,
        now: i64,
    ) -> Result<()> {
        self.write_at(tx, run, spent, &Reached::default(), now)
            .await
    }

    /// As [`CountsChange::write`], with how far reading came.
    pub(super) async fn write_at(
        &self,
        tx: &mut SqliteConnection,
        run: &RunId,
        spent: &Spent,
        reached: &Reached<'_>,
        now: i64,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE runs SET seen = seen + $1, unchanged = unchanged + $2, synced = synced + $3,
                 superseded = superseded + $4, skipped = skipped + $5, failed = failed + $6, highlevel = highlevel + $7,
                 activecampaign = activecampaign + $8, throttled = throttled + $9, updated_at = $10,
                 position = coalesce($12, position), checkpoint = coalesce($13, checkpoint), total = coalesce($14, total)
             WHERE id = $11",
        )
        .bind(self.read)
        .bind(self.unchanged)
        .bind(self.synced)
        .bind(self.superseded)
        .bind(self.skipped)
        .bind(self.failed)
        .bind(int(spent.requests.highlevel))
        .bind(int(spent.requests.activecampaign))
        .bind(int(spent.throttled))
        .bind(now)
        .bind(run.as_str())
        .bind(reached.cursor_json)
        .bind(reached.checkpoint)
        .bind(reached.total.map(int))
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// How far reading came; `None` leaves what stands there.
#[derive(Default)]
pub(super) struct Reached<'a> {
    pub(super) cursor_json: Option<&'a str>,
    pub(super) checkpoint: Option<&'a str>,
    pub(super) total: Option<u64>,
}
