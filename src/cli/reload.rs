//! SIGHUP and changes of config.toml, for commands that run for long without a screen.

use super::output::Output;
use crate::model::Problem;
use crate::operations::Operations;
use crate::operations::reload::Reloaded;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

/// How often config.toml is looked at; a change is read at the second look.
const LOOK: Duration = Duration::from_secs(1);

/// SIGHUP, from now on: before that, it ends the process.
pub struct HangUp(Option<Signal>);

impl HangUp {
    /// Listens. Where no handler can be installed, SIGHUP keeps its default action.
    pub fn listen() -> Self {
        Self(signal(SignalKind::hangup()).ok())
    }

    async fn heard(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Reads configuration and tokens again on SIGHUP, and the configuration when its file changes. Never ends.
pub async fn follow(mut hang_up: HangUp, operations: &Operations, output: &Output) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = hang_up.heard() => {
                tell(output, operations.reload().await);
                for problem in operations.refresh_credentials().await {
                    output.note(&format!("{problem}; the old token stays"));
                }
            }
            _ = look.tick() => {
                if let Some(result) = operations.reload_if_changed().await {
                    tell(output, result);
                }
            }
        }
    }
}

fn tell(output: &Output, result: Result<Reloaded, Problem>) {
    match result {
        Ok(reloaded) => output.note(&reloaded.to_string()),
        Err(problem) => output.note(&problem.to_string()),
    }
}
