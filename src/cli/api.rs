//! `tramline api`: one authenticated request through the shared budget.

use super::{Context, Exit, input::read_text};
use crate::model::Problem;
use crate::model::call::Api;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Side {
    Highlevel,
    Activecampaign,
}

#[derive(Debug, clap::Args)]
pub struct Arguments {
    api: Side,
    /// GET, POST, PUT, PATCH or DELETE
    method: String,
    /// A relative path with its query, such as /objects/ or /contacts?limit=1
    path: String,
    /// The request's JSON body: a file, or - for standard input
    #[arg(long, value_name = "FILE|-")]
    data: Option<String>,
    /// The connection [default: the first]
    #[arg(long)]
    connection: Option<String>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let body = match &arguments.data {
        Some(from) => Some(serde_json::from_str(&read_text(from)?).map_err(|error| {
            super::usage(
                format!("the body is no JSON: {error}"),
                "mend it and try again",
            )
        })?),
        None => None,
    };
    let operations = context.open(false).await?;
    let connection = operations.connection(arguments.connection.as_deref())?;
    let api = match arguments.api {
        Side::Highlevel => Api::HighLevel,
        Side::Activecampaign => Api::ActiveCampaign,
    };
    let (status, answer) = operations
        .raw(&connection, api, &arguments.method, &arguments.path, body)
        .await?;
    operations.close().await;
    context.output.note(&format!("HTTP {status}"));
    if context.output.is_json() {
        context.output.document(&answer);
    } else {
        context.output.pretty(&answer);
    }
    Ok(if (200..300).contains(&status) {
        Exit::Done
    } else {
        Exit::Failed
    })
}
