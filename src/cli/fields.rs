//! `tramline fields`

use super::{Context, Exit};
use crate::model::{FieldKind, NewField, Problem};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the contact fields
    List {
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
    /// Create a contact field, show it in all lists, and add its options
    ///
    /// Three calls: where a later one fails, the same command again does what remains.
    Create {
        /// The field's title
        title: String,
        /// The type: text, textarea, number, date, datetime, dropdown, radio, listbox, checkbox, hidden
        #[arg(long, default_value = "text")]
        kind: String,
        /// The personalisation tag [default: the title in upper case with underscores]
        #[arg(long)]
        tag: Option<String>,
        /// An option of a choice; may be given several times
        #[arg(long = "option", value_name = "TEXT")]
        options: Vec<String>,
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let fields = match action {
        Action::List { connection } => {
            let connection = operations.connection(connection.as_deref())?;
            operations.contact_fields(&connection).await?
        }
        Action::Create {
            title,
            kind,
            tag,
            options,
            connection,
        } => {
            let kind = FieldKind::from(kind);
            if let FieldKind::Unknown(name) = &kind {
                return Err(super::usage(
                    format!("there is no field type `{name}`"),
                    "see `tramline fields create --help`",
                ));
            }
            let connection = operations.connection(connection.as_deref())?;
            let new = NewField {
                title,
                tag,
                kind,
                options,
            };
            vec![operations.create_contact_field(&connection, &new).await?]
        }
    };
    context.output.list(
        &fields,
        &["ID", "TAG", "TITLE", "TYPE", "OPTIONS"],
        |field| {
            let options: Vec<&str> = field
                .options
                .iter()
                .map(|option| option.value.as_str())
                .collect();
            vec![
                field.id.to_string(),
                format!("%{}%", field.tag),
                field.title.clone(),
                field.kind.as_str().into(),
                options.join(", "),
            ]
        },
    );
    operations.close().await;
    Ok(Exit::Done)
}
