//! What keeps jobs of an account or a mapping from being claimed.

use super::call::Api;
use super::job::{WaitReason, Waiting};
use super::{ConnectionName, MappingName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who stopped the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseKind {
    /// A person; lasts until its time or until a person resumes.
    Person,
    /// A credential that is refused everywhere; ends by itself when it is accepted again.
    Breaker,
}

impl PauseKind {
    /// The name used in JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Breaker => "breaker",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Person, Self::Breaker]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Why a job waits that it stops.
    pub fn reason(self) -> WaitReason {
        match self {
            Self::Person => WaitReason::Paused,
            Self::Breaker => WaitReason::BreakerOpen,
        }
    }
}

/// One pause. Jobs that are due stay where they are, and run once it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    pub connection: ConnectionName,
    /// `None` for the whole account.
    pub mapping: Option<MappingName>,
    pub kind: PauseKind,
    pub reason: String,
    /// The person, or the worker that found the credential dead.
    pub by: String,
    pub since: Timestamp,
    /// When it ends by itself; a breaker: when the account is asked again.
    pub until: Option<Timestamp>,
}

/// Between an API's name and why its breaker was opened.
const REFUSES: &str = " refuses the token: ";

/// The reason of a breaker: which API refuses the credential, and in what words.
pub fn refusal(api: Api, why: impl fmt::Display) -> String {
    format!("{}{REFUSES}{why}", api.title())
}

impl Pause {
    /// Of a breaker: the API that refuses the credential.
    pub fn refused_by(&self) -> Option<Api> {
        let (title, _) = self.reason.split_once(REFUSES)?;
        let api = [Api::HighLevel, Api::ActiveCampaign]
            .into_iter()
            .find(|api| api.title() == title);
        api.filter(|_| self.kind == PauseKind::Breaker)
    }

    /// True if it stops the jobs of a mapping.
    pub fn stops(&self, connection: &str, mapping: &str) -> bool {
        self.connection.as_str() == connection
            && self
                .mapping
                .as_ref()
                .is_none_or(|name| name.as_str() == mapping)
    }

    /// How a job that is due waits for its end.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            reason: self.kind.reason(),
            until: self.until,
            by: self.by.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_tells_which_api_refuses() {
        for api in [Api::HighLevel, Api::ActiveCampaign] {
            let mut pause = Pause {
                connection: "default".into(),
                mapping: None,
                kind: PauseKind::Breaker,
                reason: refusal(api, "401 HighLevel refuses the token: no"),
                by: "worker".to_owned(),
                since: Timestamp::UNIX_EPOCH,
                until: None,
            };
            assert_eq!(pause.refused_by(), Some(api));
            // A person's words are no verdict.
            pause.kind = PauseKind::Person;
            assert_eq!(pause.refused_by(), None);
        }
    }
}
