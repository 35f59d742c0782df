//! Runs of bulk exports: progress, what became of the records, pause, resume, cancel.

use super::records::quoted;
use super::schemas::below;
use super::{Refresh, Screen, WakeCx, find_row};
use crate::model::export::{ExportOptions, Run, RunState};
use crate::model::{Level, MappingName};
use crate::tui::canvas::{Canvas, grouped, short_id, span};
use crate::tui::context::{Cx, Go};
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::slots::Slot;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::form::{Field, Form, Kind, Purpose};
use crate::tui::widgets::overlay::Overlay;
use crate::tui::widgets::table::{self, Column, Row, TableCell, TableState};
use crate::tui::widgets::text::Tone;
use crate::tui::widgets::{gauge, state};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;
use ratatui::style::Style;
use serde_json::json;

/// Lines that the run under the cursor takes below the list.
const DETAIL: u16 = 7;

/// The screen.
pub struct Exports {
    runs: Load<Vec<Run>>,
    refresh: Refresh,
    table: TableState,
    filter: String,
}

/// Records settled a second, over the time of work.
pub fn rate(run: &Run) -> Option<f64> {
    (run.elapsed_ms >= 1000 && run.counts.settled() > 0)
        .then(|| run.counts.settled() as f64 * 1000.0 / run.elapsed_ms as f64)
}

/// Milliseconds until the run has settled all records, as far as that can be told.
pub fn left_ms(run: &Run) -> Option<u64> {
    let total = run
        .options
        .limit
        .map_or(run.total?, |limit| limit.min(run.total.unwrap_or(limit)));
    let left = total.checked_sub(run.counts.settled())?;
    Some((left as f64 * 1000.0 / rate(run)?) as u64)
}

/// Per cent of the records settled.
pub fn percent(run: &Run) -> Option<u64> {
    let total = run.total?;
    (run.counts.settled().min(total) * 100).checked_div(total)
}

impl Exports {
    /// An empty screen.
    pub fn new(low_bandwidth: bool) -> Self {
        Self {
            runs: Load::Idle,
            refresh: Refresh::new(low_bandwidth),
            table: TableState::default(),
            filter: String::new(),
        }
    }

    /// The store changed.
    pub fn mark(&mut self) {
        self.refresh.mark();
    }

    fn shown(&self) -> Vec<&Run> {
        let all = self.runs.value().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(|run| {
                let text = format!("{} {} {}", run.mapping, run.state.name(), run.id);
                super::contains(&text, &self.filter)
            })
            .collect()
    }

    fn current(&self) -> Option<Run> {
        self.shown()
            .get(self.table.cursor)
            .map(|run| (*run).clone())
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
        let yes_no = || {
            vec![
                ("no".to_owned(), "no".to_owned()),
                ("yes".to_owned(), "yes".to_owned()),
            ]
        };
        let fields = vec![
            Field::choice("mapping", "Mapping", Kind::One, options, Some(first)),
            Field::choice(
                "dry_run",
                "Dry run: write nothing",
                Kind::One,
                yes_no(),
                Some(json!("yes")),
            ),
            Field::choice(
                "full",
                "Unchanged ones as well",
                Kind::One,
                yes_no(),
                Some(json!("no")),
            ),
            Field::text("limit", "At most so many records", Kind::Number, None),
        ];
        let form = Form::new("New export", Purpose::Export(names), fields);
        cx.show(Overlay::Form(Box::new(form)));
    }

    fn view_run(&self, canvas: &mut Canvas, area: Rect, run: &Run) {
        let theme = canvas.theme;
        canvas.rule(area.x, area.y, area.width);
        let mut y = area.y + 1;
        let (word, style) = state_look(canvas, run.state);
        let mut kinds = Vec::new();
        if run.options.dry_run {
            kinds.push("dry run");
        }
        if run.options.full {
            kinds.push("full");
        }
        let title = format!("{}  {}  {}  ", run.mapping, run.id, kinds.join(", "));
        let x = area.x + canvas.put(area.x, y, area.width, &title, theme.title);
        canvas.put(x, y, area.right().saturating_sub(x), &word, style);
        y += 1;
        let settled = run.counts.settled();
        let width = (area.width / 3).min(40);
        let mut x = area.x;
        if let Some(total) = run.total {
            x += gauge::bar(canvas, x, y, width, settled, total, style) + 1;
            let text = format!(
                "{} % {} of {}",
                percent(run).unwrap_or(0),
                grouped(settled),
                grouped(total)
            );
            x += canvas.put(x, y, area.right().saturating_sub(x), &text, theme.text);
        }
        let mut timing = Vec::new();
        if let Some(rate) = rate(run) {
            timing.push(format!("{}/s", grouped(rate.round() as u64)));
        }
        if run.state == RunState::Running
            && let Some(left) = left_ms(run)
        {
            timing.push(format!("{} left", span(left)));
        }
        timing.push(format!("worked {}", span(run.elapsed_ms)));
        let text = format!("   {}", timing.join("   "));
        canvas.put(x, y, area.right().saturating_sub(x), &text, theme.muted);
        y += 1;
        let c = &run.counts;
        let confirmed = if run.options.dry_run {
            "would send"
        } else {
            "confirmed"
        };
        let numbers = [
            ("read", c.read, theme.text),
            ("unchanged", c.unchanged, theme.muted),
            ("on the way", run.sent, theme.accent),
            (confirmed, c.synced, theme.ok),
            ("superseded", c.superseded, theme.muted),
            ("skipped", c.skipped, theme.muted),
            (
                "failed",
                c.failed,
                if c.failed > 0 {
                    theme.error
                } else {
                    theme.muted
                },
            ),
        ];
        let mut x = area.x;
        for (what, number, style) in numbers {
            let text = format!("{what} {}", grouped(number));
            x += canvas.put(x, y, area.right().saturating_sub(x), &text, style) + 3;
        }
        y += 1;
        let calls = format!(
            "calls HighLevel {}, ActiveCampaign {}, throttled {}   checkpoint {}   started {}",
            grouped(run.requests.highlevel),
            grouped(run.requests.activecampaign),
            grouped(run.throttled),
            run.checkpoint.as_deref().unwrap_or(theme.glyphs.none),
            canvas.time(run.started_at),
        );
        canvas.put(area.x, y, area.width, &calls, theme.muted);
        y += 1;
        if let Some(problem) = &run.error {
            let text = format!("{} {problem}", theme.glyphs.cross);
            canvas.put(area.x, y, area.width, &text, theme.error);
        } else if c.failed > 0 {
            canvas.put(
                area.x,
                y,
                area.width,
                "enter shows the failed ones in the queue",
                theme.muted,
            );
        }
    }
}

fn state_look(canvas: &Canvas, state: RunState) -> (String, Style) {
    let (theme, glyphs) = (canvas.theme, canvas.theme.glyphs);
    let (glyph, style) = match state {
        RunState::Running => (glyphs.running, theme.accent),
        RunState::Paused => (glyphs.waiting, theme.warn),
        RunState::Cancelled => (glyphs.discarded, theme.muted),
        RunState::Completed => (glyphs.check, theme.ok),
        RunState::Failed => (glyphs.cross, theme.error),
    };
    (format!("{glyph} {}", state.name()), style)
}

/// The options that the form of a new export holds, and the command that does the same.
pub fn from_form(
    form: &Form,
    names: &[MappingName],
) -> Option<(MappingName, ExportOptions, String)> {
    let yes = |key: &str| {
        let field = form.fields.iter().find(|field| field.key == key);
        field.and_then(Field::chosen) == Some(1)
    };
    let mapping = form.fields.first().and_then(Field::chosen)?;
    let mapping = names.get(mapping)?.clone();
    let limit = form.fields.iter().find(|field| field.key == "limit");
    let options = ExportOptions {
        dry_run: yes("dry_run"),
        full: yes("full"),
        since: None,
        limit: limit.and_then(|field| field.typed().parse().ok()),
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
                if matches!(run.state, RunState::Completed | RunState::Cancelled) {
                    cx.toast(Level::Warning, format!("this run is {}", run.state.name()));
                    return;
                }
                let left = run
                    .total
                    .unwrap_or(run.counts.read)
                    .saturating_sub(run.counts.settled());
                let question =
                    Confirm::new(format!("Cancel the export of {}?", run.mapping)).line(format!(
                        "{} records are left; what was sent stays sent. It cannot be resumed.",
                        grouped(left)
                    ));
                cx.write(
                    Request::CancelExport(run.id.clone()),
                    Some(question),
                    format!("tramline exports cancel {}", run.id),
                );
            }
            (Action::Open, Some(run)) => {
                cx.did(format!("tramline queue list --filter run:{}", run.id));
                cx.go(Go::Queue(format!("state:failed run:{}", run.id)));
            }
            (Action::Copy, Some(run)) => cx.copy("run id", run.id.to_string()),
            (Action::NextMatch | Action::PreviousMatch, _) => {
                let rows = self.shown().len();
                let forward = action == Action::NextMatch;
                self.table.cursor =
                    find_row(rows, self.table.cursor, forward, |_| true).unwrap_or(0);
            }
            _ => {
                let rows = self.shown().len();
                self.table.act(action, rows);
            }
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Exports(result) => {
                let under = self.current().map(|run| run.id);
                self.runs.finish(result, cx.now);
                let row = self
                    .shown()
                    .iter()
                    .position(|run| Some(&run.id) == under.as_ref());
                self.table.cursor = row.unwrap_or(self.table.cursor);
                let rows = self.shown().len();
                self.table.clamp(rows);
            }
            Reply::Run(word, Ok(run)) => {
                cx.toast(
                    Level::Ok,
                    format!(
                        "{word}: export of {} {}",
                        run.mapping,
                        short_id(run.id.as_str())
                    ),
                );
                if word == "started" {
                    self.table.reset();
                }
                self.mark();
            }
            Reply::Run(_, Err(problem)) => cx.toast(Level::Error, problem.to_string()),
            _ => {}
        }
    }

    fn back(&mut self, _cx: &mut Cx) -> bool {
        let filtered = !self.filter.is_empty();
        self.filter.clear();
        filtered
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn set_filter(&mut self, text: &str, _done: bool, _cx: &mut Cx) {
        self.filter = text.to_owned();
        self.table.reset();
    }

    fn cancelled(&mut self, slot: Slot) {
        if slot == Slot::Exports {
            self.runs.cancel();
        }
    }

    fn tick(&mut self, cx: &mut Cx) {
        if !self.runs.is_idle() && !cx.slots.waits(Slot::Exports) && self.refresh.take(cx.now) {
            self.runs.start();
            cx.ask(Slot::Exports, Request::Exports);
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
        if self.runs.is_idle() || cx.slots.waits(Slot::Exports) {
            return None;
        }
        let running = |run: &Run| run.state == RunState::Running;
        let runs = self
            .runs
            .value()
            .is_some_and(|runs| runs.iter().any(running));
        let second =
            runs.then(|| self.runs.read_at().unwrap_or(cx.now) + SignedDuration::from_secs(1));
        [self.refresh.due_at(), second].into_iter().flatten().min()
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        canvas.put(area.x, area.y, area.width, "Exports", theme.title);
        if !self.filter.is_empty() {
            canvas.put_right(
                area.x,
                area.y,
                area.width,
                &format!("/{}", self.filter),
                theme.accent,
            );
        }
        let Some(body) = state::of(canvas, below(area, 1), &self.runs, Slot::Exports, "exports")
        else {
            return;
        };
        let shown = self.shown();
        if shown.is_empty() {
            let text = match self.filter.is_empty() {
                true => format!(
                    "no export yet: {} starts one, as a dry run first",
                    canvas.key(Action::New)
                ),
                false => "no export matches; esc clears the filter".to_owned(),
            };
            state::notice(canvas, body, &[(&text, Tone::Muted)]);
            return;
        }
        let detail = DETAIL.min(body.height / 2);
        let list = Rect {
            height: body.height - detail,
            ..body
        };
        let columns = [
            Column::new("mapping", 0, 10, 18),
            Column::new("state", 1, 11, 11),
            Column::new("progress", 3, 16, 16),
            Column::new("read", 4, 9, 11).right(),
            Column::new("unchanged", 7, 9, 11).right(),
            Column::new("confirmed", 4, 9, 11).right(),
            Column::new("failed", 2, 7, 9).right(),
            Column::new("rate", 6, 8, 10).right(),
            Column::new("left", 5, 8, 9).right(),
            Column::new("started", 3, 11, 11),
            Column::new("options", 5, 7, 14),
        ];
        let looks: Vec<_> = shown
            .iter()
            .map(|run| (state_look(canvas, run.state), canvas.time(run.started_at)))
            .collect();
        let none = theme.glyphs.none;
        table::draw(
            canvas,
            list,
            &columns,
            &self.table,
            shown.len(),
            true,
            |at| {
                let run = *shown.get(at)?;
                let ((word, style), started) = looks.get(at)?;
                let progress = percent(run).map_or(none.to_owned(), |percent| {
                    let full = (percent / 10) as usize;
                    format!(
                        "{}{} {percent} %",
                        theme.glyphs.full.repeat(full),
                        theme.glyphs.empty.repeat(10 - full.min(10))
                    )
                });
                let left = match run.state {
                    RunState::Running => left_ms(run).map_or(none.to_owned(), span),
                    _ => String::new(),
                };
                let mut options = Vec::new();
                if run.options.dry_run {
                    options.push("dry run");
                }
                if run.options.full {
                    options.push("full");
                }
                let failed = if run.counts.failed > 0 {
                    theme.error
                } else {
                    theme.muted
                };
                let rate = rate(run).map_or(none.to_owned(), |rate| {
                    format!("{}/s", grouped(rate.round() as u64))
                });
                Some(Row {
                    cells: vec![
                        TableCell::new(run.mapping.as_str(), theme.text),
                        TableCell::new(word.as_str(), *style),
                        TableCell::new(progress, *style),
                        TableCell::new(grouped(run.counts.read), theme.text),
                        TableCell::new(grouped(run.counts.unchanged), theme.muted),
                        TableCell::new(grouped(run.counts.synced), theme.ok),
                        TableCell::new(grouped(run.counts.failed), failed),
                        TableCell::new(rate, theme.muted),
                        TableCell::new(left, theme.text),
                        TableCell::new(started.as_str(), theme.muted),
                        TableCell::new(options.join(", "), theme.muted),
                    ],
                    selected: false,
                })
            },
        );
        if let Some(run) = shown.get(self.table.cursor)
            && detail > 2
        {
            let area = Rect {
                y: list.bottom(),
                height: detail,
                ..body
            };
            self.view_run(canvas, area, run);
        }
    }
}
