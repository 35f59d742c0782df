//! Runs of bulk exports.

use super::audit::Act;
use super::{Done, Operations};
use crate::model::export::{ExportOptions, Run, RunState};
use crate::model::filter::{Condition, Filter};
use crate::model::view::SyncResult;
use crate::model::{ConnectionName, ErrorClass, JobState, MappingName, Problem, RunId};

impl Operations {
    /// Starts a run in the background of this process, or goes on with the mapping's run whose process died; one
    /// running export per mapping.
    pub async fn start_export(&self, mapping: &MappingName, options: ExportOptions) -> Done<Run> {
        if !options.dry_run {
            self.writable()?;
        }
        let state = self.state();
        let (spec, connection) = state.spec(mapping)?;
        let account = state.open_account(&connection)?.account.clone();
        // A long run goes by what both accounts look like now.
        account.forget().await;
        let compiled = account.mapping(mapping, spec).await?;
        let engine = &self.inner.engine;
        if options.dry_run {
            return engine.start_export(&account, compiled, options).await;
        }
        let doing = engine.start_export(&account, compiled, options);
        let act = Act::new("export start", mapping.as_str()).of(&connection);
        self.audited(act, doing, |_| None).await
    }

    /// Tells of every record a dry run of this process would send or refuse, from now on.
    pub fn rehearsals(&self) -> tokio::sync::mpsc::Receiver<SyncResult> {
        self.inner.engine.rehearsals()
    }

    /// True while a run is at work in this process, or awaits the results of what it sent.
    pub fn export_at_work(&self, id: &RunId) -> bool {
        self.inner.engine.export_at_work(id)
    }

    /// Why a run stopped in this process, where that could not be written down: the store still calls it running.
    pub fn export_failure(&self, id: &RunId) -> Option<Problem> {
        self.inner.engine.export_failure(id)
    }

    /// Runs, newest first; of one connection where one is given.
    pub async fn exports(&self, limit: u32, only: Option<&ConnectionName>) -> Done<Vec<Run>> {
        Ok(self.inner.store.runs_of(limit, None, only).await?)
    }

    /// One run; `id` may be a unique beginning.
    pub async fn export(&self, id: &str) -> Done<Run> {
        self.inner
            .store
            .run(&RunId::from(id))
            .await?
            .ok_or_else(|| {
                Problem::new(
                    ErrorClass::Config,
                    format!("there is no run `{id}`, or more than one begins so"),
                )
                .remedy("see tramline exports list")
            })
    }

    /// How many of the records that a run could not bring to their contacts still stand so in the queue; the others were retried,
    /// synced again or given up since. A dry run leaves none there.
    pub async fn still_failed(&self, run: &RunId) -> Done<u64> {
        let open = vec![JobState::Failed, JobState::Unknown];
        let filter = Filter::default()
            .and(Condition::State(open))
            .and(Condition::Run(vec![run.to_string()]));
        Ok(self.inner.store.count_all(&filter).await?)
    }

    /// Stops a run after what is in flight; it can be resumed.
    pub async fn pause_export(&self, id: &RunId) -> Done<Run> {
        self.writable()?;
        self.end_export(id, RunState::Paused).await
    }

    /// Goes on with a paused or failed run in the background of this process.
    pub async fn resume_export(&self, id: &RunId) -> Done<Run> {
        self.writable()?;
        let run = self.export(id.as_str()).await?;
        let state = self.state();
        let (spec, connection) = state.spec(&run.mapping)?;
        let account = state.open_account(&connection)?.account.clone();
        let compiled = account.mapping(&run.mapping, spec).await?;
        let target = format!("{} {}", run.mapping, run.id);
        let doing = self.inner.engine.resume_export(&account, compiled, run);
        let act = Act::new("export resume", target).of(&connection);
        self.audited(act, doing, |_| None).await
    }

    /// Ends a run for good after what is in flight; what was sent stays sent.
    pub async fn cancel_export(&self, id: &RunId) -> Done<Run> {
        self.writable()?;
        self.end_export(id, RunState::Cancelled).await
    }

    async fn end_export(&self, id: &RunId, state: RunState) -> Done<Run> {
        let action = match state {
            RunState::Paused => "export pause",
            _ => "export cancel",
        };
        let run = self.export(id.as_str()).await?;
        let act = Act::new(action, format!("{} {id}", run.mapping)).of(&run.connection);
        let doing = self.inner.engine.end_export(id, state);
        self.audited(act, doing, |()| None).await?;
        self.export(id.as_str()).await
    }
}
