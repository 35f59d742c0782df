//! From text to [`Config`].

use super::check::check;
use super::place::{ConfigError, Place};
use super::{
    ActiveCampaign, Alerts, Config, Connection, DEFAULT_CONNECTION, HighLevel, Metrics, Stamp,
    Store, Tui, Webhooks, Worker,
};
use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, MappingName};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    environment: String,
    #[serde(default)]
    highlevel: Option<HighLevel>,
    #[serde(default)]
    activecampaign: Option<ActiveCampaign>,
    #[serde(default)]
    connections: BTreeMap<String, Connection>,
    #[serde(default)]
    store: Store,
    #[serde(default)]
    worker: Worker,
    #[serde(default)]
    webhooks: Webhooks,
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    alerts: Alerts,
    #[serde(default)]
    tui: Tui,
    #[serde(default)]
    mappings: BTreeMap<String, MappingSpec>,
}

pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
    // The stamp first: what is written meanwhile makes another one.
    let stamp = Stamp::of(path);
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        path: path.to_owned(),
        line: None,
        key: None,
        message: format!("cannot be read: {error}"),
        remedy: Some(match error.kind() {
            std::io::ErrorKind::NotFound => {
                "write one with `tramline init`, or name another with --config FILE".into()
            }
            _ => "check the file and its permissions".into(),
        }),
    })?;
    Ok(Config {
        stamp: Some(stamp),
        ..parse(&text, path)?
    })
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let place = Place { text, path };
    let file: File = toml::from_str(text).map_err(|error| place.syntax(&error))?;
    let connections = connections(
        &place,
        file.highlevel,
        file.activecampaign,
        file.connections,
    )?;
    let config = Config {
        path: path.to_owned(),
        stamp: None,
        environment: file.environment,
        connections,
        store: file.store,
        worker: file.worker,
        webhooks: file.webhooks,
        metrics: file.metrics,
        alerts: file.alerts,
        tui: file.tui,
        mappings: file
            .mappings
            .into_iter()
            .map(|(name, spec)| (MappingName::from(name), spec))
            .collect(),
    };
    check(&place, &config)?;
    Ok(config)
}

fn connections(
    place: &Place<'_>,
    highlevel: Option<HighLevel>,
    activecampaign: Option<ActiveCampaign>,
    named: BTreeMap<String, Connection>,
) -> Result<BTreeMap<ConnectionName, Connection>, ConfigError> {
    let mut connections: BTreeMap<ConnectionName, Connection> = named
        .into_iter()
        .map(|(name, connection)| (ConnectionName::from(name), connection))
        .collect();
    match (highlevel, activecampaign) {
        (Some(highlevel), Some(activecampaign)) => {
            let default = ConnectionName::from(DEFAULT_CONNECTION);
            if connections
                .insert(
                    default,
                    Connection {
                        highlevel,
                        activecampaign,
                    },
                )
                .is_some()
            {
                return Err(place.error(
                    &["connections", DEFAULT_CONNECTION],
                    "the two top-level tables make the connection `default` already",
                    "give this one another name",
                ));
            }
        }
        (Some(_), None) => {
            return Err(place.error(
                &["highlevel"],
                "[activecampaign] is missing",
                "add it: url and token",
            ));
        }
        (None, Some(_)) => {
            return Err(place.error(
                &["activecampaign"],
                "[highlevel] is missing",
                "add it: location_id and token",
            ));
        }
        (None, None) if connections.is_empty() => {
            return Err(place.error(
                &[],
                "[highlevel] and [activecampaign] are missing",
                "see config.example.toml, or run `tramline init`",
            ));
        }
        (None, None) => {}
    }
    Ok(connections)
}
