//! `tramline worker`

use super::{Context, Exit, signals};
use crate::model::Problem;

#[derive(Debug, clap::Args)]
pub struct Arguments {
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
    context.output.note("worker started; stop it with ctrl-c");
    let exit = if arguments.until_idle {
        tokio::select! {
            result = operations.idle() => result.map(|()| Exit::Done)?,
            exit = signals::stop() => exit,
        }
    } else {
        signals::stop().await
    };
    operations.close().await;
    Ok(exit)
}
