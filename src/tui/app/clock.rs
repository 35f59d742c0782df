//! What happens by time alone: what is due now, and when something is due next.

use super::App;
use crate::model::PauseKind;
use crate::model::export::{Run, RunState};
use crate::operations::status::LastError;
use crate::tui::context::Cx;
use crate::tui::frame::Dirty;
use crate::tui::keymap::Tab;
use crate::tui::request::Request;
use crate::tui::screens::WakeCx;
use crate::tui::slots::Slot;
use jiff::{SignedDuration, Timestamp};

/// How long an error is shown at least while others follow it.
const TO_READ: SignedDuration = SignedDuration::from_secs(2);

impl App {
    /// What is due: toasts that leave, lists and numbers that are read again.
    pub(super) fn pending(&mut self) {
        if self.toasts.expire(self.now) {
            self.dirty = self.dirty.max(Dirty::Data);
        }
        if !self.slots.waits(Slot::Status) {
            if self.status_moves()
                && self
                    .status
                    .read_at()
                    .is_none_or(|at| self.now.duration_since(at) >= SignedDuration::from_secs(1))
            {
                self.status_refresh.mark();
            }
            if self.ended_pause() {
                self.status_refresh.mark();
            }
            if self.status_refresh.take(self.now) {
                self.read_status();
            }
        }
        self.with_screen(|screen, cx| screen.tick(cx));
        self.grant();
    }

    pub(super) fn read_status(&mut self) {
        self.status_refresh.take(self.now);
        hands!(self).ask(Slot::Status, Request::Status);
    }

    /// An error stays long enough to be read, though others follow it.
    pub(super) fn let_read(&mut self, newest: &mut Option<LastError>) {
        let shown = self
            .status
            .value()
            .and_then(|status| status.last_error.as_ref());
        let follows = shown.is_some() && newest.is_some() && shown != newest.as_ref();
        self.error_waits = follows && self.now.duration_since(self.error_at) < TO_READ;
        if self.error_waits {
            *newest = shown.cloned();
        } else if shown != newest.as_ref() {
            self.error_at = self.now;
        }
    }

    /// True while the status bar changes by time alone: a budget fills up, a run goes on, the next error is to be shown.
    pub(super) fn status_moves(&self) -> bool {
        if self.error_waits {
            return true;
        }
        let Some(status) = self.status.value() else {
            return false;
        };
        let filling = [&status.highlevel, &status.activecampaign, &status.imports]
            .into_iter()
            .flatten()
            .any(|b| {
                // A budget fills up within its window; after that its numbers stand still.
                let window = SignedDuration::from_millis(b.window_ms.min(600_000) as i64 + 2000);
                let quiet = self.now.duration_since(self.busy_at) > window;
                (b.left < b.size && !quiet) || b.blocked_until.is_some_and(|at| at > self.now)
            });
        filling
            || status
                .exports
                .iter()
                .any(|run| run.state == RunState::Running)
    }

    /// True if a pause ended by itself since the status was asked for: nobody writes that into the store.
    fn ended_pause(&self) -> bool {
        let asked = self.status_refresh.asked_at().unwrap_or(self.now);
        self.pause_ends().any(|at| asked < at && at <= self.now)
    }

    /// When persons' pauses end by themselves.
    fn pause_ends(&self) -> impl Iterator<Item = Timestamp> {
        let pauses = self.status.value().map(|status| status.pauses.as_slice());
        let pauses = pauses.unwrap_or_default().iter();
        pauses
            .filter(|pause| pause.kind == PauseKind::Person)
            .filter_map(|pause| pause.until)
    }

    /// When [`Event::Tick`] is next needed; `None` while nothing moves.
    pub fn wake(&self) -> Option<Timestamp> {
        let cx = WakeCx {
            now: self.now,
            slots: &self.slots,
        };
        let status = if self.slots.waits(Slot::Status) {
            None
        } else {
            let second = self
                .status_moves()
                .then(|| self.status.read_at().unwrap_or(self.now) + SignedDuration::from_secs(1));
            let pause = self.pause_ends().filter(|at| *at > self.now).min();
            [self.status_refresh.due_at(), second, pause]
                .into_iter()
                .flatten()
                .min()
        };
        let screen = self.screen(self.tab).wake(&cx);
        [
            status,
            screen,
            self.toasts.wake(),
            self.slots.wake(self.tab, self.now),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The running export that the status bar shows.
    pub(in crate::tui) fn running(&self) -> Option<&Run> {
        let exports = &self.status.value()?.exports;
        let running = |run: &&Run| run.state == RunState::Running;
        let run = exports.iter().find(running)?;
        // Where the list shows the run, one screen does not tell of it twice in different numbers.
        match self.exports.listed(&run.id) {
            Some(listed) if self.tab == Tab::Exports => Some(listed).filter(running),
            _ => Some(run),
        }
    }
}
