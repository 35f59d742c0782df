//! From text to [`Config`]: parsing, the checks that need no network, and errors with their place.

use super::{
    ActiveCampaign, Alerts, Config, Connection, DEFAULT_CONNECTION, HighLevel, Metrics, Stamp,
    Store, Tui, Webhooks, Worker,
};
use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, ErrorClass, MappingName, Problem, nearest};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub path: PathBuf,
    /// 1-based, where the text has a place to point at.
    pub line: Option<usize>,
    /// Dotted key, such as `mappings.pets.email`.
    pub key: Option<String>,
    pub message: String,
    pub remedy: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(remedy) = &self.remedy {
            write!(f, " ({remedy})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        Problem::new(ErrorClass::Config, error.to_string())
    }
}

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

fn check(place: &Place<'_>, config: &Config) -> Result<(), ConfigError> {
    for (name, connection) in &config.connections {
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
        let at = |key: &'static str| ["mappings", name.as_str(), key];
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

struct Place<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Place<'_> {
    fn error(&self, key: &[&str], message: &str, remedy: &str) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            line: self.line_of(key),
            key: (!key.is_empty()).then(|| key.join(".")),
            message: message.to_owned(),
            remedy: Some(remedy.to_owned()),
        }
    }

    /// A message of the parser, without the excerpt that it would show: the line may hold a token.
    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let message = error.message();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let remedy = match quoted.split_first() {
            Some((unknown, known))
                if message.starts_with("unknown field")
                    || message.starts_with("unknown variant") =>
            {
                nearest(unknown, known.iter().copied())
                    .map(|name| format!("did you mean `{name}`?"))
            }
            _ => None,
        };
        ConfigError {
            path: self.path.to_owned(),
            line: error.span().map(|span| self.line_at(span.start)),
            key: error.span().and_then(|span| self.key_at(span.start)),
            message: message.lines().collect::<Vec<_>>().join("; "),
            remedy,
        }
    }

    /// The key whose value stands at this place, as its line spells it.
    fn key_at(&self, offset: usize) -> Option<String> {
        let start = self.text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
        let (key, _) = self.text.get(start..offset)?.split_once('=')?;
        let key = key.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.\"%".contains(c);
        (!key.is_empty() && key.len() <= 64 && key.chars().all(plain)).then(|| key.to_owned())
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// The line of the deepest part of a key that the text has.
    fn line_of(&self, key: &[&str]) -> Option<usize> {
        let document = toml_edit::Document::parse(self.text).ok()?;
        let mut table: &dyn toml_edit::TableLike = document.as_table();
        let mut line = None;
        for part in key {
            let Some((name, item)) = table.get_key_value(part) else {
                break;
            };
            if let Some(span) = name.span().or_else(|| item.span()) {
                line = Some(self.line_at(span.start));
            }
            match item.as_table_like() {
                Some(inner) => table = inner,
                None => break,
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"
[highlevel]
location_id = "loc"
token = { env = "A" }

[activecampaign]
url = "https://acme.api-us1.com"
token = { env = "B" }
"#;

    fn error(text: &str) -> ConfigError {
        Config::parse(text, Path::new("config.toml")).unwrap_err()
    }

    #[test]
    fn the_smallest_file_is_enough() {
        let config = Config::parse(BASE, Path::new("/etc/x/config.toml")).unwrap();
        assert_eq!(config.connections.len(), 1);
        assert_eq!(config.folder(), Path::new("/etc/x"));
        assert_eq!(config.worker.concurrency, 8);
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest() {
        let error = error(&format!("{BASE}[worker]\nconcurency = 3\n"));
        assert_eq!(error.line, Some(10));
        assert_eq!(error.remedy.as_deref(), Some("did you mean `concurrency`?"));
    }

    #[test]
    fn an_inline_token_is_refused_and_not_repeated() {
        let error = error(&BASE.replace("{ env = \"A\" }", "\"pit-canary\""));
        assert!(
            error.to_string().contains("must not stand in this file"),
            "{error}"
        );
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(error.line, Some(4));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let error = error(&BASE.replace("https://acme.api-us1.com", "http://acme.api-us1.com"));
        assert_eq!(
            (error.line, error.key.as_deref()),
            (Some(7), Some("activecampaign.url"))
        );
        for local in ["http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9"] {
            Config::parse(
                &BASE.replace("https://acme.api-us1.com", local),
                Path::new("c"),
            )
            .unwrap();
        }
    }

    #[test]
    fn events_have_their_own_key_and_a_safe_address() {
        let events = |url: &str| {
            format!(
                "{BASE}events = {{ account_id = \"1\", key = {{ env = \"K\" }}, url = \"{url}\" }}\n"
            )
        };
        Config::parse(&events("https://trackcmp.net/event"), Path::new("c")).unwrap();
        Config::parse(&events("http://127.0.0.1:9/event"), Path::new("c")).unwrap();
        let plain = error(&events("http://trackcmp.net/event"));
        assert_eq!(plain.key.as_deref(), Some("activecampaign.events.url"));
        let inline = error(&format!(
            "{BASE}events = {{ account_id = \"1\", key = \"canary\" }}\n"
        ));
        assert!(!inline.to_string().contains("canary"), "{inline}");
    }

    #[test]
    fn what_a_mapping_refers_to_is_checked() {
        let mapping = |line: &str| {
            format!("{BASE}[mappings.pets]\nobject = \"pets\"\nemail = \"e\"\n{line}\n")
        };
        assert_eq!(
            error(&mapping("connection = \"x\"")).key.as_deref(),
            Some("mappings.pets.connection")
        );
        assert_eq!(error(&mapping("schedule = \"never\"")).line, Some(12));
        assert_eq!(error(&mapping("time_zone = \"Mars/Base\"")).line, Some(12));
        Config::parse(
            &mapping("schedule = \"*/15 * * * *\"\ntime_zone = \"Europe/Berlin\""),
            Path::new("c"),
        )
        .unwrap();
    }

    #[test]
    fn an_app_stands_in_place_of_a_token() {
        let token = "token = { env = \"A\" }\n\n[active";
        let oauth = |more: &str| {
            let app =
                format!("oauth = {{ client_id = \"c\", client_secret = {{ env = \"S\" }}{more} }}");
            BASE.replace(token, &format!("{app}\n\n[active"))
        };
        let config = Config::parse(&oauth(""), Path::new("c")).unwrap();
        let highlevel = &config.connections.values().next().unwrap().highlevel;
        let app = highlevel.oauth.as_ref().unwrap();
        assert!(
            app.consent_url
                .starts_with("https://marketplace.gohighlevel.com/")
        );
        for (wrong, told) in [
            (
                oauth("").replace("oauth = ", "token = { env = \"A\" }\noauth = "),
                "exclude each other",
            ),
            (BASE.replacen("token = { env = \"A\" }", "", 1), "or oauth"),
            (oauth(", consent_url = \"http://evil.example\""), "https://"),
            (oauth(", redirect_uri = \"nowhere\""), "redirect_uri"),
            (
                oauth("").replace("{ env = \"S\" }", "\"canary\""),
                "must not stand in this file",
            ),
        ] {
            let error = error(&wrong).to_string();
            assert!(error.contains(told) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn alerts_that_make_no_sense_are_refused() {
        let alerts = |lines: &str| error(&format!("{BASE}[alerts]\n{lines}\n"));
        for (lines, key) in [
            ("webhook = { env = 'A' }\ncommand = ['a']", "alerts.command"),
            ("command = []", "alerts.command"),
            ("failed = { count = 0, within = '1m' }", "alerts.failed"),
            ("stalled = '0s'", "alerts.stalled"),
        ] {
            assert_eq!(alerts(lines).key.as_deref(), Some(key), "{lines}");
        }
        assert!(
            !alerts("webhook = 'https://canary'")
                .to_string()
                .contains("canary")
        );
        let port = error(&format!("{BASE}[metrics]\nlisten = '127.0.0.1:8787'\n"));
        assert_eq!(port.key.as_deref(), Some("metrics.listen"));
        let config = Config::parse(BASE, Path::new("c")).unwrap();
        assert_eq!(config.alerts.failed.count, 20);
    }

    #[test]
    fn a_missing_half_is_named() {
        assert!(
            error("[highlevel]\nlocation_id = 'x'\ntoken = { env = 'A' }\n")
                .to_string()
                .contains("[activecampaign] is missing")
        );
        assert!(error("").to_string().contains("are missing"));
        assert!(error("[highlevel").line.is_some());
    }
}
