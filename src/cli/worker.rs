//! `tramline worker`

use super::{Context, Exit, reload, signals};
use crate::model::Problem;
use crate::operations::{OpenOptions, Operations};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Stop when no job is ready and no export runs
    #[arg(long)]
    until_idle: bool,
    /// Milliseconds that a lease lasts, for rehearsals of a worker that stalls
    #[arg(long, hide = true, value_name = "MS", value_parser = clap::value_parser!(u64).range(100..=30_000))]
    lease: Option<u64>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    if context.global.read_only {
        return Err(super::usage(
            "a worker writes, and --read-only forbids it",
            "leave one of them out",
        ));
    }
    let hang_up = reload::HangUp::listen();
    let options = OpenOptions {
        lease: arguments.lease.map(Duration::from_millis),
        ..context.options(true)
    };
    let operations = Operations::open(context.config()?, options).await?;
    context.output.note("worker started; stop it with ctrl-c");
    let idle = async {
        match arguments.until_idle {
            true => operations.idle().await.map(|()| Exit::Done),
            false => std::future::pending().await,
        }
    };
    let exit = tokio::select! {
        result = idle => result?,
        exit = signals::stop() => exit,
        () = reload::follow(hang_up, &operations, &context.output) => Exit::Done,
    };
    operations.close().await;
    Ok(exit)
}
