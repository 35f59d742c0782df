//! Rate limits: sliding windows judged on the arrival of a request.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// At most `max` requests in any `per`.
#[derive(Debug)]
pub(super) struct Window {
    max: usize,
    per: Duration,
    accepted: VecDeque<Instant>,
}

impl Window {
    pub(super) fn new(max: usize, per: Duration) -> Self {
        Self {
            max,
            per,
            accepted: VecDeque::new(),
        }
    }

    /// Counts a request and returns how many are left, or refuses it with the time until one is free.
    pub(super) fn admit(&mut self, now: Instant) -> Result<usize, Duration> {
        while let Some(oldest) = self.accepted.front() {
            if now.duration_since(*oldest) < self.per {
                break;
            }
            self.accepted.pop_front();
        }
        match self.accepted.front() {
            Some(oldest) if self.accepted.len() >= self.max => {
                Err(self.per - now.duration_since(*oldest))
            }
            _ => {
                self.accepted.push_back(now);
                Ok(self.max - self.accepted.len())
            }
        }
    }
}

/// Every limit of both APIs (HighLevel fact sheet §6, ActiveCampaign fact sheet §1.4 and §3.2).
#[derive(Debug)]
pub(super) struct Limits {
    pub highlevel: Window,
    pub highlevel_left_today: u64,
    pub activecampaign: Window,
    /// Imports of several contacts.
    pub imports: Window,
    /// Imports of exactly one contact.
    pub single_imports: Window,
}

/// Requests a day and location at HighLevel.
pub(super) const HIGHLEVEL_DAILY: u64 = 200_000;
/// Requests in [`HIGHLEVEL_INTERVAL`] at HighLevel.
pub(super) const HIGHLEVEL_MAX: usize = 100;
/// HighLevel's burst interval.
pub(super) const HIGHLEVEL_INTERVAL: Duration = Duration::from_secs(10);
/// Requests a second at ActiveCampaign.
pub(super) const ACTIVECAMPAIGN_MAX: usize = 5;

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            highlevel: Window::new(HIGHLEVEL_MAX, HIGHLEVEL_INTERVAL),
            highlevel_left_today: HIGHLEVEL_DAILY,
            activecampaign: Window::new(ACTIVECAMPAIGN_MAX, Duration::from_secs(1)),
            imports: Window::new(100, Duration::from_secs(60)),
            single_imports: Window::new(20, Duration::from_secs(60)),
        }
    }
}

/// Whole seconds for `Retry-After`, never too short.
pub(super) fn retry_after_seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000))
        .unwrap_or(1)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut window = Window::new(2, Duration::from_secs(1));
        assert_eq!(window.admit(at(0)), Ok(1));
        assert_eq!(window.admit(at(900)), Ok(0));
        assert_eq!(window.admit(at(999)), Err(Duration::from_millis(1)));
        assert_eq!(window.admit(at(1000)), Ok(0));
        assert_eq!(window.admit(at(1500)), Err(Duration::from_millis(400)));
    }
}
