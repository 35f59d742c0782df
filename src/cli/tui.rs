//! `tramline tui`: opens the control room.

use super::{Context, Exit, usage};
use crate::model::{ErrorClass, Problem};
use crate::operations::Operations;
use crate::tui::Options;
use std::io::IsTerminal;

#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Do not work the queue in this process
    #[arg(long)]
    no_worker: bool,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    if !has_terminal() {
        return Err(usage(
            "the control room needs a terminal on standard input and output",
            "use a command, see `tramline --help`",
        ));
    }
    let config = context.config()?;
    let operations = context.open_with(config, !arguments.no_worker).await?;
    let result = show(&operations).await;
    operations.close().await;
    result
}

/// True if a full-screen program can run here.
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::env::var("TERM").as_deref() != Ok("dumb")
}

/// Runs the control room to its end.
pub async fn show(operations: &Operations) -> Result<Exit, Problem> {
    let options = Options::of(&operations.tui(), operations.connection(None)?);
    let result = crate::tui::run(operations.clone(), options).await;
    result.map(|()| Exit::Done).map_err(|error| {
        Problem::new(
            ErrorClass::Config,
            format!("the control room stopped: {error:#}"),
        )
    })
}
