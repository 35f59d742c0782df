//! How far this machine's clock stands from the servers', as their answers' `Date` tells.

use super::base::BaseUrl;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A `Date` goes by whole seconds.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// By how much the server's clock is ahead at least, by address. A `Date` is old by the time it is read, and tells a difference
/// that is too small: the largest is nearest to the truth.
#[derive(Default)]
pub(super) struct Skews {
    by_base: Mutex<HashMap<String, SignedDuration>>,
}

impl Skews {
    /// Takes the `Date` of an answer to a request that left at `asked` and was answered by `now`; one that is absent or
    /// malformed tells nothing.
    pub(super) fn note(
        &self,
        base: &BaseUrl,
        headers: &HeaderMap,
        asked: Timestamp,
        now: Timestamp,
    ) {
        let told = headers.get(DATE).and_then(|value| value.to_str().ok());
        let Some(at) = told.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()) else {
            return;
        };
        let at = at.timestamp();
        let (least, most) = (at.duration_since(now), at.duration_since(asked) + SECOND);
        let mut by_base = self.by_base.lock().unwrap_or_else(PoisonError::into_inner);
        let known = by_base.entry(base.as_str().to_owned()).or_insert(least);
        // One that cannot be any more comes from before a clock was set.
        *known = if *known > most {
            least
        } else {
            least.max(*known)
        };
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
        let seconds = SignedDuration::from_secs;
        skews.note(&base, &headers, now, now);
        assert_eq!(skews.of(&base), None);
        headers.insert(DATE, HeaderValue::from_static("yesterday"));
        skews.note(&base, &headers, now, now);
        assert_eq!(skews.of(&base), None);
        let date = HeaderValue::from_static("Wed, 25 Nov 2026 18:32:30 GMT");
        headers.insert(DATE, date);
        skews.note(&base, &headers, now, now);
        assert_eq!(skews.of(&base), Some(seconds(150)));
        // Nearly a second old when it was sent, or long on its way.
        let soon = now + SignedDuration::from_millis(900);
        skews.note(&base, &headers, soon, soon);
        skews.note(&base, &headers, now, now + seconds(20));
        assert_eq!(skews.of(&base), Some(seconds(150)));
        // A clock that was set.
        let later = now + seconds(10);
        skews.note(&base, &headers, later, later);
        assert_eq!(skews.of(&base), Some(seconds(140)));
    }
}
