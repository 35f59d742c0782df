//! Runs of bulk exports: progress, what became of the records, pause, resume, cancel.

mod failures;
mod filter;
mod view;

use super::{Refresh, Screen, WakeCx, about, find_row};
use crate::model::export::{ExportOptions, Run, RunState};
use crate::model::filter::FilterError;
use crate::model::{Level, MappingName, RunId};
use crate::tui::canvas::{Canvas, counted, short_id};
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::slots::Slot;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::field::{Field, Kind};
use crate::tui::widgets::form::{Form, Purpose};
use crate::tui::widgets::overlay::Overlay;
use crate::tui::widgets::table::TableState;
use filter::Wanted;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;
use serde_json::json;

/// The screen.
pub struct Exports {
    runs: Load<Vec<Run>>,
    refresh: Refresh,
    table: TableState,
    filter: String,
    /// A run that was just started: the cursor goes to it when it is listed.
    started: Option<RunId>,
    /// The run that is shown whole below the list.
    beside: Option<RunId>,
    settle: Option<Timestamp>,
    /// How many failures of a run are left, as far as that is known.
    still: Option<(RunId, u64)>,
    /// The run that was last asked about, and when; to be asked again where `changed`.
    looked: Option<(RunId, Timestamp)>,
    changed: bool,
    /// The run whose failed jobs are looked for.
    wanted: Option<Run>,
}

/// The cursor must rest this long before a run is shown whole: a slow line is not to carry every run passed.
const SETTLE: SignedDuration = SignedDuration::from_millis(150);
/// What is left of a run's failures is counted again at most so often: they may be many.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Records settled a second, over the time of work.
pub fn rate(run: &Run) -> Option<f64> {
    (run.elapsed_ms >= 1000 && run.counts.settled() > 0)
        .then(|| run.counts.settled() as f64 * 1000.0 / run.elapsed_ms as f64)
}

/// How many records the run is about, as far as that is known: for one that is over, those that it read.
pub fn goal(run: &Run) -> Option<u64> {
    if run.state == RunState::Completed {
        return Some(run.counts.read);
    }
    // How many records changed since a time is known only at the end.
    if run.options.since.is_some() {
        return None;
    }
    let total = run.total?;
    Some(run.options.limit.map_or(total, |limit| limit.min(total)))
}

/// Milliseconds until the run has settled all records, as far as that can be told.
pub fn left_ms(run: &Run) -> Option<u64> {
    let left = goal(run)?.checked_sub(run.counts.settled())?;
    Some((left as f64 * 1000.0 / rate(run)?) as u64)
}

/// Whether a run is to be cancelled; `None` for one that is over.
pub fn cancel_question(run: &Run) -> Option<Confirm> {
    if matches!(run.state, RunState::Completed | RunState::Cancelled) {
        return None;
    }
    let goal = goal(run).unwrap_or(run.counts.read);
    let left = goal.saturating_sub(run.counts.settled());
    let question = Confirm::new(format!("Cancel the export of {}?", run.mapping));
    Some(question.line(format!(
        "Left: {}. What was sent stays sent. It cannot be resumed.",
        counted(left, "record")
    )))
}

/// Per cent of the records settled.
pub fn percent(run: &Run) -> Option<u64> {
    match goal(run)? {
        0 => Some(100),
        goal => (run.counts.settled().min(goal) * 100).checked_div(goal),
    }
}

impl Exports {
    /// An empty screen.
    pub fn new(low_bandwidth: bool) -> Self {
        Self {
            runs: Load::Idle,
            refresh: Refresh::of_numbers(low_bandwidth),
            table: TableState::default(),
            filter: String::new(),
            started: None,
            beside: None,
            settle: None,
            still: None,
            looked: None,
            changed: false,
            wanted: None,
        }
    }

    /// Reads the runs less often, or at the usual pace again.
    pub fn pace(&mut self, low_bandwidth: bool) {
        self.refresh.pace(low_bandwidth);
    }

    /// The store changed.
    pub fn mark(&mut self) {
        self.refresh.mark();
    }

    fn shown(&self) -> Vec<&Run> {
        let all = self.runs.value().map(Vec::as_slice).unwrap_or_default();
        let wanted = Wanted::of(&self.filter);
        all.iter()
            .filter(|run| {
                let (name, state) = (&run.mapping, run.state.name());
                let options = view::options(run).join(", ");
                let text = format!("{name} {state} {options} {}", run.id);
                wanted.lets(run, all) && super::contains(&text, &wanted.text)
            })
            .collect()
    }

    /// A run as the list has it.
    pub fn listed(&self, id: &RunId) -> Option<&Run> {
        let mut all = self.runs.value().into_iter().flatten();
        all.find(|run| run.id == *id)
    }

    /// True if the list has a run that does not run any more.
    pub fn is_over(&self, id: &RunId) -> bool {
        let listed = self.listed(id);
        listed.is_some_and(|run| run.state != RunState::Running)
    }

    fn current(&self) -> Option<Run> {
        self.shown()
            .get(self.table.cursor)
            .map(|run| (*run).clone())
    }

    /// Narrows the list; the cursor stays on its run as long as that is shown.
    fn narrow(&mut self, text: &str) {
        let under = self.current().map(|run| run.id);
        self.filter = text.to_owned();
        let mut shown = self.shown().into_iter();
        let row = shown.position(|run| Some(&run.id) == under.as_ref());
        self.table.stay(row);
        self.follow();
    }

    /// Shows the run under the cursor whole.
    fn follow(&mut self) {
        self.settle = None;
        self.beside = self.current().map(|run| run.id);
        self.changed = true;
    }

    /// When what is left of the failures of the run that is shown whole is to be counted; `None` if that is known, or there is
    /// nothing to count.
    fn look_at(&self, now: Timestamp) -> Option<(RunId, Timestamp)> {
        let run = self.listed(self.beside.as_ref()?)?;
        let counts = run.counts.failed > 0 && !run.options.dry_run;
        if !self.changed || !counts || run.state == RunState::Running {
            return None;
        }
        let looked = self.looked.as_ref().filter(|(id, _)| *id == run.id);
        let at = looked.map_or(now, |(_, at)| *at + LOOK_AGAIN);
        Some((run.id.clone(), at))
    }

    fn read(&mut self, cx: &mut Cx) {
        self.refresh.take(cx.now);
        self.runs.start();
        cx.ask(Slot::Exports, Request::Exports);
    }

    fn new_export(&self, cx: &mut Cx) {
        let names: Vec<MappingName> = cx.session.mappings.iter().map(|m| m.name.clone()).collect();
        if names.is_empty() {
            cx.toast(
                Level::Warning,
                "no mapping yet: add [mappings.NAME] to config.toml",
            );
            return;
        }
        let options = names
            .iter()
            .map(|n| (n.to_string(), n.to_string()))
            .collect();
        let first = json!(names[0].as_str());
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|w| (w.to_string(), w.to_string()))
                .collect()
        };
        let (yes_no, yes) = (["no", "yes"], ["yes"]);
        // What writes cannot be chosen under --read-only.
        let (dry, label) = match cx.session.read_only {
            true => (&yes[..], "Dry run (read-only)"),
            false => (&yes_no[..], "Dry run: write nothing"),
        };
        let fields = vec![
            Field::choice("mapping", "Mapping", Kind::One, options, Some(first)),
            Field::choice("dry_run", label, Kind::One, words(dry), Some(json!("yes"))),
            Field::choice(
                "full",
                "Unchanged ones as well",
                Kind::One,
                words(&yes_no),
                Some(json!("no")),
            ),
            Field::text("limit", "At most so many records", Kind::Text, None),
        ];
        let form = Form::new("New export", Purpose::Export(names), fields);
        cx.show(Overlay::Form(Box::new(form)));
    }
}

/// The options that the form of a new export holds, and the command that does the same; `None` if a field cannot be taken, which it
/// then says.
pub fn from_form(
    form: &mut Form,
    names: &[MappingName],
) -> Option<(MappingName, ExportOptions, String)> {
    let yes = |key: &str| {
        let field = form.fields.iter().find(|field| field.key == key);
        field.and_then(Field::chosen_key) == Some("yes")
    };
    let mapping = form.fields.first().and_then(Field::chosen)?;
    let mapping = names.get(mapping)?.clone();
    let (dry_run, full) = (yes("dry_run"), yes("full"));
    let field = form.fields.iter_mut().find(|field| field.key == "limit")?;
    let limit = match field.typed() {
        "" => None,
        typed => match typed.parse() {
            Ok(limit @ 1..) => Some(limit),
            _ => {
                field.problem = Some("a whole number such as 50, or nothing for all".to_owned());
                return None;
            }
        },
    };
    let options = ExportOptions {
        dry_run,
        full,
        since: None,
        limit,
        trigger: None,
    };
    let mut did = format!("tramline export {}", quoted(mapping.as_str()));
    if options.dry_run {
        did.push_str(" --dry-run");
    }
    if options.full {
        did.push_str(" --full");
    }
    if let Some(limit) = options.limit {
        did.push_str(&format!(" --limit {limit}"));
    }
    Some((mapping, options, did))
}

impl Screen for Exports {
    fn open(&mut self, cx: &mut Cx) {
        if self.runs.is_idle() {
            self.read(cx);
        }
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        match (action, self.current()) {
            (Action::Reload, _) => self.read(cx),
            (Action::New, _) => self.new_export(cx),
            (Action::Pause, Some(run)) => match run.state {
                _ if cx.refused() => {}
                // Stopping is never asked for twice, not even on production.
                RunState::Running => cx.write_now(
                    Request::PauseExport(run.id.clone()),
                    format!("tramline exports pause {}", run.id),
                ),
                RunState::Paused | RunState::Failed => cx.write(
                    Request::ResumeExport(run.id.clone()),
                    None,
                    format!("tramline exports resume {}", run.id),
                ),
                state => cx.toast(Level::Warning, format!("this run is {}", state.name())),
            },
            (Action::Cancel, Some(run)) => {
                let Some(question) = cancel_question(&run) else {
                    cx.toast(Level::Warning, format!("this run is {}", run.state.name()));
                    return;
                };
                cx.write(
                    Request::CancelExport(run.id.clone()),
                    Some(question),
                    format!("tramline exports cancel {}", run.id),
                );
            }
            (Action::Open, Some(run)) => self.failures(run, cx),
            (Action::Copy, Some(run)) => cx.copy("run id", run.id.to_string()),
            (Action::NextMatch | Action::PreviousMatch, _) => {
                let rows = self.shown().len();
                let forward = action == Action::NextMatch;
                self.table.cursor =
                    find_row(rows, self.table.cursor, forward, |_| true).unwrap_or(0);
                self.settle = Some(cx.now + SETTLE);
            }
            _ => {
                let rows = self.shown().len();
                if self.table.act(action, rows) {
                    self.settle = Some(cx.now + SETTLE);
                }
            }
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Exports(result) => {
                let under = self.current().map(|run| run.id);
                self.runs.finish(result, cx.now);
                let shown = self.shown();
                let row_of = |id: &Option<RunId>| {
                    let id = id.as_ref()?;
                    shown.iter().position(|run| run.id == *id)
                };
                let started = row_of(&self.started);
                let row = started.or_else(|| row_of(&under));
                self.table.cursor = row.unwrap_or(self.table.cursor);
                if started.is_some() {
                    self.started = None;
                }
                let rows = self.shown().len();
                self.table.clamp(rows);
                if self.settle.is_none() {
                    self.follow();
                }
            }
            Reply::Run(word, Ok(run)) => {
                cx.toast(
                    Level::Ok,
                    format!(
                        "{word}: {} of {} {}",
                        if run.options.dry_run {
                            "dry run"
                        } else {
                            "export"
                        },
                        run.mapping,
                        short_id(run.id.as_str())
                    ),
                );
                if word == "started" {
                    self.filter.clear();
                    self.started = Some(run.id);
                }
                self.refresh.at_once();
            }
            Reply::StillFailed(run, Ok(number)) => self.still = Some((run, number)),
            // The number of those that failed stands there all the same.
            Reply::StillFailed(_, Err(_)) => {}
            Reply::Run(_, Err(problem)) => cx.toast(Level::Error, problem.to_string()),
            Reply::Jobs { result, .. } => self.failures_found(result, cx),
            _ => {}
        }
    }

    fn back(&mut self, _cx: &mut Cx) -> bool {
        let filtered = !self.filter.is_empty();
        self.narrow("");
        filtered
    }

    fn depth(&self) -> usize {
        usize::from(!self.filter.is_empty())
    }

    fn about(&self) -> Option<String> {
        self.current().map(|run| about("run", run.id.as_str()))
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn filter_fault(&self, text: &str) -> Option<FilterError> {
        filter::fault(text)
    }

    fn set_filter(&mut self, text: &str, _done: bool, _cx: &mut Cx) {
        self.narrow(text);
    }

    fn awaits(&self, slot: Slot) -> bool {
        // The list is read again without a word, as long as there is one.
        slot != Slot::Exports || self.runs.value().is_none()
    }

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::Exports => self.runs.cancel(),
            Slot::RunFailures => self.wanted = None,
            _ => {}
        }
    }

    fn tick(&mut self, cx: &mut Cx) {
        if self.settle.is_some_and(|at| at <= cx.now) {
            self.follow();
        }
        if !self.runs.is_idle() && !cx.slots.waits(Slot::Exports) && self.refresh.take(cx.now) {
            self.runs.start();
            cx.ask(Slot::Exports, Request::Exports);
        }
        if let Some((run, at)) = self.look_at(cx.now)
            && at <= cx.now
            && !cx.slots.waits(Slot::StillFailed)
        {
            self.changed = false;
            self.looked = Some((run.clone(), cx.now));
            cx.ask(Slot::StillFailed, Request::StillFailed(run));
        }
        let running = |run: &Run| run.state == RunState::Running;
        let old = self
            .runs
            .read_at()
            .is_none_or(|at| cx.now.duration_since(at) >= SignedDuration::from_secs(1));
        if old
            && self
                .runs
                .value()
                .is_some_and(|runs| runs.iter().any(running))
        {
            self.mark();
        }
    }

    fn wake(&self, cx: &WakeCx) -> Option<Timestamp> {
        let look = self.look_at(cx.now).map(|(_, at)| at);
        let look = look.filter(|_| !cx.slots.waits(Slot::StillFailed));
        if self.runs.is_idle() || cx.slots.waits(Slot::Exports) {
            return self.settle.into_iter().chain(look).min();
        }
        let running = |run: &Run| run.state == RunState::Running;
        let runs = self
            .runs
            .value()
            .is_some_and(|runs| runs.iter().any(running));
        let second =
            runs.then(|| self.runs.read_at().unwrap_or(cx.now) + SignedDuration::from_secs(1));
        [self.refresh.due_at(), second, self.settle, look]
            .into_iter()
            .flatten()
            .min()
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        self.draw(canvas, area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::export::{ExportCounts, RequestCounts};

    fn run(state: RunState, options: ExportOptions, read: u64) -> Run {
        Run {
            id: "r".into(),
            mapping: "pets".into(),
            connection: "default".into(),
            state,
            options,
            counts: ExportCounts {
                read,
                synced: read,
                ..ExportCounts::default()
            },
            total: Some(1006),
            sent: 0,
            requests: RequestCounts::default(),
            throttled: 0,
            checkpoint: None,
            waiting: None,
            error: None,
            started_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            elapsed_ms: 10_000,
        }
    }

    #[test]
    fn a_run_over_a_part_is_measured_by_that_part() {
        let limited = ExportOptions {
            limit: Some(20),
            ..ExportOptions::default()
        };
        let recent = ExportOptions {
            since: Some(Timestamp::UNIX_EPOCH),
            ..ExportOptions::default()
        };
        let half = run(RunState::Running, limited.clone(), 10);
        assert_eq!((percent(&half), left_ms(&half)), (Some(50), Some(10_000)));
        assert_eq!(percent(&run(RunState::Completed, limited, 9)), Some(100));
        assert_eq!(percent(&run(RunState::Running, recent.clone(), 9)), None);
        assert_eq!(
            percent(&run(RunState::Completed, recent.clone(), 9)),
            Some(100)
        );
        assert_eq!(percent(&run(RunState::Completed, recent, 0)), Some(100));
        let whole = run(RunState::Running, ExportOptions::default(), 503);
        assert_eq!(percent(&whole), Some(50));
    }
}
