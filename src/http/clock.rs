//! Time as the budgets see it, so that tests own it.

use futures_util::future::BoxFuture;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that all processes of one store agree on.
pub trait Clock: Send + Sync {
    /// Microseconds since the Unix epoch.
    fn now_micros(&self) -> i64;
    /// Waits until the clock reads at least `micros`.
    fn sleep_until(&self, micros: i64) -> BoxFuture<'_, ()>;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
            })
    }

    fn sleep_until(&self, micros: i64) -> BoxFuture<'_, ()> {
        let left = micros.saturating_sub(self.now_micros());
        Box::pin(async move {
            if let Ok(left) = u64::try_from(left)
                && left > 0
            {
                tokio::time::sleep(Duration::from_micros(left)).await;
            }
        })
    }
}
