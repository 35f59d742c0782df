//! New jobs. Changes of a record coalesce into its open job; one that arrives while the job runs makes a
//! follow-up when the job is settled.

use super::claim::UNTIMED;
use super::error::Result;
use super::rows::{to_json, trigger_kind, trigger_run, wire};
use super::{Store, StoreError};
use crate::model::filter::searched_parts;
use crate::model::{
    ConnectionName, Job, JobId, MappingName, ObjectKey, Problem, RecordId, Trigger,
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

/// A record that is to be synced.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    pub connection: ConnectionName,
    pub mapping: MappingName,
    pub object: ObjectKey,
    pub record: RecordId,
    pub trigger: Trigger,
    /// Not to be claimed before then.
    pub not_before: Option<Timestamp>,
}

impl NewJob {
    /// A job that is due at once.
    pub fn new(
        connection: &ConnectionName,
        mapping: &MappingName,
        object: &ObjectKey,
        record: RecordId,
        trigger: Trigger,
    ) -> Self {
        Self {
            connection: connection.clone(),
            mapping: mapping.clone(),
            object: object.clone(),
            record,
            trigger,
            not_before: None,
        }
    }

    /// A job that follows from another one, for a record of the same mapping.
    pub fn after(job: &Job, record: RecordId, trigger: Trigger) -> Self {
        Self::new(&job.connection, &job.mapping, &job.object, record, trigger)
    }
}

/// One try at a job, as its maker reports it; the store numbers it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAttempt {
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Host and process that made it.
    pub worker: String,
    /// Redacted; what exceeds 4 KiB is cut off.
    pub request: Option<String>,
    /// Redacted; what exceeds 4 KiB is cut off.
    pub response: Option<String>,
    /// What was done all the same, and a person should know of.
    pub warning: Option<String>,
    /// Fingerprint of the mapping's configuration.
    pub mapping_hash: String,
}

impl Store {
    /// Makes a job, or makes the record's open job due again; returns its id. The more urgent of both triggers
    /// counts. A job that runs gets a follow-up instead.
    pub async fn enqueue(&self, job: &NewJob) -> Result<JobId> {
        let mut ids = self.enqueue_many(std::slice::from_ref(job)).await?;
        ids.pop().ok_or(StoreError::Missing {
            what: "job for record",
            id: job.record.to_string(),
        })
    }

    /// As [`Store::enqueue`], all or none; the ids stand in the order of the jobs.
    pub async fn enqueue_many(&self, jobs: &[NewJob]) -> Result<Vec<JobId>> {
        let jobs: Vec<_> = jobs.iter().map(|job| (job, None)).collect();
        self.enqueue_all(&jobs).await
    }

    /// As [`Store::enqueue_many`], for records of which it is known that their values changed: when, by HighLevel's clock, or
    /// `None` if that was not told.
    pub async fn enqueue_changed(
        &self,
        jobs: &[(NewJob, Option<Timestamp>)],
    ) -> Result<Vec<JobId>> {
        let changed = |at: &Option<Timestamp>| at.map_or(UNTIMED, Timestamp::as_microsecond);
        let jobs: Vec<_> = jobs
            .iter()
            .map(|(job, at)| (job, Some(changed(at))))
            .collect();
        self.enqueue_all(&jobs).await
    }

    async fn enqueue_all(&self, jobs: &[(&NewJob, Option<i64>)]) -> Result<Vec<JobId>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let mut ids = Vec::with_capacity(jobs.len());
        for (job, changed_at) in jobs {
            ids.push(upsert_changed(&mut tx, job, now, *changed_at).await?);
        }
        self.commit(tx).await?;
        Ok(ids)
    }
}

/// Inserts or wakes a job within a transaction.
pub(super) async fn upsert(tx: &mut SqliteConnection, job: &NewJob, now: i64) -> Result<JobId> {
    upsert_changed(tx, job, now, None).await
}

/// As [`upsert`], where it is known when the record changed. Of several changes the newest counts; once a trigger was no such
/// change, none is known until the job has ended.
pub(super) async fn upsert_changed(
    tx: &mut SqliteConnection,
    job: &NewJob,
    now: i64,
    changed_at: Option<i64>,
) -> Result<JobId> {
    let due = job
        .not_before
        .map(Timestamp::as_microsecond)
        .filter(|due| *due > now);
    let waits = due.is_some();
    let id: String = sqlx::query_scalar(
        "INSERT INTO jobs (id, connection, mapping, object, record_id, state, wait_reason, wait_until, wait_by,
             trigger_kind, run_id, priority, search_ids, created_at, updated_at, follow_up, changed_at, told_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, NULL, $16, $14)
         ON CONFLICT (connection, mapping, record_id) WHERE state NOT IN ('done', 'discarded') DO UPDATE SET
             state = CASE jobs.state WHEN 'running' THEN 'running' WHEN 'ready' THEN 'ready' ELSE excluded.state END,
             wait_reason = CASE WHEN jobs.state IN ('running', 'ready') OR excluded.state = 'ready' THEN NULL
                 ELSE coalesce(jobs.wait_reason, excluded.wait_reason) END,
             wait_until = CASE WHEN jobs.state IN ('running', 'ready') OR excluded.state = 'ready' THEN NULL
                 WHEN jobs.wait_until < excluded.wait_until THEN jobs.wait_until ELSE excluded.wait_until END,
             wait_by = CASE WHEN jobs.state IN ('running', 'ready') OR excluded.state = 'ready' THEN NULL
                 ELSE coalesce(jobs.wait_by, excluded.wait_by) END,
             tries = CASE WHEN jobs.state IN ('failed', 'unknown') THEN 0 ELSE jobs.tries END,
             follow_up = CASE WHEN jobs.state <> 'running' THEN NULL
                 WHEN jobs.follow_priority >= excluded.priority THEN jobs.follow_up ELSE $15 END,
             follow_priority = CASE WHEN jobs.state <> 'running' THEN NULL
                 WHEN jobs.follow_priority >= excluded.priority THEN jobs.follow_priority ELSE excluded.priority END,
             trigger_kind = CASE WHEN jobs.state = 'running' OR jobs.priority > excluded.priority
                 THEN jobs.trigger_kind ELSE excluded.trigger_kind END,
             run_id = CASE WHEN jobs.state = 'running' OR jobs.priority > excluded.priority
                 THEN jobs.run_id ELSE excluded.run_id END,
             priority = CASE WHEN jobs.state = 'running' OR jobs.priority > excluded.priority
                 THEN jobs.priority ELSE excluded.priority END,
             object = excluded.object,
             changed_at = CASE WHEN jobs.changed_at >= excluded.changed_at THEN jobs.changed_at
                 WHEN jobs.changed_at < excluded.changed_at THEN excluded.changed_at ELSE NULL END,
             told_at = excluded.told_at,
             updated_at = excluded.updated_at
         RETURNING id",
    )
    .bind(JobId::fresh().as_str())
    .bind(job.connection.as_str())
    .bind(job.mapping.as_str())
    .bind(job.object.as_str())
    .bind(job.record.as_str())
    .bind(if waits { "waiting" } else { "ready" })
    .bind(waits.then_some("scheduled"))
    .bind(due)
    .bind(waits.then(|| trigger_kind(&job.trigger)))
    .bind(trigger_kind(&job.trigger))
    .bind(trigger_run(&job.trigger))
    .bind(job.trigger.priority())
    .bind(searched_parts(job.record.as_str(), None, None))
    .bind(now)
    .bind(String::from(job.trigger.clone()))
    .bind(changed_at)
    .fetch_one(tx)
    .await?;
    Ok(id.into())
}

/// Adds an attempt under the job's next number.
pub(super) async fn insert_attempt(
    tx: &mut SqliteConnection,
    connection: &str,
    job_seq: i64,
    attempt: &NewAttempt,
    outcome: &str,
    error: Option<&Problem>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO attempts (connection, job_seq, number, started_at, ended_at, worker, outcome, error, request, response,
             mapping_hash, warning, edit)
         SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11,
             (SELECT e.number FROM jobs j JOIN record_edits e ON e.connection = j.connection AND e.mapping = j.mapping
                 AND e.record_id = j.record_id AND e.ended_at IS NULL WHERE j.seq = $2)
         FROM attempts WHERE job_seq = $2",
    )
    .bind(connection)
    .bind(job_seq)
    .bind(attempt.started_at.as_microsecond())
    .bind(attempt.ended_at.map(Timestamp::as_microsecond))
    .bind(&attempt.worker)
    .bind(outcome)
    .bind(error.map(to_json).transpose()?)
    .bind(wire(&attempt.request))
    .bind(wire(&attempt.response))
    .bind(&attempt.mapping_hash)
    .bind(&attempt.warning)
    .execute(tx)
    .await?;
    Ok(())
}
