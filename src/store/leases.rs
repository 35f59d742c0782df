//! How long a claim holds: leases are prolonged while their job runs, given back, or run out.

use super::Store;
use super::enqueue::{NewJob, upsert_changed};
use super::error::Result;
use super::rows::{JOB, chunks, job, time};
use crate::model::{JobId, Trigger};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, SqliteConnection};
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a claim holds without a heartbeat, in microseconds (sync.md, Jobs).
pub(super) const LEASE: i64 = 30_000_000;

impl Store {
    /// How long a claim holds without a heartbeat.
    pub fn lease_time(&self) -> Duration {
        Duration::from_micros(self.lease_micros().unsigned_abs())
    }

    /// Shortens the leases of this process's claims, so that a rehearsal need not wait for them. A lease shorter than a
    /// request's timeout is prolonged before each send.
    pub fn set_lease_time(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap_or(LEASE).max(1);
        self.inner.lease.store(micros, Ordering::Relaxed);
    }

    pub(super) fn lease_micros(&self) -> i64 {
        self.inner.lease.load(Ordering::Relaxed)
    }

    /// Prolongs leases; returns the jobs that are no longer this worker's.
    pub async fn heartbeat(&self, held: &[(JobId, i64)]) -> Result<Vec<JobId>> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin_quiet().await?;
        let mut kept: HashSet<(String, i64)> = HashSet::with_capacity(held.len());
        for chunk in chunks(held) {
            let mut query = QueryBuilder::new("UPDATE jobs SET lease_until = ");
            query.push_bind(now + self.lease_micros());
            query.push(" WHERE state = 'running' AND (id, epoch) IN (");
            query.push_values(chunk, |mut values, (id, epoch)| {
                values.push_bind(id.as_str());
                values.push_bind(*epoch);
            });
            query.push(") RETURNING id, epoch");
            for row in query.build().fetch_all(&mut *tx).await? {
                kept.insert((row.try_get(0)?, row.try_get(1)?));
            }
        }
        tx.commit().await?;
        let lost = held
            .iter()
            .filter(|(id, epoch)| !kept.contains(&(id.as_str().to_owned(), *epoch)));
        Ok(lost.map(|(id, _)| id.clone()).collect())
    }

    /// Gives a claimed job back, because the process ends: it is due at once. With `until`, something may still be on its
    /// way to the contact: then the lease lasts to that time, so that whoever takes the job sends after it.
    pub async fn give_back(&self, id: &JobId, epoch: i64, until: Option<Timestamp>) -> Result<()> {
        self.give_back_many(&[(id, epoch)], until).await
    }

    /// As [`Store::give_back`], for many jobs in one transaction.
    pub async fn give_back_many(
        &self,
        jobs: &[(&JobId, i64)],
        until: Option<Timestamp>,
    ) -> Result<()> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        for (id, epoch) in jobs {
            sqlx::query(
                "UPDATE jobs SET lease_until = $1 WHERE id = $2 AND epoch = $3 AND state = 'running'",
            )
            .bind(until.map_or(now, Timestamp::as_microsecond))
            .bind(id.as_str())
            .bind(epoch)
            .execute(&mut *tx)
            .await?;
        }
        rescue(&mut tx, now).await?;
        self.commit(tx).await
    }

    /// True while a claim's epoch is current: to be asked just before a request leaves. The answer is the moment
    /// at which the lease ends.
    pub async fn lease(&self, id: &JobId, epoch: i64) -> Result<Option<Timestamp>> {
        let until: Option<i64> = sqlx::query_scalar(
            "SELECT lease_until FROM jobs WHERE id = $1 AND epoch = $2 AND state = 'running'",
        )
        .bind(id.as_str())
        .bind(epoch)
        .fetch_optional(self.readers())
        .await?
        .flatten();
        until.map(time).transpose()
    }

    /// Owners of leases that have not run out: workers and exports at work.
    pub async fn lease_owners(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(
            "SELECT lease_owner FROM jobs WHERE state = 'running' AND lease_until > $1 AND lease_owner IS NOT NULL
             UNION SELECT owner FROM runs WHERE state = 'running' AND owner_until > $1 AND owner IS NOT NULL",
        )
        .bind(self.now_micros())
        .fetch_all(self.readers())
        .await?)
    }
}

/// Jobs whose worker is gone are ready again, under a new epoch; a change that was announced meanwhile lends them its
/// urgency.
pub(super) async fn rescue(tx: &mut SqliteConnection, now: i64) -> Result<u64> {
    let followed = sqlx::query(AssertSqlSafe(format!(
        "SELECT {JOB}, follow_up, changed_at FROM jobs WHERE state = 'running' AND lease_until <= $1 AND follow_up IS NOT NULL"
    )))
    .bind(now)
    .fetch_all(&mut *tx)
    .await?;
    let rescued = sqlx::query(
        "UPDATE jobs SET state = 'ready', epoch = epoch + 1, lease_owner = NULL, lease_until = NULL, follow_up = NULL,
             follow_priority = NULL, updated_at = $1
         WHERE state = 'running' AND lease_until <= $1",
    )
    .bind(now)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    for row in &followed {
        let job = job(row)?;
        let follow_up: String = row.try_get("follow_up")?;
        let changed_at: Option<i64> = row.try_get("changed_at")?;
        let again = NewJob {
            connection: job.connection,
            mapping: job.mapping,
            object: job.object,
            record: job.record,
            trigger: Trigger::from(follow_up),
            not_before: None,
        };
        upsert_changed(tx, &again, now, changed_at).await?;
    }
    Ok(rescued)
}
