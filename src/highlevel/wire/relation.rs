//! Associations, relations, and the contacts they lead to.

use super::{text_of, texts};
use crate::model::{Association, AssociationId, ObjectKey, RecordId, RelatedContact, Relation};
use serde_json::Value;

/// One association definition.
pub(in crate::highlevel) fn association(value: &Value) -> Option<Association> {
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
pub(in crate::highlevel) fn relation(value: &Value, record: &RecordId) -> Option<Relation> {
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
pub(in crate::highlevel) fn contact(value: &Value) -> Option<RelatedContact> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
