//! Records that an export could not bring to their contacts: failed jobs with an attempt, and how a later one resolves them.

use super::effects::NO_OPEN_EFFECT;
use super::enqueue::NewAttempt;
use super::error::Result;
use super::rows::{OPEN, chunks, push_table, to_json, wire};
use super::runs::RunRow;
use crate::model::filter::{searched_error, searched_parts};
use crate::model::group::group;
use crate::model::{ContactId, Email, ErrorClass, JobId, JobState, Problem, RecordId, RunId};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// A record that a run could not bring to its contact.
pub(super) struct FailedRecord {
    pub(super) record: RecordId,
    pub(super) email: Option<Email>,
    pub(super) contact_id: Option<ContactId>,
    pub(super) problem: Problem,
    pub(super) attempt: NewAttempt,
}

impl FailedRecord {
    fn state(&self) -> JobState {
        match self.problem.class {
            ErrorClass::Unknown => JobState::Unknown,
            _ => JobState::Failed,
        }
    }
}

/// Inserts a failed job (unknown, where the problem says so) for each record, or turns its open one into it, with its attempt;
/// within a transaction. Every record at most once.
pub(super) async fn fail(
    tx: &mut SqliteConnection,
    run: &RunId,
    row: &RunRow,
    records: &[FailedRecord],
    now: i64,
) -> Result<()> {
    for chunk in chunks(records) {
        let mut query = QueryBuilder::default();
        push_jobs(&mut query, run, row, chunk, now);
        push_attempts(&mut query, row, chunk)?;
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

fn push_jobs(
    query: &mut QueryBuilder<Sqlite>,
    run: &RunId,
    row: &RunRow,
    records: &[FailedRecord],
    now: i64,
) {
    const COLUMNS: &[&str] = &[
        "id", "record", "contact", "email", "state", "class", "status", "field", "message",
        "remedy", "request", "grp", "ids", "error",
    ];
    push_table(query, "failed", COLUMNS, records, |values, failed| {
        let problem = &failed.problem;
        let contact = failed.contact_id.as_ref().map(ContactId::as_str);
        let email = failed.email.as_ref().map(Email::as_str);
        values.push_bind(JobId::fresh().to_string());
        values.push_bind(failed.record.as_str());
        values.push_bind(contact);
        values.push_bind(email);
        values.push_bind(failed.state().name());
        values.push_bind(problem.class.name());
        values.push_bind(problem.status);
        values.push_bind(problem.field.as_deref());
        values.push_bind(&problem.message);
        values.push_bind(problem.remedy.as_deref());
        values.push_bind(problem.request_id.as_deref());
        values.push_bind(group(problem));
        values.push_bind(searched_parts(failed.record.as_str(), contact, email));
        values.push_bind(searched_error(problem));
    });
    query.push(
        "INSERT INTO jobs (connection, mapping, object, run_id, created_at, updated_at, id, record_id, contact_id, email, state,
             trigger_kind, priority, attempts, tries, error_class, error_status, error_field, error_message, error_remedy,
             error_request, error_group, search_ids, search_error)
         SELECT ",
    );
    let mut common = query.separated(", ");
    common.push_bind(row.connection.as_str());
    common.push_bind(row.mapping.as_str());
    common.push_bind(row.object.as_str());
    common.push_bind(run.as_str());
    common.push_bind(now);
    common.push_bind(now);
    query.push(
        ", id, record, contact, email, state, 'export', 0, 1, 1, class, status, field, message, remedy, request, grp, ids, error
         FROM failed WHERE id IS NOT NULL
         ON CONFLICT (connection, mapping, record_id) WHERE state NOT IN ('done', 'discarded') DO UPDATE SET
             state = excluded.state, wait_reason = NULL, wait_until = NULL, wait_by = NULL,
             object = excluded.object, contact_id = coalesce(excluded.contact_id, jobs.contact_id), email = excluded.email,
             trigger_kind = 'export', run_id = excluded.run_id, priority = 0,
             attempts = jobs.attempts + 1, tries = jobs.tries + 1,
             error_class = excluded.error_class, error_status = excluded.error_status, error_field = excluded.error_field,
             error_message = excluded.error_message, error_remedy = excluded.error_remedy,
             error_request = excluded.error_request, error_group = excluded.error_group,
             search_ids = excluded.search_ids, search_error = excluded.search_error, updated_at = excluded.updated_at
         WHERE jobs.state <> 'running';\n",
    );
}

/// The attempts of the jobs that were made or turned. One that runs was not, and keeps its state.
fn push_attempts(
    query: &mut QueryBuilder<Sqlite>,
    row: &RunRow,
    records: &[FailedRecord],
) -> Result<()> {
    const COLUMNS: &[&str] = &[
        "record", "outcome", "started", "ended", "worker", "error", "request", "response", "hash",
        "warning",
    ];
    let errors: Vec<String> = records
        .iter()
        .map(|failed| to_json(&failed.problem))
        .collect::<Result<_>>()?;
    let tried: Vec<(&FailedRecord, &String)> = records.iter().zip(&errors).collect();
    push_table(
        query,
        "tried",
        COLUMNS,
        &tried,
        |values, (failed, error)| {
            let attempt = &failed.attempt;
            values.push_bind(failed.record.as_str());
            values.push_bind(failed.state().name());
            values.push_bind(attempt.started_at.as_microsecond());
            values.push_bind(attempt.ended_at.map(Timestamp::as_microsecond));
            values.push_bind(&attempt.worker);
            values.push_bind(error.as_str());
            values.push_bind(wire(&attempt.request));
            values.push_bind(wire(&attempt.response));
            values.push_bind(&attempt.mapping_hash);
            values.push_bind(&attempt.warning);
        },
    );
    query.push(
        "INSERT INTO attempts (connection, job_seq, number, started_at, ended_at, worker, outcome, error, request, response,
             mapping_hash, warning, edit)
         SELECT j.connection, j.seq, (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE job_seq = j.seq), started, ended,
             tried.worker, outcome, tried.error, tried.request, tried.response, hash, tried.warning,
             (SELECT e.number FROM record_edits e WHERE e.connection = j.connection AND e.mapping = j.mapping
                 AND e.record_id = j.record_id AND e.ended_at IS NULL)
         FROM tried JOIN jobs j ON j.record_id = tried.record AND j.connection = ",
    );
    query.push_bind(row.connection.as_str());
    query
        .push(" AND j.mapping = ")
        .push_bind(row.mapping.as_str());
    query.push(
        " AND j.state NOT IN ('done', 'discarded') WHERE j.state IN ('failed', 'unknown');\n",
    );
    Ok(())
}

/// Whether a mapping has jobs that an export may resolve; which mapping, a `WHERE` behind it says.
pub(super) const UNRESOLVED: &str = "SELECT coalesce(sum(CASE WHEN state IN ('failed', 'unknown') THEN number END), 0) > 0 FROM job_counts";

/// Failed and unknown jobs of these records become done: an export has brought the records in step. One with an open effect stays.
pub(super) async fn resolve(
    tx: &mut SqliteConnection,
    row: &RunRow,
    records: &[&RecordId],
    now: i64,
) -> Result<()> {
    for chunk in chunks(records) {
        let mut query = QueryBuilder::default();
        push_table(&mut query, "resolved", &["id"], chunk, |values, record| {
            values.push_bind(record.as_str());
        });
        query.push(format!("UPDATE jobs SET {RESOLVED}, updated_at = "));
        query.push_bind(now);
        query.push(format!(
            " WHERE {OPEN} AND state IN ('failed', 'unknown') AND {NO_OPEN_EFFECT} AND connection = "
        ));
        query.push_bind(row.connection.as_str());
        query
            .push(" AND mapping = ")
            .push_bind(row.mapping.as_str());
        query.push(" AND record_id IN (SELECT id FROM resolved)");
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// The assignments that make a job done, beside `updated_at`.
pub(super) const RESOLVED: &str = "state = 'done', error_class = NULL, error_status = NULL, error_field = NULL, error_message = NULL,
     error_remedy = NULL, error_request = NULL, error_group = NULL, search_error = ''";
