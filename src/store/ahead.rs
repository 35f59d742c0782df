//! The pages that a run has read and not planned yet. While they are planned the next ones are asked for; after a crash the
//! run goes on with the kept pages, so that at most one page is read twice.
//!
//! They lie beside the store, a file each. In a table each of them, thrown away a moment later, would wait for the write lock and
//! pass through the log.

use super::Store;
use crate::model::RunId;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How often the folder of a run's pages is made anew that another process takes away meanwhile.
const TRIES: u32 = 10;

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
    /// Keeps a page behind a run's cursor. It does not wait for the disk: where the machine itself stops, or the page cannot be
    /// kept, it is read once more and nothing is lost.
    pub async fn keep_page(&self, run: &RunId, page: PageAhead) {
        let kept = in_files(self.pages_of(run), move |folder| {
            // Whole under its name, or not there. The file is its owner's alone.
            let mut file = new_file(folder)?;
            // A position is one line.
            file.write_all(page.position_json.as_bytes())?;
            file.write_all(b"\n")?;
            file.write_all(page.text.as_bytes())?;
            file.persist(folder.join(page.place.to_string()))?;
            Ok(())
        });
        told(kept.await);
    }

    /// The pages that a run has read and not planned, in the order of reading, from this number on. What cannot be read any more
    /// ends them.
    pub async fn kept_pages(&self, run: &RunId, from: u64) -> Vec<PageAhead> {
        let pages = in_files(self.pages_of(run), move |folder| {
            let mut pages = Vec::new();
            for place in from.. {
                let kept = match fs::read_to_string(folder.join(place.to_string())) {
                    Err(error) if error.kind() == ErrorKind::InvalidData => break,
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
        });
        told(pages.await).unwrap_or_default()
    }

    /// A run needs its pages before this number no more.
    pub(super) async fn forget_pages(&self, run: &RunId, before: u64) {
        let gone = in_files(self.pages_of(run), move |folder| {
            for page in listed(folder)? {
                let name = page.file_name().and_then(|name| name.to_str());
                let place = name.and_then(|name| name.parse::<u64>().ok());
                if place.is_some_and(|place| place < before) {
                    absent(fs::remove_file(page))?;
                }
            }
            Ok(())
        });
        told(gone.await);
    }

    /// A run that ended needs its pages no more. Behind the last one their folder goes as well.
    pub(super) async fn forget_run(&self, run: &RunId) {
        let run = self.pages_of(run);
        let gone = in_files(self.pages(), move |pages| {
            absent(fs::remove_dir_all(run))?;
            without_pages(pages)
        });
        told(gone.await);
    }

    /// Removes what is left of runs that need their pages no more; those that are `wanted` do.
    pub(super) async fn forget_runs_but(&self, wanted: Vec<RunId>) {
        let gone = in_files(self.pages(), move |pages| {
            for folder in listed(pages)? {
                let name = folder.file_name().and_then(|name| name.to_str());
                if !wanted.iter().any(|run| name == Some(run.as_str())) {
                    absent(fs::remove_dir_all(&folder))?;
                }
            }
            without_pages(pages)
        });
        told(gone.await);
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
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(move || work(&folder)).await;
    done.unwrap_or_else(|ended| Err(io::Error::other(ended)))
}

/// A page less costs a call more: that is no reason to fail.
fn told<T>(done: io::Result<T>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!(%error, "the files of the pages read ahead"))
        .ok()
}

/// A new file in a folder of its own, which is made where it is not there. The folder around it may go at the same time: a run
/// of another process that ends takes it along while nothing lies in it.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    use ErrorKind::{AlreadyExists, NotFound};
    for _ in 1..TRIES {
        match in_folder(folder) {
            // Not there any more, or gone between two looks at it.
            Err(error) if matches!(error.kind(), NotFound | AlreadyExists) => {}
            made => return made,
        }
    }
    in_folder(folder)
}

fn in_folder(folder: &Path) -> io::Result<NamedTempFile> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    NamedTempFile::new_in(folder)
}

/// What lies in a folder; nothing, if it is not there.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// Removes the folder if no run has pages there.
fn without_pages(pages: &Path) -> io::Result<()> {
    match fs::remove_dir(pages) {
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => absent(removed),
    }
}

/// What another process has removed is gone as well.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
