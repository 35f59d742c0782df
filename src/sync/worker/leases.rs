//! The leases of jobs under way: prolonged while they are worked on, given back when the process ends before they do.

use crate::http::REQUEST_TIMEOUT;
use crate::metrics;
use crate::model::{ConnectionName, JobId};
use crate::store::{Claim, Store};
use crate::sync::Engine;
use crate::sync::sent::Sent;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Leases held by this process: the epoch of each job, and its connection where it takes a slot.
pub type Held = Arc<Mutex<Leases>>;
pub type Leases = HashMap<JobId, (i64, Option<ConnectionName>)>;

/// Says that this worker is alive, and prolongs the leases of jobs under way.
pub async fn heartbeats(engine: Engine, held: Held) {
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

/// The process ends and jobs have not: another worker takes them. What may still be on its way to the contact must
/// arrive before that one sends.
pub async fn give_back(store: &Store, claims: &[Claim], sent: &Sent) {
    let leases = claims.iter().map(|claim| (&claim.job.id, claim.epoch));
    let (sent, unsent): (Vec<_>, Vec<_>) = leases.partition(|(job, _)| sent.has(job));
    give_back_at(store, &unsent, None).await;
    let until = store.now() + REQUEST_TIMEOUT;
    give_back_at(store, &sent, Some(until)).await;
}

/// Gives jobs back, to be taken at once or from a time on.
async fn give_back_at(store: &Store, leases: &[(&JobId, i64)], until: Option<Timestamp>) {
    if leases.is_empty() {
        return;
    }
    match store.give_back_many(leases, until).await {
        Ok(()) => {
            let until = until.map(tracing::field::display);
            tracing::info!(jobs = leases.len(), until, "given back");
        }
        Err(error) => {
            tracing::error!(%error, jobs = leases.len(), "could not be given back; the leases will expire")
        }
    }
}

/// The leases, for a moment.
pub fn lock(held: &Held) -> std::sync::MutexGuard<'_, Leases> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
