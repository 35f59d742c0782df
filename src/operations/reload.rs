//! config.toml and tokens, read again while everything runs. A file that cannot be used changes nothing.

use super::triggers::webhook_trust;
use super::{Done, Operations};
use crate::config::{Config, Stamp};
use crate::model::{ErrorClass, Problem};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What came of reading config.toml again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// What is different now, such as `mapping pets` or `worker`.
    pub changed: Vec<String>,
    /// Keys that hold another value than at the start and are used from the next start on.
    pub restart: Vec<String>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("config.toml was read again: ")?;
        match self.changed.as_slice() {
            [] => f.write_str("nothing else changed")?,
            changed => write!(f, "{} changed", changed.join(", "))?,
        }
        if !self.restart.is_empty() {
            write!(f, "; restart to use {}", self.restart.join(", "))?;
        }
        Ok(())
    }
}

impl Reloaded {
    /// True if there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        self.changed.is_empty() && self.restart.is_empty()
    }
}

/// What reading again needs to remember.
pub(super) struct Reload {
    /// One reading at a time.
    turn: tokio::sync::Mutex<()>,
    seen: Mutex<Seen>,
    started: Fixed,
}

struct Seen {
    /// The file as it was when it was last read, well or in vain.
    read: Stamp,
    /// Another look of the file, seen once.
    fresh: Option<Stamp>,
}

/// What is used at the start only.
#[derive(PartialEq)]
struct Fixed {
    store: PathBuf,
    webhooks: SocketAddr,
    metrics: Option<SocketAddr>,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            store: config.store.path(config.folder()),
            webhooks: config.webhooks.listen,
            metrics: config.metrics.listen,
        }
    }

    fn differences(&self, other: &Self) -> Vec<String> {
        [
            ("store.url", self.store != other.store),
            ("webhooks.listen", self.webhooks != other.webhooks),
            ("metrics.listen", self.metrics != other.metrics),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(key, _)| key.to_owned())
        .collect()
    }
}

impl Reload {
    pub fn new(config: &Config) -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            seen: Mutex::new(Seen {
                read: config.stamp.unwrap_or_else(|| Stamp::of(&config.path)),
                fresh: None,
            }),
            started: Fixed::of(config),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operations {
    /// Reads config.toml again. What is under way ends by the configuration it began with.
    ///
    /// # Errors
    /// The file cannot be used: the problem says why, and the configuration stays as it was.
    pub async fn reload(&self) -> Done<Reloaded> {
        let _turn = self.inner.reload.turn.lock().await;
        let result = self.read_again().await;
        match &result {
            Ok(reloaded) => {
                tracing::info!(changed = %reloaded.changed.join(", "), restart = %reloaded.restart.join(", "),
                    "config.toml was read again");
            }
            Err(problem) => tracing::error!(%problem, "config.toml cannot be used"),
        }
        result.map_err(|problem| Problem {
            message: format!("the configuration stays as it was: {}", problem.message),
            ..problem
        })
    }

    async fn read_again(&self) -> Done<Reloaded> {
        let inner = &self.inner;
        let before = self.state();
        let path = before.config.path.clone();
        let read = tokio::task::spawn_blocking(move || (Stamp::of(&path), Config::read(&path)));
        let (stamp, config) = read.await.map_err(|error| {
            Problem::new(
                ErrorClass::Config,
                format!("config.toml was not read: {error}"),
            )
        })?;
        *inner.reload.seen() = Seen {
            read: stamp,
            fresh: None,
        };
        let after = inner
            .opener
            .open(config?, Some(&before), &inner.store)
            .await?;
        let trust = webhook_trust(&after).await?;
        let reloaded = Reloaded {
            changed: differences(&before.config, &after.config),
            restart: inner.reload.started.differences(&Fixed::of(&after.config)),
        };
        let tokens = before.config.connections != after.config.connections;
        inner.engine.replace(after.settings());
        *inner.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        inner.engine.mappings_changed().await;
        inner.triggers.trust(trust);
        if tokens && let Err(problem) = inner.engine.credentials_changed().await {
            tracing::warn!(%problem, "what waits for a token could not be woken");
        }
        Ok(reloaded)
    }

    /// Reads config.toml again if the file changed since it was last read, and has been quiet since the last look: it is not
    /// read while it is being written. `None` if there is nothing to tell.
    pub async fn reload_if_changed(&self) -> Option<Done<Reloaded>> {
        let now = self.config_stamp();
        {
            let mut seen = self.inner.reload.seen();
            if seen.read == now {
                seen.fresh = None;
                return None;
            }
            if seen.fresh != Some(now) {
                seen.fresh = Some(now);
                return None;
            }
        }
        let result = self.reload().await;
        Some(result).filter(|result| !result.as_ref().is_ok_and(Reloaded::is_nothing))
    }

    /// How config.toml looks now: a single stat.
    pub fn config_stamp(&self) -> Stamp {
        Stamp::of(&self.state().config.path)
    }

    /// Reads all tokens again and lets at once go on what waited because one was refused. Answers the problems of those that
    /// cannot be read: they stay as they were.
    pub async fn refresh_credentials(&self) -> Vec<Problem> {
        let state = self.state();
        let mut problems = Vec::new();
        for (name, opened) in &state.accounts {
            let token = &opened.activecampaign_token;
            let mut read = vec![
                ("highlevel", opened.highlevel.read_again().await),
                ("activecampaign", token.refresh().await),
            ];
            if let Some(key) = &opened.event_key {
                read.push(("event tracking", key.refresh().await));
            }
            for (api, result) in read {
                match result {
                    Ok(changed) => {
                        tracing::info!(connection = %name, api, changed, "the token was read again");
                    }
                    Err(problem) => {
                        tracing::error!(connection = %name, api, %problem, "the token cannot be read; the old one stays");
                        problems.push(problem);
                    }
                }
            }
        }
        if let Err(problem) = self.inner.engine.credentials_changed().await {
            problems.push(problem);
        }
        problems
    }
}

/// What is different between two configurations.
fn differences(before: &Config, after: &Config) -> Vec<String> {
    let mut changed = Vec::new();
    let mut note = |differs: bool, what: &str| {
        if differs {
            changed.push(what.to_owned());
        }
    };
    note(before.environment != after.environment, "environment");
    note(
        before.store.retention != after.store.retention,
        "store.retention",
    );
    note(before.worker != after.worker, "worker");
    note(before.alerts != after.alerts, "alerts");
    note(before.tui != after.tui, "tui");
    let unlistened = |config: &Config| crate::config::Webhooks {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..config.webhooks.clone()
    };
    note(unlistened(before) != unlistened(after), "webhooks");
    changed.extend(of_maps(
        "connection",
        &before.connections,
        &after.connections,
    ));
    changed.extend(of_maps("mapping", &before.mappings, &after.mappings));
    changed
}

/// Entries that came, went or are others now.
fn of_maps<K: Ord + fmt::Display, V: PartialEq>(
    what: &str,
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> Vec<String> {
    let gone = before.keys().filter(|name| !after.contains_key(name));
    let others = after
        .iter()
        .filter(|(name, value)| before.get(name) != Some(value))
        .map(|(name, _)| name);
    gone.chain(others)
        .map(|name| format!("{what} {name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const BASE: &str = r#"
[highlevel]
location_id = "loc"
token = { env = "A" }
[activecampaign]
url = "https://acme.api-us1.com"
token = { env = "B" }
[mappings.pets]
object = "pets"
email = "e"
"#;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("/etc/x/config.toml")).unwrap()
    }

    #[test]
    fn what_changed_is_named() {
        let before = config(BASE);
        assert!(differences(&before, &before).is_empty());
        let after = config(
            &(BASE.replace("mappings.pets", "mappings.dogs")
                + "[worker]\nconcurrency = 3\n[webhooks]\napp_id = \"x\"\nlisten = \"127.0.0.1:9\"\n"),
        );
        assert_eq!(
            differences(&before, &after),
            ["worker", "webhooks", "mapping pets", "mapping dogs"]
        );
        assert_eq!(
            Fixed::of(&before).differences(&Fixed::of(&after)),
            ["webhooks.listen"]
        );
        let after = config(&BASE.replace("\"A\"", "\"C\""));
        assert_eq!(differences(&before, &after), ["connection default"]);
    }

    #[test]
    fn it_is_told_in_one_sentence() {
        let reloaded = Reloaded {
            changed: vec!["mapping pets".into(), "worker".into()],
            restart: vec!["store.url".into()],
        };
        assert_eq!(
            reloaded.to_string(),
            "config.toml was read again: mapping pets, worker changed; restart to use store.url"
        );
    }
}
