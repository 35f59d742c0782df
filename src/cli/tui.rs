//! `tramline tui`: opens the control room.

use super::{Context, Exit, usage};
use crate::config::Config;
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
    let options = options(&config)?;
    let operations = context.open_with(config, !arguments.no_worker).await?;
    open(operations, options).await
}

/// True if a full-screen program can run here.
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && std::env::var("TERM").as_deref() != Ok("dumb")
}

/// Runs the control room to its end.
pub async fn open(operations: Operations, options: Options) -> Result<Exit, Problem> {
    let result = crate::tui::run(operations.clone(), options).await;
    operations.close().await;
    result.map(|()| Exit::Done).map_err(|error| Problem::new(ErrorClass::Store, format!("the control room stopped: {error:#}")))
}

/// The control room's options from `[tui]`.
pub fn options(config: &Config) -> Result<Options, Problem> {
    let keys = config.tui.keys.iter().map(|(action, keys)| (action.clone(), keys.list())).collect();
    Options::new(&config.tui, keys).map_err(|error| usage(format!("[tui]: {error}"), "see config.example.toml"))
}
