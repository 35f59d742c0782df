//! Records into a file: those that are at hand, or all of a search. The file appears whole or not at all.

use super::csv::{self, Column};
use super::{RecordSearch, Walk};
use crate::model::{ConnectionName, ErrorClass, ObjectKey, Problem, Record, sanitize};
use crate::operations::audit::Act;
use crate::operations::{Done, Operations};
use std::ffi::OsString;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

/// Records a page: the most a search gives (fact sheet §2.7).
const PAGE: u32 = 100;

/// The field of problems with the file's path.
pub const PATH: &str = "path";

/// How records stand in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The chosen columns, a record a line.
    #[default]
    Csv,
    /// Whole records, one a line, as `records list --format jsonl` prints them.
    JsonLines,
}

/// Which records go into the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// These, in this order.
    These(Arc<Vec<Record>>),
    /// All that the search finds, what changed last first: in the other order a record that changes meanwhile would move
    /// to the end, and one behind it would be missed.
    All { query: Option<String> },
}

/// Records to be written into a file.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordFile {
    pub object: ObjectKey,
    pub rows: Rows,
    pub format: Format,
    /// Of a CSV; JSON lines hold whole records.
    pub columns: Vec<Column>,
    /// As it was typed: `~/` is the person's home.
    pub path: String,
    /// A file that is there already is replaced.
    pub overwrite: bool,
    pub progress: Progress,
}

/// How far a file is; who holds it may stop the writing.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Going>);

#[derive(Debug, Default)]
struct Going {
    done: AtomicU64,
    total: AtomicU64,
    stop: CancellationToken,
}

impl PartialEq for Progress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Progress {
    /// Records written so far.
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Records there will be; `None` while nobody knows.
    pub fn total(&self) -> Option<u64> {
        Some(self.0.total.load(Ordering::Relaxed)).filter(|total| *total > 0)
    }

    /// No more pages are read, and nothing is left of the file.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// True once somebody stopped it.
    pub fn is_stopped(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    fn add(&self, records: u64, total: Option<u64>) {
        let done = self.0.done.fetch_add(records, Ordering::Relaxed) + records;
        if let Some(total) = total {
            self.0.total.store(total.max(done), Ordering::Relaxed);
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Filed {
    /// The file is there, with so many records.
    Written { path: PathBuf, records: u64 },
    /// Nothing was done: such a file is there already.
    Exists(PathBuf),
    /// It was stopped after so many records; no file was written.
    Stopped(u64),
}

impl Operations {
    /// Writes records into a file that only its owner can read. Pages that are still to be read take the lane of bulk work.
    ///
    /// # Errors
    /// The path cannot be used (the problem's field is [`PATH`]), a page cannot be read, or the disk is full. Then a file of
    /// that name is what it was before.
    pub async fn records_into_file(
        &self,
        connection: &ConnectionName,
        file: &RecordFile,
    ) -> Done<Filed> {
        let path = resolve(&file.path, std::env::var_os("HOME"))?;
        let path = match (destination(&path)?, file.overwrite) {
            (Some(existing), true) => existing,
            (Some(existing), false) => return Ok(Filed::Exists(existing)),
            (None, _) => path,
        };
        let act = Act::new(
            "records export",
            format!("{} to {}", file.object, path.display()),
        );
        let doing = self.file_records(connection, file, path.clone());
        let written = self
            .audited(act.of(connection), doing, |filed| match filed {
                Filed::Written { records, .. } => Some(*records),
                Filed::Exists(_) | Filed::Stopped(_) => None,
            })
            .await;
        match written {
            Err(_) if file.progress.is_stopped() => Ok(Filed::Stopped(file.progress.done())),
            written => written,
        }
    }

    async fn file_records(
        &self,
        connection: &ConnectionName,
        file: &RecordFile,
        path: PathBuf,
    ) -> Done<Filed> {
        let progress = &file.progress;
        let begun = (file.format, file.columns.clone(), path.clone());
        let mut draft = off_the_runtime(move || Draft::begin(begun.0, begun.1, &begun.2)).await?;
        match &file.rows {
            Rows::These(records) => {
                let (records, many) = (Arc::clone(records), records.len() as u64);
                draft = off_the_runtime(move || draft.add(&records)).await?;
                progress.add(many, Some(many));
            }
            Rows::All { query } => {
                let search = RecordSearch {
                    query: query.clone(),
                    ..RecordSearch::default()
                };
                let state = self.state();
                let highlevel = state.open_account(connection)?.account.highlevel.clone();
                let mut walk = Walk::new(highlevel, file.object.clone(), search, PAGE);
                loop {
                    let page = tokio::select! {
                        biased;
                        () = progress.0.stop.cancelled() => break,
                        page = walk.next() => page?,
                    };
                    let Some(records) = page else { break };
                    let many = records.len() as u64;
                    draft = off_the_runtime(move || draft.add(&records)).await?;
                    progress.add(many, walk.total());
                }
            }
        }
        let records = progress.done();
        if progress.is_stopped() {
            return Err(stopped(records));
        }
        let overwrite = file.overwrite;
        let target = path.clone();
        match off_the_runtime(move || draft.end(&target, overwrite)).await? {
            true => Ok(Filed::Written { path, records }),
            false => Ok(Filed::Exists(path)),
        }
    }
}

fn stopped(records: u64) -> Problem {
    let text = format!("stopped after {records} records; no file was written");
    Problem::new(ErrorClass::Config, text)
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Done<T> + Send + 'static,
) -> Done<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Problem::new(ErrorClass::Store, error.to_string())))
}

/// A path as it was typed, `~/` in full.
fn resolve(typed: &str, home: Option<OsString>) -> Done<PathBuf> {
    let typed = typed.trim();
    let refuse = |message: &str, remedy: &str| {
        Err(Problem::new(ErrorClass::Config, message)
            .field(PATH)
            .remedy(remedy))
    };
    if typed.is_empty() {
        return refuse("there is no path", "name a file");
    }
    let Some(rest) = typed.strip_prefix('~') else {
        return Ok(PathBuf::from(typed));
    };
    match (rest.strip_prefix('/'), home) {
        (Some(rest), Some(home)) => Ok(Path::new(&home).join(rest)),
        (Some(_), None) => refuse("HOME is not set", "write the path from / on"),
        (None, _) => refuse(
            "only one's own home is known as ~/",
            "write the path from / on",
        ),
    }
}

fn trouble(path: &Path, error: &std::io::Error) -> Problem {
    let problem =
        Problem::new(ErrorClass::Store, format!("{}: {error}", path.display())).field(PATH);
    match error.kind() {
        ErrorKind::NotFound => problem.remedy("name a folder that is there"),
        ErrorKind::PermissionDenied => problem.remedy("name a folder that may be written to"),
        ErrorKind::StorageFull => problem.remedy("make room, or name a folder on another disk"),
        _ => problem,
    }
}

/// The file that a path leads to, links followed; `None` where there is none yet.
fn destination(path: &Path) -> Done<Option<PathBuf>> {
    let refuse = |what: &str| {
        let text = format!("{} is {what}", path.display());
        Err(Problem::new(ErrorClass::Config, text)
            .field(PATH)
            .remedy("name a file"))
    };
    match path.metadata() {
        Ok(found) if found.is_dir() => refuse("a folder"),
        Ok(found) if !found.is_file() => refuse("no ordinary file"),
        Ok(_) => match path.canonicalize() {
            Ok(path) => Ok(Some(path)),
            Err(error) => Err(trouble(path, &error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            refuse("a link that leads nowhere")
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(trouble(path, &error)),
    }
}

/// A file that is being written under another name beside its place; dropped, it is gone.
struct Draft {
    out: BufWriter<NamedTempFile>,
    format: Format,
    columns: Vec<Column>,
}

impl Draft {
    fn begin(format: Format, columns: Vec<Column>, path: &Path) -> Done<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Temporary files of this crate are made with mode 0600, and keep it under their last name.
        let temporary = tempfile::Builder::new()
            .prefix(".tramline-")
            .suffix(".part")
            .tempfile_in(folder)
            .map_err(|error| trouble(folder, &error))?;
        let mut draft = Self {
            out: BufWriter::new(temporary),
            format,
            columns,
        };
        if format == Format::Csv {
            let heading = csv::heading(&draft.columns);
            draft.line(&heading)?;
        }
        Ok(draft)
    }

    fn line(&mut self, line: &str) -> Done<()> {
        writeln!(self.out, "{line}").map_err(|error| trouble(self.out.get_ref().path(), &error))
    }

    fn add(mut self, records: &[Record]) -> Done<Self> {
        for record in records {
            let line = match self.format {
                Format::Csv => csv::row(&self.columns, record),
                Format::JsonLines => {
                    let text = serde_json::to_string(record)
                        .map_err(|error| Problem::new(ErrorClass::Invalid, error.to_string()))?;
                    sanitize::json(&text).into_owned()
                }
            };
            self.line(&line)?;
        }
        Ok(self)
    }

    /// Gives the file its name; false if another file took it meanwhile.
    fn end(self, path: &Path, overwrite: bool) -> Done<bool> {
        let broken = |error: std::io::Error| trouble(path, &error);
        let file = self
            .out
            .into_inner()
            .map_err(|error| broken(error.into_error()))?;
        file.as_file().sync_all().map_err(broken)?;
        let named = match overwrite {
            true => file.persist(path),
            false => file.persist_noclobber(path),
        };
        match named {
            Ok(_) => Ok(true),
            Err(error) if !overwrite && error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(broken(error.error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_was_typed() {
        let home = || Some(OsString::from("/home/jo"));
        for (typed, path) in [
            ("pets.csv", "pets.csv"),
            (" /tmp/pets.csv ", "/tmp/pets.csv"),
            ("~/pets.csv", "/home/jo/pets.csv"),
            ("a~b.csv", "a~b.csv"),
        ] {
            assert_eq!(resolve(typed, home()).unwrap(), Path::new(path), "{typed}");
        }
        for typed in ["", "  ", "~", "~root/pets.csv"] {
            let problem = resolve(typed, home()).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some(PATH), "{typed}");
            assert!(problem.remedy.is_some());
        }
        assert!(resolve("~/pets.csv", None).is_err());
    }

    #[test]
    fn what_is_no_ordinary_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(destination(&at("new.csv")).unwrap(), None);
        std::fs::write(at("old.csv"), "x").unwrap();
        std::os::unix::fs::symlink(at("old.csv"), at("link.csv")).unwrap();
        std::os::unix::fs::symlink(at("gone.csv"), at("astray.csv")).unwrap();
        let old = at("old.csv").canonicalize().unwrap();
        assert_eq!(destination(&at("old.csv")).unwrap(), Some(old.clone()));
        assert_eq!(destination(&at("link.csv")).unwrap(), Some(old));
        for bad in [folder.path(), &at("astray.csv"), Path::new("/dev/null")] {
            let problem = destination(bad).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some(PATH), "{}", bad.display());
        }
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing_and_one_that_ends_replaces_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pets.csv");
        let begin = || Draft::begin(Format::Csv, vec![Column::Id], &path).unwrap();
        let names = || {
            let files = std::fs::read_dir(folder.path()).unwrap();
            files
                .map(|file| file.unwrap().file_name())
                .collect::<Vec<_>>()
        };
        drop(begin());
        assert!(names().is_empty());
        assert!(begin().end(&path, false).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "id\n");
        std::fs::write(&path, "kept").unwrap();
        assert!(!begin().end(&path, false).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
        assert!(begin().end(&path, true).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "id\n");
        assert_eq!(names(), ["pets.csv"]);
    }
}
