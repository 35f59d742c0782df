//! Claiming jobs: whose turn it is, leases, and when there will be something to do.

use super::Store;
use super::enqueue::{NewJob, upsert_changed};
use super::error::Result;
use super::pauses::Stops;
use super::rows::{JOB, chunks, job, push_list, time};
use super::sqlite::{BACKLOG_OF, READY, READY_OF};
use crate::metrics;
use crate::model::{ConnectionName, Job, JobId, MappingName, Trigger};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, SqliteConnection};
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a claim holds without a heartbeat, in microseconds (sync.md, Jobs).
pub(super) const LEASE: i64 = 30_000_000;

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
    /// The newest change that led to the job; `None` where a trigger gave no time.
    pub change: Option<Change>,
}

/// A change of a record as HighLevel announced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// By HighLevel's clock.
    pub happened_at: Timestamp,
    /// When it was stored, by the store's clock.
    pub told_at: Timestamp,
}

/// So many ready jobs of one mapping, none of them a person's, are worked together.
pub const BACKLOG: u32 = 10;

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

    /// The connections that are not stopped, without their mappings that are, and those of which another version is in
    /// force than this process has. With `backlogs`, those that have one are told apart.
    pub(super) async fn open_queues<'a>(
        &self,
        reader: &mut SqliteConnection,
        connections: &'a [ConnectionName],
        now: i64,
        backlogs: bool,
    ) -> Result<Vec<Open<'a>>> {
        let stops = Stops::read(reader, now).await?;
        let others = self.versions_of_others(reader).await?;
        let mut open = Vec::with_capacity(connections.len());
        for connection in connections.iter().filter(|one| !stops.on_account(one)) {
            let others = others
                .iter()
                .filter(|version| version.connection == *connection)
                .map(|version| &version.mapping);
            let without = stops.mappings_of(connection).into_iter().chain(others);
            let mut queue = Open {
                connection,
                without: without.cloned().collect(),
                backlogs: Vec::new(),
            };
            if backlogs {
                queue.backlogs = queue.read_backlogs(reader).await?;
            }
            open.push(queue);
        }
        Ok(open)
    }

    /// A look without the write lock, so that an idle worker writes nothing.
    async fn is_anything_due(&self, connections: &[ConnectionName], singly: bool) -> Result<bool> {
        // The clock is read after the look: what is ready is due at the moment of the look.
        let due = self.next_due_of(connections, singly).await?;
        Ok(due.is_some_and(|due| due <= self.now()))
    }
}

/// Jobs whose worker is gone are ready again, under a new epoch; a change that was announced meanwhile lends them its
/// urgency.
async fn rescue(tx: &mut SqliteConnection, now: i64) -> Result<u64> {
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

/// A connection whose jobs may be claimed now, without the mappings that may not.
pub(super) struct Open<'a> {
    pub(super) connection: &'a ConnectionName,
    without: Vec<MappingName>,
    /// Mappings whose jobs are worked together, but for those of persons.
    pub(super) backlogs: Vec<MappingName>,
}

impl Open<'_> {
    async fn has_ready(&self, reader: &mut SqliteConnection) -> Result<bool> {
        if !self.is_whole() {
            for mapping in self.mappings(reader).await? {
                let one = std::slice::from_ref(&mapping);
                if !self.has_backlog(&mapping)
                    || !self
                        .of_class(reader, PERSON, Some(one), 1)
                        .await?
                        .is_empty()
                {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let ready: Option<i64> = sqlx::query_scalar(
            "SELECT seq FROM jobs WHERE state = 'ready' AND connection = $1 LIMIT 1",
        )
        .bind(self.connection.as_str())
        .fetch_optional(reader)
        .await?;
        Ok(ready.is_some())
    }

    /// True if every ready job of the connection may be claimed singly.
    fn is_whole(&self) -> bool {
        self.without.is_empty() && self.backlogs.is_empty()
    }

    fn has_backlog(&self, mapping: &str) -> bool {
        self.backlogs.iter().any(|one| one.as_str() == mapping)
    }

    /// The mappings that may be claimed and have a backlog.
    async fn read_backlogs(&self, reader: &mut SqliteConnection) -> Result<Vec<MappingName>> {
        let many: Vec<String> = sqlx::query_scalar(
            "SELECT mapping FROM job_counts WHERE state = 'ready' AND connection = $1 GROUP BY mapping
             HAVING sum(number) >= $2 ORDER BY mapping",
        )
        .bind(self.connection.as_str())
        .bind(BACKLOG)
        .fetch_all(&mut *reader)
        .await?;
        let mut backlogs = Vec::new();
        for mapping in many.into_iter().map(MappingName::from) {
            if self.without.contains(&mapping) {
                continue;
            }
            // The counts hold persons' jobs, too.
            let number: u32 = sqlx::query_scalar(BACKLOG_OF)
                .bind(self.connection.as_str())
                .bind(mapping.as_str())
                .bind(PERSON)
                .bind(BACKLOG)
                .fetch_one(&mut *reader)
                .await?;
            if number >= BACKLOG {
                backlogs.push(mapping);
            }
        }
        Ok(backlogs)
    }

    /// The mappings with ready jobs that may be claimed, by the kept counts.
    async fn mappings(&self, reader: &mut SqliteConnection) -> Result<Vec<String>> {
        let mut query = QueryBuilder::new(
            "SELECT DISTINCT mapping FROM job_counts WHERE state = 'ready' AND number > 0 AND connection = ",
        );
        query.push_bind(self.connection.as_str());
        if !self.without.is_empty() {
            query.push(" AND mapping NOT IN ");
            push_list(&mut query, self.without.iter().map(MappingName::as_str));
        }
        Ok(query.build_query_scalar().fetch_all(reader).await?)
    }

    /// The first ready jobs: class by class, within one the oldest first.
    async fn best(
        &self,
        tx: &mut SqliteConnection,
        lowest_first: bool,
        limit: u32,
    ) -> Result<Vec<i64>> {
        let mut classes: Vec<i64> = (0..=PERSON).collect();
        if !lowest_first {
            classes.reverse();
        }
        // Where some mappings are left out, the others are read one by one: a million jobs that may not be claimed cost
        // nothing.
        let all = if self.is_whole() {
            None
        } else {
            Some(self.mappings(tx).await?)
        };
        let without_backlog = all.as_ref().map(|all| {
            let others = all.iter().filter(|mapping| !self.has_backlog(mapping));
            others.cloned().collect::<Vec<String>>()
        });
        let mut seqs: Vec<i64> = Vec::new();
        for class in classes {
            let wanted = i64::from(limit) - i64::try_from(seqs.len()).unwrap_or(0);
            if wanted <= 0 {
                break;
            }
            let mappings = if class == PERSON {
                &all
            } else {
                &without_backlog
            };
            seqs.extend(
                self.of_class(tx, class, mappings.as_deref(), wanted)
                    .await?,
            );
        }
        Ok(seqs)
    }

    pub(super) async fn of_class(
        &self,
        tx: &mut SqliteConnection,
        class: i64,
        mappings: Option<&[String]>,
        limit: i64,
    ) -> Result<Vec<i64>> {
        let Some(mappings) = mappings else {
            return Ok(sqlx::query_scalar(READY)
                .bind(self.connection.as_str())
                .bind(class)
                .bind(limit)
                .fetch_all(tx)
                .await?);
        };
        let mut found: Vec<i64> = Vec::new();
        for mapping in mappings {
            let of_mapping: Vec<i64> = sqlx::query_scalar(READY_OF)
                .bind(self.connection.as_str())
                .bind(class)
                .bind(limit)
                .bind(mapping)
                .fetch_all(&mut *tx)
                .await?;
            found.extend(of_mapping);
        }
        found.sort_unstable();
        found.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(found)
    }
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
            happened_at: time(changed_at)?,
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
