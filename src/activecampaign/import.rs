//! Bulk import: up to 250 contacts in one request, settled later (fact sheet §3).

use super::ActiveCampaign;
use super::wire::loose;
use crate::http::{ApiError, Request, encode};
use crate::model::{ContactId, ContactWrite, ErrorClass, TargetField};
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Most contacts in one import.
pub const IMPORT_ROWS: usize = 250;
/// An import's body stays below this, in bytes.
pub const IMPORT_BYTES: usize = 400_000;
/// What a row grows by when automations are excluded, in bytes.
pub const IMPORT_EXCLUDE_BYTES: usize = EXCLUDE.len();

const EXCLUDE: &str = ",\"exclude_automations\":true";
const HEAD: &str = "{\"contacts\":[";
const TAIL: &str = "]}";

/// The id under which an import's result can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BatchId(String);

impl BatchId {
    /// An id that was kept in the store.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An import that ActiveCampaign has taken.
#[derive(Clone, Debug)]
pub struct QueuedImport {
    pub id: BatchId,
    /// When its request left, by this machine's clock: contacts that it makes are not older.
    pub sent_at: Timestamp,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What the API holds against one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row's number as the API gives it; whether it counts from 0 or from 1 is not known.
    pub index: Option<usize>,
    pub reason: String,
}

/// Why an import was not queued.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// The whole import is refused because of some rows; nothing was queued.
    #[error("the import is refused: {message}")]
    Refused {
        message: String,
        hints: Vec<Refusal>,
        /// The answer as an error, for the attempt's record.
        error: ApiError,
    },
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// Asked within about a second of queueing: not known yet.
    TooEarly,
    Waiting,
    Active,
    Completed,
    /// ActiveCampaign does not try again; sending again is safe.
    Failed,
    /// ActiveCampaign does not try again; sending again is safe.
    Interrupted,
    Unknown(String),
}

/// The result of an import so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportInfo {
    pub state: ImportState,
    /// Contacts that were written; whether updated ones are named beside created ones is not known, so a
    /// contact that is missing here has not failed.
    pub succeeded: Vec<ContactId>,
    /// E-mail addresses that failed; the API gives no reasons.
    pub failed: Vec<String>,
}

/// What goes along with a contact's values in an import (fact sheet §3.1): tags by name, which are made where they are
/// missing; lists by id. Nobody who left a list is brought back by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rides {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsubscribe: Vec<String>,
}

/// As [`import_row_json`], with tags and lists.
pub fn import_row_with(write: &ContactWrite, rides: &Rides) -> String {
    let mut row = import_row_json(write);
    row.pop();
    let lists = [
        ("subscribe", &rides.subscribe),
        ("unsubscribe", &rides.unsubscribe),
    ];
    for (index, tag) in rides.tags.iter().enumerate() {
        row.push_str(if index == 0 { ",\"tags\":[" } else { "," });
        push_text(&mut row, tag);
    }
    if !rides.tags.is_empty() {
        row.push(']');
    }
    for (key, ids) in lists.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        row.push_str(&format!(",\"{key}\":["));
        for (index, id) in ids.iter().enumerate() {
            row.push_str(if index == 0 {
                "{\"listid\":"
            } else {
                ",{\"listid\":"
            });
            push_id(&mut row, id);
            row.push('}');
        }
        row.push(']');
    }
    row.push('}');
    row
}

/// An id as the number that it should be.
fn push_id(row: &mut String, id: &str) {
    if id.parse::<u64>().is_ok() {
        row.push_str(id);
    } else {
        push_text(row, id);
    }
}

/// The row of a contact in an import: keys in snake_case, field ids as numbers, empty values left out
/// (they would overwrite or be ignored; a clear never rides in an import).
pub fn import_row_json(write: &ContactWrite) -> String {
    let mut row = String::with_capacity(64 + write.values.len() * 40);
    row.push_str("{\"email\":");
    push_text(&mut row, write.email.as_str());
    for (target, value) in &write.values {
        if let TargetField::Builtin(field) = target
            && !value.is_empty()
        {
            row.push_str(",\"");
            row.push_str(field.name());
            row.push_str("\":");
            push_text(&mut row, value);
        }
    }
    let mut first = true;
    for (target, value) in &write.values {
        if let TargetField::Custom(id) = target
            && !value.is_empty()
        {
            row.push_str(if first {
                ",\"fields\":[{\"id\":"
            } else {
                ",{\"id\":"
            });
            first = false;
            push_id(&mut row, id.as_str());
            row.push_str(",\"value\":");
            push_text(&mut row, value);
            row.push('}');
        }
    }
    if !first {
        row.push(']');
    }
    row.push('}');
    row
}

fn push_text(out: &mut String, text: &str) {
    let special = |c: char| c < '\u{20}' || c == '"' || c == '\\';
    let mut rest = text;
    out.push('"');
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        // What `find` found is one byte long.
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

impl ActiveCampaign {
    /// Queues an import of 1 to 250 contacts below 400,000 bytes. Success means queued, no more.
    ///
    /// # Errors
    /// [`ImportError::Refused`] if a row is at fault; nothing was queued then. An `ambiguous` API error may
    /// have queued it; sending it again is safe.
    pub async fn bulk_import(
        &self,
        writes: &[ContactWrite],
        exclude_automations: bool,
    ) -> Result<QueuedImport, ImportError> {
        if let Some(write) = writes.iter().find(|write| write.clears()) {
            return Err(self
                .error(
                    ErrorClass::Invalid,
                    format!(
                        "{} has a field to clear, which an import cannot do",
                        write.email
                    ),
                )
                .into());
        }
        let rows: Vec<String> = writes.iter().map(import_row_json).collect();
        self.bulk_import_rows(&rows, exclude_automations).await
    }

    /// As [`ActiveCampaign::bulk_import`], from rows that [`import_row_json`] made.
    ///
    /// # Errors
    /// As [`ActiveCampaign::bulk_import`].
    pub async fn bulk_import_rows<R: AsRef<str> + Sync>(
        &self,
        rows: &[R],
        exclude_automations: bool,
    ) -> Result<QueuedImport, ImportError> {
        let body = import_body(rows, exclude_automations);
        if rows.is_empty() || rows.len() > IMPORT_ROWS || body.len() >= IMPORT_BYTES {
            return Err(self
                .error(
                    ErrorClass::Invalid,
                    format!(
                        "an import takes 1 to {IMPORT_ROWS} contacts in less than {IMPORT_BYTES} bytes; this one has {} in {}",
                        rows.len(),
                        body.len()
                    ),
                )
                .into());
        }
        let mut request = Request::write(Method::POST, "/import/bulk_import", Some(body));
        request.also = Some(if rows.len() == 1 {
            self.budgets.single_imports.clone()
        } else {
            self.budgets.imports.clone()
        });
        request.any_status = true;
        let outcome = self
            .transport
            .call(&request, |answer| {
                let body: Value = answer.json()?;
                let failed = body.get("failureReasons").and_then(Value::as_array);
                if let Some(reasons) = failed.filter(|_| answer.status == 400) {
                    return Ok(Err((loose(body.get("message")), hints(reasons))));
                }
                let success = body.get("Success").or_else(|| body.get("success"));
                let batch = loose(body.get("batchId"));
                let queued = matches!(loose(success).as_str(), "1" | "true")
                    || success == Some(&Value::Bool(true));
                if (200..300).contains(&answer.status) && queued && !batch.is_empty() {
                    return Ok(Ok(QueuedImport {
                        id: BatchId(batch),
                        sent_at: answer.asked_at,
                    }));
                }
                Err("the answer does not say that the import was queued".to_owned())
            })
            .await?;
        outcome.map_err(|(message, hints)| {
            let mut error = self.error(ErrorClass::Invalid, message.clone());
            error.status = Some(400);
            error.request = "POST /import/bulk_import".to_owned();
            let reasons: Vec<&str> = hints
                .iter()
                .take(10)
                .map(|hint| hint.reason.as_str())
                .collect();
            error.response = Some(format!("400 {message} {}", reasons.join("; ")));
            ImportError::Refused {
                message,
                hints,
                error,
            }
        })
    }

    /// Number of imports that the account has not finished, whoever sent them (fact sheet §3.4).
    ///
    /// # Errors
    /// As every call.
    pub async fn outstanding_imports(&self) -> Result<u64, ApiError> {
        let body: Value = self
            .transport
            .json(&Request::get("/import/bulk_import".to_owned()))
            .await?;
        let days = body.get("outstanding").and_then(Value::as_array);
        let batches = |day: &Value| {
            let number = loose(day.get("batches"));
            number.parse().unwrap_or(1)
        };
        Ok(days.into_iter().flatten().map(batches).sum())
    }

    /// How far an import is.
    ///
    /// # Errors
    /// As every call; `Invalid` if the id is not known.
    pub async fn import_info(&self, batch: &BatchId) -> Result<ImportInfo, ApiError> {
        let request = Request::get(format!("/import/info?batchId={}", encode(batch.as_str())));
        let body: Value = self.transport.json(&request).await?;
        Ok(info(&body))
    }
}

fn import_body<R: AsRef<str>>(rows: &[R], exclude_automations: bool) -> Vec<u8> {
    let size: usize = rows
        .iter()
        .map(|row| row.as_ref().len() + 1 + EXCLUDE.len())
        .sum();
    let mut body = String::with_capacity(HEAD.len() + TAIL.len() + size);
    body.push_str(HEAD);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        match row.as_ref().strip_suffix('}') {
            // Per contact, as the official example has it (§3.1).
            Some(open) if exclude_automations => {
                body.push_str(open);
                body.push_str(EXCLUDE);
                body.push('}');
            }
            _ => body.push_str(row.as_ref()),
        }
    }
    body.push_str(TAIL);
    body.into_bytes()
}

/// Reasons are objects or texts.
fn hints(reasons: &[Value]) -> Vec<Refusal> {
    reasons
        .iter()
        .map(|reason| Refusal {
            index: loose(reason.get("contact")).parse().ok(),
            reason: match reason {
                Value::String(text) => text.clone(),
                _ => loose(reason.get("failureReason")),
            },
        })
        .collect()
}

fn info(body: &Value) -> ImportInfo {
    let list = |keys: [&str; 2]| -> Vec<String> {
        keys.iter()
            .find_map(|key| body.get(*key)?.as_array())
            .into_iter()
            .flatten()
            .map(|item| loose(Some(item)))
            .filter(|text| !text.is_empty())
            .collect()
    };
    ImportInfo {
        state: match body.get("status") {
            // Within about a second of queueing `status` is `false` instead of a text.
            Some(Value::Bool(_) | Value::Null) | None => ImportState::TooEarly,
            status => match loose(status).as_str() {
                "waiting" => ImportState::Waiting,
                "claimed" | "active" => ImportState::Active,
                "completed" => ImportState::Completed,
                "failed" => ImportState::Failed,
                "interrupted" => ImportState::Interrupted,
                other => ImportState::Unknown(other.to_owned()),
            },
        },
        succeeded: list(["success", "Success"])
            .into_iter()
            .map(ContactId::new)
            .collect(),
        failed: list(["failure", "Failure"]),
    }
}
