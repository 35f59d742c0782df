//! What is always in view: budgets, queue, workers, the running export, the last error.

use super::{Done, Operations};
use crate::model::bulk::Bulk;
use crate::model::call::{BudgetView, Call};
use crate::model::export::{Run, RunState};
use crate::model::filter::{Condition, Filter};
use crate::model::job::JobCounts;
use crate::model::{ConnectionName, JobState, MappingName, Pause, Problem};
use crate::store::Sort;
use jiff::Timestamp;
use tokio::sync::broadcast;

/// The last error that somebody should see.
#[derive(Clone, Debug, PartialEq)]
pub struct LastError {
    pub at: Timestamp,
    pub problem: Problem,
    /// How many jobs failed with the same message.
    pub count: u64,
}

/// The status bar's content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    pub highlevel: Option<BudgetView>,
    pub activecampaign: Option<BudgetView>,
    pub imports: Option<BudgetView>,
    pub counts: JobCounts,
    /// Workers alive on this store, this process included.
    pub workers: u32,
    /// What keeps jobs from being claimed.
    pub pauses: Vec<Pause>,
    /// Mappings that this process leaves to others, because another version of them is in force.
    pub outdated: Vec<MappingName>,
    /// Running exports, newest first.
    pub exports: Vec<Run>,
    /// Exports that this process works on, of whatever connection: they stop with it.
    pub at_work: Vec<Run>,
    /// Actions on many jobs that are not over, whoever began them, the newest first.
    pub bulks: Vec<Bulk>,
    pub last_error: Option<LastError>,
}

impl Operations {
    /// Everything the status bar shows, of the connection in view where config.toml has several. No network; a few small
    /// reads of the store.
    pub async fn status(&self, connection: &ConnectionName) -> Done<Status> {
        let state = self.state();
        let opened = state.open_account(connection)?;
        let [activecampaign, imports] = opened.account.activecampaign.budget_views();
        let store = &self.inner.store;
        let only = self.only(connection);
        let mut exports = store.runs_of(20, None, only).await?;
        exports.retain(|run| run.state == RunState::Running);
        let mut at_work = match only {
            Some(_) => store.runs_of(20, None, None).await?,
            None => exports.clone(),
        };
        at_work.retain(|run| run.state == RunState::Running && self.export_at_work(&run.id));
        let mut pauses = store.pauses().await?;
        pauses.retain(|pause| only.is_none_or(|only| pause.connection == *only));
        Ok(Status {
            highlevel: Some(opened.account.highlevel.budget()),
            activecampaign: Some(activecampaign),
            imports: Some(imports),
            counts: store.counts_of(only).await?,
            workers: self.inner.engine.workers().await?,
            pauses,
            outdated: store
                .other_versions()
                .await?
                .into_iter()
                .map(|version| version.mapping)
                .collect(),
            exports,
            at_work,
            bulks: store.open_bulks().await?,
            last_error: self.last_error(only).await?,
        })
    }

    /// The connection that lists are narrowed to: none where there is only one, so that what another configuration left in the
    /// store is still seen.
    pub fn only<'a>(&self, connection: &'a ConnectionName) -> Option<&'a ConnectionName> {
        (self.state().config.connections.len() > 1).then_some(connection)
    }

    async fn last_error(&self, only: Option<&ConnectionName>) -> Done<Option<LastError>> {
        let store = &self.inner.store;
        let mut failed = Filter::default().and(Condition::State(vec![JobState::Failed]));
        if let Some(only) = only {
            failed = failed.and(Condition::Connection(vec![only.to_string()]));
        }
        let Some(job) = store
            .list(&failed, Sort::LATEST, None, 1)
            .await?
            .into_iter()
            .next()
        else {
            return Ok(None);
        };
        let Some(problem) = job.error else {
            return Ok(None);
        };
        let count = store.same_error(&job.id).await?;
        Ok(Some(LastError {
            at: job.updated_at,
            problem,
            count,
        }))
    }

    /// The latest HTTP calls of this process, oldest first, at most 1,000.
    pub fn recent_calls(&self) -> Vec<Call> {
        self.inner.calls.recent()
    }

    /// Every HTTP call from now on; a slow listener misses some.
    pub fn watch_calls(&self) -> broadcast::Receiver<Call> {
        self.inner.calls.watch()
    }
}
