//! A form that is posted without a token: how tokens themselves are asked for.

use super::base::{BaseUrl, Http};
use super::budget::{Budget, BudgetError, Lane, PATIENCE};
use super::error::{ApiError, ApiFailure};
use super::error_body::ErrorBody;
use super::exchange::{describe, read};
use super::headers::{ServerSays, retry_after};
use super::meter::Observer;
use super::redact::redact;
use super::request::Answer;
use super::verdict::{classify, default_message};
use crate::model::ErrorClass;
use crate::model::call::{Api, Call};
use jiff::Timestamp;
use reqwest::header::ACCEPT;
use std::sync::Arc;
use std::time::Instant;

/// What forms are posted with.
#[derive(Clone)]
pub(crate) struct FormPost {
    pub api: Api,
    pub base: BaseUrl,
    pub http: Arc<Http>,
    pub budget: Budget,
    pub observer: Option<Observer>,
}

impl FormPost {
    /// Posts a form once. `secrets` are kept out of whatever is said about it; the answer holds what it holds.
    ///
    /// # Errors
    /// No whole answer came, or one that is no success. `ambiguous` tells whether the form may have been taken.
    pub async fn post(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        secrets: &[&str],
    ) -> Result<Answer, ApiError> {
        let client = self.http.client(&self.base).map_err(|message| {
            let message = format!("the HTTP client cannot be set up: {message}");
            ApiError::new(self.api, ErrorClass::Config, message)
        })?;
        // Everybody waits for a token: it goes first.
        let permit = self
            .budget
            .acquire(Lane::Person, PATIENCE)
            .await
            .map_err(|error| {
                let class = match &error {
                    BudgetError::Ledger(_) => ErrorClass::Store,
                    BudgetError::Blocked { .. } | BudgetError::Spent { .. } => {
                        ErrorClass::Throttled
                    }
                };
                ApiError::new(self.api, class, error.to_string())
            })?;
        let (at, started) = (Timestamp::now(), Instant::now());
        let sending = client
            .post(format!("{}{path}", self.base.as_str()))
            .header(ACCEPT, "application/json")
            .form(fields);
        let result = match sending.send().await {
            Ok(response) => read(response, at)
                .await
                .map_err(|broken| (broken.sent, broken.message)),
            Err(error) => Err((
                !error.is_connect(),
                describe(&error, &self.base, self.http.timeout()),
            )),
        };
        match &result {
            Ok(answer) => permit.answered(ServerSays::read(&answer.headers)),
            Err((true, _)) => permit.answered(ServerSays::default()),
            Err((false, _)) => permit.unused(),
        }
        let result = result
            .map_err(|(sent, message)| {
                let mut error =
                    ApiError::new(self.api, ErrorClass::Transient, without(&message, secrets));
                error.ambiguous = sent;
                error
            })
            .and_then(|answer| match answer.status {
                200..300 => Ok(answer),
                _ => Err(self.understand(&answer, secrets)),
            });
        self.report(path, at, started, &result);
        result
    }

    fn understand(&self, answer: &Answer, secrets: &[&str]) -> ApiError {
        let body = ErrorBody::read(&answer.body);
        let retry_after = retry_after(&answer.headers, Timestamp::now());
        let class = classify(self.api, answer.status, &body, retry_after.is_some());
        let message = match &body.message {
            Some(message) => without(message, secrets),
            None => default_message(answer.status),
        };
        ApiFailure {
            api: self.api,
            class,
            status: Some(answer.status),
            message,
            remedy: None,
            field: None,
            request_id: body.trace_id,
            retry_after,
            ambiguous: class == ErrorClass::Transient,
            request: String::new(),
            response: None,
        }
        .into()
    }

    fn report(
        &self,
        path: &str,
        at: Timestamp,
        started: Instant,
        result: &Result<Answer, ApiError>,
    ) {
        let (status, error) = match result {
            Ok(answer) => (Some(answer.status), None),
            Err(error) => (error.status, Some(error)),
        };
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let message = error.map(|error| error.message.clone());
        tracing::debug!(
            api = self.api.name(),
            method = "POST",
            path,
            status,
            millis,
            error = message,
            "call"
        );
        if let Some(observer) = &self.observer {
            observer(&Call {
                at,
                api: self.api,
                method: "POST".to_owned(),
                path: path.to_owned(),
                status,
                millis,
                request_id: error.and_then(|error| error.request_id.clone()),
                retry_after: error
                    .and_then(|error| error.retry_after)
                    .map(|wait| wait.as_secs()),
                error: message,
                class: error.map(|error| error.class),
                connection: None,
            });
        }
    }
}

fn without(text: &str, secrets: &[&str]) -> String {
    secrets
        .iter()
        .fold(text.to_owned(), |text, secret| redact(&text, secret))
}
