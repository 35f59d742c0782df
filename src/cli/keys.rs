//! `tramline keys`

use super::{Context, Exit};
use crate::config;
use crate::model::Problem;
use crate::tui;

/// Without a configuration, the keys are those that are the default.
pub fn run(context: &Context) -> Result<Exit, Problem> {
    let path = context.global.config.clone();
    let wanted = path.is_some() || config::default_path().exists();
    let config = wanted.then(|| context.config()).transpose()?;
    let columns = ["ACTION", "SCREEN", "KEYS", "WHAT IT DOES"];
    context
        .output
        .list(&tui::keys(config.as_ref())?, &columns, |line| {
            vec![
                line.action.to_owned(),
                line.screen.unwrap_or("every").to_owned(),
                line.keys.join(" "),
                line.help.to_owned(),
            ]
        });
    Ok(Exit::Done)
}
