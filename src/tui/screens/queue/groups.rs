//! Failure groups: what failed for the same reason, counted; from here to the jobs of a group, or to all of them at once.

use super::Queue;
use crate::model::bulk::BulkAction;
use crate::model::filter::{Condition, Filter};
use crate::model::group::FailureGroup;
use crate::model::{ErrorClass, JobState, Level, Problem};
use crate::operations::Done;
use crate::operations::queue::Chosen;
use crate::tui::canvas::{Canvas, below, counted, grouped, short_id};
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::Request;
use crate::tui::screens::Refresh;
use crate::tui::slots::Slot;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell, TableState};
use crate::tui::widgets::text::{Paragraphs, Tone};
use jiff::Timestamp;
use ratatui::layout::Rect;

/// How many groups are read, the largest first.
pub const GROUPS: u32 = 200;

/// The view of the groups, which takes the place of the list.
pub(super) struct Groups {
    open: bool,
    load: Load<Vec<FailureGroup>>,
    refresh: Refresh,
    table: TableState,
    /// The way back from the jobs of a group.
    left: Option<Left>,
}

/// The list as it was before the jobs of a group were shown.
struct Left {
    /// The filter of the group.
    shown: String,
    state: Option<JobState>,
    filter: String,
}

impl Groups {
    pub(super) fn new(low_bandwidth: bool) -> Self {
        Self {
            open: false,
            load: Load::Idle,
            refresh: Refresh::new(low_bandwidth),
            table: TableState::default(),
            left: None,
        }
    }

    /// The store changed.
    pub(super) fn mark(&mut self) {
        self.refresh.mark();
    }

    pub(super) fn pace(&mut self, low_bandwidth: bool) {
        self.refresh.pace(low_bandwidth);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The things to close or clear once the list is as it was before the jobs of a group were shown.
    pub(super) fn depth(&self) -> usize {
        let before = |left: &Left| {
            1 + usize::from(!left.filter.is_empty()) + usize::from(left.state.is_some())
        };
        self.left.as_ref().map_or(0, before)
    }

    /// Out of view, and no way leads back here.
    pub(super) fn leave(&mut self) {
        self.open = false;
        self.left = None;
    }

    pub(super) fn cancelled(&mut self) {
        self.load.cancel();
    }

    fn all(&self) -> &[FailureGroup] {
        self.load.value().map(Vec::as_slice).unwrap_or_default()
    }

    /// The group under the cursor.
    pub(super) fn current(&self) -> Option<&FailureGroup> {
        self.all().get(self.table.cursor)
    }

    fn read(&mut self, cx: &mut Cx) {
        self.refresh.take(cx.now);
        self.load.start();
        cx.ask(Slot::Groups, Request::Groups);
    }

    /// Reads the numbers again once they are old.
    pub(super) fn tick(&mut self, cx: &mut Cx) {
        let quiet = self.load.value().is_some() && !cx.slots.waits(Slot::Groups);
        if quiet && self.refresh.due_at().is_some_and(|at| at <= cx.now) {
            self.read(cx);
        }
    }

    /// When [`Groups::tick`] is next needed.
    pub(super) fn wake(&self, waits: bool) -> Option<Timestamp> {
        let quiet = self.load.value().is_some() && !waits;
        self.refresh.due_at().filter(|_| quiet)
    }
}

/// The jobs that a group counts. One name may stand for a group of each connection.
fn filter_of(group: &FailureGroup) -> String {
    Filter::default()
        .and(Condition::State(vec![JobState::Failed, JobState::Unknown]))
        .and(Condition::Group(vec![group.group.clone()]))
        .and(Condition::Connection(vec![group.connection.to_string()]))
        .to_string()
}

/// The error that all of a group have, as the job that failed last spells it.
fn error_of(group: &FailureGroup) -> String {
    let mut problem = Problem::new(group.class, group.message.clone());
    problem.field = group.field.clone();
    problem.to_string()
}

/// False for what is done to one job: a group is many.
pub(super) fn takes(action: Action) -> bool {
    !matches!(
        action,
        Action::Edit | Action::OpenRecord | Action::Select | Action::Follow
    )
}

impl Queue {
    /// Shows the groups in place of the list, or the list again.
    pub(super) fn switch_groups(&mut self, cx: &mut Cx) {
        if self.groups.open {
            self.close_groups(cx);
            return;
        }
        self.open = false;
        self.in_detail = false;
        self.groups.open = true;
        self.groups.left = None;
        self.groups.read(cx);
        cx.did("tramline queue groups");
    }

    pub(super) fn close_groups(&mut self, cx: &mut Cx) {
        cx.give_up(Slot::Groups);
        self.groups.load.cancel();
        self.groups.leave();
    }

    /// From the jobs of a group back to the groups; false if the list shows something else.
    pub(super) fn back_to_groups(&mut self, cx: &mut Cx) -> bool {
        let left = self.groups.left.take();
        let Some(left) = left.filter(|left| left.shown == self.filter) else {
            return false;
        };
        self.state = left.state;
        self.filter = left.filter;
        self.restart(cx);
        self.groups.open = true;
        self.groups.read(cx);
        true
    }

    fn show_group(&mut self, cx: &mut Cx) {
        let Some(shown) = self.groups.current().map(filter_of) else {
            return;
        };
        let left = Left {
            shown: shown.clone(),
            state: self.state,
            filter: self.filter.clone(),
        };
        cx.did(format!("tramline queue list --filter {}", quoted(&shown)));
        self.choose(None, shown, cx);
        self.groups.left = Some(left);
    }

    fn change_group(&mut self, action: BulkAction, cx: &mut Cx) {
        let Some(group) = self.groups.current() else {
            cx.toast(Level::Warning, "there is no group here");
            return;
        };
        let chosen = Chosen::Filter(filter_of(group));
        let about = format!("The whole group: {}", error_of(group));
        self.count_first(action, chosen, Some(about), cx);
    }

    /// Keys while the groups are in view.
    pub(super) fn act_on_groups(&mut self, action: Action, cx: &mut Cx) {
        match action {
            Action::Groups => self.close_groups(cx),
            Action::Reload => self.groups.read(cx),
            Action::Open => self.show_group(cx),
            Action::Retry | Action::RetryAll => self.change_group(BulkAction::Retry, cx),
            Action::Discard => self.change_group(BulkAction::Discard, cx),
            Action::Why => {
                if let Some(sample) = self.groups.current().map(|group| group.sample.to_string()) {
                    cx.did(format!("tramline queue why {sample}"));
                    self.why = true;
                    cx.ask(Slot::Job, Request::Job(sample));
                }
            }
            Action::Copy => {
                if let Some(group) = self.groups.current() {
                    cx.copy("group", group.group.clone());
                }
            }
            Action::Switch | Action::SwitchBack => {
                self.close_groups(cx);
                self.next_state(action == Action::Switch, cx);
            }
            _ if !takes(action) => cx.toast(
                Level::Warning,
                "that is for one job: open the group to choose among its jobs",
            ),
            _ => {
                let rows = self.groups.all().len();
                self.groups.table.act(action, rows);
            }
        }
    }

    pub(super) fn groups_arrived(&mut self, result: Done<Vec<FailureGroup>>, cx: &mut Cx) {
        let groups = &mut self.groups;
        let key = |group: &FailureGroup| (group.connection.clone(), group.group.clone());
        let under = groups.current().map(key);
        groups.load.finish(result, cx.now);
        // The cursor stays on its group, wherever its count moved it.
        let row = under.and_then(|under| groups.all().iter().position(|g| key(g) == under));
        groups.table.cursor = row.unwrap_or(groups.table.cursor);
        let rows = groups.all().len();
        groups.table.clamp(rows);
    }

    /// The line above the groups: how many, and when the numbers were read.
    pub(super) fn draw_groups_head(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let all = self.groups.all();
        let jobs: u64 = all.iter().map(|group| group.count).sum();
        let title = canvas.put(area.x, area.y, area.width, "failure groups", theme.title);
        let Some(read) = self.groups.load.read_at() else {
            return;
        };
        let groups = match all.len() {
            full if full >= GROUPS as usize => format!("the {full} largest groups"),
            some => counted(some as u64, "group"),
        };
        let text = format!(
            "{} in {groups}   as of {}",
            counted(jobs, "job"),
            canvas.time(read)
        );
        let x = area.x + title + 2;
        let room = area.right().saturating_sub(x);
        canvas.put_right(x, area.y, room, &text, theme.muted);
    }

    pub(super) fn draw_groups(&self, canvas: &mut Canvas, area: Rect) {
        let load = &self.groups.load;
        let Some(area) = state::of(canvas, area, load, Slot::Groups, "the groups") else {
            return;
        };
        let all = self.groups.all();
        let Some(current) = self.groups.current() else {
            let text = format!(
                "nothing is failed or unknown; {} goes back",
                canvas.key(Action::Back)
            );
            state::notice(canvas, area, &[(&text, Tone::Muted)]);
            return;
        };
        let mut lines = text_of(canvas, current).lines(area.width);
        let most = usize::from((area.height / 2).saturating_sub(1));
        if lines.len() > most {
            lines.truncate(most);
            if let Some((last, _)) = lines.last_mut() {
                last.push_str(canvas.theme.glyphs.cut);
            }
        }
        lines.push((keys_of(canvas), Tone::Muted));
        let list = Rect {
            height: area.height.saturating_sub(lines.len() as u16 + 1),
            ..area
        };
        self.draw_group_list(canvas, list, all);
        let beneath = below(area, list.height);
        canvas.rule(beneath.x, beneath.y, beneath.width);
        for (at, (line, tone)) in lines.iter().enumerate() {
            let y = beneath.y + 1 + at as u16;
            let style = tone.style(canvas.theme);
            canvas.put(beneath.x, y, beneath.width, line, style);
        }
    }

    fn draw_group_list(&self, canvas: &mut Canvas, area: Rect, all: &[FailureGroup]) {
        let theme = canvas.theme;
        let several = all
            .iter()
            .any(|group| group.connection != all[0].connection);
        let mut columns = vec![
            Column::new("jobs", 0, 7, 9).right(),
            Column::new("class", 2, 9, 11),
            Column::new("field", 3, 8, 20),
            Column::new("message", 1, 22, 100),
            Column::new("first seen", 5, 11, 11),
            Column::new("last seen", 4, 11, 11),
            Column::new("sample", 6, 13, 13),
        ];
        if several {
            columns.push(Column::new("connection", 3, 8, 16));
        }
        let shown = self.groups.table.shown_rows(area.height, all.len());
        let times: Vec<_> = all[shown.clone()]
            .iter()
            .map(|group| (canvas.time(group.first_seen), canvas.time(group.last_seen)))
            .collect();
        table::draw(
            canvas,
            area,
            &columns,
            &self.groups.table,
            all.len(),
            true,
            |at| {
                let group = all.get(at)?;
                let (first, last) = times.get(at.checked_sub(shown.start)?)?;
                let style = match group.class {
                    ErrorClass::Unknown => theme.warn,
                    _ => theme.error,
                };
                let mut cells = vec![
                    TableCell::new(grouped(group.count), theme.text),
                    TableCell::new(group.class.name(), style),
                    TableCell::new(group.field.as_deref().unwrap_or_default(), theme.text),
                    TableCell::new(group.message.as_str(), style),
                    TableCell::new(first.as_str(), theme.muted),
                    TableCell::new(last.as_str(), theme.muted),
                    TableCell::new(short_id(group.sample.as_str()), theme.muted),
                ];
                if several {
                    cells.push(TableCell::new(group.connection.as_str(), theme.muted));
                }
                Some(Row {
                    cells,
                    selected: false,
                })
            },
        );
    }
}

/// A group whole, and what can be done about it.
fn text_of(canvas: &Canvas, group: &FailureGroup) -> Paragraphs {
    let mut text = Paragraphs::default();
    let cross = canvas.theme.glyphs.cross;
    text.add(
        format!("{cross} {}: {}", group.class.name(), error_of(group)),
        Tone::Error,
    );
    text.add(
        format!(
            "{}   first {}   last {}",
            counted(group.count, "job"),
            canvas.date_time(group.first_seen),
            canvas.date_time(group.last_seen)
        ),
        Tone::Plain,
    );
    text.add(
        format!("group {}   sample job {}", group.group, group.sample),
        Tone::Muted,
    );
    text
}

/// What the keys do here.
fn keys_of(canvas: &Canvas) -> String {
    format!(
        "{} its jobs   {} retry them   {} discard them   {} why   {} back",
        canvas.key(Action::Open),
        canvas.key(Action::Retry),
        canvas.key(Action::Discard),
        canvas.key(Action::Why),
        canvas.key(Action::Back)
    )
}
