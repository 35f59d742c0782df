//! The ActiveCampaign API v3: lenient where the real one is, and noting in the log what it swallowed.

pub(in crate::sandbox) mod account;
mod automations;
mod contact_text;
mod contacts;
mod events;
mod field_values;
mod fields;
mod imports;
mod lists;
mod page;
pub(in crate::sandbox) mod sample;
mod segments;
mod tags;
mod writes;

use super::Shared;
use super::faults::Kind;
use super::quirks::BadTokenBody;
use super::wire::{Call, Reply};
use axum::http::Method;
use serde_json::{Value, json};

pub(in crate::sandbox) use imports::rate_limit as import_rate_limit;

/// Answers one request; `outcome` is how an import queued by it is to end.
pub(in crate::sandbox) fn route(shared: &Shared, call: &Call, outcome: Option<Kind>) -> Reply {
    // Event tracking is a host of its own (trackcmp.net), with its own key and no token.
    if call.segments == ["event"] {
        return events::track(shared, call);
    }
    let good = shared.keys().activecampaign.clone();
    if call.header("api-token") != Some(good.as_str()) {
        let reply = match shared.options.quirks.bad_token_body {
            BadTokenBody::Json => Reply::message(403, "Forbidden"),
            BadTokenBody::Empty => Reply::empty(403),
            BadTokenBody::Html => Reply::html(403),
        };
        return match call.header("api-token") {
            Some(_) => reply,
            None => reply.violating("no Api-Token"),
        };
    }
    let is_json = call
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    let reply = dispatch(shared, call, outcome);
    if call.body.is_empty() || is_json {
        reply
    } else {
        reply.violating("body is not application/json")
    }
}

fn dispatch(shared: &Shared, call: &Call, outcome: Option<Kind>) -> Reply {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let ["api", "3", path @ ..] = segments.as_slice() else {
        return no_route(call);
    };
    let (get, post) = (call.method == Method::GET, call.method == Method::POST);
    let (put, delete) = (call.method == Method::PUT, call.method == Method::DELETE);
    match path {
        ["users", "me"] if get => me(shared),
        ["fields"] if get => fields::list(shared, call),
        ["fields"] if post => fields::create(shared, call),
        ["fields", id] if get => fields::get(shared, id),
        ["fields", id, "options"] if get => fields::options(shared, id),
        ["fieldRels"] if post => fields::relate(shared, call),
        ["fieldOption", "bulk"] if post => fields::add_options(shared, call),
        ["contact", "sync"] if post => writes::sync(shared, call),
        ["contacts"] if get => contacts::list(shared, call),
        ["contacts"] if post => writes::create(shared, call),
        ["contacts", id] if get => contacts::get(shared, id),
        ["contacts", id] if put => writes::update(shared, call, id),
        ["contacts", id] if delete => writes::delete(shared, id),
        ["contacts", id, part] if get => contacts::part(shared, call, id, part),
        ["fieldValues"] if get => field_values::list(shared, call),
        ["fieldValues"] if post => field_values::create(shared, call),
        ["fieldValues", id] if put => field_values::update(shared, call, id),
        ["fieldValues", id] if delete => field_values::delete(shared, id),
        ["import", "bulk_import"] if post => imports::submit(shared, call, outcome),
        ["import", "bulk_import"] if get => imports::overview(shared),
        ["import", "info"] if get => imports::info(shared, call),
        ["tags"] if get => tags::list(shared, call),
        ["tags"] if post => tags::create(shared, call),
        ["contactTags"] if post => tags::add(shared, call),
        ["contactTags", id] if delete => tags::remove(shared, id),
        ["lists"] if get => lists::list(shared, call),
        ["contactLists"] if post => lists::set(shared, call),
        ["automations"] if get => automations::list(shared, call),
        ["contactAutomations"] if post => automations::enrol(shared, call),
        ["contactAutomations", id] if delete => automations::leave(shared, id),
        ["scores"] if get => automations::scores(shared, call),
        ["eventTracking"] if get => automations::tracking(shared),
        ["eventTracking"] if put => automations::set_tracking(shared, call),
        ["eventTrackingEvents"] if get => automations::event_names(shared, call),
        ["eventTrackingEvents"] if post => automations::add_event_name(shared, call),
        ["segments"] if get => segments::legacy(shared, call),
        ["audiences"] if get => segments::audiences(shared, call),
        ["segmentsV2"] if post => segments::create(shared, call),
        ["segmentsV2", id] if get => segments::get(shared, id),
        ["segmentsV2", id] if delete => segments::delete(shared, id),
        ["segmentMatch", id, contact] if get => segments::match_one(shared, id, contact),
        ["segmentMatchAll"] if post => segments::match_ad_hoc(shared, call),
        ["segmentMatchAll", id] if get => segments::match_stored(shared, id),
        ["segmentMatchAll", _, run] if get => segments::run(shared, run),
        _ => no_route(call),
    }
}

fn no_route(call: &Call) -> Reply {
    Reply::message(404, &format!("No Route found for {}", call.path))
        .violating(format!("unknown path {}", call.path))
}

fn me(shared: &Shared) -> Reply {
    let url = shared.account().url.clone();
    Reply::ok(&json!({"user": {
        "username": "sandbox", "firstName": "Sandy", "lastName": "Box", "email": "sandbox@example.com", "phone": "",
        "signature": null, "links": {"lists": format!("{url}/api/3/users/1/lists")}, "id": "1"
    }}))
}

/// 404 as ActiveCampaign words it for contacts (`Subscriber`), tags (`SubscriberTag`) and so on.
fn no_result(kind: &str, id: &str) -> Reply {
    Reply::message(404, &format!("No Result found for {kind} with id {id}"))
}

/// Error form a of the fact sheet (§1.3).
fn invalid(title: &str, code: &str, pointer: &str) -> Reply {
    let mut error = json!({"title": title, "detail": "", "code": code});
    if !pointer.is_empty() {
        error["source"] = json!({"pointer": format!("/data/attributes/{pointer}")});
    }
    Reply::json(422, &json!({"errors": [error]}))
}

/// Error form b of the fact sheet (§1.3).
fn missing_attribute(name: &str) -> Reply {
    Reply::json(
        422,
        &json!({"errors": [{"status": 422, "title": "Missing attribute",
            "source": {"pointer": format!("/data/attributes/{name}")}}]}),
    )
    .violating(format!("no {name}"))
}

/// The object under `name` in the body; ActiveCampaign answers `400 {}` to anything else.
fn wrapped(call: &Call, name: &str) -> Result<Value, Reply> {
    match call.json() {
        Ok(mut body) if body[name].is_object() => Ok(body[name].take()),
        Ok(_) => Err(Reply::text(400, "{}").violating(format!("the body has no object {name}"))),
        Err(_) => Err(Reply::text(400, "{}").violating("the body is not JSON")),
    }
}

/// What an e-mail address must at least be.
fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    !name.is_empty()
        && domain.split('.').count() >= 2
        && domain.split('.').all(|label| !label.is_empty())
        && !text.chars().any(|character| {
            character.is_whitespace() || character.is_control() || character == ','
        })
        && !domain.contains('@')
}
