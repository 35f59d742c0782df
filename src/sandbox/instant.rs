//! Points in time as both APIs write them. Inside the sandbox a time is milliseconds since the Unix epoch.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use std::fmt::Write;

/// Offset of the ActiveCampaign account's time zone, in hours (UTC−5).
pub(super) const ACCOUNT_OFFSET_HOURS: i64 = -5;
const HOUR: i64 = 3_600_000;

pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `2026-05-28T04:33:44.123Z`, as HighLevel writes times.
pub(super) fn utc(milliseconds: i64) -> String {
    let [year, month, day, hour, minute, second] = civil(milliseconds);
    let mut text = String::with_capacity(24);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        milliseconds.rem_euclid(1000)
    );
    text
}

/// `2026-05-28T04:33:44-05:00`, as ActiveCampaign writes `cdate` and `udate`.
pub(super) fn offset(milliseconds: i64) -> String {
    let [year, month, day, hour, minute, second] =
        civil(milliseconds + ACCOUNT_OFFSET_HOURS * HOUR);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}-05:00")
}

/// `2026-05-28 04:33:44`: local wall time, as in ActiveCampaign's `*_timestamp` keys.
pub(super) fn local(milliseconds: i64) -> String {
    let [year, month, day, hour, minute, second] =
        civil(milliseconds + ACCOUNT_OFFSET_HOURS * HOUR);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Reads a time with offset, a time without (account time), or a date (account midnight).
pub(super) fn parse(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let local = text
        .parse::<DateTime>()
        .ok()
        .or_else(|| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)))?;
    let utc = local
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_millisecond();
    Some(utc - ACCOUNT_OFFSET_HOURS * HOUR)
}

/// Whether the text is a calendar date as `YYYY-MM-DD`.
pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<Date>().is_ok()
}

/// Year, month, day, hour, minute, second of a time in UTC (days-to-civil after Howard Hinnant): a search page
/// writes 200 times, so it is worth not going through a formatter.
fn civil(milliseconds: i64) -> [i64; 6] {
    let seconds = milliseconds.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    [
        year,
        month,
        day,
        second / 3600,
        second / 60 % 60,
        second % 60,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_says() {
        for milliseconds in [
            0,
            951_782_400_123,
            1_700_000_000_000,
            1_779_942_824_007,
            4_102_444_799_999,
        ] {
            let timestamp = Timestamp::from_millisecond(milliseconds).unwrap();
            assert_eq!(utc(milliseconds).parse::<Timestamp>().unwrap(), timestamp);
            assert_eq!(
                parse(&offset(milliseconds)),
                Some(milliseconds / 1000 * 1000)
            );
            assert_eq!(
                parse(&local(milliseconds)),
                Some(milliseconds / 1000 * 1000)
            );
        }
        assert_eq!(parse("2026-05-28"), parse("2026-05-28T00:00:00-05:00"));
        assert!(!is_date("2024-13-01"));
    }
}
