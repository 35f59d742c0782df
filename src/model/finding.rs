//! What a check has to say about one item.

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    Warning,
    Error,
}

/// One line of `tramline check` and of `mappings check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at: `highlevel token`, `mapping pets: %BORN%`.
    pub item: String,
    pub level: Level,
    pub message: String,
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(item: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            item: item.into(),
            level: Level::Ok,
            message: message.into(),
            remedy: None,
        }
    }

    /// Works, but somebody should know.
    pub fn warning(item: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            item: item.into(),
            level: Level::Warning,
            message: message.into(),
            remedy: None,
        }
    }

    /// Does not work.
    pub fn error(item: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            item: item.into(),
            level: Level::Error,
            message: message.into(),
            remedy: None,
        }
    }

    /// Says what to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
