//! Records.

use super::{short_key, text_of, texts, time};
use crate::model::{AssociationId, ObjectKey, Properties, Record, RecordId, Relation};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde_json::Value;
use std::fmt;

/// A record of any endpoint: times and owners have two spellings (fact sheet §2.5).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::highlevel) struct RecordWire {
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
    pub(in crate::highlevel) fn into_record(self, object: &ObjectKey) -> Record {
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

#[derive(serde::Deserialize)]
pub(in crate::highlevel) struct RecordEnvelope {
    pub record: RecordWire,
}

#[derive(serde::Deserialize)]
pub(in crate::highlevel) struct SearchWire {
    pub records: Vec<RecordWire>,
    #[serde(default)]
    pub total: Option<Value>,
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
