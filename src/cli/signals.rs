//! SIGINT and SIGTERM: which of them ended a command.

use super::Exit;
use tokio::signal::unix::{SignalKind, signal};

/// Listens for SIGINT and SIGTERM from now on; the future ends with the exit code that belongs to the first.
pub fn stop() -> impl Future<Output = Exit> {
    let listeners = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    async move {
        // Where a handler cannot be installed, the default action of the signal ends the process.
        let (Ok(mut interrupt), Ok(mut terminate)) = listeners else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        }
    }
}
