//! The shapes on the wire. Ids and numbers come as text or as numbers, for the same key in different calls
//! (fact sheet §1.5), so nothing here insists on either.

use crate::model::{Contact, ContactId, FieldId};
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::HashMap;

/// A text, a number's digits, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loose(pub String);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(true) => "1".to_owned(),
            Value::Bool(false) => "0".to_owned(),
            Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        }))
    }
}

/// The text or the digits of a value; empty if it has neither.
pub(super) fn loose(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// `meta.total`: text in most lists, a number in some.
pub(super) fn total(body: &Value) -> Option<u64> {
    loose(body.get("meta")?.get("total")).parse().ok()
}

#[derive(serde::Deserialize)]
pub(super) struct UserWire {
    pub user: UserRow,
}

#[derive(serde::Deserialize)]
pub(super) struct UserRow {
    #[serde(default)]
    pub id: Loose,
    #[serde(default)]
    pub username: Loose,
    #[serde(default)]
    pub email: Loose,
}

/// A contact; `fieldValues` inside it are id texts and are left alone (§2.1).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactRow {
    #[serde(default)]
    pub id: Loose,
    #[serde(default)]
    pub email: Loose,
    #[serde(default)]
    pub first_name: Loose,
    #[serde(default)]
    pub last_name: Loose,
    #[serde(default)]
    pub phone: Loose,
    #[serde(default)]
    pub cdate: Loose,
    #[serde(default)]
    pub udate: Loose,
}

impl ContactRow {
    /// The contact; `None` for one that was deleted: it stays readable by id under another address (§2.2).
    pub(super) fn into_contact(self, values: Option<Vec<(FieldId, String)>>) -> Option<Contact> {
        if self.id.0.is_empty() || is_deleted(&self.email.0) {
            return None;
        }
        Some(Contact {
            id: ContactId::new(self.id.0),
            email: self.email.0,
            first_name: self.first_name.0,
            last_name: self.last_name.0,
            phone: self.phone.0,
            created_at: time(&self.cdate.0),
            updated_at: time(&self.udate.0),
            values,
        })
    }
}

/// `deleted+10@example.com`.
fn is_deleted(email: &str) -> bool {
    email.strip_prefix("deleted+").is_some_and(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && rest[digits..].starts_with('@')
    })
}

/// A time with its offset. The empty dates `0000-00-00` and `0000-00-00 00:00:00` are none.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// `{"contact":…, "fieldValues":[…]}`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactEnvelope {
    pub contact: ContactRow,
    #[serde(default)]
    pub field_values: Option<Vec<Value>>,
}

/// A page of contacts, side-loaded values among them where the server gives them.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactsWire {
    pub contacts: Vec<ContactRow>,
    #[serde(default)]
    pub field_values: Option<Vec<ValueRow>>,
}

/// One stored value of a custom field.
#[derive(serde::Deserialize)]
pub(super) struct ValueRow {
    #[serde(default)]
    pub contact: Loose,
    #[serde(default)]
    pub field: Loose,
    #[serde(default)]
    pub value: Loose,
}

impl ContactsWire {
    /// The contacts with the values that are theirs; values are `None` where the server gave none at all.
    pub(super) fn into_contacts(self) -> Vec<Contact> {
        let mut of_contact = self.field_values.map(|rows| {
            let mut map: HashMap<String, Vec<(FieldId, String)>> = HashMap::new();
            for row in rows {
                map.entry(row.contact.0)
                    .or_default()
                    .push((FieldId::new(row.field.0), row.value.0));
            }
            map
        });
        self.contacts
            .into_iter()
            .filter_map(|row| {
                let values = of_contact
                    .as_mut()
                    .map(|map| map.remove(&row.id.0).unwrap_or_default());
                row.into_contact(values)
            })
            .collect()
    }
}

/// The values of one contact; rows without a field id, such as the id texts, are passed over.
pub(super) fn values_of(rows: Vec<Value>) -> Vec<(FieldId, String)> {
    rows.iter()
        .filter_map(|row| {
            let field = loose(row.get("field"));
            (!field.is_empty()).then(|| (FieldId::new(field), loose(row.get("value"))))
        })
        .collect()
}
