//! Looks whether somebody wrote config.toml: once a second, by a stat, on a thread of its own.
//!
//! Not a tokio interval: arming a tokio timer wakes its driver once more, which would double the wake-ups of
//! an idle room; and the stat is blocking work.

use crate::config::Stamp;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
pub struct ConfigWatch {
    told: watch::Receiver<Stamp>,
    /// Its end ends the thread at once.
    _stop: Sender<()>,
}

impl ConfigWatch {
    /// Starts to watch what `look` sees.
    pub fn start(look: Arc<dyn Fn() -> Stamp + Send + Sync>) -> Self {
        let mut before = look();
        let (tell, told) = watch::channel(before);
        let (stop, stopped) = channel();
        tokio::task::spawn_blocking(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let now = look();
                // A file that changed since the last look may still be being written.
                if now == before {
                    tell.send_if_modified(|told| std::mem::replace(told, now) != now);
                }
                before = now;
            }
        });
        Self { told, _stop: stop }
    }

    /// Resolves when the file differs from the last time.
    pub async fn changed(&mut self) {
        if self.told.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_told_of_once_when_it_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "one").unwrap();
        let file = path.clone();
        let mut watch = ConfigWatch::start(Arc::new(move || Stamp::of(&file)));
        std::fs::write(&path, "three").unwrap();
        watch.changed().await;
        let again = tokio::time::timeout(EVERY * 2, watch.changed()).await;
        assert!(again.is_err(), "nothing changed any more");
    }
}
