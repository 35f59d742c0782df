//! Records as CSV: which columns, and how a line is spelt.

use crate::model::{DataType, Properties, Property};
use std::collections::HashSet;

/// The properties of a CSV: the schema's, with each member of a text box list on its own, then what only records know.
pub fn keys<'a>(schema: &[Property], records: impl Iterator<Item = &'a Properties>) -> Vec<String> {
    let mut keys = Vec::new();
    for property in schema {
        if property.data_type == DataType::TextboxList && !property.options.is_empty() {
            let members = property.options.iter();
            keys.extend(members.map(|option| format!("{}.{}", property.key, option.key)));
        } else {
            keys.push(property.key.clone());
        }
    }
    let mut known: HashSet<String> = keys.iter().cloned().collect();
    for key in records.flat_map(Properties::keys) {
        if known.insert(key.clone()) {
            keys.push(key.clone());
        }
    }
    keys
}

pub fn stamp(at: Option<jiff::Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// One line of CSV (RFC 4180). A text that a spreadsheet would run as a formula gets a leading apostrophe.
pub fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells
        .map(|text| {
            let number = text.parse::<f64>().is_ok();
            let text = if !number && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
                format!("'{text}")
            } else {
                text
            };
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

    #[test]
    fn csv_guards_against_formulas_and_quotes() {
        let text = line(
            ["=1+1", "-5", "a,b", "say \"x\"", "+49 30"]
                .into_iter()
                .map(str::to_owned),
        );
        assert_eq!(text, "'=1+1,-5,\"a,b\",\"say \"\"x\"\"\",'+49 30");
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
            keys(&properties, records.iter()),
            ["name", "notes.vet", "notes.kitchen", "older_field"]
        );
    }
}
