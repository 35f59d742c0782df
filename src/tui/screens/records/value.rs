//! A record's values as people read them.

use crate::model::{Properties, Property};
use serde_json::Value;

fn label<'a>(property: Option<&'a Property>, key: &'a str) -> &'a str {
    property
        .and_then(|p| p.options.iter().find(|option| option.key == key))
        .map_or(key, |option| option.label.as_str())
}

/// A value in one line: option labels for keys, amounts with their currency, numbers with all their digits.
pub fn show(property: Option<&Property>, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => label(property, text).to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| show(property, item)).collect();
            items.join(", ")
        }
        Value::Object(map) => match (map.get("value"), map.get("currency"), map.get("url")) {
            (Some(amount), Some(currency), _) => {
                let amount = show(None, amount);
                match currency.as_str() {
                    Some("default") | None => amount,
                    Some(currency) => format!("{amount} {currency}"),
                }
            }
            (_, _, Some(url)) => show(None, url),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// The value of a property, TEXTBOX_LIST gathered from its members.
pub fn of(property: &Property, properties: &Properties) -> String {
    let members: Vec<String> = property
        .members(properties)
        .map(|(label, value)| format!("{label}: {}", show(None, value)))
        .collect();
    if !members.is_empty() {
        return members.join("; ");
    }
    match properties.get(&property.key) {
        Some(value) => show(Some(property), value),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DataType, PropertyOption};
    use serde_json::json;

    #[test]
    fn labels_amounts_and_digits() {
        let property = Property {
            id: "1".into(),
            key: "t".into(),
            name: "T".into(),
            data_type: DataType::MultipleOptions,
            options: vec![PropertyOption {
                key: "calm".into(),
                label: "Calm".into(),
            }],
            allow_custom_option: false,
            required: None,
            unique: None,
        };
        assert_eq!(show(Some(&property), &json!(["calm", "odd"])), "Calm, odd");
        assert_eq!(show(None, &json!({"currency": "EUR", "value": 5})), "5 EUR");
        assert_eq!(
            show(None, &json!({"currency": "default", "value": "5"})),
            "5"
        );
        let number: Value = serde_json::from_str("12.40").unwrap();
        assert_eq!(show(None, &number), "12.40");
        assert_eq!(show(None, &Value::Null), "");
    }
}
