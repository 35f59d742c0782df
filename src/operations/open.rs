//! From configuration to a working [`Operations`]: log, store, budgets, clients, engine.

use super::calls::Calls;
use super::credential::{Credential, SecretToken};
use super::files;
use super::monitor::{Health, Monitor};
use super::reload::Reload;
use super::state::State;
use super::{Done, Inner, Operations};
use crate::activecampaign::{AccountBudgets, ActiveCampaign, EventTracking};
use crate::config::{Config, Connection, Rate};
use crate::highlevel::{HighLevel, HighLevelSettings, OAuthApp, OAuthToken};
use crate::http::{
    BaseUrl, Budget, FormPost, Http, Ledger, LedgerError, LedgerRow, Limit, Observer,
    REQUEST_TIMEOUT, RowUpdate,
};
use crate::model::call::Api;
use crate::model::{ConnectionName, ErrorClass, Problem};
use crate::secret::Secret;
use crate::store::{Store, SystemClock};
use crate::sync::{Account, Engine};
use crate::triggers::Triggers;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// How Tramline is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    pub read_only: bool,
    /// Works the queue in this process.
    pub worker: bool,
    /// 0 info, 1 debug, 2 trace.
    pub verbosity: u8,
    /// Shortens the leases of jobs, for rehearsals of what happens when they run out.
    pub lease: Option<Duration>,
}

/// A connection's clients and what checks need beside them.
#[derive(Clone)]
pub(super) struct Opened {
    pub account: Account,
    pub highlevel: Credential,
    pub activecampaign_token: Arc<Secret>,
    /// The key of event tracking.
    pub event_key: Option<Arc<Secret>>,
    /// Both accounts, as the store remembers them.
    identity: String,
}

impl Operations {
    /// Opens log, store and clients. Nothing is sent.
    ///
    /// # Errors
    /// The log or the store cannot be opened, or an address is not acceptable.
    pub async fn open(config: Config, options: OpenOptions) -> Done<Self> {
        let path = config.store.path(config.folder());
        let log = files::log(&path);
        crate::log::start(&log, options.verbosity)?;
        let store = Store::open(&path, Arc::new(SystemClock)).await?;
        if let Some(lease) = options.lease {
            store.set_lease_time(lease);
        }
        let calls = Calls::new();
        let health = Health::default();
        let opener = Opener {
            http: Arc::new(Http::new(REQUEST_TIMEOUT)),
            ledger: Arc::new(StoreLedger(store.clone())),
            observer: calls.observer(),
            health: health.clone(),
            store: path.clone(),
        };
        let state = opener.open(config, None, &store).await?;
        let engine = Engine::new(store.clone(), state.settings());
        if options.worker {
            engine.start();
        }
        let inner = Inner {
            reload: Reload::new(&state.config),
            state: RwLock::new(Arc::new(state)),
            opener,
            store,
            triggers: Triggers::new(engine.clone()),
            engine,
            calls,
            health,
            monitor: Monitor::default(),
            read_only: options.read_only,
            log,
            acts: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

/// What connections are opened with.
pub(super) struct Opener {
    http: Arc<Http>,
    ledger: Arc<dyn Ledger>,
    observer: Observer,
    health: Health,
    /// The store's file; token files lie beside it.
    store: PathBuf,
}

impl Opener {
    /// Opens the connections of a configuration. Those that `before` has just so are taken from there, with all that was
    /// learned of them.
    ///
    /// # Errors
    /// An address is not acceptable, or the store belongs to other accounts.
    pub async fn open(&self, config: Config, before: Option<&State>, store: &Store) -> Done<State> {
        let mut accounts = BTreeMap::new();
        for (name, connection) in &config.connections {
            let kept = before.and_then(|before| {
                let same = before.config.connections.get(name) == Some(connection);
                before.accounts.get(name).filter(|_| same)
            });
            let opened = match kept {
                Some(opened) => opened.clone(),
                None => self.connection(&config, name, connection)?,
            };
            accounts.insert(name.clone(), opened);
        }
        for (name, opened) in &accounts {
            refuse_other_accounts(store, name, &opened.identity).await?;
        }
        Ok(State { config, accounts })
    }

    /// How a location is opened; `None` if config.toml does not say.
    fn credential(
        &self,
        config: &Config,
        name: &ConnectionName,
        settings: &crate::config::HighLevel,
        post: FormPost,
    ) -> Option<Credential> {
        if let Some(token) = &settings.token {
            let secret = Secret::new(token.clone(), config.folder());
            return Some(Credential::Private(Arc::new(secret)));
        }
        let oauth = settings.oauth.as_ref()?;
        let client_secret = Arc::new(Secret::new(oauth.client_secret.clone(), config.folder()));
        let mut login = "tramline login highlevel".to_owned();
        if name.as_str() != crate::config::DEFAULT_CONNECTION {
            login.push_str(&format!(" --connection {name}"));
        }
        let app = OAuthApp {
            client_id: oauth.client_id.clone(),
            client_secret: Arc::new(SecretToken(Arc::clone(&client_secret))),
            location_id: settings.location_id.clone(),
            file: files::tokens(&self.store, name),
            login,
            clock: Arc::new(crate::http::SystemClock),
        };
        Some(Credential::App {
            token: OAuthToken::new(app, post),
            client_secret,
        })
    }

    fn connection(
        &self,
        config: &Config,
        name: &ConnectionName,
        connection: &Connection,
    ) -> Done<Opened> {
        let observer = self.health.observer(name, Arc::clone(&self.observer));
        let refuse = |key: &str, error: String| {
            Problem::new(ErrorClass::Config, format!("{name}: {key}: {error}"))
        };
        let settings = &connection.highlevel;
        let budget = |title: &str, key: String, rate: Rate| {
            let limit = Limit {
                requests: rate.requests,
                per: rate.per.0,
                daily: rate.daily,
            };
            Budget::new(
                title,
                key,
                limit,
                REQUEST_TIMEOUT,
                Arc::clone(&self.ledger),
                Arc::new(crate::http::SystemClock),
            )
        };
        let base = BaseUrl::parse(&settings.base_url)
            .map_err(|error| refuse("base_url", error.to_string()))?;
        // HighLevel counts by client or token and location (fact sheet §6). One connection has one token, and a rotated one
        // goes on with the same budget, so host and location are enough.
        let highlevel_key = format!("highlevel {} {}", base.host(), settings.location_id);
        let mut identity = format!(
            "HighLevel location {} at {}",
            settings.location_id,
            authority(&base)
        );
        let requests = budget("highlevel", highlevel_key, settings.rate);
        let post = FormPost {
            api: Api::HighLevel,
            base: base.clone(),
            http: Arc::clone(&self.http),
            budget: requests.clone(),
            observer: Some(Arc::clone(&observer)),
        };
        let credential = self
            .credential(config, name, settings, post)
            .ok_or_else(|| refuse("highlevel", "neither token nor oauth is given".into()))?;
        let highlevel = HighLevel::new(
            HighLevelSettings {
                base_url: base,
                version: settings.version.clone(),
                location_id: settings.location_id.clone(),
            },
            credential.token(),
            Arc::clone(&self.http),
            requests,
            Some(Arc::clone(&observer)),
        )?;
        let settings = &connection.activecampaign;
        let base = ActiveCampaign::base(&settings.url)
            .map_err(|error| refuse("url", error.to_string()))?;
        let account = format!("activecampaign {}", base.as_str());
        identity.push_str(&format!(" and ActiveCampaign {}", authority(&base)));
        // Imports of a single contact have a fifth of the others' limit (fact sheet §3.2).
        let single = Rate {
            requests: (settings.import_rate.requests / 5).max(1),
            ..settings.import_rate
        };
        let budgets = AccountBudgets {
            requests: budget("activecampaign", account.clone(), settings.rate),
            imports: budget("import", format!("{account} import"), settings.import_rate),
            single_imports: budget("import of one", format!("{account} import of one"), single),
        };
        let activecampaign_token = Arc::new(Secret::new(settings.token.clone(), config.folder()));
        let token = Arc::new(SecretToken(Arc::clone(&activecampaign_token)));
        let mut activecampaign = ActiveCampaign::new(
            base,
            token,
            Arc::clone(&self.http),
            budgets,
            Some(Arc::clone(&observer)),
        );
        let mut event_key = None;
        if let Some(events) = &settings.events {
            let key = Arc::new(Secret::new(events.key.clone(), config.folder()));
            let token = Arc::new(SecretToken(Arc::clone(&key)));
            let tracking = EventTracking::new(&events.url, &events.account_id, token)
                .map_err(|error| refuse("events.url", error.to_string()))?;
            activecampaign = activecampaign.with_events(tracking);
            event_key = Some(key);
        }
        Ok(Opened {
            account: Account::new(name.clone(), highlevel, activecampaign),
            highlevel: credential,
            activecampaign_token,
            event_key,
            identity,
        })
    }
}

/// Host and port of an address.
fn authority(base: &BaseUrl) -> String {
    let text = base.as_str();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_ascii_lowercase()
}

/// What the store keeps of a connection (confirmed contacts, records, jobs) is true of its two accounts only. With others
/// under the same name, unchanged contacts would be taken for synced that never were.
async fn refuse_other_accounts(
    store: &Store,
    connection: &ConnectionName,
    identity: &str,
) -> Done<()> {
    const KEY: &str = "accounts";
    let known = store.get(connection, KEY).await?;
    match known {
        Some(known) if known == identity => Ok(()),
        Some(known) if store.knows(connection).await? => Err(Problem::new(
            ErrorClass::Config,
            format!(
                "the store {} keeps what was synced between {known}; the connection `{connection}` now names {identity}",
                store.path().display()
            ),
        )
        .remedy(
            "give the other accounts a connection of another name, or another file with url in [store]; the old one stays \
             as it is",
        )),
        _ => Ok(store.set(connection, KEY, Some(identity)).await?),
    }
}

/// The budgets' rows in the store.
struct StoreLedger(Store);

impl Ledger for StoreLedger {
    fn update<'a>(
        &'a self,
        key: &'a str,
        change: RowUpdate,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async move {
            let updated = self.0.ledger_update(key, |text| {
                let mut row = LedgerRow::from_json(text);
                change(&mut row);
                *text = row.to_json();
            });
            updated
                .await
                .map_err(|error| LedgerError(error.to_string()))
        })
    }
}
