//! A request as the clients describe it, and its answer.

use super::budget::Budget;
use super::error::ApiError;
use crate::model::ErrorClass;
use crate::model::call::Api;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One request.
pub(crate) struct Request {
    pub method: Method,
    /// Path with query, beginning with a slash; appended to the base.
    pub path: String,
    pub body: Option<Vec<u8>>,
    /// False for GET and for searches: they are tried again after transient errors.
    pub write: bool,
    /// A second budget beside the account's: ActiveCampaign imports.
    pub also: Option<Budget>,
    /// Hand over error answers too, as `api` shows them.
    pub any_status: bool,
    /// Try again after a 403 that may be false.
    pub doubt_forbidden: bool,
}

impl Request {
    /// A read without a body.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None, false)
    }

    /// A read that carries its question as a body.
    pub fn query(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self::new(Method::POST, path, Some(body), false)
    }

    /// A write.
    pub fn write(method: Method, path: impl Into<String>, body: Option<Vec<u8>>) -> Self {
        Self::new(method, path, body, true)
    }

    fn new(method: Method, path: impl Into<String>, body: Option<Vec<u8>>, write: bool) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            write,
            also: None,
            any_status: false,
            doubt_forbidden: true,
        }
    }
}

/// A whole answer.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub headers: HeaderMap,
    /// When its request left.
    pub asked_at: Timestamp,
}

impl Answer {
    /// Decodes the body.
    ///
    /// # Errors
    /// A plain sentence: the body is empty, a web page, or no such JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Err("the answer is empty".to_owned());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            if self.body.trim_ascii_start().starts_with(b"<") {
                "the answer is a web page, not JSON".to_owned()
            } else if error.is_eof() {
                "the answer breaks off".to_owned()
            } else {
                format!("the answer is not as documented: {error}")
            }
        })
    }
}

/// The answer of a raw request.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    pub status: u16,
    pub body: RawBody,
}

/// A body as it came.
#[derive(Clone, Debug, PartialEq)]
pub enum RawBody {
    Json(Value),
    Text(String),
}

/// Percent-encodes one path segment or query value.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte as char);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The method of a name, for requests of a person.
pub(crate) fn parse_method(api: Api, name: &str) -> Result<Method, ApiError> {
    [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ]
    .into_iter()
    .find(|method| method.as_str().eq_ignore_ascii_case(name))
    .ok_or_else(|| {
        ApiError::new(
            api,
            ErrorClass::Config,
            format!("{name:?} is no method; use GET, POST, PUT, PATCH or DELETE"),
        )
    })
}

/// Only paths below the base may be asked for: a token must not travel elsewhere.
pub(super) fn check_relative(path: &str) -> Result<(), String> {
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    let lower = bare.to_ascii_lowercase();
    if path.contains("://")
        || path.starts_with("//")
        || path.contains('\\')
        || path.chars().any(|c| c.is_control() || c.is_whitespace())
        || path.contains('#')
        || lower
            .split('/')
            .any(|part| matches!(part, ".." | "." | "%2e%2e" | "%2e" | ".%2e" | "%2e."))
    {
        return Err(format!(
            "{path:?} is no path below the API's address; give one like /objects/"
        ));
    }
    Ok(())
}
