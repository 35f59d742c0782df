//! What is read seldom and asked for often: it is kept, and of those who ask at the same time one reads it for all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// An answer that is kept for as long as those who ask for it believe it.
pub struct Kept<T, E> {
    /// Held over the reading: who comes meanwhile waits, and then finds it done.
    slot: Mutex<Slot<T, E>>,
    /// Readings that failed so far. Who finds more of them than there were when he asked has waited for one of them.
    failures: AtomicU64,
}

struct Slot<T, E> {
    answer: Option<(Instant, T)>,
    /// Why the last reading failed, for those who waited for it, and with how much patience it was made.
    failure: Option<(Duration, E)>,
}

impl<T, E> Default for Kept<T, E> {
    fn default() -> Self {
        Self {
            slot: Mutex::new(Slot {
                answer: None,
                failure: None,
            }),
            failures: AtomicU64::new(0),
        }
    }
}

impl<T: Clone, E: Clone> Kept<T, E> {
    /// The kept answer, if `believed` says so of it and its age; else what `read` gives. Those who wait while a reading fails
    /// fail with it: were each to try for himself, a call that times out would keep the last of them waiting for hours.
    /// Who asks later reads anew, and so does who has more `patience` with rate limits than the one who read.
    ///
    /// # Errors
    /// As `read`, here or where it was waited for.
    pub async fn get(
        &self,
        patience: Duration,
        believed: impl FnOnce(Duration, &T) -> bool,
        read: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        if let Some((at, value)) = &slot.answer
            && believed(at.elapsed(), value)
        {
            return Ok(value.clone());
        }
        if let Some((shown, failure)) = &slot.failure
            && *shown >= patience
            && self.failures.load(Ordering::Acquire) != failures
        {
            return Err(failure.clone());
        }
        match read().await {
            Ok(value) => {
                *slot = Slot {
                    answer: Some((Instant::now(), value.clone())),
                    failure: None,
                };
                Ok(value)
            }
            Err(error) => {
                slot.failure = Some((patience, error.clone()));
                self.failures.fetch_add(1, Ordering::Release);
                Err(error)
            }
        }
    }

    /// What `read` gives, kept for others from now on.
    ///
    /// # Errors
    /// As [`Kept::get`].
    pub async fn renew(
        &self,
        patience: Duration,
        read: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.get(patience, |_, _| false, read).await
    }

    /// Changes the kept answer, if there is one; it gets no younger by that.
    pub async fn amend(&self, change: impl FnOnce(&mut T)) {
        if let Some((_, value)) = self.slot.lock().await.answer.as_mut() {
            change(value);
        }
    }

    /// Forgets the answer: the next one who asks reads.
    pub async fn forget(&self) {
        self.slot.lock().await.answer = None;
    }

    /// The kept answer with its age, once nobody is reading it anew; `None` if there is none.
    pub async fn newest(&self) -> Option<(Duration, T)> {
        let slot = self.slot.lock().await;
        let (at, value) = slot.answer.as_ref()?;
        Some((at.elapsed(), value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::Semaphore;

    const ALWAYS: fn(Duration, &u32) -> bool = |_, _| true;
    const SAME: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn of_those_who_ask_at_once_one_reads_and_all_fail_with_it() {
        let kept: Arc<Kept<u32, &str>> = Arc::default();
        let gate = Arc::new(Semaphore::new(0));
        let reads = Arc::new(AtomicU32::new(0));
        let ask = || {
            let (kept, gate, reads) = (Arc::clone(&kept), Arc::clone(&gate), Arc::clone(&reads));
            tokio::spawn(async move {
                kept.get(SAME, ALWAYS, async || {
                    let number = reads.fetch_add(1, Ordering::Relaxed);
                    gate.acquire().await.unwrap().forget();
                    // The first one fails.
                    if number == 0 {
                        Err("refused")
                    } else {
                        Ok(number)
                    }
                })
                .await
            })
        };
        for expected in [Err("refused"), Ok(1)] {
            let all: Vec<_> = (0..8).map(|_| ask()).collect();
            // All of them have asked by the time that the first one is answered.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            gate.add_permits(8);
            for one in all {
                assert_eq!(one.await.unwrap(), expected);
            }
        }
        // The error is not kept for those who asked later.
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_has_more_patience_does_not_fail_with_who_has_less() {
        let kept: Arc<Kept<u32, &str>> = Arc::default();
        let gate = Arc::new(Semaphore::new(0));
        let ask = |patience: u64, answer: Result<u32, &'static str>| {
            let (kept, gate) = (Arc::clone(&kept), Arc::clone(&gate));
            tokio::spawn(async move {
                let patience = Duration::from_secs(patience);
                kept.get(patience, ALWAYS, async || {
                    gate.acquire().await.unwrap().forget();
                    answer
                })
                .await
            })
        };
        let mut asked = Vec::new();
        for one in [
            ask(5, Err("throttled")),
            ask(5, Ok(1)),
            ask(300, Ok(2)),
            ask(5, Ok(3)),
        ] {
            // They come one after the other.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            asked.push(one);
        }
        gate.add_permits(4);
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await.unwrap());
        }
        // The last one finds what the patient one read.
        assert_eq!(answers, [Err("throttled"), Err("throttled"), Ok(2), Ok(2)]);
    }

    #[tokio::test]
    async fn who_gives_up_reading_leaves_it_to_the_next() {
        let kept: Arc<Kept<u32, ()>> = Arc::default();
        let begun = Arc::new(Semaphore::new(0));
        let first = tokio::spawn({
            let (kept, begun) = (Arc::clone(&kept), Arc::clone(&begun));
            async move {
                kept.get(SAME, ALWAYS, async || {
                    begun.add_permits(1);
                    std::future::pending().await
                })
                .await
            }
        });
        begun.acquire().await.unwrap().forget();
        // Who wants to know what is kept learns it after the reading, too.
        let newest = tokio::spawn({
            let kept = Arc::clone(&kept);
            async move {
                let newest = kept.newest().await;
                newest.map(|(_, value)| value)
            }
        });
        tokio::task::yield_now().await;
        assert!(!newest.is_finished());
        first.abort();
        assert_eq!(newest.await.unwrap(), None);
        assert_eq!(kept.get(SAME, ALWAYS, async || Ok(2)).await, Ok(2));
        assert_eq!(kept.newest().await.map(|(_, value)| value), Some(2));
    }

    #[tokio::test]
    async fn what_is_not_believed_is_read_again_and_what_is_amended_is_kept() {
        let kept = Kept::default();
        assert_eq!(kept.newest().await, None);
        assert_eq!(kept.renew(SAME, async || Ok(1)).await, Ok(1));
        kept.amend(|value| *value += 1).await;
        assert_eq!(kept.get(SAME, ALWAYS, async || Err(())).await, Ok(2));
        let older = |_: Duration, value: &u32| *value > 2;
        assert_eq!(kept.get(SAME, older, async || Ok(3)).await, Ok(3));
        assert_eq!(kept.renew(SAME, async || Err(())).await, Err(()));
        assert_eq!(kept.get(SAME, ALWAYS, async || Err(())).await, Ok(3));
    }

    #[tokio::test]
    async fn a_believed_answer_is_given_though_the_last_reading_failed() {
        let kept: Kept<u32, ()> = Kept::default();
        assert_eq!(kept.get(SAME, ALWAYS, async || Ok(1)).await, Ok(1));
        assert_eq!(kept.renew(SAME, async || Err(())).await, Err(()));
        assert_eq!(kept.get(SAME, ALWAYS, async || Ok(2)).await, Ok(1));
        assert_eq!(kept.renew(SAME, async || Ok(2)).await, Ok(2));
    }
}
