//! What a run planned before and plans anew: a record read twice, a contact that a better record takes; and the
//! counts that follow.

use super::BatchKind;
use super::effects::void;
use super::error::Result;
use super::rows::{chunks, int, push_list};
use super::runs::{RunRow, Spent};
use crate::model::view::Outcome;
use crate::model::{RecordId, RunId};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
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
    if row.effects_open {
        let (connection, mapping) = (row.connection.as_str(), row.mapping.as_str());
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

    /// Records that are counted synced.
    pub(super) fn synced(&self) -> usize {
        usize::try_from(self.synced).unwrap_or(0)
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
        let mut query = QueryBuilder::default();
        self.push_write_at(&mut query, run, spent, reached, now);
        query.build().execute(tx).await?;
        Ok(())
    }

    /// Appends the statement of [`CountsChange::write`].
    pub(super) fn push_write(
        &self,
        query: &mut QueryBuilder<Sqlite>,
        run: &RunId,
        spent: &Spent,
        now: i64,
    ) {
        self.push_write_at(query, run, spent, &Reached::default(), now);
    }

    fn push_write_at(
        &self,
        query: &mut QueryBuilder<Sqlite>,
        run: &RunId,
        spent: &Spent,
        reached: &Reached<'_>,
        now: i64,
    ) {
        let counts = [
            ("seen", self.read),
            ("unchanged", self.unchanged),
            ("synced", self.synced),
            ("superseded", self.superseded),
            ("skipped", self.skipped),
            ("failed", self.failed),
            ("highlevel", int(spent.requests.highlevel)),
            ("activecampaign", int(spent.requests.activecampaign)),
            ("throttled", int(spent.throttled)),
        ];
        query.push("UPDATE runs SET ");
        for (column, more) in counts {
            query
                .push(format!("{column} = {column} + "))
                .push_bind(more)
                .push(", ");
        }
        query
            .push("position = coalesce(")
            .push_bind(reached.cursor_json);
        query
            .push(", position), checkpoint = coalesce(")
            .push_bind(reached.checkpoint);
        query
            .push(", checkpoint), total = coalesce(")
            .push_bind(reached.total.map(int));
        query.push(", total), updated_at = ").push_bind(now);
        query
            .push(" WHERE id = ")
            .push_bind(run.as_str())
            .push(";\n");
    }
}

/// How far reading came; `None` leaves what stands there.
#[derive(Default)]
pub(super) struct Reached<'a> {
    pub(super) cursor_json: Option<&'a str>,
    pub(super) checkpoint: Option<&'a str>,
    pub(super) total: Option<u64>,
}
