//! Actions on many jobs: for five seconds they can be taken back whole, then their progress is shown.

use super::Queue;
use crate::model::bulk::{Bulk, BulkAction, BulkState};
use crate::model::{BulkId, Level, Problem};
use crate::operations::Done;
use crate::tui::canvas::{Canvas, below, counted, cut, grouped, shown_width};
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use crate::tui::request::Request;
use crate::tui::screens::Refresh;
use crate::tui::slots::Slot;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;
use std::time::Duration;

/// How long an action on many jobs waits, so that it can be taken back.
pub const WINDOW: Duration = Duration::from_secs(5);
/// Actions that are named above the list, the newest first.
const NAMED: usize = 2;

/// An action on many jobs that was begun here and is not over.
#[derive(Clone, Debug)]
struct Doing {
    id: BulkId,
    action: BulkAction,
    /// Jobs that it was about when it was asked for.
    total: u64,
    /// Not applied before then.
    start: Timestamp,
    /// Jobs changed so far.
    changed: u64,
    /// True once it was asked to be taken back.
    taken_back: bool,
}

/// What was begun and is not over, the newest last.
pub(super) struct Doings {
    all: Vec<Doing>,
    refresh: Refresh,
}

impl Doings {
    pub(super) fn new(low_bandwidth: bool) -> Self {
        Self {
            all: Vec::new(),
            refresh: Refresh::new(low_bandwidth),
        }
    }

    /// The store changed.
    pub(super) fn mark(&mut self) {
        self.refresh.mark();
    }

    pub(super) fn pace(&mut self, low_bandwidth: bool) {
        self.refresh.pace(low_bandwidth);
    }

    /// Reads how far they are, once that may have changed.
    pub(super) fn tick(&mut self, cx: &mut Cx) {
        if !self.all.is_empty() && !cx.slots.waits(Slot::Bulks) && self.refresh.take(cx.now) {
            cx.ask(Slot::Bulks, Request::Bulks);
        }
    }

    /// When [`Doings::tick`] is next needed, or the seconds left are to be shown anew.
    pub(super) fn wake(&self, now: Timestamp, waits: bool) -> Option<Timestamp> {
        let read = self.refresh.due_at();
        let read = read.filter(|_| !self.all.is_empty() && !waits);
        let seconds = self.all.iter().filter_map(|doing| {
            let left = seconds_left(doing, now);
            let shown = i64::try_from(left).ok()?;
            (shown > 0).then(|| doing.start - SignedDuration::from_secs(shown - 1))
        });
        seconds.chain(read).min()
    }
}

/// Whole seconds until an action is applied, the begun one included.
fn seconds_left(doing: &Doing, now: Timestamp) -> u64 {
    let left = doing.start.duration_since(now).as_millis().max(0);
    (left as u64).div_ceil(1000)
}

/// What a person calls it: `retry`, `discard`, and what becomes of the jobs.
fn ended(action: BulkAction, changed: u64) -> String {
    let jobs = counted(changed, "job");
    match (action, changed) {
        (BulkAction::Retry, 1) => format!("{jobs} is ready again"),
        (BulkAction::Retry, _) => format!("{jobs} are ready again"),
        (BulkAction::Discard, _) => format!("{jobs} discarded"),
    }
}

impl Queue {
    /// An action was stored, or was not.
    pub(super) fn bulk_begun(
        &mut self,
        action: BulkAction,
        total: u64,
        result: Done<BulkId>,
        cx: &mut Cx,
    ) {
        match result {
            Ok(id) => {
                self.selected.clear();
                self.doings.all.push(Doing {
                    id,
                    action,
                    total,
                    start: cx.now
                        + SignedDuration::try_from(WINDOW).unwrap_or(SignedDuration::ZERO),
                    changed: 0,
                    taken_back: false,
                });
                self.doings.mark();
            }
            Err(problem) => cx.toast(Level::Error, problem.to_string()),
        }
    }

    /// Takes back the action that was begun last, or what is left of it.
    pub(super) fn undo(&mut self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let last = self
            .doings
            .all
            .iter_mut()
            .rev()
            .find(|doing| !doing.taken_back);
        let Some(doing) = last else {
            let text = format!(
                "nothing to take back: only a retry or discard of many can be, for {} s and while it goes on",
                WINDOW.as_secs()
            );
            cx.toast(Level::Warning, text);
            return;
        };
        doing.taken_back = true;
        // Taking back changes nothing: nobody is asked.
        let slot = cx.slots.write();
        cx.ask(slot, Request::CancelBulk(doing.id.clone()));
    }

    /// An action was taken back, or was over before.
    pub(super) fn bulk_cancelled(&mut self, id: &BulkId, result: Done<bool>, cx: &mut Cx) {
        match result {
            Ok(true) => {}
            Ok(false) => cx.toast(Level::Warning, "too late: it is done already"),
            Err(problem) => {
                let doing = self.doings.all.iter_mut().find(|doing| doing.id == *id);
                if let Some(doing) = doing {
                    doing.taken_back = false;
                }
                cx.toast(Level::Error, problem.to_string());
            }
        }
        // How far it came is what the store says.
        self.doings.mark();
    }

    /// How far the actions are.
    pub(super) fn bulks_arrived(&mut self, result: Result<Vec<Bulk>, Problem>, cx: &mut Cx) {
        let bulks = match result {
            Ok(bulks) => bulks,
            Err(problem) => {
                cx.toast(Level::Error, problem.to_string());
                return;
            }
        };
        let before = std::mem::take(&mut self.doings.all);
        for mut doing in before {
            let Some(bulk) = bulks.iter().find(|bulk| bulk.id == doing.id) else {
                // So many others came after it that it is not among the latest any more.
                continue;
            };
            doing.changed = bulk.changed;
            doing.start = bulk.start_at;
            let action = doing.action;
            let (level, text) = match (bulk.state, bulk.changed) {
                (BulkState::Open, _) => {
                    self.doings.all.push(doing);
                    continue;
                }
                (BulkState::Done, 0) => (
                    Level::Warning,
                    format!(
                        "{}: none of the jobs was left for it; all had changed meanwhile",
                        action.name()
                    ),
                ),
                (BulkState::Done, changed) => (Level::Ok, ended(action, changed)),
                (BulkState::Cancelled, 0) => (
                    Level::Ok,
                    format!("{} taken back: no job was changed", action.name()),
                ),
                (BulkState::Cancelled, changed) => (
                    Level::Warning,
                    format!(
                        "{} stopped: {} of {}; the rest stays as it was",
                        action.name(),
                        ended(action, changed),
                        grouped(doing.total)
                    ),
                ),
            };
            cx.toast(level, text);
        }
    }

    /// Lines on actions that are not over; returns what is left of the area.
    pub(super) fn draw_doings(&self, canvas: &mut Canvas, area: Rect) -> Rect {
        let theme = canvas.theme;
        let key = canvas.key(Action::Undo);
        let mut rest = area;
        for doing in self.doings.all.iter().rev().take(NAMED) {
            let left = seconds_left(doing, canvas.now);
            let (name, total) = (doing.action.name(), grouped(doing.total));
            let text = match left {
                0 => format!("{name}: {} of {total} jobs", grouped(doing.changed)),
                _ => format!("{name} of {total} jobs begins in {left} s"),
            };
            let hint = match (doing.taken_back, left) {
                (true, _) => "taking it back".to_owned(),
                (false, 0) => format!("{key} stops the rest"),
                (false, _) => format!("{key} takes it back"),
            };
            let glyph = match left {
                0 => theme.glyphs.running,
                _ => theme.glyphs.waiting,
            };
            let hint_width = shown_width(&hint) as u16;
            let room = rest.width.saturating_sub(hint_width + 2);
            let text = cut(&format!("{glyph} {text}"), room, theme.glyphs.cut);
            canvas.put(rest.x, rest.y, room, &text, theme.accent);
            let x = rest.right().saturating_sub(hint_width);
            canvas.put_right(x, rest.y, hint_width, &hint, theme.key);
            rest = below(rest, 1);
        }
        rest
    }
}
