//! When a failed job is tried again.

use crate::http::backoff::backoff;
use std::time::Duration;

/// Attempts at a job before a person is asked.
pub const MAX_ATTEMPTS: u32 = 12;
const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(15 * 60);

/// The wait before the next attempt after `tries` failed ones: full-jitter exponential backoff (sync.md, Jobs).
pub fn next(tries: u32) -> Duration {
    backoff(
        tries.saturating_sub(1),
        BASE,
        CAP,
        &mut fastrand::Rng::new(),
    )
}

/// Waits of a record whose association leads to no contact yet: 10 s, 1, 5 and 30 minutes.
pub fn no_contact_yet(waits: u32) -> Option<Duration> {
    [10, 60, 300, 1800]
        .get(waits as usize)
        .map(|seconds| Duration::from_secs(*seconds))
}
