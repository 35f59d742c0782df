//! What systemd wants to know of a service of `Type=notify`. Without systemd nothing happens.

use crate::operations::Operations;
use sd_notify::NotifyState;
use std::time::Duration;

/// The service has started.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The service ends, and gives its work back.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Where the unit has `WatchdogSec`: says that all is well for as long as the store answers; a process that says so no
/// longer is started anew. Never comes back.
pub async fn keep_watched(operations: &Operations) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut beat = tokio::time::interval((patience / 3).max(Duration::from_millis(100)));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if operations.is_alive().await {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
