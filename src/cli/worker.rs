//! `tramline worker`

use super::{Context, Exit, reload, signals};
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
    let hang_up = reload::HangUp::listen();
    let operations = context.open(true).await?;
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
