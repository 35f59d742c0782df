//! What a webhook of HighLevel says (fact sheet §5.1, §5.2). Real ones are flat, the guide's sample nests the event under
//! `data`; documented fields may be missing, and others may come. So everything is optional, and a webhook is a hint: the
//! record is read again.

use crate::model::{Fingerprint, ObjectKey, RecordId};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Longest id that is believed to be one.
const LONGEST_ID: usize = 100;

/// A webhook's content, as far as it matters here.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// Its `type`; empty where it has none.
    pub kind: String,
    pub location: Option<String>,
    pub app: Option<String>,
    pub happened_at: Option<Timestamp>,
    /// By which a repeat is known; `None` where two different events could not be told apart.
    pub key: Option<String>,
    pub what: What,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Record {
        id: RecordId,
        object: Option<ObjectKey>,
        deleted: bool,
    },
    /// A link between two records was made or removed.
    Relation([End; 2]),
    /// An object, or what may be linked with it, changed.
    Schema,
    /// Nothing that a sync depends on.
    Other,
}

/// One side of a relation.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub id: RecordId,
    pub object: Option<ObjectKey>,
}

/// Why a body says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no JSON object")]
pub struct NoObject;

impl Announcement {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no JSON object. Everything else has a reading.
    pub fn read(body: &[u8]) -> Result<Self, NoObject> {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
            return Err(NoObject);
        };
        let fields = Fields(&body);
        let kind = fields.text(&["type"]).unwrap_or_default();
        let happened_at = fields.find("timestamp").and_then(moment);
        let id = fields.id(&["id"]);
        let key = match (fields.text(&["webhookId"]), happened_at) {
            (Some(webhook), _) => Some(format!("w {webhook}")),
            (None, Some(at)) => id
                .as_ref()
                .map(|id| format!("e {kind} {id} {}", at.as_microsecond())),
            // A second change of the same record would be taken for a repeat.
            (None, None) => None,
        };
        Ok(Self {
            what: what(&kind, &fields, id),
            location: fields.text(&["locationId"]),
            app: fields.text(&["appId"]),
            key: key.map(bounded),
            kind: shortened(kind),
            happened_at,
        })
    }
}

/// An event without a type is told by its fields; the documentation's own examples lack it.
fn what(kind: &str, fields: &Fields<'_>, id: Option<RecordId>) -> What {
    let object = |names: &[&str]| {
        fields
            .text(names)
            .filter(|key| key.len() <= LONGEST_ID)
            .map(|key| ObjectKey::from_input(&key))
    };
    let relation = || {
        let end = |id: &str, key: &str| {
            Some(End {
                id: fields.id(&[id])?,
                object: object(&[key]),
            })
        };
        Some(What::Relation([
            end("firstRecordId", "firstObjectKey")?,
            end("secondRecordId", "secondObjectKey")?,
        ]))
    };
    let record = |deleted: bool| {
        Some(What::Record {
            id: id.clone()?,
            object: object(&["objectKey", "schemaKey"]),
            deleted,
        })
    };
    let read = match kind {
        "RecordCreate" | "RecordUpdate" => record(false),
        "RecordDelete" => record(true),
        "RelationCreate" | "RelationDelete" => relation(),
        _ if kind.starts_with("ObjectSchema") || kind.starts_with("Association") => {
            Some(What::Schema)
        }
        "" => relation().or_else(|| {
            let known = fields.find("properties").is_some_and(Value::is_array)
                || fields.find("objectKey").is_some();
            known.then(|| record(false)).flatten()
        }),
        _ => None,
    };
    read.unwrap_or(What::Other)
}

/// The fields of an event, at the top or under `data`.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn find(&self, name: &str) -> Option<&Value> {
        let present = |value: &&Value| !value.is_null();
        self.0.get(name).filter(present).or_else(|| {
            let data = self.0.get("data")?.as_object()?;
            data.get(name).filter(present)
        })
    }

    /// The first of these fields that holds a text that is not empty.
    fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.find(name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        })
    }

    fn id(&self, names: &[&str]) -> Option<RecordId> {
        names
            .iter()
            .find_map(|name| self.find(name))
            .and_then(record_id)
    }
}

/// A record's id; numbers are taken as their digits. What could not stand in a path is none.
pub fn record_id(value: &Value) -> Option<RecordId> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let fit = !text.is_empty()
        && text.len() <= LONGEST_ID
        && text.chars().all(|c| c.is_ascii_graphic())
        && text.chars().any(|c| c != '.');
    fit.then(|| RecordId::new(text))
}

/// A time as text, or as seconds or milliseconds since 1970.
fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => {
            let number = number.as_i64()?;
            // Seconds reach this number in the year 5138.
            if number.abs() < 100_000_000_000 {
                Timestamp::from_second(number).ok()
            } else {
                Timestamp::from_millisecond(number).ok()
            }
        }
        _ => None,
    }
}

/// A key of a bounded length.
fn bounded(key: String) -> String {
    if key.len() <= 2 * LONGEST_ID {
        key
    } else {
        format!("h {}", Fingerprint::of(key.as_bytes()).as_str())
    }
}

fn shortened(mut kind: String) -> String {
    kind.truncate(kind.floor_char_boundary(LONGEST_ID));
    kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(body: Value) -> Announcement {
        Announcement::read(body.to_string().as_bytes()).unwrap()
    }

    fn record(id: &str, object: Option<&str>, deleted: bool) -> What {
        What::Record {
            id: id.into(),
            object: object.map(ObjectKey::from),
            deleted,
        }
    }

    #[test]
    fn flat_and_nested_events_say_the_same() {
        let event = json!({"id": "679b8f9bde6a0c356a0311b3", "locationId": "L", "objectKey": "custom_objects.pets",
            "timestamp": "2025-02-10T08:26:05.961Z", "properties": [{"key": "name", "valueString": "Rex"}]});
        let mut flat = event.clone();
        flat["type"] = "RecordUpdate".into();
        flat["webhookId"] = "881b9415".into();
        let nested = json!({"type": "RecordUpdate", "webhookId": "881b9415", "data": event});
        assert_eq!(read(flat.clone()), read(nested));
        let read = read(flat);
        assert_eq!(
            read.what,
            record(
                "679b8f9bde6a0c356a0311b3",
                Some("custom_objects.pets"),
                false
            )
        );
        assert_eq!(read.location.as_deref(), Some("L"));
        assert_eq!(read.key.as_deref(), Some("w 881b9415"));
        assert_eq!(
            read.happened_at,
            Some("2025-02-10T08:26:05.961Z".parse().unwrap())
        );
    }

    #[test]
    fn without_a_webhook_id_type_id_and_time_make_the_key() {
        let event = |kind: &str, at: Value| {
            read(json!({"type": kind, "id": "1", "timestamp": at, "webhookId": null})).key
        };
        let at = json!("2025-02-10T08:26:05.961Z");
        let key = event("RecordUpdate", at.clone());
        assert!(key.is_some());
        assert_eq!(event("RecordUpdate", at.clone()), key);
        assert_eq!(event("RecordUpdate", json!(1_739_175_965_961_i64)), key);
        assert_ne!(event("RecordDelete", at), key);
        assert_eq!(event("RecordUpdate", Value::Null), None);
    }

    #[test]
    fn fields_may_be_missing() {
        // As seen in the wild, and as in the documentation's examples.
        let minimal =
            json!({"type": "RecordCreate", "id": "a1", "objectKey": "custom_objects.invoices"});
        assert_eq!(
            read(minimal).what,
            record("a1", Some("custom_objects.invoices"), false)
        );
        let untyped = json!({"id": "a1", "properties": []});
        assert_eq!(read(untyped).what, record("a1", None, false));
        let relation = json!({"firstObjectKey": "custom_objects.mad", "firstRecordId": "a", "secondObjectKey": "contact",
            "secondRecordId": "b", "associationId": "c"});
        let end = |id: &str, key: &str| End {
            id: id.into(),
            object: Some(key.into()),
        };
        assert_eq!(
            read(relation).what,
            What::Relation([end("a", "custom_objects.mad"), end("b", "contact")])
        );
        assert_eq!(
            read(json!({"type": "RecordDelete", "id": "a1"})).what,
            record("a1", None, true)
        );
        for other in [
            json!({}),
            json!({"type": "RecordUpdate"}),
            json!({"type": "RecordUpdate", "id": "../x y"}),
            json!({"type": "ContactUpdate", "id": "a1"}),
            json!({"type": "RelationCreate", "firstRecordId": "a"}),
        ] {
            assert_eq!(read(other.clone()).what, What::Other, "{other}");
        }
        assert_eq!(
            read(json!({"type": "ObjectSchemaUpdate", "key": "custom_objects.pets"})).what,
            What::Schema
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["", "[]", "null", "{", "\"RecordUpdate\"", "{}{}"] {
            assert_eq!(
                Announcement::read(body.as_bytes()),
                Err(NoObject),
                "{body:?}"
            );
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Announcement::read(deep.as_bytes()), Err(NoObject));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_keep_much(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            if let Ok(read) = Announcement::read(&body) {
                prop_assert!(read.kind.len() <= LONGEST_ID);
            }
        }

        #[test]
        fn no_values_make_it_panic_or_keep_much(
            kind in prop_oneof![Just("RecordUpdate".to_owned()), Just("RelationCreate".to_owned()), ".{0,300}"],
            id in ".{0,300}", webhook in ".{0,600}", at in any::<i64>(), object in ".{0,300}",
        ) {
            let read = read(json!({"type": kind, "id": id, "webhookId": webhook, "timestamp": at, "objectKey": object,
                "firstRecordId": id, "secondRecordId": id, "data": {"id": webhook}}));
            prop_assert!(read.kind.len() <= LONGEST_ID);
            prop_assert!(read.key.is_none_or(|key| key.len() <= 2 * LONGEST_ID));
            if let What::Record { id, object, .. } = read.what {
                prop_assert!(id.as_str().len() <= LONGEST_ID && id.as_str().is_ascii());
                prop_assert!(object.is_none_or(|object| object.as_str().len() <= 2 * LONGEST_ID));
            }
        }
    }
}
