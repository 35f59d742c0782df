//! One row of the activity: an HTTP call, a line of the log, or what a person did.

use crate::model::audit::AuditEntry;
use crate::model::call::{Api, Call};
use crate::operations::{LogLevel, LogLine};
use crate::tui::widgets::text::{Paragraphs, Tone};
use jiff::Timestamp;
use std::borrow::Cow;
use std::time::Duration;

/// What kinds of rows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Call,
    Line,
    Action,
}

impl Kind {
    /// The title above the list; `None` is for all.
    pub fn title(kind: Option<Self>) -> &'static str {
        match kind {
            None => "all",
            Some(Self::Call) => "calls",
            Some(Self::Line) => "log",
            Some(Self::Action) => "actions",
        }
    }

    /// In the order of `tab`.
    pub const ORDER: [Option<Self>; 4] =
        [None, Some(Self::Call), Some(Self::Line), Some(Self::Action)];
}

/// What a row tells of.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A call, and the line that the log has of it: with it the job that it was made for.
    Call(Call, Option<LogLine>),
    Line(LogLine),
    Action(AuditEntry),
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: Timestamp,
    pub what: What,
    /// What text is looked for in, in lower case.
    searched: String,
}

/// Fields of a line that have a place of their own, or say nothing to a reader.
const KNOWN: [&str; 6] = ["timestamp", "level", "message", "target", "span", "spans"];

impl Entry {
    fn new(at: Timestamp, what: What) -> Self {
        let mut entry = Self {
            at,
            what,
            searched: String::new(),
        };
        entry.searched = match &entry.what {
            What::Call(call, line) => {
                let ids = line.as_ref().map(|line| line.fields()).unwrap_or_default();
                format!("{} {} {ids}", call.api.name(), entry.summary())
            }
            _ => entry.summary(),
        }
        .to_lowercase();
        entry
    }

    /// Of a call that this process just made.
    pub fn of_call(call: Call) -> Self {
        Self::new(call.at, What::Call(call, None))
    }

    /// Of a line of the log; `None` for one without a time.
    pub fn of_line(line: LogLine) -> Option<Self> {
        Some(match line.call() {
            Some(call) => Self::new(call.at, What::Call(call, Some(line))),
            None => Self::new(line.at()?, What::Line(line)),
        })
    }

    /// Of a person's action.
    pub fn of_action(action: AuditEntry) -> Self {
        Self::new(action.at, What::Action(action))
    }

    /// What kind of row it is.
    pub fn kind(&self) -> Kind {
        match self.what {
            What::Call(..) => Kind::Call,
            What::Line(_) => Kind::Line,
            What::Action(_) => Kind::Action,
        }
    }

    /// How much it matters. A call that failed is a warning: it is tried again, or its job has the error.
    pub fn level(&self) -> LogLevel {
        match &self.what {
            What::Call(call, _) if call.error.is_some() => LogLevel::Warn,
            What::Call(..) => LogLevel::Info,
            What::Line(line) => line.level().unwrap_or(LogLevel::Info),
            What::Action(action) => match action.outcome.as_deref() {
                Some("done" | "undone") | None => LogLevel::Info,
                Some(_) => LogLevel::Error,
            },
        }
    }

    /// True if it has a text, which is in lower case.
    pub fn has_text(&self, text: &str) -> bool {
        self.searched.contains(text)
    }

    /// True if it is the same call as one that the log has a line of: the log's time is that of the end.
    pub fn is_same_call(&self, call: &Call) -> bool {
        let What::Call(own, None) = &self.what else {
            return false;
        };
        let near = Duration::from_secs(2);
        own.method == call.method
            && own.path == call.path
            && own.status == call.status
            && own.millis == call.millis
            && own.request_id == call.request_id
            && own.at.duration_since(call.at).unsigned_abs() < near
    }

    fn line(&self) -> Option<&LogLine> {
        match &self.what {
            What::Call(_, line) => line.as_ref(),
            What::Line(line) => Some(line),
            What::Action(_) => None,
        }
    }

    /// The connection that it is about, where that is known.
    pub fn connection(&self) -> Option<Cow<'_, str>> {
        match &self.what {
            What::Action(action) => {
                let connection = action.connection.as_ref()?;
                Some(Cow::Borrowed(connection.as_str()))
            }
            What::Call(call, _) if call.connection.is_some() => {
                let connection = call.connection.as_ref()?;
                Some(Cow::Borrowed(connection.as_str()))
            }
            _ => self.line()?.text("connection").map(Cow::Owned),
        }
    }

    /// True if a key of the filter has a value here.
    pub fn holds(&self, key: &str, value: &str) -> bool {
        if key == "level" {
            return LogLevel::from_name(value).is_some_and(|level| self.level() >= level);
        }
        if let What::Action(action) = &self.what {
            return match key {
                "who" => action.who.contains(value),
                "action" => action.action.contains(value),
                "connection" => action
                    .connection
                    .as_ref()
                    .is_some_and(|c| c.as_str() == value),
                "job" | "record" | "run" | "mapping" => names(&action.target, key, value),
                _ => false,
            };
        }
        if let What::Call(call, _) = &self.what {
            match key {
                "connection" if call.connection.is_some() => {
                    return self.connection().is_some_and(|name| name == value);
                }
                "api" => return is_api(call.api, value),
                "method" => return call.method.eq_ignore_ascii_case(value),
                "status" => return is_status(call.status, value),
                "request" if call.request_id.as_deref() == Some(value) => return true,
                "record" if call.path.contains(value) => return true,
                _ => {}
            }
        }
        let Some(line) = self.line() else {
            return false;
        };
        match key {
            "job" => line.is_of_job(value),
            "request" => line.is_of_request(value),
            "record" => line.is_of_record(value),
            "status" | "run" | "mapping" | "connection" | "api" => {
                line.text(key).as_deref() == Some(value)
            }
            _ => false,
        }
    }

    /// The filter for what belongs to this row: its job, run or request, whichever it has first.
    pub fn thing(&self) -> Option<(&'static str, String)> {
        if let Some(line) = self.line() {
            for key in ["job", "run", "record", "mapping"] {
                if let Some(value) = line.text(key) {
                    return Some((key, value));
                }
            }
        }
        match &self.what {
            What::Call(call, _) => Some(("request", call.request_id.clone()?)),
            _ => None,
        }
    }

    /// What `y` copies: a name for it, and the text.
    pub fn id(&self) -> (&'static str, String) {
        match &self.what {
            What::Call(call, _) => match &call.request_id {
                Some(id) => ("request id", id.clone()),
                None => ("path", call.path.clone()),
            },
            What::Line(line) => {
                let keys = [
                    ("job", "job id"),
                    ("run", "run id"),
                    ("record", "record id"),
                ];
                let ids = keys.into_iter();
                ids.filter_map(|(key, name)| Some((name, line.text(key)?)))
                    .next()
                    .unwrap_or_else(|| ("line", self.summary()))
            }
            What::Action(action) => ("target", action.target.clone()),
        }
    }

    /// The whole in one line, without its time.
    pub fn summary(&self) -> String {
        match &self.what {
            What::Call(call, _) => {
                let status = call
                    .status
                    .map_or("no answer".to_owned(), |s| s.to_string());
                let mut text = format!(
                    "{} {} {} {status} {} ms",
                    short_name(call.api),
                    call.method,
                    call.path,
                    call.millis
                );
                for more in [&call.error, &call.request_id].into_iter().flatten() {
                    text.push_str(&format!("  {more}"));
                }
                text
            }
            What::Line(line) => {
                let message = line.text("message").unwrap_or_default();
                let fields = line.fields();
                match (message.is_empty(), fields.is_empty()) {
                    (false, false) => format!("{message}  {fields}"),
                    (false, true) => message,
                    _ => fields,
                }
            }
            What::Action(action) => {
                let mut text = format!("{} {} {}", action.who, action.action, action.target);
                // What follows may have no room: that it failed is never cut.
                if self.level() == LogLevel::Error {
                    text.insert_str(0, "! ");
                }
                if let Some(count) = action.count {
                    text.push_str(&format!(" ({count})"));
                }
                text.push_str(&format!(": {}", outcome(action)));
                if let Some(reason) = &action.reason {
                    text.push_str(&format!("  {reason}"));
                }
                text
            }
        }
    }

    /// The row whole, for a window of its own.
    pub fn whole(&self, at: &str) -> (&'static str, Paragraphs) {
        let mut text = Paragraphs::default();
        let title = match &self.what {
            What::Call(call, line) => {
                text.add(format!("{} {}", call.method, call.path), Tone::Title);
                let status = call
                    .status
                    .map_or("no answer".to_owned(), |s| s.to_string());
                let api = call.api.name();
                let first = format!("{api} at {at}   {status}   {} ms", call.millis);
                text.add(first, Tone::Plain);
                if let Some(seconds) = call.retry_after {
                    text.add(format!("retry after {seconds} s"), Tone::Warn);
                }
                if let Some(id) = &call.request_id {
                    text.add(format!("request {id}"), Tone::Muted);
                }
                if let Some(error) = &call.error {
                    text.gap();
                    text.add(error.clone(), Tone::Error);
                }
                if let Some(line) = line {
                    let keys = ["job", "record", "mapping", "connection", "run"];
                    let ids = keys
                        .into_iter()
                        .filter_map(|key| Some((key, line.text(key)?)));
                    let ids: Vec<_> = ids.map(|(key, id)| format!("{key} {id}")).collect();
                    if !ids.is_empty() {
                        text.gap();
                        text.add(ids.join("\n"), Tone::Muted);
                    }
                }
                "Call"
            }
            What::Line(line) => {
                text.add(line.text("message").unwrap_or_default(), Tone::Title);
                let level = self.level();
                text.add(format!("{} at {at}", level.name()), tone(level));
                text.gap();
                for (key, value) in line.pairs() {
                    text.add(format!("{key} {value}"), Tone::Plain);
                }
                if let Some(target) = line.text("target") {
                    text.add(format!("written by {target}"), Tone::Muted);
                }
                "Line of the log"
            }
            What::Action(action) => {
                let first = format!("{} {}", action.action, action.target);
                text.add(first, Tone::Title);
                text.add(format!("{} at {at}", action.who), Tone::Plain);
                if let Some(count) = action.count {
                    text.add(format!("changed {count}"), Tone::Plain);
                }
                if let Some(connection) = &action.connection {
                    text.add(format!("connection {connection}"), Tone::Muted);
                }
                if let Some(reason) = &action.reason {
                    text.add(format!("because: {reason}"), Tone::Plain);
                }
                text.gap();
                text.add(outcome(action), tone(self.level()));
                "Action"
            }
        };
        (title, text)
    }
}

/// How an action ended; one without an end was begun by a process that is gone, or is not over.
pub fn outcome(action: &AuditEntry) -> &str {
    action.outcome.as_deref().unwrap_or("begun")
}

/// True if what an action was about names a thing: as all of it, as a word of it, or as the value of a term of the filter
/// that it was about.
fn names(target: &str, key: &str, value: &str) -> bool {
    let term = super::about(key, value);
    let mut words = target.split(|c: char| c.is_whitespace() || c == ',');
    let word = |word: &str| {
        word == value
            || word
                .strip_prefix(key)
                .and_then(|rest| rest.strip_prefix(':'))
                == Some(value)
    };
    target == value || words.any(word) || (term.contains('"') && target.contains(&term))
}

/// The tone of a level.
pub fn tone(level: LogLevel) -> Tone {
    match level {
        LogLevel::Error => Tone::Error,
        LogLevel::Warn => Tone::Warn,
        LogLevel::Info => Tone::Plain,
        LogLevel::Debug | LogLevel::Trace => Tone::Muted,
    }
}

/// The names that the status bar uses too.
pub fn short_name(api: Api) -> &'static str {
    match api {
        Api::HighLevel => "GHL",
        Api::ActiveCampaign => "AC",
    }
}

/// True for a name of an API: `highlevel`, `GHL`.
pub fn is_api(api: Api, name: &str) -> bool {
    api.name() == name || short_name(api).eq_ignore_ascii_case(name)
}

/// True for what [`is_status`] can be asked of.
pub fn is_status_name(name: &str) -> bool {
    let digits = name.strip_suffix("xx").unwrap_or(name);
    let places = if name == digits { 3 } else { 1 };
    let known = digits.starts_with(|c: char| ('1'..='5').contains(&c));
    let is_number = digits.len() == places && digits.bytes().all(|b| b.is_ascii_digit());
    name == "none" || (known && is_number)
}

/// `404`, all of a hundred as `4xx`, or `none` for a call without an answer.
fn is_status(status: Option<u16>, wanted: &str) -> bool {
    match (status, wanted.strip_suffix("xx")) {
        (None, _) => wanted == "none",
        (Some(status), Some(hundreds)) => (status / 100).to_string() == hundreds,
        (Some(status), None) => status.to_string() == wanted,
    }
}

impl LogLine {
    /// Its own fields and their values as text, without what has a place of its own.
    fn pairs(&self) -> impl Iterator<Item = (&str, String)> {
        let keys = self.0.keys().map(String::as_str);
        keys.filter(|key| !KNOWN.contains(key))
            .filter_map(|key| Some((key, self.text(key)?)))
    }

    /// `job=0192 outcome=synced`
    fn fields(&self) -> String {
        let pairs: Vec<String> = self.pairs().map(|(k, v)| format!("{k}={v}")).collect();
        pairs.join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::RowFilter;
    use super::*;
    use serde_json::json;

    fn line(value: serde_json::Value) -> Entry {
        let serde_json::Value::Object(map) = value else {
            panic!("no object")
        };
        Entry::of_line(LogLine(map)).unwrap()
    }

    fn call() -> Entry {
        line(
            json!({"timestamp": "2026-11-23T14:02:00Z", "level": "INFO", "message": "call",
            "api": "highlevel", "method": "GET", "path": "/objects/pets/records/66b1", "status": 429,
            "millis": 10, "request_id": "r1", "error": "Too many", "job": "0192aa", "mapping": "pets"}),
        )
    }

    fn found(text: &str, entry: &Entry) -> bool {
        RowFilter::parse(text).unwrap().matches(entry)
    }

    #[test]
    fn rows_are_found_by_what_they_are_about() {
        let call = call();
        for text in [
            "job:0192",
            "request:r1",
            "record:66b1",
            "mapping:pets,visits",
            "status:429",
            "status:4xx",
            "api:GHL",
            "method:get",
            "level:warn",
            "too -synced",
            "job:0192aa TOO",
        ] {
            assert!(found(text, &call), "{text}");
        }
        for text in [
            "job:93",
            "status:5xx",
            "level:error",
            "-too",
            "who:jo",
            "run:x",
        ] {
            assert!(!found(text, &call), "{text}");
        }
        let settled = line(
            json!({"timestamp": "2026-11-23T14:02:00Z", "level": "ERROR",
            "message": "job settled", "job": "0192aa", "outcome": "failed"}),
        );
        assert!(found("level:error outcome=failed", &settled));
        assert!(!found("status:none", &settled));
    }

    #[test]
    fn a_call_in_the_log_takes_the_place_of_the_one_that_was_seen() {
        let What::Call(logged, _) = call().what else {
            panic!("no call")
        };
        let live = Entry::of_call(logged.clone());
        assert!(live.is_same_call(&logged));
        let mut other = logged;
        other.millis += 1;
        assert!(!live.is_same_call(&other));
    }
}
