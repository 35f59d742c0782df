//! config.toml: one file, safe to commit. Unknown keys are refused with their line and a suggestion.

mod check;
mod place;
mod read;
mod rewrite;
mod save;
mod stamp;
#[cfg(test)]
mod tests;

use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, MappingName, Period};
use crate::secret::SecretRef;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use place::ConfigError;
pub use stamp::Stamp;

/// The name of the connection made of the two top-level tables.
pub const DEFAULT_CONNECTION: &str = "default";

/// The whole configuration, checked as far as that needs no network.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The file as it was just before it was read; `None` for text that was at hand.
    pub stamp: Option<Stamp>,
    /// Shown in the header; `production` asks before writes.
    pub environment: String,
    /// Pairs of accounts by name; at least one.
    pub connections: BTreeMap<ConnectionName, Connection>,
    pub store: Store,
    pub worker: Worker,
    pub webhooks: Webhooks,
    pub metrics: Metrics,
    pub alerts: Alerts,
    pub tui: Tui,
    pub mappings: BTreeMap<MappingName, MappingSpec>,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// What is wrong, in which line and under which key, and what to do.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        read::read(path)
    }

    /// As [`Config::read`], for text that is at hand; `path` is where relative paths start from.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        read::parse(text, path)
    }

    /// An error of its own kind, for what others find wrong with a value: the file is looked at once more for the line.
    pub fn fault(&self, key: &[&str], message: &str, remedy: &str) -> ConfigError {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let place = place::Place {
            text: &text,
            path: &self.path,
        };
        place.error(key, message, remedy)
    }

    /// The folder that relative paths start from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// The connection a mapping belongs to.
    pub fn connection_of(&self, mapping: &MappingSpec) -> ConnectionName {
        ConnectionName::from(mapping.connection.as_deref().unwrap_or(DEFAULT_CONNECTION))
    }
}

/// The file that is read when no other is named: `TRAMLINE_CONFIG`, else `config.toml` in the XDG
/// configuration folder.
pub fn default_path() -> PathBuf {
    if let Some(path) = std::env::var_os("TRAMLINE_CONFIG").filter(|path| !path.is_empty()) {
        return PathBuf::from(path);
    }
    xdg_folder("XDG_CONFIG_HOME", ".config").join("config.toml")
}

/// The path that `--config` must be given so that a command in another shell reads a file: absolute; `None` for the file in
/// the XDG folder. `TRAMLINE_CONFIG` is of this shell: another one may have none, or another.
pub fn to_name(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = xdg_folder("XDG_CONFIG_HOME", ".config").join("config.toml");
    let elsewhere = default_path() != found;
    (elsewhere || path != found).then_some(path)
}

/// The folder of store and log: `tramline` in the XDG state folder.
pub fn state_folder() -> PathBuf {
    xdg_folder("XDG_STATE_HOME", ".local/state")
}

fn xdg_folder(variable: &str, fallback: &str) -> PathBuf {
    let base = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(fallback)))
        .unwrap_or_else(|| PathBuf::from("."));
    base.join("tramline")
}

/// Two accounts kept in step.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    pub highlevel: HighLevel,
    pub activecampaign: ActiveCampaign,
}

/// `[highlevel]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighLevel {
    pub location_id: String,
    /// A Private Integration Token.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// OAuth in place of a token.
    #[serde(default)]
    pub oauth: Option<OAuth>,
    #[serde(default = "HighLevel::default_base_url")]
    pub base_url: String,
    /// Value of the `Version` header.
    #[serde(default = "HighLevel::default_version")]
    pub version: String,
    #[serde(default = "HighLevel::default_rate")]
    pub rate: Rate,
}

impl HighLevel {
    fn default_base_url() -> String {
        crate::highlevel::BASE_URL.into()
    }

    fn default_version() -> String {
        crate::highlevel::VERSION.into()
    }

    fn default_rate() -> Rate {
        Rate {
            requests: 100,
            per: Window(Duration::from_secs(10)),
            daily: Some(200_000),
        }
    }
}

/// `[highlevel] oauth`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    pub client_id: String,
    pub client_secret: SecretRef,
    /// A redirect URL of the app; nothing needs to answer there.
    #[serde(default = "OAuth::default_redirect_uri")]
    pub redirect_uri: String,
    /// The consent page; a white-label host has one of its own.
    #[serde(default = "OAuth::default_consent_url")]
    pub consent_url: String,
}

impl OAuth {
    fn default_redirect_uri() -> String {
        "http://localhost:8787/oauth/callback".into()
    }

    fn default_consent_url() -> String {
        crate::highlevel::CONSENT_URL.into()
    }
}

/// `[activecampaign]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveCampaign {
    /// The API URL of Settings → Developer, with or without `/api/3`.
    pub url: String,
    pub token: SecretRef,
    #[serde(default = "ActiveCampaign::default_rate")]
    pub rate: Rate,
    #[serde(default = "ActiveCampaign::default_import_rate")]
    pub import_rate: Rate,
    /// Event tracking, for `record_event`.
    #[serde(default)]
    pub events: Option<Events>,
}

impl ActiveCampaign {
    fn default_rate() -> Rate {
        Rate {
            requests: 5,
            per: Window(Duration::from_secs(1)),
            daily: None,
        }
    }

    fn default_import_rate() -> Rate {
        Rate {
            requests: 100,
            per: Window(Duration::from_secs(60)),
            daily: None,
        }
    }
}

/// `[activecampaign] events`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    pub account_id: String,
    pub key: SecretRef,
    #[serde(default = "Events::default_url")]
    pub url: String,
}

impl Events {
    fn default_url() -> String {
        "https://trackcmp.net/event".into()
    }
}

/// A rate limit: so many requests in a window, and so many a day.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub requests: u32,
    pub per: Window,
    #[serde(default)]
    pub daily: Option<u64>,
}

/// A rate's window: `100ms`, `1s`, `10s`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Window(pub Duration);

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = match text.strip_suffix("ms") {
            Some(number) => number.trim().parse().ok().map(Duration::from_millis),
            None => Period::parse(&text).ok().map(Period::duration),
        };
        match parsed {
            Some(window) if !window.is_zero() => Ok(Self(window)),
            _ => Err(format!(
                "\"{text}\" is no window; write a number and ms, s, m or h, such as \"10s\""
            )),
        }
    }
}

/// `[store]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH`; relative to config.toml. Absent: `tramline.db` in the XDG state folder.
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub retention: Retention,
}

impl Store {
    /// The database file.
    pub fn path(&self, folder: &Path) -> PathBuf {
        match &self.url {
            Some(url) => folder.join(
                url.strip_prefix("sqlite:")
                    .unwrap_or(url)
                    .trim_start_matches("//"),
            ),
            None => state_folder().join("tramline.db"),
        }
    }
}

/// `[store] retention`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    pub done: Period,
    pub attempts: Period,
    pub events: Period,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |count: u64| Period::new(Duration::from_secs(count * 86_400));
        Self {
            done: days(30),
            attempts: days(30),
            events: days(7),
        }
    }
}

/// `[worker]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// Jobs worked on at the same time.
    pub concurrency: usize,
}

impl Default for Worker {
    fn default() -> Self {
        Self { concurrency: 8 }
    }
}

/// `[webhooks]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    pub listen: SocketAddr,
    pub public_key: Option<SecretRef>,
    pub app_id: Option<String>,
    /// Events older than this are dropped.
    pub max_age: MaxAge,
    pub token: Option<SecretRef>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            public_key: None,
            app_id: None,
            max_age: MaxAge::default(),
            token: None,
        }
    }
}

/// The age beyond which an event is dropped: a length of time, or `off`, the default. Retries and resends carry the
/// event's first time (HighLevel fact sheet §5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct MaxAge(pub Option<Duration>);

impl TryFrom<String> for MaxAge {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "off" {
            return Ok(Self(None));
        }
        match Period::parse(&text) {
            Ok(period) if !period.duration().is_zero() => Ok(Self(Some(period.duration()))),
            _ => Err(format!(
                "\"{text}\" is no age; write \"off\", or a length of time such as \"1d\""
            )),
        }
    }
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where a worker answers `/metrics`, `/healthz` and `/readyz`.
    pub listen: Option<SocketAddr>,
}

impl Metrics {
    /// Where a worker answers if nobody says otherwise; another process that is there already does no harm then.
    pub const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9187);
}

/// `[alerts]`: whom to tell, and of what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// An address that takes Slack-shaped JSON; a secret, since whoever knows it can write there.
    pub webhook: Option<SecretRef>,
    /// In place of the webhook: a program with its arguments, run without a shell, JSON on its standard input.
    pub command: Option<Vec<String>>,
    /// So many jobs that fail within so long.
    pub failed: FailedAlert,
    /// A queue with due jobs of which none was attempted for so long.
    pub stalled: Period,
    /// The shortest time between two alerts of one kind.
    pub cooldown: Period,
}

impl Default for Alerts {
    fn default() -> Self {
        let minutes = |count: u64| Period::new(Duration::from_secs(count * 60));
        Self {
            webhook: None,
            command: None,
            failed: FailedAlert {
                count: 20,
                within: minutes(10),
            },
            stalled: minutes(10),
            cooldown: minutes(60),
        }
    }
}

/// `[alerts] failed`
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedAlert {
    pub count: u64,
    pub within: Period,
}

/// `[tui]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tui {
    /// Frames a second at most, for changes of data.
    pub fps: u16,
    pub low_bandwidth: bool,
    pub ascii: bool,
    /// Clicks and the wheel are taken; the terminal's own selection then needs shift.
    pub mouse: bool,
    pub theme: Theme,
    /// Action = key, list of keys, or an empty list to unbind.
    pub keys: BTreeMap<String, Keys>,
}

impl Default for Tui {
    fn default() -> Self {
        Self {
            fps: 30,
            low_bandwidth: false,
            ascii: false,
            mouse: false,
            theme: Theme::Dark,
            keys: BTreeMap::new(),
        }
    }
}

/// `[tui] theme`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Theme {
    #[default]
    #[serde(rename = "dark")]
    Dark,
    #[serde(rename = "light")]
    Light,
    #[serde(rename = "mono")]
    Mono,
    #[serde(rename = "16")]
    Ansi,
}

impl Theme {
    /// The name in config.toml.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
            Self::Ansi => "16",
        }
    }
}

/// One key or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Keys {
    One(String),
    Many(Vec<String>),
}

impl Keys {
    /// The keys as a list.
    pub fn list(&self) -> Vec<String> {
        match self {
            Self::One(key) => vec![key.clone()],
            Self::Many(keys) => keys.clone(),
        }
    }
}
