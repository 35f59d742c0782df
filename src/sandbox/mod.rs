//! Both APIs simulated, with their real limits, quirks and errors as the fact sheets give them: for `tramline demo`,
//! `tramline sandbox` and every test. It shares no code with the clients, so that the two can disagree.

mod activecampaign;
mod chance;
mod control;
mod control_http;
mod faults;
mod guide;
mod highlevel;
mod instant;
mod journal;
mod keys;
mod limits;
mod listener;
mod people;
mod quirks;
mod server;
#[cfg(test)]
mod tests;
mod webhooks;
mod wire;

pub use control::{ContactState, Control, RecordState};
pub use faults::{Fault, Kind};
pub use guide::banner;
pub use journal::{Entry, Stats};
pub use quirks::{BadTokenBody, PageWithSearchAfter, Quirks, Sort};
pub use webhooks::{APP_ID, Delivery, Subscription};

use activecampaign::account::Account;
use faults::Faults;
use highlevel::location::Location;
use journal::Journal;
use keys::Keys;
use limits::Limits;
use listener::{CuttableListener, Scissors};
use server::Port;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use webhooks::Webhooks;
use wire::Api;

/// The one location of the sandbox.
pub const LOCATION_ID: &str = "ve9EPM428h8vShlRW1KT";
/// The Private Integration Token that opens it.
pub const HIGHLEVEL_TOKEN: &str = "sandbox-highlevel-token";
/// The client id of the app that may be installed by OAuth.
pub const OAUTH_CLIENT_ID: &str = "sandbox-client-id";
/// Its client secret.
pub const OAUTH_CLIENT_SECRET: &str = "sandbox-client-secret";
/// The `Api-Token` of the ActiveCampaign account.
pub const ACTIVECAMPAIGN_TOKEN: &str = "sandbox-activecampaign-token";

/// Account id of event tracking.
pub const EVENT_ACCOUNT: &str = "1000077";
/// Key of event tracking: not the account's token.
pub const EVENT_KEY: &str = "sandbox-event-key";

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the HighLevel API; port 0 takes a free one.
    pub highlevel: SocketAddr,
    /// Address of the ActiveCampaign API; port 0 takes a free one.
    pub activecampaign: SocketAddr,
    /// Number of `custom_objects.pets` records.
    pub records: usize,
    /// Seed of the sample data: the same seed gives the same ids and values.
    pub seed: u64,
    /// Whether rate limits are enforced.
    pub limits: bool,
    /// Which side of each open question is played.
    pub quirks: Quirks,
    /// Time a bulk import spends waiting and active before it is completed.
    pub import_delay: Duration,
    /// Longest body of a write that the log keeps, in bytes.
    pub logged_body: usize,
}

impl Default for Options {
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            highlevel: loopback,
            activecampaign: loopback,
            records: 10_000,
            seed: 7,
            limits: true,
            quirks: Quirks::default(),
            import_delay: Duration::from_millis(600),
            logged_body: 2048,
        }
    }
}

/// The state behind both ports.
pub(crate) struct Shared {
    options: Options,
    /// Cancelled when the sandbox stops; ends answers that would never end.
    stop: CancellationToken,
    location: Mutex<Location>,
    account: Mutex<Account>,
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    limits: Mutex<Limits>,
    /// Scopes of the HighLevel token, and those an app can be granted.
    scopes: Mutex<BTreeSet<String>>,
    keys: Mutex<Keys>,
    webhooks: Arc<Webhooks>,
}

/// A poisoned lock only says that another request panicked; its data is still the best there is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn new(options: Options, activecampaign_url: &str) -> Self {
        let scopes = highlevel::ALL_SCOPES.iter().map(|&scope| scope.to_owned());
        Self {
            stop: CancellationToken::new(),
            location: Mutex::new(highlevel::sample::location(options.records, options.seed)),
            account: Mutex::new(activecampaign::sample::account(
                &options,
                activecampaign_url,
            )),
            journal: Mutex::default(),
            faults: Mutex::default(),
            limits: Mutex::new(Limits::new()),
            scopes: Mutex::new(scopes.collect()),
            keys: Mutex::default(),
            webhooks: Arc::new(Webhooks::new()),
            options,
        }
    }

    fn location(&self) -> MutexGuard<'_, Location> {
        lock(&self.location)
    }

    /// The account, with every import that is due carried out.
    fn account(&self) -> MutexGuard<'_, Account> {
        let mut account = lock(&self.account);
        account.settle_imports(instant::now());
        account
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        lock(&self.limits)
    }

    fn scopes(&self) -> MutexGuard<'_, BTreeSet<String>> {
        lock(&self.scopes)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        lock(&self.keys)
    }
}

/// Both APIs, listening.
pub struct Sandbox {
    /// Base URL of the HighLevel API, for `base_url`.
    pub highlevel_url: String,
    /// URL of the ActiveCampaign account, for `url` (without `/api/3`).
    pub activecampaign_url: String,
    shared: Arc<Shared>,
    servers: Vec<JoinHandle<io::Result<()>>>,
}

/// How long a stopping sandbox waits for answers under way.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

impl Sandbox {
    /// Makes the sample data and listens on both addresses.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        let highlevel = TcpListener::bind(options.highlevel).await?;
        let activecampaign = TcpListener::bind(options.activecampaign).await?;
        let highlevel_url = format!("http://{}", highlevel.local_addr()?);
        let activecampaign_url = format!("http://{}", activecampaign.local_addr()?);
        let url = activecampaign_url.clone();
        // A second of work for 100,000 records: not on a thread that others wait for.
        let shared = tokio::task::spawn_blocking(move || Arc::new(Shared::new(options, &url)))
            .await
            .map_err(io::Error::other)?;
        let servers = [
            (Api::HighLevel, highlevel),
            (Api::ActiveCampaign, activecampaign),
        ]
        .into_iter()
        .map(|(api, listener)| {
            tokio::spawn(serve(
                Port {
                    api,
                    shared: Arc::clone(&shared),
                },
                listener,
            ))
        })
        .collect();
        tokio::spawn(Arc::clone(&shared.webhooks).deliver(shared.stop.clone()));
        Ok(Self {
            highlevel_url,
            activecampaign_url,
            shared,
            servers,
        })
    }

    /// The hands of a test inside the running sandbox.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.shared))
    }

    /// Closes both listeners, lets the answers under way end, and waits for that (at most 2 s).
    pub async fn stop(mut self) {
        self.shared.stop.cancel();
        for mut server in self.servers.drain(..) {
            if tokio::time::timeout(STOP_PATIENCE, &mut server)
                .await
                .is_err()
            {
                server.abort();
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

async fn serve(port: Port, listener: TcpListener) -> io::Result<()> {
    let stop = port.shared.stop.clone();
    let router = axum::Router::new()
        .fallback(server::handle)
        .with_state(port);
    axum::serve(
        CuttableListener(listener),
        router.into_make_service_with_connect_info::<Scissors>(),
    )
    .with_graceful_shutdown(stop.cancelled_owned())
    .await
}
