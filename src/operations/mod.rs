//! What a person can do, however it is shown. The command line and the control room both call these and
//! nothing beneath them.

mod activity;
mod audit;
mod calls;
mod check;
pub mod connections;
mod contacts;
mod credential;
pub mod demo;
pub mod draft;
pub mod drafts;
mod edit;
pub mod exports;
mod fields;
pub mod files;
pub mod filters;
pub mod login;
pub mod mappings;
mod monitor;
mod open;
pub mod pace;
pub mod pauses;
pub mod queue;
mod raw;
pub mod records;
pub mod reload;
pub mod retried;
pub mod rules;
pub mod sandbox;
pub mod schemas;
pub mod segments;
mod state;
mod states;
pub mod status;
pub mod triggers;
mod values;
mod who;
mod why;

use crate::config::Tui;
use crate::model::{ConnectionName, ErrorClass, Problem};
use crate::store::Store;
use crate::sync::{Account, Engine};
use crate::triggers::Triggers;
use state::State;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use activity::{Activity, LogFilter, LogLevel, LogLine};
pub use contacts::WholeContact;
pub use edit::{EditValue, Edited};
pub use open::OpenOptions;

/// What an operation answers.
pub type Done<T> = Result<T, Problem>;

/// The door to everything Tramline can do. Cheap to clone; all methods may be called from any task.
#[derive(Clone)]
pub struct Operations {
    inner: Arc<Inner>,
}

struct Inner {
    /// Replaced as a whole when config.toml is read again.
    state: RwLock<Arc<State>>,
    opener: open::Opener,
    reload: reload::Reload,
    store: Store,
    engine: Engine,
    triggers: Triggers,
    calls: calls::Calls,
    health: monitor::Health,
    monitor: monitor::Monitor,
    read_only: bool,
    log: PathBuf,
    /// Actions of people that this process is at: their rows in the audit.
    acts: Mutex<BTreeSet<i64>>,
}

impl Operations {
    /// `production`, `sandbox`, …: the `environment` of config.toml; empty where none is given.
    pub fn environment(&self) -> String {
        self.state().config.environment.clone()
    }

    /// True where writes are asked for once more: the environment is `production`.
    pub fn is_production(&self) -> bool {
        self.environment().eq_ignore_ascii_case("production")
    }

    /// True under `--read-only`: every operation that writes answers with a problem.
    pub fn is_read_only(&self) -> bool {
        self.inner.read_only
    }

    /// A short name of a connection's accounts for the header: the ActiveCampaign host's first label.
    pub fn account(&self, connection: &ConnectionName) -> String {
        let state = self.state();
        let Some(settings) = state.config.connections.get(connection) else {
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
        self.state().config.connections.keys().cloned().collect()
    }

    /// The path that `--config` must be given so that a command in another shell reads this configuration; `None` where it
    /// finds it by itself.
    pub fn config_to_name(&self) -> Option<PathBuf> {
        crate::config::to_name(&self.state().config.path)
    }

    /// How the control room looks and listens: `[tui]` of config.toml.
    pub fn tui(&self) -> Tui {
        self.state().config.tui.clone()
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

    /// As [`Operations::connection`]; without a name none, which is all of them.
    ///
    /// # Errors
    /// There is no such connection; the problem names those that exist.
    pub fn named(&self, name: Option<&str>) -> Done<Option<ConnectionName>> {
        name.map(|name| self.connection(Some(name))).transpose()
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
        self.inner.monitor.stop().await;
        for opened in self.state().accounts.values() {
            opened.account.close().await;
        }
        self.leave_acts().await;
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

    /// Forgets what was learned of schemas, fields and associations: what is asked next is asked of the APIs.
    pub async fn forget(&self) {
        for opened in self.state().accounts.values() {
            opened.account.forget().await;
        }
    }

    /// What config.toml says now, with what was opened from it; an operation takes it once and keeps to it.
    fn state(&self) -> Arc<State> {
        Arc::clone(
            &self
                .inner
                .state
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// As [`State::person`], for operations that need no more of the state.
    fn person(&self, connection: &ConnectionName) -> Done<Account> {
        self.state().person(connection)
    }

    /// Refuses under `--read-only`, in words for the person: before a question is asked or a row is tried.
    pub fn writable(&self) -> Done<()> {
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
