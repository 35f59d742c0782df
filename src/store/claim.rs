//! Claiming jobs: whose turn it is, leases, and when there will be something to do.

use super::Store;
use super::error::Result;
use super::leases::rescue;
use super::open_queues::Open;
use super::pauses::Stops;
use super::rows::{JOB, job, time};
use crate::metrics;
use crate::model::{ConnectionName, Job};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use std::sync::atomic::Ordering;

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
    /// Since when the job could have been claimed, or since its record last changed.
    pub ready_since: Timestamp,
    /// The newest change that led to the job; `None` where a trigger was no change of the record's values.
    pub change: Option<Change>,
}

/// A change of a record as HighLevel announced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// By HighLevel's clock; `None` where it was not told: before we were told, in any case.
    pub happened_at: Option<Timestamp>,
    /// When it was stored, by the store's clock.
    pub told_at: Timestamp,
}

/// So many ready jobs of one mapping, none of them a person's, are worked together.
pub const BACKLOG: u32 = 10;

/// The time of a change that was announced without one. It is later than any other, which counts for nothing until the job
/// has ended.
pub(super) const UNTIMED: i64 = i64::MAX;

/// The class of a person's jobs: never worked together with others.
pub(super) const PERSON: i64 = 3;

impl Store {
    /// Takes up to `limit` jobs of the connections, in turn; within one by urgency, then age. Every tenth claim
    /// takes the oldest job of the lowest class. Leases that ran out are rescued first. What is paused is passed over.
    ///
    /// The commit does not wait for the disk: where the machine itself fails, nobody is left who believes in the claim.
    pub async fn claim(
        &self,
        worker: &str,
        connections: &[ConnectionName],
        limit: u32,
    ) -> Result<Vec<Claim>> {
        self.claim_of(worker, connections, limit, false).await
    }

    /// As [`Store::claim`], without the jobs that [`Store::claim_together`] takes: a mapping with a backlog gives its persons'
    /// jobs only.
    pub async fn claim_singly(
        &self,
        worker: &str,
        connections: &[ConnectionName],
        limit: u32,
    ) -> Result<Vec<Claim>> {
        self.claim_of(worker, connections, limit, true).await
    }

    async fn claim_of(
        &self,
        worker: &str,
        connections: &[ConnectionName],
        limit: u32,
        singly: bool,
    ) -> Result<Vec<Claim>> {
        if limit == 0
            || connections.is_empty()
            || !self.is_anything_due(connections, singly).await?
        {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let rescued = rescue(&mut tx, now).await?;
        for connection in connections {
            wake(&mut tx, connection, now).await?;
        }
        let first = self.inner.claims.load(Ordering::Relaxed);
        let open = self.open_queues(&mut tx, connections, now, singly).await?;
        let chosen = choose(&mut tx, &open, limit, first).await?;
        let mut claims = Vec::with_capacity(chosen.len());
        for seq in chosen {
            claims.push(take(&mut tx, seq, worker, now, now + self.lease_micros()).await?);
        }
        self.commit(tx).await?;
        if rescued > 0 {
            metrics::leases_rescued(rescued);
            tracing::warn!(jobs = rescued, "leases ran out; their jobs are due again");
        }
        let claimed = u64::try_from(claims.len()).unwrap_or(0);
        self.inner.claims.fetch_add(claimed, Ordering::Relaxed);
        Ok(claims)
    }

    /// The next moment at which a claim may find something: now if a job is ready, else the end of a wait, of a pause or
    /// of a lease; `None` if only a new job can change that.
    pub async fn next_due(&self, connections: &[ConnectionName]) -> Result<Option<Timestamp>> {
        self.next_due_of(connections, false).await
    }

    /// As [`Store::next_due`], for [`Store::claim_singly`].
    pub async fn next_due_singly(
        &self,
        connections: &[ConnectionName],
    ) -> Result<Option<Timestamp>> {
        self.next_due_of(connections, true).await
    }

    async fn next_due_of(
        &self,
        connections: &[ConnectionName],
        singly: bool,
    ) -> Result<Option<Timestamp>> {
        let mut reader = self.readers().acquire().await?;
        let now = self.now_micros();
        for queue in self
            .open_queues(&mut reader, connections, now, singly)
            .await?
        {
            if queue.has_ready(&mut reader).await? {
                return Ok(Some(self.now()));
            }
        }
        let stops = Stops::read(&mut reader, now).await?;
        let mut next = stops.next_end(connections).map(Timestamp::as_microsecond);
        let lease: Option<i64> =
            sqlx::query_scalar("SELECT min(lease_until) FROM jobs WHERE state = 'running'")
                .fetch_one(&mut *reader)
                .await?;
        next = next.into_iter().chain(lease).min();
        for connection in connections {
            let due: Option<i64> = sqlx::query_scalar(
                "SELECT min(wait_until) FROM jobs WHERE state = 'waiting' AND connection = $1",
            )
            .bind(connection.as_str())
            .fetch_one(&mut *reader)
            .await?;
            next = next.into_iter().chain(due).min();
        }
        next.map(time).transpose()
    }

    /// A look without the write lock, so that an idle worker writes nothing.
    async fn is_anything_due(&self, connections: &[ConnectionName], singly: bool) -> Result<bool> {
        // The clock is read after the look: what is ready is due at the moment of the look.
        let due = self.next_due_of(connections, singly).await?;
        Ok(due.is_some_and(|due| due <= self.now()))
    }
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
    open: &[Open<'_>],
    limit: u32,
    first: u64,
) -> Result<Vec<i64>> {
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let mut queues = Vec::with_capacity(open.len());
    for queue in open {
        queues.push((
            queue.best(tx, false, limit).await?,
            queue.best(tx, true, limit.div_ceil(10)).await?,
        ));
    }
    let turn = usize::try_from(first).unwrap_or(0) % open.len();
    queues.rotate_left(turn);
    let mut chosen = Vec::new();
    let mut idle = 0;
    for index in (0..open.len()).cycle() {
        if idle == open.len() || chosen.len() >= limit as usize {
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

async fn take(
    tx: &mut SqliteConnection,
    seq: i64,
    worker: &str,
    now: i64,
    lease_until: i64,
) -> Result<Claim> {
    let ready_since: i64 = sqlx::query_scalar("SELECT updated_at FROM jobs WHERE seq = $1")
        .bind(seq)
        .fetch_one(&mut *tx)
        .await?;
    let row = sqlx::query(AssertSqlSafe(format!(
        "UPDATE jobs SET state = 'running', lease_owner = $1, lease_until = $2, epoch = epoch + 1, updated_at = $3
         WHERE seq = $4 RETURNING {}",
        claim_columns()
    )))
    .bind(worker)
    .bind(lease_until)
    .bind(now)
    .bind(seq)
    .fetch_one(tx)
    .await?;
    claim(&row, ready_since)
}

/// The columns of [`claim`].
pub(super) fn claim_columns() -> String {
    format!("{JOB}, epoch, tries, lease_until, changed_at, told_at")
}

/// A claim from a row of [`claim_columns`].
pub(super) fn claim(row: &SqliteRow, ready_since: i64) -> Result<Claim> {
    let changed_at: Option<i64> = row.try_get("changed_at")?;
    let told_at: Option<i64> = row.try_get("told_at")?;
    let change = match (changed_at, told_at) {
        (Some(changed_at), Some(told_at)) => Some(Change {
            happened_at: (changed_at != UNTIMED)
                .then(|| time(changed_at))
                .transpose()?,
            told_at: time(told_at)?,
        }),
        _ => None,
    };
    Ok(Claim {
        job: job(row)?,
        epoch: row.try_get("epoch")?,
        tries: row.try_get("tries")?,
        lease_until: time(row.try_get("lease_until")?)?,
        ready_since: time(ready_since)?,
        change,
    })
}
