//! What is due at times: polls, scheduled exports, reconciles. A timer is claimed by one process, which moves it on when the
//! work is done; if that process dies, the time is still due, so that a missed run is caught up, once.

use super::Store;
use super::error::{Result, StoreError};
use super::rows::time;
use crate::model::{ConnectionName, MappingName};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// How long a claim holds without [`Store::keep_timer`], in microseconds.
pub(super) const LEASE: i64 = 60_000_000;

/// What a mapping has to do at times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// Looking for changed records.
    Poll,
    /// A scheduled export.
    Schedule,
    /// The daily comparison with what was announced.
    Reconcile,
}

impl Duty {
    /// The name in the store and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Schedule => "schedule",
            Self::Reconcile => "reconcile",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Poll, Self::Schedule, Self::Reconcile]
            .into_iter()
            .find(|duty| duty.name() == name)
    }
}

/// Names a timer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    pub connection: ConnectionName,
    pub mapping: MappingName,
    pub duty: Duty,
}

/// A timer as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Timer {
    pub key: TimerKey,
    /// What the time follows from, such as a cron expression with its time zone.
    pub spec: String,
    pub due_at: Timestamp,
    /// When it was last moved on.
    pub done_at: Option<Timestamp>,
    /// Who works on it.
    pub owner: Option<String>,
    pub lease_until: Option<Timestamp>,
}

const TIMER: &str = "connection, mapping, duty, spec, due_at, done_at, owner, lease_until";

impl Store {
    /// All timers.
    pub async fn timers(&self) -> Result<Vec<Timer>> {
        sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {TIMER} FROM timers")))
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(timer)
            .collect()
    }

    /// Sets a timer that is not there, or was made by another `spec`, to its first time; one that is there already stays.
    pub async fn set_timer(&self, key: &TimerKey, spec: &str, first: Timestamp) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "INSERT INTO timers (connection, mapping, duty, spec, due_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (connection, mapping, duty) DO UPDATE SET spec = excluded.spec, due_at = excluded.due_at,
                 owner = NULL, lease_until = NULL WHERE timers.spec <> excluded.spec",
        )
        .bind(key.connection.as_str())
        .bind(key.mapping.as_str())
        .bind(key.duty.name())
        .bind(spec)
        .bind(first.as_microsecond())
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Brings a timer forward that is due later.
    pub async fn bring_timer_forward(&self, key: &TimerKey, due: Timestamp) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "UPDATE timers SET due_at = $1 WHERE connection = $2 AND mapping = $3 AND duty = $4 AND due_at > $1",
        )
        .bind(due.as_microsecond())
        .bind(key.connection.as_str())
        .bind(key.mapping.as_str())
        .bind(key.duty.name())
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Forgets a timer: the mapping has no such duty any more.
    pub async fn drop_timer(&self, key: &TimerKey) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query("DELETE FROM timers WHERE connection = $1 AND mapping = $2 AND duty = $3")
            .bind(key.connection.as_str())
            .bind(key.mapping.as_str())
            .bind(key.duty.name())
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// Takes a timer that is due, for a minute; `None` if it is not due, or another process has it. `dead` is an owner whose
    /// process is known to be gone.
    pub async fn claim_timer(
        &self,
        key: &TimerKey,
        owner: &str,
        dead: Option<&str>,
    ) -> Result<Option<Timer>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE timers SET owner = $1, lease_until = $2
             WHERE connection = $3 AND mapping = $4 AND duty = $5 AND due_at <= $6
                 AND (owner IS NULL OR lease_until <= $6 OR owner = $7) RETURNING {TIMER}"
        )))
        .bind(owner)
        .bind(now + LEASE)
        .bind(key.connection.as_str())
        .bind(key.mapping.as_str())
        .bind(key.duty.name())
        .bind(now)
        .bind(dead)
        .fetch_optional(&mut *tx)
        .await?;
        let claimed = row.as_ref().map(timer).transpose()?;
        if claimed.is_some() {
            self.commit(tx).await?;
        }
        Ok(claimed)
    }

    /// Prolongs a claim; false if it is another's now.
    pub async fn keep_timer(&self, key: &TimerKey, owner: &str) -> Result<bool> {
        let until = self.now_micros() + LEASE;
        let mut writer = self.writer().await;
        let mut tx = writer.begin_quiet().await?;
        let kept = sqlx::query(
            "UPDATE timers SET lease_until = $1 WHERE connection = $2 AND mapping = $3 AND duty = $4 AND owner = $5",
        )
        .bind(until)
        .bind(key.connection.as_str())
        .bind(key.mapping.as_str())
        .bind(key.duty.name())
        .bind(owner)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(kept > 0)
    }

    /// Moves a claimed timer on to its next time and gives it free. `done` tells whether the work was done; else the time of
    /// the last that was stays known. False if the claim is another's now: nothing was changed.
    pub async fn settle_timer(
        &self,
        key: &TimerKey,
        owner: &str,
        next: Timestamp,
        done: bool,
    ) -> Result<bool> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let moved = sqlx::query(
            "UPDATE timers SET due_at = $1, owner = NULL, lease_until = NULL,
                 done_at = CASE $2 WHEN 1 THEN $3 ELSE done_at END
             WHERE connection = $4 AND mapping = $5 AND duty = $6 AND owner = $7",
        )
        .bind(next.as_microsecond())
        .bind(i64::from(done))
        .bind(now)
        .bind(key.connection.as_str())
        .bind(key.mapping.as_str())
        .bind(key.duty.name())
        .bind(owner)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        self.commit(tx).await?;
        Ok(moved > 0)
    }
}

fn timer(row: &SqliteRow) -> Result<Timer> {
    let duty: &str = row.try_get(2)?;
    Ok(Timer {
        key: TimerKey {
            connection: row.try_get::<String, _>(0)?.into(),
            mapping: row.try_get::<String, _>(1)?.into(),
            duty: Duty::from_name(duty).ok_or_else(|| StoreError::Unreadable {
                what: "timer",
                value: duty.to_owned(),
            })?,
        },
        spec: row.try_get(3)?,
        due_at: time(row.try_get(4)?)?,
        done_at: row.try_get::<Option<i64>, _>(5)?.map(time).transpose()?,
        owner: row.try_get(6)?,
        lease_until: row.try_get::<Option<i64>, _>(7)?.map(time).transpose()?,
    })
}
