//! The queue: lists, details, retry, discard.

use super::{Done, Operations, stub};
use crate::model::job::JobCounts;
use crate::model::{Attempt, Job, JobId};
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
    pub updated_micros: i64,
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
        stub()
    }

    /// A page of jobs. A filter that cannot be read is a problem that names the position.
    pub async fn jobs(&self, _query: &JobQuery) -> Done<JobList> {
        stub()
    }

    /// One job with its attempts; `id` may be a unique beginning.
    pub async fn job(&self, _id: &str) -> Done<JobDetail> {
        stub()
    }

    /// How many jobs an action would touch.
    pub async fn count_chosen(&self, _chosen: &Chosen) -> Done<u64> {
        stub()
    }

    /// Makes failed, unknown and waiting jobs ready again; the worker does the rest. Answers the number.
    pub async fn retry(&self, _chosen: &Chosen) -> Done<u64> {
        stub()
    }

    /// Gives jobs up. Answers the number.
    pub async fn discard(&self, _chosen: &Chosen) -> Done<u64> {
        stub()
    }

    /// Completions of a filter text's last word.
    pub fn complete_filter(&self, _text: &str) -> Vec<String> {
        stub()
    }

    /// A number that grows with every change of the store made by this process.
    pub fn changes(&self) -> watch::Receiver<u64> {
        stub()
    }

    /// A cheap number that differs when another process may have written: compare it with the last one.
    pub fn foreign_changes(&self) -> u64 {
        stub()
    }
}
