//! SIGINT and SIGTERM: which of them ended a command. The first lets it end in order, the second ends it at once.

use super::Exit;
use std::sync::OnceLock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

static CAUGHT: OnceLock<watch::Receiver<Option<Exit>>> = OnceLock::new();

/// Listens from now on, before anything is begun that a signal should end in order. Without `hurry` a second signal
/// changes nothing: the control room must give its terminal back, and lends it to programs that take ctrl-c.
pub fn install(hurry: bool) {
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
            let mut next = async || {
                tokio::select! {
                    _ = interrupt.recv() => Exit::Interrupted,
                    _ = terminate.recv() => Exit::Terminated,
                }
            };
            caught.send_replace(Some(next().await));
            if hurry {
                // What is under way is then left as a crash would leave it: nothing is lost.
                let exit = next().await;
                std::process::exit(exit as i32);
            }
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
