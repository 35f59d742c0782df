//! The worker: claims jobs, works them side by side, many of one mapping together, and keeps their leases.

use super::account::Account;
use super::backlog::{BULK, Bulk, Listener};
use super::breaker::{self, Probed};
use super::ended::Ended;
use super::job::Desk;
use super::turns::{self, Busy, Turns};
use super::{Engine, verdict};
use crate::http::{Lane, REQUEST_TIMEOUT};
use crate::metrics;
use crate::model::call::Api;
use crate::model::view::SyncResult;
use crate::model::{ConnectionName, ErrorClass, Job, JobId, Problem, Trigger};
use crate::store::{
    Claim, MappingVersion, NewAttempt, Probe, Pruned, Retention, Settlement, StoreError,
};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tracing::Instrument;

/// How often another process's writes are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How long writes of this process are gathered before jobs are looked for; who makes one due wakes the worker at once.
const CALM: Duration = Duration::from_millis(250);

/// A rate limit that is met lets a job wait in the queue, where it is seen to wait, if it takes longer than this.
const MOMENT: Duration = Duration::from_secs(5);

/// How often what retention no longer wants is removed.
const SWEEP: Duration = Duration::from_secs(3600);

/// Leases held by this process: the epoch of each job, and its connection where it takes a slot.
type Held = Arc<Mutex<Leases>>;
type Leases = HashMap<JobId, (i64, Option<ConnectionName>)>;

/// Names this process: host, process id and the process's start, so that a dead owner can be told from a
/// living one that got the same number.
pub fn owner() -> String {
    let host =
        std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    let pid = std::process::id();
    format!(
        "{}/{pid}/{}",
        host.as_deref().unwrap_or("host"),
        started(pid).unwrap_or_default()
    )
}

/// True if an owner is of this host and its process is no more.
pub fn is_dead(owner: &str) -> bool {
    is_dead_beside(owner, &self::owner())
}

/// As [`is_dead`], seen from the process `own`. Where the kernel does not tell when processes started, nobody is taken
/// for dead: the lease tells, later.
fn is_dead_beside(owner: &str, own: &str) -> bool {
    let mut parts = owner.rsplitn(3, '/');
    let (Some(start), Some(pid), Some(host)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let mut mine = own.rsplitn(3, '/');
    let (own_start, own_host) = (mine.next().unwrap_or_default(), mine.nth(1));
    if own_host != Some(host) || own_start.is_empty() || start.is_empty() {
        return false;
    }
    let Ok(pid) = pid.parse::<u32>() else {
        return false;
    };
    started(pid).as_deref() != Some(start)
}

/// The start time of a process in the kernel's ticks; `None` if there is no such process.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold spaces; the start is the 20th field behind it.
    let fields = stat.rsplit_once(')')?.1;
    // A zombie has ended, it is only not yet buried.
    (!fields.trim_start().starts_with('Z'))
        .then(|| fields.split_whitespace().nth(19).map(str::to_owned))
        .flatten()
}

/// Works the queue until the engine stops.
pub async fn run(engine: Engine) {
    let mut slots = Slots::new(engine.settings().concurrency);
    let held: Held = Arc::default();
    let beat = engine
        .inner
        .tracker
        .spawn(heartbeats(engine.clone(), Arc::clone(&held)));
    let sweep = engine.inner.tracker.spawn(pruning(engine.clone()));
    let mut changes = engine.store().changes();
    let mut probe = Probe::default();
    let mut others = Vec::new();
    forget_the_dead(&engine).await;
    engine.mappings_changed().await;
    loop {
        // A slot first, then the claim: what is claimed can be begun at once.
        let Some(free) = slots.free(&engine).await else {
            break;
        };
        changes.mark_unchanged();
        let turns = turns(&engine, &held, free);
        let claims = match engine
            .store()
            .claim_singly(&engine.inner.owner, &turns.open, turns.limit)
            .await
        {
            Ok(claims) => {
                engine.inner.trouble.claimed(None);
                claims
            }
            Err(error) => {
                tracing::error!(%error, "no job could be claimed");
                engine.inner.trouble.claimed(Some(error));
                if pause(&engine, LOOK).await {
                    continue;
                } else {
                    break;
                }
            }
        };
        let mut begun = !claims.is_empty();
        for claim in claims {
            begin(&engine, claim, &slots.permits, &held).await;
        }
        match begin_together(&engine, &turns.open, &held).await {
            Ok(more) => begun |= more,
            Err(error) => tracing::error!(%error, "no jobs could be claimed together"),
        }
        if begun {
            continue;
        }
        tell_other_versions(&engine, &mut others).await;
        let due = if engine.inner.backlog.has_room() {
            engine.store().next_due(&turns.open).await
        } else {
            // The end of a bulk wakes the worker.
            engine.store().next_due_singly(&turns.open).await
        };
        let due = due.ok().flatten();
        let due = due.into_iter().chain(turns.next).min();
        let wait = due.map_or(Duration::from_secs(3600), |at| {
            Duration::try_from(at.duration_since(Timestamp::now()))
                .unwrap_or(Duration::ZERO)
                .max(Duration::from_millis(20))
        });
        let sleep = tokio::time::sleep(wait);
        tokio::pin!(sleep);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        look.tick().await;
        loop {
            tokio::select! {
                () = engine.inner.stop.cancelled() => break,
                () = engine.inner.wake.notified() => break,
                _ = changes.changed() => {
                    // An export writes hundreds of times a second, and hardly any of it makes a job due.
                    let _ = tokio::time::timeout(CALM, engine.inner.wake.notified()).await;
                    break;
                }
                () = &mut sleep => break,
                _ = look.tick() => {
                    if engine.store().version_probe(&mut probe).await.unwrap_or(true) {
                        break;
                    }
                }
            }
        }
        if engine.inner.stop.is_cancelled() {
            break;
        }
    }
    beat.abort();
    sweep.abort();
    if let Err(error) = engine.store().worker_ended(&engine.inner.owner).await {
        tracing::warn!(%error, "the worker could not say that it ended");
    }
}

/// Workers of this host that died said nothing.
async fn forget_the_dead(engine: &Engine) {
    let workers = engine.store().workers().await.unwrap_or_default();
    for worker in workers.iter().filter(|worker| is_dead(&worker.owner)) {
        if let Err(error) = engine.store().worker_ended(&worker.owner).await {
            tracing::warn!(%error, "a dead worker could not be forgotten");
        }
    }
}

/// Says once which mappings are left to other workers, because another version of them is in force.
async fn tell_other_versions(engine: &Engine, told: &mut Vec<MappingVersion>) {
    let Ok(others) = engine.store().other_versions().await else {
        return;
    };
    for version in others.iter().filter(|version| !told.contains(version)) {
        tracing::warn!(connection = %version.connection, mapping = %version.mapping, by = version.by,
            "another version of the mapping is in force: its jobs are left to workers that have it");
    }
    *told = others;
}

/// Removes what retention no longer wants: at once, now and then, and when the settings may say otherwise.
async fn pruning(engine: Engine) {
    let mut settings = engine.settings_changes();
    loop {
        settings.mark_unchanged();
        let kept = engine.retention();
        let now = Timestamp::now();
        // A period beyond the calendar keeps everything.
        let before = |period: Duration| now.checked_sub(period).unwrap_or(Timestamp::MIN);
        let retention = Retention {
            done_before: before(kept.done),
            attempts_before: before(kept.attempts),
        };
        match engine.store().prune(retention).await {
            Ok(pruned) if pruned == Pruned::default() => {}
            Ok(pruned) => tracing::info!(jobs = pruned.jobs, attempts = pruned.attempts, "pruned"),
            Err(error) => tracing::error!(%error, "what is old could not be pruned"),
        }
        // The engine holds the other end for as long as this task lives.
        let _ = tokio::time::timeout(SWEEP, settings.changed()).await;
    }
}

/// The accounts to claim for now.
fn turns(engine: &Engine, held: &Held, free: u32) -> Turns {
    let settings = engine.settings();
    let held = lock(held);
    let accounts: Vec<Busy> = settings
        .accounts
        .iter()
        .map(|(name, account)| Busy {
            name: name.clone(),
            blocked_until: account.blocked_until(),
            jobs: held
                .values()
                .filter(|(_, of)| of.as_ref() == Some(name))
                .count(),
        })
        .collect();
    turns::choose(&accounts, settings.concurrency, free, Timestamp::now())
}

/// Room for jobs worked on at the same time; the settings say how much there is.
struct Slots {
    permits: Arc<Semaphore>,
    width: usize,
}

impl Slots {
    fn new(width: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(width)),
            width,
        }
    }

    /// The number of free slots, at least one; `None` once the engine stops.
    async fn free(&mut self, engine: &Engine) -> Option<u32> {
        loop {
            tokio::select! {
                biased;
                () = engine.inner.stop.cancelled() => return None,
                permit = self.permits.acquire() => drop(permit.ok()?),
            }
            self.resize(engine.settings().concurrency);
            match self.permits.available_permits() {
                0 => continue,
                free => return Some(free as u32),
            }
        }
    }

    /// Makes more room at once, less as jobs end.
    fn resize(&mut self, wanted: usize) {
        if wanted > self.width {
            self.permits.add_permits(wanted - self.width);
            self.width = wanted;
        } else {
            self.width -= self.permits.forget_permits(self.width - wanted);
        }
    }
}

async fn pause(engine: &Engine, time: Duration) -> bool {
    tokio::select! {
        () = engine.inner.stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

async fn begin(engine: &Engine, claim: Claim, slots: &Arc<Semaphore>, held: &Held) {
    let Ok(permit) = Arc::clone(slots).acquire_owned().await else {
        return;
    };
    lock(held).insert(
        claim.job.id.clone(),
        (claim.epoch, Some(claim.job.connection.clone())),
    );
    let (engine, held) = (engine.clone(), Arc::clone(held));
    let tracker = engine.inner.tracker.clone();
    let job = &claim.job;
    // Every line about this attempt carries these, whoever writes it.
    let span = tracing::info_span!("job", job = %job.id, record = %job.record, mapping = %job.mapping,
        connection = %job.connection, trace = %trace());
    let attempt = async move {
        let id = claim.job.id.clone();
        let (started, sending) = (Instant::now(), Arc::default());
        tokio::select! {
            // What has ended is not given back.
            biased;
            result = work(&engine, &claim, Arc::clone(&sending)) => match result {
                Ok(result) => {
                    engine.inner.trouble.settled(&id, None);
                    measure(&claim, &result, started.elapsed());
                    // Nobody waiting for it is the usual case.
                    let _ = engine.inner.results.send((id.clone(), result));
                }
                Err(error) => {
                    tracing::error!(%error, "the job could not be settled; its lease will expire");
                    engine.inner.trouble.settled(&id, Some(error));
                }
            },
            () = engine.inner.give_back.cancelled() => give_back(&engine, std::slice::from_ref(&claim), &sending).await,
        }
        lock(&held).remove(&id);
        drop(permit);
    };
    tracker.spawn(attempt.instrument(span));
}

/// Begins a bulk, if there is room for one and some mapping has a backlog.
async fn begin_together(
    engine: &Engine,
    open: &[ConnectionName],
    held: &Held,
) -> Result<bool, StoreError> {
    let backlog = &engine.inner.backlog;
    let Some(room) = backlog.room() else {
        return Ok(false);
    };
    let turns = backlog.in_turn(open);
    let owner = &engine.inner.owner;
    let claims = engine.store().claim_together(owner, &turns, BULK).await?;
    let Some(first) = claims.first() else {
        return Ok(false);
    };
    let connection = first.job.connection.clone();
    let span = tracing::info_span!("bulk", jobs = claims.len(), mapping = %first.job.mapping,
        connection = %connection, trace = %trace());
    backlog.began(&connection);
    let leases = claims
        .iter()
        .map(|claim| (claim.job.id.clone(), (claim.epoch, None)));
    lock(held).extend(leases);
    let crew = Crew {
        engine: engine.clone(),
        held: Arc::clone(held),
        left: Mutex::new(
            claims
                .iter()
                .map(|claim| (claim.job.id.clone(), claim.clone()))
                .collect(),
        ),
        started: Instant::now(),
    };
    let tracker = engine.inner.tracker.clone();
    let work = async move {
        let (engine, sending) = (&crew.engine, Arc::default());
        let failed = tokio::select! {
            biased;
            result = work_together(engine, claims, Arc::clone(&sending), &crew) => result.is_err_and(|error| {
                tracing::error!(%error, "the jobs could not be settled; their leases will expire");
                true
            }),
            () = engine.inner.give_back.cancelled() => false,
        };
        let left: Vec<Claim> = crew.left().drain().map(|(_, claim)| claim).collect();
        if !failed && !left.is_empty() {
            give_back(engine, &left, &sending).await;
        }
        for claim in &left {
            lock(&crew.held).remove(&claim.job.id);
        }
        engine.inner.backlog.ended(&connection);
        drop(room);
        engine.wake();
    };
    tracker.spawn(work.instrument(span));
    Ok(true)
}

/// The jobs of a bulk that have not come to their end.
struct Crew {
    engine: Engine,
    held: Held,
    left: Mutex<HashMap<JobId, Claim>>,
    started: Instant,
}

impl Crew {
    fn left(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Claim>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Crew {
    fn settled(&self, claim: &Claim, result: Option<SyncResult>) {
        let id = &claim.job.id;
        lock(&self.held).remove(id);
        self.left().remove(id);
        self.engine.inner.trouble.settled(id, None);
        if let Some(result) = result {
            measure(claim, &result, self.started.elapsed());
            // Nobody waiting for it is the usual case.
            let _ = self.engine.inner.results.send((id.clone(), result));
        }
    }
}

async fn work_together(
    engine: &Engine,
    claims: Vec<Claim>,
    sending: Arc<AtomicBool>,
    crew: &Crew,
) -> Result<(), StoreError> {
    let started = Timestamp::now();
    let Some(first) = claims.first() else {
        return Ok(());
    };
    match desk(engine, &first.job, Lane::Bulk, sending).await {
        Ok(desk) => {
            let bulk = Bulk {
                desk: &desk,
                backlog: &engine.inner.backlog,
                stop: &engine.inner.stop,
                listener: crew,
                started,
            };
            bulk.work(claims).await
        }
        Err((problem, probed)) => {
            for claim in &claims {
                let ended = undone(engine, claim, started, problem.clone(), probed).await?;
                crew.settled(claim, Some(ended.result(&claim.job)));
            }
            Ok(())
        }
    }
}

/// Names one attempt in the log: 16 random digits.
fn trace() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// The process ends and jobs have not: another worker takes them. What may still be on its way to the contact must
/// arrive before that one sends.
async fn give_back(engine: &Engine, claims: &[Claim], sending: &AtomicBool) {
    let until = sending
        .load(Ordering::Relaxed)
        .then(|| Timestamp::now() + REQUEST_TIMEOUT);
    let leases: Vec<(&JobId, i64)> = claims
        .iter()
        .map(|claim| (&claim.job.id, claim.epoch))
        .collect();
    match engine.store().give_back_many(&leases, until).await {
        Ok(()) => {
            let until = until.map(tracing::field::display);
            tracing::info!(jobs = claims.len(), until, "given back");
        }
        Err(error) => {
            tracing::error!(%error, jobs = claims.len(), "could not be given back; the leases will expire")
        }
    }
}

fn measure(claim: &Claim, result: &SyncResult, took: Duration) {
    let job = &claim.job;
    let waited = claim.job.updated_at.duration_since(claim.ready_since);
    let class = result.error.as_ref().map(|problem| problem.class);
    metrics::attempt(&metrics::Attempt {
        connection: &job.connection,
        mapping: &job.mapping,
        outcome: result.outcome,
        class,
        waited: Duration::try_from(waited).unwrap_or_default(),
        took,
    });
}

async fn work(
    engine: &Engine,
    claim: &Claim,
    sending: Arc<AtomicBool>,
) -> Result<SyncResult, StoreError> {
    let started = Timestamp::now();
    let lane = if matches!(claim.job.trigger, Trigger::Manual | Trigger::Retry) {
        Lane::Person
    } else {
        Lane::Bulk
    };
    match desk(engine, &claim.job, lane, sending).await {
        Ok(desk) => desk.work(claim).await,
        Err((problem, probed)) => {
            let ended = undone(engine, claim, started, problem, probed).await?;
            Ok(ended.result(&claim.job))
        }
    }
}

/// What working on a job needs; or why it cannot be had, and what the account said of its token.
async fn desk(
    engine: &Engine,
    job: &Job,
    lane: Lane,
    sending: Arc<AtomicBool>,
) -> Result<Desk, (Problem, Probed)> {
    let settings = engine.settings();
    let mut probed = Probed::Alive;
    let problem = match settings.mappings.get(&job.mapping) {
        None => Problem::new(
            ErrorClass::Config,
            format!("config.toml has no mapping `{}` any more", job.mapping),
        )
        .remedy("bring it back, or discard the job"),
        Some((connection, _)) if *connection != job.connection => Problem::new(
            ErrorClass::Config,
            format!(
                "the mapping `{}` belongs to another connection now",
                job.mapping
            ),
        )
        .remedy("discard the job"),
        Some((connection, spec)) => match settings.accounts.get(connection) {
            None => Problem::new(
                ErrorClass::Config,
                format!("config.toml has no connection `{connection}` any more"),
            )
            .remedy("bring it back, or discard the job"),
            Some(account) => {
                let account = account.lane(lane).patience(MOMENT);
                match account.mapping(&job.mapping, spec).await {
                    Ok(mapping) => {
                        return Ok(Desk {
                            store: engine.store().clone(),
                            account,
                            mapping,
                            worker: engine.inner.owner.clone(),
                            deleting: settings.deleting(connection),
                            sending,
                        });
                    }
                    Err(problem) => {
                        // A mapping that is at fault itself can be compiled; a token that cannot be had is met before.
                        let token = problem.class == ErrorClass::Auth
                            || problem.class == ErrorClass::Config
                                && account.compile(&job.mapping, spec).await.is_err();
                        if token {
                            probed = refused(engine, &account, &problem).await;
                        }
                        problem
                    }
                }
            }
        },
    };
    Err((problem, probed))
}

/// Settles a job that could not be begun.
async fn undone(
    engine: &Engine,
    claim: &Claim,
    started: Timestamp,
    problem: Problem,
    probed: Probed,
) -> Result<Ended, StoreError> {
    let (job, settings) = (&claim.job, engine.settings());
    let (class, tries) = (problem.class, claim.tries);
    let now = Timestamp::now();
    let account = settings.accounts.get(&job.connection);
    let closed = account.and_then(Account::blocked_until);
    let closed = closed.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
    let ended = verdict::judge(problem, class, closed, probed, tries);
    let settlement = Settlement {
        attempt: ended.uses_attempt.then(|| NewAttempt {
            started_at: started,
            ended_at: Some(now),
            worker: engine.inner.owner.clone(),
            request: None,
            response: None,
            warning: None,
            mapping_hash: settings
                .mappings
                .get(&job.mapping)
                .map(|(_, spec)| spec.hash().as_str().to_owned())
                .unwrap_or_default(),
        }),
        ..ended.settlement(&engine.inner.owner)
    };
    engine.store().settle(job, claim.epoch, &settlement).await?;
    Ok(ended)
}

/// The schemas are refused: one of the two tokens is dead for every job of the account, or lacks a scope.
async fn refused(engine: &Engine, account: &Account, problem: &Problem) -> Probed {
    for api in [Api::HighLevel, Api::ActiveCampaign] {
        match breaker::probe(account, api).await {
            Probed::Alive => {}
            Probed::Silent => return Probed::Silent,
            Probed::Dead => {
                let (store, owner) = (engine.store(), &engine.inner.owner);
                breaker::open(store, &account.name, api, problem, owner).await;
                return Probed::Dead;
            }
        }
    }
    Probed::Alive
}

/// Says that this worker is alive, and prolongs the leases of jobs under way.
async fn heartbeats(engine: Engine, held: Held) {
    // A third of the lease leaves room for two missed beats.
    let mut beat = tokio::time::interval(engine.store().lease_time() / 3);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        beat.tick().await;
        if let Err(error) = engine.store().worker_beats(&engine.inner.owner).await {
            tracing::error!(%error, "the worker could not say that it is alive");
        }
        let leases: Vec<(JobId, i64)> = lock(&held)
            .iter()
            .map(|(id, (epoch, _))| (id.clone(), *epoch))
            .collect();
        if leases.is_empty() {
            continue;
        }
        match engine.store().heartbeat(&leases).await {
            Ok(lost) if lost.is_empty() => {}
            Ok(lost) => {
                metrics::leases_lost(lost.len() as u64);
                tracing::warn!(jobs = lost.len(), "leases were lost");
            }
            Err(error) => tracing::error!(%error, "leases could not be prolonged"),
        }
    }
}

fn lock(held: &Held) -> std::sync::MutexGuard<'_, Leases> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_at_once_and_shrinks_as_jobs_end() {
        let mut slots = Slots::new(2);
        slots.resize(5);
        assert_eq!(slots.permits.available_permits(), 5);
        let busy = slots.permits.clone().try_acquire_many_owned(4).unwrap();
        slots.resize(2);
        assert_eq!((slots.permits.available_permits(), slots.width), (0, 4));
        drop(busy);
        slots.resize(2);
        assert_eq!((slots.permits.available_permits(), slots.width), (2, 2));
    }

    #[test]
    fn only_a_process_of_this_host_that_surely_ended_is_dead() {
        let own = owner();
        assert!(!is_dead(&own));
        let parts: Vec<&str> = own.rsplitn(3, '/').collect();
        let (start, pid, host) = (parts[0], parts[1], parts[2]);
        assert!(!start.is_empty(), "{own}");
        assert!(is_dead(&format!("{host}/{pid}/1")));
        assert!(!is_dead(&format!("elsewhere/{pid}/1")));
        assert!(!is_dead(&format!("{host}/{pid}/")));
        assert!(!is_dead_beside(
            &format!("{host}/{pid}/1"),
            &format!("{host}/{pid}/")
        ));
    }
}
