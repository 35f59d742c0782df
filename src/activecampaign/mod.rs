//! Client of the ActiveCampaign API v3: contacts, fields, what surrounds a contact and changes it, events, bulk import.

mod around;
mod catalogue;
mod contacts;
mod effects;
mod events;
mod fields;
mod import;
mod matching;
mod pages;
mod segments;
#[cfg(test)]
mod tests;
mod wire;

pub use contacts::{FieldValue, Synced, sync_body_json};
pub use effects::{Enrolled, ListStanding, Sent, TagLink};
pub use events::{EventTracking, LogEntry};
pub use import::{
    BatchId, IMPORT_BYTES, IMPORT_EXCLUDE_BYTES, IMPORT_ROWS, ImportError, ImportInfo, ImportState,
    QueuedImport, Refusal, Rides, import_row_json, import_row_with,
};
pub use segments::segment_body;

use crate::http::{
    Answer, ApiError, BaseUrl, Budget, Http, InvalidBaseUrl, Lane, LedgerError, Meter, Observer,
    PATIENCE, Raw, Request, Token, Transport, parse_method,
};
use crate::model::ErrorClass;
use crate::model::call::{Api, BudgetView};
use jiff::SignedDuration;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use wire::{Loose, UserWire};

/// The budgets of one account (fact sheet §1.4, §3.2).
#[derive(Clone)]
pub struct AccountBudgets {
    /// 5 requests a second, whatever is asked.
    pub requests: Budget,
    /// 100 a minute, for imports of more than one contact.
    pub imports: Budget,
    /// 20 a minute, for imports of a single contact.
    pub single_imports: Budget,
}

/// A client of one account. Cheap to clone; clones share the cache of names.
#[derive(Clone)]
pub struct ActiveCampaign {
    transport: Transport,
    budgets: AccountBudgets,
    events: Option<Arc<EventTracking>>,
    names: Arc<around::Names>,
}

/// The user whom a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub username: String,
    pub email: String,
}

impl ActiveCampaign {
    /// The base of an account's URL, given with or without `/api/3` (fact sheet §1.1).
    ///
    /// # Errors
    /// The text is no acceptable address.
    pub fn base(url: &str) -> Result<BaseUrl, InvalidBaseUrl> {
        Ok(BaseUrl::parse(url)?.with_path("/api/3"))
    }

    /// A client in the bulk lane; `base` comes from [`ActiveCampaign::base`].
    pub fn new(
        base: BaseUrl,
        token: Arc<dyn Token>,
        http: Arc<Http>,
        budgets: AccountBudgets,
        observer: Option<Observer>,
    ) -> Self {
        Self {
            transport: Transport {
                api: Api::ActiveCampaign,
                base: Arc::new(base.with_path("/api/3")),
                http,
                token,
                budget: budgets.requests.clone(),
                observer,
                meter: None,
                lane: Lane::Bulk,
                patience: PATIENCE,
                headers: HeaderMap::new(),
                key_field: None,
            },
            events: None,
            budgets,
            names: Arc::default(),
        }
    }

    /// The same client, which can record events.
    pub fn with_events(mut self, events: EventTracking) -> Self {
        self.events = Some(Arc::new(events));
        self
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

    /// The budgets as last known: requests, imports.
    pub fn budget_views(&self) -> [BudgetView; 2] {
        [self.budgets.requests.view(), self.budgets.imports.view()]
    }

    /// Tells other processes what ended here, before this one ends.
    ///
    /// # Errors
    /// The store failed.
    pub async fn close(&self) -> Result<(), LedgerError> {
        let budgets = &self.budgets;
        budgets.requests.close().await?;
        budgets.imports.close().await?;
        budgets.single_imports.close().await
    }

    /// The token's user: the cheapest call that needs a good URL and a good token.
    ///
    /// # Errors
    /// As every call. A 403 here means a wrong URL or token.
    pub async fn me(&self) -> Result<User, ApiError> {
        let mut request = Request::get("/users/me");
        request.doubt_forbidden = false;
        let envelope: UserWire = self.transport.json(&request).await.map_err(|mut error| {
            if matches!(error.status, Some(403 | 404)) {
                error.class = ErrorClass::Auth;
                error.remedy = Some(
                    "the url or the token is wrong: copy both from Settings, Developer".to_owned(),
                );
            }
            error
        })?;
        Ok(User {
            id: envelope.user.id.0,
            username: envelope.user.username.0,
            email: envelope.user.email.0,
        })
    }

    /// One request as it is, for `tramline api`: `path` is relative to `/api/3`. Error answers are
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
        let method = parse_method(Api::ActiveCampaign, method)?;
        let path = path.strip_prefix("/api/3").unwrap_or(path);
        let body = body.map(|body| body.to_string().into_bytes());
        let mut request = Request::write(method.clone(), path, body);
        request.write = method != Method::GET;
        if request
            .path
            .trim_start_matches('/')
            .starts_with("import/bulk_import")
            && request.write
        {
            request.also = Some(self.budgets.imports.clone());
        }
        self.transport.raw(request).await
    }

    /// How far the server's clock was ahead of this machine's in its last answer; `None` before the first.
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        self.transport.http.skew(&self.transport.base)
    }

    fn error(&self, class: ErrorClass, message: impl Into<String>) -> ApiError {
        ApiError::new(Api::ActiveCampaign, class, message)
    }
}

/// A write's answer whose content does not matter: `{}` or nothing.
fn ignore(_: &Answer) -> Result<(), String> {
    Ok(())
}

/// An id of a row that must have one.
fn required_id(id: &Loose) -> Result<String, String> {
    if id.0.is_empty() || id.0 == "0" {
        return Err("the answer names no id".to_owned());
    }
    Ok(id.0.clone())
}
