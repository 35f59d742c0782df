//! A list of records in every format.

use super::Format;
use crate::cli::output::{cell, time};
use crate::cli::{Context, usage};
use crate::model::{ObjectSchema, Problem, Record};
use crate::operations::records::csv::{self, Column};

/// Properties that a table shows unless columns are chosen: more seldom fit.
const PROPERTIES: usize = 6;

/// The columns of these names, in their order; none where none is named.
///
/// # Errors
/// The format has no columns, or the object has no such property.
pub fn chosen(
    schema: &ObjectSchema,
    format: Format,
    names: &[String],
) -> Result<Option<Vec<Column>>, Problem> {
    if names.is_empty() {
        return Ok(None);
    }
    if !matches!(format, Format::Table | Format::Csv) {
        return Err(usage(
            "--columns is for tables and CSV; JSON has whole records",
            "add --format csv, or leave --columns out",
        ));
    }
    let columns: Result<Vec<Vec<Column>>, Problem> = names
        .iter()
        .map(|name| match name.trim() {
            "id" => Ok(vec![Column::Id]),
            "created_at" => Ok(vec![Column::Created]),
            "updated_at" => Ok(vec![Column::Updated]),
            key => match (schema.property(key), schema.property_or_member(key)) {
                (Some(property), _) => Ok(csv::columns_of(property)),
                (None, Some(_)) => Ok(vec![Column::Property(key.to_owned())]),
                (None, None) => Err(usage(
                    format!("{} has no property `{key}`", schema.key),
                    format!("see tramline schemas show {}", schema.key.short()),
                )
                .field("columns")),
            },
        })
        .collect();
    Ok(Some(columns?.concat()))
}

/// Prints records; `columns` are those of a table or a CSV, the usual ones without.
pub fn list(
    context: &Context,
    schema: &ObjectSchema,
    records: &[Record],
    format: Format,
    columns: Option<Vec<Column>>,
) {
    let output = &context.output;
    match format {
        Format::Jsonl => records.iter().for_each(|record| output.document(record)),
        Format::Json => output.document(&records),
        Format::Table => {
            let columns = columns.unwrap_or_else(|| usual(schema));
            let headings: Vec<String> = columns.iter().map(title).collect();
            let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
            let rows: Vec<Vec<String>> = records
                .iter()
                .map(|record| {
                    let cells = columns.iter().map(|column| text(schema, column, record));
                    cells.collect()
                })
                .collect();
            output.table(&headings, &rows);
        }
        Format::Csv => {
            let properties = records.iter().map(|record| &record.properties);
            let columns = columns.unwrap_or_else(|| csv::all(&schema.properties, properties));
            output.data_line(&csv::heading(&columns));
            for record in records {
                output.data_line(&csv::row(&columns, record));
            }
        }
    }
}

/// Id, the property that names the record, some others, and the time of the last change.
fn usual(schema: &ObjectSchema) -> Vec<Column> {
    let primary = &schema.primary_property;
    let keys = schema.properties.iter().map(|property| &property.key);
    let others = keys.filter(|key| *key != primary);
    let properties = std::iter::once(primary).chain(others).take(PROPERTIES);
    let mut columns = vec![Column::Id];
    columns.extend(properties.cloned().map(Column::Property));
    columns.push(Column::Updated);
    columns
}

fn title(column: &Column) -> String {
    match column {
        Column::Created => "CREATED".to_owned(),
        Column::Updated => "UPDATED".to_owned(),
        column => column.heading().to_uppercase(),
    }
}

fn text(schema: &ObjectSchema, column: &Column, record: &Record) -> String {
    match column {
        Column::Id => record.id.to_string(),
        Column::Created => time(record.created_at),
        Column::Updated => time(record.updated_at),
        Column::Property(key) => {
            let property = schema.property(key).into_iter();
            let members: Vec<String> = property
                .flat_map(|property| property.members(&record.properties))
                .map(|(label, value)| format!("{label}: {}", cell(Some(value))))
                .collect();
            match members.is_empty() {
                true => cell(record.properties.get(key)),
                false => members.join("; "),
            }
        }
    }
}
