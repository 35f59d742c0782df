//! `tramline worker`

use super::{Context, Exit, signals};
use crate::model::Problem;
use crate::operations::Operations;
use crate::operations::triggers::Listening;
use std::net::SocketAddr;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where webhooks are received [default: listen in [webhooks], else 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Stop when no job is ready and no export runs
    #[arg(long)]
    until_idle: bool,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    if context.global.read_only {
        return Err(super::usage(
            "a worker writes, and --read-only forbids it",
            "leave one of them out",
        ));
    }
    let operations = context.open(true).await?;
    let exit = work(context, &operations, arguments).await;
    operations.close().await;
    exit
}

async fn work(
    context: &Context,
    operations: &Operations,
    arguments: Arguments,
) -> Result<Exit, Problem> {
    context.output.note("worker started; stop it with ctrl-c");
    // One that ends by itself takes nothing new, unless it is told where to listen.
    if !arguments.until_idle || arguments.listen.is_some() {
        context.output.note(&match operations.start_triggers(arguments.listen).await? {
            Listening::At(address) => format!("webhooks are received at http://{address}"),
            Listening::Standby(address) => format!(
                "{address} is in use, by another worker perhaps: webhooks are received here once it is free"
            ),
        });
    }
    if !arguments.until_idle {
        return Ok(signals::stop().await);
    }
    operations.work_off_webhooks().await?;
    tokio::select! {
        result = operations.idle() => result.map(|()| Exit::Done),
        exit = signals::stop() => Ok(exit),
    }
}
