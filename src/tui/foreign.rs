//! Looks for what others write: the store four times a second and config.toml once, by a stat each, on a thread of its own.
//!
//! Not a tokio interval: arming a tokio timer wakes its driver once more, which would double the wake-ups of
//! an idle room; and the stat is blocking work.

use crate::config::Stamp;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::sync::watch;

/// Other processes' writes are looked for this often.
const EVERY: Duration = Duration::from_millis(250);
/// Every so many looks one is for config.toml.
const CONFIG: u32 = 4;

/// What somebody else may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Store,
    Config,
}

/// Watches until it is dropped.
pub struct Foreign {
    store: watch::Receiver<u64>,
    config: watch::Receiver<Stamp>,
    /// Its end ends the thread at once.
    _stop: Sender<()>,
}

impl Foreign {
    /// Starts to watch: a number that differs when another process may have written, and a file.
    pub fn watch(
        look: Arc<dyn Fn() -> u64 + Send + Sync>,
        config: Arc<dyn Fn() -> Stamp + Send + Sync>,
    ) -> Self {
        let (tell_store, store) = watch::channel(look());
        let mut before = config();
        let (tell_config, told) = watch::channel(before);
        let (stop, stopped) = channel();
        tokio::task::spawn_blocking(move || {
            let mut looks = 0;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                tell_if_other(&tell_store, look());
                looks += 1;
                if looks % CONFIG == 0 {
                    let now = config();
                    // A file that changed since the last look may still be being written.
                    if now == before {
                        tell_if_other(&tell_config, now);
                    }
                    before = now;
                }
            }
        });
        Self {
            store,
            config: told,
            _stop: stop,
        }
    }

    /// Resolves when something differs from the last time.
    pub async fn changed(&mut self) -> Told {
        tokio::select! {
            Ok(()) = self.store.changed() => Told::Store,
            Ok(()) = self.config.changed() => Told::Config,
            else => std::future::pending().await,
        }
    }
}

fn tell_if_other<T: PartialEq>(tell: &watch::Sender<T>, now: T) {
    tell.send_if_modified(|seen| {
        let changed = *seen != now;
        *seen = now;
        changed
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn a_change_is_told_once() {
        let number = Arc::new(AtomicU64::new(1));
        let look = Arc::clone(&number);
        let mut foreign = Foreign::watch(
            Arc::new(move || look.load(Ordering::SeqCst)),
            Arc::new(Stamp::default),
        );
        number.store(2, Ordering::SeqCst);
        assert_eq!(foreign.changed().await, Told::Store);
        let told = tokio::time::timeout(EVERY * 2, foreign.changed()).await;
        assert!(told.is_err(), "nothing changed any more");
    }

    #[tokio::test]
    async fn a_file_is_told_of_once_it_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "one").unwrap();
        let file = path.clone();
        let mut foreign = Foreign::watch(Arc::new(|| 0), Arc::new(move || Stamp::of(&file)));
        std::fs::write(&path, "three").unwrap();
        assert_eq!(foreign.changed().await, Told::Config);
    }
}
