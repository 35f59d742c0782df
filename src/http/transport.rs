//! One request: permit, token, sending, understanding the answer, trying again where that is safe.

use super::base::{BaseUrl, Http};
use super::budget::{Budget, BudgetError, Lane, Permit};
use super::error::{ApiError, ApiFailure};
use super::error_body::ErrorBody;
use super::exchange::{Broken, describe, read};
use super::headers::{ServerSays, retry_after};
use super::meter::{Meter, Observer};
use super::redact::{excerpt, redact};
use super::request::{Answer, Raw, RawBody, Request, check_relative, encode};
use super::retry::Tries;
use super::token::Token;
use super::verdict::{classify, default_message, remedy};
use crate::model::ErrorClass;
use crate::model::call::{Api, Call};
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one client sends its requests with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport {
    pub api: Api,
    pub base: Arc<BaseUrl>,
    pub http: Arc<Http>,
    pub token: Arc<dyn Token>,
    pub budget: Budget,
    pub observer: Option<Observer>,
    pub meter: Option<Arc<Meter>>,
    pub lane: Lane,
    /// Time that one call may spend waiting because of rate-limit answers.
    pub patience: Duration,
    /// Sent with every request: `Version` of HighLevel.
    pub headers: HeaderMap,
    /// The token is a field of a form and travels in no header: bodies are form-encoded without it.
    pub key_field: Option<&'static str>,
}

/// One try that failed.
pub(super) struct Failure {
    pub error: ApiError,
    /// Whole answer, for callers that want any status.
    answer: Option<Answer>,
    /// The token that it was sent with.
    pub token: Option<SecretString>,
    /// The permit that it was sent with, and that of the rarer budget; 0 where it was not sent.
    pub slots: (u64, Option<u64>),
}

impl Transport {
    /// Sends a request and decodes its answer. A body that cannot be decoded is a transient error.
    pub async fn call<T>(
        &self,
        request: &Request,
        decode: impl Fn(&Answer) -> Result<T, String>,
    ) -> Result<T, ApiError> {
        let mut tries = Tries::default();
        loop {
            let failure = match self.attempt(request, &decode).await {
                Ok(value) => return Ok(value),
                Err(failure) => *failure,
            };
            let Some(delay) = self.again(request, &failure, &mut tries).await? else {
                if request.any_status
                    && failure.error.class != ErrorClass::Throttled
                    && let Some(answer) = &failure.answer
                    && let Ok(value) = decode(answer)
                {
                    return Ok(value);
                }
                return Err(failure.error);
            };
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
    }

    /// Sends a request and decodes its answer as JSON.
    pub async fn json<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ApiError> {
        self.call(request, Answer::json).await
    }

    /// A text of the server without the token.
    pub async fn redacted(&self, text: &str) -> String {
        match self.token.current().await {
            Ok(token) => redact(text, token.expose_secret()),
            // Without a token nothing was sent that could come back.
            Err(_) => text.to_owned(),
        }
    }

    /// Sends a request of a person as it is.
    pub async fn raw(&self, mut request: Request) -> Result<Raw, ApiError> {
        check_relative(&request.path)
            .map_err(|message| ApiError::new(self.api, ErrorClass::Config, message))?;
        if !request.path.starts_with('/') {
            request.path.insert(0, '/');
        }
        request.any_status = true;
        self.call(&request, |answer| {
            let body = match serde_json::from_slice(&answer.body) {
                Ok(value) => RawBody::Json(value),
                Err(_) => RawBody::Text(String::from_utf8_lossy(&answer.body).into_owned()),
            };
            Ok(Raw {
                status: answer.status,
                body,
            })
        })
        .await
    }

    async fn attempt<T>(
        &self,
        request: &Request,
        decode: &impl Fn(&Answer) -> Result<T, String>,
    ) -> Result<T, Box<Failure>> {
        let token = self
            .token
            .current()
            .await
            .map_err(|problem| Failure::before(ApiError::before_sending(self.api, problem)))?;
        let client = self.http.client(&self.base).map_err(|message| {
            Failure::before(ApiError::new(
                self.api,
                ErrorClass::Config,
                format!("the HTTP client cannot be set up: {message}"),
            ))
        })?;
        let sending = self
            .build(client, request, &token)
            .map_err(Failure::before)?;
        // The rarer permit first: it may take long, and the other must not wait unused meanwhile.
        let also = match &request.also {
            Some(budget) => Some(self.permit(budget).await?),
            None => None,
        };
        let permit = match self.permit(&self.budget).await {
            Ok(permit) => permit,
            Err(failure) => {
                if let Some(also) = also {
                    also.unused();
                }
                return Err(failure);
            }
        };
        let at = Timestamp::now();
        let started = Instant::now();
        let busy = self.budget.was_busy(permit.used());
        if let Some(meter) = &self.meter {
            meter.count(self.api);
        }
        let exchange = match sending.send().await {
            Ok(response) => read(response, at).await,
            Err(error) => Err(Broken {
                sent: !error.is_connect(),
                message: describe(&error, &self.base, self.http.timeout()),
            }),
        };
        if let Ok(answer) = &exchange {
            self.http
                .note_date(&self.base, &answer.headers, at, Timestamp::now());
        }
        let says = exchange.as_ref().map_or_else(
            |_| ServerSays::default(),
            |answer| ServerSays::read(&answer.headers),
        );
        let slots = (permit.slot(), also.as_ref().map(Permit::slot));
        let unsent = exchange.as_ref().is_err_and(|broken| !broken.sent);
        for permit in [Some(permit), also]
            .into_iter()
            .flatten()
            .zip([says, ServerSays::default()])
        {
            let (permit, says): (Permit, ServerSays) = permit;
            if unsent {
                permit.unused();
            } else {
                permit.answered(says);
            }
        }
        let secret = token.expose_secret();
        let result = match exchange {
            Ok(answer) => self.judge(request, answer, busy, secret, decode),
            Err(broken) => {
                let mut error = ApiError::new(
                    self.api,
                    ErrorClass::Transient,
                    redact(&broken.message, secret),
                );
                error.ambiguous = request.write && broken.sent;
                error.request = describe_request(request, secret);
                Err(Box::new(Failure {
                    error,
                    answer: None,
                    token: None,
                    slots: (0, None),
                }))
            }
        };
        self.report(request, at, started.elapsed(), secret, &result);
        let passes = match &result {
            Ok(_) => true,
            // Neither refused for the rate, nor by something that stands before the server.
            Err(failure) => {
                let class = failure.error.class;
                !matches!(class, ErrorClass::Throttled | ErrorClass::Transient)
            }
        };
        if passes {
            self.budget.accepted(slots.0).await;
            if let (Some(budget), Some(slot)) = (&request.also, slots.1) {
                budget.accepted(slot).await;
            }
        }
        result.map(|(value, _)| value).map_err(|mut failure| {
            failure.token = Some(token.clone());
            failure.slots = slots;
            failure
        })
    }

    async fn permit(&self, budget: &Budget) -> Result<Permit, Box<Failure>> {
        budget
            .acquire(self.lane, self.patience)
            .await
            .map_err(|error| {
                let class = match &error {
                    BudgetError::Blocked { .. } | BudgetError::Spent { .. } => {
                        ErrorClass::Throttled
                    }
                    BudgetError::Ledger(_) => ErrorClass::Store,
                };
                let until = match &error {
                    BudgetError::Blocked { until } | BudgetError::Spent { until } => Some(*until),
                    BudgetError::Ledger(_) => None,
                };
                let mut api_error = ApiError::new(self.api, class, error.to_string());
                api_error.retry_after = until.and_then(|until| {
                    Duration::try_from(until.duration_since(Timestamp::now())).ok()
                });
                Failure::before(api_error)
            })
    }

    fn build(
        &self,
        client: &reqwest::Client,
        request: &Request,
        token: &SecretString,
    ) -> Result<reqwest::RequestBuilder, ApiError> {
        let url = format!("{}{}", self.base.as_str(), request.path);
        let sending = client
            .request(request.method.clone(), url)
            .headers(self.headers.clone())
            .header(ACCEPT, "application/json");
        if let Some(field) = self.key_field {
            let mut form = request.body.clone().unwrap_or_default();
            form.extend(format!("&{field}={}", encode(token.expose_secret())).bytes());
            return Ok(sending
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form));
        }
        let (name, text) = match self.api {
            Api::HighLevel => (AUTHORIZATION, format!("Bearer {}", token.expose_secret())),
            Api::ActiveCampaign => (
                HeaderName::from_static("api-token"),
                token.expose_secret().to_owned(),
            ),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            ApiError::new(
                self.api,
                ErrorClass::Config,
                "the token has characters that no token has, such as a line break",
            )
            .remedy("look at what the token's reference yields")
        })?;
        value.set_sensitive(true);
        let mut sending = sending.header(name, value);
        if let Some(body) = &request.body {
            sending = sending
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        Ok(sending)
    }

    /// Tells a good answer from an error.
    fn judge<T>(
        &self,
        request: &Request,
        answer: Answer,
        busy: bool,
        secret: &str,
        decode: &impl Fn(&Answer) -> Result<T, String>,
    ) -> Result<(T, Seen), Box<Failure>> {
        if (200..300).contains(&answer.status) {
            let seen = Seen {
                status: answer.status,
                request_id: request_id(&answer.headers).map(|id| redact(&id, secret)),
            };
            return match decode(&answer) {
                Ok(value) => Ok((value, seen)),
                Err(message) => {
                    let mut error =
                        ApiError::new(self.api, ErrorClass::Transient, redact(&message, secret));
                    error.status = Some(answer.status);
                    error.request_id = seen.request_id;
                    error.ambiguous = request.write;
                    self.evidence(&mut error, request, &answer, secret);
                    Err(Box::new(Failure {
                        error,
                        answer: None,
                        token: None,
                        slots: (0, None),
                    }))
                }
            };
        }
        let mut error = self.understand(request, &answer, busy, secret);
        self.evidence(&mut error, request, &answer, secret);
        Err(Box::new(Failure {
            error,
            answer: Some(answer),
            token: None,
            slots: (0, None),
        }))
    }

    fn understand(&self, request: &Request, answer: &Answer, busy: bool, secret: &str) -> ApiError {
        let body = ErrorBody::read(&answer.body);
        let retry_after = retry_after(&answer.headers, Timestamp::now());
        let class = classify(
            self.api,
            answer.status,
            &body,
            retry_after.is_some() || busy,
        );
        let message = match &body.message {
            Some(message) => redact(message, secret),
            None => default_message(answer.status),
        };
        ApiFailure {
            api: self.api,
            class,
            status: Some(answer.status),
            remedy: remedy(self.api, answer.status, class, &message, request),
            message,
            field: body.field.map(|field| redact(&field, secret)),
            request_id: request_id(&answer.headers)
                .or(body.trace_id)
                .map(|id| redact(&id, secret)),
            retry_after,
            // A server error may come after the work was done.
            ambiguous: request.write && class == ErrorClass::Transient,
            request: String::new(),
            response: None,
        }
        .into()
    }

    fn evidence(&self, error: &mut ApiError, request: &Request, answer: &Answer, secret: &str) {
        error.request = describe_request(request, secret);
        error.response = Some(format!(
            "{} {}",
            answer.status,
            excerpt(&answer.body, secret)
        ));
    }

    fn report<T>(
        &self,
        request: &Request,
        at: Timestamp,
        took: Duration,
        secret: &str,
        result: &Result<(T, Seen), Box<Failure>>,
    ) {
        let (status, request_id, error) = match result {
            Ok((_, seen)) => (Some(seen.status), seen.request_id.clone(), None),
            Err(failure) => (
                failure.error.status,
                failure.error.request_id.clone(),
                Some(&failure.error),
            ),
        };
        if error.is_some_and(|error| error.class == ErrorClass::Throttled)
            && let Some(meter) = &self.meter
        {
            meter.count_throttled();
        }
        let path = redact(&request.path, secret);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let retry_after = error
            .and_then(|error| error.retry_after)
            .map(|wait| wait.as_secs());
        tracing::info!(
            api = self.api.name(),
            method = %request.method,
            %path,
            status,
            millis,
            request_id,
            retry_after,
            error = error.map(|error| error.message.as_str()),
            "call"
        );
        if let Some(observer) = &self.observer {
            observer(&Call {
                at,
                api: self.api,
                method: request.method.to_string(),
                path,
                status,
                millis,
                request_id,
                retry_after,
                error: error.map(|error| error.message.clone()),
                class: error.map(|error| error.class),
                connection: None,
            });
        }
    }
}

struct Seen {
    status: u16,
    request_id: Option<String>,
}

impl Failure {
    fn before(error: ApiError) -> Box<Self> {
        Box::new(Self {
            error,
            answer: None,
            token: None,
            slots: (0, None),
        })
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    Some(text.chars().take(100).collect())
}

fn describe_request(request: &Request, secret: &str) -> String {
    let line = format!("{} {}", request.method, redact(&request.path, secret));
    match &request.body {
        Some(body) => format!("{line} {}", excerpt(body, secret)),
        None => line,
    }
}
