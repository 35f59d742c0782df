//! Reading jobs: one, its attempts, lists in keyset pages, counts, failure groups.

use super::Store;
use super::error::Result;
use super::pauses::Stops;
use super::rows::{JOB, count, from_json, job, time};
use super::search::{Search, is_scope_only, scopes};
use crate::model::filter::Filter;
use crate::model::group::FailureGroup;
use crate::model::job::JobCounts;
use crate::model::{Attempt, ConnectionName, ErrorClass, Job, JobId, JobState, RecordId};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

/// Matches are counted exactly up to this number.
const COUNTED: i64 = 10_000;

/// The time that a list goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// When the job was made: the order of ids.
    Created,
    /// When it last changed.
    Updated,
}

impl SortBy {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Created => "created_at",
            Self::Updated => "updated_at",
        }
    }

    /// The end of the names of the indexes that serve it.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
        }
    }
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    pub by: SortBy,
    pub ascending: bool,
}

impl Sort {
    /// The job made last comes first.
    pub const NEWEST: Self = Self {
        by: SortBy::Created,
        ascending: false,
    };
    /// The job changed last comes first.
    pub const LATEST: Self = Self {
        by: SortBy::Updated,
        ascending: false,
    };

    /// The same list from its other end: pages before a row are pages behind it in this order.
    pub fn reversed(self) -> Self {
        Self {
            by: self.by,
            ascending: !self.ascending,
        }
    }
}

/// A place in a list: behind a job as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: Timestamp,
    id: JobId,
}

impl Cursor {
    /// The place behind a job by the time and the id it was listed with.
    pub fn new(at: Timestamp, id: JobId) -> Self {
        Self { at, id }
    }

    /// The place behind a listed job.
    pub fn behind(job: &Job, sort: Sort) -> Self {
        Self {
            at: match sort.by {
                SortBy::Created => job.created_at,
                SortBy::Updated => job.updated_at,
            },
            id: job.id.clone(),
        }
    }
}

/// A number of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub number: u64,
    /// False if there are more: counting stopped there.
    pub exact: bool,
}

impl Count {
    /// Just so many.
    pub fn exactly(number: u64) -> Self {
        Self {
            number,
            exact: true,
        }
    }
}

impl Store {
    /// A job by its id. What is due under a pause is shown as waiting for its end, here and in every list.
    pub async fn job(&self, id: &JobId) -> Result<Option<Job>> {
        let mut reader = self.readers().acquire().await?;
        let stops = Stops::read(&mut reader, self.now_micros()).await?;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {JOB} FROM jobs WHERE id = $1"
        )))
        .bind(id.as_str())
        .fetch_optional(&mut *reader)
        .await?;
        row.as_ref()
            .map(|row| Ok(stops.shown(job(row)?)))
            .transpose()
    }

    /// Jobs whose id begins with a text, at most `limit`.
    pub async fn find_jobs(&self, prefix: &str, limit: u32) -> Result<Vec<Job>> {
        let mut reader = self.readers().acquire().await?;
        let stops = Stops::read(&mut reader, self.now_micros()).await?;
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {JOB} FROM jobs WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3"
        )))
        .bind(prefix)
        .bind(format!("{prefix}~"))
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?
        .iter()
        .map(|row| Ok(stops.shown(job(row)?)))
        .collect()
    }

    /// The attempts at a job, the first one first.
    pub async fn attempts(&self, id: &JobId) -> Result<Vec<Attempt>> {
        sqlx::query(
            "SELECT number, started_at, ended_at, worker, outcome, error, request, response, mapping_hash, edit, warning FROM attempts
             WHERE job_seq = (SELECT seq FROM jobs WHERE id = $1) ORDER BY number",
        )
        .bind(id.as_str())
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| {
            Ok(Attempt {
                number: row.try_get(0)?,
                started_at: time(row.try_get(1)?)?,
                ended_at: row.try_get::<Option<i64>, _>(2)?.map(time).transpose()?,
                worker: row.try_get(3)?,
                outcome: row.try_get(4)?,
                error: row
                    .try_get::<Option<&str>, _>(5)?
                    .map(|text| from_json("error", text))
                    .transpose()?,
                request: row.try_get(6)?,
                response: row.try_get(7)?,
                mapping_hash: row.try_get(8)?,
                edit: row.try_get(9)?,
                warning: row.try_get(10)?,
            })
        })
        .collect()
    }

    /// The next jobs of a list.
    pub async fn list(
        &self,
        filter: &Filter,
        sort: Sort,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<Job>> {
        // The kept counts say where to look: a job that changes its state in between would be found nowhere.
        let mut reader = self.readers().begin().await?;
        let after = match after {
            Some(cursor) => Some(position(&mut reader, cursor, sort).await?),
            None => None,
        };
        let search = Search::prepare(&mut reader, filter, self.now()).await?;
        let columns = format!("{JOB}, seq");
        let mut query = search.page(&columns, sort, after, limit);
        let rows = query.build().fetch_all(&mut *reader).await?;
        rows.iter()
            .map(|row| Ok(search.stops().shown(job(row)?)))
            .collect()
    }

    /// Number of jobs that a filter matches: from the kept counts where they suffice, else counted up to 10,000.
    pub async fn count(&self, filter: &Filter) -> Result<Count> {
        self.count_to(COUNTED, filter).await
    }

    /// As [`Store::count`], however many there are: it costs what the index that the filter leads to holds, so it is for filters
    /// that name a run or a group.
    pub async fn count_all(&self, filter: &Filter) -> Result<u64> {
        Ok(self.count_to(i64::MAX - 1, filter).await?.number)
    }

    async fn count_to(&self, most: i64, filter: &Filter) -> Result<Count> {
        // As for a list.
        let mut reader = self.readers().begin().await?;
        if is_scope_only(filter) {
            let stops = Stops::read(&mut reader, self.now_micros()).await?;
            let number = scopes(&mut reader, &stops)
                .await?
                .iter()
                .filter(|scope| scope.allowed(filter))
                .map(|scope| scope.number.unsigned_abs())
                .sum();
            return Ok(Count::exactly(number));
        }
        let search = Search::prepare(&mut reader, filter, self.now()).await?;
        let mut query = search.count(most + 1);
        let number: i64 = query.build_query_scalar().fetch_one(&mut *reader).await?;
        Ok(Count {
            number: number.min(most).unsigned_abs(),
            exact: number <= most,
        })
    }

    /// Jobs by state, kept with every change.
    pub async fn counts(&self) -> Result<JobCounts> {
        self.counts_of(None).await
    }

    /// As [`Store::counts`], of one connection where one is given.
    pub async fn counts_of(&self, only: Option<&ConnectionName>) -> Result<JobCounts> {
        let mut reader = self.readers().acquire().await?;
        let stops = Stops::read(&mut reader, self.now_micros()).await?;
        let mut counts = JobCounts::default();
        for scope in scopes(&mut reader, &stops).await? {
            if only.is_some_and(|only| scope.connection != only.as_str()) {
                continue;
            }
            if let Some(state) = JobState::from_name(scope.shown()) {
                *counts.of_mut(state) += scope.number.unsigned_abs();
            }
        }
        Ok(counts)
    }

    /// The record that has the contact of a job's record, if that was superseded when it was last decided on.
    pub async fn winner_over(&self, job: &Job) -> Result<Option<RecordId>> {
        let winner: Option<Option<String>> = sqlx::query_scalar(
            "SELECT superseded_by FROM records
             WHERE connection = $1 AND mapping = $2 AND record_id = $3 AND outcome = 'superseded'",
        )
        .bind(job.connection.as_str())
        .bind(job.mapping.as_str())
        .bind(job.record.as_str())
        .fetch_optional(self.readers())
        .await?;
        Ok(winner.flatten().map(RecordId::from))
    }

    /// How many jobs that need a person have the same error as this one, itself included.
    pub async fn same_error(&self, id: &JobId) -> Result<u64> {
        let row = sqlx::query(
            "SELECT coalesce(max(g.number), 0) FROM error_groups g JOIN jobs j
                 ON j.connection = g.connection AND j.error_group = g.id
             WHERE j.id = $1",
        )
        .bind(id.as_str())
        .fetch_one(self.readers())
        .await?;
        count(&row, 0)
    }

    /// Failure groups of the failed and unknown jobs, the largest first. They are kept with every change of a job, so this
    /// costs what it answers.
    pub async fn groups(&self, limit: u32) -> Result<Vec<FailureGroup>> {
        self.groups_of(limit, None).await
    }

    /// As [`Store::groups`], of one connection where one is given.
    pub async fn groups_of(
        &self,
        limit: u32,
        only: Option<&ConnectionName>,
    ) -> Result<Vec<FailureGroup>> {
        let rows = sqlx::query(
            "SELECT g.id, g.number, g.first_at, g.last_at, j.id, g.class, g.field, g.message, g.connection
             FROM error_groups g JOIN jobs j ON j.seq = g.sample_seq
             WHERE g.number > 0 AND ($2 IS NULL OR g.connection = $2) ORDER BY g.number DESC, g.last_at DESC LIMIT $1",
        )
        .bind(limit)
        .bind(only.map(ConnectionName::as_str))
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(FailureGroup {
                    group: row.try_get(0)?,
                    connection: row.try_get::<String, _>(8)?.into(),
                    count: count(row, 1)?,
                    first_seen: time(row.try_get(2)?)?,
                    last_seen: time(row.try_get(3)?)?,
                    sample: row.try_get::<String, _>(4)?.into(),
                    class: ErrorClass::from_name(row.try_get(5)?).unwrap_or(ErrorClass::Unknown),
                    field: row.try_get(6)?,
                    message: row.try_get(7)?,
                })
            })
            .collect()
    }
}

/// A cursor as time and row. A job that was pruned meanwhile leaves its time; rows of the same microsecond are then
/// listed again rather than left out.
async fn position(
    reader: &mut SqliteConnection,
    cursor: &Cursor,
    sort: Sort,
) -> Result<(i64, i64)> {
    let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM jobs WHERE id = $1")
        .bind(cursor.id.as_str())
        .fetch_optional(reader)
        .await?;
    let edge = if sort.ascending { 0 } else { i64::MAX };
    Ok((cursor.at.as_microsecond(), seq.unwrap_or(edge)))
}
