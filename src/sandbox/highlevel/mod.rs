//! The HighLevel API: strict about `Version`, `locationId`, parameters and types.

mod associations;
mod contacts;
pub(in crate::sandbox) mod errors;
mod filters;
pub(in crate::sandbox) mod location;
pub(in crate::sandbox) mod oauth;
mod pets;
mod records;
pub(in crate::sandbox) mod relations;
pub(in crate::sandbox) mod sample;
mod schema;
mod search;
mod shelter;

use super::wire::{Call, Reply};
use super::{LOCATION_ID, Shared};
use axum::http::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// Every scope that a route of the sandbox asks for (fact sheet §1.4).
pub(in crate::sandbox) const ALL_SCOPES: [&str; 10] = [
    "objects/schema.readonly",
    "objects/record.readonly",
    "objects/record.write",
    "associations.readonly",
    "associations/relation.readonly",
    "associations/relation.write",
    "locations/customFields.readonly",
    "contacts.readonly",
    "contacts.write",
    "locations.readonly",
];

const VERSIONS: [&str; 2] = ["2021-07-28", "v3"];

/// Answers one request.
pub(in crate::sandbox) fn route(shared: &Shared, call: &Call) -> Reply {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["oauth", "token"] if call.method == Method::POST => return oauth::token(shared, call),
        ["v2", "oauth", "chooselocation"] if call.method == Method::GET => {
            return oauth::authorize(shared, call);
        }
        _ => {}
    }
    match check_headers(shared, call) {
        Ok(scopes) => dispatch(shared, call, &scopes),
        Err(reply) => reply,
    }
}

/// The scopes of the token that a request carries.
fn check_headers(shared: &Shared, call: &Call) -> Result<BTreeSet<String>, Reply> {
    let token = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token else {
        return Err(errors::plain(401, "Invalid JWT").violating("no bearer token"));
    };
    let scopes = {
        let keys = shared.keys();
        if token == keys.private {
            shared.scopes().clone()
        } else if let Some(scopes) = keys.grants.scopes(token) {
            scopes.clone()
        } else if token.starts_with("access-") {
            let why = "Invalid token: access token is invalid";
            return Err(errors::plain(401, why));
        } else {
            return Err(errors::plain(401, "Invalid Private Integration token"));
        }
    };
    match call.header("version") {
        None => {
            Err(errors::plain(400, "version header was not found.").violating("no Version header"))
        }
        Some(version) if VERSIONS.contains(&version) => {
            let is_json = call
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("application/json"));
            if !call.body.is_empty() && !is_json {
                return Err(errors::plain(415, "Unsupported Media Type")
                    .violating("body is not application/json"));
            }
            Ok(scopes)
        }
        Some(_) => {
            Err(errors::plain(400, "version header is invalid").violating("unknown Version"))
        }
    }
}

fn dispatch(shared: &Shared, call: &Call, scopes: &BTreeSet<String>) -> Reply {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let with_scope = |scope: &str, answer: &dyn Fn() -> Reply| {
        if scopes.contains(scope) {
            answer()
        } else {
            errors::plain(401, "The token is not authorized for this scope.")
        }
    };
    let (get, post) = (call.method == Method::GET, call.method == Method::POST);
    let (put, delete) = (call.method == Method::PUT, call.method == Method::DELETE);
    match segments.as_slice() {
        ["objects", ""] if get => {
            with_scope("objects/schema.readonly", &|| schema::list(shared, call))
        }
        ["objects", key] if get && !key.is_empty() => {
            with_scope("objects/schema.readonly", &|| {
                schema::get(shared, call, key)
            })
        }
        ["objects", key, "records", "search"] if post => {
            with_scope("objects/record.readonly", &|| {
                search::search(shared, call, key)
            })
        }
        ["objects", key, "records"] if post => with_scope("objects/record.write", &|| {
            records::create(shared, call, key)
        }),
        ["objects", key, "records", id] if get => with_scope("objects/record.readonly", &|| {
            records::get(shared, call, key, id)
        }),
        ["objects", key, "records", id] if put => with_scope("objects/record.write", &|| {
            records::update(shared, call, key, id)
        }),
        ["objects", key, "records", id] if delete => with_scope("objects/record.write", &|| {
            records::delete(shared, call, key, id)
        }),
        ["custom-fields", "object-key", key] if get => {
            with_scope("locations/customFields.readonly", &|| {
                schema::custom_fields(shared, call, key)
            })
        }
        ["associations", ""] if get => with_scope("associations.readonly", &|| {
            associations::list(shared, call)
        }),
        ["associations", "relations"] if post => with_scope("associations/relation.write", &|| {
            relations::create(shared, call)
        }),
        ["associations", "relations", id] if get => {
            with_scope("associations/relation.readonly", &|| {
                relations::list(shared, call, id)
            })
        }
        ["associations", "relations", id] if delete => {
            with_scope("associations/relation.write", &|| {
                relations::delete(shared, call, id)
            })
        }
        ["associations", "key", key] if get => with_scope("associations.readonly", &|| {
            associations::by_key(shared, call, key)
        }),
        ["associations", "objectKey", key] if get => with_scope("associations.readonly", &|| {
            associations::of_object(shared, call, key)
        }),
        ["associations", id] if get && !id.is_empty() => {
            with_scope("associations.readonly", &|| {
                associations::get(shared, call, id)
            })
        }
        ["contacts", "search"] if post => {
            with_scope("contacts.readonly", &|| contacts::search(shared, call))
        }
        ["contacts", "search", "duplicate"] if get => {
            with_scope("contacts.readonly", &|| contacts::duplicate(shared, call))
        }
        ["contacts", id] if get && !id.is_empty() => {
            with_scope("contacts.readonly", &|| contacts::get(shared, call, id))
        }
        ["locations", id] if get => with_scope("locations.readonly", &|| this_location(call, id)),
        _ => errors::unknown_path(&call.path),
    }
}

fn this_location(call: &Call, id: &str) -> Reply {
    if let Err(reply) = only_query(call, &[]) {
        return reply;
    }
    if id != LOCATION_ID {
        return errors::other_location();
    }
    Reply::ok(&json!({"location": {
        "id": LOCATION_ID, "companyId": "5DP41231LkQsiKESj6rh", "name": "Harbour Street Animal Shelter",
        "email": "desk@shelter.example", "phone": "+15550000000", "address": "4 Harbour Street", "city": "Springfield",
        "state": "IL", "country": "US", "postalCode": "62701", "website": "https://shelter.example",
        "timezone": "America/Chicago"
    }}))
}

/// Refuses query parameters other than `allowed`.
fn only_query(call: &Call, allowed: &[&str]) -> Result<(), Reply> {
    match call
        .query
        .iter()
        .find(|(name, _)| !allowed.contains(&name.trim_end_matches("[]")))
    {
        Some((name, _)) => Err(errors::should_not_exist(name)),
        None => Ok(()),
    }
}

/// Checks a `locationId` that must be there.
fn check_location(location: Option<&str>) -> Result<(), Reply> {
    match location {
        Some(LOCATION_ID) => Ok(()),
        Some("") | None => Err(errors::unprocessable(&[
            "locationId must be a string".to_owned(),
            "locationId should not be empty".to_owned(),
        ])),
        Some(_) => Err(errors::other_location()),
    }
}
