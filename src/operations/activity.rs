//! The activity: calls and settlements, as the log file has them.

use super::{Done, Operations};
use crate::model::call::{Api, Call};
use crate::model::{ErrorClass, MappingName, Problem, RecordId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The log is read from its end in pieces of this size.
const PIECE: u64 = 1 << 16;

/// Fields in which a request is named.
const REQUEST_FIELDS: [&str; 3] = ["request_id", "request", "trace_id"];

/// How much a line of the log matters; the larger is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// All levels, the worst last.
    pub const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// The name used in filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of a name, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

/// Which lines of the log are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilter {
    /// This level or worse: `error`, `warn`, `info`, `debug`, `trace`. A call that failed is a warning.
    pub level: Option<String>,
    /// Lines about a request, by its id at HighLevel or ActiveCampaign.
    pub request: Option<String>,
    /// Lines about a job, by its id or the beginning of it: also what exports tell of its record.
    pub job: Option<String>,
    /// Lines about a record, by its id: also calls whose path names it.
    pub record: Option<String>,
    /// Lines about a run of a bulk export, by its id.
    pub run: Option<String>,
    /// Lines about a mapping, by its name.
    pub mapping: Option<String>,
    /// Lines that are not of another connection than this one: what names none is of all.
    pub connection: Option<String>,
}

/// One line of the log: an object with `timestamp`, `level`, `message` and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine(pub Map<String, Value>);

impl LogLine {
    fn parse(line: &[u8]) -> Option<Self> {
        match serde_json::from_slice(line).ok()? {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// A field as text, a number as it is written: the line's own, else one of the spans that it was written in.
    pub fn text(&self, key: &str) -> Option<String> {
        let spans = self.0.get("spans").and_then(Value::as_array);
        let around = spans.into_iter().flatten().rev();
        let value = self
            .0
            .get(key)
            .or_else(|| around.filter_map(|span| span.get(key)).next())?;
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// When it was written.
    pub fn at(&self) -> Option<Timestamp> {
        self.text("timestamp")?.parse().ok()
    }

    /// How much it matters; a call that failed is a warning.
    pub fn level(&self) -> Option<LogLevel> {
        let level = LogLevel::from_name(&self.text("level")?)?;
        let failed = self.is_call() && self.text("error").is_some();
        Some(if failed {
            level.max(LogLevel::Warn)
        } else {
            level
        })
    }

    fn is_call(&self) -> bool {
        self.0.get("message").and_then(Value::as_str) == Some("call")
    }

    /// The HTTP call that it tells of, by this process or another one.
    pub fn call(&self) -> Option<Call> {
        if !self.is_call() {
            return None;
        }
        let number = |key| self.0.get(key).and_then(Value::as_u64);
        let millis = number("millis")?;
        // The line was written when the call ended.
        let took = SignedDuration::from_millis(i64::try_from(millis).ok()?);
        Some(Call {
            at: self.at()?.checked_sub(took).ok()?,
            api: Api::from_name(&self.text("api")?)?,
            method: self.text("method")?,
            path: self.text("path")?,
            status: number("status").and_then(|status| u16::try_from(status).ok()),
            millis,
            request_id: self.text("request_id"),
            retry_after: number("retry_after"),
            error: self.text("error"),
            class: None,
            connection: self.text("connection").map(Into::into),
        })
    }

    /// True if it is about the request of that id.
    pub fn is_of_request(&self, id: &str) -> bool {
        REQUEST_FIELDS
            .iter()
            .any(|field| self.text(field).as_deref() == Some(id))
    }

    /// True if it is about the job of that id, or of an id that begins so.
    pub fn is_of_job(&self, id: &str) -> bool {
        self.text("job").is_some_and(|job| job.starts_with(id))
    }

    /// True if it is about the record of that id, or is a call whose path names it.
    pub fn is_of_record(&self, id: &str) -> bool {
        self.text("record").as_deref() == Some(id)
            || self.is_call() && self.text("path").is_some_and(|path| path.contains(id))
    }
}

impl LogLine {
    /// True if an export of that mapping tells of the record.
    fn is_of_export(&self, record: &RecordId, mapping: &MappingName) -> bool {
        self.text("run").is_some()
            && self.text("mapping").as_deref() == Some(mapping.as_str())
            && self.is_of_record(record.as_str())
    }
}

impl LogFilter {
    /// Says that a level has a name that no level has.
    ///
    /// # Errors
    /// The name is unknown; the remedy lists those that are known.
    fn check(&self) -> Done<()> {
        match &self.level {
            Some(level) if LogLevel::from_name(level).is_none() => Err(Problem::new(
                ErrorClass::Config,
                format!("there is no level `{level}`"),
            )
            .remedy("error, warn, info, debug or trace")),
            _ => Ok(()),
        }
    }

    /// True if a line is wanted; of a job's lines some name its record only.
    fn matches(&self, line: &LogLine, is_of_its_record: impl Fn(&LogLine) -> bool) -> bool {
        let holds = |wanted: &Option<String>, is_of: &dyn Fn(&str) -> bool| {
            wanted.as_deref().is_none_or(is_of)
        };
        let is = |key: &'static str| move |wanted: &str| line.text(key).as_deref() == Some(wanted);
        let is_here = |wanted: &str| line.text("connection").is_none_or(|name| name == wanted);
        let worst = self.level.as_deref().and_then(LogLevel::from_name);
        worst.is_none_or(|worst| line.level().is_some_and(|level| level >= worst))
            && holds(&self.request, &|id| line.is_of_request(id))
            && holds(&self.job, &|id| {
                line.is_of_job(id) || is_of_its_record(line)
            })
            && holds(&self.record, &|id| line.is_of_record(id))
            && holds(&self.run, &is("run"))
            && holds(&self.mapping, &is("mapping"))
            && holds(&self.connection, &is_here)
    }
}

/// What is looked for in the log.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    filter: LogFilter,
    /// The record of the wanted job, and its mapping. An export works on records, and its lines name no job.
    of_job: Option<(RecordId, MappingName)>,
}

impl Wanted {
    fn matches(&self, line: &LogLine) -> bool {
        let of_job = self.of_job.as_ref();
        self.filter.matches(line, |line| {
            of_job.is_some_and(|(record, mapping)| line.is_of_export(record, mapping))
        })
    }
}

/// A place in the log, from which it can be followed; the default is the beginning of none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    path: PathBuf,
    wanted: Wanted,
    /// Bytes read of the file of that identity.
    at: u64,
    file: Option<u64>,
    /// A line that is not at its end yet.
    rest: Vec<u8>,
}

impl Operations {
    /// The last lines of the log that a filter wants, the oldest first, and the place behind them. The file before the
    /// present one is read as well where that has too few.
    ///
    /// # Errors
    /// The log cannot be read, or the filter names no level there is.
    pub async fn activity(
        &self,
        filter: LogFilter,
        limit: usize,
    ) -> Done<(Vec<LogLine>, Activity)> {
        filter.check()?;
        let of_job = match &filter.job {
            Some(id) => self.one_job(id).await?,
            None => None,
        };
        let wanted = Wanted {
            filter,
            of_job: of_job.map(|job| (job.record, job.mapping)),
        };
        let path = self.inner.log.clone();
        let read = tokio::task::spawn_blocking(move || last_lines(path, wanted, limit)).await;
        read.unwrap_or_else(|error| Err(broken_off(&error)))
    }

    /// The lines of the log since a place, and the place behind them.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn activity_since(&self, mut place: Activity) -> Done<(Vec<LogLine>, Activity)> {
        let read = tokio::task::spawn_blocking(move || Ok((place.more()?, place))).await;
        read.unwrap_or_else(|error| Err(broken_off(&error)))
    }
}

impl Activity {
    /// The lines since the last look, at most some thousands at a time.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn more(&mut self) -> Done<Vec<LogLine>> {
        let read = |error| unreadable(&self.path, error);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(read(error)),
        };
        let meta = file.metadata().map_err(read)?;
        let identity = identity(&meta);
        if self.file != Some(identity) || meta.len() < self.at {
            // It was set aside: the new one is read from its beginning.
            self.at = 0;
            self.rest.clear();
            self.file = Some(identity);
        }
        file.seek(SeekFrom::Start(self.at)).map_err(read)?;
        let mut bytes = Vec::new();
        file.take(16 * PIECE)
            .read_to_end(&mut bytes)
            .map_err(read)?;
        self.at += bytes.len() as u64;
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if self.rest.ends_with(b"\n") {
                lines.extend(LogLine::parse(&self.rest).filter(|line| self.wanted.matches(line)));
                self.rest.clear();
            }
        }
        Ok(lines)
    }
}

fn last_lines(path: PathBuf, wanted: Wanted, limit: usize) -> Done<(Vec<LogLine>, Activity)> {
    let (mut lines, at, file) = tail(&path, &wanted, limit)?;
    if lines.len() < limit {
        let (mut older, ..) = tail(&path.with_extension("log.1"), &wanted, limit - lines.len())?;
        older.append(&mut lines);
        lines = older;
    }
    let activity = Activity {
        path,
        wanted,
        at,
        file,
        rest: Vec::new(),
    };
    Ok((lines, activity))
}

/// The last lines of one file, read piece by piece from its end; up to where it was read, and which file it was.
fn tail(path: &Path, wanted: &Wanted, limit: usize) -> Done<(Vec<LogLine>, u64, Option<u64>)> {
    let read = |error| unreadable(path, error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), 0, None)),
        Err(error) => return Err(read(error)),
    };
    let meta = file.metadata().map_err(read)?;
    let end = whole_lines(&mut file, meta.len()).map_err(read)?;
    let mut found = Vec::new();
    let mut start = end;
    // The beginning of the piece read last belongs to a line whose own beginning is further up.
    let mut rest: Vec<u8> = Vec::new();
    while start > 0 && found.len() < limit {
        let from = start.saturating_sub(PIECE);
        let mut bytes = vec![0; (start - from) as usize];
        file.seek(SeekFrom::Start(from)).map_err(read)?;
        file.read_exact(&mut bytes).map_err(read)?;
        bytes.append(&mut rest);
        let lines_begin = if from == 0 {
            0
        } else {
            match bytes.iter().position(|byte| *byte == b'\n') {
                Some(place) => place + 1,
                None => bytes.len(),
            }
        };
        rest = bytes[..lines_begin].to_vec();
        let mut lines: Vec<&[u8]> = bytes[lines_begin..].split(|byte| *byte == b'\n').collect();
        lines.reverse();
        for line in lines {
            if found.len() < limit
                && let Some(line) = LogLine::parse(line).filter(|line| wanted.matches(line))
            {
                found.push(line);
            }
        }
        start = from;
    }
    found.reverse();
    Ok((found, end, Some(identity(&meta))))
}

/// The place behind the last whole line.
fn whole_lines(file: &mut File, length: u64) -> std::io::Result<u64> {
    let from = length.saturating_sub(PIECE);
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::new(file.take(length - from));
    let mut at = from;
    let mut line = Vec::new();
    let mut end = from;
    while reader.read_until(b'\n', &mut line)? > 0 {
        at += line.len() as u64;
        if line.ends_with(b"\n") {
            end = at;
        }
        line.clear();
    }
    Ok(end)
}

fn identity(meta: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

fn broken_off(error: &tokio::task::JoinError) -> Problem {
    Problem::new(
        ErrorClass::Store,
        format!("reading the log was broken off: {error}"),
    )
}

fn unreadable(path: &Path, error: std::io::Error) -> Problem {
    Problem::new(
        ErrorClass::Store,
        format!("the log {} cannot be read: {error}", path.display()),
    )
    .remedy("check its permissions: only its owner may read it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn line(number: usize, level: &str, job: &str) -> String {
        let long = "x".repeat(number % 700);
        format!(
            "{{\"level\":\"{level}\",\"n\":{number},\"job\":\"{job}\",\"request_id\":\"r{number}\",\"long\":\"{long}\"}}\n"
        )
    }

    fn numbers(lines: &[LogLine]) -> Vec<usize> {
        lines
            .iter()
            .map(|line| line.text("n").unwrap().parse().unwrap())
            .collect()
    }

    fn wanted(level: Option<&str>, request: Option<&str>, job: Option<&str>) -> LogFilter {
        LogFilter {
            level: level.map(str::to_owned),
            request: request.map(str::to_owned),
            job: job.map(str::to_owned),
            ..LogFilter::default()
        }
    }

    #[test]
    fn a_call_is_read_back_and_is_a_warning_if_it_failed() {
        let line = r#"{"timestamp":"2026-11-23T14:02:00.5Z","level":"INFO","message":"call","api":"highlevel",
            "method":"GET","path":"/objects/pets/records/66b1","status":429,"millis":500,"retry_after":7,
            "request_id":"r1","error":"too many requests","job":"j1","mapping":"pets","run":"x1"}"#;
        let line = LogLine::parse(line.as_bytes()).unwrap();
        let call = line.call().unwrap();
        assert_eq!(call.at, "2026-11-23T14:02:00Z".parse().unwrap());
        assert_eq!((call.status, call.retry_after), (Some(429), Some(7)));
        assert_eq!(line.level(), Some(LogLevel::Warn));
        let of = |change: &dyn Fn(&mut LogFilter)| {
            let mut filter = LogFilter::default();
            change(&mut filter);
            filter.matches(&line, |_| false)
        };
        assert!(of(&|f| f.record = Some("66b1".into())));
        assert!(!of(&|f| f.record = Some("77c2".into())));
        assert!(of(&|f| f.mapping = Some("pets".into())));
        assert!(!of(&|f| f.mapping = Some("pet".into())));
        assert!(of(&|f| f.run = Some("x1".into())));
        assert!(!of(&|f| f.run = Some("x".into())));
        assert!(of(&|f| f.level = Some("warn".into())));
        assert!(!of(&|f| f.level = Some("error".into())));
    }

    #[test]
    fn the_last_lines_that_match_are_found_over_pieces_and_files_and_then_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tramline.log");
        let all: Vec<String> = (0..3_000)
            .map(|n| {
                let level = if n % 100 == 0 { "WARN" } else { "INFO" };
                line(n, level, if n % 7 == 0 { "job-a" } else { "job-b" })
            })
            .collect();
        std::fs::write(path.with_extension("log.1"), all[..1_000].concat()).unwrap();
        std::fs::write(&path, all[1_000..].concat()).unwrap();
        let last = |filter, limit| {
            let wanted = Wanted {
                filter,
                of_job: None,
            };
            last_lines(path.clone(), wanted, limit).unwrap()
        };
        let (lines, _) = last(LogFilter::default(), 5);
        assert_eq!(numbers(&lines), [2_995, 2_996, 2_997, 2_998, 2_999]);
        let (lines, _) = last(LogFilter::default(), 10_000);
        assert_eq!(numbers(&lines), (0..3_000).collect::<Vec<_>>());
        let (lines, _) = last(wanted(Some("warn"), None, None), 25);
        let warnings: Vec<usize> = (5..30).map(|n| n * 100).collect();
        assert_eq!(numbers(&lines), warnings);
        let (lines, _) = last(wanted(None, Some("r1234"), None), 9);
        assert_eq!(numbers(&lines), [1_234]);
        let (lines, mut activity) = last(wanted(None, None, Some("job-a")), 2);
        assert_eq!(numbers(&lines), [2_989, 2_996]);

        assert!(activity.more().unwrap().is_empty());
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        let next = line(7, "INFO", "job-a");
        let (begin, end) = next.split_at(20);
        file.write_all(begin.as_bytes()).unwrap();
        assert!(activity.more().unwrap().is_empty());
        file.write_all(end.as_bytes()).unwrap();
        file.write_all(b"no json\n").unwrap();
        file.write_all(line(8, "INFO", "job-b").as_bytes()).unwrap();
        assert_eq!(numbers(&activity.more().unwrap()), [7]);
        // Set aside, and begun anew.
        std::fs::rename(&path, path.with_extension("log.1")).unwrap();
        assert!(activity.more().unwrap().is_empty());
        std::fs::write(&path, line(14, "INFO", "job-a")).unwrap();
        assert_eq!(numbers(&activity.more().unwrap()), [14]);
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(wanted(Some("loud"), None, None).check().is_err());
        assert!(wanted(Some("Warn"), None, None).check().is_ok());
    }
}
