//! How far this machine's clock stands from the servers', as their answers' `Date` tells.

use super::base::BaseUrl;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A `Date` is up to a second old when it is sent, and older when it is here: of such differences the largest is nearest to the
/// truth. One that is smaller by more than this comes from a clock that was set.
const OLD: SignedDuration = SignedDuration::from_secs(2);

/// The difference by address; positive where the server is ahead.
#[derive(Default)]
pub(super) struct Skews {
    by_base: Mutex<HashMap<String, SignedDuration>>,
}

impl Skews {
    /// Takes an answer's `Date`, which goes by whole seconds; one that is absent or malformed tells nothing.
    pub(super) fn note(&self, base: &BaseUrl, headers: &HeaderMap, now: Timestamp) {
        let told = headers.get(DATE).and_then(|value| value.to_str().ok());
        let Some(at) = told.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()) else {
            return;
        };
        let skew = at.timestamp().duration_since(now);
        let mut by_base = self.by_base.lock().unwrap_or_else(PoisonError::into_inner);
        match by_base.get_mut(base.as_str()) {
            Some(known) if (*known - OLD..*known).contains(&skew) => {}
            Some(known) => *known = skew,
            None => {
                by_base.insert(base.as_str().to_owned(), skew);
            }
        }
    }

    pub(super) fn of(&self, base: &BaseUrl) -> Option<SignedDuration> {
        self.by_base
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(base.as_str())
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn a_date_tells_how_far_the_clocks_are_apart() {
        let base = BaseUrl::parse("https://acme.api-us1.com").unwrap();
        let now: Timestamp = "2026-11-25T18:30:00Z".parse().unwrap();
        let skews = Skews::default();
        let mut headers = HeaderMap::new();
        skews.note(&base, &headers, now);
        assert_eq!(skews.of(&base), None);
        headers.insert(DATE, HeaderValue::from_static("yesterday"));
        skews.note(&base, &headers, now);
        assert_eq!(skews.of(&base), None);
        headers.insert(
            DATE,
            HeaderValue::from_static("Wed, 25 Nov 2026 18:32:30 GMT"),
        );
        skews.note(&base, &headers, now);
        assert_eq!(skews.of(&base), Some(SignedDuration::from_secs(150)));
        // Old already when it came, and then from a clock that was set.
        skews.note(&base, &headers, now + SignedDuration::from_millis(900));
        assert_eq!(skews.of(&base), Some(SignedDuration::from_secs(150)));
        skews.note(&base, &headers, now + SignedDuration::from_secs(10));
        assert_eq!(skews.of(&base), Some(SignedDuration::from_secs(140)));
    }
}
