//! Pages of an export, planned: outcomes, writes to be sent, counts and the cursor, in one transaction. They are either there
//! as a whole or planned again.

use super::effects::{EffectPlan, plan_in, void};
use super::enqueue::{NewAttempt, upsert};
use super::error::Result;
use super::failures::{FailedRecord, fail, resolve};
use super::heirs::{Heir, hand_on};
use super::replan::{CountsChange, Reached, displace, planned_before, withdraw};
use super::rows::{SENT, chunks, push_table};
use super::runs::{RunRow, Spent, run_row};
use super::states::{ConfirmedState, keep_state};
use super::{BatchKind, Store};
use crate::model::view::Outcome;
use crate::model::{ContactId, Email, Fingerprint, Problem, RecordId, RunId};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use std::collections::HashMap;

/// What planning made of pages that follow each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PagePlan {
    /// Where reading goes on behind them (JSON of the engine's making); `None` leaves it.
    pub cursor_json: Option<String>,
    /// The same for people: `page 17`.
    pub checkpoint: Option<String>,
    /// Records the object holds, if a page said so.
    pub total: Option<u64>,
    /// The number of the page that is to be planned next: those before it are kept no more.
    pub place: u64,
    /// Every record at most once, and at most one write per contact. A write takes the place of one for the same contact
    /// that the run has planned before and that was not taken yet.
    pub rows: Vec<PlannedRow>,
    /// False if the run surely has planned none of these records, nor a write for one of these contacts, before: then
    /// nothing of that kind is looked for.
    pub met: bool,
    /// What the rules want of records that are sent or unchanged: those that fire, or have effects that are not over.
    pub effects: Vec<EffectPlan>,
    /// States of unchanged records that are confirmed as they are.
    pub states: Vec<ConfirmedState>,
    /// Contacts that records of the page had or stood for, and leave: whoever is next in line for one of them is asked.
    pub leaves: Vec<Email>,
    pub heir: Heir,
    pub spent: Spent,
}

/// One record.
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
    /// Goes to the outbox.
    Send {
        /// The `ContactWrite` as JSON.
        write_json: String,
        /// The record's properties, where the mapping has rules.
        properties_json: Option<String>,
        fingerprint: Fingerprint,
        /// What goes along in an import: tags and lists, as JSON of the engine's making.
        rides_json: Option<String>,
        /// Bytes that the row takes in an import.
        size: u32,
        /// True if it must not ride in an import: a clear, or an effect that an import cannot carry.
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
            Self::Send { .. } => SENT,
        }
    }

    fn competes(&self) -> bool {
        !matches!(self, Self::Skipped | Self::Failed { .. })
    }

    fn needs_nothing(&self) -> bool {
        !matches!(self, Self::Send { .. } | Self::Failed { .. })
    }
}

/// A record that a run has planned already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Microseconds of the record's `updated_at` when it was planned.
    pub version: i64,
    /// Its write was planned; whether it is confirmed by now, the contact's link says.
    pub sent: bool,
}

impl Store {
    /// Which of these records the run has planned already.
    pub async fn seen_in_run(
        &self,
        run: &RunId,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, Seen>> {
        let mut writer = self.writer().await;
        let warm = writer.connection()?;
        let row = run_row(warm, run).await?;
        let ids: Vec<&str> = records.iter().map(RecordId::as_str).collect();
        let found = planned_before(warm, run, &row, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, before)| {
                let seen = Seen {
                    version: before.version,
                    sent: before.outcome == SENT,
                };
                (RecordId::from(id), seen)
            })
            .collect())
    }

    /// Stores planned pages: what was seen of each record, writes to the outbox, failures to the queue, the run's
    /// counts and its cursor. A record that the run had planned before changes its outcome and is not counted
    /// twice. A dry run is only counted (the caller gives every record once).
    pub async fn page_planned(&self, run: &RunId, page: &PagePlan) -> Result<()> {
        let now = self.now_micros();
        let sends: Vec<Send<'_>> = page.rows.iter().filter_map(Send::of).collect();
        // Written before the write lock is taken.
        let (mut records, mut outbox) = (QueryBuilder::default(), QueryBuilder::default());
        push_records(&mut records, run, &page.rows);
        push_outbox(
            if page.met { &mut outbox } else { &mut records },
            run,
            &sends,
        );
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let row = run_row(&mut tx, run).await?;
        if row.cancelled {
            // In its last moment: nobody would send what this page plans.
            return Ok(());
        }
        let mut change = CountsChange::default();
        let before = if row.dry_run || !page.met {
            HashMap::new()
        } else {
            let ids: Vec<&str> = page.rows.iter().map(|row| row.record.as_str()).collect();
            planned_before(&mut tx, run, &row, &ids).await?
        };
        for planned in &page.rows {
            match before.get(planned.record.as_str()) {
                None => change.read += 1,
                Some(seen) if seen.outcome == SENT => {
                    if !withdraw(&mut tx, run, &row, &planned.record, seen).await? {
                        change.add(Outcome::Synced.name(), -1);
                    }
                }
                Some(seen) => change.add(&seen.outcome, -1),
            }
            let outcome = match planned.plan {
                Planned::Send { .. } if row.dry_run => Outcome::Synced.name(),
                _ => planned.plan.outcome(),
            };
            change.add(outcome, 1);
        }
        if !row.dry_run {
            execute(&mut tx, records).await?;
            if page.met {
                let contacts: Vec<(&str, &str)> =
                    sends.iter().map(|send| (send.email, send.record)).collect();
                displace(&mut tx, run, &row, &contacts, &mut change, now).await?;
                sync_once_more(&mut tx, run, &row, &page.rows, now).await?;
                execute(&mut tx, outbox).await?;
            }
            plan_effects(&mut tx, &row, page, now).await?;
            settle_jobs(&mut tx, run, &row, &page.rows, now).await?;
            ask_heirs(&mut tx, run, &row, page, now).await?;
        }
        let reached = Reached {
            cursor_json: page.cursor_json.as_deref(),
            checkpoint: page.checkpoint.as_deref(),
            total: page.total,
        };
        change
            .write_at(&mut tx, run, &page.spent, &reached, now)
            .await?;
        self.commit(tx).await?;
        drop(writer);
        self.wrote(page.rows.len());
        self.forget_pages(run, page.place).await;
        Ok(())
    }
}

/// Appends statements that write down what was seen of the records.
fn push_records(query: &mut QueryBuilder<Sqlite>, run: &RunId, rows: &[PlannedRow]) {
    const COLUMNS: &[&str] = &["id", "email", "version", "competes", "outcome", "by"];
    for chunk in chunks(rows) {
        push_table(query, "seen", COLUMNS, chunk, |values, planned| {
            values.push_bind(planned.record.as_str());
            values.push_bind(planned.email.as_ref().map(Email::as_str));
            values.push_bind(planned.version);
            values.push_bind(i64::from(planned.plan.competes()));
            values.push_bind(planned.plan.outcome());
            values.push_bind(match &planned.plan {
                Planned::Superseded { by } => Some(by.as_str()),
                _ => None,
            });
        });
        // A page may be older than what a single sync has seen meanwhile.
        query.push(format!(
            "INSERT INTO records (connection, mapping, record_id, email, version, competes, run_id, run_outcome, outcome,
                 superseded_by, holds)
             SELECT runs.connection, runs.mapping, seen.id, email, version, competes, runs.id, outcome, outcome, by,
                 outcome = '{SENT}' FROM seen, runs WHERE seen.id IS NOT NULL AND runs.id = "
        ));
        query.push_bind(run.as_str());
        query.push(
            " ON CONFLICT (connection, mapping, record_id) DO UPDATE SET run_id = excluded.run_id,
                 run_outcome = excluded.run_outcome,
                 email = CASE WHEN records.version > excluded.version THEN records.email ELSE excluded.email END,
                 competes = CASE WHEN records.version > excluded.version THEN records.competes ELSE excluded.competes END,
                 outcome = CASE WHEN records.version > excluded.version THEN records.outcome ELSE excluded.outcome END,
                 superseded_by = CASE WHEN records.version > excluded.version THEN records.superseded_by
                     ELSE excluded.superseded_by END,
                 holds = CASE WHEN records.version > excluded.version THEN records.holds WHEN excluded.holds = 1 THEN 1
                     WHEN excluded.outcome = 'unchanged' AND records.email = excluded.email THEN records.holds ELSE 0 END,
                 version = CASE WHEN records.version > excluded.version THEN records.version ELSE excluded.version END;\n",
        );
    }
}

/// Appends statements that put the writes into the outbox.
fn push_outbox(query: &mut QueryBuilder<Sqlite>, run: &RunId, sends: &[Send<'_>]) {
    const COLUMNS: &[&str] = &[
        "email",
        "record",
        "version",
        "write",
        "properties",
        "fingerprint",
        "size",
        "kind",
        "rides",
    ];
    for chunk in chunks(sends) {
        push_table(query, "sends", COLUMNS, chunk, |values, send| {
            values.push_bind(send.email);
            values.push_bind(send.record);
            values.push_bind(send.version);
            values.push_bind(send.write);
            values.push_bind(send.properties);
            values.push_bind(send.fingerprint);
            values.push_bind(send.size);
            values.push_bind(send.kind.name());
            values.push_bind(send.rides);
        });
        query.push(
            "INSERT INTO outbox (connection, mapping, run_id, email, record_id, version, write, properties, fingerprint,
                 size, kind, rides)
             SELECT runs.connection, runs.mapping, runs.id, email, record, version, write, properties, fingerprint,
                 size, kind, rides FROM sends, runs WHERE email IS NOT NULL AND runs.id = ",
        );
        query.push_bind(run.as_str()).push(";\n");
    }
}

async fn execute(tx: &mut SqliteConnection, mut statements: QueryBuilder<Sqlite>) -> Result<()> {
    if !statements.sql().as_str().is_empty() {
        statements.build().execute(tx).await?;
    }
    Ok(())
}

/// A contact that is in step with a record by its link may get older values yet, of a write that is under way: then the record
/// is synced once more behind it.
async fn sync_once_more(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    rows: &[PlannedRow],
    now: i64,
) -> Result<()> {
    let unchanged: Vec<(&Email, &RecordId)> = rows
        .iter()
        .filter(|planned| planned.plan == Planned::Unchanged)
        .filter_map(|planned| Some((planned.email.as_ref()?, &planned.record)))
        .collect();
    for (email, record) in unchanged {
        let under_way: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM outbox WHERE email = $1 AND run_id = $2
                 AND id <= CASE kind WHEN 'import' THEN $3 ELSE $4 END LIMIT 1",
        )
        .bind(email.as_str())
        .bind(run.as_str())
        .bind(row.taken(BatchKind::Import))
        .bind(row.taken(BatchKind::Single))
        .fetch_optional(&mut *tx)
        .await?;
        if under_way.is_some() {
            upsert(tx, &row.job(run, record.clone()), now).await?;
        }
    }
    Ok(())
}

/// The contacts that records of a page leave go to whoever is next in line by now.
async fn ask_heirs(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    page: &PagePlan,
    now: i64,
) -> Result<()> {
    let Some(any) = page.rows.first().filter(|_| !page.leaves.is_empty()) else {
        return Ok(());
    };
    let sends = |planned: &&PlannedRow| matches!(planned.plan, Planned::Send { .. });
    let sent = page.rows.iter().filter(sends);
    let sent = sent.map(|planned| &planned.record).collect();
    let like = row.job(run, any.record.clone());
    hand_on(tx, &like, (&page.leaves, page.heir), &sent, now).await
}

/// A write with what the outbox wants of it.
struct Send<'a> {
    email: &'a str,
    record: &'a str,
    version: i64,
    write: &'a str,
    properties: Option<&'a str>,
    fingerprint: &'a str,
    rides: Option<&'a str>,
    size: u32,
    kind: BatchKind,
}

impl<'a> Send<'a> {
    fn of(row: &'a PlannedRow) -> Option<Self> {
        match (&row.plan, &row.email) {
            (
                Planned::Send {
                    write_json,
                    properties_json,
                    fingerprint,
                    rides_json,
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
                rides: rides_json.as_deref(),
                size: *size,
                kind: if *single {
                    BatchKind::Single
                } else {
                    BatchKind::Import
                },
            }),
            _ => None,
        }
    }
}

/// The effects of a page's records, in the same transaction as their writes. A record that does not get its contact gives
/// up those it had.
async fn plan_effects(
    tx: &mut SqliteConnection,
    row: &RunRow,
    page: &PagePlan,
    now: i64,
) -> Result<()> {
    let (connection, mapping) = (&row.connection, &row.mapping);
    let gets_contact = |record: &RecordId| {
        page.rows.iter().any(|row| {
            row.record == *record && matches!(row.plan, Planned::Send { .. } | Planned::Unchanged)
        })
    };
    for plan in page
        .effects
        .iter()
        .filter(|plan| gets_contact(&plan.record))
    {
        plan_in(tx, connection, mapping, plan, now).await?;
    }
    for state in page
        .states
        .iter()
        .filter(|state| gets_contact(&state.record))
    {
        keep_state(tx, connection, mapping, state).await?;
    }
    let (connection, mapping) = (connection.as_str(), mapping.as_str());
    let without = page
        .rows
        .iter()
        .filter(|row| matches!(row.plan, Planned::Superseded { .. } | Planned::Skipped));
    if row.effects_open {
        for row in without {
            void(tx, connection, mapping, row.record.as_str(), now).await?;
        }
    }
    Ok(())
}

/// Failures go to the queue; jobs that had failed for records that now need nothing are done.
async fn settle_jobs(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    rows: &[PlannedRow],
    now: i64,
) -> Result<()> {
    let (mut failures, mut resolved) = (Vec::new(), Vec::new());
    for planned in rows {
        match &planned.plan {
            Planned::Failed {
                problem,
                contact_id,
                attempt,
            } => failures.push(FailedRecord {
                record: planned.record.clone(),
                email: planned.email.clone(),
                contact_id: contact_id.clone(),
                problem: problem.clone(),
                attempt: attempt.clone(),
            }),
            plan if plan.needs_nothing() => resolved.push(&planned.record),
            _ => {}
        }
    }
    if row.unresolved {
        resolve(tx, row, &resolved, now).await?;
    }
    fail(tx, run, row, &failures, now).await
}
