//! Dates and times: ISO 8601 in, the spellings of ActiveCampaign out (fact sheet §2.3).

use super::fault::{Fault, quote};
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use std::fmt::Write;

/// A date or time as a text spelled it.
struct Parsed {
    date: Date,
    time: Option<Time>,
    offset: Option<Offset>,
}

fn parse(text: &str) -> Result<Parsed, Fault> {
    let fault = || {
        Fault::new(format!("{} is no date", quote(text)))
            .remedy("write it as 2024-07-31 or 2024-07-31T14:05:00+02:00")
    };
    // Pages of text are no date, and need not be parsed to know it.
    if text.len() > 64 {
        return Err(fault());
    }
    let pieces = Pieces::parse(text).map_err(|_| fault())?;
    if pieces.time_zone_annotation().is_some() || pieces.date().year() < 1 {
        return Err(fault());
    }
    Ok(Parsed {
        date: pieces.date(),
        time: pieces.time(),
        offset: pieces.to_numeric_offset(),
    })
}

/// `YYYY-MM-DD`, and a warning if a time of day was dropped.
pub(super) fn date(text: &str) -> Result<(String, Option<String>), Fault> {
    let parsed = parse(text)?;
    let dropped = parsed
        .time
        .filter(|time| *time != Time::midnight())
        .map(|_| format!("the time of {} is dropped", quote(text)));
    Ok((parsed.date.to_string(), dropped))
}

/// ISO 8601 with offset to the second. What has no offset is a time in `zone`; what has no time is 00:00
/// there. The warning is about parts of a second.
pub(super) fn datetime(text: &str, zone: &TimeZone) -> Result<(String, Option<String>), Fault> {
    let parsed = parse(text)?;
    let civil = DateTime::from_parts(parsed.date, parsed.time.unwrap_or_default());
    let (civil, offset) = match parsed.offset {
        Some(offset) => (civil, offset),
        None => {
            // A time that a clock change skips moves behind the gap.
            let zoned = civil
                .to_zoned(zone.clone())
                .map_err(|_| Fault::new(format!("{} is out of range", quote(text))))?;
            (zoned.datetime(), zoned.offset())
        }
    };
    let dropped = (civil.subsec_nanosecond() != 0)
        .then(|| format!("the parts of a second of {} are dropped", quote(text)));
    Ok((spell(civil, offset), dropped))
}

/// `2020-05-19T02:45:00-05:00`. Offsets before about 1900 have seconds, which the format has no room for.
fn spell(civil: DateTime, offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if offset.seconds() < 0 { '-' } else { '+' };
    let mut out = String::with_capacity(25);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second(),
        (minutes / 60).abs(),
        (minutes % 60).abs(),
    );
    out
}

/// True if two texts are the same moment (or the same date, where neither has a time).
pub(super) fn same(a: &str, b: &str) -> bool {
    let moment = |text: &str| {
        // The account answers with a blank or a T between date and time.
        let parsed = parse(text.trim()).ok()?;
        let civil = DateTime::from_parts(parsed.date, parsed.time.unwrap_or_default());
        match parsed.offset {
            Some(offset) => offset.to_timestamp(civil).ok().map(|at| (at, true)),
            None => Offset::UTC.to_timestamp(civil).ok().map(|at| (at, false)),
        }
    };
    match (moment(a), moment(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_spelled() {
        assert_eq!(date("2024-02-29").unwrap(), ("2024-02-29".to_owned(), None));
        assert_eq!(
            date("2024-07-11T00:00:00.000Z").unwrap(),
            ("2024-07-11".to_owned(), None)
        );
        let (text, warning) = date("2024-07-11T23:30:00-05:00").unwrap();
        assert_eq!(text, "2024-07-11");
        assert!(warning.unwrap().contains("dropped"));
        for text in [
            "31/12/2020",
            "2023-02-29",
            "yesterday",
            "",
            "2024",
            "2024-13-01",
            "-000004-01-01",
            "2024-07-11T10:00[Europe/Berlin]",
        ] {
            assert!(date(text).is_err(), "{text} was taken");
        }
    }

    #[test]
    fn midnight_is_the_zones() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (text, expected) in [
            ("2024-01-31", "2024-01-31T00:00:00+01:00"),
            ("2024-07-31", "2024-07-31T00:00:00+02:00"),
            ("2024-07-31T14:05", "2024-07-31T14:05:00+02:00"),
            ("2024-07-31 14:05:09", "2024-07-31T14:05:09+02:00"),
            ("2020-05-19T02:45:00-05:00", "2020-05-19T02:45:00-05:00"),
            ("2020-05-19T02:45:00Z", "2020-05-19T02:45:00+00:00"),
            ("2020-05-19T02:45:00-03:30", "2020-05-19T02:45:00-03:30"),
        ] {
            assert_eq!(datetime(text, &berlin).unwrap().0, expected);
        }
        let new_york = TimeZone::get("America/New_York").unwrap();
        assert_eq!(
            datetime("2024-07-31", &new_york).unwrap().0,
            "2024-07-31T00:00:00-04:00"
        );
        // Clocks went from 00:00 to 01:00 that day.
        let beirut = TimeZone::get("Asia/Beirut").unwrap();
        assert_eq!(
            datetime("2022-03-27", &beirut).unwrap().0,
            "2022-03-27T01:00:00+03:00"
        );
        assert!(
            datetime("2024-07-31T14:05:09.25Z", &berlin)
                .unwrap()
                .1
                .is_some()
        );
    }

    #[test]
    fn moments_compare_across_offsets() {
        assert!(same(
            "2020-05-19T13:05:00-06:00",
            "2020-05-19T14:05:00-05:00"
        ));
        assert!(same("2020-05-19 14:05:00", "2020-05-19T14:05:00"));
        assert!(!same(
            "2020-05-19T13:05:00-06:00",
            "2020-05-19T13:05:00-05:00"
        ));
        assert!(!same("2020-05-19T13:05:00-06:00", "never"));
    }
}
