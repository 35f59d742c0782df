//! A budget's row as text, small enough for one update per request.

use super::row::{LedgerRow, Slot};
use serde::{Deserialize, Serialize};

impl LedgerRow {
    /// The row of a text that [`LedgerRow::to_json`] made; text that is none gives an empty row.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str::<Wire>(text).map_or_else(|_| Self::default(), Self::from)
    }

    /// The row as text of at most 2 KB.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&Wire::from(self)).unwrap_or_default()
    }
}

/// The row as it is kept: slots as numbers relative to the first, three a slot, to stay small.
#[derive(Serialize, Deserialize)]
struct Wire {
    granted: u64,
    slots: Vec<i64>,
    blocked_until: i64,
    /// Rows of before have none.
    #[serde(default)]
    blocked_at: i64,
    person_until: i64,
    server_max: Option<u32>,
    server_interval: Option<i64>,
    day: i64,
    used_today: u64,
    daily_left: Option<(u64, i64)>,
    #[serde(default)]
    refusals: u32,
    #[serde(default)]
    refused_at: u64,
}

impl From<&LedgerRow> for Wire {
    fn from(row: &LedgerRow) -> Self {
        let mut slots = Vec::with_capacity(row.slots.len() * 3 + 1);
        if let Some(base) = row.slots.iter().map(|slot| slot.free_at).min() {
            slots.push(base);
            for slot in &row.slots {
                slots.push((row.granted - slot.id) as i64);
                slots.push(i64::from(slot.permits));
                slots.push(slot.free_at - base);
            }
        }
        Self {
            granted: row.granted,
            slots,
            blocked_until: row.blocked_until,
            blocked_at: row.blocked_at,
            person_until: row.person_until,
            server_max: row.server_max,
            server_interval: row.server_interval,
            day: row.day,
            used_today: row.used_today,
            daily_left: row.daily_left,
            refusals: row.refusals,
            refused_at: row.refused_at,
        }
    }
}

impl From<Wire> for LedgerRow {
    fn from(wire: Wire) -> Self {
        let slots = match wire.slots.split_first() {
            None => Vec::new(),
            Some((base, rest)) => rest
                .chunks_exact(3)
                .map(|part| Slot {
                    id: wire.granted.saturating_sub(part[0].unsigned_abs()),
                    permits: u32::try_from(part[1]).unwrap_or(1),
                    free_at: base.saturating_add(part[2]),
                })
                .collect(),
        };
        Self {
            granted: wire.granted,
            slots,
            blocked_until: wire.blocked_until,
            blocked_at: wire.blocked_at,
            person_until: wire.person_until,
            server_max: wire.server_max,
            server_interval: wire.server_interval,
            day: wire.day,
            used_today: wire.used_today,
            daily_left: wire.daily_left,
            refusals: wire.refusals,
            refused_at: wire.refused_at,
        }
    }
}
