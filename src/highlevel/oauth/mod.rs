//! OAuth 2.0 of a Marketplace app (fact sheet §1.3): consent of a person, and tokens that renew themselves.
//!
//! A refresh token is used once: its answer holds the next one. So whoever renews, of all tasks and processes, holds the
//! lock of the token file, and what was answered is on disk before it is used.

mod consent;
mod file;
mod grant;
mod keeper;
#[cfg(test)]
mod tests;

pub use consent::{CONSENT_URL, code_of, consent_url};
pub use keeper::{OAuthApp, OAuthToken};
