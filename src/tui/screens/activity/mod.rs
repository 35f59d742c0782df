//! What goes on: every HTTP call, every line of the log, every action of a person; the newest first.

mod entry;
mod filter;
mod view;

use super::{Refresh, Screen, WakeCx, about, find_row};
use crate::model::audit::AuditEntry;
use crate::model::call::Call;
use crate::model::filter::FilterError;
use crate::model::{ConnectionName, Level, Problem};
use crate::operations::{Activity as LogPlace, Done, LogFilter, LogLine};
use crate::tui::canvas::Canvas;
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::{Overlay, TextBox};
use crate::tui::widgets::table::TableState;
use entry::{Entry, Kind, What};
pub use filter::RowFilter;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

/// Rows held of each kind: calls not yet in the log, lines of the log, actions.
const HELD: usize = 1000;
/// Lines are written a moment after the calls and changes that they tell of: the log is looked at once more.
const LATE: SignedDuration = SignedDuration::from_millis(700);

/// The screen.
pub struct Activity {
    kind: Option<Kind>,
    filter: String,
    rows: RowFilter,
    /// Why the filter cannot be read; the one before stays in force.
    fault: Option<FilterError>,
    /// Newest first.
    entries: Vec<Entry>,
    /// Places in `entries` of what the filter and the kind let through.
    shown: Vec<usize>,
    table: TableState,
    still: bool,
    /// What the log was last read by.
    wanted: Option<LogFilter>,
    place: Option<LogPlace>,
    log: Load<()>,
    audit: Load<()>,
    refresh: Refresh,
    late: Option<Timestamp>,
    calls_read: bool,
    /// Kind and filter in force before the log of one thing was asked for.
    before: Option<(Option<Kind>, String)>,
    /// The row that the cursor is to be on again, until a person moves.
    sought: Option<Entry>,
    /// The connection in view, where there are several: what is known to be of another one is left out.
    only: Option<ConnectionName>,
}

/// What was looked at before the log of one thing was: kind, filter and row.
#[derive(Clone, Debug)]
pub struct Look {
    kind: Option<Kind>,
    filter: String,
    under: Option<Entry>,
    still: bool,
    /// True if it was no log of one thing itself.
    first: bool,
}

impl Activity {
    /// An empty screen; `low_bandwidth` reads the log once a second at most.
    pub fn new(low_bandwidth: bool) -> Self {
        Self {
            kind: None,
            filter: String::new(),
            rows: RowFilter::default(),
            fault: None,
            entries: Vec::new(),
            shown: Vec::new(),
            table: TableState::default(),
            still: false,
            wanted: None,
            place: None,
            log: Load::Idle,
            audit: Load::Idle,
            refresh: Refresh::new(low_bandwidth),
            late: None,
            calls_read: false,
            before: None,
            sought: None,
            only: None,
        }
    }

    /// Narrows the list to a connection.
    pub fn narrow(&mut self, only: Option<ConnectionName>) {
        self.only = only;
        self.sift();
    }

    /// Shows what goes on under a filter, of all kinds; gives what was looked at before.
    pub fn choose(&mut self, filter: String, cx: &mut Cx) -> Look {
        let look = Look {
            kind: self.kind,
            filter: self.filter.clone(),
            // Whoever follows the newest row has it under the cursor again, whichever that is then.
            under: self
                .current()
                .filter(|_| self.still || self.table.cursor > 0)
                .cloned(),
            still: self.still,
            first: self.before.is_none(),
        };
        let before = || (look.kind, look.filter.clone());
        self.before.get_or_insert_with(before);
        self.kind = None;
        self.sought = None;
        self.take_filter(&filter);
        self.follow_filter(cx);
        cx.did(self.command());
        look
    }

    /// True if the log of that thing is in view, with all kinds of rows.
    pub fn is_log_of(&self, filter: &str) -> bool {
        self.kind.is_none() && self.filter == filter
    }

    /// Goes back to what was looked at before.
    pub fn put_back(&mut self, look: Look, cx: &mut Cx) {
        if look.first {
            self.before = None;
        }
        self.kind = look.kind;
        self.still = look.still;
        self.take_filter(&look.filter);
        self.sought = look.under;
        match self.sought {
            Some(_) => self.seek(),
            None => self.table.reset(),
        }
        self.follow_filter(cx);
    }

    /// Puts the cursor on the row that it is to be on again, once that is there.
    fn seek(&mut self) {
        let Some(sought) = &self.sought else { return };
        let row = self
            .shown
            .iter()
            .position(|at| self.entries[*at] == *sought);
        if let Some(row) = row {
            self.table.cursor = row;
        }
    }

    /// Takes a remembered kind and filter.
    pub fn restore(&mut self, kind: &str, filter: &str) {
        let known = Kind::ORDER.into_iter();
        self.kind = known.flatten().find(|k| Kind::title(Some(*k)) == kind);
        self.take_filter(filter);
    }

    /// As [`Activity::restore`], by a saved filter.
    pub fn use_filter(&mut self, kind: &str, filter: &str, cx: &mut Cx) {
        self.before = None;
        self.restore(kind, filter);
        self.follow_filter(cx);
        cx.did(self.command());
    }

    /// Why the filter cannot be read.
    pub fn fault(&self) -> Option<&FilterError> {
        self.fault.as_ref()
    }

    /// Kind, unless it is all, and filter in force.
    pub fn in_force(&self) -> (Option<&'static str>, &str) {
        let kind = self.kind.map(|kind| Kind::title(Some(kind)));
        (kind, &self.filter)
    }

    /// Kind and filter in force, for the remembered view: those of before, while the log of one thing is shown.
    pub fn remembered(&self) -> (&'static str, &str) {
        match &self.before {
            Some((kind, filter)) => (Kind::title(*kind), filter),
            None => (Kind::title(self.kind), &self.filter),
        }
    }

    /// The person left for another screen.
    pub fn left(&mut self) {
        self.before = None;
    }

    /// Reads the log less often, or at the usual pace again.
    pub fn pace(&mut self, low_bandwidth: bool) {
        self.refresh.pace(low_bandwidth);
    }

    /// Something happened of which the log may tell.
    pub fn mark(&mut self, now: Timestamp) {
        self.refresh.mark();
        self.late = Some(now + LATE);
    }

    /// A call ended.
    pub fn add(&mut self, call: Call, now: Timestamp) {
        self.mark(now);
        self.put(vec![Entry::of_call(call)]);
    }

    /// Adds rows, where they belong by their time. Without following, the cursor stays on its row while newer ones
    /// come in above it.
    fn put(&mut self, new: Vec<Entry>) {
        let under = self.current().cloned();
        for entry in &new {
            if let What::Call(call, Some(_)) = &entry.what {
                let seen = self.entries.iter().position(|e| e.is_same_call(call));
                if let Some(seen) = seen {
                    self.entries.remove(seen);
                }
            }
        }
        self.entries.extend(new);
        // Stable, and nearly sorted: the rows before keep their order.
        self.entries
            .sort_by_key(|entry| std::cmp::Reverse(entry.at));
        let mut held = [0_usize; 3];
        self.entries.retain(|entry| {
            let held = match &entry.what {
                What::Call(_, None) => &mut held[0],
                What::Call(_, Some(_)) | What::Line(_) => &mut held[1],
                What::Action(_) => &mut held[2],
            };
            *held += 1;
            *held <= HELD
        });
        self.sift();
        if let Some(under) = under
            && (self.still || self.table.cursor > 0)
        {
            let same = |entry: &Entry| match &under.what {
                // The line that the log has of a call takes its place.
                What::Call(call, None) if entry.is_same_call(call) => true,
                What::Call(call, None) => match &entry.what {
                    What::Call(logged, Some(_)) => {
                        under.is_same_call(logged) && logged.path == call.path
                    }
                    _ => false,
                },
                _ => *entry == under,
            };
            let row = self.shown.iter().position(|at| same(&self.entries[*at]));
            self.table.cursor = row.unwrap_or(self.table.cursor);
        }
        self.seek();
        self.table.clamp(self.shown.len());
    }

    fn sift(&mut self) {
        let lets = |entry: &Entry| {
            self.kind.is_none_or(|kind| entry.kind() == kind)
                && self.rows.matches(entry)
                && !self.is_elsewhere(entry)
        };
        let rows = self.entries.iter().enumerate();
        self.shown = rows
            .filter(|(_, entry)| lets(entry))
            .map(|(at, _)| at)
            .collect();
    }

    fn is_elsewhere(&self, entry: &Entry) -> bool {
        match (&self.only, entry.connection()) {
            (Some(only), Some(connection)) => {
                connection != only.as_str() && !self.rows.names("connection")
            }
            _ => false,
        }
    }

    fn current(&self) -> Option<&Entry> {
        self.entries.get(*self.shown.get(self.table.cursor)?)
    }

    /// What the log is read by: what is of another connection would only be left out again.
    fn filter_of_log(&self) -> LogFilter {
        let mut filter = self.rows.of_log();
        if !self.rows.names("connection") {
            filter.connection = self.only.as_ref().map(ToString::to_string);
        }
        filter
    }

    fn read_log(&mut self, cx: &mut Cx) {
        let filter = self.filter_of_log();
        self.wanted = Some(filter.clone());
        self.place = None;
        self.log.start();
        cx.ask(
            Slot::Log,
            Request::Log {
                filter,
                limit: HELD,
            },
        );
    }

    fn read_all(&mut self, cx: &mut Cx) {
        cx.ask(Slot::Calls, Request::Calls);
        self.read_log(cx);
        self.audit.start();
        cx.ask(Slot::Audit, Request::Audit { limit: HELD as u32 });
    }

    /// Lines of the log came: all that are wanted, or what was written since.
    fn lines_came(&mut self, since: bool, result: Done<(Vec<LogLine>, LogPlace)>, cx: &mut Cx) {
        match result {
            Ok((lines, place)) => {
                self.place = Some(place);
                self.log.finish(Ok(()), cx.now);
                if !since {
                    let from_log =
                        |what: &What| matches!(what, What::Line(_) | What::Call(_, Some(_)));
                    self.entries.retain(|entry| !from_log(&entry.what));
                }
                let lines = lines.into_iter().rev();
                self.put(lines.filter_map(Entry::of_line).collect());
            }
            Err(problem) => self.log.finish(Err(problem), cx.now),
        }
    }

    fn actions_came(&mut self, result: Result<Vec<AuditEntry>, Problem>, cx: &mut Cx) {
        let result = result.map(|actions| {
            let is_action = |entry: &Entry| entry.kind() == Kind::Action;
            let same = self.entries.iter().filter(|entry| is_action(entry));
            let new: Vec<Entry> = actions.into_iter().map(Entry::of_action).collect();
            if !same.eq(new.iter()) {
                self.entries.retain(|entry| !is_action(entry));
                self.put(new);
            }
        });
        self.audit.finish(result, cx.now);
    }

    fn next_kind(&mut self, forward: bool, cx: &mut Cx) {
        let at = Kind::ORDER
            .iter()
            .position(|k| *k == self.kind)
            .unwrap_or(0);
        let step = if forward { 1 } else { Kind::ORDER.len() - 1 };
        self.kind = Kind::ORDER[(at + step) % Kind::ORDER.len()];
        self.table.reset();
        self.sift();
        cx.did(match self.kind {
            Some(Kind::Action) => "tramline audit".to_owned(),
            _ => self.command(),
        });
    }

    /// The command that prints what the filter lets through, as far as it has options for it.
    fn command(&self) -> String {
        let filter = self.rows.of_log();
        let options = [
            // First, where the connection in view would stand.
            ("connection", filter.connection),
            ("level", filter.level),
            ("request", filter.request),
            ("job", filter.job),
            ("record", filter.record),
            ("run", filter.run),
            ("mapping", filter.mapping),
        ];
        let mut command = "tramline activity".to_owned();
        for (name, value) in options {
            if let Some(value) = value {
                command.push_str(&format!(" --{name} {}", quoted(&value)));
            }
        }
        command
    }

    /// Takes a filter in; one that cannot be read leaves the one before in force.
    fn take_filter(&mut self, text: &str) {
        self.filter = text.to_owned();
        match RowFilter::parse(text) {
            Ok(rows) => {
                self.rows = rows;
                self.fault = None;
            }
            Err(fault) => self.fault = Some(fault),
        }
        self.sift_around();
    }

    /// What is let through changed; the cursor stays on its row as long as that is shown.
    fn sift_around(&mut self) {
        let under = self.shown.get(self.table.cursor).copied();
        self.sift();
        let row = self.shown.iter().position(|at| Some(*at) == under);
        self.table.stay(row);
    }

    /// Reads the log again if the filter in force wants other lines of it.
    fn follow_filter(&mut self, cx: &mut Cx) {
        if self.wanted.is_some() && self.wanted.as_ref() != Some(&self.filter_of_log()) {
            self.read_log(cx);
        }
    }
}

impl Screen for Activity {
    fn open(&mut self, cx: &mut Cx) {
        if !self.calls_read {
            self.calls_read = true;
            self.refresh.take(cx.now);
            self.read_all(cx);
        }
        self.tick(cx);
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        self.sought = None;
        match action {
            Action::Reload => self.read_all(cx),
            Action::Switch => self.next_kind(true, cx),
            Action::SwitchBack => self.next_kind(false, cx),
            Action::Follow => {
                self.still = !self.still;
                if !self.still {
                    self.table.cursor = 0;
                }
                let text = if self.still {
                    "not following any more"
                } else {
                    "following the newest row"
                };
                cx.toast(Level::Ok, text);
            }
            Action::Open => {
                if let Some(entry) = self.current() {
                    let at = entry.at.to_zoned(cx.session.time_zone.clone());
                    let at = at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
                    let (title, text) = entry.whole(&at);
                    cx.show(Overlay::Text(TextBox::new(title, text)));
                }
            }
            Action::Copy => {
                if let Some(entry) = self.current() {
                    let (what, text) = entry.id();
                    cx.copy(what, text);
                }
            }
            Action::NextMatch | Action::PreviousMatch => {
                let forward = action == Action::NextMatch;
                let row = find_row(self.shown.len(), self.table.cursor, forward, |_| true);
                self.table.cursor = row.unwrap_or(0);
            }
            _ => {
                self.table.act(action, self.shown.len());
            }
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Calls(calls) => {
                let live = |what: &What| matches!(what, What::Call(_, None));
                self.entries.retain(|entry| !live(&entry.what));
                let logged: Vec<Call> = self
                    .entries
                    .iter()
                    .filter_map(|entry| match &entry.what {
                        What::Call(call, Some(_)) => Some(call.clone()),
                        _ => None,
                    })
                    .collect();
                let calls = calls.into_iter().rev().map(Entry::of_call);
                let new = calls.filter(|live| !logged.iter().any(|call| live.is_same_call(call)));
                self.put(new.collect());
            }
            Reply::Log { since, result } => self.lines_came(since, result, cx),
            Reply::Audit(result) => self.actions_came(result, cx),
            _ => {}
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if self.before.is_some() && self.kind.is_some() {
            self.kind = None;
            self.sift_around();
        } else if !self.filter.is_empty() {
            self.take_filter("");
            self.follow_filter(cx);
        } else if self.kind.is_some() {
            self.kind = None;
            self.sift_around();
        } else {
            return false;
        }
        true
    }

    fn depth(&self) -> usize {
        usize::from(!self.filter.is_empty()) + usize::from(self.kind.is_some())
    }

    fn about(&self) -> Option<String> {
        self.current()?
            .thing()
            .map(|(key, value)| about(key, &value))
    }

    fn has_row(&self) -> bool {
        self.current().is_some()
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn filter_fault(&self, text: &str) -> Option<FilterError> {
        RowFilter::parse(text).err()
    }

    fn set_filter(&mut self, text: &str, done: bool, cx: &mut Cx) {
        // What cannot be read yet leaves the list as it is.
        if !done && RowFilter::parse(text).is_err() {
            return;
        }
        self.sought = None;
        self.take_filter(text);
        if done {
            self.follow_filter(cx);
            if self.fault.is_none() {
                cx.did(self.command());
            }
        }
    }

    fn awaits(&self, slot: Slot) -> bool {
        // What streams is read without a word, as long as there is something to see.
        match slot {
            Slot::Log => self.shown.is_empty(),
            Slot::Filters(_) => true,
            _ => false,
        }
    }

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::Log => self.log.cancel(),
            Slot::Audit => self.audit.cancel(),
            _ => {}
        }
    }

    fn tick(&mut self, cx: &mut Cx) {
        if cx.slots.waits(Slot::Log) || cx.slots.waits(Slot::Audit) {
            return;
        }
        if self.late.is_some_and(|late| late <= cx.now) {
            self.late = None;
            self.refresh.mark();
        }
        if !self.calls_read || !self.refresh.take(cx.now) {
            return;
        }
        match &self.place {
            Some(place) => cx.ask(Slot::Log, Request::LogSince(Box::new(place.clone()))),
            None => self.read_log(cx),
        }
        cx.ask(Slot::Audit, Request::Audit { limit: HELD as u32 });
    }

    fn wake(&self, cx: &WakeCx) -> Option<Timestamp> {
        if cx.slots.waits(Slot::Log) || cx.slots.waits(Slot::Audit) {
            return None;
        }
        [self.refresh.due_at(), self.late]
            .into_iter()
            .flatten()
            .min()
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        self.draw(canvas, area);
    }
}
