//! What a person can do, however it is shown. The command line and the control room both call these and
//! nothing beneath them.

mod calls;
mod check;
mod contacts;
pub mod demo;
pub mod exports;
pub mod mappings;
mod open;
pub mod queue;
mod raw;
pub mod records;
pub mod sandbox;
pub mod schemas;
pub mod status;
pub mod triggers;
mod values;

use crate::config::Config;
use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, ErrorClass, MappingName, Problem};
use crate::store::Store;
use crate::sync::{Account, Engine};
use crate::triggers::Triggers;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use contacts::WholeContact;
pub use open::OpenOptions;

/// What an operation answers.
pub type Done<T> = Result<T, Problem>;

/// The door to everything Tramline can do. Cheap to clone; all methods may be called from any task.
#[derive(Clone)]
pub struct Operations {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    accounts: BTreeMap<ConnectionName, open::Opened>,
    store: Store,
    engine: Engine,
    triggers: Triggers,
    calls: calls::Calls,
    read_only: bool,
    worker: bool,
    log: PathBuf,
}

impl Operations {
    /// `production`, `sandbox`, …: the `environment` of config.toml; empty where none is given.
    pub fn environment(&self) -> &str {
        &self.inner.config.environment
    }

    /// True where writes are asked for once more: the environment is `production`.
    pub fn is_production(&self) -> bool {
        self.inner
            .config
            .environment
            .eq_ignore_ascii_case("production")
    }

    /// True under `--read-only`: every operation that writes answers with a problem.
    pub fn is_read_only(&self) -> bool {
        self.inner.read_only
    }

    /// A short name of a connection's accounts for the header: the ActiveCampaign host's first label.
    pub fn account(&self, connection: &ConnectionName) -> String {
        let Some(settings) = self.inner.config.connections.get(connection) else {
            return connection.to_string();
        };
        let host = settings
            .activecampaign
            .url
            .split("://")
            .nth(1)
            .unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        if host.parse::<std::net::IpAddr>().is_ok() {
            return host.to_owned();
        }
        host.split('.').next().unwrap_or(host).to_owned()
    }

    /// The connections of config.toml, never empty.
    pub fn connections(&self) -> Vec<ConnectionName> {
        self.inner.config.connections.keys().cloned().collect()
    }

    /// The connection of a name; without one the first.
    ///
    /// # Errors
    /// There is no such connection; the problem names those that exist.
    pub fn connection(&self, name: Option<&str>) -> Done<ConnectionName> {
        let known = self.connections();
        match name {
            None => known
                .into_iter()
                .next()
                .ok_or_else(|| Problem::new(ErrorClass::Config, "there is no connection")),
            Some(name) => known
                .iter()
                .find(|known| known.as_str() == name)
                .cloned()
                .ok_or_else(|| {
                    let names: Vec<&str> = known.iter().map(ConnectionName::as_str).collect();
                    Problem::new(
                        ErrorClass::Config,
                        format!("there is no connection `{name}`"),
                    )
                    .remedy(format!("known: {}", names.join(", ")))
                }),
        }
    }

    /// Where the log file lies.
    pub fn log_path(&self) -> Option<PathBuf> {
        Some(self.inner.log.clone())
    }

    /// Reads what was remembered of the last session under a key (`tui.view`): JSON text.
    pub async fn remembered(&self, key: &str) -> Done<Option<String>> {
        Ok(self.inner.store.get(&self.anywhere(), key).await?)
    }

    /// Remembers JSON text under a key.
    pub async fn remember(&self, key: &str, value: &str) -> Done<()> {
        Ok(self
            .inner
            .store
            .set(&self.anywhere(), key, Some(value))
            .await?)
    }

    /// Stops what runs in this process and closes the store: running jobs finish or are released, a running
    /// export can be gone on with.
    pub async fn close(&self) {
        // Side by side: each has its own ten seconds.
        tokio::join!(self.inner.triggers.stop(), self.inner.engine.stop());
        if let Err(error) = self.inner.store.close().await {
            tracing::warn!(%error, "the store was not closed cleanly; nothing is lost");
        }
    }

    /// The connection of what belongs to none.
    fn anywhere(&self) -> ConnectionName {
        ConnectionName::from("")
    }

    /// Returns once no job is ready or running and no export of this process runs.
    pub async fn idle(&self) -> Done<()> {
        self.inner.engine.idle().await
    }

    fn open_account(&self, connection: &ConnectionName) -> Done<&open::Opened> {
        self.inner.accounts.get(connection).ok_or_else(|| {
            Problem::new(
                ErrorClass::Config,
                format!("there is no connection `{connection}`"),
            )
        })
    }

    /// The connection's clients, their calls in the lane of a waiting person.
    fn person(&self, connection: &ConnectionName) -> Done<Account> {
        Ok(self
            .open_account(connection)?
            .account
            .lane(crate::http::Lane::Person))
    }

    fn spec(&self, mapping: &MappingName) -> Done<(&MappingSpec, ConnectionName)> {
        let spec = self.inner.config.mappings.get(mapping).ok_or_else(|| {
            let names: Vec<&str> = self
                .inner
                .config
                .mappings
                .keys()
                .map(MappingName::as_str)
                .collect();
            let known = if names.is_empty() {
                "config.toml has no mapping; add [mappings.NAME]".to_owned()
            } else {
                format!("known: {}", names.join(", "))
            };
            Problem::new(
                ErrorClass::Config,
                format!("there is no mapping `{mapping}`"),
            )
            .remedy(known)
        })?;
        Ok((spec, self.inner.config.connection_of(spec)))
    }

    fn writable(&self) -> Done<()> {
        if self.inner.read_only {
            return Err(Problem::new(
                ErrorClass::Config,
                "this would write, and --read-only forbids it",
            )
            .remedy("start without --read-only"));
        }
        Ok(())
    }
}
