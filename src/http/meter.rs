//! Counting requests, and telling others about them.

use crate::model::call::{Api, Call};
use crate::model::export::RequestCounts;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Is told about every call that ended; must not block.
pub type Observer = Arc<dyn Fn(&Call) + Send + Sync>;

/// Counts the calls of the client handles that carry it: an export run counts its own.
#[derive(Debug, Default)]
pub struct Meter {
    highlevel: AtomicU64,
    activecampaign: AtomicU64,
    throttled: AtomicU64,
}

impl Meter {
    /// Requests sent, retries included.
    pub fn counts(&self) -> RequestCounts {
        RequestCounts {
            highlevel: self.highlevel.load(Ordering::Relaxed),
            activecampaign: self.activecampaign.load(Ordering::Relaxed),
        }
    }

    /// Rate-limit answers received.
    pub fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, api: Api) {
        match api {
            Api::HighLevel => &self.highlevel,
            Api::ActiveCampaign => &self.activecampaign,
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }
}
