//! The connections of config.toml, as a person chooses among them.

use super::{Done, Operations};
use crate::model::{ConnectionName, Pause};

/// One pair of accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionSummary {
    pub name: ConnectionName,
    /// A short name of its accounts, as the header shows it.
    pub account: String,
    /// Host of the ActiveCampaign account, with its port where it names one.
    pub host: String,
    /// The HighLevel location.
    pub location: String,
    /// What keeps the whole connection from working.
    pub pauses: Vec<Pause>,
}

impl Operations {
    /// All connections, by name. No network; one read of the store.
    pub async fn connection_summaries(&self) -> Done<Vec<ConnectionSummary>> {
        let state = self.state();
        let pauses = self.inner.store.pauses().await?;
        let mut summaries = Vec::with_capacity(state.config.connections.len());
        for (name, connection) in &state.config.connections {
            let url = connection.activecampaign.url.as_str();
            let host = url.split_once("://").map_or(url, |(_, rest)| rest);
            let stops = |pause: &&Pause| pause.connection == *name && pause.mapping.is_none();
            summaries.push(ConnectionSummary {
                name: name.clone(),
                account: self.account(name),
                host: host.split('/').next().unwrap_or(host).to_owned(),
                location: connection.highlevel.location_id.clone(),
                pauses: pauses.iter().filter(stops).cloned().collect(),
            });
        }
        Ok(summaries)
    }
}
