//! `tramline alerts list|test`

use super::output::time;
use super::{Context, Exit};
use crate::model::Problem;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Conditions that hold or have held, and whether people were told
    List,
    /// Send a test message the way alerts go
    Test,
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let result = match action {
        Action::List => operations.alerts().await.map(|alerts| {
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
        }),
        Action::Test => operations
            .test_alert()
            .await
            .map(|()| context.output.note("the test message was delivered")),
    };
    operations.close().await;
    result.map(|()| Exit::Done)
}
