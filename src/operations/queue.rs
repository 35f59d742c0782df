//! The queue: lists, details, retry, discard.

use super::{Done, Operations};
use crate::model::filter::Filter;
use crate::model::job::{JobCounts, JobState, WaitReason};
use crate::model::{Attempt, ErrorClass, Job, JobId, Problem};
use crate::store;
use jiff::Timestamp;
use tokio::sync::watch;

/// Who acts, as the log names it.
const PERSON: &str = "person";

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

    /// One job with its attempts; `id` may be a unique beginning.
    pub async fn job(&self, id: &str) -> Done<JobDetail> {
        let store = &self.inner.store;
        let mut found = store.find_jobs(id, 2).await?;
        let exact = found.iter().position(|job| job.id.as_str() == id);
        let job = match (exact, found.len()) {
            (Some(place), _) => Some(found.swap_remove(place)),
            (None, 1) => found.pop(),
            _ => None,
        };
        let job = job.ok_or_else(|| {
            Problem::new(
                ErrorClass::Config,
                format!("there is no job `{id}`, or more than one begins so"),
            )
            .remedy("see tramline queue list")
        })?;
        let attempts = store.attempts(&job.id).await?;
        Ok(JobDetail {
            why: why(&job, self.inner.worker),
            job,
            attempts,
        })
    }

    /// How many jobs a retry would touch.
    pub async fn count_chosen(&self, chosen: &Chosen) -> Done<u64> {
        let selection = selection(chosen)?;
        Ok(self.inner.store.retry(&selection, PERSON, true).await?)
    }

    /// How many jobs [`Operations::discard`] would touch.
    pub async fn count_discardable(&self, chosen: &Chosen) -> Done<u64> {
        let selection = selection(chosen)?;
        Ok(self.inner.store.discard(&selection, PERSON, true).await?)
    }

    /// The ids of the jobs a retry would touch, in the order of their making or of the choice.
    pub async fn retriable(&self, chosen: &Chosen) -> Done<Vec<JobId>> {
        Ok(self.inner.store.retriable(&selection(chosen)?).await?)
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
        let changed = self
            .inner
            .store
            .retry(&selection(chosen)?, PERSON, false)
            .await?;
        self.inner.engine.wake();
        Ok(changed)
    }

    /// Gives jobs up. Answers the number.
    pub async fn discard(&self, chosen: &Chosen) -> Done<u64> {
        self.writable()?;
        Ok(self
            .inner
            .store
            .discard(&selection(chosen)?, PERSON, false)
            .await?)
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

/// One sentence on where a job stands and what moves it on.
fn why(job: &Job, worker_here: bool) -> String {
    let until = |job: &Job| match job.waiting.as_ref().and_then(|waiting| waiting.until) {
        Some(until) => format!(" until {}", until.strftime("%H:%M:%S UTC")),
        None => String::new(),
    };
    let error = || {
        job.error
            .as_ref()
            .map(|error| format!(": {error}"))
            .unwrap_or_default()
    };
    match (
        job.state,
        job.waiting.as_ref().map(|waiting| waiting.reason),
    ) {
        (JobState::Ready, _) if worker_here => {
            "It is ready and the next free worker takes it.".into()
        }
        (JobState::Ready, _) => {
            "It is ready and waits for a worker: start `tramline worker` or open the control room."
                .into()
        }
        (JobState::Waiting, Some(WaitReason::Scheduled)) => format!(
            "It is tried again by itself; it waits{}{}",
            until(job),
            error()
        ),
        (JobState::Waiting, Some(WaitReason::RateLimited)) => {
            format!("The rate limit was met; it waits{}.", until(job))
        }
        (JobState::Waiting, Some(WaitReason::Paused)) => format!("It is paused{}.", until(job)),
        (JobState::Waiting, Some(WaitReason::BreakerOpen)) => format!(
            "Its account does not answer; it waits{}{}",
            until(job),
            error()
        ),
        (JobState::Waiting, Some(WaitReason::ContactBusy)) => format!(
            "Another write to its contact is under way; it waits{}.",
            until(job)
        ),
        (JobState::Waiting, Some(WaitReason::NoContactYet)) => format!(
            "The record's association leads to no contact yet; it is looked at again{}.",
            until(job).replace(" until", " at")
        ),
        (JobState::Waiting, None) => format!("It waits{}.", until(job)),
        (JobState::Running, _) => "A worker is on it.".into(),
        (JobState::Failed, _) => format!("It needs a person{}", error()),
        (JobState::Unknown, _) => format!(
            "It is not known whether the write arrived; look at the contact, then retry or discard{}",
            error()
        ),
        (JobState::Done, _) => "It is done.".into(),
        (JobState::Discarded, _) => "A person gave it up.".into(),
    }
}
