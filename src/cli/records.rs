//! `tramline records`

mod print;
mod rows;

use super::input::{confirm, read_text};
use super::limit::Limit;
use super::output::{cell, time};
use super::{Context, Exit, usage};
use crate::model::{ObjectKey, Problem, RecordId};
use crate::operations::Operations;
use crate::operations::records::{RecordOrder, RecordSearch, Written};
use clap::{Subcommand, ValueEnum};
use rows::{Row, rows, set};

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
        #[command(flatten)]
        limit: Limit,
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// Which record comes first: the one that changed last, or the one that has not changed for longest
        #[arg(long, value_enum, default_value_t = Order::Newest)]
        order: Order,
        /// Columns of a table or a CSV, in this order: properties, id, created_at, updated_at
        #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
        columns: Vec<String>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    Newest,
    Oldest,
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
            order,
            columns,
            connection,
        } => {
            let connection = operations.connection(connection.as_deref())?;
            let object = ObjectKey::from_input(&object);
            let schema = operations.schema(&connection, &object).await?;
            let format = format.unwrap_or(match context.output.is_json() {
                true => Format::Jsonl,
                false => Format::Table,
            });
            let chosen = print::chosen(&schema, format, &columns)?;
            let search = RecordSearch {
                query,
                order: match order {
                    Order::Newest => RecordOrder::Newest,
                    Order::Oldest => RecordOrder::Oldest,
                },
            };
            let most = limit.number();
            let size = most.min(PAGE) as u32;
            let mut walk = operations.walk_records(&connection, &object, search, size)?;
            let mut records = Vec::new();
            let mut more = true;
            while more && (records.len() as u64) < most {
                match walk.next().await? {
                    Some(page) => records.extend(page),
                    None => more = false,
                }
            }
            records.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            print::list(context, &schema, &records, format, chosen);
            limit.tell(
                context,
                "records",
                records.len(),
                walk.total(),
                more && !walk.is_over(),
            );
            Ok(Exit::Done)
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
    Exit::of(failed.count())
}
