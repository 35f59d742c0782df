//! Alerts: conditions that people should know of, told once each, and once more when they are over.
//!
//! Every worker weighs the same facts of the store; what it finds is noted there in one transaction with the message, so
//! that several workers tell of it once (sync.md, Alerts and monitoring). A message stays in the store until it was
//! delivered.

mod channel;
mod condition;
mod watch;

pub use channel::{Channel, Notice};
pub use condition::{Limits, kind};
pub use watch::{Watch, deliver};
