//! The filter `label`: from an option's key to what people see.

use super::coerce::SourceKind;
use crate::model::{ObjectSchema, PropertyOption};
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

/// The choice properties of an object with their options.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(Vec<Choices>);

#[derive(Clone, Debug)]
struct Choices {
    property: String,
    options: Vec<PropertyOption>,
    allow_custom: bool,
}

impl Labels {
    pub(super) fn new(schema: &ObjectSchema) -> Self {
        Self(
            schema
                .properties
                .iter()
                .filter(|property| {
                    matches!(
                        SourceKind::of(&property.data_type),
                        SourceKind::One | SourceKind::Many
                    )
                })
                .map(|property| Choices {
                    property: property.key.clone(),
                    options: property.options.clone(),
                    allow_custom: property.allow_custom_option,
                })
                .collect(),
        )
    }

    /// The label of a key, or the labels of a list of keys. A key alone does not say which property it
    /// belongs to: those count that hold it in this record, unless the template names one.
    pub(super) fn label(
        &self,
        state: &State<'_, '_>,
        value: &Value,
        property: Option<&str>,
    ) -> Result<Value, Error> {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(Value::UNDEFINED),
            ValueKind::Seq | ValueKind::Iterable => value
                .try_iter()?
                .map(|key| self.one(state, &key, property))
                .collect::<Result<Vec<Value>, Error>>()
                .map(Value::from),
            _ => self.one(state, value, property),
        }
    }

    fn one(
        &self,
        state: &State<'_, '_>,
        value: &Value,
        property: Option<&str>,
    ) -> Result<Value, Error> {
        let key = value.to_string();
        if key.trim().is_empty() {
            return Ok(Value::UNDEFINED);
        }
        let candidates: Vec<&Choices> = match property {
            Some(name) => {
                let named: Vec<&Choices> = self
                    .0
                    .iter()
                    .filter(|choices| choices.property == name)
                    .collect();
                if named.is_empty() {
                    return Err(failed(format!(
                        "label(\"{name}\"): no property with options has that key"
                    )));
                }
                named
            }
            None => {
                let holding: Vec<&Choices> = self
                    .0
                    .iter()
                    .filter(|choices| {
                        state
                            .lookup(&choices.property)
                            .is_some_and(|held| holds(&held, &key))
                    })
                    .collect();
                if holding.is_empty() {
                    self.0.iter().collect()
                } else {
                    holding
                }
            }
        };
        let mut labels = candidates.iter().flat_map(|choices| {
            choices
                .options
                .iter()
                .filter(|option| option.key == key || option.label == key)
                .map(|option| option.label.as_str())
        });
        match labels.next() {
            Some(label) if labels.all(|other| other == label) => Ok(Value::from(label)),
            Some(_) => Err(failed(format!(
                "\"{key}\" is an option of several properties; write label(\"PROPERTY\")"
            ))),
            None if candidates.iter().any(|choices| choices.allow_custom) => Ok(value.clone()),
            None => Err(failed(format!("\"{key}\" is in no option list"))),
        }
    }
}

fn holds(held: &Value, key: &str) -> bool {
    match held.kind() {
        ValueKind::String => held.as_str() == Some(key),
        ValueKind::Seq => held
            .try_iter()
            .is_ok_and(|mut items| items.any(|item| item.as_str() == Some(key))),
        _ => false,
    }
}

fn failed(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
