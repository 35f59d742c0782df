//! The many shapes of error bodies (HighLevel fact sheet §2.8, ActiveCampaign fact sheet §1.3).

use serde_json::Value;

/// Longest text that is kept of a body, in characters: it goes into rows, logs and screens.
const LONGEST: usize = 1_000;

/// What an error body says; everything may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ErrorBody {
    /// All messages, joined by `; `.
    pub message: Option<String>,
    /// ActiveCampaign `code`: `duplicate`, `field_missing`, …
    pub code: Option<String>,
    /// The field of `source.pointer`, or the word a HighLevel validation message begins with.
    pub field: Option<String>,
    pub trace_id: Option<String>,
    /// A web page, which neither API sends for what it refuses: something between has answered.
    pub page: bool,
}

impl ErrorBody {
    /// Reads any body: JSON of every known shape, text, HTML, nothing.
    pub(super) fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of_json(&value),
            Err(_) => Self {
                message: plain_text(body),
                page: body.trim_ascii_start().starts_with(b"<"),
                ..Self::default()
            },
        }
    }

    fn of_json(value: &Value) -> Self {
        let mut out = Self::default();
        let mut messages = Vec::new();
        out.collect(value, &mut messages, 0);
        messages.retain(|message| !message.trim().is_empty());
        messages.dedup();
        if !messages.is_empty() {
            out.message = Some(shortened(&messages.join("; ")));
        }
        if out.field.is_none() {
            out.field = out.message.as_deref().and_then(field_of_message);
        }
        out
    }

    fn collect(&mut self, value: &Value, messages: &mut Vec<String>, depth: u8) {
        if depth > 4 {
            return;
        }
        match value {
            Value::String(text) => messages.push(text.clone()),
            Value::Array(items) => {
                for item in items {
                    self.collect(item, messages, depth + 1);
                }
            }
            Value::Object(object) => {
                if self.trace_id.is_none() {
                    self.trace_id = text(object.get("traceId"));
                }
                if self.code.is_none() {
                    self.code = text(object.get("code"));
                }
                if self.field.is_none() {
                    self.field = object.get("source").and_then(field_of_source);
                }
                // "Could not process request" explains nothing without the `error` beside it.
                let said = messages.len();
                for key in [
                    "message",
                    "title",
                    "detail",
                    "details",
                    "failureReason",
                    "error_description",
                    "failureReasons",
                    "errors",
                ] {
                    if let Some(inner) = object.get(key) {
                        self.collect(inner, messages, depth + 1);
                    }
                }
                // HighLevel repeats the status in words as `error`; it counts only if nothing else does.
                if let Some(error) = object.get("error")
                    && (messages.len() == said || !object.contains_key("statusCode"))
                    && !matches!(
                        error.as_str(),
                        Some("Unauthorized" | "Forbidden" | "Bad Request")
                    )
                {
                    self.collect(error, messages, depth + 1);
                } else if messages.len() == said
                    && let Some(error) = text(object.get("error"))
                {
                    messages.push(error);
                }
            }
            _ => {}
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(shortened(text)),
        _ => None,
    }
}

/// `/data/attributes/email` names `email`; custom objects spell the pointer as `{type, value}`.
fn field_of_source(source: &Value) -> Option<String> {
    let pointer = source
        .get("pointer")
        .or_else(|| source.get("value"))?
        .as_str()?;
    let name = pointer.rsplit('/').next()?;
    (!name.is_empty()).then(|| shortened(name))
}

/// The field of `property locationId should not exist` and of `pageLimit must be a number`.
fn field_of_message(message: &str) -> Option<String> {
    let first = message.split("; ").next()?;
    let mut words = first.split_whitespace();
    let word = words.next()?;
    let (name, next) = if word == "property" {
        (words.next()?, words.next()?)
    } else {
        (word, words.next()?)
    };
    let is_name = name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']'));
    (matches!(next, "must" | "should") && is_name).then(|| shortened(name))
}

/// A short text is shown as it is; of an HTML page the title.
fn plain_text(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(64 * 1024)]);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    if trimmed.starts_with('<') {
        let lower = trimmed.to_ascii_lowercase();
        let title = lower.find("<title>").and_then(|start| {
            let end = lower[start..].find("</title>")? + start;
            trimmed.get(start + 7..end)
        });
        return Some(match title {
            Some(title) => format!("a web page instead of JSON: {}", shortened(title.trim())),
            None => "a web page instead of JSON".to_owned(),
        });
    }
    if matches!(trimmed.as_bytes()[0], b'{' | b'[') {
        return Some("JSON that breaks off".to_owned());
    }
    Some(trimmed.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str) -> ErrorBody {
        ErrorBody::read(body.as_bytes())
    }

    #[test]
    fn activecampaign_shapes() {
        let a = read(
            r#"{"errors":[{"title":"Email address already exists in the system","detail":"","code":"duplicate","source":{"pointer":"/data/attributes/email"}}]}"#,
        );
        assert_eq!(
            a.message.as_deref(),
            Some("Email address already exists in the system")
        );
        assert_eq!(a.code.as_deref(), Some("duplicate"));
        assert_eq!(a.field.as_deref(), Some("email"));
        let b = read(
            r#"{"errors":[{"status":403,"title":"Forbidden","detail":"You do not have permission to view lists."}]}"#,
        );
        assert_eq!(
            b.message.as_deref(),
            Some("Forbidden; You do not have permission to view lists.")
        );
        let c = read(r#"{"message":"No Result found for Subscriber with id 1"}"#);
        assert_eq!(
            c.message.as_deref(),
            Some("No Result found for Subscriber with id 1")
        );
        let d = read(
            r#"{"message":"Could not process request","error":"Duplicate entry 'contact-NAME' for key 'typetag'"}"#,
        );
        assert!(
            d.message
                .unwrap()
                .contains("Duplicate entry 'contact-NAME'")
        );
        let e = read(
            r#"{"errors":"Bulk operation failed. Request must contain an array of fieldOption objects."}"#,
        );
        assert!(e.message.unwrap().starts_with("Bulk operation failed"));
        let f = read(
            r#"{"success":0,"message":"JSON payload did not pass validation.","failureReasons":[{"contact":230,"failureReason":"Field 'email' incorrect format"},"text"]}"#,
        );
        assert_eq!(
            f.message.as_deref(),
            Some("JSON payload did not pass validation.; Field 'email' incorrect format; text")
        );
        assert_eq!(read("{}"), ErrorBody::default());
        let h = read(
            r#"{"errors":[{"title":"Bad","detail":"worse","source":{"type":"pointer","value":"/data/attributes/x"}}]}"#,
        );
        assert_eq!(h.field.as_deref(), Some("x"));
        let i = read(r#"{"message":"Forbidden"}"#);
        assert_eq!(i.message.as_deref(), Some("Forbidden"));
        let j = read(
            r#"{"errors":[{"title":"The connection service was not provided."},{"error":"second"}]}"#,
        );
        assert_eq!(
            j.message.as_deref(),
            Some("The connection service was not provided.; second")
        );
        assert_eq!(read("").message, None);
        assert_eq!(
            read("<html><head><title>502 Bad Gateway</title></head></html>")
                .message
                .as_deref(),
            Some("a web page instead of JSON: 502 Bad Gateway")
        );
        assert_eq!(
            read("{\"cut\": \"of").message.as_deref(),
            Some("JSON that breaks off")
        );
    }

    #[test]
    fn highlevel_shapes() {
        let text = read(
            r#"{"statusCode":401,"message":"Invalid Private Integration token","error":"Unauthorized"}"#,
        );
        assert_eq!(
            text.message.as_deref(),
            Some("Invalid Private Integration token")
        );
        let list = read(
            r#"{"statusCode":422,"message":["property locationId should not exist","page must be a number"],"error":"Unprocessable Entity","traceId":"t-1"}"#,
        );
        assert_eq!(
            list.message.as_deref(),
            Some("property locationId should not exist; page must be a number")
        );
        assert_eq!(list.field.as_deref(), Some("locationId"));
        assert_eq!(list.trace_id.as_deref(), Some("t-1"));
        assert_eq!(
            read(r#"{"error":"Forbidden"}"#).message.as_deref(),
            Some("Forbidden")
        );
        let v3 = read(r#"{"error":{"code":"x","message":"No such client","details":null}}"#);
        assert_eq!(v3.message.as_deref(), Some("No such client"));
        assert_eq!(
            read(r#"{"message":{"message":"inner"}}"#)
                .message
                .as_deref(),
            Some("inner")
        );
    }

    fn json() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("message"),
            Just("title"),
            Just("detail"),
            Just("errors"),
            Just("error"),
            Just("code"),
            Just("source"),
            Just("pointer"),
            Just("traceId"),
            Just("failureReasons"),
            Just("statusCode"),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,2000}".prop_map(Value::from),
        ];
        leaf.prop_recursive(7, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((word.clone(), inner), 0..8).prop_map(|pairs| {
                    let pairs = pairs
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value));
                    Value::Object(pairs.collect())
                }),
            ]
        })
    }

    fn is_small(read: &ErrorBody) -> bool {
        [&read.message, &read.code, &read.field, &read.trace_id]
            .into_iter()
            .flatten()
            .all(|text| text.chars().count() <= LONGEST + 40)
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_keep_much(body in prop::collection::vec(any::<u8>(), 0..4000), start in "[<{\\[\"a]?") {
            let body = [start.into_bytes(), body].concat();
            prop_assert!(is_small(&ErrorBody::read(&body)));
        }

        #[test]
        fn no_json_makes_it_panic_or_keep_much(body in json()) {
            prop_assert!(is_small(&ErrorBody::read(body.to_string().as_bytes())));
        }
    }
}
