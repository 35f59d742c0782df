//! Opening a store: its folder and file, what is refused, and what is known about it.

use super::error::{Result, StoreError};
use super::fold::Unfolded;
use super::leases::LEASE;
use super::{Clock, Inner, Store, SystemClock, Writer, sqlite};
use sqlx::{Connection, SqliteConnection};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock, RwLock};
use tokio::sync::{Mutex, watch};

const HEADER: &[u8; 16] = b"SQLite format 3\0";

impl Store {
    /// Opens the store at a path. A file that is not there is made (mode 0600, its folder 0700); an older one is
    /// brought up to date.
    ///
    /// # Errors
    /// A file of a newer version, of another program, on a network file system, read-only or locked is refused
    /// and left as it is.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_in(path, clock, None).await
    }

    /// A store in a temporary folder that goes with its last clone, by the machine's clock: for tests, the demo.
    pub async fn memory() -> Result<Self> {
        Self::memory_at(Arc::new(SystemClock)).await
    }

    /// As [`Store::memory`], by a clock of the caller's.
    pub async fn memory_at(clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|source| StoreError::Io {
            path: std::env::temp_dir(),
            source,
        })?;
        let path = folder.path().join("tramline.db");
        Self::open_in(&path, clock, Some(folder)).await
    }

    async fn open_in(
        path: &Path,
        clock: Arc<dyn Clock>,
        folder: Option<tempfile::TempDir>,
    ) -> Result<Self> {
        prepare_file(path)?;
        let main = ready(path).await.map_err(|error| error.at(path))?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                clock,
                writer: Mutex::new(Writer {
                    path: path.to_owned(),
                    connection: Some(main),
                    doubtful: false,
                }),
                turn: Mutex::default(),
                readers: sqlite::readers(path),
                changes: watch::Sender::new(0),
                unfolded: Unfolded::default(),
                claims: AtomicU64::new(0),
                lease: AtomicI64::new(LEASE),
                versions: RwLock::default(),
                watch: OnceLock::new(),
                _folder: folder,
            }),
        })
    }

    /// Closes all connections; the write-ahead log is folded into the file. Later calls fail with
    /// [`StoreError::Closed`]. A store that was not closed loses nothing.
    pub async fn close(&self) -> Result<()> {
        let connection = self.writer().await.connection.take();
        self.readers().close().await;
        if let Some(connection) = connection {
            connection.close().await?;
        }
        Ok(())
    }

    /// Where the store lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Bytes on disk, the write-ahead log with them.
    pub fn file_size(&self) -> Result<u64> {
        let size = fs::metadata(&self.inner.path)
            .map_err(|source| StoreError::Io {
                path: self.inner.path.clone(),
                source,
            })?
            .len();
        let wal = fs::metadata(sqlite::wal_path(&self.inner.path)).map_or(0, |wal| wal.len());
        Ok(size + wal)
    }

    /// Reads the whole file and reports the first damage as [`StoreError::Damaged`].
    pub async fn quick_check(&self) -> Result<()> {
        sqlite::quick_check(self.readers()).await
    }
}

/// The connection that writes, to a file of this version.
async fn ready(path: &Path) -> Result<SqliteConnection> {
    let mut main = sqlite::connect_writer(path).await?;
    sqlite::recognise(&mut main, path).await?;
    sqlite::migrate(&mut main, path).await?;
    Ok(main)
}

/// Makes folder and file with their modes, or looks at what is there.
fn prepare_file(path: &Path) -> Result<()> {
    let io = |source: std::io::Error| match source.kind() {
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_folder(parent).map_err(io)?;
    refuse_network(path, &fs::canonicalize(parent).map_err(io)?)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(error)),
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => StoreError::ReadOnly,
            _ => io(error),
        })?;
    if file.metadata().map_err(io)?.len() == 0 {
        return Ok(());
    }
    let mut header = [0; 16];
    let read = file.read(&mut header).map_err(io)?;
    if read < header.len() || &header != HEADER {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            reason: "it is no SQLite database",
        });
    }
    Ok(())
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Refuses a folder whose mount is a network file system; where mounts cannot be read, nothing is refused.
fn refuse_network(path: &Path, folder: &Path) -> Result<()> {
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else {
        return Ok(());
    };
    match mount_kind(&mounts, folder) {
        Some(kind) if is_network(kind) => Err(StoreError::NetworkFileSystem {
            path: path.to_owned(),
            kind: kind.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn is_network(kind: &str) -> bool {
    matches!(
        kind,
        "nfs"
            | "nfs4"
            | "cifs"
            | "smb3"
            | "smbfs"
            | "9p"
            | "afs"
            | "ceph"
            | "ncpfs"
            | "fuse.sshfs"
            | "fuse.s3fs"
            | "fuse.rclone"
            | "fuse.davfs"
            | "davfs"
            | "glusterfs"
            | "fuse.glusterfs"
            | "lustre"
    )
}

/// The file system type of the mount that holds a folder, by the text of mountinfo (proc(5)).
fn mount_kind<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let (Some(point), Some(kind)) = (
            left.split_ascii_whitespace().nth(4),
            right.split_ascii_whitespace().next(),
        ) else {
            continue;
        };
        let point = PathBuf::from(unescape(point));
        // A later line covers an earlier one of the same mount point.
        let depth = point.components().count();
        if folder.starts_with(&point) && best.is_none_or(|(deepest, _)| depth >= deepest) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind)
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:40 / /mnt/my\\040share rw - nfs4 server:/x rw
41 22 0:41 / /mnt/over rw - ext4 /dev/vdb rw
42 41 0:42 / /mnt/over rw - cifs //server/x rw";

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let kind = |folder: &str| mount_kind(MOUNTS, Path::new(folder));
        assert_eq!(kind("/home/jo"), Some("ext4"));
        assert_eq!(kind("/mnt/my share/deep"), Some("nfs4"));
        assert_eq!(kind("/mnt/my sharelike"), Some("ext4"));
        assert_eq!(kind("/mnt/over"), Some("cifs"));
        assert!(is_network("nfs4") && is_network("cifs") && !is_network("ext4"));
    }
}
