//! The engine. One record's way is [`job`]: claim, read, plan, write, act on rules ([`effects`]), settle. Many records' way is
//! [`export`]: read pages, plan, import, confirm, settle. Where many jobs are due, [`backlog`] goes a job's way with many at
//! once, and writes as an export does.

mod account;
mod backlog;
mod backoff;
mod breaker;
mod bulk;
pub mod contest;
mod deleted;
mod directory;
pub mod edited;
mod effects;
mod ended;
mod export;
mod import;
mod job;
mod plan;
pub mod related;
mod send;
mod sent;
pub mod survey;
#[cfg(test)]
mod testing;
mod trouble;
mod turns;
mod verdict;
mod walk;
mod worker;
pub mod write;

pub use account::Account;
pub use directory::is_dead;
pub use ended::{failed, rehearsed};
pub use plan::version;
pub use walk::{Walk, honours_sort};

use crate::mapping::{Mapping, MappingSpec, OnDelete};
use crate::model::export::{ExportOptions, Run, RunState};
use crate::model::view::{Outcome, SyncResult};
use crate::model::{
    BulkId, ConnectionName, ErrorClass, Job, JobId, JobState, MappingName, Problem, RecordId,
    RunId, Trigger,
};
use crate::store::{NewJob, Store, WorkerSeen};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the end of a pause is looked for that keeps an abandoned export from being gone on with.
const LOOK_FOR_LIFTED: Duration = Duration::from_secs(1);
/// How long work under way may take to end once the process is to end.
const TO_END: Duration = Duration::from_millis(8_500);
/// How long it may take to write down what has not ended.
const TO_GIVE_BACK: Duration = Duration::from_secs(1);

/// What the engine works by. It can be replaced while the engine runs: what is under way ends by the settings it
/// began with.
pub struct Settings {
    pub accounts: BTreeMap<ConnectionName, Account>,
    /// Mappings with the connection each belongs to.
    pub mappings: BTreeMap<MappingName, (ConnectionName, MappingSpec)>,
    /// Jobs worked on at the same time.
    pub concurrency: usize,
    pub retention: Retention,
}

impl Settings {
    /// The mappings of an account that delete the contacts of records that are gone.
    fn deleting(&self, connection: &ConnectionName) -> BTreeSet<MappingName> {
        self.mappings
            .iter()
            .filter(|(_, (of, spec))| of == connection && spec.on_delete == OnDelete::Delete)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// How long what is over is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Done and discarded jobs, since their last change.
    pub done: Duration,
    /// Attempts, since their start.
    pub attempts: Duration,
    /// Webhooks, since they were worked off.
    pub events: Duration,
}

/// The engine of one process. Clones share it.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: watch::Sender<Arc<Settings>>,
    /// Host, process and start: names this process in leases and attempts.
    owner: String,
    tracker: TaskTracker,
    /// Take no new work.
    stop: CancellationToken,
    /// Give back what is still under way.
    give_back: CancellationToken,
    wake: Notify,
    /// Credentials may have changed: broken accounts are asked at once.
    credentials: Notify,
    working: AtomicBool,
    /// Results of jobs worked here, for those who wait for them.
    results: broadcast::Sender<(JobId, SyncResult)>,
    /// Who listens to what dry runs of this process would send.
    rehearsals: Mutex<Option<mpsc::Sender<SyncResult>>>,
    exports: export::Exports,
    backlog: backlog::Backlog,
    trouble: trouble::Trouble,
}

impl Engine {
    /// An engine at rest.
    pub fn new(store: Store, settings: Settings) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                settings: watch::Sender::new(Arc::new(settings)),
                owner: worker::owner(),
                tracker: TaskTracker::new(),
                stop: CancellationToken::new(),
                give_back: CancellationToken::new(),
                wake: Notify::new(),
                credentials: Notify::new(),
                working: AtomicBool::new(false),
                results: broadcast::channel(1024).0,
                rehearsals: Mutex::default(),
                exports: export::Exports::default(),
                backlog: backlog::Backlog::default(),
                trouble: trouble::Trouble::default(),
            }),
        }
    }

    /// Works the queue in the background from now on and goes on with exports whose process died.
    pub fn start(&self) {
        self.start_worker();
        let engine = self.clone();
        self.inner.tracker.spawn(async move {
            // A process on another host may die at any time; on this one it is seen at the start.
            let mut look = tokio::time::interval(Duration::from_secs(30));
            look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = look.tick() => {}
                    () = engine.inner.stop.cancelled() => return,
                }
                if export::adopt_abandoned(&engine).await {
                    look.reset_after(LOOK_FOR_LIFTED);
                }
            }
        });
    }

    /// Works the queue in the background from now on; a second call changes nothing.
    pub fn start_worker(&self) {
        self.inner.backlog.open();
        self.start_singly();
        self.wake();
    }

    /// As [`Engine::start_worker`], without the bulks that work a backlog off, unless they are begun already.
    fn start_singly(&self) {
        if !self.inner.working.swap(true, Ordering::Relaxed) {
            self.inner.tracker.spawn(worker::run(self.clone()));
            self.inner.tracker.spawn(breaker::watch(self.clone()));
            self.inner.tracker.spawn(bulk::watch(self.clone()));
            let flights = backlog::flights::watch(self.clone());
            self.inner.tracker.spawn(flights);
        }
    }

    /// Applies an action of a person once its delay is over. If this process ends before, a worker does.
    pub fn apply_later(&self, id: BulkId, delay: Duration) {
        let later = bulk::later(self.clone(), id, delay);
        self.inner.tracker.spawn(later);
    }

    /// Lets the worker look for jobs at once.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Works by other settings from the next job on.
    pub fn replace(&self, settings: Settings) {
        self.inner.settings.send_replace(Arc::new(settings));
        self.wake();
    }

    /// Tokens were read again: accounts that were stopped because theirs was refused are asked at once, and jobs that wait
    /// for one are tried. Answers the number of such jobs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn credentials_changed(&self) -> Result<u64, Problem> {
        self.inner.credentials.notify_one();
        let hastened = self.store().hasten_refused().await?;
        self.wake();
        Ok(hastened)
    }

    /// The settings now; a piece of work takes them once and keeps to them.
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.inner.settings.borrow())
    }

    /// Hears of it when the settings are replaced.
    pub fn settings_changes(&self) -> watch::Receiver<Arc<Settings>> {
        self.inner.settings.subscribe()
    }

    /// How long what is over is kept, as the settings say now.
    pub fn retention(&self) -> Retention {
        self.settings().retention
    }

    /// Takes no new work, lets what is under way end, and gives back what has not ended in time: within 10 s.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.tracker.close();
        let ended = self.inner.tracker.wait();
        if tokio::time::timeout(TO_END, ended).await.is_ok() {
            return;
        }
        self.inner.give_back.cancel();
        let given_back = self.inner.tracker.wait();
        if tokio::time::timeout(TO_GIVE_BACK, given_back)
            .await
            .is_err()
        {
            tracing::warn!("some work was neither ended nor given back; its leases will expire");
        }
    }

    /// The processes that work the queue of this store, this one included. One that died on this host is known to be dead
    /// at once.
    ///
    /// # Errors
    /// The store failed.
    pub async fn living_workers(&self) -> Result<Vec<WorkerSeen>, Problem> {
        let mut workers = self.store().workers().await?;
        workers.retain(|worker| !worker::is_dead(&worker.owner));
        Ok(workers)
    }

    /// Number of processes at work on this store: workers, and owners of exports.
    ///
    /// # Errors
    /// The store failed.
    pub async fn workers(&self) -> Result<u32, Problem> {
        let mut owners = self.store().lease_owners().await?;
        owners.retain(|owner| !worker::is_dead(owner));
        owners.extend(
            self.living_workers()
                .await?
                .into_iter()
                .map(|one| one.owner),
        );
        owners.sort_unstable();
        owners.dedup();
        Ok(owners.len() as u32)
    }

    /// Puts the mappings of this process's configuration in force. A worker does so at its start; to be called again when
    /// the configuration was read again.
    pub async fn mappings_changed(&self) {
        if !self.inner.working.load(Ordering::Relaxed) {
            return;
        }
        let settings = self.settings();
        let connections: Vec<ConnectionName> = settings.accounts.keys().cloned().collect();
        let versions = settings
            .mappings
            .iter()
            .map(|(name, (connection, spec))| {
                let key = (connection.clone(), name.clone());
                (key, spec.hash().as_str().to_owned())
            })
            .collect();
        let began = self
            .store()
            .worker_began(&self.inner.owner, &connections, &versions)
            .await;
        if let Err(error) = began {
            tracing::error!(%error, "the worker could not say which mappings it has");
        }
        self.wake();
    }

    /// Returns once no job is ready or running, no action on many jobs is due, and no export of this process runs.
    pub async fn idle(&self) -> Result<(), Problem> {
        let mut changes = self.store().changes();
        loop {
            let counts = self.store().counts().await?;
            if counts.ready == 0
                && counts.running == 0
                && self.inner.exports.is_empty()
                && self.store().due_bulks().await?.is_empty()
            {
                return Ok(());
            }
            // What another process changed, and what time did, is met at the next look.
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
        }
    }

    /// Enqueues records as a person's jobs, works them in this process (or lets another worker do so), and waits: also
    /// while a job waits to be tried again, within the job's own number of attempts.
    ///
    /// # Errors
    /// The store failed, here or for the worker. What becomes of each record stands in its result.
    pub async fn sync_now(
        &self,
        account: &Account,
        mapping: &Arc<Mapping>,
        records: &[RecordId],
    ) -> Result<Vec<(JobId, SyncResult)>, Problem> {
        let store = self.store();
        let mut results = self.inner.results.subscribe();
        let jobs: Vec<NewJob> = records
            .iter()
            .map(|record| NewJob {
                connection: account.name.clone(),
                mapping: mapping.name().clone(),
                object: mapping.object().clone(),
                record: record.clone(),
                trigger: Trigger::Manual,
                not_before: None,
            })
            .collect();
        let ids = store.enqueue_many(&jobs).await?;
        // Whoever waits wants to know whether a stopped account goes on by now.
        breaker::ask(self, std::slice::from_ref(&account.name), true).await;
        self.start_singly();
        self.wake();
        let mut done: BTreeMap<JobId, SyncResult> = BTreeMap::new();
        while ids.iter().any(|id| !done.contains_key(id)) {
            match tokio::time::timeout(Duration::from_millis(500), results.recv()).await {
                Ok(Ok((id, result))) => {
                    if ids.contains(&id)
                        && (result.outcome != Outcome::Waiting || self.ends_here(&id).await?)
                    {
                        done.insert(id, result);
                    }
                }
                // Too slow to hear all, or another process may have done it: the store knows.
                Ok(Err(_)) | Err(_) => {
                    for id in &ids {
                        if !done.contains_key(id)
                            && let Some(result) = self.settled(id).await?
                        {
                            done.insert(id.clone(), result);
                        }
                    }
                    self.not_in_trouble(ids.iter().filter(|id| !done.contains_key(id)))?;
                }
            }
        }
        let result = |id: JobId| Some((id.clone(), done.get(&id)?.clone()));
        Ok(ids.into_iter().filter_map(result).collect())
    }

    /// True if a job that waits is not waited for: it needs more than a moment.
    async fn ends_here(&self, id: &JobId) -> Result<bool, Problem> {
        let job = self.store().job(id).await?;
        Ok(job.is_some_and(|job| !job.is_under_way()))
    }

    /// The result of a job that came to an end without this process hearing of it, as the job has it.
    async fn settled(&self, id: &JobId) -> Result<Option<SyncResult>, Problem> {
        let store = self.store();
        let Some(job) = store.job(id).await? else {
            return Ok(None);
        };
        if job.is_under_way() {
            return Ok(None);
        }
        let outcome = match job.state {
            // An export that resolved it tells no end: it confirmed what the record has.
            JobState::Done => job
                .ended
                .as_ref()
                .map_or(Outcome::Synced, |end| end.outcome),
            JobState::Unknown => Outcome::Unknown,
            JobState::Failed | JobState::Discarded => Outcome::Failed,
            JobState::Ready | JobState::Running | JobState::Waiting => Outcome::Waiting,
        };
        Ok(Some(SyncResult {
            superseded_by: if outcome == Outcome::Superseded {
                store.winner_over(&job).await?
            } else {
                None
            },
            record: job.record,
            outcome,
            contact_id: job.contact.id,
            fields: Vec::new(),
            warning: store
                .attempts(id)
                .await?
                .pop()
                .and_then(|attempt| attempt.warning),
            rules: Vec::new(),
            why: job
                .ended
                .filter(|end| end.outcome == Outcome::Skipped)
                .and_then(|end| end.why),
            error: job.error,
        }))
    }

    /// Waits until jobs come to an end, or to a wait that takes more than a moment; answers with them as they are then.
    ///
    /// # Errors
    /// The store failed, here or for the worker.
    pub async fn wait_for(&self, ids: &[JobId]) -> Result<Vec<Job>, Problem> {
        let store = self.store();
        let mut changes = store.changes();
        let mut ended: BTreeMap<&JobId, Job> = BTreeMap::new();
        loop {
            for id in ids {
                if !ended.contains_key(id)
                    && let Some(job) = store.job(id).await?
                    && !job.is_under_way()
                {
                    ended.insert(id, job);
                }
            }
            if ids.iter().all(|id| ended.contains_key(id)) {
                return Ok(ids.iter().filter_map(|id| ended.remove(id)).collect());
            }
            self.not_in_trouble(ids.iter().filter(|id| !ended.contains_key(id)))?;
            // What another process changed, and what time did, is met at the next look.
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
        }
    }

    /// Starts an export in the background, or goes on with the mapping's run whose process died.
    ///
    /// # Errors
    /// Another process works on a run of this mapping, or it is paused: the problem names the run.
    pub async fn start_export(
        &self,
        account: &Account,
        mapping: Arc<Mapping>,
        options: ExportOptions,
    ) -> Result<Run, Problem> {
        export::start(self, account, mapping, options).await
    }

    /// Goes on with a paused, failed or abandoned run in the background.
    ///
    /// # Errors
    /// The run cannot be resumed in its state, or another process works on it.
    pub async fn resume_export(
        &self,
        account: &Account,
        mapping: Arc<Mapping>,
        run: Run,
    ) -> Result<Run, Problem> {
        export::resume(self, account, mapping, run).await
    }

    /// Pauses or cancels a run, wherever it runs.
    ///
    /// # Errors
    /// Its state does not allow that.
    pub async fn end_export(&self, id: &RunId, state: RunState) -> Result<(), Problem> {
        if !self.store().set_run_state(id, state, None).await? {
            return Err(Problem::new(
                ErrorClass::Config,
                format!("run {id} cannot be {} now", state.name()),
            )
            .remedy("see tramline exports show"));
        }
        self.inner.exports.wake(id);
        Ok(())
    }

    /// True while a run is at work in this process, or awaits the results of what it sent.
    pub fn export_at_work(&self, id: &RunId) -> bool {
        self.inner.exports.has(id)
    }

    /// Why a run stopped in this process, where that could not be written down: the store still calls it running.
    pub fn export_failure(&self, id: &RunId) -> Option<Problem> {
        self.inner.exports.failure(id)
    }

    /// Everything that dry runs of this process would send or refuse, from now on. Whoever listens must read on:
    /// a dry run waits for its listener.
    pub fn rehearsals(&self) -> mpsc::Receiver<SyncResult> {
        let (sender, receiver) = mpsc::channel(256);
        *self
            .inner
            .rehearsals
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Tells the listener of a dry run's result; without one it is only counted.
    async fn rehearsed(&self, result: SyncResult) {
        let listener = self
            .inner
            .rehearsals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(listener) = listener {
            // A listener that went away misses nothing it wanted.
            let _ = listener.send(result).await;
        }
    }
}
