//! Effects: what a rule does to a contact beside its values. Each is done once, as far as the API allows.

use super::contact::Part;
use super::{ContactId, Problem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One action of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    AddTag,
    RemoveTag,
    /// Puts a contact on a list, unless it left the list by itself.
    Subscribe,
    /// Puts a contact on a list, also one that left it by itself.
    Resubscribe,
    Unsubscribe,
    StartAutomation,
    LeaveAutomation,
    RecordEvent,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 8] = [
        Self::AddTag,
        Self::RemoveTag,
        Self::Subscribe,
        Self::Resubscribe,
        Self::Unsubscribe,
        Self::StartAutomation,
        Self::LeaveAutomation,
        Self::RecordEvent,
    ];

    /// The name used in JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::AddTag => "add_tag",
            Self::RemoveTag => "remove_tag",
            Self::Subscribe => "subscribe",
            Self::Resubscribe => "resubscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::StartAutomation => "start_automation",
            Self::LeaveAutomation => "leave_automation",
            Self::RecordEvent => "record_event",
        }
    }

    /// The action of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// True if a bulk import can carry it along: it adds tags and subscribes, but brings nobody back (ActiveCampaign fact sheet
    /// §3.1). It unsubscribes as well, but also those who never were on the list, which would keep them from it for good.
    pub fn rides(self) -> bool {
        matches!(self, Self::AddTag | Self::Subscribe)
    }
}

/// An action with the name of the tag, list, automation or event that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Act {
    pub action: Action,
    pub target: String,
}

/// What the account has that actions can be about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionNames {
    pub tags: Part<String>,
    pub lists: Part<String>,
    pub automations: Part<String>,
    pub events: Part<String>,
}

impl ActionNames {
    /// The names that an action may be about.
    pub fn of(&self, action: Action) -> &Part<String> {
        match action {
            Action::AddTag | Action::RemoveTag => &self.tags,
            Action::Subscribe | Action::Resubscribe | Action::Unsubscribe => &self.lists,
            Action::StartAutomation | Action::LeaveAutomation => &self.automations,
            Action::RecordEvent => &self.events,
        }
    }
}

/// As people read it: `tag pet-adopted`, `automation "Adoption welcome"`.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.target;
        match self.action {
            Action::AddTag => write!(f, "tag {name}"),
            Action::RemoveTag => write!(f, "untag {name}"),
            Action::Subscribe => write!(f, "list \"{name}\""),
            Action::Resubscribe => write!(f, "list \"{name}\" again"),
            Action::Unsubscribe => write!(f, "leave list \"{name}\""),
            Action::StartAutomation => write!(f, "automation \"{name}\""),
            Action::LeaveAutomation => write!(f, "leave automation \"{name}\""),
            Action::RecordEvent => write!(f, "event {name}"),
        }
    }
}

/// How far an effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// To be sent once the contact is written.
    Planned,
    /// Its request may have left; whether it arrived is read back before anything else.
    Sending,
    Done,
    /// It surely did not happen; a retry tries it again.
    Failed,
    /// It may or may not have happened; a person decides.
    Unknown,
    /// Its condition no longer held before it was sent, or a person gave it up.
    Obsolete,
}

impl EffectState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Planned,
        Self::Sending,
        Self::Done,
        Self::Failed,
        Self::Unknown,
        Self::Obsolete,
    ];

    /// The name used in JSON and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Obsolete => "obsolete",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One effect, as job details and `queue show --json` show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The rule's name.
    pub rule: String,
    #[serde(flatten)]
    pub act: Act,
    pub state: EffectState,
    /// The contact it was sent to.
    pub contact_id: Option<ContactId>,
    pub error: Option<Problem>,
    /// Redacted request, such as `POST /contactTags {…}`.
    pub request: Option<String>,
    /// Redacted response, or why nothing had to be sent.
    pub response: Option<String>,
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_what_they_name() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), Some(action));
        }
        for state in EffectState::ALL {
            assert_eq!(EffectState::from_name(state.name()), Some(state));
        }
    }
}
