//! A request and an answer as the routes see them.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

/// Which of the two simulated APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    HighLevel,
    ActiveCampaign,
}

impl Api {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HighLevel => "highlevel",
            Self::ActiveCampaign => "activecampaign",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "highlevel" => Some(Self::HighLevel),
            "activecampaign" => Some(Self::ActiveCampaign),
            _ => None,
        }
    }
}

/// One request, read completely.
pub(super) struct Call {
    pub method: Method,
    /// Path as sent.
    pub path: String,
    /// Path and query as sent.
    pub target: String,
    /// Decoded path segments; a trailing slash gives a last empty one.
    pub segments: Vec<String>,
    /// Decoded query, in order.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Self {
        let path = uri.path().to_owned();
        let segments = path
            .trim_start_matches('/')
            .split('/')
            .map(percent_decoded)
            .collect();
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map(|query| query.0)
            .unwrap_or_default();
        let target = uri
            .path_and_query()
            .map_or_else(|| path.clone(), |target| target.to_string());
        Self {
            method,
            path,
            target,
            segments,
            query,
            headers,
            body,
        }
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// One answer.
pub(super) struct Reply {
    pub status: u16,
    pub body: Bytes,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    /// Why the request was malformed, for the log; the answer itself may look fine.
    pub violation: Option<String>,
    /// Contacts in an import, for the log.
    pub contacts: Option<usize>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    pub(super) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    /// `body` is JSON text.
    pub(super) fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            body: body.into(),
            content_type: "application/json; charset=utf-8",
            headers: Vec::new(),
            violation: None,
            contacts: None,
        }
    }

    pub(super) fn html(status: u16) -> Self {
        Self {
            content_type: "text/html; charset=UTF-8",
            ..Self::text(
                status,
                "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><h1>Attention required</h1></body></html>",
            )
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            content_type: "text/html; charset=UTF-8",
            ..Self::text(status, "")
        }
    }

    pub(super) fn message(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    pub(super) fn violating(mut self, violation: impl Into<String>) -> Self {
        let violation = violation.into();
        match &mut self.violation {
            Some(all) => {
                all.push_str("; ");
                all.push_str(&violation);
            }
            None => self.violation = Some(violation),
        }
        self
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

fn percent_decoded(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| segment.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// An id as a JSON string or number, as both APIs send and take them.
pub(super) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_by_segment() {
        let uri: Uri = "/a%2Fb/c%zz/?q=x%2By+z".parse().unwrap();
        let call = Call::new(Method::GET, &uri, HeaderMap::new(), Bytes::new());
        assert_eq!(call.segments, ["a/b", "c%zz", ""]);
        assert_eq!(call.query("q"), Some("x+y z"));
    }
}
