//! Exponential backoff with full jitter.

use std::time::Duration;

/// The delay before the next try: a random time between zero and `base · 2^attempt`, at most `cap`.
/// `attempt` counts from 0. Full jitter spreads the tries of many workers best.
pub fn backoff(attempt: u32, base: Duration, cap: Duration, rng: &mut fastrand::Rng) -> Duration {
    let longest = ceiling(attempt, base, cap).as_micros();
    Duration::from_micros(rng.u64(0..=u64::try_from(longest).unwrap_or(u64::MAX)))
}

/// The longest delay that [`backoff`] may choose.
pub fn ceiling(attempt: u32, base: Duration, cap: Duration) -> Duration {
    let factor = 1u32.checked_shl(attempt.min(31)).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_in_bounds(attempt in 0u32..100, base in 1u64..5_000, cap in 1u64..1_000_000, seed: u64) {
            let (base, cap) = (Duration::from_millis(base), Duration::from_millis(cap));
            let delay = backoff(attempt, base, cap, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(delay <= cap);
            prop_assert!(delay <= base.saturating_mul(1u32 << attempt.min(31)));
        }
    }

    #[test]
    fn grows_and_is_spread() {
        let (base, cap) = (Duration::from_secs(1), Duration::from_secs(900));
        assert_eq!(ceiling(0, base, cap), Duration::from_secs(1));
        assert_eq!(ceiling(5, base, cap), Duration::from_secs(32));
        assert_eq!(ceiling(40, base, cap), cap);
        let mut rng = fastrand::Rng::with_seed(7);
        let mean = (0..1000)
            .map(|_| backoff(5, base, cap, &mut rng).as_secs_f64())
            .sum::<f64>()
            / 1000.0;
        assert!((14.0..18.0).contains(&mean), "{mean}");
    }
}
