//! The shapes on the wire, taken leniently, and what they become.

use crate::model::{
    Association, AssociationId, DataType, ObjectKey, ObjectSchema, Properties, Property,
    PropertyOption, Record, RecordId, RelatedContact, Relation,
};
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde_json::Value;
use std::fmt;

/// A record of any endpoint: times and owners have two spellings (fact sheet §2.5).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordWire {
    id: String,
    #[serde(default)]
    owner: Option<Value>,
    #[serde(default)]
    owners: Option<Value>,
    #[serde(default)]
    followers: Option<Value>,
    #[serde(default)]
    properties: PropertiesWire,
    #[serde(default)]
    created_at: Option<Value>,
    #[serde(default)]
    date_added: Option<Value>,
    #[serde(default)]
    updated_at: Option<Value>,
    #[serde(default)]
    date_updated: Option<Value>,
    #[serde(default)]
    relations: Option<Value>,
    #[serde(default)]
    search_after: Option<Value>,
}

/// Properties: an object, or by the specification's letter a text that holds one.
#[derive(Default)]
struct PropertiesWire(Properties);

impl<'de> Deserialize<'de> for PropertiesWire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lenient;
        impl<'de> Visitor<'de> for Lenient {
            type Value = PropertiesWire;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Properties::deserialize(MapAccessDeserializer::new(map)).map(PropertiesWire)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.trim().is_empty() {
                    return Ok(PropertiesWire::default());
                }
                serde_json::from_str(text)
                    .map(PropertiesWire)
                    .map_err(E::custom)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(PropertiesWire::default())
            }
        }
        deserializer.deserialize_any(Lenient)
    }
}

impl RecordWire {
    pub(super) fn into_record(self, object: &ObjectKey) -> Record {
        let id = RecordId::new(self.id);
        let prefix = format!("{object}.");
        let mut properties = self.properties.0;
        // Keys are short by the documentation; a server that gives full ones is understood all the same.
        if properties.keys().any(|key| key.starts_with(&prefix)) {
            properties = properties
                .into_iter()
                .map(|(key, value)| (short_key(object, &key).to_owned(), value))
                .collect();
        }
        Record {
            object: object.clone(),
            properties,
            owners: texts(self.owner.or(self.owners)),
            followers: texts(self.followers),
            created_at: time(self.created_at.or(self.date_added)),
            updated_at: time(self.updated_at.or(self.date_updated)),
            relations: self.relations.and_then(|items| relations_inside(&items)),
            search_after: match self.search_after {
                Some(Value::Array(cursor)) if !cursor.is_empty() => Some(cursor),
                _ => None,
            },
            id,
        }
    }
}

/// The key inside `properties`: what follows `custom_objects.pets.`. Never the last segment: members of
/// a TEXTBOX_LIST have a dot of their own (fact sheet §2.2).
pub(super) fn short_key<'a>(object: &ObjectKey, full: &'a str) -> &'a str {
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

/// Links inside a record. The list was once reported to come back empty although there were links (§2.5),
/// so only a filled, whole one counts.
fn relations_inside(items: &Value) -> Option<Vec<Relation>> {
    let items = items.as_array()?;
    if items.is_empty() {
        return None;
    }
    items
        .iter()
        .map(|item| {
            Some(Relation {
                id: text_of(item.get("relationId").or_else(|| item.get("id"))),
                association: AssociationId::new(text_of(item.get("associationId"))?),
                other_object: ObjectKey::new(text_of(item.get("objectKey"))?),
                other_record: RecordId::new(text_of(item.get("recordId"))?),
            })
        })
        .collect()
}

#[derive(serde::Deserialize)]
pub(super) struct RecordEnvelope {
    pub record: RecordWire,
}

#[derive(serde::Deserialize)]
pub(super) struct SearchWire {
    pub records: Vec<RecordWire>,
    #[serde(default)]
    pub total: Option<Value>,
}

#[derive(serde::Deserialize)]
pub(super) struct ObjectsWire {
    pub objects: Vec<ObjectWire>,
}

#[derive(serde::Deserialize)]
pub(super) struct ObjectEnvelope {
    pub object: ObjectWire,
    #[serde(default)]
    pub fields: Option<Vec<FieldWire>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectWire {
    #[serde(default)]
    id: Option<String>,
    key: String,
    #[serde(default)]
    standard: Option<bool>,
    #[serde(default)]
    labels: Option<Value>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    primary_display_property: Option<String>,
    #[serde(default)]
    searchable_properties: Option<Vec<String>>,
    #[serde(default)]
    date_updated: Option<Value>,
    #[serde(default)]
    updated_at: Option<Value>,
}

impl ObjectWire {
    pub(super) fn into_schema(self) -> ObjectSchema {
        let key = ObjectKey::new(self.key);
        let label = |name: &str| {
            let labels = self.labels.as_ref()?;
            text_of(labels.get(name))
        };
        let primary = self.primary_display_property.unwrap_or_default();
        ObjectSchema {
            id: self.id.unwrap_or_default(),
            singular: label("singular").unwrap_or_else(|| key.short().to_owned()),
            plural: label("plural").unwrap_or_else(|| key.short().to_owned()),
            description: self.description.filter(|text| !text.is_empty()),
            standard: self
                .standard
                .unwrap_or(!key.as_str().starts_with("custom_objects.")),
            primary_property: short_key(&key, &primary).to_owned(),
            searchable: self
                .searchable_properties
                .unwrap_or_default()
                .iter()
                .map(|full| short_key(&key, full).to_owned())
                .collect(),
            updated_at: time(self.updated_at.or(self.date_updated)),
            properties: Vec::new(),
            key,
        }
    }
}

#[derive(serde::Deserialize)]
pub(super) struct FieldsWire {
    pub fields: Vec<FieldWire>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldWire {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    field_key: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    data_type: Option<String>,
    #[serde(default)]
    options: Option<Vec<Value>>,
    #[serde(default)]
    allow_custom_option: Option<bool>,
}

impl FieldWire {
    /// The property; `None` for a folder, which has no key.
    pub(super) fn into_property(self, object: &ObjectKey) -> Option<Property> {
        let full = self.field_key.filter(|key| !key.is_empty())?;
        let key = short_key(object, &full).to_owned();
        let options = self.options.unwrap_or_default();
        Some(Property {
            id: self.id.unwrap_or_default(),
            name: self.name.unwrap_or_else(|| key.clone()),
            key,
            data_type: DataType::from(self.data_type.unwrap_or_default()),
            options: options.iter().filter_map(option).collect(),
            allow_custom_option: self.allow_custom_option.unwrap_or(false),
            required: None,
            unique: None,
        })
    }
}

fn option(value: &Value) -> Option<PropertyOption> {
    if let Some(text) = text_of(Some(value)) {
        return Some(PropertyOption {
            key: text.clone(),
            label: text,
        });
    }
    let label = text_of(value.get("label"));
    let key = text_of(value.get("key")).or_else(|| label.clone())?;
    Some(PropertyOption {
        label: label.unwrap_or_else(|| key.clone()),
        key,
    })
}

/// One association definition.
pub(super) fn association(value: &Value) -> Option<Association> {
    let text = |name: &str| text_of(value.get(name));
    Some(Association {
        id: AssociationId::new(text("id")?),
        key: text("key").unwrap_or_default(),
        first_object: ObjectKey::new(text("firstObjectKey")?),
        first_label: label(value.get("firstObjectLabel")),
        second_object: ObjectKey::new(text("secondObjectKey")?),
        second_label: label(value.get("secondObjectLabel")),
    })
}

/// Labels are texts in the specification and, where an association has several, lists.
fn label(value: Option<&Value>) -> String {
    match value {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| text_of(Some(item)))
            .collect::<Vec<_>>()
            .join(", "),
        other => text_of(other).unwrap_or_default(),
    }
}

/// A relation as seen from `record`, in whichever order the server keeps the pair.
pub(super) fn relation(value: &Value, record: &RecordId) -> Option<Relation> {
    let text = |name: &str| text_of(value.get(name));
    let first = text("firstRecordId")?;
    let (object, other) = if first == record.as_str() {
        (text("secondObjectKey")?, text("secondRecordId")?)
    } else {
        (text("firstObjectKey")?, first)
    };
    Some(Relation {
        id: text("id"),
        association: AssociationId::new(text("associationId")?),
        other_object: ObjectKey::new(object),
        other_record: RecordId::new(other),
    })
}

/// A HighLevel contact; every part may be missing or null (fact sheet §4).
pub(super) fn contact(value: &Value) -> Option<RelatedContact> {
    let text = |name: &str| text_of(value.get(name)).filter(|text| !text.is_empty());
    Some(RelatedContact {
        id: text("id")?,
        first_name: text("firstName"),
        last_name: text("lastName"),
        email: text("email"),
        phone: text("phone"),
        company: text("companyName"),
        tags: texts(value.get("tags").cloned()),
    })
}

/// A text, or a number's digits.
pub(super) fn text_of(value: Option<&Value>) -> Option<String> {
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

    #[test]
    fn both_spellings_of_a_record_are_read() {
        let pets = ObjectKey::from("custom_objects.pets");
        let read = |text: &str| {
            serde_json::from_str::<RecordWire>(text)
                .unwrap()
                .into_record(&pets)
        };
        let one = read(
            r#"{"id":"661c06b4ffde146bdb469442","owner":["u1"],"followers":[],
              "properties":{"name":"Rex","weight":12.40,"chip":123456789012345678901234567890,"notes.kitchen":"x"},
              "dateAdded":"2024-07-11T06:23:45.000Z","dateUpdated":"2024-07-12T06:23:45.000Z","traceId":"t"}"#,
        );
        assert_eq!(one.properties["weight"].to_string(), "12.40");
        assert_eq!(
            one.properties["chip"].to_string(),
            "123456789012345678901234567890"
        );
        assert_eq!(one.updated_at.unwrap().to_string(), "2024-07-12T06:23:45Z");
        assert_eq!(one.owners, ["u1"]);
        assert_eq!(one.relations, None);
        let two = read(
            r#"{"id":"a","owners":"u2","followers":null,"properties":"{\"name\":\"Rex\",\"weight\":1e21}",
              "createdAt":"2024-07-11T06:23:45.000Z","updatedAt":1720765425000,"createdBy":{"channel":"WEB_USER"},
              "relations":[{"associationId":"as","objectKey":"contact","recordId":"c1"}],
              "searchAfter":[1720765425000,"a"]}"#,
        );
        assert_eq!(two.properties["name"], "Rex");
        assert_eq!(two.updated_at.unwrap().to_string(), "2024-07-12T06:23:45Z");
        assert_eq!(two.relations.unwrap()[0].other_record.as_str(), "c1");
        assert_eq!(
            Value::Array(two.search_after.unwrap()).to_string(),
            r#"[1720765425000,"a"]"#
        );
        let bare = read(r#"{"id":"a","properties":null,"relations":[]}"#);
        assert!(bare.properties.is_empty());
        assert_eq!(bare.relations, None);
    }

    #[test]
    fn a_relation_is_read_from_either_side() {
        let value: Value = serde_json::from_str(
            r#"{"id":"r","firstObjectKey":"contact","firstRecordId":"c1","secondObjectKey":"custom_objects.pets","secondRecordId":"p1","associationId":"as"}"#,
        )
        .unwrap();
        let from_pet = relation(&value, &RecordId::from("p1")).unwrap();
        assert_eq!(
            (
                from_pet.other_object.as_str(),
                from_pet.other_record.as_str()
            ),
            ("contact", "c1")
        );
        let from_contact = relation(&value, &RecordId::from("c1")).unwrap();
        assert_eq!(from_contact.other_record.as_str(), "p1");
    }
}
