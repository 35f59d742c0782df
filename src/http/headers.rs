//! What answers say about rate limits in their headers.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// The rate-limit headers of one answer; every one is optional. HighLevel sends `X-RateLimit-*`
/// (fact sheet §6), ActiveCampaign at times `RateLimit-*` (fact sheet §1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerSays {
    /// Requests per window.
    pub max: Option<u32>,
    /// Length of the window.
    pub interval: Option<Duration>,
    /// Requests left in this window.
    pub remaining: Option<u32>,
    /// Requests left today.
    pub daily_left: Option<u64>,
}

impl ServerSays {
    /// Reads the headers of an answer.
    pub fn read(headers: &HeaderMap) -> Self {
        let first = |names: [&str; 2]| names.iter().find_map(|name| number(headers, name));
        Self {
            max: first(["x-ratelimit-max", "ratelimit-limit"])
                .and_then(|max| u32::try_from(max).ok())
                .filter(|max| *max > 0),
            interval: number(headers, "x-ratelimit-interval-milliseconds")
                .filter(|millis| *millis > 0)
                .map(Duration::from_millis),
            remaining: first(["x-ratelimit-remaining", "ratelimit-remaining"])
                .and_then(|left| u32::try_from(left).ok()),
            daily_left: number(headers, "x-ratelimit-daily-remaining"),
        }
    }
}

/// The leading number of a header: `5` of `5` and of `5, 5;w=1`.
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

/// `Retry-After` in seconds or as an HTTP date, seen from `now`.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0)
            .then(|| Duration::try_from_secs_f64(seconds).ok())
            .flatten();
    }
    // An HTTP date is an RFC 2822 date that spells its zone GMT.
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    reqwest::header::HeaderName::from_static(name),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn both_spellings_are_read() {
        let highlevel = ServerSays::read(&headers(&[
            ("x-ratelimit-max", "100"),
            ("x-ratelimit-interval-milliseconds", "10000"),
            ("x-ratelimit-remaining", "97"),
            ("x-ratelimit-daily-remaining", "199990"),
        ]));
        assert_eq!(highlevel.max, Some(100));
        assert_eq!(highlevel.interval, Some(Duration::from_secs(10)));
        assert_eq!(highlevel.remaining, Some(97));
        assert_eq!(highlevel.daily_left, Some(199_990));
        let activecampaign = ServerSays::read(&headers(&[
            ("ratelimit-limit", "5, 5;w=1"),
            ("ratelimit-remaining", "0"),
        ]));
        assert_eq!(activecampaign.max, Some(5));
        assert_eq!(activecampaign.remaining, Some(0));
        assert_eq!(
            ServerSays::read(&headers(&[("x-ratelimit-max", "lots")])),
            ServerSays::default()
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-05-28T10:00:00Z".parse().unwrap();
        let read = |text: &str| retry_after(&headers(&[("retry-after", text)]), now);
        assert_eq!(read("30"), Some(Duration::from_secs(30)));
        assert_eq!(read("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(
            read("Thu, 28 May 2026 10:00:07 GMT"),
            Some(Duration::from_secs(7))
        );
        assert_eq!(read("Thu, 28 May 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-3"), None);
    }
}
