//! The pages that a run has read and not planned yet. While they are planned the next ones are asked for; after a crash the
//! run goes on with the kept pages, so that at most one page is read twice.
//!
//! They lie beside the store, a file each. In a table each of them, thrown away a moment later, would wait for the write lock and
//! pass through the log.

use super::Store;
use super::error::{Result, StoreError};
use crate::model::RunId;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A page that was read ahead.
#[derive(Clone, Debug, PartialEq)]
pub struct PageAhead {
    /// Its number among the run's pages.
    pub place: u64,
    /// Where reading stands at this page (JSON of the engine's making).
    pub position_json: String,
    /// The page as it came.
    pub text: String,
}

impl Store {
    /// Keeps a page behind a run's cursor. It does not wait for the disk: where the machine itself stops, pages are read once
    /// more and nothing is lost.
    pub async fn keep_page(&self, run: &RunId, page: PageAhead) -> Result<()> {
        let folder = self.pages_of(run);
        in_files(folder, move |folder| {
            let file = folder.join(page.place.to_string());
            let new = file.with_extension("new");
            let write = || {
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(true).mode(0o600);
                let mut writer = options.open(&new)?;
                // A position is one line.
                writer.write_all(page.position_json.as_bytes())?;
                writer.write_all(b"\n")?;
                writer.write_all(page.text.as_bytes())
            };
            let written = match write() {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    DirBuilder::new()
                        .recursive(true)
                        .mode(0o700)
                        .create(folder)?;
                    write()
                }
                written => written,
            };
            written.and_then(|()| fs::rename(&new, &file))
        })
        .await
    }

    /// The pages that a run has read and not planned, in the order of reading, from this number on.
    pub async fn kept_pages(&self, run: &RunId, from: u64) -> Result<Vec<PageAhead>> {
        let folder = self.pages_of(run);
        in_files(folder, move |folder| {
            let mut pages = Vec::new();
            for place in from.. {
                let kept = match fs::read_to_string(folder.join(place.to_string())) {
                    Err(error) if error.kind() == ErrorKind::NotFound => break,
                    kept => kept?,
                };
                let Some((position, text)) = kept.split_once('\n') else {
                    break;
                };
                pages.push(PageAhead {
                    place,
                    position_json: position.to_owned(),
                    text: text.to_owned(),
                });
            }
            Ok(pages)
        })
        .await
    }

    /// A run needs its pages before this number no more.
    pub(super) async fn forget_pages(&self, run: &RunId, before: u64) -> Result<()> {
        let folder = self.pages_of(run);
        in_files(folder, move |folder| {
            for page in listed(folder)? {
                let name = page.file_name().and_then(|name| name.to_str());
                let place = name.and_then(|name| name.parse::<u64>().ok());
                if place.is_some_and(|place| place < before) {
                    fs::remove_file(page)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// A run that ended needs its pages no more.
    pub(super) async fn forget_run(&self, run: &RunId) -> Result<()> {
        in_files(self.pages_of(run), remove).await
    }

    /// Removes what is left of runs that need their pages no more; `wanted` does.
    pub(super) async fn forget_runs_but(&self, wanted: Vec<RunId>) -> Result<()> {
        in_files(self.pages(), move |pages| {
            for folder in listed(pages)? {
                let name = folder.file_name().and_then(|name| name.to_str());
                if !wanted.iter().any(|run| name == Some(run.as_str())) {
                    remove(&folder)?;
                }
            }
            Ok(())
        })
        .await
    }

    fn pages(&self) -> PathBuf {
        let mut name = self.inner.path.as_os_str().to_owned();
        name.push("-pages");
        PathBuf::from(name)
    }

    fn pages_of(&self, run: &RunId) -> PathBuf {
        self.pages().join(run.as_str())
    }
}

/// Does something with files, on a thread that may wait for them.
async fn in_files<T: Send + 'static>(
    folder: PathBuf,
    work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let path = folder.clone();
    let done = tokio::task::spawn_blocking(move || work(&folder)).await;
    let done = done.unwrap_or_else(|ended| Err(std::io::Error::other(ended)));
    done.map_err(|source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => StoreError::Io { path, source },
    })
}

/// What lies in a folder; nothing, if it is not there.
fn listed(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
