//! The log file: JSON lines in the state folder, readable by its owner only.
//!
//! Nothing that holds a secret implements `Debug` or `Display` with its text, so none can be logged; request
//! and response excerpts are redacted where they are made.

use crate::model::{ErrorClass, Problem};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// A log larger than this is set aside as `.1` at the next start.
const SET_ASIDE_BYTES: u64 = 16 << 20;

/// Starts logging into `path`. A second call in one process keeps the first log.
///
/// # Errors
/// The file cannot be written; the problem names it.
pub fn start(path: &Path, verbosity: u8) -> Result<(), Problem> {
    let file = open(path).map_err(|error| {
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
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(Mutex::new(file))
        .try_init();
    Ok(())
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > SET_ASIDE_BYTES) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}
