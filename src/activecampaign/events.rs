//! Event tracking (fact sheet §4): its own host, its own key, form-encoded; what was recorded is read from the contact.

use super::ActiveCampaign;
use super::effects::Sent;
use super::wire::loose;
use crate::http::{ApiError, BaseUrl, InvalidBaseUrl, Request, Token, encode};
use crate::model::{ContactId, Email, ErrorClass};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest `eventdata` that is sent, in characters: the documented sample of the log breaks off there.
const EVENT_DATA: usize = 250;

/// Where events go.
pub struct EventTracking {
    base: Arc<BaseUrl>,
    path: String,
    account_id: String,
    key: Arc<dyn Token>,
}

impl EventTracking {
    /// `url` is the whole address, such as `https://trackcmp.net/event`; `key` is the event key, not the API's token.
    ///
    /// # Errors
    /// The text is no acceptable address.
    pub fn new(
        url: &str,
        account_id: impl Into<String>,
        key: Arc<dyn Token>,
    ) -> Result<Self, InvalidBaseUrl> {
        let whole = BaseUrl::parse(url)?;
        let start = whole.as_str().find("://").map_or(0, |at| at + 3);
        let cut = whole.as_str()[start..]
            .find('/')
            .map_or(whole.as_str().len(), |at| start + at);
        let (base, path) = whole.as_str().split_at(cut);
        Ok(Self {
            base: Arc::new(BaseUrl::parse(base)?),
            path: path.to_owned(),
            account_id: account_id.into(),
            key,
        })
    }
}

/// A row of a contact's tracking log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub id: String,
    pub kind: String,
    pub value: String,
}

impl LogEntry {
    /// True if the row tells of an event of this name and data. Whether the log gives the name or the data as its value is
    /// not documented, so either will do.
    pub fn tells(&self, event: &str, data: &str) -> bool {
        self.kind == event || self.value.contains(event) || self.value == data
    }
}

impl ActiveCampaign {
    /// True if config.toml says where events go.
    pub fn can_record_events(&self) -> bool {
        self.events.is_some()
    }

    /// Records an event of a contact. Not to be repeated: it would be a second event.
    ///
    /// # Errors
    /// As every call; `Invalid` if tracking refuses it, `Config` if there is no `events` in config.toml.
    pub async fn record_event(
        &self,
        contact: &Email,
        event: &str,
        data: &str,
    ) -> Result<Sent, ApiError> {
        let Some(events) = &self.events else {
            return Err(self
                .error(
                    ErrorClass::Config,
                    "events cannot be recorded: config.toml does not say how",
                )
                .remedy("add events = { account_id = \"…\", key = { env = \"…\" } } to [activecampaign]"));
        };
        let mut transport = self.transport.clone();
        transport.base = Arc::clone(&events.base);
        transport.token = Arc::clone(&events.key);
        transport.key_field = Some("key");
        let visit = json!({ "email": contact.as_str() }).to_string();
        let data: String = data.chars().take(EVENT_DATA).collect();
        let form = [
            ("actid", events.account_id.as_str()),
            ("event", event),
            ("eventdata", &data),
            ("visit", &visit),
        ]
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .join("&");
        let shown = format!("POST {} {form}", events.path);
        let mut request =
            Request::write(Method::POST, events.path.clone(), Some(form.into_bytes()));
        // A refused key is no false alarm: there is no such report of this host.
        request.doubt_forbidden = false;
        let said = transport
            .call(&request, |answer| {
                let body: Value = answer.json()?;
                let success = loose(body.get("success"));
                match body.get("success") {
                    Some(Value::Bool(true)) => Ok(Ok(answer.status)),
                    Some(Value::Bool(false)) => Ok(Err(loose(body.get("message")))),
                    Some(_) if success == "1" => Ok(Ok(answer.status)),
                    Some(_) => Ok(Err(loose(body.get("message")))),
                    None => Err("the answer does not say whether the event was recorded".to_owned()),
                }
            })
            .await
            .map_err(|mut error| {
                if error.class == ErrorClass::Auth {
                    error.remedy = Some(
                        "check events in [activecampaign]: account_id and key are those of Website, Site Tracking, Event \
                         Tracking"
                            .to_owned(),
                    );
                }
                error
            })?;
        match said {
            Ok(status) => Ok(Sent {
                request: shown,
                response: status.to_string(),
            }),
            Err(message) => {
                let message = transport.redacted(&message).await;
                let mut error = self
                    .error(
                        ErrorClass::Invalid,
                        format!("the event \"{event}\" is refused: {message}"),
                    )
                    .remedy("see that event tracking is switched on, and check account_id and key");
                error.request = shown;
                error.response = Some(format!("success 0 {message}"));
                Err(error)
            }
        }
    }

    /// A contact's tracking log.
    ///
    /// # Errors
    /// As every call.
    pub async fn tracking_log(&self, contact: &ContactId) -> Result<Vec<LogEntry>, ApiError> {
        let rows = self.rows_of(contact, "trackingLogs").await?;
        Ok(rows
            .iter()
            .map(|row| LogEntry {
                id: loose(row.get("id")),
                kind: loose(row.get("type")),
                value: loose(row.get("value")),
            })
            .collect())
    }
}
