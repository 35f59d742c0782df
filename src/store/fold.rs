//! Folding the write-ahead log into the file while others write. SQLite does it by itself too, but then the writer waits for it.

use super::{Inner, Store, sqlite};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Pages that are changed between two times, as far as is told.
const PAGES: u64 = 8_000;

/// What was written since the log was folded last.
#[derive(Default)]
pub(super) struct Unfolded {
    pages: AtomicU64,
    folding: AtomicBool,
}

impl Store {
    /// Notes that about so many pages were changed. In great number rows change one each, for they lie far apart.
    pub(super) fn wrote(&self, pages: usize) {
        let unfolded = &self.inner.unfolded;
        let pages = pages as u64;
        let all = pages + unfolded.pages.fetch_add(pages, Ordering::Relaxed);
        if all < PAGES || unfolded.folding.swap(true, Ordering::Relaxed) {
            return;
        }
        unfolded.pages.store(0, Ordering::Relaxed);
        tokio::spawn(fold(Arc::clone(&self.inner)));
    }
}

async fn fold(store: Arc<Inner>) {
    // A failure is the writer's to meet, and to tell.
    if let Err(error) = sqlite::fold(&store.readers).await {
        tracing::debug!(%error, "the write-ahead log could not be folded");
    }
    store.unfolded.folding.store(false, Ordering::Relaxed);
}
