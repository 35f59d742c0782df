//! A record beside its contact: what would be sent, and whether it would change anything.

use super::apply::Send;
use super::coerce::TargetKind;
use super::compile::Mapping;
use super::line::From;
use super::{dates, options};
use crate::model::view::PreviewField;
use crate::model::{Contact, Decimal, Properties, Record, RelatedContact, TargetField};
use serde_json::Value;

impl Mapping {
    /// The lines of a preview: record value, value to send, the contact's value now.
    pub fn preview_fields(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        contact: Option<&Contact>,
    ) -> Vec<PreviewField> {
        let applied = self.apply(record, related);
        self.lines
            .iter()
            .zip(applied.values)
            .map(|(line, value)| {
                let held = contact.and_then(|contact| contact.value(&line.target));
                let send = match value.send {
                    Send::Set(text) => Some(text),
                    Send::Clear => Some(String::new()),
                    Send::Ignore => None,
                };
                let mut warnings = value.warnings;
                if let From::Template {
                    arithmetic: true, ..
                } = line.from
                {
                    warnings.push("computed in double precision".to_owned());
                }
                let changes = send
                    .as_deref()
                    .is_some_and(|sent| !same(line.plan.target, sent, held.unwrap_or_default()));
                PreviewField {
                    field: line.field.to_string(),
                    source: line.source.to_string(),
                    record: line.from.shown(&record.properties),
                    send,
                    contact: held.map(str::to_owned),
                    changes,
                    problem: value.problem,
                    warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
                }
            })
            .collect()
    }

    /// True if a contact that holds `held` needs no write of `sent`: times compare as instants, several
    /// values as sets, numbers by value, everything else letter by letter.
    pub fn same(&self, target: &TargetField, sent: &str, held: &str) -> bool {
        let kind = self
            .lines
            .iter()
            .find(|line| line.target == *target)
            .map_or(TargetKind::Text, |line| line.plan.target);
        same(kind, sent, held)
    }

    /// The title of a record: its primary property as text, else its id.
    pub fn title(&self, record: &Record) -> String {
        let named = record
            .properties
            .get(&self.primary)
            .and_then(|value| super::coerce::scalar(value).ok().flatten());
        match named {
            Some(name) if !name.trim().is_empty() => name.trim().to_owned(),
            _ => record.id.to_string(),
        }
    }
}

fn same(kind: TargetKind, sent: &str, held: &str) -> bool {
    let dated = matches!(kind, TargetKind::Date | TargetKind::Datetime);
    // So the account spells that there is no date (fact sheet §2.1).
    let held = if dated && held.starts_with("0000-00-00") {
        ""
    } else {
        held
    };
    if sent == held {
        return true;
    }
    if sent.is_empty() || held.is_empty() {
        return false;
    }
    match kind {
        TargetKind::Text | TargetKind::One => false,
        TargetKind::Number => match (Decimal::parse(sent), Decimal::parse(held)) {
            (Ok(sent), Ok(held)) => sent == held,
            _ => false,
        },
        TargetKind::Date | TargetKind::Datetime => dates::same(sent, held),
        TargetKind::Many => options::same_set(sent, held),
    }
}

impl From {
    /// The raw value as JSON text; a template has none.
    fn shown(&self, properties: &Properties) -> Option<String> {
        match self {
            Self::Template { .. } => None,
            Self::Members(key) => {
                if let Some(nested) = properties.get(key) {
                    return Some(nested.to_string());
                }
                let members: Properties = properties
                    .iter()
                    .filter(|(name, _)| {
                        name.strip_prefix(key.as_str())
                            .is_some_and(|rest| rest.starts_with('.'))
                    })
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                (!members.is_empty()).then(|| Value::Object(members).to_string())
            }
            single => single.raw(properties).map(Value::to_string),
        }
    }
}
