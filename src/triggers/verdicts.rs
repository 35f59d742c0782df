//! What became of the requests that came in, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of a request to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stored, and answered 200.
    Accepted,
    /// Known already: answered 200, and nothing follows.
    Duplicate,
    /// Of another location or app: answered 200, and nothing follows.
    Foreign,
    /// Of a type that concerns no record: answered 200, and nothing follows.
    Ignored,
    /// Older than `max_age`: answered 200, and nothing follows.
    Stale,
    /// No signature: 401.
    Unsigned,
    /// A signature that does not fit: 401.
    Forged,
    /// Signed, but no JSON object: 400.
    Unreadable,
    /// 413.
    TooLarge,
    /// It took too long to arrive: 408.
    Slow,
    /// The inbox was full: 429.
    Full,
    /// The store failed: 503.
    Failed,
    /// A workflow's request that made jobs: 202.
    Workflow,
    /// A workflow's request without the token: 401.
    Unauthorised,
    /// A workflow's request that names no mapping, or no record of its object.
    Refused,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Self; 15] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Foreign,
        Self::Ignored,
        Self::Stale,
        Self::Unsigned,
        Self::Forged,
        Self::Unreadable,
        Self::TooLarge,
        Self::Slow,
        Self::Full,
        Self::Failed,
        Self::Workflow,
        Self::Unauthorised,
        Self::Refused,
    ];

    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Foreign => "foreign",
            Self::Ignored => "ignored",
            Self::Stale => "stale",
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::Full => "full",
            Self::Failed => "failed",
            Self::Workflow => "workflow",
            Self::Unauthorised => "unauthorised",
            Self::Refused => "refused",
        }
    }
}

/// Counts of verdicts since the start.
#[derive(Debug, Default)]
pub struct Verdicts([AtomicU64; Verdict::ALL.len()]);

impl Verdicts {
    /// Counts one.
    pub fn count(&self, verdict: Verdict) {
        self.0[verdict as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts as they stand, each with its verdict's name.
    pub fn snapshot(&self) -> [(&'static str, u64); Verdict::ALL.len()] {
        Verdict::ALL.map(|verdict| {
            (
                verdict.name(),
                self.0[verdict as usize].load(Ordering::Relaxed),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_a_place_of_its_own() {
        let verdicts = Verdicts::default();
        for (times, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, times);
            for _ in 0..times {
                verdicts.count(verdict);
            }
        }
        for (times, (name, count)) in verdicts.snapshot().into_iter().enumerate() {
            assert_eq!((name, count), (Verdict::ALL[times].name(), times as u64));
        }
    }
}
