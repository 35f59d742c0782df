//! What makes jobs: webhooks of HighLevel and of workflows, polling, schedules, and the daily reconcile (sync.md, Triggers).
//! They only enqueue; what a job does is the engine's. A webhook goes [`receiver`] → [`intake`] (on disk, then
//! answered) → [`inbox`] (which jobs follow); everything that is due at times hangs on [`timekeeper`].

mod envelope;
mod inbox;
mod intake;
mod listener;
mod polling;
mod receiver;
mod reconcile;
mod schedule;
mod timekeeper;
mod trust;
mod verdicts;
mod workflow;

pub use intake::Room;
pub use reconcile::{Reconciled, last as last_reconciled, reconcile};
pub use trust::Trust;
pub use verdicts::{Verdict, Verdicts};

use crate::model::Problem;
use crate::sync::Engine;
use inbox::Inbox;
use intake::{Intake, Shelf};
use receiver::{Receiver, Seldom};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use timekeeper::Timekeeper;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trust::Trusted;

/// How long a stopping receiver waits for answers under way.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an address that another process has is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// The triggers of one process. Clones share them.
#[derive(Clone)]
pub struct Triggers {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    shelf: Arc<Shelf>,
    verdicts: Arc<Verdicts>,
    /// Set once something is received.
    trusted: OnceLock<Arc<Trusted>>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// Where the receiver listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    At(SocketAddr),
    /// Another process has the address; this one takes it over when that one ends.
    Standby(SocketAddr),
}

impl Triggers {
    /// Triggers at rest.
    pub fn new(engine: Engine) -> Self {
        Self {
            inner: Arc::new(Inner {
                engine,
                shelf: Arc::default(),
                verdicts: Arc::default(),
                trusted: OnceLock::new(),
                tracker: TaskTracker::new(),
                stop: CancellationToken::new(),
            }),
        }
    }

    /// Works off every webhook that waits, once.
    ///
    /// # Errors
    /// The store failed.
    pub async fn drain(&self) -> Result<(), Problem> {
        Ok(self.inbox().drain().await?)
    }

    /// Receives webhooks and works them off from now on. Where another process has the address, an `insistent` caller is
    /// told so; any other one stands by.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn receive(
        &self,
        address: SocketAddr,
        insistent: bool,
        trust: Trust,
        room: Room,
    ) -> std::io::Result<Listening> {
        let inner = &self.inner;
        let (intake, write) =
            Intake::new(inner.engine.store().clone(), Arc::clone(&inner.shelf), room);
        inner.tracker.spawn(write);
        let inbox = self.inbox();
        let stop = inner.stop.clone();
        inner.tracker.spawn(async move { inbox.run(stop).await });
        let trusted = Arc::new(Trusted::new(trust));
        // A second receiver of one process, which nobody starts, would keep its own.
        let _ = inner.trusted.set(Arc::clone(&trusted));
        let routes = receiver::routes(Arc::new(Receiver {
            engine: inner.engine.clone(),
            intake,
            trusted,
            verdicts: Arc::clone(&inner.verdicts),
            late_told: Seldom::default(),
            token_read: Seldom::default(),
        }));
        let stop = inner.stop.clone();
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let address = listener.local_addr()?;
                inner.tracker.spawn(listener::serve(listener, routes, stop));
                Ok(Listening::At(address))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && !insistent => {
                inner.tracker.spawn(async move {
                    if let Some(listener) = when_free(address, &stop).await {
                        tracing::info!(%address, "webhooks are received here now");
                        listener::serve(listener, routes, stop).await;
                    }
                });
                Ok(Listening::Standby(address))
            }
            Err(error) => Err(error),
        }
    }

    /// Believes others from the next request on: keys, tokens or the app changed in config.toml. Without a receiver
    /// nothing changes.
    pub fn trust(&self, trust: Trust) {
        if let Some(trusted) = self.inner.trusted.get() {
            trusted.replace(trust);
        }
    }

    /// Polls, keeps schedules and reconciles from now on, and removes webhooks that were worked off long enough ago.
    pub fn keep_times(&self) {
        let keeper = Timekeeper {
            engine: self.inner.engine.clone(),
            tracker: self.inner.tracker.clone(),
            stop: self.inner.stop.clone(),
            moved: Arc::default(),
        };
        self.inner.tracker.spawn(keeper.clone().run());
        self.inner.tracker.spawn(keeper.prune());
    }

    /// Counts of what became of requests, each with its verdict's name.
    pub fn verdicts(&self) -> Arc<Verdicts> {
        Arc::clone(&self.inner.verdicts)
    }

    /// Takes nothing new; lets what is under way end, within 10 s.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.tracker.close();
        if tokio::time::timeout(PATIENCE, self.inner.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some triggers did not end within 10 s; what they left is due again");
        }
    }

    fn inbox(&self) -> Inbox {
        Inbox {
            engine: self.inner.engine.clone(),
            shelf: Arc::clone(&self.inner.shelf),
        }
    }
}

/// Waits until an address is free.
async fn when_free(address: SocketAddr, stop: &CancellationToken) -> Option<TcpListener> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(RETRY) => {}
        }
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
    }
}
