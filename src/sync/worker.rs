//! The worker: claims jobs, works them side by side, keeps their leases.

use super::job::Desk;
use super::{Engine, verdict};
use crate::http::Lane;
use crate::model::{ConnectionName, ErrorClass, JobId, Problem, Trigger};
use crate::store::{Claim, NewAttempt, Probe, Pruned, Retention, Settlement, StoreError};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A lease lasts 30 s; a third of it leaves room for two missed beats.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often an idle process says that it lives, and for how long that counts. Seldom, because each time is a write that
/// every open control room looks at; of this host's processes the kernel tells at once which ones ended.
const ALIVE: Duration = Duration::from_secs(60);
const ALIVE_LEASE: Duration = Duration::from_secs(180);
/// How often another process's writes are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How often what retention no longer wants is removed.
const SWEEP: Duration = Duration::from_secs(3600);

/// Leases held by this process.
type Held = Arc<Mutex<HashMap<JobId, i64>>>;

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
    let connections: Vec<ConnectionName> = engine.inner.settings.accounts.keys().cloned().collect();
    let slots = Arc::new(Semaphore::new(engine.inner.settings.concurrency));
    let held: Held = Arc::default();
    let beat = engine
        .inner
        .tracker
        .spawn(heartbeats(engine.clone(), Arc::clone(&held)));
    let sweep = engine.inner.tracker.spawn(pruning(engine.clone()));
    let alive = engine.inner.tracker.spawn(living(engine.clone()));
    let mut changes = engine.store().changes();
    let mut probe = Probe::default();
    loop {
        // A slot first, then the claim: what is claimed can be begun at once.
        let Some(free) = free_slots(&engine, &slots).await else {
            break;
        };
        changes.mark_unchanged();
        let claims = match engine
            .store()
            .claim(&engine.inner.owner, &connections, free)
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
        if !claims.is_empty() {
            for claim in claims {
                begin(&engine, claim, &slots, &held).await;
            }
            continue;
        }
        let due = engine.store().next_due(&connections).await.ok().flatten();
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
                _ = changes.changed() => break,
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
    alive.abort();
    if let Err(error) = engine.store().worker_ends(&engine.inner.owner).await {
        tracing::debug!(%error, "that this worker ends could not be written down");
    }
}

/// Says that this process works the queue, whether it has a job or not.
async fn living(engine: Engine) {
    let mut beat = tokio::time::interval(ALIVE);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        beat.tick().await;
        let said = engine
            .store()
            .worker_lives(&engine.inner.owner, ALIVE_LEASE);
        if let Err(error) = said.await {
            tracing::debug!(%error, "that this worker lives could not be written down");
        }
    }
}

/// Removes what retention no longer wants, at once and then now and then.
async fn pruning(engine: Engine) {
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        sweep.tick().await;
        let kept = engine.inner.settings.retention;
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
    }
}

/// The number of free slots, at least one; `None` once the engine stops.
async fn free_slots(engine: &Engine, slots: &Arc<Semaphore>) -> Option<u32> {
    tokio::select! {
        biased;
        () = engine.inner.stop.cancelled() => None,
        permit = slots.acquire() => {
            drop(permit.ok()?);
            Some(slots.available_permits().max(1) as u32)
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
    lock(held).insert(claim.job.id.clone(), claim.epoch);
    let (engine, held) = (engine.clone(), Arc::clone(held));
    let tracker = engine.inner.tracker.clone();
    tracker.spawn(async move {
        let id = claim.job.id.clone();
        match work(&engine, &claim).await {
            Ok(result) => {
                engine.inner.trouble.settled(&id, None);
                // Nobody waiting for it is the usual case.
                let _ = engine.inner.results.send((id.clone(), result));
            }
            Err(error) => {
                tracing::error!(job = %id, %error, "the job could not be settled; its lease will expire");
                engine.inner.trouble.settled(&id, Some(error));
            }
        }
        lock(&held).remove(&id);
        drop(permit);
    });
}

async fn work(
    engine: &Engine,
    claim: &Claim,
) -> Result<crate::model::view::SyncResult, StoreError> {
    let started = Timestamp::now();
    let job = &claim.job;
    let settings = &engine.inner.settings;
    let lane = if matches!(job.trigger, Trigger::Manual | Trigger::Retry) {
        Lane::Person
    } else {
        Lane::Bulk
    };
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
                let account = account.lane(lane);
                match account.mapping(&job.mapping, spec).await {
                    Ok(mapping) => {
                        let desk = Desk {
                            store: settings.store.clone(),
                            account,
                            mapping,
                            worker: engine.inner.owner.clone(),
                        };
                        return desk.work(claim).await;
                    }
                    Err(problem) => problem,
                }
            }
        },
    };
    // A token that cannot even read the schemas is dead for every job of the account.
    let (class, tries) = (problem.class, claim.tries);
    let ended = verdict::judge(problem, class, None, class == ErrorClass::Auth, tries);
    let now = Timestamp::now();
    let settlement = Settlement {
        attempt: ended.uses_attempt.then(|| NewAttempt {
            started_at: started,
            ended_at: Some(now),
            worker: engine.inner.owner.clone(),
            request: None,
            response: None,
            mapping_hash: settings
                .mappings
                .get(&job.mapping)
                .map(|(_, spec)| spec.hash().as_str().to_owned())
                .unwrap_or_default(),
        }),
        ..ended.settlement(&engine.inner.owner)
    };
    settings.store.settle(job, claim.epoch, &settlement).await?;
    Ok(ended.result(job))
}

/// Prolongs the leases of jobs under way.
async fn heartbeats(engine: Engine, held: Held) {
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        beat.tick().await;
        let leases: Vec<(JobId, i64)> = lock(&held)
            .iter()
            .map(|(id, epoch)| (id.clone(), *epoch))
            .collect();
        if leases.is_empty() {
            continue;
        }
        match engine.store().heartbeat(&leases).await {
            Ok(lost) if lost.is_empty() => {}
            Ok(lost) => tracing::warn!(jobs = lost.len(), "leases were lost"),
            Err(error) => tracing::error!(%error, "leases could not be prolonged"),
        }
    }
}

fn lock(held: &Held) -> std::sync::MutexGuard<'_, HashMap<JobId, i64>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

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
