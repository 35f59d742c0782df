//! What both clients share: one way to send a request, under a budget, with its answer understood.

pub mod backoff;
pub mod base;
pub mod budget;
pub mod clock;
pub mod error;
mod error_body;
mod exchange;
mod form;
mod headers;
mod kept;
mod meter;
mod redact;
mod request;
mod retry;
mod skew;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod token;
mod transport;
mod verdict;

/// The longest time a request takes; leases are counted by it (sync.md, promise 2).
pub const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

pub use base::{BaseUrl, Http, InvalidBaseUrl};
pub use budget::{
    Budget, BudgetError, Lane, Ledger, LedgerError, LedgerRow, Limit, MemoryLedger, PATIENCE,
    RowUpdate,
};
pub use clock::{Clock, SystemClock};
pub use error::{ApiError, ApiFailure};
pub(crate) use form::FormPost;
pub use headers::ServerSays;
pub use kept::Kept;
pub use meter::{Meter, Observer};
pub(crate) use request::{Answer, Request, encode, parse_method};
pub use request::{Raw, RawBody};
pub use token::{FixedToken, Token};
pub(crate) use transport::Transport;
