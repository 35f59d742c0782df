//! Where budgets are kept, so that every process of one store shares them.

use super::row::LedgerRow;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The ledger could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the budget cannot be kept: {0}")]
pub struct LedgerError(pub String);

/// What is done to a row within one transaction.
pub type RowUpdate = Box<dyn FnOnce(&mut LedgerRow) + Send>;

/// One small row per budget.
pub trait Ledger: Send + Sync {
    /// Reads the row of `key` (or an empty one), changes it and writes it back in one transaction, so that
    /// no other process can come in between. [`LedgerRow::from_json`] and [`LedgerRow::to_json`] give its
    /// text, which stays below 2 KB.
    ///
    /// # Errors
    /// The store failed; nothing was changed.
    fn update<'a>(
        &'a self,
        key: &'a str,
        change: RowUpdate,
    ) -> BoxFuture<'a, Result<(), LedgerError>>;
}

/// A ledger of this process alone.
#[derive(Default)]
pub struct MemoryLedger {
    rows: Mutex<HashMap<String, LedgerRow>>,
}

impl Ledger for MemoryLedger {
    fn update<'a>(
        &'a self,
        key: &'a str,
        change: RowUpdate,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get_mut(key) {
            change(row);
        } else {
            change(rows.entry(key.to_owned()).or_default());
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
