//! Actions on many jobs: for five seconds they can be taken back whole, then their progress is shown. Those that somebody
//! else began, on the command line or in another control room, are shown as well.

use super::Queue;
use crate::model::bulk::{Bulk, BulkAction, BulkState};
use crate::model::{BulkId, Level, Problem};
use crate::operations::Done;
use crate::operations::retried::{AfterRetry, Count};
use crate::tui::canvas::{Canvas, below, counted, cut, grouped, shown_width};
use crate::tui::context::{Cx, Then};
use crate::tui::keymap::Action;
use crate::tui::request::Request;
use crate::tui::screens::Refresh;
use crate::tui::slots::{Slot, Slots};
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::overlay::Overlay;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;
use std::collections::VecDeque;
use std::time::Duration;

/// How long an action on many jobs waits, so that it can be taken back.
pub const WINDOW: Duration = Duration::from_secs(5);
/// Actions that are named above the list, the newest first.
const NAMED: usize = 2;

/// An action of another process is shown once it has been open for so long: most are over at once, and so are those that
/// this process makes of a single key.
const SHOWN_AFTER: SignedDuration = SignedDuration::from_millis(500);
/// So many ends of actions are remembered, so that an older status does not bring them back.
const ENDED: usize = 20;

/// An action on many jobs that is not over.
#[derive(Clone, Debug)]
struct Doing {
    id: BulkId,
    action: BulkAction,
    /// Jobs that it was about when it was asked for; of somebody else's only where they were named.
    total: Option<u64>,
    /// Who began it, and the filter it goes by, if that was not here.
    other: Option<(String, Option<String>)>,
    /// Not applied before then.
    start: Timestamp,
    /// Jobs changed so far.
    changed: u64,
    /// True once it was asked to be taken back.
    taken_back: bool,
}

impl Doing {
    /// `retry`, or `retry by jo`.
    fn name(&self) -> String {
        match &self.other {
            Some((by, _)) => format!("{} by {by}", self.action.name()),
            None => self.action.name().to_owned(),
        }
    }

    /// How far it is, or when it begins.
    fn progress(&self, left: u64) -> String {
        let name = self.name();
        let what = match (self.total, &self.other) {
            (Some(total), _) => format!(" of {}", counted(total, "job")),
            (None, Some((_, Some(filter)))) if !filter.trim().is_empty() => format!(" of {filter}"),
            _ => String::new(),
        };
        match (left, self.total) {
            (0, Some(total)) => {
                let changed = grouped(self.changed);
                format!("{name}: {changed} of {}", counted(total, "job"))
            }
            (0, None) => format!("{name}{what}: {} so far", counted(self.changed, "job")),
            _ => format!("{name}{what} begins in {left} s"),
        }
    }
}

/// A retry of many that is over, while its jobs are not.
#[derive(Clone, Debug)]
struct After {
    since: Timestamp,
    /// Jobs that it made ready.
    jobs: u64,
    became: AfterRetry,
    /// When that last changed.
    moved: Timestamp,
}

impl After {
    /// `41 jobs retried; of all retried since: 30 done, 8 failed, 3 to go`. Which of them a job belongs to is not kept.
    fn text(&self) -> String {
        let AfterRetry {
            done,
            failed,
            to_go,
        } = self.became;
        let jobs = counted(self.jobs, "job");
        if self.became.all() == 0 {
            return format!("{jobs} retried; newer changes took all over, or they were discarded");
        }
        let parts = [(done, "done"), (failed, "failed"), (to_go, "to go")];
        let parts = parts.into_iter().filter(|(count, _)| count.number > 0);
        let parts: Vec<String> = parts
            .map(|(count, what)| {
                let more = if count.exact { "" } else { "+" };
                format!("{}{more} {what}", grouped(count.number))
            })
            .collect();
        let mut text = format!("{jobs} retried; of all retried since: {}", parts.join(", "));
        if self.missing() > 0 {
            let missing = grouped(self.missing());
            text.push_str(&format!(
                "; {missing} taken over by newer changes or discarded"
            ));
        }
        text
    }

    /// So many of them at least are no retried jobs any more: a newer change took them over, or they were discarded.
    fn missing(&self) -> u64 {
        match self.became.is_exact() {
            true => self.jobs.saturating_sub(self.became.all()),
            false => 0,
        }
    }
}

/// Retried jobs that did not move for so long are not looked at any more: a pause or a long backoff holds them.
const STILL: SignedDuration = SignedDuration::from_secs(60);

/// What was begun and is not over, the newest last.
pub(super) struct Doings {
    all: Vec<Doing>,
    /// The latest retry whose jobs are still looked at.
    after: Option<After>,
    /// Actions that are known to be over.
    ended: VecDeque<BulkId>,
    refresh: Refresh,
}

impl Doings {
    pub(super) fn new(low_bandwidth: bool) -> Self {
        Self {
            all: Vec::new(),
            after: None,
            ended: VecDeque::new(),
            refresh: Refresh::new(low_bandwidth),
        }
    }

    /// What was asked for here and has not begun.
    pub(super) fn not_begun(&self, now: Timestamp) -> Vec<String> {
        let mine = |doing: &&Doing| doing.other.is_none() && !doing.taken_back && doing.start > now;
        let left = |doing: &Doing| doing.start.duration_since(now).as_secs().max(0) as u64 + 1;
        let waiting = self.all.iter().filter(mine);
        waiting.map(|doing| doing.progress(left(doing))).collect()
    }

    /// The store changed.
    pub(super) fn mark(&mut self) {
        self.refresh.mark();
    }

    pub(super) fn pace(&mut self, low_bandwidth: bool) {
        self.refresh.pace(low_bandwidth);
    }

    /// Takes in what others began, of the actions that are open.
    pub(super) fn see(&mut self, open: &[Bulk], now: Timestamp) {
        for bulk in open.iter().rev() {
            let known = self.all.iter().any(|doing| doing.id == bulk.id);
            let lasts = bulk.start_at > now || now.duration_since(bulk.created_at) >= SHOWN_AFTER;
            if known || !lasts || self.ended.contains(&bulk.id) {
                continue;
            }
            self.all.push(Doing {
                id: bulk.id.clone(),
                action: bulk.action,
                total: bulk.jobs,
                other: Some((bulk.by.clone(), bulk.filter.clone())),
                start: bulk.start_at,
                changed: bulk.changed,
                taken_back: false,
            });
        }
    }

    fn end(&mut self, id: BulkId) {
        self.ended.push_front(id);
        self.ended.truncate(ENDED);
    }

    /// Reads how far they are, once that may have changed.
    pub(super) fn tick(&mut self, cx: &mut Cx) {
        let still = |after: &mut After| cx.now.duration_since(after.moved) >= STILL;
        if let Some(after) = self.after.take_if(still) {
            cx.toast(Level::Warning, after.text());
        }
        if !self.reads(cx.slots) || !self.refresh.take(cx.now) {
            return;
        }
        if !self.all.is_empty() {
            cx.ask(Slot::Bulks, Request::Bulks);
        }
        if let Some(after) = &self.after {
            cx.ask(Slot::AfterRetry, Request::AfterRetry(after.since));
        }
    }

    /// True if there is something to read, and no answer is awaited.
    fn reads(&self, slots: &Slots) -> bool {
        let waits = slots.waits(Slot::Bulks) || slots.waits(Slot::AfterRetry);
        !waits && (!self.all.is_empty() || self.after.is_some())
    }

    /// When [`Doings::tick`] is next needed, or the seconds left are to be shown anew.
    pub(super) fn wake(&self, now: Timestamp, slots: &Slots) -> Option<Timestamp> {
        let read = self.refresh.due_at().filter(|_| self.reads(slots));
        let still = self.after.as_ref().map(|after| after.moved + STILL);
        let seconds = self.all.iter().filter_map(|doing| {
            let left = seconds_left(doing, now);
            let shown = i64::try_from(left).ok()?;
            (shown > 0).then(|| doing.start - SignedDuration::from_secs(shown - 1))
        });
        seconds.chain(read).chain(still).min()
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
                // The status may have told of it before its answer came.
                self.doings.all.retain(|doing| doing.id != id);
                self.doings.all.push(Doing {
                    id,
                    action,
                    total: Some(total),
                    other: None,
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
        let mut open = self.doings.all.iter_mut().rev();
        let mine = open.find(|doing| doing.other.is_none() && !doing.taken_back);
        let Some(doing) = mine else {
            if let Some(doing) = self.doings.all.last().filter(|doing| doing.other.is_some()) {
                let question = Confirm::new(format!("Stop the {}?", doing.name()))
                    .line(doing.progress(seconds_left(doing, cx.now)))
                    .line("What it has changed by then stays changed.");
                let request = Request::CancelBulk(doing.id.clone());
                cx.show(Overlay::Confirm(question.then(Then::Stop(request))));
                return;
            }
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
                self.doings.end(doing.id);
                continue;
            };
            doing.changed = bulk.changed;
            doing.start = bulk.start_at;
            let (name, action) = (doing.name(), doing.action);
            let whose = match &doing.other {
                Some(_) => format!("{name}: "),
                None => String::new(),
            };
            let (level, text) = match (bulk.state, bulk.changed) {
                (BulkState::Open, _) => {
                    self.doings.all.push(doing);
                    continue;
                }
                (BulkState::Done, 0) => (
                    Level::Warning,
                    format!("{name}: none of the jobs was left for it; all had changed meanwhile"),
                ),
                (BulkState::Done, changed) => {
                    if action == BulkAction::Retry && doing.other.is_none() {
                        self.doings.after = Some(After {
                            since: bulk.start_at,
                            jobs: changed,
                            became: AfterRetry {
                                done: Count::exactly(0),
                                failed: Count::exactly(0),
                                to_go: Count::exactly(changed),
                            },
                            moved: cx.now,
                        });
                        self.doings.refresh.mark();
                    }
                    (Level::Ok, format!("{whose}{}", ended(action, changed)))
                }
                (BulkState::Cancelled, 0) => {
                    (Level::Ok, format!("{name} taken back: no job was changed"))
                }
                (BulkState::Cancelled, changed) => {
                    let of = doing.total.map(|total| format!(" of {}", grouped(total)));
                    let changed = ended(action, changed) + &of.unwrap_or_default();
                    (
                        Level::Warning,
                        format!("{name} stopped: {changed}; the rest stays as it was"),
                    )
                }
            };
            self.doings.end(doing.id);
            cx.toast(level, text);
        }
    }

    /// What became of the jobs of a retry, as far as they have come.
    pub(super) fn retried_since(
        &mut self,
        since: Timestamp,
        result: Done<AfterRetry>,
        cx: &mut Cx,
    ) {
        let Some(after) = self.doings.after.as_mut().filter(|a| a.since == since) else {
            return;
        };
        match result {
            // A number that is not counted to its end stands still while its jobs move.
            Ok(became) if became != after.became || !became.is_exact() => {
                after.became = became;
                after.moved = cx.now;
            }
            Ok(_) => {}
            Err(problem) => {
                self.doings.after = None;
                cx.toast(Level::Error, problem.to_string());
                return;
            }
        }
        if after.became.to_go.number == 0 {
            let level = match (after.became.failed.number, after.missing()) {
                (0, 0) => Level::Ok,
                _ => Level::Warning,
            };
            cx.toast(level, after.text());
            self.doings.after = None;
        }
    }

    /// Lines on actions that are not over, and on a retry whose jobs are not; returns what is left of the area.
    pub(super) fn draw_doings(&self, canvas: &mut Canvas, area: Rect) -> Rect {
        let theme = canvas.theme;
        let key = canvas.key(Action::Undo);
        let mut rest = area;
        if let Some(after) = &self.doings.after {
            let text = format!("{} {}", theme.glyphs.running, after.text());
            canvas.put(rest.x, rest.y, rest.width, &text, theme.accent);
            rest = below(rest, 1);
        }
        for doing in self.doings.all.iter().rev().take(NAMED) {
            let left = seconds_left(doing, canvas.now);
            let text = doing.progress(left);
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
