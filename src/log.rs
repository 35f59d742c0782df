//! The log: JSON lines in the state folder, readable by its owner only, bounded in size.
//!
//! Nothing that holds a secret implements `Debug` or `Display` with its text, so none can be logged; request
//! and response excerpts are redacted where they are made, and each line once more for every secret that was read.

mod file;
mod line;

use crate::model::{ErrorClass, Problem};
use file::{LONGEST, LogFile};
use line::Line;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

/// Starts logging into `path`. A second call in one process keeps the first log.
///
/// # Errors
/// The file cannot be written; the problem names it.
pub fn start(path: &Path, verbosity: u8) -> Result<(), Problem> {
    let file = LogFile::open(path, LONGEST).map_err(|error| {
        Problem::new(
            ErrorClass::Store,
            format!("the log {} cannot be written: {error}", path.display()),
        )
        .remedy("check the folder's permissions and the disk's space")
    })?;
    let level = match verbosity {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    // Other crates are heard from warnings on: their debug lines may hold headers.
    let filter = EnvFilter::new(format!("warn,tramline={level}"));
    // Fails only where a subscriber is set already, as in tests that open several stores.
    let _ = tracing_subscriber::fmt()
        .fmt_fields(JsonFields::new())
        .event_format(Line)
        .with_env_filter(filter)
        .with_writer(Mutex::new(file))
        .try_init();
    Ok(())
}
