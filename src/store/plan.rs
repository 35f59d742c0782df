//! One page of an export, planned: outcomes, writes to be sent, counts and the cursor, in one transaction. A page is
//! either there as a whole or read again.

use super::Store;
use super::enqueue::{FailedRecord, NewAttempt, any_unresolved, fail, resolve};
use super::error::Result;
use super::rows::{SENDING, chunks, email, int, push_list};
use super::runs::{RunRow, Spent, run_row};
use super::sqlite::follow;
use crate::model::view::Outcome;
use crate::model::{ContactId, Email, Fingerprint, Problem, RecordId, RunId};
use sqlx::{QueryBuilder, Row, SqliteConnection};
use std::collections::HashMap;

/// What planning made of one page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PagePlan {
    /// Where reading goes on behind this page (JSON of the engine's making); `None` leaves it.
    pub cursor_json: Option<String>,
    /// The same for people: `page 17`.
    pub checkpoint: Option<String>,
    /// Records the object holds, if the page said so.
    pub total: Option<u64>,
    /// Every record at most once, and at most one write per contact.
    pub rows: Vec<PlannedRow>,
    /// The caller knows that the run has planned none of these records before: they are not looked for.
    pub all_new: bool,
    pub spent: Spent,
}

/// One record of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRow {
    pub record: RecordId,
    pub email: Option<Email>,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    pub plan: Planned,
}

/// What is to become of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    Unchanged,
    Superseded {
        by: RecordId,
    },
    Skipped,
    /// Goes to the queue.
    Failed {
        problem: Problem,
        contact_id: Option<ContactId>,
        attempt: NewAttempt,
    },
    /// Goes to the outbox, in place of an earlier write for the same contact that was not taken yet.
    Send {
        /// The `ContactWrite` as JSON.
        write_json: String,
        /// The record's properties, where the mapping has rules.
        properties_json: Option<String>,
        fingerprint: Fingerprint,
        /// Bytes that the row takes in an import.
        size: u32,
        /// True if it must not ride in an import: a clear.
        single: bool,
    },
}

impl Planned {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Unchanged => Outcome::Unchanged.name(),
            Self::Superseded { .. } => Outcome::Superseded.name(),
            Self::Skipped => Outcome::Skipped.name(),
            Self::Failed { .. } => Outcome::Failed.name(),
            Self::Send { .. } => SENDING,
        }
    }

    fn competes(&self) -> bool {
        !matches!(self, Self::Skipped | Self::Failed { .. })
    }
}

/// A record that a run has planned already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Microseconds of the record's `updated_at` when it was planned.
    pub version: i64,
    /// The outcome is still open.
    pub sending: bool,
}

impl Store {
    /// Which of these records the run has planned already.
    pub async fn seen_in_run(
        &self,
        run: &RunId,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, Seen>> {
        let mut reader = self.readers().acquire().await?;
        let row = run_row(&mut reader, run).await?;
        let ids: Vec<&str> = records.iter().map(RecordId::as_str).collect();
        let found = seen(&mut reader, run, &row, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, (version, outcome))| {
                let sending = outcome == SENDING;
                (RecordId::from(id), Seen { version, sending })
            })
            .collect())
    }

    /// Stores a planned page: what was seen of each record, writes to the outbox, failures to the queue, the run's
    /// counts and its cursor. A record that the run had planned before changes its outcome and is not counted
    /// twice. A dry run is only counted (the caller gives every record once).
    pub async fn page_planned(&self, run: &RunId, page: &PagePlan) -> Result<()> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin_unsynced().await?;
        let row = run_row(&mut tx, run).await?;
        let mut change = CountsChange::default();
        let before = if row.dry_run || page.all_new {
            HashMap::new()
        } else {
            let ids: Vec<&str> = page.rows.iter().map(|row| row.record.as_str()).collect();
            seen(&mut tx, run, &row, &ids).await?
        };
        for planned in &page.rows {
            match before.get(planned.record.as_str()) {
                None => change.read += 1,
                Some((_, outcome)) => change.add(outcome, -1),
            }
            let outcome = match planned.plan {
                Planned::Send { .. } if row.dry_run => Outcome::Synced.name(),
                _ => planned.plan.outcome(),
            };
            change.add(outcome, 1);
        }
        if !row.dry_run {
            let resend = before.iter().filter(|(_, (_, outcome))| outcome == SENDING);
            for (record, _) in resend {
                forget_planned(&mut tx, run, record).await?;
            }
            upsert_records(&mut tx, run, &row, &page.rows).await?;
            insert_outbox(&mut tx, run, &row, &page.rows).await?;
            settle_jobs(&mut tx, run, &row, &page.rows, now).await?;
        }
        change.write(&mut tx, run, &page.spent, now).await?;
        sqlx::query(
            "UPDATE runs SET position = coalesce($1, position), checkpoint = coalesce($2, checkpoint),
                 total = coalesce($3, total) WHERE id = $4",
        )
        .bind(page.cursor_json.as_deref())
        .bind(page.checkpoint.as_deref())
        .bind(page.total.map(int))
        .bind(run.as_str())
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }
}

/// Version and counted outcome of the records that the run has planned already.
async fn seen(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    records: &[&str],
) -> Result<HashMap<String, (i64, String)>> {
    let mut found = HashMap::new();
    for chunk in chunks(records) {
        let mut query = QueryBuilder::new(
            "SELECT record_id, version, run_outcome FROM records WHERE connection = ",
        );
        query.push_bind(row.connection.as_str());
        query
            .push(" AND mapping = ")
            .push_bind(row.mapping.as_str());
        query.push(" AND run_id = ").push_bind(run.as_str());
        query.push(" AND record_id IN ");
        push_list(&mut query, chunk.iter().copied());
        for row in query.build().fetch_all(&mut *tx).await? {
            let outcome = row.try_get::<Option<String>, _>(2)?.unwrap_or_default();
            found.insert(row.try_get(0)?, (row.try_get(1)?, outcome));
        }
    }
    Ok(found)
}

/// A record that is planned anew gives up the write that was planned for it and not taken yet.
async fn forget_planned(tx: &mut SqliteConnection, run: &RunId, record: &str) -> Result<()> {
    sqlx::query("DELETE FROM outbox WHERE run_id = $1 AND batch_id = 0 AND record_id = $2")
        .bind(run.as_str())
        .bind(record)
        .execute(tx)
        .await?;
    Ok(())
}

async fn upsert_records(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    rows: &[PlannedRow],
) -> Result<()> {
    for chunk in chunks(rows) {
        let mut query = QueryBuilder::new(
            // A statement that fails ends the transaction: SQLite need not keep what it would take back alone.
            "INSERT OR FAIL INTO records (connection, mapping, record_id, email, version, competes, run_id, run_outcome, outcome,
                 superseded_by) ",
        );
        query.push_values(chunk, |mut values, planned| {
            values.push_bind(row.connection.as_str());
            values.push_bind(row.mapping.as_str());
            values.push_bind(planned.record.as_str());
            values.push_bind(planned.email.as_ref().map(Email::as_str));
            values.push_bind(planned.version);
            values.push_bind(i64::from(planned.plan.competes()));
            values.push_bind(run.as_str());
            values.push_bind(planned.plan.outcome());
            values.push_bind(planned.plan.outcome());
            values.push_bind(match &planned.plan {
                Planned::Superseded { by } => Some(by.as_str()),
                _ => None,
            });
        });
        // A page may be older than what a single sync has seen meanwhile.
        query.push(
            " ON CONFLICT (connection, mapping, record_id) DO UPDATE SET run_id = excluded.run_id,
                 run_outcome = excluded.run_outcome,
                 email = CASE WHEN records.version > excluded.version THEN records.email ELSE excluded.email END,
                 competes = CASE WHEN records.version > excluded.version THEN records.competes ELSE excluded.competes END,
                 outcome = CASE WHEN records.version > excluded.version THEN records.outcome ELSE excluded.outcome END,
                 superseded_by = CASE WHEN records.version > excluded.version THEN records.superseded_by
                     ELSE excluded.superseded_by END,
                 version = CASE WHEN records.version > excluded.version THEN records.version ELSE excluded.version END",
        );
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

async fn insert_outbox(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    rows: &[PlannedRow],
) -> Result<()> {
    let sends: Vec<Send<'_>> = rows.iter().filter_map(Send::of).collect();
    for chunk in chunks(&sends) {
        let mut query = QueryBuilder::new(
            "INSERT INTO outbox (connection, mapping, run_id, email, record_id, version, write, properties, fingerprint,
                 size, kind) ",
        );
        query.push_values(chunk, |mut values, send| {
            values.push_bind(row.connection.as_str());
            values.push_bind(row.mapping.as_str());
            values.push_bind(run.as_str());
            values.push_bind(send.email);
            values.push_bind(send.record);
            values.push_bind(send.version);
            values.push_bind(send.write);
            values.push_bind(send.properties);
            values.push_bind(send.fingerprint);
            values.push_bind(send.size);
            values.push_bind(if send.single { "single" } else { "import" });
        });
        query.push(
            " ON CONFLICT (email, run_id, batch_id) DO UPDATE SET record_id = excluded.record_id,
                 version = excluded.version, write = excluded.write, properties = excluded.properties,
                 fingerprint = excluded.fingerprint, size = excluded.size, kind = excluded.kind",
        );
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// A write with what the outbox wants of it.
struct Send<'a> {
    email: &'a str,
    record: &'a str,
    version: i64,
    write: &'a str,
    properties: Option<&'a str>,
    fingerprint: &'a str,
    size: u32,
    single: bool,
}

impl<'a> Send<'a> {
    fn of(row: &'a PlannedRow) -> Option<Self> {
        match (&row.plan, &row.email) {
            (
                Planned::Send {
                    write_json,
                    properties_json,
                    fingerprint,
                    size,
                    single,
                },
                Some(email),
            ) => Some(Self {
                email: email.as_str(),
                record: row.record.as_str(),
                version: row.version,
                write: write_json,
                properties: properties_json.as_deref(),
                fingerprint: fingerprint.as_str(),
                size: *size,
                single: *single,
            }),
            _ => None,
        }
    }
}

/// Failures go to the queue; jobs that had failed for records that now need nothing are done.
async fn settle_jobs(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    rows: &[PlannedRow],
    now: i64,
) -> Result<()> {
    let resolves = any_unresolved(tx, row.connection.as_str(), row.mapping.as_str()).await?;
    let mut in_step = Vec::new();
    for planned in rows {
        match &planned.plan {
            Planned::Failed {
                problem,
                contact_id,
                attempt,
            } => {
                let failed = FailedRecord {
                    connection: row.connection.clone(),
                    mapping: row.mapping.clone(),
                    object: row.object.clone(),
                    record: planned.record.clone(),
                    run: run.clone(),
                    email: planned.email.clone(),
                    contact_id: contact_id.clone(),
                    problem: problem.clone(),
                    attempt: attempt.clone(),
                };
                fail(tx, &failed, now).await?;
            }
            Planned::Unchanged | Planned::Superseded { .. } | Planned::Skipped if resolves => {
                in_step.push(planned.record.as_str());
            }
            _ => {}
        }
    }
    let (connection, mapping) = (row.connection.as_str(), row.mapping.as_str());
    resolve(tx, connection, mapping, &in_step, now).await
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
        sqlx::query(
            "UPDATE runs SET seen = seen + $1, unchanged = unchanged + $2, synced = synced + $3,
                 superseded = superseded + $4, skipped = skipped + $5, failed = failed + $6, highlevel = highlevel + $7,
                 activecampaign = activecampaign + $8, throttled = throttled + $9, updated_at = $10 WHERE id = $11",
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
        .execute(tx)
        .await?;
        Ok(())
    }
}

impl Store {
    /// The records that a run has planned for these contacts and that compete for them: contact, record, version.
    pub async fn contenders(
        &self,
        run: &RunId,
        emails: &[Email],
    ) -> Result<Vec<(Email, RecordId, i64)>> {
        let mut found = Vec::with_capacity(emails.len());
        let mut reader = self.readers().acquire().await?;
        let row = run_row(&mut reader, run).await?;
        for chunk in chunks(emails) {
            let mut query = QueryBuilder::new(format!(
                "SELECT email, record_id, version FROM records{} WHERE connection = ",
                follow("records_candidates")
            ));
            query.push_bind(row.connection.as_str());
            query
                .push(" AND mapping = ")
                .push_bind(row.mapping.as_str());
            query
                .push(" AND competes = 1 AND run_id = ")
                .push_bind(run.as_str());
            query.push(" AND email IN ");
            push_list(&mut query, chunk.iter().map(Email::as_str));
            for row in query.build().fetch_all(&mut *reader).await? {
                let record: String = row.try_get(1)?;
                found.push((email(row.try_get(0)?)?, record.into(), row.try_get(2)?));
            }
        }
        Ok(found)
    }
}
