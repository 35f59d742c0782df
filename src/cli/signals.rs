//! SIGINT and SIGTERM: which of them ended a command.

use super::Exit;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT or SIGTERM and answers with the exit code that belongs to it.
pub async fn stop() -> Exit {
    // Where a handler cannot be installed, the default action of the signal ends the process.
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
    }
}
