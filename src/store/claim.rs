//! Claiming jobs: whose turn it is, leases, and when there will be something to do.

use super::Store;
use super::error::Result;
use super::rows::{JOB, job, time};
use super::sqlite::READY;
use crate::model::{ConnectionName, Job, JobId, Trigger};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use std::sync::atomic::Ordering;

/// How long a claim holds without a heartbeat, in microseconds.
const LEASE: i64 = 30_000_000;

/// Waits that end are turned into ready jobs so many at a time.
const WAKE_SLICE: i64 = 500;

/// A job that this worker holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub job: Job,
    /// Goes with every later write about the job: a stale one changes nothing.
    pub epoch: i64,
    /// Attempts since the job was last made by a trigger or a person: what the backoff goes by.
    pub tries: u32,
    pub lease_until: Timestamp,
}

impl Store {
    /// Takes up to `limit` jobs of the connections, in turn; within one by urgency, then age. Every tenth claim
    /// takes the oldest job of the lowest class. Leases that ran out are rescued first.
    pub async fn claim(
        &self,
        worker: &str,
        connections: &[ConnectionName],
        limit: u32,
    ) -> Result<Vec<Claim>> {
        if limit == 0 || connections.is_empty() || !self.is_anything_due(connections).await? {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        rescue(&mut tx, now).await?;
        for connection in connections {
            wake(&mut tx, connection, now).await?;
        }
        let first = self.inner.claims.load(Ordering::Relaxed);
        let chosen = choose(&mut tx, connections, limit, first).await?;
        let mut claims = Vec::with_capacity(chosen.len());
        for seq in chosen {
            claims.push(take(&mut tx, seq, worker, now).await?);
        }
        self.commit(tx).await?;
        let claimed = u64::try_from(claims.len()).unwrap_or(0);
        self.inner.claims.fetch_add(claimed, Ordering::Relaxed);
        Ok(claims)
    }

    /// Prolongs leases; returns the jobs that are no longer this worker's.
    pub async fn heartbeat(&self, held: &[(JobId, i64)]) -> Result<Vec<JobId>> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let mut lost = Vec::new();
        for (id, epoch) in held {
            let done = sqlx::query(
                "UPDATE jobs SET lease_until = $1 WHERE id = $2 AND epoch = $3 AND state = 'running'",
            )
            .bind(now + LEASE)
            .bind(id.as_str())
            .bind(epoch)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 0 {
                lost.push(id.clone());
            }
        }
        tx.commit().await?;
        Ok(lost)
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

    /// The next moment at which a claim may find something: now if a job is ready, else the end of a wait or
    /// of a lease; `None` if only a new job can change that.
    pub async fn next_due(&self, connections: &[ConnectionName]) -> Result<Option<Timestamp>> {
        let mut next: Option<i64> =
            sqlx::query_scalar("SELECT min(lease_until) FROM jobs WHERE state = 'running'")
                .fetch_one(self.readers())
                .await?;
        for connection in connections {
            let ready: Option<i64> = sqlx::query_scalar(
                "SELECT seq FROM jobs WHERE state = 'ready' AND connection = $1 LIMIT 1",
            )
            .bind(connection.as_str())
            .fetch_optional(self.readers())
            .await?;
            if ready.is_some() {
                return Ok(Some(self.now()));
            }
            let due: Option<i64> = sqlx::query_scalar(
                "SELECT min(wait_until) FROM jobs WHERE state = 'waiting' AND connection = $1",
            )
            .bind(connection.as_str())
            .fetch_one(self.readers())
            .await?;
            next = next.into_iter().chain(due).min();
        }
        next.map(time).transpose()
    }

    /// A look without the write lock, so that an idle worker writes nothing.
    async fn is_anything_due(&self, connections: &[ConnectionName]) -> Result<bool> {
        // The clock is read after the look: what is ready is due at the moment of the look.
        let due = self.next_due(connections).await?;
        Ok(due.is_some_and(|due| due <= self.now()))
    }
}

/// Jobs whose worker is gone are ready again, under a new epoch.
async fn rescue(tx: &mut SqliteConnection, now: i64) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET state = 'ready', epoch = epoch + 1, lease_owner = NULL, lease_until = NULL, follow_up = NULL,
             follow_priority = NULL, updated_at = $1
         WHERE state = 'running' AND lease_until <= $1",
    )
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

async fn wake(tx: &mut SqliteConnection, connection: &ConnectionName, now: i64) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET state = 'ready', wait_reason = NULL, wait_until = NULL, wait_by = NULL, updated_at = $1
         WHERE seq IN (SELECT seq FROM jobs WHERE state = 'waiting' AND connection = $2 AND wait_until <= $1
             ORDER BY wait_until LIMIT $3)",
    )
    .bind(now)
    .bind(connection.as_str())
    .bind(WAKE_SLICE)
    .execute(tx)
    .await?;
    Ok(())
}

/// The rows to claim, connection by connection in turn.
async fn choose(
    tx: &mut SqliteConnection,
    connections: &[ConnectionName],
    limit: u32,
    first: u64,
) -> Result<Vec<i64>> {
    let mut queues = Vec::with_capacity(connections.len());
    for connection in connections {
        queues.push((
            best(tx, connection, false, limit).await?,
            best(tx, connection, true, limit.div_ceil(10)).await?,
        ));
    }
    let turn = usize::try_from(first).unwrap_or(0) % connections.len();
    queues.rotate_left(turn);
    let mut chosen = Vec::new();
    let mut idle = 0;
    for index in (0..connections.len()).cycle() {
        if idle == connections.len() || chosen.len() >= limit as usize {
            break;
        }
        let (urgent, patient) = &queues[index];
        let tenth = (first + chosen.len() as u64) % 10 == 9;
        let order = if tenth {
            [patient, urgent]
        } else {
            [urgent, patient]
        };
        match order
            .into_iter()
            .flatten()
            .find(|seq| !chosen.contains(*seq))
        {
            Some(seq) => {
                chosen.push(*seq);
                idle = 0;
            }
            None => idle += 1,
        }
    }
    Ok(chosen)
}

/// The first ready jobs of a connection: class by class, within one the oldest first.
async fn best(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    lowest_first: bool,
    limit: u32,
) -> Result<Vec<i64>> {
    let mut classes: Vec<i64> = (0..=Trigger::Manual.priority()).collect();
    if !lowest_first {
        classes.reverse();
    }
    let mut seqs: Vec<i64> = Vec::new();
    for class in classes {
        let wanted = i64::from(limit) - i64::try_from(seqs.len()).unwrap_or(0);
        if wanted <= 0 {
            break;
        }
        let found: Vec<i64> = sqlx::query_scalar(READY)
            .bind(connection.as_str())
            .bind(class)
            .bind(wanted)
            .fetch_all(&mut *tx)
            .await?;
        seqs.extend(found);
    }
    Ok(seqs)
}

async fn take(tx: &mut SqliteConnection, seq: i64, worker: &str, now: i64) -> Result<Claim> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "UPDATE jobs SET state = 'running', lease_owner = $1, lease_until = $2, epoch = epoch + 1, updated_at = $3
         WHERE seq = $4 RETURNING {JOB}, epoch, tries, lease_until"
    )))
    .bind(worker)
    .bind(now + LEASE)
    .bind(now)
    .bind(seq)
    .fetch_one(tx)
    .await?;
    Ok(Claim {
        job: job(&row)?,
        epoch: row.try_get("epoch")?,
        tries: row.try_get("tries")?,
        lease_until: time(row.try_get("lease_until")?)?,
    })
}

impl Store {
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
