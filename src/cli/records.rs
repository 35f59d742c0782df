//! `tramline records`

use super::output::{cell, time};
use super::{Context, Exit, usage};
use crate::model::{
    DataType, ErrorClass, ObjectKey, ObjectSchema, Problem, Properties, Property, Record, RecordId,
};
use crate::operations::Operations;
use crate::operations::records::{RecordCursor, Written};
use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use std::collections::HashSet;
use std::io::Read;

/// Records of one page (fact sheet §2.7: at most 100).
const PAGE: u64 = 100;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List an object's records, newest first
    List {
        /// The object's key, with or without `custom_objects.`
        object: String,
        /// HighLevel's own search over the searchable properties
        #[arg(long, value_name = "Q")]
        query: Option<String>,
        /// At most so many records
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
    /// Show one record
    Get {
        object: String,
        id: String,
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
    /// Create records
    Create {
        object: String,
        #[command(flatten)]
        input: Input,
    },
    /// Change properties of records; the others stay
    Update {
        object: String,
        /// The record; not needed where --data gives an id with each record
        id: Option<String>,
        #[command(flatten)]
        input: Input,
    },
    /// Delete records
    Delete {
        object: String,
        #[arg(required = true)]
        ids: Vec<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Jsonl,
    Csv,
}

#[derive(Debug, clap::Args)]
pub struct Input {
    /// A property, such as weight=12.4 or 'temperament=["calm","shy"]'; may be given several times
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// An array, JSON lines or {"records":[{"data":{…}}]}: a file, or - for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with = "set")]
    data: Option<String>,
    /// The connection [default: the first]
    #[arg(long)]
    connection: Option<String>,
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let exit = match action {
        Action::List {
            object,
            query,
            limit,
            format,
            connection,
        } => {
            let connection = operations.connection(connection.as_deref())?;
            let object = ObjectKey::from_input(&object);
            let schema = operations.schema(&connection, &object).await?;
            let mut records = Vec::new();
            let mut known = HashSet::new();
            let mut cursor: Option<RecordCursor> = None;
            // One size for all pages: page 2 of another size begins elsewhere.
            let size = limit.min(PAGE);
            while (records.len() as u64) < limit {
                let page = operations
                    .records(
                        &connection,
                        &object,
                        query.as_deref(),
                        cursor.as_ref(),
                        size as u32,
                    )
                    .await?;
                let before = known.len();
                // Rows shift while records are created: one may come twice.
                records.extend(
                    page.records
                        .into_iter()
                        .filter(|record| known.insert(record.id.clone())),
                );
                cursor = page.next;
                if cursor.is_none() || known.len() == before {
                    break;
                }
            }
            records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let default = if context.output.is_json() {
                Format::Jsonl
            } else {
                Format::Table
            };
            print_records(context, &schema, &records, format.unwrap_or(default))
        }
        Action::Get {
            object,
            id,
            connection,
        } => {
            let connection = operations.connection(connection.as_deref())?;
            let object = ObjectKey::from_input(&object);
            let record = operations
                .record(&connection, &object, &RecordId::from(id))
                .await?;
            if context.output.is_json() {
                context.output.document(&record);
            } else {
                let mut rows = vec![
                    vec!["id".to_owned(), record.id.to_string()],
                    vec!["created_at".into(), time(record.created_at)],
                    vec!["updated_at".into(), time(record.updated_at)],
                ];
                rows.extend(
                    record
                        .properties
                        .iter()
                        .map(|(key, value)| vec![key.clone(), cell(Some(value))]),
                );
                context.output.table(&["PROPERTY", "VALUE"], &rows);
            }
            Ok(Exit::Done)
        }
        Action::Create { object, input } => {
            write(context, &operations, &object, None, input, true).await
        }
        Action::Update { object, id, input } => {
            write(context, &operations, &object, id, input, false).await
        }
        Action::Delete {
            object,
            ids,
            yes,
            connection,
        } => {
            let connection = operations.connection(connection.as_deref())?;
            let object = ObjectKey::from_input(&object);
            operations.writable()?;
            if !yes
                && !confirm(&format!(
                    "Delete {} record(s) of {object} in HighLevel?",
                    ids.len()
                ))?
            {
                return Err(usage("not deleted", "answer y, or give --yes"));
            }
            let mut results = Vec::new();
            for id in ids {
                let id = RecordId::from(id);
                let result = operations.delete_record(&connection, &object, &id).await;
                results.push(written(Some(id), "deleted", result));
            }
            Ok(print_written(context, &results))
        }
    };
    operations.close().await;
    exit
}

fn print_records(
    context: &Context,
    schema: &ObjectSchema,
    records: &[Record],
    format: Format,
) -> Result<Exit, Problem> {
    let keys: Vec<&str> = schema
        .properties
        .iter()
        .map(|property| property.key.as_str())
        .collect();
    match format {
        Format::Jsonl => records
            .iter()
            .for_each(|record| context.output.document(record)),
        Format::Json => context.output.document(&records),
        Format::Table => {
            let mut shown: Vec<&str> = vec![schema.primary_property.as_str()];
            shown.extend(
                keys.iter()
                    .copied()
                    .filter(|key| *key != schema.primary_property)
                    .take(5),
            );
            let mut columns = vec!["ID".to_owned()];
            columns.extend(shown.iter().map(|key| key.to_uppercase()));
            columns.push("UPDATED".into());
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let rows: Vec<Vec<String>> = records
                .iter()
                .map(|record| {
                    let mut row = vec![record.id.to_string()];
                    row.extend(shown.iter().map(|key| cell(record.properties.get(*key))));
                    row.push(time(record.updated_at));
                    row
                })
                .collect();
            context.output.table(&columns, &rows);
        }
        Format::Csv => {
            let keys = csv_keys(
                &schema.properties,
                records.iter().map(|record| &record.properties),
            );
            let columns = ["id", "created_at", "updated_at"].map(str::to_owned);
            context
                .output
                .data_line(&csv_line(columns.into_iter().chain(keys.iter().cloned())));
            for record in records {
                let mut row = vec![
                    record.id.to_string(),
                    stamp(record.created_at),
                    stamp(record.updated_at),
                ];
                row.extend(keys.iter().map(|key| cell(record.properties.get(key))));
                context.output.data_line(&csv_line(row.into_iter()));
            }
        }
    }
    Ok(Exit::Done)
}

/// The properties of a CSV: the schema's, with each member of a text box list on its own, then what only records know.
fn csv_keys<'a>(schema: &[Property], records: impl Iterator<Item = &'a Properties>) -> Vec<String> {
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

fn stamp(at: Option<jiff::Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// One line of CSV (RFC 4180). A text that a spreadsheet would run as a formula gets a leading apostrophe.
fn csv_line(cells: impl Iterator<Item = String>) -> String {
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

async fn write(
    context: &Context,
    operations: &Operations,
    object: &str,
    id: Option<String>,
    input: Input,
    create: bool,
) -> Result<Exit, Problem> {
    operations.writable()?;
    let connection = operations.connection(input.connection.as_deref())?;
    let object = ObjectKey::from_input(object);
    let rows = match &input.data {
        Some(from) => rows(&read_text(from)?)?,
        None if input.set.is_empty() => {
            return Err(usage(
                "nothing to write",
                "give --set FIELD=VALUE or --data FILE|-",
            ));
        }
        None => {
            let schema = operations.schema(&connection, &object).await?;
            vec![Row {
                id: None,
                properties: set(&schema, &input.set)?,
            }]
        }
    };
    if !create && id.is_none() && rows.iter().any(|row| row.id.is_none()) {
        return Err(usage(
            "which record?",
            "give its id as an argument, or \"id\" with each record in the data",
        ));
    }
    let mut results = Vec::with_capacity(rows.len());
    for row in rows {
        let target = row.id.or_else(|| id.clone().map(RecordId::from));
        results.push(match target.filter(|_| !create) {
            None => {
                let result = operations
                    .create_record(&connection, &object, &row.properties)
                    .await;
                let id = result.as_ref().ok().map(|record| record.id.clone());
                written(id, "created", result)
            }
            Some(target) => {
                let result = operations
                    .update_record(&connection, &object, &target, &row.properties)
                    .await;
                written(Some(target), "updated", result)
            }
        });
    }
    Ok(print_written(context, &results))
}

fn written<T>(record: Option<RecordId>, outcome: &str, result: Result<T, Problem>) -> Written {
    let outcome = if result.is_ok() { outcome } else { "failed" };
    Written {
        record,
        outcome: outcome.to_owned(),
        error: result.err(),
    }
}

fn print_written(context: &Context, results: &[Written]) -> Exit {
    context
        .output
        .list(results, &["RECORD", "OUTCOME", "ERROR"], |written| {
            vec![
                written
                    .record
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                written.outcome.clone(),
                written
                    .error
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ]
        });
    let failed = results.iter().filter(|written| written.error.is_some());
    Exit::of(results.len(), failed.count())
}

struct Row {
    id: Option<RecordId>,
    properties: Properties,
}

/// `--set` values, typed by the schema.
fn set(schema: &ObjectSchema, pairs: &[String]) -> Result<Properties, Problem> {
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
fn rows(text: &str) -> Result<Vec<Row>, Problem> {
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

/// The text of a file, or of standard input for `-`.
pub fn read_text(from: &str) -> Result<String, Problem> {
    let result = if from == "-" {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map(|_| text)
    } else {
        std::fs::read_to_string(from)
    };
    result.map_err(|error| {
        usage(
            format!("{from} cannot be read: {error}"),
            "name a file, or - for standard input",
        )
    })
}

/// Asks on the terminal; no terminal means no.
pub fn confirm(question: &str) -> Result<bool, Problem> {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() {
        return Err(usage(
            format!("{question} cannot be asked without a terminal"),
            "give --yes",
        ));
    }
    eprint!("{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| {
        Problem::new(
            ErrorClass::Config,
            format!("the answer cannot be read: {error}"),
        )
    })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn csv_guards_against_formulas_and_quotes() {
        let line = csv_line(
            ["=1+1", "-5", "a,b", "say \"x\"", "+49 30"]
                .into_iter()
                .map(str::to_owned),
        );
        assert_eq!(line, "'=1+1,-5,\"a,b\",\"say \"\"x\"\"\",'+49 30");
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
            csv_keys(&properties, records.iter()),
            ["name", "notes.vet", "notes.kitchen", "older_field"]
        );
    }
}
