//! What is read seldom and asked for often: it is kept, and of those who ask at the same time one reads it for all.

use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// An answer that is kept for as long as those who ask for it believe it.
pub struct Kept<T> {
    /// Held over the reading: who comes meanwhile waits, and then finds it done.
    slot: Mutex<Option<(Instant, T)>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            slot: Mutex::default(),
        }
    }
}

impl<T: Clone> Kept<T> {
    /// The kept answer, if `believed` says so of it and its age; else what `read` gives. An error is not kept: the next one
    /// who waits reads for itself.
    ///
    /// # Errors
    /// As `read`.
    pub async fn get<E>(
        &self,
        believed: impl FnOnce(Duration, &T) -> bool,
        read: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut slot = self.slot.lock().await;
        if let Some((at, value)) = slot.as_ref()
            && believed(at.elapsed(), value)
        {
            return Ok(value.clone());
        }
        let value = read().await?;
        *slot = Some((Instant::now(), value.clone()));
        Ok(value)
    }

    /// What `read` gives, kept for others from now on.
    ///
    /// # Errors
    /// As `read`.
    pub async fn renew<E>(&self, read: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        self.get(|_, _| false, read).await
    }

    /// Changes the kept answer, if there is one; it gets no younger by that.
    pub async fn amend(&self, change: impl FnOnce(&mut T)) {
        if let Some((_, value)) = self.slot.lock().await.as_mut() {
            change(value);
        }
    }

    /// Forgets the answer: the next one who asks reads.
    pub async fn forget(&self) {
        *self.slot.lock().await = None;
    }

    /// The age of the kept answer; `None` if there is none, or it is being read at this moment.
    pub fn age(&self) -> Option<Duration> {
        let slot = self.slot.try_lock().ok()?;
        slot.as_ref().map(|(at, _)| at.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Semaphore;

    const ALWAYS: fn(Duration, &u32) -> bool = |_, _| true;

    #[tokio::test]
    async fn of_those_who_ask_at_once_one_reads_and_an_error_is_not_kept() {
        let kept: Arc<Kept<u32>> = Arc::default();
        let gate = Arc::new(Semaphore::new(0));
        let reads = Arc::new(AtomicU32::new(0));
        let ask = || {
            let (kept, gate, reads) = (Arc::clone(&kept), Arc::clone(&gate), Arc::clone(&reads));
            tokio::spawn(async move {
                kept.get(ALWAYS, async || {
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
        let all: Vec<_> = (0..8).map(|_| ask()).collect();
        gate.add_permits(8);
        let mut answers = Vec::new();
        for one in all {
            answers.push(one.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == Ok(1)).count(), 7);
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_gives_up_reading_leaves_it_to_the_next() {
        let kept: Arc<Kept<u32>> = Arc::default();
        let begun = Arc::new(Semaphore::new(0));
        let first = tokio::spawn({
            let (kept, begun) = (Arc::clone(&kept), Arc::clone(&begun));
            async move {
                kept.get(ALWAYS, async || {
                    begun.add_permits(1);
                    std::future::pending::<Result<u32, ()>>().await
                })
                .await
            }
        });
        begun.acquire().await.unwrap().forget();
        assert_eq!(kept.age(), None);
        first.abort();
        assert_eq!(kept.get(ALWAYS, async || Ok::<_, ()>(2)).await, Ok(2));
        assert!(kept.age().is_some());
    }

    #[tokio::test]
    async fn what_is_not_believed_is_read_again_and_what_is_amended_is_kept() {
        let kept = Kept::default();
        assert_eq!(kept.renew(async || Ok::<_, ()>(1)).await, Ok(1));
        kept.amend(|value| *value += 1).await;
        assert_eq!(kept.get(ALWAYS, async || Err(())).await, Ok(2));
        let older = |_: Duration, value: &u32| *value > 2;
        assert_eq!(kept.get(older, async || Ok::<_, ()>(3)).await, Ok(3));
        assert_eq!(kept.renew(async || Err(())).await, Err(()));
        assert_eq!(kept.get(ALWAYS, async || Err(())).await, Ok(3));
    }
}
