//! SIGINT and SIGTERM: which of them ended a command.

use super::Exit;
use std::sync::OnceLock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

static CAUGHT: OnceLock<watch::Receiver<Option<Exit>>> = OnceLock::new();

/// Listens from now on, before anything is begun that a signal should end in order.
pub fn install() {
    // Where a handler cannot be installed, the default action of the signal ends the process.
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    let (caught, receiver) = watch::channel(None);
    if CAUGHT.set(receiver).is_ok() {
        tokio::spawn(async move {
            let exit = tokio::select! {
                _ = interrupt.recv() => Exit::Interrupted,
                _ = terminate.recv() => Exit::Terminated,
            };
            caught.send_replace(Some(exit));
            // Kept alive, so that those who listen later still see it.
            caught.closed().await;
        });
    }
}

/// Waits for SIGINT or SIGTERM, or answers at once if one came; with the exit code that belongs to it.
pub async fn stop() -> Exit {
    let Some(caught) = CAUGHT.get() else {
        return std::future::pending().await;
    };
    let mut caught = caught.clone();
    match caught.wait_for(Option::is_some).await.map(|exit| *exit) {
        Ok(Some(exit)) => exit,
        _ => std::future::pending().await,
    }
}
