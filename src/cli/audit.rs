//! `tramline audit`

use super::output::time;
use super::{Context, Exit};
use crate::model::Problem;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// At most so many actions, the latest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Leave out what is of another connection [default: all connections]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let only = operations.named(arguments.connection.as_deref())?;
    let entries = operations.audit(arguments.limit, only.as_ref()).await?;
    operations.close().await;
    let columns = [
        "TIME", "WHO", "ACTION", "TARGET", "COUNT", "OUTCOME", "REASON",
    ];
    context.output.list(&entries, &columns, |entry| {
        vec![
            time(Some(entry.at)),
            entry.who.clone(),
            entry.action.clone(),
            match &entry.connection {
                Some(connection) => format!("{} ({connection})", entry.target),
                None => entry.target.clone(),
            },
            entry
                .count
                .map(|count| count.to_string())
                .unwrap_or_default(),
            entry.outcome.clone().unwrap_or_else(|| "begun".into()),
            entry.reason.clone().unwrap_or_default(),
        ]
    });
    Ok(Exit::Done)
}
