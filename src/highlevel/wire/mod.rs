//! The shapes on the wire, taken leniently, and what they become.

mod object;
mod record;
mod relation;

use crate::model::ObjectKey;
use jiff::Timestamp;
use serde_json::Value;

pub(super) use object::{FieldsWire, ObjectEnvelope, ObjectWire, ObjectsWire};
pub(super) use record::{RecordEnvelope, SearchWire};
pub(super) use relation::{association, contact, relation};

/// The key inside `properties`: what follows `custom_objects.pets.`. Never the last segment: members of
/// a TEXTBOX_LIST have a dot of their own (fact sheet §2.2).
fn short_key<'a>(object: &ObjectKey, full: &'a str) -> &'a str {
    let strip = |prefix: &str| full.strip_prefix(prefix)?.strip_prefix('.');
    strip(object.as_str())
        // A slip of the documentation: singular, and without the s.
        .or_else(|| strip(&format!("custom_object.{}", object.short())))
        .or_else(|| {
            let rest = full.strip_prefix("custom_objects.")?;
            rest.split_once('.').map(|(_, key)| key)
        })
        .filter(|key| !key.is_empty())
        .unwrap_or(full)
}

/// A text, or a number's digits.
fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A count that may come as text.
pub(super) fn count(value: Option<&Value>) -> Option<u64> {
    text_of(value)?.parse().ok()
}

fn texts(value: Option<Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| text_of(Some(item)).or_else(|| text_of(item.get("id"))))
            .collect(),
        Some(Value::String(text)) if !text.is_empty() => vec![text],
        _ => Vec::new(),
    }
}

/// An ISO time, or milliseconds since the epoch.
fn time(value: Option<Value>) -> Option<Timestamp> {
    match value? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => Timestamp::from_millisecond(number.as_i64()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_own_dots() {
        let pets = ObjectKey::from("custom_objects.pets");
        assert_eq!(short_key(&pets, "custom_objects.pets.name"), "name");
        assert_eq!(
            short_key(&pets, "custom_objects.pets.notes.kitchen"),
            "notes.kitchen"
        );
        assert_eq!(short_key(&pets, "custom_object.pets.name"), "name");
        assert_eq!(short_key(&pets, "name"), "name");
        assert_eq!(short_key(&pets, "notes.kitchen"), "notes.kitchen");
        assert_eq!(
            short_key(&ObjectKey::from("business"), "business.name"),
            "name"
        );
    }
}
