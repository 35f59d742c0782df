//! Base addresses and the HTTP client itself.

use super::REQUEST_TIMEOUT;
use super::skew::Skews;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use std::sync::OnceLock;
use std::time::Duration;

/// Why a text is no base address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    #[error("{0:?} is no URL: {1}")]
    Malformed(String, String),
    #[error("{0:?} must begin with https:// (http:// is allowed on loopback only)")]
    NotHttps(String),
    #[error("{0:?} carries a user, a query or a fragment, which a base address must not")]
    Extra(String),
}

/// A checked base address without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    host: String,
    port: u16,
    loopback: bool,
}

impl BaseUrl {
    /// Checks an address: https, or http on loopback.
    ///
    /// # Errors
    /// The text is no URL, is not encrypted, or has parts that a base has not.
    pub fn parse(text: &str) -> Result<Self, InvalidBaseUrl> {
        let text = text.trim().trim_end_matches('/');
        let url = reqwest::Url::parse(text)
            .map_err(|error| InvalidBaseUrl::Malformed(text.to_owned(), error.to_string()))?;
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err(InvalidBaseUrl::Malformed(
                text.to_owned(),
                "it names no host".to_owned(),
            ));
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare == "localhost"
            || bare
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(InvalidBaseUrl::Extra(host.to_owned()));
        }
        if !(url.scheme() == "https" || (url.scheme() == "http" && loopback)) {
            return Err(InvalidBaseUrl::NotHttps(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            host: host.to_owned(),
            port: url.port_or_known_default().unwrap_or(443),
            loopback,
        })
    }

    /// The same host with `path` in place of the base's own, unless the base ends in it already.
    pub fn with_path(mut self, path: &str) -> Self {
        if !self.text.ends_with(path) {
            self.text.push_str(path);
        }
        self
    }

    /// The address, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where connections go: host and port, also the usual one.
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The HTTP client that both APIs share: no redirects (a token would travel along), no cookies, https
/// except on loopback, connections within 5 s, whole requests within `timeout`.
pub struct Http {
    timeout: Duration,
    outward: OnceLock<Result<reqwest::Client, String>>,
    loopback: OnceLock<Result<reqwest::Client, String>>,
    skews: Skews,
}

impl Http {
    /// A client whose requests take at most `timeout` ([`REQUEST_TIMEOUT`] is the product's). Nothing is set up before the first request.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            outward: OnceLock::new(),
            loopback: OnceLock::new(),
            skews: Skews::default(),
        }
    }

    /// Takes what the answer to a request that left at `asked` and was answered by `now` tells of the server's clock.
    pub(super) fn note_date(
        &self,
        base: &BaseUrl,
        headers: &HeaderMap,
        asked: Timestamp,
        now: Timestamp,
    ) {
        self.skews.note(base, headers, asked, now);
    }

    /// How far a server's clock is ahead of this machine's at least, by its answers.
    pub(crate) fn skew(&self, base: &BaseUrl) -> Option<SignedDuration> {
        self.skews.of(base)
    }

    /// The longest time a request takes.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The client for an address. Loopback is never reached through a proxy.
    pub(super) fn client(&self, base: &BaseUrl) -> Result<&reqwest::Client, String> {
        let (cell, loopback) = if base.loopback {
            (&self.loopback, true)
        } else {
            (&self.outward, false)
        };
        cell.get_or_init(|| self.build(loopback))
            .as_ref()
            .map_err(Clone::clone)
    }

    fn build(&self, loopback: bool) -> Result<reqwest::Client, String> {
        // A second installation is refused, which only means that somebody was here before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tramline/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5).min(self.timeout))
            .timeout(self.timeout)
            .https_only(!loopback);
        if loopback {
            // Trust anchors take time to load and are of no use on loopback.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        builder.build().map_err(|error| error.to_string())
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new(REQUEST_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_pass() {
        for good in [
            "https://services.leadconnectorhq.com",
            "https://acme.api-us1.com/",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:99",
        ] {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://services.leadconnectorhq.com",
            "ftp://127.0.0.1",
            "services.leadconnectorhq.com",
            "http://127.0.0.1.example.com",
            "https://user:secret@acme.api-us1.com",
            "https://acme.api-us1.com/?key=1",
            "",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_credentials() {
        let error = BaseUrl::parse("https://user:hunter2@acme.api-us1.com").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn both_clients_can_be_set_up() {
        let http = Http::default();
        for url in ["https://acme.api-us1.com", "http://127.0.0.1:1"] {
            assert!(http.client(&BaseUrl::parse(url).unwrap()).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_path_is_added_once() {
        let base = |text| BaseUrl::parse(text).unwrap().with_path("/api/3");
        assert_eq!(
            base("https://a.api-us1.com/").as_str(),
            "https://a.api-us1.com/api/3"
        );
        assert_eq!(
            base("https://a.api-us1.com/api/3/").as_str(),
            "https://a.api-us1.com/api/3"
        );
    }
}
