//! The sliding window that no jitter can break, as a pure function of its row.
//!
//! With a limit of n per window w, a permit counts from its grant until its *answer* is w old. Wherever
//! between sending and answer the server counts a request, and whether its windows slide or stand, no
//! window of w can then hold more than n of ours: take the last granted of n + 1 requests arriving within w;
//! when it was granted the other n were unanswered or answered less than w ago, so all n counted.

use crate::http::ServerSays;
use std::time::Duration;

/// Added to each window, in microseconds: clocks of two machines tick apart.
const SAFETY: i64 = 2_000;
/// A lease is used up within this time of its grant, or the rest of it lapses. Microseconds.
pub(super) const HOLD: i64 = 1_000_000;
/// Permits per second up to which every permit is a lease of its own.
const LEASES_A_SECOND: f64 = 50.0;
/// Leases that a row may hold, so that it stays small.
const MOST_LEASES: u32 = 100;
/// For so long a server's word that no request is left today is believed. Microseconds.
const DAILY_BELIEVED: i64 = 600_000_000;
const DAY: i64 = 86_400_000_000;
/// The longest pause after rate-limit answers that name no time, unless the window is longer. Microseconds.
const LONGEST_PAUSE: i64 = 30_000_000;
/// A server that says "at once" for ever is asked ever more slowly, by so much with each refusal. Microseconds.
const SLOWER: i64 = 20_000;
/// How often it is looked whether the one request after a rate-limit answer was answered. Microseconds.
const LOOK: i64 = 20_000;
/// A clock that shows so much less than before was set back; less may be the wait for the row's turn. Microseconds.
const SET_BACK: i64 = 60_000_000;

/// A configured rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Requests per window, at least one.
    pub requests: u32,
    /// The window.
    pub per: Duration,
    /// Requests a day (UTC).
    pub daily: Option<u64>,
}

impl Limit {
    /// A limit without a daily bound.
    pub fn new(requests: u32, per: Duration) -> Self {
        Self {
            requests,
            per,
            daily: None,
        }
    }
}

/// The state of one budget. Times are microseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerRow {
    /// Permits granted so far.
    pub(super) granted: u64,
    pub(super) slots: Vec<Slot>,
    /// A rate-limit answer closed the budget until then.
    pub(super) blocked_until: i64,
    /// A person waits in some process; bulk work stands back until then.
    pub(super) person_until: i64,
    pub(super) server_max: Option<u32>,
    pub(super) server_interval: Option<i64>,
    /// The day that `used_today` is of, counted from the epoch.
    pub(super) day: i64,
    pub(super) used_today: u64,
    /// What the server said is left today, and when.
    pub(super) daily_left: Option<(u64, i64)>,
    /// When it was closed.
    pub(super) blocked_at: i64,
    /// Rate-limit answers in a row, those to requests that left together as one.
    pub(super) refusals: u32,
    /// Permits granted when the last of them came: requests of later ones tell whether it has passed.
    pub(super) refused_at: u64,
}

/// Permits that count until `free_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: u64,
    pub(super) permits: u32,
    pub(super) free_at: i64,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub slot: u64,
    pub permits: u32,
    /// When its last answer came; `None` if nothing was sent.
    pub answered: Option<i64>,
    pub says: ServerSays,
    /// Permits counting when it was granted, itself among them.
    pub used: u32,
}

/// The answer to a wish for permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Granted {
        slot: u64,
        permits: u32,
        used: u32,
    },
    /// Ask again then.
    Wait {
        until: i64,
    },
    /// A rate-limit answer closed the budget.
    Blocked {
        until: i64,
    },
    /// Nothing is left today.
    Spent {
        until: i64,
    },
}

/// The limit in force: the configured one, corrected by what the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub permits: u32,
    pub micros: i64,
    /// Permits of one lease.
    pub block: u32,
}

impl LedgerRow {
    /// The limit in force. A smaller limit of the server is believed, and a window is stretched so that
    /// neither rate is exceeded.
    pub(super) fn window(&self, limit: &Limit) -> Window {
        let n = limit.requests.max(1);
        let w = micros(limit.per).max(1);
        let (mut permits, mut window) = (n, w);
        if let Some(max) = self.server_max {
            permits = n.min(max.max(1));
            let interval = self.server_interval.unwrap_or(w);
            window = share(w, permits, n).max(share(interval, permits, max.max(1)));
        }
        let rate = f64::from(permits) * 1e6 / window as f64;
        let by_rate = (rate / LEASES_A_SECOND).ceil() as u32;
        let block = if rate > LEASES_A_SECOND { by_rate } else { 1 };
        Window {
            permits,
            micros: window,
            block: block.max(permits.div_ceil(MOST_LEASES)).clamp(1, permits),
        }
    }

    /// Takes in what became of leases since the last look.
    pub(super) fn settle(&mut self, limit: &Limit, done: &[Done], now: i64) {
        for done in done {
            self.learn(done, now);
            let window = self.window(limit).micros;
            let place = self.slots.iter().position(|slot| slot.id == done.slot);
            match (place, done.answered) {
                (Some(place), None) => {
                    self.slots.swap_remove(place);
                }
                (Some(place), Some(at)) => self.slots[place].free_at = at + window + SAFETY,
                // It had lapsed before its answer was noted; the answer counts all the same.
                (None, Some(at)) => self.slots.push(Slot {
                    id: done.slot,
                    permits: done.permits,
                    free_at: at + window + SAFETY,
                }),
                (None, None) => {}
            }
            self.note_others(limit, done);
        }
    }

    fn learn(&mut self, done: &Done, now: i64) {
        if let Some(max) = done.says.max {
            self.server_max = Some(max);
            self.server_interval = done.says.interval.map(micros);
        }
        if let Some(left) = done.says.daily_left {
            self.daily_left = Some((left, now));
        }
    }

    /// Other programs spend the same limit: what the server counts beyond what we could have sent counts here
    /// too. Only single permits are precise enough to tell.
    fn note_others(&mut self, limit: &Limit, done: &Done) {
        let (Some(max), Some(left), Some(at)) = (done.says.max, done.says.remaining, done.answered)
        else {
            return;
        };
        if done.permits != 1 {
            return;
        }
        let window = self.window(limit);
        let since = self.granted.saturating_sub(done.slot);
        let ours = u64::from(done.used) + since;
        let counted = u64::from(max.saturating_sub(left));
        // Up to max - n requests of others cost us nothing.
        let spare = u64::from(max.saturating_sub(window.permits));
        let others = counted.saturating_sub(ours + spare);
        if others > 0 {
            let permits = u32::try_from(others)
                .unwrap_or(window.permits)
                .min(window.permits);
            self.granted += u64::from(permits);
            self.slots.push(Slot {
                id: self.granted,
                permits,
                free_at: at + window.micros + SAFETY,
            });
        }
    }

    /// Grants a lease, or says when to ask again. `timeout` is the longest time until an answer.
    pub(super) fn lease(
        &mut self,
        limit: &Limit,
        person: bool,
        timeout: i64,
        now: i64,
    ) -> Decision {
        let window = self.window(limit);
        self.prune(&window, timeout, now);
        if self.blocked_until > now {
            return Decision::Blocked {
                until: self.blocked_until,
            };
        }
        if let Some(until) = self.spent_until(limit, now) {
            return Decision::Spent { until };
        }
        if !person && self.person_until > now {
            // A short look again: persons take the permit and lift their mark.
            return Decision::Wait {
                until: self.person_until.min(now + 50_000),
            };
        }
        // After a rate-limit answer one request tells whether it has passed; the others wait for its answer.
        let probing = self.refusals > 0;
        // An answered one says nothing any more; it counts for a window only.
        let unanswered = now + window.micros + SAFETY;
        let probe = |slot: &&Slot| slot.id > self.refused_at && slot.free_at > unanswered;
        if probing && let Some(probe) = self.slots.iter().find(probe) {
            return Decision::Wait {
                until: probe.free_at.min(now + LOOK),
            };
        }
        let block = if probing { 1 } else { window.block };
        let used = self.used();
        if used + block > window.permits {
            if person {
                self.person_until = now + 1_000_000;
            }
            return Decision::Wait {
                until: self.next_free(&window, now),
            };
        }
        self.person_until = 0;
        self.granted += u64::from(block);
        self.used_today += u64::from(block);
        let slot = Slot {
            id: self.granted,
            permits: block,
            free_at: now + HOLD + timeout + window.micros + SAFETY,
        };
        self.slots.push(slot);
        Decision::Granted {
            slot: slot.id,
            permits: slot.permits,
            used: used + block,
        }
    }

    /// The earliest time at which a permit can be free. A lease not answered yet frees at the earliest a
    /// window after an answer that is still to come.
    fn next_free(&self, window: &Window, now: i64) -> i64 {
        let mut ends: Vec<(i64, u32)> = self
            .slots
            .iter()
            .map(|slot| (slot.free_at, slot.permits))
            .collect();
        ends.sort_unstable();
        let mut used = self.used();
        for (free_at, permits) in ends {
            used -= permits;
            if used + window.block <= window.permits {
                return free_at.min(now + window.micros + SAFETY);
            }
        }
        now + window.micros
    }

    /// Closes the budget, after a rate-limit answer to the request of a permit: for the time that it `asked` for, else for a
    /// window at first and twice as long each time. `jitter`, from 0 to 1, shortens such a pause by up to a half. Answers
    /// until when it is closed.
    pub(super) fn refuse(
        &mut self,
        limit: &Limit,
        (slot, asked): (u64, Option<i64>),
        jitter: f64,
        now: i64,
    ) -> i64 {
        if self.refusals == 0 || slot > self.refused_at {
            self.refusals = self.refusals.saturating_add(1);
            self.refused_at = self.granted;
        }
        let pause = match asked {
            Some(asked) => asked.max(SLOWER.saturating_mul(i64::from(self.refusals))),
            None => {
                let window = self.window(limit).micros;
                let doubled = window.saturating_mul(1 << (self.refusals - 1).min(30));
                let longest = doubled.min(LONGEST_PAUSE.max(window));
                // A window at least: sooner it may be the same one that is used up.
                (longest - (longest as f64 / 2.0 * jitter) as i64).max(window)
            }
        };
        self.blocked_until = self.blocked_until.max(now.saturating_add(pause));
        self.blocked_at = now;
        self.blocked_until
    }

    /// The request of a permit was answered otherwise: the rate limit has passed, if it was met before that.
    pub(super) fn accept(&mut self, slot: u64) {
        if slot > self.refused_at {
            self.refusals = 0;
        }
    }

    fn prune(&mut self, window: &Window, timeout: i64, now: i64) {
        // A clock that was set back must not close the budget for good, nor for longer than it was to be closed.
        let step = self.blocked_at - now;
        if step >= SET_BACK {
            self.blocked_until -= step;
            self.blocked_at = now;
        }
        let latest = now + HOLD + timeout + window.micros + SAFETY;
        self.slots.retain_mut(|slot| {
            slot.free_at = slot.free_at.min(latest);
            slot.free_at > now
        });
        self.person_until = self.person_until.min(now + 1_000_000);
        let day = now.div_euclid(DAY);
        if self.day != day {
            self.day = day;
            self.used_today = 0;
        }
    }

    fn used(&self) -> u32 {
        self.slots
            .iter()
            .fold(0u32, |sum, slot| sum.saturating_add(slot.permits))
    }

    fn spent_until(&self, limit: &Limit, now: i64) -> Option<i64> {
        if let Some((0, at)) = self.daily_left
            && now.abs_diff(at) < DAILY_BELIEVED.unsigned_abs()
        {
            return Some(at + DAILY_BELIEVED);
        }
        (self.used_today >= limit.daily?).then_some((now.div_euclid(DAY) + 1) * DAY)
    }

    /// Permits free at `now`.
    pub(super) fn left(&self, limit: &Limit, now: i64) -> u32 {
        if self.blocked_until(now).is_some() {
            return 0;
        }
        let used = self
            .slots
            .iter()
            .filter(|slot| slot.free_at > now)
            .fold(0u32, |sum, slot| sum.saturating_add(slot.permits));
        self.window(limit).permits.saturating_sub(used)
    }

    /// Requests left today, if the server or the configuration tells.
    pub(super) fn daily_left(&self, limit: &Limit, now: i64) -> Option<u64> {
        let used = if self.day == now.div_euclid(DAY) {
            self.used_today
        } else {
            0
        };
        let own = limit.daily.map(|daily| daily.saturating_sub(used));
        match (self.daily_left.map(|(left, _)| left), own) {
            (Some(said), Some(own)) => Some(said.min(own)),
            (said, own) => said.or(own),
        }
    }

    /// Until when a rate-limit answer closed the budget, if it still does.
    pub(super) fn blocked_until(&self, now: i64) -> Option<i64> {
        (self.blocked_until > now && self.blocked_at - now < SET_BACK).then_some(self.blocked_until)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// `part / whole` of a window, rounded up.
fn share(window: i64, part: u32, whole: u32) -> i64 {
    let exact = i128::from(window) * i128::from(part);
    let whole = i128::from(whole.max(1));
    i64::try_from((exact + whole - 1) / whole).unwrap_or(i64::MAX / 4)
}
