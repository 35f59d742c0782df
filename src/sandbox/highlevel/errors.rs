//! HighLevel's error bodies (fact sheet §2.8).

use crate::sandbox::chance;
use crate::sandbox::wire::Reply;
use serde_json::json;

fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// `message` as a string.
pub(in crate::sandbox) fn plain(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"statusCode": status, "message": message, "error": reason(status), "traceId": chance::uuid()}),
    )
}

/// 422 with `message` as an array; the request was malformed.
pub(super) fn unprocessable(messages: &[String]) -> Reply {
    Reply::json(
        422,
        &json!({"statusCode": 422, "message": messages, "error": reason(422), "traceId": chance::uuid()}),
    )
    .violating(messages.join(", "))
}

/// 422 for one parameter that the call does not take.
pub(super) fn should_not_exist(name: &str) -> Reply {
    unprocessable(&[format!("property {name} should not exist")])
}

pub(super) fn object_not_found(key: &str) -> Reply {
    plain(404, &format!("Custom Object ({key}) not found"))
}

pub(super) fn record_not_found(id: &str) -> Reply {
    plain(404, &format!("Record ({id}) not found"))
}

pub(super) fn other_location() -> Reply {
    plain(401, "This location is not accessible from this token!").violating("another location")
}

/// What the identity layer answers to a path it does not know, a wrong case included (fact sheet §1.1).
pub(super) fn unknown_path(path: &str) -> Reply {
    plain(
        401,
        "This route is not yet supported by the IAM Service. Please update the IAM config.",
    )
    .violating(format!("unknown path {path}"))
}
