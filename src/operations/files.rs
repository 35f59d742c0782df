//! Where Tramline keeps what it keeps.

use crate::config::Config;
use crate::http::encode;
use crate::model::ConnectionName;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One file and what it is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// `config`, `store`, `log`, `tokens`.
    pub what: &'static str,
    /// The connection that it belongs to, where it belongs to one.
    pub connection: Option<ConnectionName>,
    pub path: PathBuf,
    /// False for what is written later, or never.
    pub exists: bool,
}

impl Kept {
    /// A file of all connections.
    pub fn of(what: &'static str, path: PathBuf) -> Self {
        Self {
            what,
            connection: None,
            exists: path.exists(),
            path,
        }
    }
}

/// All files of a configuration but config.toml itself and what it refers to.
pub fn of(config: &Config) -> Vec<Kept> {
    let store = config.store.path(config.folder());
    let mut files = vec![Kept::of("log", log(&store))];
    for (name, connection) in &config.connections {
        if connection.highlevel.oauth.is_some() {
            files.push(Kept {
                connection: Some(name.clone()),
                ..Kept::of("tokens", tokens(&store, name))
            });
        }
    }
    files.insert(0, Kept::of("store", store));
    files
}

/// The log stands beside the store.
pub(super) fn log(store: &Path) -> PathBuf {
    store.with_file_name("tramline.log")
}

/// What an app's login leaves stands beside the store, too.
pub(super) fn tokens(store: &Path, connection: &ConnectionName) -> PathBuf {
    store.with_extension(format!("{}.oauth.json", encode(connection.as_str())))
}
