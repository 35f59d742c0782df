//! The window's promise, judged from the server's side: requests counted at any point between sending and
//! answer never exceed the limit, and the limit is used well.

use super::row::{Decision, Done, LedgerRow, Limit};
use crate::http::ServerSays;
use proptest::prelude::*;
use std::time::Duration;

struct Run {
    /// When the server counted each request, sorted. Microseconds.
    arrivals: Vec<i64>,
    /// From the first request to the last answer.
    span: i64,
}

/// Sends as fast as the row allows, with answers after `rtt` (drawn anew each time). What ended is noted in
/// the row only with the next wish, as the budget does it.
fn simulate(
    limit: Limit,
    timeout: i64,
    requests: usize,
    mut rtt: impl FnMut() -> (i64, f64),
) -> Run {
    let mut row = LedgerRow::default();
    let start = 1_800_000_000_000_000;
    let mut now = start;
    let mut open: Vec<Done> = Vec::new();
    let mut arrivals = Vec::new();
    let mut last = now;
    while arrivals.len() < requests {
        let (ended, still): (Vec<Done>, Vec<Done>) = open
            .into_iter()
            .partition(|done| done.answered <= Some(now));
        open = still;
        row.settle(&limit, &ended, now);
        match row.lease(&limit, false, timeout, now) {
            Decision::Granted {
                slot,
                permits,
                used,
            } => {
                let mut answered = now;
                for _ in 0..permits {
                    let (rtt, place) = rtt();
                    arrivals.push(now + (rtt as f64 * place) as i64);
                    answered = answered.max(now + rtt);
                }
                last = last.max(answered);
                open.push(Done {
                    slot,
                    permits,
                    answered: Some(answered),
                    says: ServerSays::default(),
                    used,
                });
            }
            Decision::Wait { until } => {
                assert!(until > now, "waiting must end in the future");
                now = until;
            }
            other => panic!("{other:?}"),
        }
    }
    arrivals.sort_unstable();
    Run {
        arrivals,
        span: last - start,
    }
}

fn most_in_a_window(arrivals: &[i64], window: i64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (index, at) in arrivals.iter().enumerate() {
        while arrivals[first] <= at - window {
            first += 1;
        }
        most = most.max(index - first + 1);
    }
    most
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn no_window_ever_sees_more(
        n in 1u32..150,
        window_ms in 20u64..20_000,
        slowest_ms in 1i64..9_000,
        seed: u64,
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let limit = Limit::new(n, Duration::from_millis(window_ms));
        let run = simulate(limit, 10_000_000, n as usize * 4 + 20, || {
            // Mostly quick, some very slow, counted anywhere on the way.
            let slow = if rng.u8(..) < 20 { slowest_ms * 1000 } else { 20_000.min(slowest_ms * 1000) };
            (rng.i64(1..=slow), rng.f64())
        });
        let most = most_in_a_window(&run.arrivals, window_ms as i64 * 1000);
        prop_assert!(most <= n as usize, "{most} of {n}");
    }
}

/// Share of the limit that is used at a steady round trip, over at least ten windows.
fn used(limit: Limit, rtt_ms: i64) -> f64 {
    let requests = limit.requests as usize * 10;
    let run = simulate(limit, 10_000_000, requests, || (rtt_ms * 1000, 0.5));
    // The last window is not waited for; it counts as begun.
    let windows = run.span as f64 / limit.per.as_micros() as f64 + 1.0;
    requests as f64 / (windows * f64::from(limit.requests))
}

#[test]
fn the_limit_is_used_well() {
    let activecampaign = Limit::new(5, Duration::from_secs(1));
    let highlevel = Limit::new(100, Duration::from_secs(10));
    for limit in [activecampaign, highlevel] {
        assert!(used(limit, 20) >= 0.97, "{}", used(limit, 20));
        assert!(used(limit, 100) >= 0.88, "{}", used(limit, 100));
    }
}

#[test]
fn a_standing_window_is_kept_as_well() {
    // Fixed windows that begin anywhere count no more than sliding ones of the same length.
    let run = simulate(
        Limit::new(5, Duration::from_secs(1)),
        10_000_000,
        200,
        || (30_000, 0.9),
    );
    for offset in 0..100 {
        let mut counts = std::collections::HashMap::new();
        for at in &run.arrivals {
            *counts
                .entry((at + offset * 10_000) / 1_000_000)
                .or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count <= 5));
    }
}
