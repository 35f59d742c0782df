//! An error as a person, a script and the queue see it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What an error means for the work: the class decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Connection, timeout, 5xx, a page that is no JSON: tried again with backoff.
    Transient,
    /// The rate limit was met: waited for, no attempt used.
    Throttled,
    /// The token is refused, or lacks a scope or a permission.
    Auth,
    /// The data is refused: 422, coercion, unknown option. A person mends it.
    Invalid,
    /// The record, object or contact is gone.
    Missing,
    /// The write may or may not have happened and cannot be read back.
    Unknown,
    /// The configuration or the command is wrong.
    Config,
    /// The store or the disk failed.
    Store,
}

impl ErrorClass {
    /// The name used in filters and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Auth => "auth",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Config => "config",
            Self::Store => "store",
        }
    }

    /// The class of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Transient,
            Self::Throttled,
            Self::Auth,
            Self::Invalid,
            Self::Missing,
            Self::Unknown,
            Self::Config,
            Self::Store,
        ]
        .into_iter()
        .find(|class| class.name() == name)
    }
}

/// One error: what happened, where, and what to do. This is the `error` object of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    pub class: ErrorClass,
    /// HTTP status, where an API answered.
    pub status: Option<u16>,
    /// The record field, contact field or parameter at fault.
    pub field: Option<String>,
    pub message: String,
    pub remedy: Option<String>,
    /// HighLevel `traceId` or ActiveCampaign `x-request-id`.
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of a class with its message.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            field: None,
            message: message.into(),
            remedy: None,
            request_id: None,
        }
    }

    /// Names the field at fault.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// What happened, without the remedy: `422 email: is no address`.
    pub fn what(&self) -> String {
        let status = self.status.map(|status| format!("{status} "));
        // A service that names the field itself has said it.
        let named = |field: &&String| !self.message.starts_with(&format!("{field}:"));
        let field = self.field.as_ref().filter(named);
        let field = field.map(|field| format!("{field}: "));
        let (status, field) = (status.unwrap_or_default(), field.unwrap_or_default());
        format!("{status}{field}{}", self.message)
    }

    /// Says what to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())?;
        if let Some(remedy) = &self.remedy {
            write!(f, " ({remedy})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
