//! HighLevel objects: what a record of one may hold (fact sheet §2.2, §2.3).

use super::{ObjectKey, Properties};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An object's schema. `properties` is empty until the schema was read with its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectSchema {
    pub id: String,
    pub key: ObjectKey,
    /// Label of one record, such as `Pet`.
    pub singular: String,
    /// Label of many, such as `Pets`.
    pub plural: String,
    pub description: Option<String>,
    /// True for the objects every location has: contact, opportunity, business.
    pub standard: bool,
    /// Short key of the property that names a record.
    pub primary_property: String,
    /// Short keys that `query` of a search looks into; empty where the API did not say.
    pub searchable: Vec<String>,
    pub updated_at: Option<Timestamp>,
    pub properties: Vec<Property>,
}

impl ObjectSchema {
    /// The property of a short key.
    pub fn property(&self, key: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.key == key)
    }
}

/// One property of an object, called a custom field by the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Property {
    pub id: String,
    /// Short key, as it stands in a record's `properties`: `weight`.
    pub key: String,
    /// Label, such as `Weight`.
    pub name: String,
    pub data_type: DataType,
    /// Options of choices and of text box lists; empty otherwise.
    pub options: Vec<PropertyOption>,
    /// RADIO only: a record may hold a text that is no option.
    pub allow_custom_option: bool,
    /// `None` where the API does not say.
    pub required: Option<bool>,
    /// `None` where the API does not say.
    pub unique: Option<bool>,
}

/// One option: records hold the key, people see the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropertyOption {
    pub key: String,
    pub label: String,
}

/// A property's data type. The spellings are the API's own, `MONETORY` among them; a type that is
/// not known is kept by name and treated as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum DataType {
    Text,
    LargeText,
    Numerical,
    Phone,
    Monetory,
    Checkbox,
    SingleOptions,
    MultipleOptions,
    Date,
    TextboxList,
    FileUpload,
    Radio,
    Email,
    Unknown(String),
}

impl DataType {
    /// The API's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text => "TEXT",
            Self::LargeText => "LARGE_TEXT",
            Self::Numerical => "NUMERICAL",
            Self::Phone => "PHONE",
            Self::Monetory => "MONETORY",
            Self::Checkbox => "CHECKBOX",
            Self::SingleOptions => "SINGLE_OPTIONS",
            Self::MultipleOptions => "MULTIPLE_OPTIONS",
            Self::Date => "DATE",
            Self::TextboxList => "TEXTBOX_LIST",
            Self::FileUpload => "FILE_UPLOAD",
            Self::Radio => "RADIO",
            Self::Email => "EMAIL",
            Self::Unknown(name) => name,
        }
    }
}

impl From<String> for DataType {
    fn from(name: String) -> Self {
        match name.as_str() {
            "TEXT" => Self::Text,
            "LARGE_TEXT" => Self::LargeText,
            "NUMERICAL" => Self::Numerical,
            "PHONE" => Self::Phone,
            "MONETORY" => Self::Monetory,
            "CHECKBOX" => Self::Checkbox,
            "SINGLE_OPTIONS" => Self::SingleOptions,
            "MULTIPLE_OPTIONS" => Self::MultipleOptions,
            "DATE" => Self::Date,
            "TEXTBOX_LIST" => Self::TextboxList,
            "FILE_UPLOAD" => Self::FileUpload,
            "RADIO" => Self::Radio,
            "EMAIL" => Self::Email,
            _ => Self::Unknown(name),
        }
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.as_str().to_owned()
    }
}

impl ObjectSchema {
    /// The property of a key, and true if the key names one member of a TEXTBOX_LIST (`notes.kitchen`).
    pub fn property_or_member(&self, key: &str) -> Option<(&Property, bool)> {
        if let Some(property) = self.property(key) {
            return Some((property, false));
        }
        let (list, member) = key.split_once('.')?;
        let property = self.property(list)?;
        (property.data_type == DataType::TextboxList
            && property.options.iter().any(|option| option.key == member))
        .then_some((property, true))
    }

    /// The value that a person means who typed `text` for a property: JSON where the type wants a structure,
    /// else the plain spelling (`12.4`, `calm, shy`). Empty text is null, which clears.
    ///
    /// # Errors
    /// The property does not exist, or the text does not fit its type; the message says what it wants.
    pub fn parse_value(&self, key: &str, text: &str) -> Result<Value, String> {
        let (property, _) = self
            .property_or_member(key)
            .ok_or_else(|| format!("{} has no property `{key}`", self.key))?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let refuse = || {
            format!(
                "`{text}` does not fit {}: {}",
                property.data_type.as_str(),
                property.wants()
            )
        };
        let json = || serde_json::from_str::<Value>(text).ok();
        match &property.data_type {
            DataType::Numerical => json().filter(Value::is_number).ok_or_else(refuse),
            DataType::Monetory => match json() {
                Some(number @ Value::Number(_)) => {
                    Ok(serde_json::json!({ "currency": "default", "value": number }))
                }
                Some(object @ Value::Object(_)) => Ok(object),
                _ => Err(refuse()),
            },
            DataType::SingleOptions | DataType::Radio => property
                .option_key(text)
                .map(Value::String)
                .ok_or_else(refuse),
            DataType::MultipleOptions | DataType::Checkbox => {
                let items: Vec<String> = match json() {
                    Some(Value::Array(items)) => items
                        .iter()
                        .filter_map(|item| item.as_str().map(str::to_owned))
                        .collect(),
                    _ => text
                        .split(',')
                        .map(|item| item.trim().to_owned())
                        .filter(|item| !item.is_empty())
                        .collect(),
                };
                let keys: Option<Vec<Value>> = items
                    .iter()
                    .map(|item| property.option_key(item).map(Value::String))
                    .collect();
                keys.map(Value::Array).ok_or_else(refuse)
            }
            DataType::FileUpload => match json() {
                Some(array @ Value::Array(_)) => Ok(array),
                _ => Ok(Value::Array(
                    text.split_whitespace()
                        .map(|url| serde_json::json!({ "url": url }))
                        .collect(),
                )),
            },
            DataType::Date => match text.parse::<jiff::civil::Date>() {
                Ok(date) => Ok(Value::String(date.to_string())),
                Err(_) => Err(refuse()),
            },
            _ => Ok(Value::String(text.to_owned())),
        }
    }
}

impl Property {
    /// The members of a text box list that some properties have, by label, in the order of the options; none of another type.
    pub fn members<'a>(
        &'a self,
        properties: &'a Properties,
    ) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let list = self.data_type == DataType::TextboxList;
        let options = self.options.iter().filter(move |_| list);
        options.filter_map(move |option| {
            let value = properties.get(&format!("{}.{}", self.key, option.key))?;
            Some((option.label.as_str(), value))
        })
    }

    /// The key of an option given by key or by label; a text of its own where the property allows one.
    pub fn option_key(&self, text: &str) -> Option<String> {
        self.options
            .iter()
            .find(|option| option.key == text)
            .or_else(|| {
                self.options
                    .iter()
                    .find(|option| option.label.eq_ignore_ascii_case(text))
            })
            .map(|option| option.key.clone())
            .or_else(|| self.allow_custom_option.then(|| text.to_owned()))
    }

    /// What a value of this property looks like, for people.
    pub fn wants(&self) -> String {
        let options = || {
            self.options
                .iter()
                .map(|option| option.key.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match &self.data_type {
            DataType::Numerical => "a number such as 12.4".into(),
            DataType::Monetory => {
                "an amount such as 100, or {\"currency\":\"default\",\"value\":100}".into()
            }
            DataType::SingleOptions | DataType::Radio => format!("one of {}", options()),
            DataType::MultipleOptions | DataType::Checkbox => format!("some of {}", options()),
            DataType::Date => "a date such as 2024-07-11".into(),
            DataType::FileUpload => "addresses of files".into(),
            DataType::TextboxList => format!(
                "one text for each of {}, such as {}.{}",
                options(),
                self.key,
                self.options
                    .first()
                    .map_or("option", |option| option.key.as_str())
            ),
            _ => "a text".into(),
        }
    }
}
