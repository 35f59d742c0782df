//! How many jobs are worked on at the same time.

use crate::sync::Engine;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Room for jobs worked on at the same time; the settings say how much there is.
pub struct Slots {
    pub permits: Arc<Semaphore>,
    width: usize,
}

impl Slots {
    /// Room for so many.
    pub fn new(width: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(width)),
            width,
        }
    }

    /// The number of free slots, at least one; `None` once the engine stops.
    pub async fn free(&mut self, engine: &Engine) -> Option<u32> {
        loop {
            tokio::select! {
                biased;
                () = engine.inner.stop.cancelled() => return None,
                permit = self.permits.acquire() => drop(permit.ok()?),
            }
            self.resize(engine.settings().concurrency);
            match self.permits.available_permits() {
                0 => continue,
                free => return Some(free as u32),
            }
        }
    }

    /// Makes more room at once, less as jobs end.
    fn resize(&mut self, wanted: usize) {
        if wanted > self.width {
            self.permits.add_permits(wanted - self.width);
            self.width = wanted;
        } else {
            self.width -= self.permits.forget_permits(self.width - wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_at_once_and_shrinks_as_jobs_end() {
        let mut slots = Slots::new(2);
        slots.resize(5);
        assert_eq!(slots.permits.available_permits(), 5);
        let busy = slots.permits.clone().try_acquire_many_owned(4).unwrap();
        slots.resize(2);
        assert_eq!((slots.permits.available_permits(), slots.width), (0, 4));
        drop(busy);
        slots.resize(2);
        assert_eq!((slots.permits.available_permits(), slots.width), (2, 2));
    }
}
