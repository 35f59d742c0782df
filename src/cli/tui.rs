//! `tramline tui`: opens the control room.

use super::{Context, Exit, usage};
use crate::model::{ErrorClass, Problem};
use crate::operations::Operations;
use crate::tui::{Ended, Options};
use std::io::IsTerminal;

#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Do not work the queue in this process
    #[arg(long)]
    no_worker: bool,
    /// The connection in view [default: the one that was in view last, else the first]
    #[arg(long)]
    connection: Option<String>,
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
    let result = show(&operations, arguments.connection.as_deref()).await;
    operations.close().await;
    result
}

/// True if a full-screen program can run here.
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::env::var("TERM").as_deref() != Ok("dumb")
}

/// Runs the control room to its end, on a connection, or on the one that was in view last.
pub async fn show(operations: &Operations, connection: Option<&str>) -> Result<Exit, Problem> {
    let last = match connection {
        Some(_) => None,
        None => crate::tui::last_connection(operations).await,
    };
    let connection = match last {
        Some(last) => last,
        None => operations.connection(connection)?,
    };
    let options = Options::of(&operations.tui(), connection);
    let result = crate::tui::run(operations.clone(), options).await;
    match result {
        Ok(Ended::Quit) => Ok(Exit::Done),
        Ok(Ended::Interrupted) => Ok(Exit::Interrupted),
        Ok(Ended::Terminated) => Ok(Exit::Terminated),
        // What happened stands on the terminal already.
        Ok(Ended::Failed) => Ok(Exit::Failed),
        Err(error) => Err(Problem::new(
            ErrorClass::Config,
            format!("the control room stopped: {error:#}"),
        )),
    }
}
