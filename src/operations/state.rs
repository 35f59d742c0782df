//! What config.toml says, with what was opened from it. An operation works on one such snapshot from its beginning to its
//! end, also when the file is read again meanwhile.

use super::Done;
use super::open::Opened;
use crate::config::Config;
use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, ErrorClass, MappingName, Problem};
use crate::sync::{Account, Retention, Settings};
use std::collections::BTreeMap;

/// One reading of config.toml.
pub struct State {
    pub config: Config,
    pub accounts: BTreeMap<ConnectionName, Opened>,
}

impl State {
    /// A connection's clients and tokens.
    pub fn open_account(&self, connection: &ConnectionName) -> Done<&Opened> {
        self.accounts.get(connection).ok_or_else(|| {
            Problem::new(
                ErrorClass::Config,
                format!("there is no connection `{connection}`"),
            )
        })
    }

    /// The connection's clients, their calls in the lane of a waiting person.
    pub fn person(&self, connection: &ConnectionName) -> Done<Account> {
        Ok(self
            .open_account(connection)?
            .account
            .lane(crate::http::Lane::Person))
    }

    /// What a mapping says, and the connection it belongs to.
    pub fn spec(&self, mapping: &MappingName) -> Done<(&MappingSpec, ConnectionName)> {
        let spec = self.config.mappings.get(mapping).ok_or_else(|| {
            let names: Vec<&str> = self
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
        Ok((spec, self.config.connection_of(spec)))
    }

    /// What the engine works by.
    pub fn settings(&self) -> Settings {
        let config = &self.config;
        Settings {
            accounts: self
                .accounts
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
                events: config.store.retention.events.duration(),
            },
        }
    }
}
