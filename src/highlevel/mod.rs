//! Client of the HighLevel API: objects, records, search, associations, relations, contacts; and the signatures of its
//! webhooks.

mod contacts;
mod oauth;
mod records;
mod relations;
mod schemas;
mod scopes;
mod search;
mod signature;
#[cfg(test)]
mod tests;
mod wire;

pub use contacts::ContactPage;
pub use oauth::{CONSENT_URL, OAuthApp, OAuthToken, code_of, consent_url};
pub use scopes::{SCOPES, ScopeCheck, ScopeState, WRITE_SCOPE};
pub use search::{Order, PAGE_REACH, PageCursor, Search};
pub use signature::{InvalidKey, SIGNATURE_HEADER, Unsigned, WebhookKey};

use crate::http::{
    ApiError, BaseUrl, Budget, Http, Lane, LedgerError, Meter, Observer, PATIENCE, Raw, Request,
    Token, Transport, parse_method,
};
use crate::model::ErrorClass;
use crate::model::call::{Api, BudgetView};
use jiff::SignedDuration;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use search::Habits;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The production address (fact sheet §1.1).
pub const BASE_URL: &str = "https://services.leadconnectorhq.com";
/// The version that every endpoint in use accepts; `v3` had refusals of create and search (§7.6).
pub const VERSION: &str = "2021-07-28";

/// Which location is spoken to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HighLevelSettings {
    pub base_url: BaseUrl,
    /// Value of the `Version` header.
    pub version: String,
    pub location_id: String,
}

/// A client of one location. Cheap to clone; clones share what they learn about the server.
#[derive(Clone)]
pub struct HighLevel {
    transport: Transport,
    inner: Arc<Inner>,
}

struct Inner {
    location_id: String,
    habits: Habits,
    /// Reading a record was answered only with `locationId` in the query.
    record_wants_location: AtomicBool,
}

impl HighLevel {
    /// A client in the bulk lane.
    ///
    /// # Errors
    /// The version is no header value, or the location is empty.
    pub fn new(
        settings: HighLevelSettings,
        token: Arc<dyn Token>,
        http: Arc<Http>,
        budget: Budget,
        observer: Option<Observer>,
    ) -> Result<Self, ApiError> {
        let refuse = |message: &str| ApiError::new(Api::HighLevel, ErrorClass::Config, message);
        let version = HeaderValue::from_str(&settings.version)
            .map_err(|_| refuse("version is not fit for a header"))?;
        if settings.location_id.trim().is_empty() {
            return Err(refuse("location_id is empty"));
        }
        let headers = HeaderMap::from_iter([(HeaderName::from_static("version"), version)]);
        Ok(Self {
            transport: Transport {
                api: Api::HighLevel,
                base: Arc::new(settings.base_url),
                http,
                token,
                budget,
                observer,
                meter: None,
                lane: Lane::Bulk,
                patience: PATIENCE,
                headers,
                key_field: None,
            },
            inner: Arc::new(Inner {
                location_id: settings.location_id,
                habits: Habits::default(),
                record_wants_location: AtomicBool::new(false),
            }),
        })
    }

    /// The same client in another lane.
    pub fn lane(&self, lane: Lane) -> Self {
        let mut other = self.clone();
        other.transport.lane = lane;
        other
    }

    /// The same client, each of whose calls spends so much time at most waiting because of rate-limit answers.
    pub fn patience(&self, patience: Duration) -> Self {
        let mut other = self.clone();
        other.transport.patience = patience;
        other
    }

    /// How much time each call spends waiting because of rate-limit answers, at most.
    pub fn waits(&self) -> Duration {
        self.transport.patience
    }

    /// The same client, whose calls are counted by `meter`.
    pub fn metered(&self, meter: Arc<Meter>) -> Self {
        let mut other = self.clone();
        other.transport.meter = Some(meter);
        other
    }

    /// The location spoken to.
    pub fn location_id(&self) -> &str {
        &self.inner.location_id
    }

    /// The budget as last known.
    pub fn budget(&self) -> BudgetView {
        self.transport.budget.view()
    }

    /// Tells other processes what ended here, before this one ends.
    ///
    /// # Errors
    /// The store failed.
    pub async fn close(&self) -> Result<(), LedgerError> {
        self.transport.budget.close().await
    }

    /// True as soon as the server is reached and takes the token: lists the objects.
    ///
    /// # Errors
    /// As every call.
    pub async fn probe(&self) -> Result<(), ApiError> {
        self.objects().await.map(drop)
    }

    /// One request as it is, for `tramline api`: `path` is relative to the base. Error answers are
    /// answers, too.
    ///
    /// # Errors
    /// The path leads elsewhere, the method is none, or no answer came.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Raw, ApiError> {
        let method = parse_method(Api::HighLevel, method)?;
        let mut request = Request::write(method.clone(), path, body.map(|body| json(&body)));
        request.write = method != Method::GET;
        self.transport.raw(request).await
    }

    /// How far the server's clock was ahead of this machine's in its last answer; `None` before the first.
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        self.transport.http.skew(&self.transport.base)
    }

    fn error(&self, class: ErrorClass, message: impl Into<String>) -> ApiError {
        ApiError::new(Api::HighLevel, class, message)
    }
}

/// A JSON value as bytes.
fn json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
