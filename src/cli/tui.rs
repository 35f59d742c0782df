//! `tramline tui`: opens the control room.

use super::{Context, Exit, usage};
use crate::model::{ErrorClass, Problem};
use crate::operations::Operations;
use crate::tui::{Ended, Overrides, ThemeName};
use std::io::IsTerminal;

#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Do not work the queue in this process
    #[arg(long)]
    no_worker: bool,
    /// The connection in view [default: the one that was in view last, else the first]
    #[arg(long)]
    connection: Option<String>,
    #[command(flatten)]
    look: Look,
}

/// How the control room looks this once, whatever `[tui]` of config.toml says.
#[derive(Debug, Default, clap::Args)]
pub struct Look {
    /// Draw at most so many frames a second when data changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=120))]
    fps: Option<u16>,
    /// Draw numbers that change often once a second at most, and no bars
    #[arg(long)]
    low_bandwidth: bool,
    /// Draw with ASCII only
    #[arg(long)]
    ascii: bool,
    /// dark, light, 16 (the terminal's own colours) or mono [default: that of config.toml; mono under NO_COLOR]
    #[arg(long, value_name = "NAME", value_parser = theme)]
    theme: Option<ThemeName>,
}

fn theme(name: &str) -> Result<ThemeName, String> {
    ThemeName::parse(name).ok_or_else(|| "themes are dark, light, 16 and mono".to_owned())
}

impl From<&Look> for Overrides {
    fn from(look: &Look) -> Self {
        Self {
            fps: look.fps,
            low_bandwidth: look.low_bandwidth,
            ascii: look.ascii,
            theme: look.theme,
        }
    }
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    if is_dumb() && on_terminal() {
        return Err(usage(
            "the control room cannot be drawn on this terminal: TERM is dumb",
            "set TERM to what the terminal is, such as xterm-256color, or use a command, see `tramline --help`",
        ));
    }
    if !has_terminal() {
        return Err(usage(
            "the control room needs a terminal on standard input and output",
            "use a command, see `tramline --help`",
        ));
    }
    let config = context.config()?;
    let operations = context.open_with(config, !arguments.no_worker).await?;
    let result = show(
        &operations,
        arguments.connection.as_deref(),
        &arguments.look,
        false,
    )
    .await;
    operations.close().await;
    result
}

/// True if a full-screen program can run here.
pub fn has_terminal() -> bool {
    on_terminal() && !is_dumb()
}

fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// True if the terminal says of itself that its cursor cannot be moved.
fn is_dumb() -> bool {
    std::env::var("TERM").as_deref() == Ok("dumb")
}

/// Runs the control room to its end, on a connection, or on the one that was in view last. `passing`: configuration and store
/// end with it.
pub async fn show(
    operations: &Operations,
    connection: Option<&str>,
    look: &Look,
    passing: bool,
) -> Result<Exit, Problem> {
    let last = match connection {
        Some(_) => None,
        None => crate::tui::last_connection(operations).await,
    };
    let connection = match last {
        Some(last) => last,
        None => operations.connection(connection)?,
    };
    let result = crate::tui::run(operations.clone(), connection, look.into(), passing).await;
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
