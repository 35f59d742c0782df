//! Records as CSV: which columns, and how a line is spelt. The command line and the control room write the same.

use crate::model::{DataType, Properties, Property, Record};
use serde_json::Value;
use std::collections::HashSet;

/// One column of records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    Id,
    Created,
    Updated,
    /// A property, or a member of a text box list, by its key.
    Property(String),
}

impl Column {
    /// The heading.
    pub fn heading(&self) -> &str {
        match self {
            Self::Id => "id",
            Self::Created => "created_at",
            Self::Updated => "updated_at",
            Self::Property(key) => key,
        }
    }

    fn cell(&self, record: &Record) -> String {
        match self {
            Self::Id => record.id.to_string(),
            Self::Created => stamp(record.created_at),
            Self::Updated => stamp(record.updated_at),
            Self::Property(key) => cell(record.properties.get(key)),
        }
    }
}

/// The columns of a property: each member of a text box list has its own.
pub fn columns_of(property: &Property) -> Vec<Column> {
    if property.data_type != DataType::TextboxList || property.options.is_empty() {
        return vec![Column::Property(property.key.clone())];
    }
    let members = property.options.iter();
    members
        .map(|option| Column::Property(format!("{}.{}", property.key, option.key)))
        .collect()
}

/// All columns of records: id and times, the schema's properties, then what only the records know.
pub fn all<'a>(schema: &[Property], records: impl Iterator<Item = &'a Properties>) -> Vec<Column> {
    let mut columns = vec![Column::Id, Column::Created, Column::Updated];
    columns.extend(schema.iter().flat_map(columns_of));
    let mut known: HashSet<Column> = columns.iter().cloned().collect();
    for key in records.flat_map(Properties::keys) {
        let column = Column::Property(key.clone());
        if known.insert(column.clone()) {
            columns.push(column);
        }
    }
    columns
}

/// The first line.
pub fn heading(columns: &[Column]) -> String {
    line(columns.iter().map(|column| column.heading().to_owned()))
}

/// The line of a record.
pub fn row(columns: &[Column], record: &Record) -> String {
    line(columns.iter().map(|column| column.cell(record)))
}

/// A JSON value as a cell: text bare, everything else as JSON.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn stamp(at: Option<jiff::Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// True for digits with a sign, a point and an exponent at most: what a spreadsheet reads as a number and nothing else.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(unsigned(exponent))),
        None => (text, None),
    };
    let mantissa = unsigned(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    digits(whole)
        && digits(fraction)
        && whole.len() + fraction.len() > 0
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(&exponent))
}

/// One line of CSV (RFC 4180). A text that a spreadsheet would run as a formula gets a leading apostrophe.
fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells
        .map(|text| {
            let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(&text);
            let text = if formula { format!("'{text}") } else { text };
            if text.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text
            }
        })
        .collect();
    cells.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> String {
        line([text.to_owned()].into_iter())
    }

    #[test]
    fn csv_guards_against_formulas_and_quotes() {
        for (text, spelt) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\r=1", "\"'\r=1\""),
            ("+49 30", "'+49 30"),
            ("-1+cmd", "'-1+cmd"),
            // Rust reads these as floats, a spreadsheet as the name of something.
            ("-inf", "'-inf"),
            ("+nan", "'+nan"),
            ("-", "'-"),
            ("-.", "'-."),
            ("-5", "-5"),
            ("+5", "+5"),
            ("-0.25e-7", "-0.25e-7"),
            ("-5e", "'-5e"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("a=1", "a=1"),
        ] {
            assert_eq!(one(text), spelt, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cell_begins_as_a_formula_and_every_cell_reads_back(text in "[=+@\\-\t\r\n\",'0-9a-z. ]{0,8}") {
            let spelt = one(&text);
            let bare = match spelt.strip_prefix('"') {
                Some(rest) => rest.strip_suffix('"').unwrap().replace("\"\"", "\""),
                None => spelt,
            };
            prop_assert!(bare == text || bare.strip_prefix('\'') == Some(&text));
            let formula = bare.starts_with(['=', '+', '-', '@', '\t', '\r']);
            prop_assert!(!formula || bare.parse::<f64>().is_ok(), "{bare:?}");
        }
    }

    #[test]
    fn a_csv_has_members_of_lists_and_what_the_schema_does_not_know() {
        let property = |key: &str, data_type: &str, options: serde_json::Value| {
            serde_json::json!({
                "id": key, "key": key, "name": key, "data_type": data_type, "options": options,
                "allow_custom_option": false, "required": null, "unique": null,
            })
        };
        let members = serde_json::json!([{"key": "vet", "label": "Vet"}, {"key": "kitchen", "label": "Kitchen"}]);
        let properties: Vec<Property> = [
            property("name", "TEXT", serde_json::json!([])),
            property("notes", "TEXTBOX_LIST", members),
        ]
        .into_iter()
        .map(|value| serde_json::from_value(value).unwrap())
        .collect();
        let record = |key: &str| {
            let mut properties = Properties::new();
            properties.insert("notes.vet".into(), "well".into());
            properties.insert(key.into(), 1.into());
            properties
        };
        let records = [record("older_field"), record("older_field")];
        assert_eq!(
            heading(&all(&properties, records.iter())),
            "id,created_at,updated_at,name,notes.vet,notes.kitchen,older_field"
        );
    }
}
