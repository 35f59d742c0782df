//! What triggers ask of the engine: which connections and mappings there are now, and who this process is.

use super::{Account, Engine, worker};
use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, MappingName};
use crate::store::Store;

impl Engine {
    /// The store that jobs are kept in.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Names this process in leases.
    pub fn owner(&self) -> &str {
        &self.inner.owner
    }

    /// A connection's clients; `None` if there is none of this name any more.
    pub fn account(&self, connection: &ConnectionName) -> Option<Account> {
        self.settings().accounts.get(connection).cloned()
    }

    /// The connections whose HighLevel location is this one; several may share it.
    pub fn connections_at(&self, location: &str) -> Vec<ConnectionName> {
        let settings = self.settings();
        let accounts = settings.accounts.values();
        accounts
            .filter(|account| account.highlevel.location_id() == location)
            .map(|account| account.name.clone())
            .collect()
    }

    /// The location of all connections, if they share one.
    pub fn only_location(&self) -> Option<String> {
        let settings = self.settings();
        let mut accounts = settings.accounts.values();
        let location = accounts.next()?.highlevel.location_id();
        accounts
            .all(|account| account.highlevel.location_id() == location)
            .then(|| location.to_owned())
    }

    /// A mapping with its connection.
    pub fn mapping(&self, name: &MappingName) -> Option<(ConnectionName, MappingSpec)> {
        self.settings().mappings.get(name).cloned()
    }

    /// The mappings that work without being asked (`enabled`), with their connections.
    pub fn enabled_mappings(&self) -> Vec<(MappingName, ConnectionName, MappingSpec)> {
        let settings = self.settings();
        let mappings = settings.mappings.iter();
        mappings
            .filter(|(_, (_, spec))| spec.enabled)
            .map(|(name, (connection, spec))| (name.clone(), connection.clone(), spec.clone()))
            .collect()
    }
}

/// True if the owner of a lease is of this host and its process is no more.
pub fn is_dead(owner: &str) -> bool {
    worker::is_dead(owner)
}
