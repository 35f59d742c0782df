//! `tramline schemas`

use super::{Context, Exit};
use crate::model::{ConnectionName, ObjectKey, Problem};
use crate::operations::schemas::reads;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the objects
    List {
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
    /// Show an object with its properties
    Show {
        /// The object's key, with or without `custom_objects.`
        key: String,
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    match action {
        Action::List { connection } => {
            let connection = operations.connection(connection.as_deref())?;
            let schemas = operations.schemas(&connection, true).await?;
            context
                .output
                .list(&schemas, &["KEY", "LABEL", "KIND", "RECORDS"], |summary| {
                    vec![
                        summary.schema.key.to_string(),
                        summary.schema.plural.clone(),
                        if summary.schema.standard {
                            "standard"
                        } else {
                            "custom"
                        }
                        .into(),
                        summary
                            .records
                            .map_or_else(|| "—".into(), |count| count.to_string()),
                    ]
                });
            if !context.output.is_json() {
                for summary in &schemas {
                    if let Some(problem) = &summary.problem {
                        let key = &summary.schema.key;
                        context
                            .output
                            .note(&format!("{key} could not be counted: {problem}"));
                    }
                }
            }
        }
        Action::Show { key, connection } => {
            let connection: ConnectionName = operations.connection(connection.as_deref())?;
            let object = ObjectKey::from_input(&key);
            let schema = operations.schema(&connection, &object).await?;
            if context.output.is_json() {
                context.output.document(&schema);
            } else {
                context
                    .output
                    .line(&format!("{} — {}", schema.key, schema.plural));
                let mapped = operations.mapped_to(&connection, &schema.key);
                let rows: Vec<Vec<String>> = schema
                    .properties
                    .iter()
                    .map(|property| {
                        let targets: Vec<&str> = mapped
                            .iter()
                            .filter(|(name, _)| reads(name, &property.key))
                            .map(|(_, target)| target.as_str())
                            .collect();
                        let options: Vec<&str> = property
                            .options
                            .iter()
                            .map(|option| option.label.as_str())
                            .collect();
                        vec![
                            property.key.clone(),
                            property.name.clone(),
                            property.data_type.as_str().into(),
                            options.join(", "),
                            targets.join(", "),
                        ]
                    })
                    .collect();
                context
                    .output
                    .table(&["KEY", "LABEL", "TYPE", "OPTIONS", "MAPPED TO"], &rows);
            }
        }
    }
    operations.close().await;
    Ok(Exit::Done)
}
