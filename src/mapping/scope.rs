//! What templates and conditions see of a record. Only the names that are read are converted.

use super::number::{self, EXACT, Exact};
use crate::model::{DataType, Decimal, ObjectSchema, Properties, Property, Record, RelatedContact};
use minijinja::value::{Object, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// Parts of `record`.
pub(super) const RECORD_PARTS: [&str; 5] = ["id", "object", "created_at", "updated_at", "owner"];
/// Parts of `related`.
pub(super) const RELATED_PARTS: [&str; 6] = [
    "first_name",
    "last_name",
    "email",
    "phone",
    "company",
    "tags",
];

/// The names that some templates read, resolved.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: Arc<[String]>,
    inputs: Vec<Input>,
}

#[derive(Debug)]
enum Input {
    Property(Property),
    Record,
    Related,
    /// The last confirmed state, with all properties.
    Previous(Vec<Property>),
}

/// One record as a context of templates.
#[derive(Debug)]
struct Context {
    names: Arc<[String]>,
    values: Vec<Value>,
    exact: Value,
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == EXACT {
            return Some(self.exact.clone());
        }
        let at = self.names.iter().position(|name| name == key)?;
        self.values.get(at).cloned()
    }
}

impl Scope {
    /// The first part of a name: `notes` of `notes.kitchen`.
    pub(super) fn head(name: &str) -> &str {
        name.split_once('.').map_or(name, |(head, _)| head)
    }

    /// A scope of names that the check has found to exist; others are left out, hence empty.
    pub(super) fn new(heads: Vec<String>, schema: &ObjectSchema) -> Self {
        let mut names = Vec::with_capacity(heads.len());
        let mut inputs = Vec::with_capacity(heads.len());
        for head in heads {
            let input = match head.as_str() {
                "record" => Input::Record,
                "related" => Input::Related,
                "previous" => Input::Previous(schema.properties.clone()),
                key => match schema.property(key) {
                    Some(property) => Input::Property(property.clone()),
                    None => continue,
                },
            };
            names.push(head);
            inputs.push(input);
        }
        Self {
            names: names.into(),
            inputs,
        }
    }

    /// The context of one record. `properties` are its own, or an earlier state's.
    pub(super) fn context(
        &self,
        record: &Record,
        properties: &Properties,
        related: Option<&RelatedContact>,
        previous: Option<&Properties>,
    ) -> Value {
        let mut exact = Exact::default();
        let values = self
            .inputs
            .iter()
            .map(|input| match input {
                Input::Property(property) => property_value(property, properties, &mut exact),
                Input::Record => record_value(record),
                Input::Related => related.map_or(Value::UNDEFINED, related_value),
                Input::Previous(all) => Value::from_pairs(all.iter().map(|property| {
                    let value = previous.map_or(Value::UNDEFINED, |held| {
                        property_value(property, held, &mut exact)
                    });
                    (property.key.as_str(), value)
                })),
            })
            .collect();
        Value::from_object(Context {
            names: Arc::clone(&self.names),
            values,
            exact: number::value(exact),
        })
    }
}

/// One property of a record; undefined where the record lacks it.
fn property_value(property: &Property, properties: &Properties, exact: &mut Exact) -> Value {
    if property.data_type == DataType::TextboxList {
        return members(property, properties, exact);
    }
    let Some(value) = properties.get(&property.key) else {
        return Value::UNDEFINED;
    };
    match (&property.data_type, value) {
        (DataType::Numerical, Json::String(text)) => match Decimal::plain(text) {
            Ok(plain) => exact.number(&plain),
            Err(_) => Value::from(text.as_str()),
        },
        (DataType::Monetory, Json::Object(map)) => {
            Value::from_pairs(map.iter().map(|(key, part)| {
                let part = match part {
                    Json::String(text) if key == "value" => amount(text, exact),
                    part => raw(part, exact),
                };
                (key.as_str(), part)
            }))
        }
        (DataType::Monetory, Json::Number(number)) => {
            Value::from_pairs([("value", amount(number.as_str(), exact))])
        }
        (DataType::Monetory, Json::String(text)) if !text.trim().is_empty() => {
            Value::from_pairs([("value", amount(text, exact))])
        }
        (DataType::MultipleOptions | DataType::Checkbox, Json::String(key)) if !key.is_empty() => {
            Value::from(vec![Value::from(key.as_str())])
        }
        (_, value) => raw(value, exact),
    }
}

fn amount(text: &str, exact: &mut Exact) -> Value {
    match Decimal::plain(text) {
        Ok(plain) => exact.number(&plain),
        Err(_) => Value::from(text),
    }
}

/// A raw API value; null is undefined, hence empty.
fn raw(value: &Json, exact: &mut Exact) -> Value {
    match value {
        Json::Null => Value::UNDEFINED,
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => amount(number.as_str(), exact),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(
            items
                .iter()
                .map(|item| raw(item, exact))
                .collect::<Vec<Value>>(),
        ),
        Json::Object(map) => Value::from_pairs(
            map.iter()
                .map(|(key, item)| (key.as_str(), raw(item, exact))),
        ),
    }
}

/// A text box list, whose members are flat keys with a dot (or, in a neighbouring shape, an object).
fn members(property: &Property, properties: &Properties, exact: &mut Exact) -> Value {
    let nested = properties.get(&property.key).and_then(Json::as_object);
    let mut found = false;
    let value = Value::from_pairs(property.options.iter().filter_map(|option| {
        let member = properties
            .get(&format!("{}.{}", property.key, option.key))
            .or_else(|| nested?.get(&option.key))?;
        found = true;
        Some((option.key.as_str(), raw(member, exact)))
    }));
    if found { value } else { Value::UNDEFINED }
}

fn record_value(record: &Record) -> Value {
    let time =
        |at: Option<jiff::Timestamp>| at.map_or(Value::UNDEFINED, |at| Value::from(at.to_string()));
    Value::from_pairs([
        ("id", Value::from(record.id.as_str())),
        ("object", Value::from(record.object.as_str())),
        ("created_at", time(record.created_at)),
        ("updated_at", time(record.updated_at)),
        (
            "owner",
            record
                .owners
                .first()
                .map_or(Value::UNDEFINED, |owner| Value::from(owner.as_str())),
        ),
    ])
}

fn related_value(related: &RelatedContact) -> Value {
    let text = |value: &Option<String>| value.as_deref().map_or(Value::UNDEFINED, Value::from);
    Value::from_pairs([
        ("first_name", text(&related.first_name)),
        ("last_name", text(&related.last_name)),
        ("email", text(&related.email)),
        ("phone", text(&related.phone)),
        ("company", text(&related.company)),
        (
            "tags",
            Value::from(
                related
                    .tags
                    .iter()
                    .map(|tag| Value::from(tag.as_str()))
                    .collect::<Vec<_>>(),
            ),
        ),
    ])
}
