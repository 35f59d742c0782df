//! What retention no longer wants.

use crate::store::{Pruned, Retention};
use crate::sync::Engine;
use jiff::Timestamp;
use std::time::Duration;

/// How often what retention no longer wants is removed.
const SWEEP: Duration = Duration::from_secs(3600);

/// Removes what retention no longer wants: at once, now and then, and when the settings may say otherwise.
pub async fn pruning(engine: Engine) {
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
