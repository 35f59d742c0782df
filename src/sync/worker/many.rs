//! Many jobs of one mapping at work together.

use super::desk::{desk, undone};
use super::leases::{Held, give_back, lock};
use super::one::{measure, trace};
use crate::http::Lane;
use crate::model::view::SyncResult;
use crate::model::{ConnectionName, JobId};
use crate::store::{Claim, StoreError};
use crate::sync::Engine;
use crate::sync::backlog::{BULK, Bulk, Listener};
use crate::sync::sent::Sent;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::Instrument;

/// Begins a bulk, if there is room for one and some mapping has a backlog.
pub async fn begin_together(
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
        let (engine, sent) = (&crew.engine, Arc::default());
        let failed = tokio::select! {
            biased;
            result = work_together(engine, claims, Arc::clone(&sent), &crew) => result.is_err_and(|error| {
                tracing::error!(%error, "the jobs could not be settled; their leases will expire");
                true
            }),
            () = engine.inner.give_back.cancelled() => false,
        };
        let left: Vec<Claim> = crew.left().drain().map(|(_, claim)| claim).collect();
        if !failed && !left.is_empty() {
            give_back(engine.store(), &left, &sent).await;
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
    sent: Arc<Sent>,
    crew: &Crew,
) -> Result<(), StoreError> {
    let started = Timestamp::now();
    let Some(first) = claims.first() else {
        return Ok(());
    };
    match desk(engine, &first.job, Lane::Bulk, sent).await {
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
