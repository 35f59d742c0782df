//! The routes: webhooks of HighLevel, and of workflows (sync.md, Triggers).

use super::envelope::{Announcement, What};
use super::intake::{Intake, NotKept};
use super::trust::{Trust, Trusted};
use super::verdicts::{Verdict, Verdicts};
use super::workflow::{self, Refusal};
use crate::highlevel::{SIGNATURE_HEADER, Unsigned};
use crate::model::{MappingName, ObjectKey, Trigger};
use crate::store::{NewEvent, NewJob};
use crate::sync::Engine;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Longest body. A record's texts are some kilobytes.
const BODY: usize = 1024 * 1024;
/// The body must be here by then.
const BODY_TIME: Duration = Duration::from_secs(10);
/// An event older than this is worth a line in the log, where no `max_age` is set.
const LATE: Duration = Duration::from_secs(300);
/// Lines about late events are so far apart.
const LATE_TOLD: Duration = Duration::from_secs(60);
/// Looks for a changed bearer token are so far apart: a stranger must not make this process run a token command at will.
const TOKEN_READ: Duration = Duration::from_secs(5);

/// What the routes work with.
pub struct Receiver {
    pub engine: Engine,
    pub intake: Intake,
    pub trusted: Arc<Trusted>,
    pub verdicts: Arc<Verdicts>,
    /// When a late event was last told of.
    pub late_told: Seldom,
    /// When the bearer token was last read again.
    pub token_read: Seldom,
}

/// The routes of a receiver.
pub fn routes(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/webhooks/highlevel", post(highlevel))
        .route("/hooks/{mapping}", post(hook))
        .with_state(receiver)
}

async fn highlevel(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let verdict = receiver.highlevel(&headers, body).await;
    receiver.verdicts.count(verdict);
    let status = match verdict {
        Verdict::Unsigned | Verdict::Forged => StatusCode::UNAUTHORIZED,
        Verdict::Unreadable => StatusCode::BAD_REQUEST,
        Verdict::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Verdict::Slow => StatusCode::REQUEST_TIMEOUT,
        Verdict::Full => StatusCode::TOO_MANY_REQUESTS,
        Verdict::Failed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    answer(status, &json!({ "status": verdict.name() }))
}

impl Receiver {
    async fn highlevel(&self, headers: &HeaderMap, body: Body) -> Verdict {
        let body = match read(body).await {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        let mut signatures = headers.get_all(SIGNATURE_HEADER).iter();
        let signature = match (signatures.next(), signatures.next()) {
            (None, _) => None,
            (Some(one), None) => Some(one.to_str().unwrap_or("unreadable")),
            // Which of them would be meant?
            (Some(_), Some(_)) => return Verdict::Forged,
        };
        let trust = self.trusted.now();
        match trust.key.verify(signature, &body) {
            Ok(()) => {}
            Err(Unsigned::Missing) => return Verdict::Unsigned,
            Err(Unsigned::Forged) => return Verdict::Forged,
        }
        let Ok(announcement) = Announcement::read(&body) else {
            return Verdict::Unreadable;
        };
        let Ok(body) = String::from_utf8(body) else {
            return Verdict::Unreadable;
        };
        self.take(&trust, announcement, body).await
    }

    /// Keeps a webhook that is what it says it is.
    async fn take(&self, trust: &Trust, announcement: Announcement, body: String) -> Verdict {
        // The signing key is the same for all apps: whose event it is must be looked at as well.
        if let (Some(own), Some(app)) = (&trust.app, &announcement.app)
            && own != app
        {
            return Verdict::Foreign;
        }
        let location = announcement
            .location
            .clone()
            .or_else(|| self.engine.only_location());
        let connections =
            location.map_or_else(Vec::new, |location| self.engine.connections_at(&location));
        if connections.is_empty() {
            return Verdict::Foreign;
        }
        if announcement.what == What::Other {
            return Verdict::Ignored;
        }
        if self.is_stale(trust.max_age, &announcement) {
            return Verdict::Stale;
        }
        let key = announcement
            .key
            .unwrap_or_else(|| format!("u {}", uuid::Uuid::now_v7()));
        let events = connections
            .into_iter()
            .map(|connection| NewEvent {
                connection,
                key: key.clone(),
                kind: announcement.kind.clone(),
                happened_at: announcement.happened_at,
                body: body.clone(),
            })
            .collect();
        match self.intake.keep(events).await {
            Ok(true) => Verdict::Accepted,
            Ok(false) => Verdict::Duplicate,
            Err(NotKept::Full) => Verdict::Full,
            Err(NotKept::Failed) => Verdict::Failed,
        }
    }

    /// True if an event is older than it may be. Retries and resends carry their first time, so by default age is only told.
    fn is_stale(&self, max_age: Option<Duration>, announcement: &Announcement) -> bool {
        let now = self.engine.store().now();
        let age = announcement
            .happened_at
            .map(|at| Duration::try_from(now.duration_since(at)).unwrap_or_default())
            .unwrap_or_default();
        if max_age.is_none() && age > LATE && self.late_told.is_due(LATE_TOLD, now) {
            tracing::warn!(
                age_s = age.as_secs(),
                kind = announcement.kind,
                "a webhook came late; it is worked off all the same"
            );
        }
        max_age.is_some_and(|most| age > most)
    }

    /// True if a request carries the bearer token. One that was changed is read again, but not for every stranger's guess.
    async fn is_authorised(&self, headers: &HeaderMap) -> bool {
        let trust = self.trusted.now();
        let Some(token) = &trust.token else {
            return false;
        };
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, given)| given.trim());
        let Some(given) = given else {
            return false;
        };
        let fits = async || match token.current().await {
            Ok(secret) => same(secret.expose_secret(), given),
            Err(problem) => {
                tracing::error!(%problem, "the token of workflow webhooks cannot be read");
                false
            }
        };
        if fits().await {
            return true;
        }
        self.token_read
            .is_due(TOKEN_READ, self.engine.store().now())
            && matches!(token.refresh().await, Ok(true))
            && fits().await
    }
}

/// Compares in a time that tells nothing of where two texts differ, or of their length.
fn same(secret: &str, given: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(secret)
        .as_slice()
        .ct_eq(digest(given).as_slice())
        .into()
}

async fn hook(
    State(receiver): State<Arc<Receiver>>,
    Path(mapping): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (verdict, response) = receiver.hook(&mapping, &headers, body).await;
    receiver.verdicts.count(verdict);
    response
}

impl Receiver {
    async fn hook(&self, mapping: &str, headers: &HeaderMap, body: Body) -> (Verdict, Response) {
        let refuse = |status: StatusCode, message: &str| {
            (
                Verdict::Refused,
                answer(status, &json!({ "error": message })),
            )
        };
        // First of all: to strangers nothing is told, not even which mappings there are.
        if !self.is_authorised(headers).await {
            let mut response = answer(
                StatusCode::UNAUTHORIZED,
                &json!({ "error": "the bearer token is missing or wrong" }),
            );
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                header::HeaderValue::from_static("Bearer"),
            );
            return (Verdict::Unauthorised, response);
        }
        let name = MappingName::from(mapping);
        let Some((connection, spec)) = self.engine.mapping(&name) else {
            return refuse(StatusCode::NOT_FOUND, "there is no such mapping");
        };
        let body = match read(body).await {
            Ok(body) => body,
            Err(verdict) => {
                let status = match verdict {
                    Verdict::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                    Verdict::Slow => StatusCode::REQUEST_TIMEOUT,
                    _ => StatusCode::BAD_REQUEST,
                };
                return (verdict, answer(status, &json!({ "error": verdict.name() })));
            }
        };
        if !spec.enabled {
            return refuse(StatusCode::CONFLICT, "the mapping is not enabled");
        }
        let object = ObjectKey::from_input(&spec.object);
        let records = match workflow::records(&body, &object) {
            Ok(records) => records,
            Err(error) => {
                let status = match error {
                    Refusal::NoObject => StatusCode::BAD_REQUEST,
                    Refusal::TooMany => StatusCode::PAYLOAD_TOO_LARGE,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                };
                return refuse(status, &error.to_string());
            }
        };
        let jobs: Vec<(NewJob, Option<Timestamp>)> = records
            .into_iter()
            .map(|record| {
                let job = NewJob::new(&connection, &name, &object, record, Trigger::Webhook);
                // A workflow runs some time after the change.
                (job, None)
            })
            .collect();
        match self.engine.store().enqueue_changed(&jobs).await {
            Ok(ids) => {
                self.engine.wake();
                let ids: Vec<&str> = ids.iter().map(crate::model::JobId::as_str).collect();
                (
                    Verdict::Workflow,
                    answer(StatusCode::ACCEPTED, &json!({ "jobs": ids })),
                )
            }
            Err(error) => {
                tracing::error!(%error, "a workflow's webhook could not be stored; it is told to try again");
                (
                    Verdict::Failed,
                    answer(
                        StatusCode::SERVICE_UNAVAILABLE,
                        &json!({ "error": "the store failed" }),
                    ),
                )
            }
        }
    }
}

/// The whole body, if it is short enough and comes in time.
async fn read(body: Body) -> Result<Vec<u8>, Verdict> {
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, BODY)).await {
        Err(_) => Err(Verdict::Slow),
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error);
            if cause.is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
                Err(Verdict::TooLarge)
            } else {
                Err(Verdict::Unreadable)
            }
        }
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

/// The second in which something was last done that is done seldom.
#[derive(Debug, Default)]
pub struct Seldom(AtomicI64);

impl Seldom {
    /// True if it is so long since this was last true.
    fn is_due(&self, apart: Duration, now: Timestamp) -> bool {
        let now = now.as_second();
        let last = self.0.load(Ordering::Relaxed);
        now - last >= apart.as_secs().cast_signed()
            && self
                .0
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}
