//! What a person does to many jobs at once: retry, discard.
//!
//! The wish is stored first, with its filter and the place up to which it has been applied. Each slice moves that place in
//! the transaction that changes its jobs, so any process can go on after a crash, and two at once do nothing twice.

use super::error::{Result, StoreError};
use super::jobs::{Sort, SortBy};
use super::rows::{chunks, from_json, int, push_list, time, to_json, unreadable};
use super::search::Search;
use super::{SLICE, Store};
use crate::model::bulk::{Bulk, BulkAction, BulkState};
use crate::model::filter::Filter;
use crate::model::{BulkId, JobId, JobState};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite, SqliteConnection};
use std::time::Duration;

/// Which jobs are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    Ids(Vec<JobId>),
    /// All that match when the action is stored; what fails again meanwhile is not met twice.
    Filter(Filter),
}

/// What an action does to jobs of certain states.
struct Effect {
    from: &'static [JobState],
    assignments: &'static str,
}

/// Jobs that were named are a person's next; those that a filter found may be many, and go behind webhooks.
fn effect(action: BulkAction, named: bool) -> Effect {
    match action {
        BulkAction::Retry => Effect {
            from: &[JobState::Failed, JobState::Unknown, JobState::Waiting],
            assignments: if named {
                "state = 'ready', wait_reason = NULL, wait_until = NULL, wait_by = NULL, trigger_kind = 'retry', run_id = NULL,
                 priority = 3, tries = 0"
            } else {
                "state = 'ready', wait_reason = NULL, wait_until = NULL, wait_by = NULL, trigger_kind = 'retry', run_id = NULL,
                 priority = 1, tries = 0"
            },
        },
        BulkAction::Discard => Effect {
            from: &[
                JobState::Ready,
                JobState::Waiting,
                JobState::Failed,
                JobState::Unknown,
            ],
            assignments: "state = 'discarded', wait_reason = NULL, wait_until = NULL, wait_by = NULL",
        },
    }
}

const BULK: &str =
    "id, action, filter, ids, set_by, state, changed, start_at, created_at, ended_at";

impl Store {
    /// Stores an action and applies it to its end; returns how many jobs it changed. If this process dies on the way, whoever
    /// goes on later loses nothing.
    pub async fn apply(&self, action: BulkAction, selection: &Selection, by: &str) -> Result<u64> {
        let id = self
            .begin_bulk(action, selection, by, Duration::ZERO, None)
            .await?;
        self.run_bulk(&id).await
    }

    /// Number of jobs that an action would change now.
    pub async fn count_selected(&self, action: BulkAction, selection: &Selection) -> Result<u64> {
        let mut reader = self.readers().begin().await?;
        let from = effect(action, true).from;
        let filter = match selection {
            Selection::Filter(filter) => filter,
            Selection::Ids(ids) => {
                let mut number = 0;
                for chunk in chunks(ids) {
                    number += named(&mut reader, from, chunk).await?.len();
                }
                return Ok(number as u64);
            }
        };
        let search = Search::prepare_only(&mut reader, filter, from, self.now()).await?;
        let mut query = search.count(i64::MAX);
        let number: i64 = query.build_query_scalar().fetch_one(&mut *reader).await?;
        Ok(number.unsigned_abs())
    }

    /// The ids of the jobs that a retry would make ready, in the order of their making or of the choice.
    pub async fn retriable(&self, selection: &Selection) -> Result<Vec<JobId>> {
        // What the search goes by and what it finds are of one moment.
        let mut reader = self.readers().begin().await?;
        let from = effect(BulkAction::Retry, true).from;
        let mut found = Vec::new();
        match selection {
            Selection::Ids(ids) => {
                for chunk in chunks(ids) {
                    found.extend(named(&mut reader, from, chunk).await?);
                }
            }
            Selection::Filter(filter) => {
                let now = self.now();
                let mut after = None;
                loop {
                    let slice = matching(&mut reader, filter, from, now, after).await?;
                    let Some(last) = slice.last() else { break };
                    after = Some((last.at, last.seq));
                    found.extend(slice.into_iter().map(|row| (row.seq, row.id)));
                }
            }
        }
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// Stores an action, to be applied after `delay`; until then it can be taken back whole. The row of the audit is told how
    /// it ended: `done` or `undone`, and how many jobs it changed.
    pub async fn begin_bulk(
        &self,
        action: BulkAction,
        selection: &Selection,
        by: &str,
        delay: Duration,
        audit: Option<i64>,
    ) -> Result<BulkId> {
        let now = self.now();
        let id = BulkId::fresh();
        let start = now
            .checked_add(SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX))
            .unwrap_or(Timestamp::MAX);
        let (filter, ids) = match selection {
            Selection::Filter(filter) => (Some(filter.to_string()), None),
            Selection::Ids(ids) => (None, Some(to_json(ids)?)),
        };
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "INSERT INTO bulk_actions (id, connection, action, filter, ids, set_by, state, start_at, created_at, audit)
             VALUES ($1, '', $2, $3, $4, $5, 'open', $6, $7, $8)",
        )
        .bind(id.as_str())
        .bind(action.name())
        .bind(filter)
        .bind(ids)
        .bind(by)
        .bind(start.as_microsecond())
        .bind(now.as_microsecond())
        .bind(audit)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// Applies an action to its end, from where it stands; returns how many jobs it changed in all.
    ///
    /// # Errors
    /// The store failed; whoever goes on later loses nothing.
    pub async fn run_bulk(&self, id: &BulkId) -> Result<u64> {
        loop {
            let bulk = self.bulk_slice(id).await?;
            if bulk.state != BulkState::Open {
                return Ok(bulk.changed);
            }
            // Others want the write lock as well.
            tokio::task::yield_now().await;
        }
    }

    /// Applies an action to its next slice of jobs, in one transaction; answers with where it stands then.
    pub async fn bulk_slice(&self, id: &BulkId) -> Result<Bulk> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {BULK}, after_at, after_seq FROM bulk_actions WHERE id = $1"
        )))
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| StoreError::Missing {
            what: "bulk action",
            id: id.to_string(),
        })?;
        let mut bulk = read(&row)?;
        if bulk.state != BulkState::Open {
            return Ok(bulk);
        }
        let after: (Option<i64>, Option<i64>) =
            (row.try_get("after_at")?, row.try_get("after_seq")?);
        let slice = self.next_slice(&mut tx, &bulk, &row, after).await?;
        let now = self.now_micros();
        let changed = apply(&mut tx, &bulk, &slice.seqs, now).await?;
        bulk.changed += changed;
        if slice.last {
            bulk.state = BulkState::Done;
            bulk.ended_at = Some(time(now)?);
        }
        sqlx::query(
            "UPDATE bulk_actions SET changed = $1, after_at = $2, after_seq = $3, state = $4, ended_at = $5 WHERE id = $6",
        )
        .bind(int(bulk.changed))
        .bind(slice.after.0)
        .bind(slice.after.1)
        .bind(bulk.state.name())
        .bind(bulk.ended_at.map(Timestamp::as_microsecond))
        .bind(id.as_str())
        .execute(&mut *tx)
        .await?;
        if slice.last {
            tell_audit(&mut tx, id, "done").await?;
        }
        self.commit(tx).await?;
        Ok(bulk)
    }

    async fn next_slice(
        &self,
        tx: &mut SqliteConnection,
        bulk: &Bulk,
        row: &SqliteRow,
        after: (Option<i64>, Option<i64>),
    ) -> Result<Slice> {
        let Some(filter) = &bulk.filter else {
            let ids: Vec<JobId> = from_json("job ids", row.try_get("ids")?)?;
            let from = effect(bulk.action, true).from;
            let done = usize::try_from(after.1.unwrap_or(0))
                .unwrap_or(0)
                .min(ids.len());
            let end = ids.len().min(done + SLICE as usize);
            let mut seqs = Vec::new();
            for chunk in chunks(&ids[done..end]) {
                seqs.extend(
                    named(tx, from, chunk)
                        .await?
                        .into_iter()
                        .map(|(seq, _)| seq),
                );
            }
            return Ok(Slice {
                seqs,
                after: (None, Some(end as i64)),
                last: end == ids.len(),
            });
        };
        let filter = Filter::parse(filter).map_err(|error| StoreError::Unreadable {
            what: "filter",
            value: error.to_string(),
        })?;
        let from = effect(bulk.action, false).from;
        let rows = matching(tx, &filter, from, bulk.created_at, after.0.zip(after.1)).await?;
        Ok(Slice {
            after: rows
                .last()
                .map_or(after, |last| (Some(last.at), Some(last.seq))),
            last: rows.len() < SLICE as usize,
            seqs: rows.into_iter().map(|row| row.seq).collect(),
        })
    }

    /// Takes an action back, or what is left of it. False if it is over already.
    pub async fn cancel_bulk(&self, id: &BulkId) -> Result<bool> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let cancelled = sqlx::query(
            "UPDATE bulk_actions SET state = 'cancelled', ended_at = $1 WHERE id = $2 AND state = 'open'",
        )
        .bind(now)
        .bind(id.as_str())
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        if cancelled {
            tell_audit(&mut tx, id, "undone").await?;
        }
        self.commit(tx).await?;
        Ok(cancelled)
    }

    /// The actions that are to be applied now: begun by a process that died, or due after their delay.
    pub async fn due_bulks(&self) -> Result<Vec<BulkId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM bulk_actions WHERE state = 'open' AND start_at <= $1 ORDER BY start_at",
        )
        .bind(self.now_micros())
        .fetch_all(self.readers())
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// The actions that are not over, the newest first: as many as people began and no worker has come to the end of.
    pub async fn open_bulks(&self) -> Result<Vec<Bulk>> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {BULK} FROM bulk_actions WHERE state = 'open' ORDER BY id DESC"
        )))
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// The latest actions, the newest first.
    pub async fn bulks(&self, limit: u32) -> Result<Vec<Bulk>> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {BULK} FROM bulk_actions ORDER BY id DESC LIMIT $1"
        )))
        .bind(limit)
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(read)
        .collect()
    }
}

/// Tells the audit's row of an action, if it has one, how the action ended.
async fn tell_audit(tx: &mut SqliteConnection, id: &BulkId, outcome: &str) -> Result<()> {
    sqlx::query(
        "UPDATE audit SET outcome = $1, number = bulk_actions.changed FROM bulk_actions
         WHERE bulk_actions.id = $2 AND audit.seq = bulk_actions.audit",
    )
    .bind(outcome)
    .bind(id.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// The next jobs of an action, and the place behind them.
struct Slice {
    seqs: Vec<i64>,
    after: (Option<i64>, Option<i64>),
    last: bool,
}

/// A job that a filter found.
struct Match {
    seq: i64,
    id: JobId,
    at: i64,
}

/// The next jobs that a filter finds, in the order of their making.
async fn matching(
    reader: &mut SqliteConnection,
    filter: &Filter,
    from: &'static [JobState],
    now: Timestamp,
    after: Option<(i64, i64)>,
) -> Result<Vec<Match>> {
    let sort = Sort {
        by: SortBy::Created,
        ascending: true,
    };
    let search = Search::prepare_only(reader, filter, from, now).await?;
    let mut query = search.page("seq, id, created_at", sort, after, SLICE);
    query
        .build()
        .fetch_all(reader)
        .await?
        .iter()
        .map(|row| {
            Ok(Match {
                seq: row.try_get(0)?,
                id: row.try_get::<String, _>(1)?.into(),
                at: row.try_get(2)?,
            })
        })
        .collect()
}

/// Those of some jobs that an action can change.
async fn named(
    reader: &mut SqliteConnection,
    from: &[JobState],
    ids: &[JobId],
) -> Result<Vec<(i64, JobId)>> {
    let mut query = QueryBuilder::new("SELECT seq, id FROM jobs WHERE id IN ");
    push_list(&mut query, ids.iter().map(JobId::as_str));
    query.push(" AND state IN ");
    push_list(&mut query, from.iter().map(|state| state.name()));
    query
        .build()
        .fetch_all(reader)
        .await?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get::<String, _>(1)?.into())))
        .collect()
}

/// Changes jobs that did not change since the action was stored, or that were named.
async fn apply(tx: &mut SqliteConnection, bulk: &Bulk, seqs: &[i64], now: i64) -> Result<u64> {
    let named = bulk.filter.is_none();
    let effect = effect(bulk.action, named);
    let until = if named {
        i64::MAX
    } else {
        bulk.created_at.as_microsecond()
    };
    let mut number = 0;
    for chunk in chunks(seqs) {
        let mut query = QueryBuilder::new(format!(
            "UPDATE jobs SET {}, updated_at = ",
            effect.assignments
        ));
        query.push_bind(now);
        query.push(" WHERE updated_at <= ").push_bind(until);
        query.push(" AND state IN ");
        push_list(&mut query, effect.from.iter().map(|state| state.name()));
        query.push(" AND seq IN ");
        push_seqs(&mut query, chunk);
        number += query.build().execute(&mut *tx).await?.rows_affected();
    }
    Ok(number)
}

fn push_seqs(query: &mut QueryBuilder<Sqlite>, seqs: &[i64]) {
    query.push("(");
    let mut list = query.separated(", ");
    for seq in seqs {
        list.push_bind(*seq);
    }
    query.push(")");
}

fn read(row: &SqliteRow) -> Result<Bulk> {
    let action: &str = row.try_get(1)?;
    let state: &str = row.try_get(5)?;
    let ids: Option<&str> = row.try_get(3)?;
    Ok(Bulk {
        id: row.try_get::<String, _>(0)?.into(),
        action: BulkAction::from_name(action).ok_or_else(|| unreadable("action", action))?,
        filter: row.try_get(2)?,
        jobs: match ids {
            Some(ids) => Some(from_json::<Vec<JobId>>("job ids", ids)?.len() as u64),
            None => None,
        },
        by: row.try_get(4)?,
        state: BulkState::from_name(state).ok_or_else(|| unreadable("state", state))?,
        changed: super::rows::count(row, 6)?,
        start_at: time(row.try_get(7)?)?,
        created_at: time(row.try_get(8)?)?,
        ended_at: row.try_get::<Option<i64>, _>(9)?.map(time).transpose()?,
    })
}
