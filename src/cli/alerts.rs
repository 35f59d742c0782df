//! `tramline alerts list|test`

use super::output::time;
use super::{Context, Exit};
use crate::model::Problem;
use crate::operations::Operations;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Conditions that hold or have held, and whether people were told
    List {
        /// Only those of a connection [default: all connections]
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
    },
    /// Send a test message the way alerts go
    Test,
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let result = match action {
        Action::List { connection } => list(context, &operations, connection.as_deref()).await,
        Action::Test => operations
            .test_alert()
            .await
            .map(|()| context.output.note("the test message was delivered")),
    };
    operations.close().await;
    result.map(|()| Exit::Done)
}

async fn list(
    context: &Context,
    operations: &Operations,
    connection: Option<&str>,
) -> Result<(), Problem> {
    let only = operations.named(connection)?;
    let mut alerts = operations.alerts().await?;
    alerts.retain(|alert| only.as_ref().is_none_or(|only| alert.connection == *only));
    let columns = ["CONDITION", "CONNECTION", "STATE", "SINCE", "TOLD"];
    context.output.list(&alerts, &columns, |alert| {
        vec![
            alert.condition.clone(),
            alert.connection.to_string(),
            if alert.firing { "firing" } else { "over" }.to_owned(),
            time(Some(alert.since)),
            time(alert.told_at),
        ]
    });
    Ok(())
}
