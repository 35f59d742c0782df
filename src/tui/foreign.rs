//! Looks for writes of other processes: a stat four times a second, on a thread of its own.
//!
//! Not a tokio interval: arming a tokio timer wakes its driver once more, which would double the wake-ups of
//! an idle room; and the stat is blocking work.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::sync::watch;

/// Other processes' writes are looked for this often.
const EVERY: Duration = Duration::from_millis(250);

/// Watches until it is dropped.
pub struct Foreign {
    seen: watch::Receiver<u64>,
    /// Its end ends the thread at once.
    _stop: Sender<()>,
}

impl Foreign {
    /// Starts to watch a number that differs when another process may have written.
    pub fn watch(look: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        let (tell, seen) = watch::channel(look());
        let (stop, stopped) = channel();
        tokio::task::spawn_blocking(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let now = look();
                tell.send_if_modified(|seen| {
                    let changed = *seen != now;
                    *seen = now;
                    changed
                });
            }
        });
        Self { seen, _stop: stop }
    }

    /// Resolves when the number differs from the last one.
    pub async fn changed(&mut self) {
        if self.seen.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn a_change_is_told_once() {
        let number = Arc::new(AtomicU64::new(1));
        let look = Arc::clone(&number);
        let mut foreign = Foreign::watch(Arc::new(move || look.load(Ordering::SeqCst)));
        number.store(2, Ordering::SeqCst);
        let told = tokio::time::timeout(EVERY * 4, foreign.changed()).await;
        assert!(told.is_ok());
        let told = tokio::time::timeout(EVERY * 2, foreign.changed()).await;
        assert!(told.is_err(), "nothing changed any more");
    }
}
