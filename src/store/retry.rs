//! What a person does with many jobs: retry, discard; and pruning what is old. All in slices, so that the queue
//! goes on meanwhile.

use super::Store;
use super::error::Result;
use super::jobs::{Sort, SortBy};
use super::rows::{chunks, push_list};
use super::search::Search;
use crate::model::filter::Filter;
use crate::model::{JobId, JobState};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Sqlite};

const SLICE: u32 = 500;

/// Which jobs are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    Ids(Vec<JobId>),
    /// All that match when the action starts.
    Filter(Filter),
}

/// What is old enough to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Done and discarded jobs that changed last before then.
    pub done_before: Timestamp,
    /// Attempts that started before then.
    pub attempts_before: Timestamp,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub jobs: u64,
    pub attempts: u64,
}

/// What is done to jobs of certain states.
struct Action {
    from: &'static [JobState],
    assignments: &'static str,
}

const RETRY: Action = Action {
    from: &[JobState::Failed, JobState::Unknown, JobState::Waiting],
    assignments: "state = 'ready', wait_reason = NULL, wait_until = NULL, wait_by = NULL, trigger_kind = 'retry', run_id = NULL,
         priority = 3, tries = 0",
};

const DISCARD: Action = Action {
    from: &[
        JobState::Ready,
        JobState::Waiting,
        JobState::Failed,
        JobState::Unknown,
    ],
    assignments: "state = 'discarded', wait_reason = NULL, wait_until = NULL, wait_by = NULL",
};

/// How far an action has come.
struct Walk {
    start: Timestamp,
    /// Of a list of ids.
    done: usize,
    /// Of a filter's matches.
    after: Option<(i64, i64)>,
}

impl Walk {
    fn from(start: Timestamp) -> Self {
        Self {
            start,
            done: 0,
            after: None,
        }
    }
}

impl Store {
    /// Makes failed, unknown and waiting jobs ready, with a person's urgency; returns how many. A dry run only
    /// counts.
    pub async fn retry(&self, selection: &Selection, by: &str, dry_run: bool) -> Result<u64> {
        let number = self.act(&RETRY, selection, dry_run).await?;
        tracing::info!(by, number, dry_run, "retry");
        Ok(number)
    }

    /// Gives up jobs that are not over and do not run; returns how many. A dry run only counts.
    pub async fn discard(&self, selection: &Selection, by: &str, dry_run: bool) -> Result<u64> {
        let number = self.act(&DISCARD, selection, dry_run).await?;
        tracing::info!(by, number, dry_run, "discard");
        Ok(number)
    }

    /// The jobs that [`Store::retry`] would make ready.
    pub async fn retriable(&self, selection: &Selection) -> Result<Vec<JobId>> {
        let mut ids = Vec::new();
        let mut walk = Walk::from(self.now());
        loop {
            let slice = self.slice(&RETRY, selection, &mut walk).await?;
            if slice.is_empty() {
                return Ok(ids);
            }
            ids.extend(slice.into_iter().map(|(_, id)| id));
        }
    }

    async fn act(&self, action: &Action, selection: &Selection, dry_run: bool) -> Result<u64> {
        let mut walk = Walk::from(self.now());
        let until = match selection {
            Selection::Ids(_) => i64::MAX,
            // What fails again meanwhile is not met twice.
            Selection::Filter(_) => walk.start.as_microsecond(),
        };
        let mut number = 0;
        loop {
            let slice = self.slice(action, selection, &mut walk).await?;
            if slice.is_empty() {
                return Ok(number);
            }
            let seqs: Vec<i64> = slice.into_iter().map(|(seq, _)| seq).collect();
            number += self.apply(action, &seqs, until, dry_run).await?;
        }
    }

    /// The next jobs that an action is about; none behind the last. Those of a filter come in the order of their making.
    async fn slice(
        &self,
        action: &Action,
        selection: &Selection,
        walk: &mut Walk,
    ) -> Result<Vec<(i64, JobId)>> {
        let mut reader = self.readers().acquire().await?;
        let filter = match selection {
            Selection::Ids(ids) => {
                let mut found = Vec::new();
                while found.is_empty() && walk.done < ids.len() {
                    let end = ids.len().min(walk.done + SLICE as usize);
                    for chunk in chunks(&ids[walk.done..end]) {
                        let mut query = QueryBuilder::new("SELECT seq, id FROM jobs WHERE id IN ");
                        push_list(&mut query, chunk.iter().map(JobId::as_str));
                        query.push(" AND state IN ");
                        push_list(&mut query, action.from.iter().map(|state| state.name()));
                        for row in query.build().fetch_all(&mut *reader).await? {
                            found.push((row.try_get(0)?, row.try_get::<String, _>(1)?.into()));
                        }
                    }
                    walk.done = end;
                }
                return Ok(found);
            }
            Selection::Filter(filter) => filter,
        };
        let sort = Sort {
            by: SortBy::Created,
            ascending: true,
        };
        let search =
            Search::prepare_only(&mut reader, filter, action.from, walk.start).await?;
        let mut query = search.page("seq, id, created_at", sort, walk.after, SLICE);
        let rows = query.build().fetch_all(&mut *reader).await?;
        if let Some(last) = rows.last() {
            walk.after = Some((last.try_get(2)?, last.try_get(0)?));
        }
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get::<String, _>(1)?.into())))
            .collect()
    }

    /// Applies an action to jobs that did not change after `until`, in one transaction.
    async fn apply(&self, action: &Action, seqs: &[i64], until: i64, dry_run: bool) -> Result<u64> {
        if dry_run || seqs.is_empty() {
            return Ok(seqs.len() as u64);
        }
        let now = self.now_micros();
        let mut number = 0;
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        for chunk in chunks(seqs) {
            let mut query = QueryBuilder::new(format!(
                "UPDATE jobs SET {}, updated_at = ",
                action.assignments
            ));
            query.push_bind(now);
            query.push(" WHERE updated_at <= ").push_bind(until);
            query.push(" AND state IN ");
            push_list(&mut query, action.from.iter().map(|state| state.name()));
            query.push(" AND seq IN ");
            push_seqs(&mut query, chunk);
            number += query.build().execute(&mut *tx).await?.rows_affected();
        }
        self.commit(tx).await?;
        Ok(number)
    }

    /// Removes what retention no longer wants, and writes left behind by runs that ended.
    pub async fn prune(&self, retention: Retention) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        for state in ["done", "discarded"] {
            pruned.jobs += self
                .remove(
                    "DELETE FROM jobs WHERE seq IN
                         (SELECT seq FROM jobs WHERE state = $1 AND updated_at < $2 ORDER BY updated_at LIMIT $3)",
                    state,
                    retention.done_before,
                )
                .await?;
        }
        pruned.attempts = self
            .remove(
                "DELETE FROM attempts WHERE rowid IN
                     (SELECT rowid FROM attempts WHERE $1 <> '' AND started_at < $2 ORDER BY started_at LIMIT $3)",
                "any",
                retention.attempts_before,
            )
            .await?;
        for state in ["completed", "cancelled"] {
            self.remove(
                "DELETE FROM outbox WHERE id IN (SELECT o.id FROM outbox o JOIN runs r ON r.id = o.run_id
                     WHERE r.state = $1 AND r.updated_at < $2 LIMIT $3)",
                state,
                retention.done_before,
            )
            .await?;
            self.remove(
                "DELETE FROM batches WHERE id IN (SELECT b.id FROM batches b JOIN runs r ON r.id = b.run_id
                     WHERE r.state = $1 AND r.updated_at < $2 LIMIT $3)",
                state,
                retention.done_before,
            )
            .await?;
        }
        Ok(pruned)
    }

    /// Runs a deletion (`$1` a state, `$2` a time, `$3` the slice) until it finds nothing more.
    async fn remove(&self, sql: &'static str, state: &str, before: Timestamp) -> Result<u64> {
        let mut number = 0;
        loop {
            let mut writer = self.writer().await;
            let mut tx = writer.begin().await?;
            let gone = sqlx::query(sql)
                .bind(state)
                .bind(before.as_microsecond())
                .bind(SLICE)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if gone > 0 {
                self.commit(tx).await?;
            }
            number += gone;
            if gone < u64::from(SLICE) {
                return Ok(number);
            }
        }
    }
}

fn push_seqs(query: &mut QueryBuilder<Sqlite>, seqs: &[i64]) {
    query.push("(");
    let mut list = query.separated(", ");
    for seq in seqs {
        list.push_bind(*seq);
    }
    query.push(")");
}
