//! Places that wait for an answer. Each has a generation: an answer of an older one is dropped.

use super::keymap::Tab;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// A place that waits for at most one answer; a newer question replaces the older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Remembered,
    Status,
    Mappings,
    Configuration,
    Connections,
    /// The saved filters of a screen.
    Filters(Tab),
    /// Actions on many jobs: their end is waited for.
    Bulks,
    /// What became of retried jobs.
    AfterRetry,
    Schemas,
    Schema,
    RecordSchema,
    Records,
    Preview,
    Segments,
    Record,
    Related,
    MappingDetail,
    Samples,
    SamplePreview,
    /// Where the edit of a mapping begins.
    Draft,
    /// What a source or rule that is being typed makes of the sample.
    Trial,
    /// What the account has that actions of rules can be about.
    ActionNames,
    Suggestions,
    /// All records through the mapping.
    Survey,
    Check,
    Jobs,
    Job,
    Groups,
    /// How fast the queue moves.
    Pace,
    Mend,
    Count,
    Exports,
    RunFailures,
    /// How many of a run's failures are left.
    StillFailed,
    Calls,
    Log,
    Audit,
    /// A write has a slot of its own, so that a second one never hides the answer of the first.
    Write(u64),
}

impl Slot {
    /// The tab whose `esc` gives the question up; `None` for what is behind all tabs, and for writes, which
    /// are never given up half-way.
    pub fn tab(self) -> Option<Tab> {
        match self {
            Self::Remembered
            | Self::Status
            | Self::Mappings
            | Self::Configuration
            | Self::Connections
            | Self::Bulks
            | Self::AfterRetry
            | Self::StillFailed
            | Self::Pace
            | Self::Write(_) => None,
            Self::Filters(tab) => Some(tab),
            Self::Schemas | Self::Schema => Some(Tab::Schemas),
            Self::RecordSchema
            | Self::Records
            | Self::Record
            | Self::Preview
            | Self::Segments
            | Self::Related => Some(Tab::Records),
            Self::MappingDetail
            | Self::Samples
            | Self::SamplePreview
            | Self::Draft
            | Self::Trial
            | Self::ActionNames
            | Self::Suggestions
            | Self::Survey
            | Self::Check => Some(Tab::Mappings),
            Self::Jobs | Self::Job | Self::Groups | Self::Mend | Self::Count => Some(Tab::Queue),
            Self::Exports | Self::RunFailures => Some(Tab::Exports),
            Self::Calls | Self::Log | Self::Audit => Some(Tab::Activity),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    generation: u64,
    since: Option<Timestamp>,
}

/// Who waits, since when, for which generation.
#[derive(Debug, Default)]
pub struct Slots {
    waits: HashMap<Slot, Wait>,
    writes: u64,
}

/// An answer that takes longer shows a spinner.
pub const SPINNER_AFTER: SignedDuration = SignedDuration::from_millis(150);
/// The spinner turns this often.
pub const SPINNER_STEP: SignedDuration = SignedDuration::from_millis(250);

impl Slots {
    /// A question is asked: the generation that its answer must carry.
    pub fn start(&mut self, slot: Slot, now: Timestamp) -> u64 {
        let wait = self.waits.entry(slot).or_default();
        wait.generation += 1;
        wait.since = Some(now);
        wait.generation
    }

    /// True if the answer is the one that is waited for; then nobody waits any more.
    pub fn finish(&mut self, slot: Slot, generation: u64) -> bool {
        let Some(wait) = self.waits.get_mut(&slot) else {
            return false;
        };
        if wait.generation != generation || wait.since.is_none() {
            return false;
        }
        wait.since = None;
        if matches!(slot, Slot::Write(_)) {
            self.waits.remove(&slot);
        }
        true
    }

    /// The answer is not wanted any more.
    pub fn cancel(&mut self, slot: Slot) {
        if let Some(wait) = self.waits.get_mut(&slot) {
            wait.since = None;
        }
    }

    /// A slot for one more write.
    pub fn write(&mut self) -> Slot {
        self.writes += 1;
        Slot::Write(self.writes)
    }

    /// The slot of the latest write.
    pub fn latest_write(&self) -> Slot {
        Slot::Write(self.writes)
    }

    /// True while an answer is awaited.
    pub fn waits(&self, slot: Slot) -> bool {
        self.waits
            .get(&slot)
            .is_some_and(|wait| wait.since.is_some())
    }

    /// True until the first question of all, for the view of the last session, is answered.
    pub fn is_starting(&self) -> bool {
        self.waits
            .get(&Slot::Remembered)
            .is_none_or(|wait| wait.since.is_some())
    }

    /// How long an answer has been awaited.
    pub fn waited(&self, slot: Slot, now: Timestamp) -> Option<SignedDuration> {
        let since = self.waits.get(&slot)?.since?;
        Some(now.duration_since(since))
    }

    /// Number of writes in flight.
    pub fn writing(&self) -> usize {
        self.waits
            .iter()
            .filter(|(slot, wait)| matches!(slot, Slot::Write(_)) && wait.since.is_some())
            .count()
    }

    /// How long the oldest write in flight has been going on.
    pub fn longest_write(&self, now: Timestamp) -> Option<SignedDuration> {
        self.waits
            .iter()
            .filter(|(slot, _)| matches!(slot, Slot::Write(_)))
            .filter_map(|(_, wait)| Some(now.duration_since(wait.since?)))
            .max()
    }

    /// All that is waited for.
    pub fn all(&self) -> Vec<Slot> {
        let waits = self.waits.iter();
        let waits = waits.filter(|(_, wait)| wait.since.is_some());
        waits.map(|(slot, _)| *slot).collect()
    }

    /// What a tab waits for.
    pub fn of_tab(&self, tab: Tab) -> Vec<Slot> {
        self.waits
            .iter()
            .filter(|(slot, wait)| slot.tab() == Some(tab) && wait.since.is_some())
            .map(|(slot, _)| *slot)
            .collect()
    }

    /// When a spinner of this tab, or of a write, has to appear or to turn.
    pub fn wake(&self, tab: Tab, now: Timestamp) -> Option<Timestamp> {
        self.waits
            .iter()
            .filter(|(slot, _)| matches!(slot, Slot::Write(_)) || slot.tab() == Some(tab))
            .filter_map(|(_, wait)| wait.since)
            .map(|since| {
                if now.duration_since(since) < SPINNER_AFTER {
                    since + SPINNER_AFTER
                } else {
                    now + SPINNER_STEP
                }
            })
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_answers_are_dropped() {
        let mut slots = Slots::default();
        let old = slots.start(Slot::Jobs, Timestamp::UNIX_EPOCH);
        let new = slots.start(Slot::Jobs, Timestamp::UNIX_EPOCH);
        assert!(!slots.finish(Slot::Jobs, old));
        assert!(slots.finish(Slot::Jobs, new));
        assert!(!slots.finish(Slot::Jobs, new));
        let given_up = slots.start(Slot::Jobs, Timestamp::UNIX_EPOCH);
        slots.cancel(Slot::Jobs);
        assert!(!slots.finish(Slot::Jobs, given_up));
    }

    #[test]
    fn writes_do_not_replace_each_other() {
        let mut slots = Slots::default();
        let (a, b) = (slots.write(), slots.write());
        let first = slots.start(a, Timestamp::UNIX_EPOCH);
        let second = slots.start(b, Timestamp::UNIX_EPOCH);
        assert_eq!(slots.writing(), 2);
        assert!(slots.finish(a, first) && slots.finish(b, second));
        assert_eq!(slots.writing(), 0);
    }
}
