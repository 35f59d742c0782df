//! What can go wrong with the store, in words for the person who has to mend it.

use crate::model::{ErrorClass, Problem};
use std::path::{Path, PathBuf};

/// A failure of the store. Whatever is refused is left as it was found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer Tramline has migrated the file.
    #[error("{} was written by a newer version of Tramline (schema {found}, this one knows {known})", path.display())]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    /// The file is no SQLite database, or one of another program.
    #[error("{} is not a store of Tramline: {reason}", path.display())]
    Foreign { path: PathBuf, reason: &'static str },
    /// SQLite's locks do not hold over a network.
    #[error("{} lies on a network file system ({kind})", path.display())]
    NetworkFileSystem { path: PathBuf, kind: String },
    /// The file or its folder cannot be made, read or written.
    #[error("cannot open the store {}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The file or its file system may not be written.
    #[error("the store is read-only")]
    ReadOnly,
    /// No room is left on the disk.
    #[error("the disk that holds the store is full")]
    DiskFull,
    /// The disk refuses to read or write, though it has room.
    #[error("the disk that holds the store fails: {0}")]
    DiskFails(String),
    /// Another process kept the store locked for longer than five seconds.
    #[error("the store is locked by another process")]
    Locked,
    /// The file is damaged.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A row holds what this version cannot read.
    #[error("the store holds an unreadable {what}: {value}")]
    Unreadable { what: &'static str, value: String },
    /// A run or a batch that the caller names is not there.
    #[error("there is no {what} {id}")]
    Missing { what: &'static str, id: String },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Any other failure of SQLite.
    #[error("the store failed: {0}")]
    Database(sqlx::Error),
}

/// The result of a call to the store.
pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// What a person can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Newer { .. } => Some("update Tramline, or name another file in [store] url"),
            Self::Foreign { .. } => Some("name another file in [store] url"),
            Self::NetworkFileSystem { .. } => {
                Some("put the store on a local disk: [store] url = \"sqlite:/path/tramline.db\"")
            }
            Self::Io { .. } => Some("check that the folder exists and may be written"),
            Self::ReadOnly => Some("make the file and its folder writable for this user"),
            Self::DiskFull => Some("free some space; the work goes on where it stood"),
            Self::DiskFails(_) => Some(
                "look at the disk and at the quota and file-size limit of this user; the work goes on where it stood",
            ),
            Self::Locked => Some("end the other program that holds the file, then try again"),
            Self::Damaged(_) => Some(
                "keep the file, restore a backup or start a new store; exports fill it again from both APIs",
            ),
            Self::Unreadable { .. } | Self::Missing { .. } | Self::Closed | Self::Database(_) => {
                None
            }
        }
    }
}

/// Room without which SQLite cannot even take its locks: the file shared by all connections grows by 32 KiB.
const LITTLE_ROOM: u64 = 64 * 1024;

impl StoreError {
    /// The same error of a store at `path`, with a full disk told from one that fails: SQLite reports some
    /// files that cannot grow (code 4874, the shared memory) as a plain failure of the disk.
    pub(super) fn at(self, path: &Path) -> Self {
        match self {
            Self::DiskFails(_) if free_bytes(path).is_some_and(|free| free < LITTLE_ROOM) => {
                Self::DiskFull
            }
            other => other,
        }
    }
}

/// Bytes that this user may still write on the file system of a path.
fn free_bytes(path: &Path) -> Option<u64> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let stat = nix::sys::statvfs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    // Block counts are narrower on some systems.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    Some(u64::from(stat.blocks_available()) * stat.fragment_size() as u64)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let primary = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff);
        match primary {
            Some(5 | 6) => Self::Locked,
            Some(8) => Self::ReadOnly,
            Some(10) => Self::DiskFails(error.to_string()),
            Some(11) => Self::Damaged(error.to_string()),
            Some(13) => Self::DiskFull,
            Some(26) => Self::Damaged("the file is no database".to_owned()),
            _ => match error {
                sqlx::Error::PoolClosed => Self::Closed,
                error => Self::Database(error),
            },
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = Problem::new(ErrorClass::Store, error.to_string());
        match error.remedy() {
            Some(remedy) => problem.remedy(remedy),
            None => problem,
        }
    }
}
