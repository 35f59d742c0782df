//! HTTP calls and budgets as the screens show them.

use super::{ConnectionName, ErrorClass};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    HighLevel,
    ActiveCampaign,
}

impl Api {
    /// The name used in commands, logs and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::HighLevel => "highlevel",
            Self::ActiveCampaign => "activecampaign",
        }
    }

    /// The API of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::HighLevel, Self::ActiveCampaign]
            .into_iter()
            .find(|api| api.name() == name)
    }

    /// The name as people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::HighLevel => "HighLevel",
            Self::ActiveCampaign => "ActiveCampaign",
        }
    }
}

/// One HTTP call that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub at: Timestamp,
    pub api: Api,
    pub method: String,
    /// Path with query, without the base.
    pub path: String,
    /// `None` where no answer came.
    pub status: Option<u16>,
    pub millis: u64,
    pub request_id: Option<String>,
    /// Seconds of a Retry-After header.
    pub retry_after: Option<u64>,
    pub error: Option<String>,
    /// What the error means.
    #[serde(default, skip_serializing)]
    pub class: Option<ErrorClass>,
    /// The connection whose account was called, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionName>,
}

/// What is left of one budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetView {
    /// `highlevel`, `activecampaign`, `import`.
    pub name: String,
    /// Permits free now.
    pub left: u32,
    /// Permits of a whole window.
    pub size: u32,
    /// The window in milliseconds.
    pub window_ms: u64,
    /// Requests left today, where the API says.
    pub daily_left: Option<u64>,
    /// A rate-limit answer closed the budget until then.
    pub blocked_until: Option<Timestamp>,
}
