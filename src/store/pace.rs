//! How fast the queue moves: what was settled of late, and what is still to go. Both are asked for again and again while
//! somebody looks on, so neither may cost more than what happened since.

use super::Store;
use super::error::Result;
use super::pauses::Stops;
use super::rows::{count, time};
use super::search::scopes;
use super::sqlite::follow;
use crate::model::{ConnectionName, JobState};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};

/// A second in microseconds.
const SECOND: i64 = 1_000_000;
/// Due jobs that still wait are counted up to this number: workers make them ready all the time.
const DUE: i64 = 10_000;

impl Store {
    /// Seconds in which jobs of a connection came to an end (done, failed, unknown) and how many did, the oldest first.
    /// A stretch of one index for each mapping: it costs what was settled since then. A job that is retried leaves the
    /// second in which it had failed.
    pub async fn settled_since(
        &self,
        connection: &ConnectionName,
        since: Timestamp,
    ) -> Result<Vec<(Timestamp, u64)>> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT j.updated_at / $3 AS second, count(*)
             FROM (SELECT DISTINCT mapping, state FROM job_counts
                   WHERE connection = $1 AND state IN ('done', 'failed', 'unknown') AND number > 0) s
             CROSS JOIN jobs j{}
             WHERE j.connection = $1 AND j.mapping = s.mapping AND j.state = s.state AND j.updated_at >= $2
             GROUP BY second ORDER BY second",
            follow("jobs_scope_updated")
        )))
        .bind(connection.as_str())
        .bind(since.as_microsecond())
        .bind(SECOND)
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| Ok((time(row.try_get::<i64, _>(0)? * SECOND)?, count(row, 1)?)))
        .collect()
    }

    /// Jobs of a connection that a worker could be at: ready, running, or waiting for a time that has come. What a pause
    /// stops is left out.
    pub async fn to_go(&self, connection: &ConnectionName) -> Result<u64> {
        let now = self.now_micros();
        let mut reader = self.readers().acquire().await?;
        let stops = Stops::read(&mut reader, now).await?;
        let moves = [JobState::Ready.name(), JobState::Running.name()];
        let mut number: u64 = scopes(&mut reader, &stops)
            .await?
            .iter()
            .filter(|scope| scope.connection == connection.as_str())
            .filter(|scope| moves.contains(&scope.shown()))
            .map(|scope| scope.number.unsigned_abs())
            .sum();
        let due = sqlx::query(AssertSqlSafe(format!(
            "SELECT mapping, count(*) FROM (SELECT mapping FROM jobs{}
                 WHERE connection = $1 AND state = 'waiting' AND wait_until <= $2 LIMIT $3)
             GROUP BY mapping",
            follow("jobs_due")
        )))
        .bind(connection.as_str())
        .bind(now)
        .bind(DUE)
        .fetch_all(&mut *reader)
        .await?;
        for row in &due {
            if stops.on(connection.as_str(), row.try_get(0)?).is_none() {
                number += count(row, 1)?;
            }
        }
        Ok(number)
    }
}
