//! Whom the receiver believes. It can be replaced while the receiver runs: keys and tokens change.

use crate::highlevel::WebhookKey;
use crate::secret::Secret;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// What config.toml says of webhooks, but for the address.
pub struct Trust {
    /// Verifies HighLevel's webhooks.
    pub key: WebhookKey,
    /// Events of other apps are dropped.
    pub app: Option<String>,
    /// Events older than this are dropped.
    pub max_age: Option<Duration>,
    /// The bearer token of workflow webhooks; without one they are all refused.
    pub token: Option<Secret>,
}

/// The trust that holds now.
pub struct Trusted(RwLock<Arc<Trust>>);

impl Trusted {
    /// Begins with this one.
    pub fn new(trust: Trust) -> Self {
        Self(RwLock::new(Arc::new(trust)))
    }

    /// The one that holds; a request takes it once and keeps to it.
    pub fn now(&self) -> Arc<Trust> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another one holds from the next request on.
    pub fn replace(&self, trust: Trust) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(app: &str) -> Trust {
        Trust {
            key: WebhookKey::published().unwrap(),
            app: Some(app.to_owned()),
            max_age: None,
            token: None,
        }
    }

    #[test]
    fn another_trust_holds_from_the_next_request_on() {
        let trusted = Trusted::new(trust("old"));
        let under_way = trusted.now();
        trusted.replace(trust("new"));
        assert_eq!(under_way.app.as_deref(), Some("old"));
        assert_eq!(trusted.now().app.as_deref(), Some("new"));
    }
}
