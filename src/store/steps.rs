//! A clock that is set back, by hand or by the time service. What the store waits for must not come later for it by as much: a
//! dead worker's job would lie for an hour, and so would a job that is to be tried again in a second.
//!
//! Every beat of a worker notes the time. One that finds a later time noted knows that the clock was set back, and by how
//! much: then leases are cut to their length, and waits are moved back with the clock. Leases are only cut, so that a living
//! worker loses none. What a person set stays where it is; timers look after their times themselves.
//!
//! A clock that is set forward needs nothing: leases end early, and their jobs are done once more under new epochs.

use super::error::Result;
use super::{leases, pauses, runs, timers};
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::time::Duration;

/// A smaller step delays nothing that matters. Microseconds.
const SMALLEST: i64 = 2_000_000;

/// Ends that never lie further ahead than so many microseconds.
const BOUNDED: [(&str, &str, i64); 5] = [
    ("jobs", "lease_until", leases::LEASE),
    ("runs", "owner_until", runs::OWNER_LEASE),
    ("timers", "lease_until", timers::LEASE),
    ("workers", "alive_until", leases::LEASE),
    ("pauses", "probe_at", pauses::LONGEST_PROBE * 1_000_000),
];

/// Ends of waits, and beginnings from which an age is counted, each with the rows that still matter.
const MOVED: [(&str, &str, &str); 12] = [
    ("jobs", "wait_until", "state = 'waiting'"),
    ("runs", "beat_at", "state = 'running'"),
    ("runs", "updated_at", "state = 'running'"),
    ("batches", "sent_at", "TRUE"),
    ("flights", "sent_at", "TRUE"),
    ("flights", "owner_until", "TRUE"),
    ("effects", "sent_at", "state = 'sending'"),
    ("events", "due_at", "state = 'new'"),
    ("bulk_actions", "start_at", "state = 'open'"),
    ("alerts", "since", "TRUE"),
    ("alerts", "told_at", "TRUE"),
    ("alert_messages", "due_at", "TRUE"),
];

/// Notes the time. Where the clock was set back since it was last noted, the store's times follow it: by how much.
pub(super) async fn note(tx: &mut SqliteConnection, now: i64) -> Result<Option<Duration>> {
    let noted: Option<String> =
        sqlx::query_scalar("SELECT value FROM meta WHERE connection = '' AND key = 'clock'")
            .fetch_optional(&mut *tx)
            .await?;
    sqlx::query(
        "INSERT INTO meta (connection, key, value) VALUES ('', 'clock', $1)
         ON CONFLICT (connection, key) DO UPDATE SET value = excluded.value",
    )
    .bind(now.to_string())
    .execute(&mut *tx)
    .await?;
    let noted = noted.and_then(|text| text.parse::<i64>().ok());
    let step = noted.map_or(0, |noted| noted.saturating_sub(now));
    if step < SMALLEST {
        return Ok(None);
    }
    for (table, end, longest) in BOUNDED {
        let sql = format!("UPDATE {table} SET {end} = $1 WHERE {end} > $1");
        sqlx::query(AssertSqlSafe(sql))
            .bind(now.saturating_add(longest))
            .execute(&mut *tx)
            .await?;
    }
    for (table, time, which) in MOVED {
        let sql = format!(
            "UPDATE {table} SET {time} = CASE WHEN {time} - $2 > $1 THEN {time} - $2 ELSE $1 END
             WHERE {time} > $1 AND {which}"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(now)
            .bind(step)
            .execute(&mut *tx)
            .await?;
    }
    Ok(Some(Duration::from_micros(step.unsigned_abs())))
}
