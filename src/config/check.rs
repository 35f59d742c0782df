//! The checks of a configuration that need no network.

use super::place::{ConfigError, Place};
use super::{Alerts, Config, Connection, DEFAULT_CONNECTION};
use crate::mapping::MappingSpec;
use crate::model::ConnectionName;
use std::net::IpAddr;

/// Checks all of it.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(place: &Place<'_>, config: &Config) -> Result<(), ConfigError> {
    for (name, connection) in &config.connections {
        check_connection(place, name, connection)?;
    }
    if let Some(url) = &config.store.url
        && !url.starts_with("sqlite:")
    {
        return Err(place.error(
            &["store", "url"],
            "only sqlite:PATH is known",
            "write \"sqlite:tramline.db\"",
        ));
    }
    if config.worker.concurrency == 0 || config.worker.concurrency > 256 {
        return Err(place.error(
            &["worker", "concurrency"],
            "must be between 1 and 256",
            "8 is the default",
        ));
    }
    check_alerts(place, &config.alerts)?;
    if config.metrics.listen.is_some_and(|address| {
        address.port() != 0 && address.port() == config.webhooks.listen.port()
    }) {
        return Err(place.error(
            &["metrics", "listen"],
            "is the port of [webhooks] too",
            "give the metrics a port of their own: webhooks are open to the outside, they are not",
        ));
    }
    if config.tui.fps == 0 || config.tui.fps > 120 {
        return Err(place.error(
            &["tui", "fps"],
            "must be between 1 and 120",
            "30 is the default",
        ));
    }
    for (name, mapping) in &config.mappings {
        check_mapping(place, config, name.as_str(), mapping)?;
    }
    Ok(())
}

fn check_connection(
    place: &Place<'_>,
    name: &ConnectionName,
    connection: &Connection,
) -> Result<(), ConfigError> {
    let at = |table: &'static str, key: &'static str| -> Vec<&str> {
        if name.as_str() == DEFAULT_CONNECTION {
            vec![table, key]
        } else {
            vec!["connections", name.as_str(), table, key]
        }
    };
    check_url(
        place,
        &at("highlevel", "base_url"),
        &connection.highlevel.base_url,
    )?;
    check_url(
        place,
        &at("activecampaign", "url"),
        &connection.activecampaign.url,
    )?;
    if let Some(events) = &connection.activecampaign.events {
        let key = |part: &'static str| {
            let mut key = at("activecampaign", "events");
            key.push(part);
            key
        };
        check_url(place, &key("url"), &events.url)?;
        if events.account_id.trim().is_empty() {
            return Err(place.error(
                &key("account_id"),
                "is empty",
                "copy it from Website, Site Tracking, Event Tracking",
            ));
        }
    }
    match (&connection.highlevel.token, &connection.highlevel.oauth) {
        (None, None) => {
            return Err(place.error(
                &at("highlevel", "token"),
                "is missing",
                "add token = { env = \"GHL_TOKEN\" }, or oauth with client_id and client_secret",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(place.error(
                &at("highlevel", "oauth"),
                "token and oauth exclude each other",
                "keep one of them",
            ));
        }
        _ => {}
    }
    if let Some(oauth) = &connection.highlevel.oauth {
        check_url(place, &at("highlevel", "oauth"), &oauth.consent_url)?;
        if oauth.client_id.trim().is_empty() || url::Url::parse(&oauth.redirect_uri).is_err() {
            return Err(place.error(
                &at("highlevel", "oauth"),
                "client_id is empty, or redirect_uri is no URL",
                "copy both from the app's page in the Marketplace",
            ));
        }
    }
    if connection.highlevel.location_id.trim().is_empty() {
        return Err(place.error(
            &at("highlevel", "location_id"),
            "is empty",
            "copy it from the sub-account's Business Profile",
        ));
    }
    let rates = [
        (at("highlevel", "rate"), connection.highlevel.rate),
        (at("activecampaign", "rate"), connection.activecampaign.rate),
        (
            at("activecampaign", "import_rate"),
            connection.activecampaign.import_rate,
        ),
    ];
    for (key, rate) in rates {
        if rate.requests == 0 || rate.daily == Some(0) {
            return Err(place.error(
                &key,
                "a rate of 0 would never send anything",
                "give at least 1",
            ));
        }
    }
    Ok(())
}

fn check_mapping(
    place: &Place<'_>,
    config: &Config,
    name: &str,
    mapping: &MappingSpec,
) -> Result<(), ConfigError> {
    let at = |key: &'static str| ["mappings", name, key];
    let connection = config.connection_of(mapping);
    if !config.connections.contains_key(&connection) {
        let known: Vec<&str> = config
            .connections
            .keys()
            .map(ConnectionName::as_str)
            .collect();
        return Err(place.error(
            &at("connection"),
            &format!("there is no connection `{connection}`"),
            &format!("known: {}", known.join(", ")),
        ));
    }
    if let Some(schedule) = &mapping.schedule
        && let Err(error) = schedule.parse::<croner::Cron>()
    {
        return Err(place.error(
            &at("schedule"),
            &format!("is no cron expression: {error}"),
            "such as \"*/15 * * * *\"",
        ));
    }
    if let Some(zone) = &mapping.time_zone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        return Err(place.error(
            &at("time_zone"),
            &format!("there is no time zone `{zone}`"),
            "use an IANA name such as \"Europe/Berlin\"",
        ));
    }
    Ok(())
}

fn check_alerts(place: &Place<'_>, alerts: &Alerts) -> Result<(), ConfigError> {
    let error = |key: &str, message: &str, remedy: &str| {
        Err(place.error(&["alerts", key], message, remedy))
    };
    if alerts.webhook.is_some() && alerts.command.is_some() {
        return error(
            "command",
            "webhook and command exclude each other",
            "keep one of them",
        );
    }
    if alerts
        .command
        .as_ref()
        .is_some_and(|words| words.first().is_none_or(String::is_empty))
    {
        return error(
            "command",
            "is empty",
            "give a program and its arguments, such as [\"notify\", \"--stdin\"]",
        );
    }
    if alerts.failed.count == 0 || alerts.failed.within.duration().is_zero() {
        return error(
            "failed",
            "would always hold",
            "give a count and a time, such as { count = 20, within = \"10m\" }",
        );
    }
    if alerts.stalled.duration().is_zero() {
        return error("stalled", "would always hold", "10m is the default");
    }
    Ok(())
}

/// Tokens travel with every request, so plain http is refused except to this machine.
fn check_url(place: &Place<'_>, key: &[&str], url: &str) -> Result<(), ConfigError> {
    let parsed = reqwest::Url::parse(url).map_err(|error| {
        place.error(
            key,
            &format!("is no URL: {error}"),
            "write it with https://",
        )
    })?;
    let loopback = match parsed.host() {
        Some(url::Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(url::Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err(place.error(key, "names no host", "write it with https://")),
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(place.error(
            key,
            "must not hold a user name or password",
            "take them out",
        ));
    }
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(place.error(
            key,
            "must begin with https:// (http is for this machine only)",
            "correct the URL",
        )),
    }
}
