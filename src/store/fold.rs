//! Folding the write-ahead log into the file while others write. SQLite does it by itself too, but then the writer waits for it.

use super::{Inner, Store, sqlite};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Rows written in great number between two times; most of them change a page of their own.
const ROWS: u64 = 4_000;

/// What was written since the log was folded last.
#[derive(Default)]
pub(super) struct Unfolded {
    rows: AtomicU64,
    folding: AtomicBool,
}

impl Store {
    /// Notes that many rows were written, as an export does.
    pub(super) fn wrote(&self, rows: usize) {
        let unfolded = &self.inner.unfolded;
        let rows = rows as u64 + unfolded.rows.fetch_add(rows as u64, Ordering::Relaxed);
        if rows < ROWS || unfolded.folding.swap(true, Ordering::Relaxed) {
            return;
        }
        unfolded.rows.store(0, Ordering::Relaxed);
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
