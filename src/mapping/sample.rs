//! A made-up record with a value of every type, for trying templates before a real one is seen.

use crate::model::{
    DataType, ObjectSchema, Properties, Property, Record, RecordId, RelatedContact,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A record that has every property.
pub(super) fn record(schema: &ObjectSchema) -> Record {
    let mut properties = Properties::new();
    for property in &schema.properties {
        if property.data_type == DataType::TextboxList {
            for option in &property.options {
                properties.insert(format!("{}.{}", property.key, option.key), json!("text"));
            }
        } else {
            properties.insert(property.key.clone(), value(property));
        }
    }
    Record {
        id: RecordId::from("000000000000000000000001"),
        object: schema.key.clone(),
        properties,
        owners: vec!["owner".to_owned()],
        followers: Vec::new(),
        created_at: Some(Timestamp::UNIX_EPOCH),
        updated_at: Some(Timestamp::UNIX_EPOCH),
        relations: None,
        search_after: None,
    }
}

fn value(property: &Property) -> Value {
    let option = || {
        property
            .options
            .first()
            .map_or("", |option| option.key.as_str())
    };
    match property.data_type {
        DataType::Numerical => json!(12),
        DataType::Monetory => json!({ "currency": "default", "value": 100 }),
        DataType::Date => json!("2024-07-31"),
        DataType::SingleOptions | DataType::Radio => json!(option()),
        DataType::MultipleOptions | DataType::Checkbox => json!([option()]),
        DataType::FileUpload => json!([{ "url": "https://example.org/file" }]),
        DataType::Email => json!("jo@example.org"),
        DataType::Phone => json!("+15550100"),
        DataType::Text | DataType::LargeText | DataType::TextboxList | DataType::Unknown(_) => {
            json!("text")
        }
    }
}

/// A contact that an association might lead to.
pub(super) fn related() -> RelatedContact {
    RelatedContact {
        id: "contact".to_owned(),
        first_name: Some("Jo".to_owned()),
        last_name: Some("Doe".to_owned()),
        email: Some("jo@example.org".to_owned()),
        phone: Some("+15550100".to_owned()),
        company: Some("Example".to_owned()),
        tags: vec!["tag".to_owned()],
    }
}
