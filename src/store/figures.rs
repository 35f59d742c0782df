//! The numbers that monitoring shows and weighs. All are kept counts or look-ups in an index: they are asked for every few
//! seconds, whatever the size of the store.

use super::Store;
use super::error::Result;
use super::rows::{RUN, count, run, time};
use super::sqlite::follow;
use crate::model::export::Run;
use crate::model::{ConnectionName, ErrorClass, JobState, MappingName};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};
use std::time::Duration;

/// Jobs of a mapping in a state.
#[derive(Clone, Debug, PartialEq)]
pub struct JobFigure {
    pub connection: ConnectionName,
    pub mapping: MappingName,
    pub state: JobState,
    pub number: u64,
    /// The longest time that one has been in the state, or since its record changed; for ready and waiting ones.
    pub oldest: Option<Duration>,
}

/// Jobs of a mapping in a state with an error of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassFigure {
    pub connection: ConnectionName,
    pub mapping: MappingName,
    pub state: JobState,
    pub class: ErrorClass,
    pub number: u64,
}

/// Runs of a mapping in a state, dry runs left out.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFigure {
    pub connection: ConnectionName,
    pub mapping: MappingName,
    pub state: String,
    pub number: u64,
    /// When the last of them changed.
    pub last: Timestamp,
}

impl Store {
    /// True if the store answers.
    ///
    /// # Errors
    /// As it answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT number FROM changes")
            .fetch_one(self.readers())
            .await?;
        Ok(())
    }

    /// Jobs by mapping and state.
    pub async fn job_figures(&self) -> Result<Vec<JobFigure>> {
        let rows = sqlx::query(
            "SELECT connection, mapping, state, sum(number) FROM job_counts GROUP BY connection, mapping, state",
        )
        .fetch_all(self.readers())
        .await?;
        let mut figures = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(state) = JobState::from_name(row.try_get(2)?) else {
                continue;
            };
            let mut figure = JobFigure {
                connection: row.try_get::<String, _>(0)?.into(),
                mapping: row.try_get::<String, _>(1)?.into(),
                state,
                number: count(&row, 3)?,
                oldest: None,
            };
            if matches!(state, JobState::Ready | JobState::Waiting) {
                figure.oldest = self.oldest(&figure).await?;
            }
            figures.push(figure);
        }
        Ok(figures)
    }

    async fn oldest(&self, figure: &JobFigure) -> Result<Option<Duration>> {
        if figure.number == 0 {
            return Ok(Some(Duration::ZERO));
        }
        let since: Option<i64> = sqlx::query_scalar(
            "SELECT min(updated_at) FROM jobs WHERE connection = $1 AND mapping = $2 AND state = $3",
        )
        .bind(figure.connection.as_str())
        .bind(figure.mapping.as_str())
        .bind(figure.state.name())
        .fetch_one(self.readers())
        .await?;
        Ok(since.map(|since| self.since(since)))
    }

    /// Jobs whose last attempt met an error.
    pub async fn class_figures(&self) -> Result<Vec<ClassFigure>> {
        let rows = sqlx::query("SELECT connection, mapping, state, class, number FROM job_classes")
            .fetch_all(self.readers())
            .await?;
        let mut figures = Vec::with_capacity(rows.len());
        for row in rows {
            let state = JobState::from_name(row.try_get(2)?);
            let class = ErrorClass::from_name(row.try_get(3)?);
            if let (Some(state), Some(class)) = (state, class) {
                figures.push(ClassFigure {
                    connection: row.try_get::<String, _>(0)?.into(),
                    mapping: row.try_get::<String, _>(1)?.into(),
                    state,
                    class,
                    number: count(&row, 4)?,
                });
            }
        }
        Ok(figures)
    }

    /// Bulk exports by mapping and state.
    pub async fn run_figures(&self) -> Result<Vec<RunFigure>> {
        let rows = sqlx::query(
            "SELECT connection, mapping, state, count(*), max(updated_at) FROM runs WHERE dry_run = 0
             GROUP BY connection, mapping, state",
        )
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(RunFigure {
                    connection: row.try_get::<String, _>(0)?.into(),
                    mapping: row.try_get::<String, _>(1)?.into(),
                    state: row.try_get(2)?,
                    number: count(row, 3)?,
                    last: time(row.try_get(4)?)?,
                })
            })
            .collect()
    }

    /// The last run of each mapping, dry runs left out.
    pub async fn last_runs(&self) -> Result<Vec<Run>> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {RUN} FROM runs WHERE id IN
                 (SELECT max(id) FROM runs WHERE dry_run = 0 GROUP BY connection, mapping)"
        )))
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(run)
        .collect()
    }

    /// Failed jobs that came to fail within a time, counted up to `most`.
    pub async fn failed_within(&self, within: Duration, most: u64) -> Result<u64> {
        let number: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT count(*) FROM (SELECT 1 FROM jobs{} WHERE state = 'failed' AND updated_at > $1 LIMIT $2)",
            follow("jobs_state_updated")
        )))
        .bind(self.before(within))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_one(self.readers())
        .await?;
        Ok(u64::try_from(number).unwrap_or(0))
    }

    /// The number of open jobs of these mappings, if one has been due for longer than a time and no job of the connection
    /// was attempted within it.
    pub async fn stalled(
        &self,
        connection: &ConnectionName,
        mappings: &[MappingName],
        time: Duration,
    ) -> Result<Option<u64>> {
        let before = self.before(time);
        let attempted: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM attempts WHERE started_at > $1 AND connection = $2)",
        )
        .bind(before)
        .bind(connection.as_str())
        .fetch_one(self.readers())
        .await?;
        if attempted {
            return Ok(None);
        }
        let mut open = 0;
        let mut due = false;
        for mapping in mappings {
            due |= self.is_overdue(connection, mapping, before).await?;
            let number: Option<i64> = sqlx::query_scalar(
                "SELECT sum(number) FROM job_counts
                 WHERE connection = $1 AND mapping = $2 AND state IN ('ready', 'waiting')",
            )
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .fetch_one(self.readers())
            .await?;
            open += number.unwrap_or(0);
        }
        Ok(due.then_some(u64::try_from(open).unwrap_or(0)))
    }

    async fn is_overdue(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        before: i64,
    ) -> Result<bool> {
        Ok(sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT 1 FROM jobs{}
                     WHERE connection = $1 AND mapping = $2 AND state = 'ready' AND updated_at < $3)
                 OR EXISTS (SELECT 1 FROM jobs{}
                     WHERE connection = $1 AND mapping = $2 AND state = 'waiting' AND wait_until < $3)",
            follow("jobs_scope_updated"),
            follow("jobs_due")
        )))
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .bind(before)
        .fetch_one(self.readers())
        .await?)
    }

    fn before(&self, time: Duration) -> i64 {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        self.now_micros().saturating_sub(micros)
    }

    fn since(&self, micros: i64) -> Duration {
        let age = self.now_micros().saturating_sub(micros);
        Duration::from_micros(u64::try_from(age).unwrap_or(0))
    }
}
