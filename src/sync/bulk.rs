//! Actions of people on many jobs, applied behind their backs: with a delay in which they can be taken back, or because the
//! process that began them died.

use super::Engine;
use crate::model::BulkId;
use std::time::Duration;

/// How often actions are looked for that another process left.
const LOOK: Duration = Duration::from_secs(10);

/// Goes on with what is due, for as long as the engine runs.
pub async fn watch(engine: Engine) {
    loop {
        match engine.store().due_bulks().await {
            Ok(due) => {
                for id in due {
                    apply(&engine, &id).await;
                }
            }
            Err(error) => tracing::warn!(%error, "open bulk actions could not be read"),
        }
        tokio::select! {
            () = engine.inner.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Applies an action once its delay is over.
pub async fn later(engine: Engine, id: BulkId, delay: Duration) {
    tokio::select! {
        // The next worker finds it.
        () = engine.inner.stop.cancelled() => {}
        () = tokio::time::sleep(delay) => apply(&engine, &id).await,
    }
}

async fn apply(engine: &Engine, id: &BulkId) {
    tokio::select! {
        // Between two slices nothing is lost; within one its transaction is.
        () = engine.inner.stop.cancelled() => {}
        result = engine.store().run_bulk(id) => match result {
            Ok(changed) => {
                tracing::info!(%id, changed, "bulk action applied");
                engine.wake();
            }
            Err(error) => tracing::error!(%id, %error, "the bulk action could not be applied"),
        }
    }
}
