//! Pauses: a person's, and those of a breaker that a dead credential opened. Claims pass over what is paused; its due jobs
//! are not touched, and are shown as waiting for as long as the pause lasts.

use super::error::Result;
use super::rows::time;
use super::{SLICE, Store};
use crate::model::export::{Run, RunState};
use crate::model::{ConnectionName, ErrorClass, Job, JobState, MappingName, Pause, PauseKind};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// The time before a broken account is asked again: from 30 s doubling to 5 min (sync.md, error classes).
const FIRST_PROBE: i64 = 30;
pub(super) const LONGEST_PROBE: i64 = 300;

/// The seconds before the next probe, after so many.
fn probe_in(probes: i64) -> SignedDuration {
    let doubled = FIRST_PROBE << probes.clamp(0, 10);
    SignedDuration::from_secs(doubled.min(LONGEST_PROBE))
}

/// A pause that a person sets.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPause {
    pub connection: ConnectionName,
    /// `None` for the whole account.
    pub mapping: Option<MappingName>,
    pub reason: String,
    pub by: String,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

impl Store {
    /// Jobs that wait because a token was refused are due at once: it may be another one now. Returns how many.
    pub async fn hasten_refused(&self) -> Result<u64> {
        let mut number = 0;
        loop {
            let mut writer = self.writer().await;
            let mut tx = writer.begin().await?;
            let slice = sqlx::query(
                "UPDATE jobs SET wait_until = $1
                 WHERE seq IN (SELECT seq FROM jobs WHERE error_class = $2 AND state = 'waiting' AND wait_until > $1 LIMIT $3)",
            )
            .bind(self.now_micros())
            .bind(ErrorClass::Auth.name())
            .bind(SLICE)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            self.commit(tx).await?;
            number += slice;
            if slice < u64::from(SLICE) {
                return Ok(number);
            }
        }
    }

    /// The pauses that are in force now, accounts before their mappings.
    pub async fn pauses(&self) -> Result<Vec<Pause>> {
        let mut reader = self.readers().acquire().await?;
        Ok(Stops::read(&mut reader, self.now_micros()).await?.pauses)
    }

    /// The pauses in force that stop a mapping: its own and its account's.
    pub async fn pauses_on(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<Vec<Pause>> {
        let mut pauses = self.pauses().await?;
        pauses.retain(|pause| pause.stops(connection.as_str(), mapping.as_str()));
        Ok(pauses)
    }

    /// Sets a person's pause; one for the same account or mapping is replaced.
    pub async fn pause(&self, pause: &NewPause) -> Result<()> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "INSERT INTO pauses (connection, mapping, kind, reason, set_by, since, until)
             VALUES ($1, $2, 'person', $3, $4, $5, $6)
             ON CONFLICT (connection, mapping, kind) DO UPDATE SET reason = excluded.reason, set_by = excluded.set_by,
                 since = excluded.since, until = excluded.until",
        )
        .bind(pause.connection.as_str())
        .bind(pause.mapping.as_ref().map_or("", MappingName::as_str))
        .bind(&pause.reason)
        .bind(&pause.by)
        .bind(now)
        .bind(pause.until.map(Timestamp::as_microsecond))
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Ends the pauses of a mapping, or those of an account; of either kind. Answers with those that were in force.
    pub async fn resume(
        &self,
        connection: &ConnectionName,
        mapping: Option<&MappingName>,
    ) -> Result<Vec<Pause>> {
        let now = self.now_micros();
        let mapping = mapping.map_or("", MappingName::as_str);
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let mut ended = Stops::read(&mut tx, now).await?.pauses;
        ended.retain(|pause| {
            pause.connection == *connection
                && pause.mapping.as_ref().map_or("", MappingName::as_str) == mapping
        });
        sqlx::query("DELETE FROM pauses WHERE connection = $1 AND mapping = $2")
            .bind(connection.as_str())
            .bind(mapping)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await?;
        Ok(ended)
    }

    /// Stops an account whose credential is refused everywhere. False if it was stopped already: whoever opened the
    /// breaker tells of it, nobody else.
    pub async fn open_breaker(
        &self,
        connection: &ConnectionName,
        reason: &str,
        by: &str,
    ) -> Result<bool> {
        let now = self.now();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let opened = sqlx::query(
            "INSERT INTO pauses (connection, mapping, kind, reason, set_by, since, probe_at)
             VALUES ($1, '', 'breaker', $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(connection.as_str())
        .bind(reason)
        .bind(by)
        .bind(now.as_microsecond())
        .bind((now + probe_in(0)).as_microsecond())
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        if opened {
            self.commit(tx).await?;
        }
        Ok(opened)
    }

    /// Another credential of a stopped account is refused now, and the one that stopped it is accepted. False if nothing stops
    /// it.
    pub async fn turn_breaker(
        &self,
        connection: &ConnectionName,
        reason: &str,
        by: &str,
    ) -> Result<bool> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let turned = sqlx::query(
            "UPDATE pauses SET reason = $2, set_by = $3, since = $4
             WHERE connection = $1 AND mapping = '' AND kind = 'breaker'",
        )
        .bind(connection.as_str())
        .bind(reason)
        .bind(by)
        .bind(self.now_micros())
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        if turned {
            self.commit(tx).await?;
        }
        Ok(turned)
    }

    /// Lets an account go on whose credential is accepted again. False if nothing stopped it.
    pub async fn close_breaker(&self, connection: &ConnectionName) -> Result<bool> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let closed = sqlx::query(
            "DELETE FROM pauses WHERE connection = $1 AND mapping = '' AND kind = 'breaker'",
        )
        .bind(connection.as_str())
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        if closed {
            self.commit(tx).await?;
        }
        Ok(closed)
    }

    /// The broken accounts that this process is to ask now: one process asks at a time, at growing intervals. With
    /// `at_once`, because credentials changed, their time does not matter.
    pub async fn take_probes(
        &self,
        connections: &[ConnectionName],
        at_once: bool,
    ) -> Result<Vec<ConnectionName>> {
        if self
            .next_probe(connections)
            .await?
            .is_none_or(|at| at > self.now() && !at_once)
        {
            return Ok(Vec::new());
        }
        let now = self.now();
        let mut taken = Vec::new();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        for connection in connections {
            let probes: Option<i64> = sqlx::query_scalar(
                "UPDATE pauses SET probes = probes + 1
                 WHERE connection = $1 AND kind = 'breaker' AND (probe_at <= $2 OR $3) RETURNING probes",
            )
            .bind(connection.as_str())
            .bind(now.as_microsecond())
            .bind(at_once)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some(probes) = probes {
                sqlx::query(
                    "UPDATE pauses SET probe_at = $1 WHERE connection = $2 AND kind = 'breaker'",
                )
                .bind((now + probe_in(probes)).as_microsecond())
                .bind(connection.as_str())
                .execute(&mut *tx)
                .await?;
                taken.push(connection.clone());
            }
        }
        self.commit(tx).await?;
        Ok(taken)
    }

    /// The next moment at which one of the accounts is to be asked; `None` while none is broken.
    pub async fn next_probe(&self, connections: &[ConnectionName]) -> Result<Option<Timestamp>> {
        let rows = sqlx::query("SELECT connection, probe_at FROM pauses WHERE kind = 'breaker'")
            .fetch_all(self.readers())
            .await?;
        let mut next = None;
        for row in &rows {
            let name: &str = row.try_get(0)?;
            if connections
                .iter()
                .any(|connection| connection.as_str() == name)
            {
                let at = row.try_get::<Option<i64>, _>(1)?.unwrap_or(0);
                next = next.into_iter().chain([at]).min();
            }
        }
        next.map(time).transpose()
    }
}

/// The pauses in force at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops {
    /// Persons' before breakers': the first that stops a job is the one it is shown to wait for.
    pub(super) pauses: Vec<Pause>,
}

impl Stops {
    pub(super) async fn read(reader: &mut SqliteConnection, now: i64) -> Result<Self> {
        let pauses = sqlx::query(
            "SELECT connection, mapping, kind, reason, set_by, since, until, probe_at FROM pauses
             WHERE until IS NULL OR until > $1 ORDER BY kind DESC, connection, mapping",
        )
        .bind(now)
        .fetch_all(reader)
        .await?
        .iter()
        .map(pause)
        .collect::<Result<_>>()?;
        Ok(Self { pauses })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pauses.is_empty()
    }

    /// What stops the jobs of a mapping.
    pub(super) fn on(&self, connection: &str, mapping: &str) -> Option<&Pause> {
        self.pauses
            .iter()
            .find(|pause| pause.stops(connection, mapping))
    }

    /// True if a whole account is stopped.
    pub(super) fn on_account(&self, connection: &ConnectionName) -> bool {
        self.pauses
            .iter()
            .any(|pause| pause.connection == *connection && pause.mapping.is_none())
    }

    /// The mappings of an account that are stopped by themselves.
    pub(super) fn mappings_of(&self, connection: &ConnectionName) -> Vec<&MappingName> {
        self.pauses
            .iter()
            .filter(|pause| pause.connection == *connection)
            .filter_map(|pause| pause.mapping.as_ref())
            .collect()
    }

    /// The next end of a pause of these accounts.
    pub(super) fn next_end(&self, connections: &[ConnectionName]) -> Option<Timestamp> {
        self.pauses
            .iter()
            .filter(|pause| {
                pause.kind == PauseKind::Person && connections.contains(&pause.connection)
            })
            .filter_map(|pause| pause.until)
            .min()
    }

    /// A job that is due under a pause waits for its end.
    pub(super) fn shown(&self, mut job: Job) -> Job {
        if job.state == JobState::Ready
            && let Some(pause) = self.on(job.connection.as_str(), job.mapping.as_str())
        {
            job.state = JobState::Waiting;
            job.waiting = Some(pause.waiting());
        }
        job
    }

    /// A run at work under a pause waits for its end; a dry run sends nothing and goes on.
    pub(super) fn shown_run(&self, mut run: Run) -> Run {
        if run.state == RunState::Running
            && !run.options.dry_run
            && let Some(pause) = self.on(run.connection.as_str(), run.mapping.as_str())
        {
            run.waiting = Some(pause.waiting());
        }
        run
    }

    /// The condition that a job is due and stopped; with `kind`, that a pause of that kind is what it waits for.
    pub(super) fn push_stopped(&self, query: &mut QueryBuilder<Sqlite>, kind: Option<PauseKind>) {
        query.push("(state = 'ready' AND (FALSE");
        self.push_scopes(query, kind);
        query.push(")");
        if kind == Some(PauseKind::Breaker) {
            query.push(" AND NOT (FALSE");
            self.push_scopes(query, Some(PauseKind::Person));
            query.push(")");
        }
        query.push(")");
    }

    fn push_scopes(&self, query: &mut QueryBuilder<Sqlite>, kind: Option<PauseKind>) {
        let pauses = self
            .pauses
            .iter()
            .filter(|pause| kind.is_none_or(|kind| pause.kind == kind));
        for pause in pauses {
            query.push(" OR (connection = ");
            query.push_bind(pause.connection.as_str().to_owned());
            if let Some(mapping) = &pause.mapping {
                query.push(" AND mapping = ");
                query.push_bind(mapping.as_str().to_owned());
            }
            query.push(")");
        }
    }
}

fn pause(row: &SqliteRow) -> Result<Pause> {
    let mapping: &str = row.try_get(1)?;
    let kind = PauseKind::from_name(row.try_get(2)?).unwrap_or(PauseKind::Person);
    let until = row.try_get::<Option<i64>, _>(6)?;
    let probe = row.try_get::<Option<i64>, _>(7)?;
    Ok(Pause {
        connection: row.try_get::<String, _>(0)?.into(),
        mapping: (!mapping.is_empty()).then(|| mapping.into()),
        kind,
        reason: row.try_get(3)?,
        by: row.try_get(4)?,
        since: time(row.try_get(5)?)?,
        until: until.or(probe).map(time).transpose()?,
    })
}
