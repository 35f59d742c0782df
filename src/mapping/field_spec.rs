//! One line of `[mappings.NAME.fields]`: a record field, a template, or a table.

use super::scope::Scope;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// A table that keeps its order: `fields` of a mapping, `map` of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered<T>(pub Vec<(String, T)>);

/// The `fields` table.
pub type FieldSpecs = Ordered<FieldSpec>;

impl<T> Ordered<T> {
    /// True if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Key and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.0
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OrderedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OrderedVisitor<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_map(OrderedVisitor(PhantomData))
    }
}

/// What fills a contact field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldSpec {
    /// A record field, or a template if it holds `{{` or `{%`.
    Short(String),
    /// A table with options.
    Table(FieldTable),
}

/// The table form of a field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldTable {
    /// The record field; this or `template`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Replaces option keys (or texts), element by element.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub map: Ordered<String>,
    /// What a value becomes that `map` lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "Empty::is_ignore")]
    pub empty: Empty,
    /// Characters, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// True: a text that is too long is cut, with a warning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncate: bool,
    /// A text is split here into several values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// IANA name; the mapping's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// What an empty value does to the contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// The field is not sent and keeps its value.
    #[default]
    Ignore,
    /// The field is emptied.
    Clear,
}

impl Empty {
    fn is_ignore(&self) -> bool {
        *self == Self::Ignore
    }
}

/// True for text that is a template rather than a record field's name.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

impl FieldSpec {
    /// The table form, whatever the spelling.
    pub fn table(&self) -> FieldTable {
        match self {
            Self::Table(table) => table.clone(),
            Self::Short(text) if is_template(text) => FieldTable {
                template: Some(text.clone()),
                ..FieldTable::default()
            },
            Self::Short(text) => FieldTable {
                from: Some(text.clone()),
                ..FieldTable::default()
            },
        }
    }

    /// The record field or template it is filled from; empty where a table names neither.
    pub fn source(&self) -> &str {
        match self {
            Self::Short(text) => text,
            Self::Table(table) => table
                .from
                .as_deref()
                .or(table.template.as_deref())
                .unwrap_or_default(),
        }
    }

    /// What it reads of a record, each with the parts behind dots: `name`, `notes.kitchen`, and of a template every name in
    /// it, those of `record` and `related` left out. Nothing where a template cannot be read.
    pub fn reads(&self) -> Vec<String> {
        let source = self.source();
        if !is_template(source) {
            return match source {
                "" => Vec::new(),
                name => vec![name.to_owned()],
            };
        }
        let mut names = super::template::names_in(source).unwrap_or_default();
        names.retain(|name| !matches!(Scope::head(name), "record" | "related"));
        names
    }
}

impl Serialize for FieldSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Short(text) => serializer.serialize_str(text),
            Self::Table(table) => table.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FieldSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = FieldSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record field, a template, or a table with from or template")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FieldSpec, E> {
                Ok(FieldSpec::Short(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldSpec, A::Error> {
                FieldTable::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(FieldSpec::Table)
            }
        }

        deserializer.deserialize_any(FieldVisitor)
    }
}
