//! What a person can do, however it is shown. The command line and the control room both call these and
//! nothing beneath them.

pub mod exports;
pub mod mappings;
pub mod queue;
pub mod records;
pub mod schemas;
pub mod status;

use crate::model::{ConnectionName, Problem};
use std::path::PathBuf;
use std::sync::Arc;

/// What an operation answers.
pub type Done<T> = Result<T, Problem>;

/// The door to everything Tramline can do. Cheap to clone; all methods may be called from any task.
#[derive(Clone)]
pub struct Operations {
    inner: Arc<Inner>,
}

struct Inner {}

impl Operations {
    /// `production`, `sandbox`, …: the `environment` of config.toml; empty where none is given.
    pub fn environment(&self) -> &str {
        stub()
    }

    /// True where writes are asked for once more: the environment is `production`.
    pub fn is_production(&self) -> bool {
        stub()
    }

    /// True under `--read-only`: every operation that writes answers with a problem.
    pub fn is_read_only(&self) -> bool {
        stub()
    }

    /// A short name of a connection's accounts for the header: the ActiveCampaign host's first label.
    pub fn account(&self, _connection: &ConnectionName) -> String {
        stub()
    }

    /// The connections of config.toml, never empty.
    pub fn connections(&self) -> Vec<ConnectionName> {
        stub()
    }

    /// Where the log file lies.
    pub fn log_path(&self) -> Option<PathBuf> {
        stub()
    }

    /// Reads what was remembered of the last session under a key (`tui.view`): JSON text.
    pub async fn remembered(&self, _key: &str) -> Done<Option<String>> {
        stub()
    }

    /// Remembers JSON text under a key.
    pub async fn remember(&self, _key: &str, _value: &str) -> Done<()> {
        stub()
    }
}

fn stub() -> ! {
    unreachable!("replaced by the engine")
}
