//! From configuration to a working [`Operations`]: log, store, budgets, clients, engine.

use super::calls::Calls;
use super::{Done, Inner, Operations};
use crate::activecampaign::{AccountBudgets, ActiveCampaign};
use crate::config::{Config, Connection, Rate};
use crate::highlevel::{HighLevel, HighLevelSettings};
use crate::http::{
    BaseUrl, Budget, Http, Ledger, LedgerError, LedgerRow, Limit, Observer, RowUpdate, Token,
};
use crate::model::{ConnectionName, ErrorClass, Problem};
use crate::secret::Secret;
use crate::store::{Store, SystemClock};
use crate::sync::{Account, Engine, Retention, Settings};
use crate::triggers::Triggers;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest time a request takes; leases are counted by it (sync.md, promise 2).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How Tramline is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    pub read_only: bool,
    /// Works the queue in this process.
    pub worker: bool,
    /// 0 info, 1 debug, 2 trace.
    pub verbosity: u8,
}

/// A connection's clients and what checks need beside them.
pub(super) struct Opened {
    pub account: Account,
    pub highlevel_token: Arc<Secret>,
    pub activecampaign_token: Arc<Secret>,
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
        let log = path.parent().map_or_else(
            || PathBuf::from("tramline.log"),
            |folder| folder.join("tramline.log"),
        );
        crate::log::start(&log, options.verbosity)?;
        let store = Store::open(&path, Arc::new(SystemClock)).await?;
        let calls = Calls::new();
        let http = Arc::new(Http::new(REQUEST_TIMEOUT));
        let ledger: Arc<dyn Ledger> = Arc::new(StoreLedger(store.clone()));
        let mut accounts = BTreeMap::new();
        for (name, connection) in &config.connections {
            let opened =
                open_connection(&config, name, connection, &http, &ledger, &calls.observer())?;
            accounts.insert(name.clone(), opened);
        }
        for (name, opened) in &accounts {
            refuse_other_accounts(&store, name, &opened.identity).await?;
        }
        let engine = Engine::new(Settings {
            store: store.clone(),
            accounts: accounts
                .iter()
                .map(|(name, opened)| (name.clone(), opened.account.clone()))
                .collect(),
            mappings: config
                .mappings
                .iter()
                .map(|(name, spec)| (name.clone(), (config.connection_of(spec), spec.clone())))
                .collect(),
            concurrency: config.worker.concurrency,
            retention: Retention {
                done: config.store.retention.done.duration(),
                attempts: config.store.retention.attempts.duration(),
            },
        });
        if options.worker {
            engine.start();
        }
        let inner = Inner {
            config,
            accounts,
            store,
            triggers: Triggers::new(engine.clone()),
            engine,
            calls,
            read_only: options.read_only,
            worker: options.worker,
            log,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

fn open_connection(
    config: &Config,
    name: &ConnectionName,
    connection: &Connection,
    http: &Arc<Http>,
    ledger: &Arc<dyn Ledger>,
    observer: &Observer,
) -> Done<Opened> {
    let refuse = |key: &str, error: String| {
        Problem::new(ErrorClass::Config, format!("{name}: {key}: {error}"))
    };
    let settings = &connection.highlevel;
    let Some(token) = settings.token.clone() else {
        return Err(refuse("highlevel", "oauth is not supported yet".into())
            .remedy("use a Private Integration Token: token = { env = \"GHL_TOKEN\" }"));
    };
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
            Arc::clone(ledger),
            Arc::new(crate::http::SystemClock),
        )
    };
    let base = BaseUrl::parse(&settings.base_url)
        .map_err(|error| refuse("base_url", error.to_string()))?;
    let highlevel_token = Arc::new(Secret::new(token, config.folder()));
    // HighLevel counts by client or token and location (fact sheet §6): the token's reference stands for it.
    let highlevel_key = format!("highlevel {} {}", base.host(), settings.location_id);
    let mut identity = format!(
        "HighLevel location {} at {}",
        settings.location_id,
        authority(&base)
    );
    let highlevel = HighLevel::new(
        HighLevelSettings {
            base_url: base,
            version: settings.version.clone(),
            location_id: settings.location_id.clone(),
        },
        Arc::new(SecretToken(Arc::clone(&highlevel_token))),
        Arc::clone(http),
        budget("highlevel", highlevel_key, settings.rate),
        Some(Arc::clone(observer)),
    )?;
    let settings = &connection.activecampaign;
    let base =
        ActiveCampaign::base(&settings.url).map_err(|error| refuse("url", error.to_string()))?;
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
    let activecampaign = ActiveCampaign::new(
        base,
        token,
        Arc::clone(http),
        budgets,
        Some(Arc::clone(observer)),
    );
    Ok(Opened {
        account: Account::new(name.clone(), highlevel, activecampaign),
        highlevel_token,
        activecampaign_token,
        identity,
    })
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

/// A secret as the clients ask for it.
struct SecretToken(Arc<Secret>);

impl Token for SecretToken {
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>> {
        Box::pin(self.0.current())
    }

    fn refresh(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        Box::pin(self.0.refresh())
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
