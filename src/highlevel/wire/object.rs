//! Objects and their fields.

use super::{short_key, text_of, time};
use crate::model::{DataType, ObjectKey, ObjectSchema, Property, PropertyOption};
use serde_json::Value;

#[derive(serde::Deserialize)]
pub(in crate::highlevel) struct ObjectsWire {
    pub objects: Vec<ObjectWire>,
}

#[derive(serde::Deserialize)]
pub(in crate::highlevel) struct ObjectEnvelope {
    pub object: ObjectWire,
    #[serde(default)]
    pub fields: Option<Vec<FieldWire>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::highlevel) struct ObjectWire {
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
    pub(in crate::highlevel) fn into_schema(self) -> ObjectSchema {
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
pub(in crate::highlevel) struct FieldsWire {
    pub fields: Vec<FieldWire>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::highlevel) struct FieldWire {
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
    pub(in crate::highlevel) fn into_property(self, object: &ObjectKey) -> Option<Property> {
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
