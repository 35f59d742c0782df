//! `tramline completions` and `tramline man`

use super::Exit;
use crate::model::{ErrorClass, Problem};

#[derive(Debug, clap::Args)]
pub struct Completions {
    shell: clap_complete::Shell,
}

pub fn completions(arguments: Completions, mut command: clap::Command) -> Result<Exit, Problem> {
    clap_complete::generate(
        arguments.shell,
        &mut command,
        "tramline",
        &mut std::io::stdout(),
    );
    Ok(Exit::Done)
}

pub fn man(command: clap::Command) -> Result<Exit, Problem> {
    clap_mangen::Man::new(command)
        .render(&mut std::io::stdout())
        .map_err(|error| {
            Problem::new(
                ErrorClass::Store,
                format!("the manual page cannot be written: {error}"),
            )
        })?;
    Ok(Exit::Done)
}
