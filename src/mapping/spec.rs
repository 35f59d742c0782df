//! `[mappings.NAME]` as config.toml spells it. Nothing is resolved here: see [`super::compile`].

use super::field_spec::FieldSpecs;
use crate::model::{Action, Fingerprint, Period};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// One mapping: which records go to which contacts, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingSpec {
    /// The object's key, with or without `custom_objects.`.
    pub object: String,
    /// Where the contact's e-mail address comes from.
    pub email: EmailSpec,
    /// The pair of accounts; absent for the two top-level tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// When to export: a cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// False: nothing is synced unless a person asks for it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// A scheduled export starts up to so much later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Period>,
    /// How often to look for changed records; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Period>,
    /// IANA name, such as `Europe/Berlin`; absent: UTC. Applies to the schedule and to dates that become times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub conflict: Conflict,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_delete: OnDelete,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_missing_email: OnMissingEmail,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_email_change: OnEmailChange,
    /// True: tags that rules name are made where they are missing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub create_tags: bool,
    /// True: a bulk import starts no automation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exclude_automations: bool,
    /// Contact field = record field, template or table; order kept.
    #[serde(default, skip_serializing_if = "FieldSpecs::is_empty")]
    pub fields: FieldSpecs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleSpec>,
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl MappingSpec {
    /// The fingerprint of everything that changes what is sent: workers with different fingerprints would
    /// send different things. When a mapping runs (schedule, jitter, poll, enabled) is no part of it.
    pub fn hash(&self) -> Fingerprint {
        let what = Self {
            schedule: None,
            enabled: true,
            jitter: None,
            poll: None,
            ..self.clone()
        };
        // Plain data with text keys always serialises; an error's text would still tell mappings apart.
        let text = serde_json::to_string(&what).unwrap_or_else(|error| error.to_string());
        Fingerprint::of(text.as_bytes())
    }
}

/// Where the e-mail address comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailSpec {
    /// A record field.
    Property(String),
    /// The HighLevel contact that an association (its key) leads to.
    Association(String),
}

impl Serialize for EmailSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Property(key) => serializer.serialize_str(key),
            Self::Association(key) => serializer.collect_map([("association", key)]),
        }
    }
}

impl<'de> Deserialize<'de> for EmailSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EmailVisitor;

        impl<'de> Visitor<'de> for EmailVisitor {
            type Value = EmailSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record field or { association = \"…\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<EmailSpec, E> {
                Ok(EmailSpec::Property(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EmailSpec, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Table {
                    association: String,
                }
                let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(EmailSpec::Association(table.association))
            }
        }

        deserializer.deserialize_any(EmailVisitor)
    }
}

/// Which of several records of one contact wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The record updated last.
    #[default]
    Newest,
    /// The record updated first.
    Oldest,
    /// None: all of them fail.
    Fail,
}

/// What becomes of a record without an e-mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissingEmail {
    /// It fails and waits in the queue for a person.
    #[default]
    Fail,
    /// It is skipped: nothing to sync.
    Skip,
}

/// What becomes of the contact when a record's e-mail address changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmailChange {
    /// The new address is upserted; the old contact goes to the next candidate.
    #[default]
    New,
    /// The contact gets the new address.
    Rename,
}

/// What becomes of the contact when its record is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OnDelete {
    #[default]
    Keep,
    /// The contact gets a tag.
    Tag(String),
    /// The contact leaves the lists that the mapping's rules name.
    Unsubscribe,
    /// The contact is deleted, if this mapping made it and nothing else links it.
    Delete,
}

impl TryFrom<String> for OnDelete {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "keep" => Ok(Self::Keep),
            "unsubscribe" => Ok(Self::Unsubscribe),
            "delete" => Ok(Self::Delete),
            _ => match text.strip_prefix("tag:").map(str::trim) {
                Some(tag) if !tag.is_empty() => Ok(Self::Tag(tag.to_owned())),
                _ => Err(format!(
                    "on_delete is \"{text}\"; it can be \"keep\", \"tag:NAME\", \"unsubscribe\" or \"delete\""
                )),
            },
        }
    }
}

impl From<OnDelete> for String {
    fn from(value: OnDelete) -> Self {
        match value {
            OnDelete::Keep => "keep".to_owned(),
            OnDelete::Tag(name) => format!("tag:{name}"),
            OnDelete::Unsubscribe => "unsubscribe".to_owned(),
            OnDelete::Delete => "delete".to_owned(),
        }
    }
}

/// One rule: when its condition turns true, its actions are done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Stable: effects are keyed by it.
    pub name: String,
    /// A MiniJinja expression.
    pub when: String,
    /// True: fires for a record that was never confirmed before as well.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_first_sync: bool,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub add_tags: Names,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub remove_tags: Names,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub subscribe: Names,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub unsubscribe: Names,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub start_automation: Names,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub leave_automation: Names,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub record_event: Names,
    /// True: `subscribe` brings back somebody who left by hand.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resubscribe: bool,
}

impl RuleSpec {
    /// A rule that does nothing yet.
    pub fn new(name: impl Into<String>, when: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            when: when.into(),
            on_first_sync: false,
            add_tags: Names::default(),
            remove_tags: Names::default(),
            subscribe: Names::default(),
            unsubscribe: Names::default(),
            start_automation: Names::default(),
            leave_automation: Names::default(),
            record_event: Names::default(),
            resubscribe: false,
        }
    }

    /// What an action is about; bringing somebody back is a way to subscribe.
    pub fn names(&self, action: Action) -> &Names {
        match action {
            Action::AddTag => &self.add_tags,
            Action::RemoveTag => &self.remove_tags,
            Action::Subscribe | Action::Resubscribe => &self.subscribe,
            Action::Unsubscribe => &self.unsubscribe,
            Action::StartAutomation => &self.start_automation,
            Action::LeaveAutomation => &self.leave_automation,
            Action::RecordEvent => &self.record_event,
        }
    }

    /// As [`RuleSpec::names`], to be changed.
    pub fn names_mut(&mut self, action: Action) -> &mut Names {
        match action {
            Action::AddTag => &mut self.add_tags,
            Action::RemoveTag => &mut self.remove_tags,
            Action::Subscribe | Action::Resubscribe => &mut self.subscribe,
            Action::Unsubscribe => &mut self.unsubscribe,
            Action::StartAutomation => &mut self.start_automation,
            Action::LeaveAutomation => &mut self.leave_automation,
            Action::RecordEvent => &mut self.record_event,
        }
    }
}

/// One name or a list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Names(pub Vec<String>);

impl Names {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;

        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names(vec![text.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_any(NamesVisitor)
    }
}
