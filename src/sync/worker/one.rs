//! One job at work.

use super::desk::{desk, undone};
use super::leases::{Held, give_back, lock};
use crate::http::Lane;
use crate::metrics;
use crate::model::Trigger;
use crate::model::view::SyncResult;
use crate::store::{Claim, StoreError};
use crate::sync::Engine;
use crate::sync::sent::Sent;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tracing::Instrument;

/// Begins a claimed job in a slot of its own.
pub async fn begin(engine: &Engine, claim: Claim, slots: &Arc<Semaphore>, held: &Held) {
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
        let (started, sent) = (Instant::now(), Arc::default());
        tokio::select! {
            // What has ended is not given back.
            biased;
            result = work(&engine, &claim, Arc::clone(&sent)) => match result {
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
            () = engine.inner.give_back.cancelled() => give_back(engine.store(), std::slice::from_ref(&claim), &sent).await,
        }
        lock(&held).remove(&id);
        drop(permit);
    };
    tracker.spawn(attempt.instrument(span));
}

async fn work(engine: &Engine, claim: &Claim, sent: Arc<Sent>) -> Result<SyncResult, StoreError> {
    let started = Timestamp::now();
    let lane = if matches!(claim.job.trigger, Trigger::Manual | Trigger::Retry) {
        Lane::Person
    } else {
        Lane::Bulk
    };
    match desk(engine, &claim.job, lane, sent).await {
        Ok(desk) => desk.work(claim).await,
        Err((problem, probed)) => {
            let ended = undone(engine, claim, started, problem, probed).await?;
            Ok(ended.result(&claim.job))
        }
    }
}

/// Names one attempt in the log: 16 random digits.
pub fn trace() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// Tells the metrics of an attempt.
pub fn measure(claim: &Claim, result: &SyncResult, took: Duration) {
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
