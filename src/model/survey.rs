//! What a mapping would make of all records: counts, and what is wrong with those that fail.

use super::{Problem, RecordId};

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Distinct records.
    pub records: u64,
    /// Records without an address, which the mapping leaves alone.
    pub skipped: u64,
    /// Records that lose their contact to another one.
    pub superseded: u64,
    /// Contacts that would get other values than were last confirmed for them, those that would be made included.
    pub changed: u64,
    /// Contacts whose values are those that were last confirmed.
    pub unchanged: u64,
    /// Records that cannot be synced, by what is wrong with them, the most frequent first.
    pub faults: Vec<Fault>,
}

/// Records that fail for the same reason: what differs is ids, addresses and numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub count: u64,
    /// As the first of them has it.
    pub problem: Problem,
    /// The first of them.
    pub sample: RecordId,
}

impl Survey {
    /// Records that cannot be synced.
    pub fn failed(&self) -> u64 {
        self.faults.iter().map(|fault| fault.count).sum()
    }
}
