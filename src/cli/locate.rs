//! `tramline locate`

use super::{Context, Exit};
use crate::config::{self, Config};
use crate::model::Problem;
use crate::operations::files::{self, Kept};

/// Opens nothing: it is asked when something cannot be opened.
pub fn run(context: &Context) -> Result<Exit, Problem> {
    let path = context.global.config.clone();
    let path = path.unwrap_or_else(config::default_path);
    let read = Config::read(&path);
    let mut all = vec![Kept::of("config", path)];
    if let Ok(config) = &read {
        all.extend(files::of(config));
    }
    context.output.list(&all, &["WHAT", "PATH", ""], |kept| {
        vec![
            match &kept.connection {
                Some(connection) => format!("{} of {connection}", kept.what),
                None => kept.what.to_owned(),
            },
            kept.path.display().to_string(),
            match kept.exists {
                true => String::new(),
                false => "not there yet".to_owned(),
            },
        ]
    });
    // Where the rest is, only a configuration that can be read says.
    read.map(|_| Exit::Done).map_err(Problem::from)
}
