//! The six screens: state, update and view of each.

pub mod activity;
pub mod exports;
pub mod mappings;
pub mod queue;
pub mod records;
pub mod schemas;

use super::canvas::Canvas;
use super::context::Cx;
use super::keymap::Action;
use super::request::Reply;
use super::slots::Slot;
use crate::model::filter::{FilterError, quote};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

/// What every screen can do.
pub trait Screen {
    /// The screen comes into view: reads what is missing.
    fn open(&mut self, cx: &mut Cx);
    /// An action of the key table that the app does not do itself.
    fn act(&mut self, action: Action, cx: &mut Cx);
    /// One of its two panes is to take the keys: the right one, or the left one.
    fn focus(&mut self, _right: bool, _cx: &mut Cx) {}
    /// An answer to a question of this screen.
    fn answer(&mut self, reply: Reply, cx: &mut Cx);
    /// `esc`: closes or clears the innermost thing; false if there was none.
    fn back(&mut self, cx: &mut Cx) -> bool;
    /// How many things `esc` has to close or clear before it has nothing left to do. What is looked for counts as open already.
    fn depth(&self) -> usize;
    /// The filter of the activity for the thing that the cursor is on; `None` where there is none.
    fn about(&self) -> Option<String>;
    /// True if there is something that an action on one row, or on the selected ones, could be about.
    fn has_row(&self) -> bool {
        self.about().is_some()
    }
    /// False for an action of its keys that has nothing to do in the view that is open: the footer leaves it out.
    fn offers(&self, _action: Action) -> bool {
        true
    }
    /// The filter text in force.
    fn filter(&self) -> &str;
    /// Why a filter text cannot be entered; `None` where any text can be.
    fn filter_fault(&self, _text: &str) -> Option<FilterError> {
        None
    }
    /// The filter text while it is typed, and `done` when it is entered.
    fn set_filter(&mut self, text: &str, done: bool, cx: &mut Cx);
    /// True if it shows that a question's answer is awaited, on top of what is open: only then `esc` gives it up, and closes nothing.
    fn awaits(&self, _slot: Slot) -> bool {
        true
    }
    /// A question was given up.
    fn cancelled(&mut self, slot: Slot);
    /// The screen is in view and something may be due.
    fn tick(&mut self, _cx: &mut Cx) {}
    /// When [`Screen::tick`] is next needed.
    fn wake(&self, _cx: &WakeCx) -> Option<Timestamp> {
        None
    }
    /// Draws the screen.
    fn view(&self, canvas: &mut Canvas, area: Rect);
}

/// What deciding about the next tick may look at.
pub struct WakeCx<'a> {
    pub now: Timestamp,
    pub slots: &'a super::slots::Slots,
}

/// When something that streams is read again: at once when it was quiet, at most every `every` otherwise.
#[derive(Clone, Debug)]
pub struct Refresh {
    stale: bool,
    last: Option<Timestamp>,
    usual: SignedDuration,
    slow: SignedDuration,
    every: SignedDuration,
}

impl Refresh {
    /// For lists: read at most four times a second; `low_bandwidth` once a second.
    pub fn new(low_bandwidth: bool) -> Self {
        Self::each([250, 1000], low_bandwidth)
    }

    /// For many numbers that all change at once, which nobody reads so fast.
    pub fn of_numbers(low_bandwidth: bool) -> Self {
        Self::each([500, 2500], low_bandwidth)
    }

    /// For the numbers above every screen: as soon as a list, but over a slow line no oftener than others.
    pub fn of_status(low_bandwidth: bool) -> Self {
        Self::each([250, 2500], low_bandwidth)
    }

    /// The milliseconds between two readings, usually and with `low_bandwidth`.
    fn each(between: [i64; 2], low_bandwidth: bool) -> Self {
        let [usual, slow] = between.map(SignedDuration::from_millis);
        let mut refresh = Self {
            stale: true,
            last: None,
            usual,
            slow,
            every: usual,
        };
        refresh.pace(low_bandwidth);
        refresh
    }

    /// Reads at the usual pace, or as seldom as `low_bandwidth` asks for.
    pub fn pace(&mut self, low_bandwidth: bool) {
        self.every = if low_bandwidth { self.slow } else { self.usual };
    }

    /// What was read is old.
    pub fn mark(&mut self) {
        self.stale = true;
    }

    /// What was read is old, and a person waits for it.
    pub fn at_once(&mut self) {
        self.stale = true;
        self.last = None;
    }

    /// True if it is to be read now; then it counts as read.
    pub fn take(&mut self, now: Timestamp) -> bool {
        let due = self.due_at().is_some_and(|at| at <= now);
        if due {
            self.stale = false;
            self.last = Some(now);
        }
        due
    }

    /// When it was last asked for.
    pub fn asked_at(&self) -> Option<Timestamp> {
        self.last
    }

    /// When it is to be read; `None` while nothing changed.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.stale
            .then(|| self.last.map_or(Timestamp::MIN, |last| last + self.every))
    }
}

/// True if a text contains another, letters of either case.
pub fn contains(text: &str, part: &str) -> bool {
    part.is_empty() || text.to_lowercase().contains(&part.to_lowercase())
}

/// A term of the activity's filter: `job:0192`; a value that is no plain word is quoted.
fn about(key: &str, value: &str) -> String {
    format!("{key}:{}", quote(value))
}

/// The next row after `from` that `matches`, going round; `None` if no row does.
pub fn find_row(
    rows: usize,
    from: usize,
    forward: bool,
    matches: impl Fn(usize) -> bool,
) -> Option<usize> {
    (1..=rows)
        .map(|step| {
            if forward {
                (from + step) % rows
            } else {
                (from + rows - step % rows) % rows
            }
        })
        .find(|row| matches(*row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_thing_is_read_at_once_and_a_busy_one_four_times_a_second() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let mut refresh = Refresh::new(false);
        assert!(refresh.take(at(1000)));
        assert!(!refresh.take(at(1001)), "nothing changed");
        refresh.mark();
        assert!(!refresh.take(at(1100)));
        assert_eq!(refresh.due_at(), Some(at(1250)));
        assert!(refresh.take(at(1250)));
        assert_eq!(refresh.due_at(), None);
        refresh.mark();
        assert!(refresh.take(at(9000)));
    }

    #[test]
    fn finding_goes_round() {
        let even = |row: usize| row.is_multiple_of(2);
        assert_eq!(find_row(5, 4, true, even), Some(0));
        assert_eq!(find_row(5, 0, false, even), Some(4));
        assert_eq!(find_row(0, 0, true, even), None);
        assert_eq!(find_row(3, 1, true, |_| false), None);
    }
}
