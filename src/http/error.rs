//! What went wrong with a call.

use crate::model::call::Api;
use crate::model::{ErrorClass, Problem};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// The parts of an [`ApiError`].
#[derive(Clone, Debug, PartialEq)]
pub struct ApiFailure {
    pub api: Api,
    pub class: ErrorClass,
    /// HTTP status, where an answer came.
    pub status: Option<u16>,
    pub message: String,
    /// The field or parameter at fault, as the API names it.
    pub field: Option<String>,
    /// HighLevel `traceId`, ActiveCampaign `x-request-id`.
    pub request_id: Option<String>,
    pub remedy: Option<String>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// A write that may have been carried out: it left and no decodable final answer came.
    pub ambiguous: bool,
    /// `POST /contact/sync {…}`, without secrets, at most 2 KB.
    pub request: String,
    /// `422 {…}`, without secrets, at most 2 KB.
    pub response: Option<String>,
}

/// An error of a call to either API. The parts are read through it: `error.class`, `error.status`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError(Box<ApiFailure>);

impl ApiError {
    /// An error without an answer.
    pub fn new(api: Api, class: ErrorClass, message: impl Into<String>) -> Self {
        Self(Box::new(ApiFailure {
            api,
            class,
            status: None,
            message: message.into(),
            field: None,
            request_id: None,
            remedy: None,
            retry_after: None,
            ambiguous: false,
            request: String::new(),
            response: None,
        }))
    }

    /// Says what to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The error of a problem that was met before anything was sent.
    pub fn before_sending(api: Api, problem: Problem) -> Self {
        let mut error = Self::new(api, problem.class, problem.message);
        error.field = problem.field;
        error.remedy = problem.remedy;
        error
    }
}

impl From<ApiFailure> for ApiError {
    fn from(failure: ApiFailure) -> Self {
        Self(Box::new(failure))
    }
}

impl Deref for ApiError {
    type Target = ApiFailure;

    fn deref(&self) -> &ApiFailure {
        &self.0
    }
}

impl DerefMut for ApiError {
    fn deref_mut(&mut self) -> &mut ApiFailure {
        &mut self.0
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let failure = *error.0;
        // Neither trouble on the way nor a refused token says which of the two it was.
        let message = match failure.class {
            ErrorClass::Transient | ErrorClass::Auth | ErrorClass::Throttled => {
                format!("{}: {}", failure.api.title(), failure.message)
            }
            _ => failure.message,
        };
        Self {
            class: failure.class,
            status: failure.status,
            field: failure.field,
            message,
            remedy: failure.remedy,
            request_id: failure.request_id,
        }
    }
}

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        error.clone().into()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.api.name())?;
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(remedy) = &self.remedy {
            write!(f, " ({remedy})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}
