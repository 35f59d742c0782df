//! How fast the queue moves: what was settled over the last minutes, jobs a second, what is still to go and for how long.
//!
//! All of it is measured. Imports settle hundreds of jobs at once and then none for seconds, so the rate is taken over a
//! minute, and only from the second burst on: what one burst tells is its size and not its speed. The line goes by the clock
//! only while jobs are being settled; half a minute after the last one it stands still and says when that was.

use crate::model::call::BudgetView;
use crate::model::export::Run;
use crate::operations::Done;
use crate::operations::pace::Pace;
use crate::operations::status::Status;
use crate::tui::context::Cx;
use crate::tui::request::Request;
use crate::tui::screens::Refresh;
use crate::tui::screens::exports::goal;
use crate::tui::slots::Slot;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// One column of the sparkline, in seconds.
const COLUMN: i64 = 5;
/// Columns of the sparkline at most: five minutes.
pub(super) const COLUMNS: usize = 60;
/// The rate is taken over so many seconds.
const WINDOW: i64 = 60;
/// After so many seconds without a settled job the queue stands still, and a later one begins a new stretch.
const QUIET: i64 = 30;
/// Seconds of a stretch before a rate is told.
const LEAST: i64 = 3;
/// Seconds that are read once more: what was settled in them may have been committed after they were read.
const LATE: i64 = 2;

/// What is known of the queue's pace.
pub(super) struct Meter {
    refresh: Refresh,
    /// Jobs settled, by second.
    settled: BTreeMap<i64, u64>,
    /// When that was read.
    pub(super) read: Option<Timestamp>,
    /// Jobs that a worker is at or could be.
    pub(super) to_go: u64,
    /// Records that exports at work have not sent yet, as far as that is known; `None` where no export is at work.
    pub(super) to_come: Option<Option<u64>>,
    workers: u32,
    /// Permits used and whole, by the name of the budget.
    pub(super) uses: Vec<(&'static str, u32, u32)>,
}

/// Jobs a second, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rate {
    /// Nothing was settled within the time that is looked at.
    Never,
    /// Nothing has been settled since that second.
    Quiet(i64),
    /// Something is being settled, and it is too early to say how fast.
    Measuring,
    Known(f64),
}

impl Meter {
    pub(super) fn new(low_bandwidth: bool) -> Self {
        Self {
            refresh: Refresh::new(low_bandwidth),
            settled: BTreeMap::new(),
            read: None,
            to_go: 0,
            to_come: None,
            workers: 0,
            uses: Vec::new(),
        }
    }

    /// The store changed.
    pub(super) fn mark(&mut self) {
        self.refresh.mark();
    }

    pub(super) fn pace(&mut self, low_bandwidth: bool) {
        self.refresh.pace(low_bandwidth);
    }

    /// Budgets and workers, as the status was read last.
    pub(super) fn see(&mut self, status: &Status) {
        let use_of = |name, budget: &Option<BudgetView>| {
            let budget = budget.as_ref()?;
            Some((name, budget.size.saturating_sub(budget.left), budget.size))
        };
        let budgets = [
            use_of("GHL", &status.highlevel),
            use_of("AC", &status.activecampaign),
            use_of("import", &status.imports),
        ];
        self.uses = budgets.into_iter().flatten().collect();
        self.workers = status.workers;
        let left = |run: &Run| Some(goal(run)?.saturating_sub(run.counts.settled() + run.sent));
        let sending = status.exports.iter().filter(|run| !run.options.dry_run);
        let left: Vec<Option<u64>> = sending.map(left).collect();
        self.to_come = (!left.is_empty()).then(|| left.into_iter().sum());
    }

    /// Reads what was settled since the last look.
    pub(super) fn tick(&mut self, cx: &mut Cx) {
        if cx.slots.waits(Slot::Pace) || !self.refresh.take(cx.now) {
            return;
        }
        let far = cx.now.as_second() - COLUMN * COLUMNS as i64;
        let since = self.read.map_or(far, |at| far.max(at.as_second() - LATE));
        // A second too far back for any clock is none to ask for.
        let since = Timestamp::from_second(since).unwrap_or(Timestamp::UNIX_EPOCH);
        cx.ask(Slot::Pace, Request::Pace(since));
    }

    /// When [`Meter::tick`] is next needed, or the line is to be drawn anew.
    pub(super) fn wake(&self, now: Timestamp, waits: bool) -> Option<Timestamp> {
        let read = self.refresh.due_at().filter(|_| !waits);
        let moves = matches!(self.rate(now), Rate::Measuring | Rate::Known(_));
        let column = (now.as_second().div_euclid(COLUMN) + 1) * COLUMN;
        let column = Timestamp::from_second(column).ok().filter(|_| moves);
        [read, column].into_iter().flatten().min()
    }

    pub(super) fn arrived(&mut self, since: Timestamp, result: Done<Pace>, now: Timestamp) {
        // A store that cannot be read is told of by the list.
        let Ok(pace) = result else { return };
        let since = since.as_second();
        self.settled.split_off(&since);
        for (at, number) in pace.settled {
            self.settled.insert(at.as_second(), number);
        }
        let far = now.as_second() - COLUMN * (COLUMNS as i64 + 1);
        self.settled = self.settled.split_off(&far);
        self.to_go = pace.to_go;
        self.read = Some(now);
    }

    /// Jobs a second now.
    pub(super) fn rate(&self, now: Timestamp) -> Rate {
        let now = now.as_second();
        let Some((last, _)) = self.settled.last_key_value() else {
            return Rate::Never;
        };
        if now - last >= QUIET {
            return Rate::Quiet(*last);
        }
        // Back to where this stretch of work began, or to the window's edge; the second that is not over counts later.
        let edge = now - WINDOW;
        let (mut first, mut sum) = (*last, 0);
        for (second, number) in self.settled.range(edge..now).rev() {
            if first - second >= QUIET {
                break;
            }
            first = *second;
            sum += number;
        }
        let before = self.settled.range(..first).next_back();
        let goes_back = before.is_some_and(|(second, _)| first - second < QUIET);
        let (sum, seconds) = if goes_back {
            (sum, WINDOW)
        } else {
            // The first burst only says when the work began that the next ones are the fruit of.
            (sum.saturating_sub(self.settled[&first]), now - first - 1)
        };
        if sum == 0 || seconds < LEAST {
            return Rate::Measuring;
        }
        Rate::Known(sum as f64 / seconds as f64)
    }

    /// Milliseconds until nothing is left to go, if the queue goes on as it does.
    pub(super) fn left(&self, now: Timestamp) -> Option<u64> {
        match self.rate(now) {
            Rate::Known(rate) if self.workers > 0 => {
                Some((self.to_go as f64 * 1000.0 / rate) as u64)
            }
            _ => None,
        }
    }

    /// The sparkline's heights, 0 to `most`, the latest at the right: whole columns only, so that none shrinks.
    pub(super) fn heights(&self, now: Timestamp, columns: usize, most: usize) -> Vec<usize> {
        let now = match self.rate(now) {
            Rate::Quiet(last) => last + QUIET,
            _ => now.as_second(),
        };
        let end = now.div_euclid(COLUMN) * COLUMN;
        let sums: Vec<u64> = (0..columns as i64)
            .rev()
            .map(|back| {
                let to = end - back * COLUMN;
                self.settled.range(to - COLUMN..to).map(|(_, n)| n).sum()
            })
            .collect();
        let highest = sums.iter().copied().max().unwrap_or(0);
        let height = |sum: &u64| {
            let height = u128::from(*sum) * most as u128;
            height.div_ceil(u128::from(highest.max(1))) as usize
        };
        sums.iter().map(height).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const START: i64 = 1_800_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(START + second).unwrap()
    }

    /// A meter that read at a second what was settled before.
    fn meter(settled: impl IntoIterator<Item = (i64, u64)>, to_go: u64, now: i64) -> Meter {
        let mut meter = Meter::new(false);
        meter.workers = 1;
        let settled = settled.into_iter().map(|(second, n)| (at(second), n));
        let pace = Pace {
            settled: settled.collect(),
            to_go,
        };
        meter.arrived(at(-1000), Ok(pace), at(now));
        meter
    }

    fn known(meter: &Meter, now: i64) -> f64 {
        match meter.rate(at(now)) {
            Rate::Known(rate) => rate,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_steady_flow_is_measured_soon_and_exactly() {
        let flow = |seconds: i64| meter((0..seconds).map(|s| (s, 10)), 600, seconds);
        assert_eq!(flow(3).rate(at(3)), Rate::Measuring);
        for seconds in [4, 30, 200] {
            assert_eq!(known(&flow(seconds), seconds), 10.0);
        }
        assert_eq!(flow(200).left(at(200)), Some(60_000));
    }

    #[test]
    fn bursts_of_imports_count_by_the_time_between_them() {
        // 250 contacts every ten seconds: 25 a second, whatever happened within one of them.
        let first = meter([(0, 250)], 10_000, 4);
        assert_eq!(first.rate(at(4)), Rate::Measuring);
        assert_eq!(first.left(at(4)), None);
        let bursts = (0..20).map(|n| (n * 10, 250));
        let many = meter(bursts, 10_000, 190);
        let rate = known(&many, 190);
        assert!((20.0..=30.0).contains(&rate), "{rate}");
        let second = meter([(0, 250), (10, 250)], 10_000, 10);
        assert_eq!(known(&second, 11), 25.0);
    }

    #[test]
    fn a_rest_ends_a_stretch() {
        let old = (0..20).map(|s| (s, 100));
        let rested = meter(old.clone().chain([(100, 1)]), 50, 101);
        assert_eq!(
            rested.rate(at(101)),
            Rate::Measuring,
            "the old flow says nothing"
        );
        let quiet = meter(old, 50, 60);
        assert_eq!(quiet.rate(at(60)), Rate::Quiet(START + 19));
        assert_eq!(quiet.left(at(60)), None);
        assert_eq!(meter([], 50, 0).rate(at(0)), Rate::Never);
    }

    #[test]
    fn without_a_worker_nobody_knows_how_long_it_takes() {
        let mut meter = meter((0..20).map(|s| (s, 10)), 100, 20);
        assert!(meter.left(at(20)).is_some());
        meter.workers = 0;
        assert_eq!(meter.left(at(20)), None);
    }

    #[test]
    fn seconds_that_are_read_again_are_counted_once() {
        let mut meter = meter([(0, 5), (1, 5)], 0, 1);
        let again = Pace {
            settled: vec![(at(1), 9), (at(2), 4)],
            to_go: 3,
        };
        meter.arrived(at(1), Ok(again), at(3));
        assert_eq!(
            meter.settled.values().copied().collect::<Vec<_>>(),
            [5, 9, 4]
        );
        assert_eq!(meter.to_go, 3);
    }

    #[test]
    fn columns_are_whole_and_the_highest_is_full() {
        let meter = meter([(0, 4), (4, 4), (5, 1), (10, 99)], 0, 12);
        // The third column is not over: it is not shown yet.
        assert_eq!(meter.heights(at(12), 3, 7), [0, 7, 1]);
        assert_eq!(meter.heights(at(15), 3, 7), [1, 1, 7]);
    }

    #[test]
    fn it_goes_by_the_clock_only_while_something_is_settled() {
        let mut meter = meter([(0, 4), (1, 4)], 0, 2);
        meter.refresh.take(at(2));
        let mut now = at(2);
        let mut wakes = 0;
        while let Some(next) = meter.wake(now, false) {
            assert!(next > now && next.duration_since(now) <= SignedDuration::from_secs(COLUMN));
            now = next;
            wakes += 1;
        }
        assert_eq!(wakes, 7);
        // What stands still keeps its picture.
        assert_eq!(meter.heights(now, 20, 7), meter.heights(at(9000), 20, 7));
    }
}
