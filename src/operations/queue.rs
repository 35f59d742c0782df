//! The queue: lists, details, retry, discard.

use super::audit::Act;
use super::{Done, Operations, who::who};
use crate::model::bulk::{Bulk, BulkAction};
use crate::model::filter::Filter;
use crate::model::group::FailureGroup;
use crate::model::job::{Edit, JobCounts, JobState};
use crate::model::view::Outcome;
use crate::model::{Attempt, BulkId, ConnectionName, Effect, ErrorClass, Job, JobId, Problem};
use crate::store;
pub use crate::store::SEARCHABLE;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;
use tokio::sync::watch;

/// Jobs by filter text (product.md, Filters), newest change first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobQuery {
    /// Filter text; empty for all.
    pub filter: String,
    /// The last row of the page before; `None` for the first.
    pub after: Option<JobCursor>,
    pub limit: u32,
}

/// Where a page of jobs ended; opaque outside `operations`.
#[derive(Clone, Debug, PartialEq)]
pub struct JobCursor {
    pub updated_at: Timestamp,
    pub id: JobId,
}

/// One page of jobs.
#[derive(Clone, Debug, Default)]
pub struct JobList {
    pub jobs: Vec<Job>,
    /// `None` behind the last page.
    pub next: Option<JobCursor>,
    /// Number of matching jobs; `None` where counting would be dear.
    pub total: Option<u64>,
}

/// One job whole.
#[derive(Clone, Debug)]
pub struct JobDetail {
    pub job: Job,
    pub attempts: Vec<Attempt>,
    /// What rules did or are to do for the record, in order.
    pub effects: Vec<Effect>,
    /// Values that people put in place of the record's, also those that are over.
    pub edits: Vec<Edit>,
    /// One sentence: why it waits, or what it needs.
    pub why: String,
}

/// Which jobs an action is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Chosen {
    Ids(Vec<JobId>),
    /// All that match a filter text.
    Filter(String),
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(filter) if filter.trim().is_empty() => f.write_str("all jobs"),
            Self::Filter(filter) => f.write_str(filter),
            Self::Ids(ids) => {
                // So many name what was meant; the rest is a number.
                let named: Vec<&str> = ids.iter().take(20).map(JobId::as_str).collect();
                f.write_str(&named.join(" "))?;
                match ids.len().saturating_sub(named.len()) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl Operations {
    /// Jobs by state, kept by the store: cheap at any size.
    pub async fn job_counts(&self) -> Done<JobCounts> {
        Ok(self.inner.store.counts().await?)
    }

    /// A page of jobs. A filter that cannot be read is a problem that names the position.
    pub async fn jobs(&self, query: &JobQuery) -> Done<JobList> {
        let filter = parse(&query.filter)?;
        let store = &self.inner.store;
        let after = query
            .after
            .as_ref()
            .map(|cursor| store::Cursor::new(cursor.updated_at, cursor.id.clone()));
        let jobs = store
            .list(&filter, store::Sort::LATEST, after.as_ref(), query.limit)
            .await?;
        let total = match after {
            None => Some(store.count(&filter).await?)
                .filter(|count| count.exact)
                .map(|count| count.number),
            Some(_) => None,
        };
        let full = jobs.len() >= query.limit as usize;
        let next = jobs.last().filter(|_| full).map(|job| JobCursor {
            updated_at: job.updated_at,
            id: job.id.clone(),
        });
        Ok(JobList { jobs, next, total })
    }

    /// The job of an id, or of a beginning that no other id has.
    pub(super) async fn one_job(&self, id: &str) -> Done<Option<Job>> {
        let mut found = self.inner.store.find_jobs(id, 2).await?;
        let exact = found.iter().position(|job| job.id.as_str() == id);
        Ok(match (exact, found.len()) {
            (Some(place), _) => Some(found.swap_remove(place)),
            (None, 1) => found.pop(),
            _ => None,
        })
    }

    /// One job with its attempts and effects; `id` may be a unique beginning.
    pub async fn job(&self, id: &str) -> Done<JobDetail> {
        let store = &self.inner.store;
        let job = self.one_job(id).await?.ok_or_else(|| {
            Problem::new(
                ErrorClass::Config,
                format!("there is no job `{id}`, or more than one begins so"),
            )
            .remedy("see tramline queue list")
        })?;
        let attempts = store.attempts(&job.id).await?;
        let effects = store.effects_of_job(&job).await?;
        let superseded = job.state == JobState::Done
            && attempts
                .last()
                .is_some_and(|last| last.outcome == Outcome::Superseded.name());
        let winner = if superseded {
            store.winner_over(&job).await?
        } else {
            None
        };
        Ok(JobDetail {
            why: match winner {
                Some(winner) => {
                    format!("It is done: superseded, record {winner} has the contact.")
                }
                None => self.why(&job, &attempts).await?,
            },
            edits: store
                .edits(&job.connection, &job.mapping, &job.record)
                .await?,
            job,
            attempts,
            effects,
        })
    }

    /// How many jobs a retry would touch.
    pub async fn count_chosen(&self, chosen: &Chosen) -> Done<u64> {
        let selection = selection(chosen)?;
        let store = &self.inner.store;
        Ok(store.count_selected(BulkAction::Retry, &selection).await?)
    }

    /// How many jobs [`Operations::discard`] would touch.
    pub async fn count_discardable(&self, chosen: &Chosen) -> Done<u64> {
        let selection = selection(chosen)?;
        let store = &self.inner.store;
        Ok(store
            .count_selected(BulkAction::Discard, &selection)
            .await?)
    }

    /// The ids of the jobs whose end is worth waiting for after a retry: those it touches, and of jobs chosen by id also
    /// those under way already.
    pub async fn waited_for(&self, chosen: &Chosen) -> Done<Vec<JobId>> {
        let store = &self.inner.store;
        let mut ids = store.retriable(&selection(chosen)?).await?;
        if let Chosen::Ids(named) = chosen {
            for id in named {
                let job = store.job(id).await?;
                if job.is_some_and(|job| job.is_under_way()) && !ids.contains(id) {
                    ids.push(id.clone());
                }
            }
        }
        Ok(ids)
    }

    /// Works the queue in this process from now on, unless it does already.
    pub fn work(&self) -> Done<()> {
        self.writable()?;
        self.inner.engine.start_worker();
        Ok(())
    }

    /// Waits until jobs come to an end, or to a wait that takes more than a moment: also while they wait to be tried
    /// again, within their own number of attempts.
    pub async fn wait_for(&self, ids: &[JobId]) -> Done<Vec<Job>> {
        self.inner.engine.wait_for(ids).await
    }

    /// Makes failed, unknown and waiting jobs ready again; the worker does the rest. Answers the number.
    pub async fn retry(&self, chosen: &Chosen) -> Done<u64> {
        self.writable()?;
        // A person who retries has often just mended a field or a schema.
        self.forget().await;
        self.bulk(BulkAction::Retry, chosen).await
    }

    /// Gives jobs up. Answers the number.
    pub async fn discard(&self, chosen: &Chosen) -> Done<u64> {
        self.bulk(BulkAction::Discard, chosen).await
    }

    /// Stores the action and applies it to its end. If this process dies on the way, the next worker goes on.
    async fn bulk(&self, action: BulkAction, chosen: &Chosen) -> Done<u64> {
        self.writable()?;
        let selection = selection(chosen)?;
        let doing = async |audit| {
            let (store, by) = (&self.inner.store, who());
            let begun = store.begin_bulk(action, &selection, &by, Duration::ZERO, Some(audit));
            let id = begun.await?;
            Ok(store.run_bulk(&id).await?)
        };
        let act = Act::new(action.name(), chosen.to_string());
        let changed = self.audited_later(act, doing).await?;
        self.inner.engine.wake();
        Ok(changed)
    }

    /// Stores an action on many jobs that is applied after a delay, by this process or by any worker; until then
    /// [`Operations::cancel_bulk`] takes it back whole.
    pub async fn bulk_later(
        &self,
        action: BulkAction,
        chosen: &Chosen,
        delay: Duration,
    ) -> Done<BulkId> {
        self.writable()?;
        if action == BulkAction::Retry {
            // As for a retry at once.
            self.forget().await;
        }
        let selection = selection(chosen)?;
        let doing = async |audit| {
            let (store, by) = (&self.inner.store, who());
            let begun = store.begin_bulk(action, &selection, &by, delay, Some(audit));
            Ok(begun.await?)
        };
        let act = Act::new(action.name(), chosen.to_string());
        let id = self.audited_later(act, doing).await?;
        self.inner.engine.apply_later(id.clone(), delay);
        Ok(id)
    }

    /// Takes an action back, or what is left of it. False if it was over already.
    pub async fn cancel_bulk(&self, id: &BulkId) -> Done<bool> {
        self.writable()?;
        let doing = async { Ok(self.inner.store.cancel_bulk(id).await?) };
        let act = Act::new("undo", id.as_str());
        self.audited(act, doing, |_| None).await
    }

    /// The latest actions on many jobs with their progress, the newest first.
    pub async fn bulks(&self, limit: u32) -> Done<Vec<Bulk>> {
        Ok(self.inner.store.bulks(limit).await?)
    }

    /// Failure groups, the largest first, of one connection where one is given: cheap at any number of jobs.
    pub async fn failure_groups(
        &self,
        limit: u32,
        only: Option<&ConnectionName>,
    ) -> Done<Vec<FailureGroup>> {
        Ok(self.inner.store.groups_of(limit, only).await?)
    }

    /// A number that grows with every change of the store made by this process.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.store.changes()
    }

    /// A cheap number that differs when another process may have written: compare it with the last one.
    pub fn foreign_changes(&self) -> u64 {
        self.inner.store.wal_stamp()
    }
}

fn parse(text: &str) -> Done<Filter> {
    Filter::parse(text).map_err(|error| Problem::new(ErrorClass::Config, error.to_string()))
}

fn selection(chosen: &Chosen) -> Done<store::Selection> {
    Ok(match chosen {
        Chosen::Ids(ids) => store::Selection::Ids(ids.clone()),
        Chosen::Filter(text) => store::Selection::Filter(parse(text)?),
    })
}
