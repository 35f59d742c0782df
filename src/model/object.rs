//! HighLevel objects: what a record of one may hold (fact sheet §2.2, §2.3).

use super::ObjectKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
