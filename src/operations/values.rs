//! Property values a person writes: held against the schema before they are sent.

use crate::model::{DataType, ErrorClass, ObjectSchema, Problem, Properties};
use serde_json::Value;

/// Checks that every property exists and that its value has the type's shape; null clears.
///
/// # Errors
/// The first property at fault, with what its type wants.
pub fn check(schema: &ObjectSchema, properties: &Properties) -> Result<(), Problem> {
    if properties.is_empty() {
        return Err(Problem::new(
            ErrorClass::Invalid,
            "there is nothing to write",
        ));
    }
    for (key, value) in properties {
        let fault =
            |message: String| Problem::new(ErrorClass::Invalid, message).field(key.as_str());
        let (property, member) = schema.property_or_member(key).ok_or_else(|| {
            let near = schema
                .properties
                .iter()
                .map(|property| (strsim::jaro_winkler(&property.key, key), &property.key))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(score, _)| *score > 0.75);
            let problem = fault(format!("{} has no such property", schema.key));
            match near {
                Some((_, name)) => problem.remedy(format!("did you mean `{name}`?")),
                None => problem.remedy(format!("see tramline schemas show {}", schema.key.short())),
            }
        })?;
        if value.is_null() {
            continue;
        }
        let option = |value: &Value| {
            property.allow_custom_option
                || value.as_str().is_some_and(|text| {
                    text.is_empty() || property.options.iter().any(|option| option.key == text)
                })
        };
        let fits = match &property.data_type {
            DataType::Numerical => value.is_number(),
            DataType::Monetory => value.get("value").is_some_and(Value::is_number),
            DataType::MultipleOptions | DataType::Checkbox => value
                .as_array()
                .is_some_and(|items| items.iter().all(option)),
            DataType::SingleOptions | DataType::Radio => value.is_string() && option(value),
            DataType::FileUpload => value.is_array(),
            DataType::TextboxList => member && value.is_string(),
            DataType::Date => value
                .as_str()
                .is_some_and(|text| text.is_empty() || text.parse::<jiff::civil::Date>().is_ok()),
            DataType::Text | DataType::LargeText | DataType::Phone | DataType::Email => {
                value.is_string()
            }
            DataType::Unknown(_) => true,
        };
        if !fits {
            return Err(fault(format!(
                "{value} does not fit {}",
                property.data_type.as_str()
            ))
            .remedy(property.wants()));
        }
    }
    Ok(())
}
