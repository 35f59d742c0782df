//! The log of requests: the judge of every test.

use super::wire::Api;
use serde::Serialize;
use std::collections::VecDeque;

/// One request as the sandbox saw it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Number in order of arrival, from 1, over both APIs.
    pub seq: u64,
    /// `highlevel` or `activecampaign`.
    pub api: &'static str,
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Status answered; 0 if the connection was dropped unanswered.
    pub status: u16,
    /// Arrival, microseconds since the Unix epoch.
    pub at: i64,
    /// Body of a write, when it is not too long (see [`super::Options::logged_body`]).
    pub body: Option<String>,
    /// Contacts in an import.
    pub contacts: Option<usize>,
    /// What was wrong with the request (`rate` when it came too early).
    pub violation: Option<String>,
    /// The fault that struck it.
    pub fault: Option<String>,
}

/// Counts over the whole life of the sandbox, or since the log was cleared.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Requests to HighLevel.
    pub highlevel: u64,
    /// Requests to ActiveCampaign.
    pub activecampaign: u64,
    /// Rate-limit answers that the limits gave (not those of faults).
    pub throttled: u64,
    /// Malformed requests, rate violations included.
    pub violations: u64,
}

const KEPT: usize = 200_000;

#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    stats: Stats,
    last: u64,
}

impl Journal {
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn add(&mut self, api: Api, entry: Entry) {
        match api {
            Api::HighLevel => self.stats.highlevel += 1,
            Api::ActiveCampaign => self.stats.activecampaign += 1,
        }
        if let Some(violation) = &entry.violation {
            self.stats.violations += 1;
            self.stats.throttled += u64::from(violation == "rate");
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Entries with a number above `seq`, by number.
    pub(super) fn since(&self, seq: u64) -> Vec<Entry> {
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.seq > seq)
            .cloned()
            .collect();
        entries.sort_by_key(|entry| entry.seq);
        entries
    }

    pub(super) fn stats(&self) -> Stats {
        self.stats.clone()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.stats = Stats::default();
    }
}
