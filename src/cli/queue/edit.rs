//! `tramline queue edit`

use crate::cli::input::read_text;
use crate::cli::{Context, Exit, usage};
use crate::model::Problem;
use crate::operations::{EditValue, Operations};

#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The job's id, or a unique beginning of it
    id: String,
    /// A value for a property of the record, or for a contact field that one is mapped to; may be given several times
    #[arg(
        long = "set",
        value_name = "FIELD=VALUE",
        required_unless_present = "data"
    )]
    set: Vec<String>,
    /// The same as a JSON object: a file, or - for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with = "set")]
    data: Option<String>,
}

pub async fn run(
    context: &Context,
    operations: &Operations,
    arguments: Edit,
) -> Result<Exit, Problem> {
    let mut changes = Vec::new();
    for pair in &arguments.set {
        let (field, text) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("`{pair}` has no ="), "write --set FIELD=VALUE"))?;
        changes.push((field.to_owned(), EditValue::Text(text.to_owned())));
    }
    if let Some(from) = &arguments.data {
        let values: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&read_text(from)?).map_err(|error| {
                usage(
                    format!("the data is no JSON object: {error}"),
                    "write {\"property\": value, …}",
                )
            })?;
        changes.extend(
            values
                .into_iter()
                .map(|(field, value)| (field, EditValue::Json(value))),
        );
    }
    let edited = operations.edit_job(&arguments.id, &changes).await?;
    if context.output.is_json() {
        context.output.document(&edited);
        return Ok(Exit::Done);
    }
    for field in &edited.fields {
        if let Some(send) = &field.send {
            context.output.line(&format!("{}: {send}", field.field));
        }
    }
    context.output.line(&format!(
        "{} is {} with these values, until its record changes",
        edited.job.id,
        edited.job.state.name()
    ));
    Ok(Exit::Done)
}
