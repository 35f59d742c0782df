//! What goes on: calls, lines of the log, actions of people.

use super::*;

pub(super) fn log_length(mood: Mood) -> u64 {
    match mood {
        Mood::Empty => 0,
        Mood::Million => 2_000,
        _ => 40,
    }
}

/// A line of the log, 7 seconds after the next older one; every third is the line of a call.
pub(super) fn log_line(mood: Mood, number: u64) -> LogLine {
    let at = noon() - SignedDuration::from_secs(7 * number as i64 + 3);
    let job = format!("0192a{:03}", number % 1000 / 2);
    let line = match number % 4 {
        0 => json!({
            "timestamp": at.to_string(), "level": "INFO", "message": "call", "api": "activecampaign",
            "method": "POST", "path": text(mood, "/api/3/contact/sync"), "status": 422, "millis": 41,
            "request_id": format!("ac-{number}"), "error": text(mood, "E-mail is not valid"), "job": job,
            "mapping": "pets",
        }),
        1 => json!({
            "timestamp": at.to_string(), "level": "INFO", "message": "job settled", "job": job,
            "record": record(mood, number).id, "mapping": "pets", "outcome": "synced",
        }),
        2 => json!({
            "timestamp": at.to_string(), "level": "WARN", "mapping": "pets",
            "message": text(mood, "the mapping changed since the run began"),
        }),
        _ => json!({
            "timestamp": at.to_string(), "level": "ERROR", "message": "job settled", "job": job,
            "error": text(mood, "E-mail is not valid"), "outcome": "failed",
        }),
    };
    match line {
        Value::Object(map) => LogLine(map),
        _ => unreachable!(),
    }
}

/// A line of the log that tells of a call, and the call as its own process saw it.
pub fn logged_call(mood: Mood, number: u64) -> (LogLine, Call) {
    let line = log_line(mood, number * 4);
    let call = line.call().unwrap();
    (line, call)
}

pub(super) fn audit(mood: Mood, number: u64) -> AuditEntry {
    let (action, target) = [
        ("retry", "state:failed mapping:pets"),
        ("record update", "custom_objects.pets 66b1c0ffee"),
        ("pause", "mapping:pets"),
        ("discard", "0192a000"),
    ][number as usize];
    AuditEntry {
        at: noon() - SignedDuration::from_secs(20 * number as i64 + 5),
        who: text(mood, "jo from 10.0.0.7"),
        action: action.into(),
        target: text(mood, target),
        connection: Some(ConnectionName::from("default")),
        reason: (number == 2).then(|| text(mood, "the field is being renamed")),
        count: (number == 0).then_some(41),
        outcome: match number {
            1 => Some("HighLevel: 422 born is no date".into()),
            3 => None,
            _ => Some("done".into()),
        },
    }
}

pub fn call(mood: Mood, number: u64) -> Call {
    let throttled = number % 7 == 3;
    Call {
        at: noon() - SignedDuration::from_secs(number as i64),
        api: if number.is_multiple_of(2) {
            Api::HighLevel
        } else {
            Api::ActiveCampaign
        },
        method: "POST".into(),
        path: text(mood, "/objects/custom_objects.pets/records/search"),
        status: if throttled {
            Some(429)
        } else if number % 11 == 5 {
            None
        } else {
            Some(200)
        },
        millis: 40 + number % 200,
        request_id: Some(format!("req-{number}")),
        retry_after: throttled.then_some(3),
        error: (number % 11 == 5).then(|| text(mood, "connection reset")),
        class: None,
        connection: None,
    }
}
