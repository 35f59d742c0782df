//! Keys and answers of the screen.

use super::{Queue, groups};
use crate::model::bulk::BulkAction;
use crate::model::filter::{Filter, FilterError};
use crate::model::{JobId, Level};
use crate::operations::queue::Chosen;
use crate::tui::canvas::{Canvas, counted};
use crate::tui::context::{Cx, Go};
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::screens::{Screen, WakeCx, about, find_row};
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::{Overlay, TextBox};
use crate::tui::widgets::text::{Paragraphs, Tone};
use jiff::Timestamp;
use ratatui::layout::Rect;

impl Screen for Queue {
    fn open(&mut self, cx: &mut Cx) {
        if self.load.is_idle() {
            self.restart(cx);
        }
        self.tick(cx);
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        match action {
            Action::Pause => self.choose_pause(cx),
            Action::Undo => self.undo(cx),
            _ if self.groups.is_open() => self.act_on_groups(action, cx),
            Action::Groups => self.switch_groups(cx),
            Action::Reload => {
                if self.open {
                    self.read_job(cx);
                }
                self.read_anew(cx);
            }
            Action::Switch => self.next_state(true, cx),
            Action::SwitchBack => self.next_state(false, cx),
            Action::Open if !self.open && self.current().is_none() => {}
            Action::Open => {
                self.open = !self.open;
                self.in_detail = self.open;
                if self.open {
                    self.why = false;
                    self.detail = Load::Idle;
                    self.scroll.reset();
                    self.read_job(cx);
                    if let Some(job) = self.current() {
                        cx.did(format!("tramline queue show {}", job.id));
                    }
                }
            }
            Action::Why => {
                if let Some(job) = self.current() {
                    cx.did(format!("tramline queue why {}", job.id));
                    self.why = true;
                    self.read_job(cx);
                }
            }
            Action::OpenRecord => {
                if let Some(job) = self.in_view() {
                    cx.go(Go::Record(job.object.clone(), job.record.clone()));
                }
            }
            Action::Edit => self.mend(cx),
            Action::Select => {
                if let Some(id) = self.current().map(|job| job.id.clone()) {
                    if !self.selected.remove(&id) {
                        self.selected.insert(id);
                    }
                    let rows = self.list.len();
                    self.table.act(Action::Down, rows);
                    self.moved(cx);
                }
            }
            Action::Follow => {
                self.follow = !self.follow;
                let text = if self.follow {
                    "following the newest row"
                } else {
                    "not following any more"
                };
                cx.toast(Level::Ok, text);
                if self.follow {
                    self.table.cursor = 0;
                    self.moved(cx);
                }
            }
            Action::Retry => self.retry(cx),
            Action::RetryAll => match self.fault() {
                Some(fault) => cx.toast(Level::Error, fault.to_string()),
                None => {
                    let filter = Chosen::Filter(self.whole_filter());
                    self.count_first(BulkAction::Retry, filter, None, cx);
                }
            },
            Action::Discard => {
                if let Some(chosen) = self.chosen() {
                    self.count_first(BulkAction::Discard, chosen, None, cx);
                }
            }
            Action::Copy => {
                if let Some(job) = self.current() {
                    cx.copy("job id", job.id.to_string());
                }
            }
            Action::NextMatch | Action::PreviousMatch => {
                let rows = self.list.len();
                let forward = action == Action::NextMatch;
                if let Some(row) = find_row(rows, self.table.cursor, forward, |_| true) {
                    self.table.cursor = row;
                    self.moved(cx);
                }
            }
            Action::Left => self.in_detail = false,
            Action::Right => self.in_detail = self.open,
            _ if self.in_detail && self.open => {
                self.scroll.act(action);
            }
            _ => {
                let rows = self.list.len();
                if self.table.act(action, rows) {
                    self.follow = self.follow && self.table.cursor == 0;
                    self.moved(cx);
                }
            }
        }
    }

    fn focus(&mut self, right: bool, _cx: &mut Cx) {
        self.in_detail = right && self.open;
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Jobs { page, result } => self.arrived(page, result, cx),
            Reply::Job(result) => {
                if self.why {
                    self.why = false;
                    match &result {
                        Ok(detail) => {
                            let mut text = Paragraphs::default();
                            text.add(detail.why.clone(), Tone::Plain);
                            let title =
                                format!("Job {}: {}", detail.job.id, detail.job.state.name());
                            cx.show(Overlay::Text(TextBox::new(title, text)));
                        }
                        Err(problem) => cx.toast(Level::Error, problem.to_string()),
                    }
                }
                if let Ok(detail) = &result {
                    self.watch(detail, cx);
                }
                if self.open || self.detail.is_loading() {
                    self.detail.finish(result, cx.now);
                }
            }
            Reply::Groups(result) => self.groups_arrived(result, cx),
            Reply::Pace(since, result) => self.meter.arrived(since, result, cx.now),
            Reply::AfterRetry(since, result) => self.retried_since(since, result, cx),
            Reply::Paused(scope, Ok(pauses)) => self.pause_begun(&scope, pauses, cx),
            Reply::Resumed(scope, result) => self.pause_ended(&scope, result, cx),
            Reply::Mend(result) => self.mendable(result, cx),
            Reply::Count(chosen, Ok(count)) => self.counted(chosen, count, cx),
            Reply::Retried(chosen, Ok(count)) => {
                if let (Chosen::Ids(ids), 1) = (&chosen, count) {
                    self.watched = ids.first().cloned();
                }
                self.selected.clear();
                self.mark();
                if count == 0 {
                    let text = self.why_not_retried(&chosen);
                    cx.toast(Level::Warning, text);
                    return;
                }
                let are = if count == 1 { "is" } else { "are" };
                let text = format!("{} {are} ready again", counted(count, "job"));
                cx.toast(Level::Ok, text);
            }
            Reply::Begun(action, total, result) => self.bulk_begun(action, total, result, cx),
            Reply::Cancelled(id, result) => self.bulk_cancelled(&id, result, cx),
            Reply::Bulks(result) => self.bulks_arrived(result, cx),
            Reply::Count(_, Err(problem)) | Reply::Retried(_, Err(problem)) => {
                cx.toast(Level::Error, problem.to_string());
            }
            _ => {}
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if self.groups.is_open() {
            self.close_groups(cx);
        } else if self.open {
            self.open = false;
            self.in_detail = false;
        } else if !self.selected.is_empty() {
            self.selected.clear();
        } else if self.back_to_groups(cx) {
            return true;
        } else if !self.filter.is_empty() {
            self.filter.clear();
            self.read_anew(cx);
        } else if self.state.is_some() {
            self.state = None;
            self.read_anew(cx);
        } else {
            return false;
        }
        true
    }

    fn depth(&self) -> usize {
        let narrowed = usize::from(!self.filter.is_empty()) + usize::from(self.state.is_some());
        let windows = usize::from(self.groups.is_open()) + usize::from(self.open);
        windows + usize::from(!self.selected.is_empty()) + narrowed + self.groups.depth()
    }

    fn about(&self) -> Option<String> {
        if self.groups.is_open() {
            return None;
        }
        self.in_view().map(|job| about("job", job.id.as_str()))
    }

    fn has_row(&self) -> bool {
        match self.groups.is_open() {
            true => self.groups.current().is_some(),
            false => self.in_view().is_some() || !self.selected.is_empty(),
        }
    }

    fn offers(&self, action: Action) -> bool {
        !self.groups.is_open() || groups::takes(action)
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn filter_fault(&self, text: &str) -> Option<FilterError> {
        Filter::parse(text).err()
    }

    fn set_filter(&mut self, text: &str, done: bool, cx: &mut Cx) {
        if done {
            self.filter_taken(text.trim(), cx);
        } else {
            self.filter_typed(text.trim(), cx);
        }
    }

    fn awaits(&self, slot: Slot) -> bool {
        match slot {
            Slot::Jobs => self.load.value().is_none() && !self.open && !self.groups.is_open(),
            Slot::Job => self.why || (self.open && self.detail.value().is_none()),
            Slot::Groups => self.groups.is_open(),
            _ => true,
        }
    }

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::Jobs => {
                self.seeking = None;
                self.load.cancel();
            }
            Slot::Job => {
                self.why = false;
                self.detail.cancel();
            }
            Slot::Groups => self.groups.cancelled(),
            Slot::Mend => self.mending = None,
            Slot::Count => self.ask = None,
            _ => {}
        }
    }

    fn tick(&mut self, cx: &mut Cx) {
        self.doings.tick(cx);
        self.meter.tick(cx);
        if self.groups.is_open() {
            self.groups.tick(cx);
            return;
        }
        if self.load.value().is_none() || cx.slots.waits(Slot::Jobs) {
            return;
        }
        if self.refresh.take(cx.now) {
            let (page, after) = self.list.again(self.table.cursor);
            self.ask_page(page, after, cx);
            if !cx.slots.waits(Slot::Job) {
                let open = self.detail.value().filter(|_| self.open);
                let id = open.map(|detail| detail.job.id.to_string());
                let watched = self.watched.as_ref().map(JobId::to_string);
                if let Some(id) = id.or(watched) {
                    cx.ask(Slot::Job, Request::Job(id));
                }
            }
        }
    }

    fn wake(&self, cx: &WakeCx) -> Option<Timestamp> {
        let doings = self.doings.wake(cx.now, cx.slots);
        let pace = self.meter.wake(cx.now, cx.slots.waits(Slot::Pace));
        let shown = if self.groups.is_open() {
            self.groups.wake(cx.slots.waits(Slot::Groups))
        } else if self.load.value().is_none() || cx.slots.waits(Slot::Jobs) {
            None
        } else {
            self.refresh.due_at()
        };
        [doings, pace, shown].into_iter().flatten().min()
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        self.draw(canvas, area);
    }
}
