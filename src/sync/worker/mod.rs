//! The worker: claims jobs, works them side by side ([`one`]), many of one mapping together ([`many`]), and keeps their
//! [`leases`].

mod desk;
mod leases;
mod many;
mod one;
mod owner;
mod slots;
mod sweep;

#[cfg(test)]
pub use leases::give_back;
pub use owner::{is_dead, owner};

use super::Engine;
use super::turns::{self, Busy, Turns};
use crate::store::{MappingVersion, Probe};
use jiff::Timestamp;
use leases::{Held, heartbeats, lock};
use many::begin_together;
use one::begin;
use slots::Slots;
use std::sync::Arc;
use std::time::Duration;
use sweep::pruning;

/// How often another process's writes are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How long writes of this process are gathered before jobs are looked for; who makes one due wakes the worker at once.
const CALM: Duration = Duration::from_millis(250);

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

async fn pause(engine: &Engine, time: Duration) -> bool {
    tokio::select! {
        () = engine.inner.stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}
