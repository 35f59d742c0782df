//! What a person gives beside arguments: a text from a file or standard input, and a yes.

use super::usage;
use crate::model::{ErrorClass, Problem};
use std::io::Read;

/// The text of a file, or of standard input for `-`.
pub fn read_text(from: &str) -> Result<String, Problem> {
    let result = if from == "-" {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map(|_| text)
    } else {
        std::fs::read_to_string(from)
    };
    result.map_err(|error| {
        usage(
            format!("{from} cannot be read: {error}"),
            "name a file, or - for standard input",
        )
    })
}

/// Asks on the terminal; no terminal means no.
pub fn confirm(question: &str) -> Result<bool, Problem> {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() {
        return Err(usage(
            format!("{question} cannot be asked without a terminal"),
            "give --yes",
        ));
    }
    eprint!("{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| {
        Problem::new(
            ErrorClass::Config,
            format!("the answer cannot be read: {error}"),
        )
    })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
