//! Object schemas and their fields, and what a property of each data type may hold.

use super::{check_location, errors, only_query};
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{LOCATION_ID, Shared, chance, instant};
use serde_json::{Map, Value, json};

/// A field of an object.
pub(in crate::sandbox) struct Field {
    pub id: String,
    /// Last segment of the field key, as `properties` uses it.
    pub key: &'static str,
    pub name: &'static str,
    pub data_type: &'static str,
    /// Option keys and labels.
    pub options: &'static [(&'static str, &'static str)],
    pub allow_custom_option: bool,
}

/// A custom or standard object.
pub(in crate::sandbox) struct Object {
    pub id: String,
    pub key: &'static str,
    pub singular: &'static str,
    pub plural: &'static str,
    pub description: &'static str,
    /// Short key of the primary display property.
    pub primary: &'static str,
    pub searchable: &'static [&'static str],
    pub standard: bool,
    pub fields: Vec<Field>,
}

/// When the sample schemas were made (2025-11-03T09:00:00Z).
const MADE: i64 = 1_762_160_400_000;

impl Object {
    fn folder_id(&self) -> String {
        chance::hex_id(&mut chance::at(0, self.key, 0))
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id, "standard": self.standard, "key": self.key,
            "labels": {"singular": self.singular, "plural": self.plural},
            "description": self.description, "locationId": LOCATION_ID,
            "primaryDisplayProperty": format!("{}.{}", self.key, self.primary),
            "dateAdded": instant::utc(MADE), "dateUpdated": instant::utc(MADE),
            "type": if self.standard { "SYSTEM_DEFINED" } else { "USER_DEFINED" },
        })
    }

    fn fields_json(&self) -> Vec<Value> {
        self.fields
            .iter()
            .map(|field| {
                let mut body = json!({
                    "id": field.id, "locationId": LOCATION_ID, "objectKey": self.key,
                    "fieldKey": format!("{}.{}", self.key, field.key), "name": field.name,
                    "dataType": field.data_type, "parentId": self.folder_id(), "showInForms": true,
                    "description": "", "placeholder": "",
                    "dateAdded": instant::utc(MADE), "dateUpdated": instant::utc(MADE),
                });
                if !field.options.is_empty() {
                    body["options"] = field
                        .options
                        .iter()
                        .map(|(key, label)| json!({"key": key, "label": label}))
                        .collect();
                }
                if field.data_type == "RADIO" {
                    body["allowCustomOption"] = field.allow_custom_option.into();
                }
                if field.data_type == "FILE_UPLOAD" {
                    body["acceptedFormats"] = json!([".jpg", ".png"]);
                    body["maxFileLimit"] = json!(5);
                }
                body
            })
            .collect()
    }

    /// The field that a property key belongs to; `notes.kitchen` belongs to the TEXTBOX_LIST `notes`.
    pub(in crate::sandbox) fn field(&self, property: &str) -> Option<&Field> {
        self.fields.iter().find(|field| {
            if field.data_type == "TEXTBOX_LIST" {
                let option = property
                    .strip_prefix(field.key)
                    .and_then(|rest| rest.strip_prefix('.'));
                option.is_some_and(|option| field.options.iter().any(|(key, _)| *key == option))
            } else {
                field.key == property
            }
        })
    }

    /// Every reason why these properties are refused on a write.
    pub(super) fn complaints(&self, properties: &Map<String, Value>) -> Vec<String> {
        properties
            .iter()
            .filter_map(|(key, value)| match self.field(key) {
                None => Some(format!("property properties.{key} should not exist")),
                Some(field) => field
                    .complaint(value)
                    .map(|complaint| format!("properties.{key} {complaint}")),
            })
            .collect()
    }
}

impl Field {
    /// Why a value does not fit the data type (fact sheet §2.6), if it does not. Null and `""` clear and always fit.
    fn complaint(&self, value: &Value) -> Option<&'static str> {
        if value.is_null() || value == "" {
            return None;
        }
        let is_option = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| self.options.iter().any(|(key, _)| *key == text))
        };
        let (fits, complaint) = match self.data_type {
            "NUMERICAL" => (value.is_number(), "must be a number"),
            "PHONE" => (
                value.as_str().is_some_and(is_phone),
                "must be a valid phone number with country code",
            ),
            "MONETORY" => (is_money(value), "must be an object with currency and value"),
            "SINGLE_OPTIONS" => (is_option(value), "must be one of the option keys"),
            "RADIO" => (
                is_option(value) || self.allow_custom_option && value.is_string(),
                "must be one of the option keys",
            ),
            "MULTIPLE_OPTIONS" | "CHECKBOX" => (
                value
                    .as_array()
                    .is_some_and(|all| all.iter().all(is_option)),
                "must be an array of option keys",
            ),
            "DATE" => (
                value.as_str().is_some_and(instant::is_date),
                "must be a date as YYYY-MM-DD",
            ),
            "FILE_UPLOAD" => (
                value
                    .as_array()
                    .is_some_and(|all| all.iter().all(|file| file["url"].is_string())),
                "must be an array of objects with url",
            ),
            "EMAIL" => (
                value.as_str().is_some_and(|text| text.contains('@')),
                "must be an email",
            ),
            _ => (value.is_string(), "must be a string"),
        };
        (!fits).then_some(complaint)
    }
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_money(value: &Value) -> bool {
    value["value"].is_number() && value["currency"].is_string()
}

/// `GET /objects/`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    if let Err(reply) =
        only_query(call, &["locationId"]).and_then(|()| check_location(call.query("locationId")))
    {
        return reply;
    }
    let objects: Vec<Value> = shared.location().objects.iter().map(Object::json).collect();
    Reply::ok(&json!({"objects": objects, "traceId": chance::uuid()}))
}

/// `GET /objects/{key}`, by key or id.
pub(super) fn get(shared: &Shared, call: &Call, key: &str) -> Reply {
    let query = only_query(call, &["locationId", "fetchProperties"]);
    if let Err(reply) = query.and_then(|()| check_location(call.query("locationId"))) {
        return reply;
    }
    let location = shared.location();
    let Some(object) = location.object(key) else {
        return errors::object_not_found(key);
    };
    let fields = match call.query("fetchProperties") {
        Some("true") => object.fields_json(),
        Some("false") | None => Vec::new(),
        Some(_) => {
            return errors::unprocessable(&["fetchProperties must be a boolean string".to_owned()]);
        }
    };
    Reply::ok(
        &json!({"object": object.json(), "cache": false, "fields": fields, "traceId": chance::uuid()}),
    )
}

/// `GET /custom-fields/object-key/{objectKey}`.
pub(super) fn custom_fields(shared: &Shared, call: &Call, key: &str) -> Reply {
    if let Err(reply) =
        only_query(call, &["locationId"]).and_then(|()| check_location(call.query("locationId")))
    {
        return reply;
    }
    let location = shared.location();
    match location.object(key) {
        Some(object) if object.key == key && (!object.standard || key == "business") => {
            Reply::ok(&json!({
                "fields": object.fields_json(),
                "folders": [{"id": object.folder_id(), "objectKey": object.key, "locationId": LOCATION_ID, "name": "Details"}],
                "traceId": chance::uuid(),
            }))
        }
        _ => errors::plain(400, &format!("Invalid object key {key}"))
            .violating("custom fields of an unsupported object"),
    }
}
