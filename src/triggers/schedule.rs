//! Scheduled exports: when the next one is due, and how it is started.

use crate::mapping::MappingSpec;
use crate::model::Period;
use crate::model::export::ExportOptions;
use crate::model::{ConnectionName, ErrorClass, MappingName, Problem, Trigger};
use crate::sync::Engine;
use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What a mapping's times follow from: another schedule or time zone starts afresh.
pub fn spec(mapping: &MappingSpec) -> Option<String> {
    let schedule = mapping.schedule.as_deref()?;
    let zone = mapping.time_zone.as_deref().unwrap_or("UTC");
    Some(format!("{schedule} in {zone}"))
}

/// The first time after `after`, as the mapping's clock on the wall shows it, and up to `jitter` later; `None` if it never
/// comes. What falls into an hour that the clock skips, or shows twice, happens once (see croner).
pub fn next(
    mapping: &MappingSpec,
    after: Timestamp,
    random: &mut fastrand::Rng,
) -> Option<Timestamp> {
    let due = occurrence(mapping, after)?;
    due.checked_add(jitter(mapping.jitter, random)).ok()
}

/// The latest moment that [`next`] may answer.
pub fn latest(mapping: &MappingSpec, after: Timestamp) -> Option<Timestamp> {
    let jitter = mapping.jitter.map_or(Duration::ZERO, Period::duration);
    occurrence(mapping, after)?.checked_add(jitter).ok()
}

fn occurrence(mapping: &MappingSpec, after: Timestamp) -> Option<Timestamp> {
    let cron: Cron = mapping.schedule.as_deref()?.parse().ok()?;
    let zone = match &mapping.time_zone {
        Some(name) => TimeZone::get(name).ok()?,
        None => TimeZone::UTC,
    };
    let due = cron.find_next_occurrence(&after.to_zoned(zone), false);
    Some(due.ok()?.timestamp())
}

fn jitter(most: Option<Period>, random: &mut fastrand::Rng) -> SignedDuration {
    let most = most.map_or(Duration::ZERO, Period::duration).as_millis();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    SignedDuration::from_millis(random.i64(0..=most.max(0)))
}

/// Starts a mapping's export. One that is at work already, in whatever process, stands for this one too.
///
/// # Errors
/// It cannot be started now.
pub async fn start(
    engine: &Engine,
    connection: &ConnectionName,
    mapping: &MappingName,
    spec: &MappingSpec,
) -> Result<(), Problem> {
    let Some(account) = engine.account(connection) else {
        return Ok(());
    };
    let compiled = account.mapping(mapping, spec).await?;
    let options = ExportOptions {
        trigger: Some(Trigger::Schedule),
        ..ExportOptions::default()
    };
    match engine.start_export(&account, compiled, options).await {
        Ok(run) => {
            tracing::info!(run = %run.id, %mapping, "scheduled export started");
            Ok(())
        }
        Err(problem) if problem.class == ErrorClass::Invalid => {
            tracing::warn!(%mapping, %problem, "the schedule found an export that is not over");
            Ok(())
        }
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(schedule: &str, more: &str) -> MappingSpec {
        toml::from_str(&format!(
            "object = 'pets'\nemail = 'owner_email'\nschedule = '{schedule}'\n{more}"
        ))
        .unwrap()
    }

    fn times(mapping: &MappingSpec, after: &str, count: usize) -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut at: Timestamp = after.parse().unwrap();
        (0..count)
            .map(|_| {
                at = next(mapping, at, &mut random).unwrap();
                at.to_string()
            })
            .collect()
    }

    #[test]
    fn the_next_time_comes_after_the_last() {
        let quarters = mapping("*/15 * * * *", "");
        assert_eq!(
            times(&quarters, "2026-11-25T10:07:00Z", 3),
            [
                "2026-11-25T10:15:00Z",
                "2026-11-25T10:30:00Z",
                "2026-11-25T10:45:00Z"
            ]
        );
    }

    #[test]
    fn times_are_those_of_the_wall_clock() {
        let morning = mapping("0 7 * * *", "time_zone = 'Europe/Berlin'");
        // Summer time ends on 25 October 2026.
        assert_eq!(
            times(&morning, "2026-10-23T12:00:00Z", 3),
            [
                "2026-10-24T05:00:00Z",
                "2026-10-25T06:00:00Z",
                "2026-10-26T06:00:00Z"
            ]
        );
        // Half past two comes twice that night, and in spring not at all; each day has its run.
        let night = mapping("30 2 * * *", "time_zone = 'Europe/Berlin'");
        assert_eq!(times(&night, "2026-10-24T12:00:00Z", 2).len(), 2);
        let autumn = times(&night, "2026-10-24T12:00:00Z", 2);
        assert_eq!(autumn[1], "2026-10-26T01:30:00Z");
        let spring = times(&night, "2026-03-28T12:00:00Z", 2);
        assert!(spring[0].starts_with("2026-03-29T0"), "{spring:?}");
        assert_eq!(spring[1], "2026-03-30T00:30:00Z");
    }

    #[test]
    fn jitter_only_delays_and_stays_within_its_bound() {
        let jittered = mapping("0 * * * *", "jitter = '30s'");
        let after: Timestamp = "2026-11-25T10:07:00Z".parse().unwrap();
        let hour: Timestamp = "2026-11-25T11:00:00Z".parse().unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let late: Vec<i64> = (0..200)
            .map(|_| {
                let due = next(&jittered, after, &mut random).unwrap();
                due.duration_since(hour).as_millis() as i64
            })
            .collect();
        assert!(late.iter().all(|ms| (0..=30_000).contains(ms)), "{late:?}");
        assert!(late.iter().any(|ms| *ms > 20_000) && late.iter().any(|ms| *ms < 10_000));
    }

    #[test]
    fn a_time_that_never_comes_is_none() {
        let never = mapping("0 0 30 2 *", "");
        let after = "2026-11-25T10:07:00Z".parse().unwrap();
        assert_eq!(next(&never, after, &mut fastrand::Rng::with_seed(1)), None);
    }
}
