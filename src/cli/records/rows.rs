//! What is to be written into records: `--set` pairs and every spelling of `--data`.

use crate::cli::usage;
use crate::model::{ErrorClass, ObjectSchema, Problem, Properties, RecordId};
use serde_json::Value;

/// A record to write, as it was given.
pub struct Row {
    pub id: Option<RecordId>,
    pub properties: Properties,
}

/// `--set` values, typed by the schema.
pub fn set(schema: &ObjectSchema, pairs: &[String]) -> Result<Properties, Problem> {
    let mut properties = Properties::new();
    for pair in pairs {
        let (key, text) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("`{pair}` has no ="), "write --set FIELD=VALUE"))?;
        let value = schema
            .parse_value(key, text)
            .map_err(|reason| Problem::new(ErrorClass::Config, reason).field(key))?;
        properties.insert(key.to_owned(), value);
    }
    Ok(properties)
}

/// The records of an input text: an array, `{"records":[…]}`, one object, or JSON lines. Each record is its
/// properties, or holds them under `data` or `properties`, with `id` beside.
pub fn rows(text: &str) -> Result<Vec<Row>, Problem> {
    let values: Vec<Value> = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(items)) => items,
        Ok(Value::Object(mut map)) if map.get("records").is_some_and(Value::is_array) => {
            match map.remove("records") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        Ok(single) => vec![single],
        Err(whole) => text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| {
                serde_json::from_str(line).map_err(|error| {
                    usage(
                        format!(
                            "line {} is no JSON: {error} (nor is the whole: {whole})",
                            number + 1
                        ),
                        "give an array, JSON lines or {\"records\":[…]}",
                    )
                })
            })
            .collect::<Result<_, _>>()?,
    };
    if values.is_empty() {
        return Err(usage(
            "there is no record in the data",
            "give an array, JSON lines or {\"records\":[…]}",
        ));
    }
    values
        .into_iter()
        .enumerate()
        .map(|(index, value)| {
            row(value).ok_or_else(|| {
                usage(
                    format!("record {} is no object", index + 1),
                    "write {\"property\": value, …}",
                )
            })
        })
        .collect()
}

fn row(value: Value) -> Option<Row> {
    let Value::Object(mut map) = value else {
        return None;
    };
    for envelope in ["data", "properties"] {
        if let Some(Value::Object(_)) = map.get(envelope) {
            let id = map.get("id").and_then(Value::as_str).map(RecordId::from);
            let Some(Value::Object(properties)) = map.remove(envelope) else {
                return None;
            };
            return Some(Row { id, properties });
        }
    }
    let id = match map.remove("id") {
        Some(Value::String(id)) => Some(RecordId::from(id)),
        Some(other) => {
            map.insert("id".into(), other);
            None
        }
        None => None,
    };
    Some(Row {
        id,
        properties: map,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::cell;

    #[test]
    fn every_spelling_of_input_gives_the_same_rows() {
        for text in [
            r#"[{"name":"Rex"},{"name":"Ada"}]"#,
            "{\"name\":\"Rex\"}\n{\"name\":\"Ada\"}\n",
            r#"{"records":[{"data":{"name":"Rex"}},{"data":{"name":"Ada"}}]}"#,
            r#"[{"properties":{"name":"Rex"}},{"data":{"name":"Ada"}}]"#,
        ] {
            let names: Vec<String> = rows(text)
                .unwrap()
                .iter()
                .map(|row| cell(row.properties.get("name")))
                .collect();
            assert_eq!(names, ["Rex", "Ada"], "{text}");
        }
        let with_id = rows(r#"{"id":"66b1","name":"Rex"}"#).unwrap();
        assert_eq!(with_id[0].id, Some(RecordId::from("66b1")));
        assert!(with_id[0].properties.get("id").is_none());
        assert!(rows("[]").is_err() && rows("nonsense").is_err() && rows("[1]").is_err());
    }
}
