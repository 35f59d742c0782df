//! ActiveCampaign contacts, their fields, and what is written to them (fact sheet §2).

use super::{ContactId, Email, FieldId, Fingerprint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A contact as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    pub id: ContactId,
    /// As the API spells it; a deleted contact reads `deleted+ID@example.com`.
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub phone: String,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// Values of custom fields by field id, where the answer carried them.
    pub values: Option<Vec<(FieldId, String)>>,
}

impl Contact {
    /// The value a target field holds now; `None` where the contact has none or was read without values.
    pub fn value(&self, target: &TargetField) -> Option<&str> {
        match target {
            TargetField::Builtin(Builtin::FirstName) => Some(&self.first_name),
            TargetField::Builtin(Builtin::LastName) => Some(&self.last_name),
            TargetField::Builtin(Builtin::Phone) => Some(&self.phone),
            TargetField::Custom(id) => self
                .values
                .as_ref()?
                .iter()
                .find(|(field, _)| field == id)
                .map(|(_, value)| value.as_str()),
        }
    }
}

/// A field that every contact has, beside the e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    FirstName,
    LastName,
    Phone,
}

impl Builtin {
    /// All of them, in the order of the screens.
    pub const ALL: [Self; 3] = [Self::FirstName, Self::LastName, Self::Phone];

    /// The name used in config.toml and in imports.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Phone => "phone",
        }
    }

    /// The built-in field of a config name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// Where a mapped value goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetField {
    Builtin(Builtin),
    Custom(FieldId),
}

/// A custom field of contacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactField {
    pub id: FieldId,
    /// Personalisation tag without the percent signs: `PET_NAME`.
    pub tag: String,
    pub title: String,
    pub kind: FieldKind,
    pub options: Vec<FieldOption>,
    /// False for a field that is attached to no list, hence not shown in the contact's page.
    pub listed: bool,
}

/// One option of a choice field. `value` is sent, `label` is shown; the two may differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldOption {
    pub value: String,
    pub label: String,
}

/// A contact field's type (fact sheet §2.3); one that is not known is treated as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FieldKind {
    Text,
    Textarea,
    Number,
    Date,
    Datetime,
    Dropdown,
    Radio,
    Listbox,
    Checkbox,
    Hidden,
    Unknown(String),
}

impl FieldKind {
    /// The API's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text => "text",
            Self::Textarea => "textarea",
            Self::Number => "number",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::Dropdown => "dropdown",
            Self::Radio => "radio",
            Self::Listbox => "listbox",
            Self::Checkbox => "checkbox",
            Self::Hidden => "hidden",
            Self::Unknown(name) => name,
        }
    }
}

impl From<String> for FieldKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "text" => Self::Text,
            "textarea" => Self::Textarea,
            "number" => Self::Number,
            "date" => Self::Date,
            "datetime" => Self::Datetime,
            "dropdown" => Self::Dropdown,
            "radio" => Self::Radio,
            "listbox" | "multiselect" => Self::Listbox,
            "checkbox" => Self::Checkbox,
            "hidden" => Self::Hidden,
            _ => Self::Unknown(name),
        }
    }
}

impl From<FieldKind> for String {
    fn from(kind: FieldKind) -> Self {
        kind.as_str().to_owned()
    }
}

/// What a sync writes to one contact. A field that is absent stays as it is; an empty value clears it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactWrite {
    pub email: Email,
    /// Built-in fields and custom fields, sorted by target, each at most once.
    pub values: Vec<(TargetField, String)>,
}

impl ContactWrite {
    /// The fingerprint of everything that would be sent.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut text = String::with_capacity(256);
        for (target, value) in &self.values {
            match target {
                TargetField::Builtin(field) => text.push_str(field.name()),
                TargetField::Custom(id) => text.push_str(id.as_str()),
            }
            text.push('\u{1f}');
            text.push_str(value);
            text.push('\u{1e}');
        }
        Fingerprint::of(text.as_bytes())
    }

    /// True if a field is to be emptied: such a write never rides in a bulk import.
    pub fn clears(&self) -> bool {
        self.values.iter().any(|(_, value)| value.is_empty())
    }
}

/// A tag, a list, an automation or a score definition: an id and a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// A part of what surrounds a contact: an empty list is known to be empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part<T> {
    Read(Vec<T>),
    /// The plan or the token's user does not give it: why, in the API's words.
    Refused {
        refused: String,
    },
}

impl<T> Part<T> {
    /// What was read.
    pub fn items(&self) -> &[T] {
        match self {
            Self::Read(items) => items,
            Self::Refused { .. } => &[],
        }
    }

    /// Why it could not be read.
    pub fn refused(&self) -> Option<&str> {
        match self {
            Self::Read(_) => None,
            Self::Refused { refused } => Some(refused),
        }
    }
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self::Read(Vec::new())
    }
}

/// What surrounds a contact: shown beside a record, never written by a plain sync.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Surroundings {
    pub tags: Part<String>,
    pub lists: Part<Membership>,
    pub automations: Part<Enrolment>,
    pub scores: Part<ScoreValue>,
}

/// A contact's standing in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub list: String,
    /// `unconfirmed`, `active`, `unsubscribed`, `bounced`.
    pub status: String,
}

/// A contact's way through an automation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    pub automation: String,
    /// True once the contact has reached the automation's end.
    pub completed: bool,
}

/// A contact's value of one score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreValue {
    pub score: String,
    pub value: String,
}
