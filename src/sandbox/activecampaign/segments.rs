//! Segments, stored and ad hoc, and matching runs that become ready after a while (fact sheet §4).

use super::account::{Account, Contact};
use super::{no_result, page};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Shared, chance, instant};
use serde_json::{Value, json};
use std::collections::HashMap;

struct Run {
    segment: String,
    conditions: Value,
    started: i64,
}

/// Stored segments by id, and matching runs.
#[derive(Default)]
pub(in crate::sandbox) struct Segments {
    stored: Vec<(String, Value)>,
    runs: HashMap<String, Run>,
}

impl Segments {
    /// A segment that is there from the start: contacts whose field (by personalisation tag) holds a value.
    pub(super) fn sample(&mut self, id: &str, name: &str, field: &str, value: &str) {
        let attributes = json!({
            "name": name,
            "segment_conditions": [{"field": field, "operator": "equals", "value": value}],
        });
        self.stored.push((id.to_owned(), attributes));
    }
}

/// How long a run is not ready, in milliseconds.
const RUN_TIME: i64 = 300;

fn data(id: &str, attributes: &Value) -> Value {
    json!({"id": id, "type": "segment", "attributes": attributes})
}

/// `GET /segments`, the legacy list.
pub(super) fn legacy(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let all = account.segments.stored.iter().map(|(id, attributes)| {
        json!({"name": attributes["name"], "logic": "and", "hidden": "0", "seriesid": "0", "links": {}, "id": id})
    });
    page::of_items(call, "segments", all.collect(), &[])
}

/// `GET /segmentsV2` and `GET /audiences`.
pub(super) fn list(shared: &Shared) -> Reply {
    let account = shared.account();
    let all: Vec<Value> = account
        .segments
        .stored
        .iter()
        .map(|(id, attributes)| data(id, attributes))
        .collect();
    Reply::ok(&json!({"data": all, "meta": {"total": all.len()}}))
}

fn attributes(call: &Call) -> Result<Value, Reply> {
    match call.json() {
        Ok(mut body) if body["data"]["attributes"].is_object() => {
            Ok(body["data"]["attributes"].take())
        }
        _ => Err(
            Reply::json(400, &json!({"message": "data.attributes is required"}))
                .violating("no data.attributes"),
        ),
    }
}

/// `POST /segmentsV2`.
pub(super) fn create(shared: &Shared, call: &Call) -> Reply {
    let attributes = match attributes(call) {
        Ok(attributes) => attributes,
        Err(reply) => return reply,
    };
    if attributes["name"].as_str().is_none_or(str::is_empty) {
        return Reply::json(422, &json!({"errors": [{"title": "name is required"}]}))
            .violating("a segment without name");
    }
    let id = chance::uuid();
    let answer = json!({"data": data(&id, &attributes)});
    shared.account().segments.stored.push((id, attributes));
    Reply::json(201, &answer)
}

/// `GET /segmentsV2/{id}`.
pub(super) fn get(shared: &Shared, id: &str) -> Reply {
    match shared
        .account()
        .segments
        .stored
        .iter()
        .find(|(known, _)| known == id)
    {
        Some((id, attributes)) => Reply::ok(&json!({"data": data(id, attributes)})),
        None => no_result("Segment", id),
    }
}

/// `DELETE /segmentsV2/{id}`.
pub(super) fn delete(shared: &Shared, id: &str) -> Reply {
    let stored = &mut shared.account().segments.stored;
    let before = stored.len();
    stored.retain(|(known, _)| known != id);
    if stored.len() < before {
        Reply::text(200, "{}")
    } else {
        no_result("Segment", id)
    }
}

/// `GET /segmentMatch/{segmentId}/{contactId}`.
pub(super) fn match_one(shared: &Shared, id: &str, contact: &str) -> Reply {
    let account = shared.account();
    let Some((_, conditions)) = account
        .segments
        .stored
        .iter()
        .find(|(known, _)| known == id)
    else {
        return no_result("Segment", id);
    };
    let found = contact
        .parse()
        .ok()
        .and_then(|id: u64| account.contacts.get(&id));
    let Some(found) = found else {
        return no_result("Subscriber", contact);
    };
    let now = instant::utc(instant::now());
    Reply::ok(
        &json!({"data": [{"id": format!("{id}-{contact}"), "type": "match", "attributes": {
            "segment_id": id, "entity_id": contact, "match": matches(&account, found, conditions),
            "created_timestamp": now, "segment_timestamp": now,
        }}]}),
    )
}

/// `POST /segmentMatchAll`: conditions that are not stored.
pub(super) fn match_ad_hoc(shared: &Shared, call: &Call) -> Reply {
    match attributes(call) {
        Ok(attributes) => start(shared, chance::uuid(), attributes),
        Err(reply) => reply,
    }
}

/// `GET /segmentMatchAll/{id}`: starts a run of a stored segment.
pub(super) fn match_stored(shared: &Shared, id: &str) -> Reply {
    let stored = shared
        .account()
        .segments
        .stored
        .iter()
        .find(|(known, _)| known == id)
        .cloned();
    match stored {
        Some((id, attributes)) => start(shared, id, attributes),
        None => no_result("Segment", id),
    }
}

fn start(shared: &Shared, segment: String, conditions: Value) -> Reply {
    let id = chance::uuid();
    let run = Run {
        segment,
        conditions,
        started: instant::now(),
    };
    shared.account().segments.runs.insert(id.clone(), run);
    self::run(shared, &id)
}

/// `GET /segmentMatchAll/{id}/{runId}`.
pub(super) fn run(shared: &Shared, id: &str) -> Reply {
    let account = shared.account();
    let Some(run) = account.segments.runs.get(id) else {
        return no_result("Run", id);
    };
    let ready = instant::now() >= run.started + RUN_TIME;
    let mut attributes = json!({
        "run_id": id, "run_id_start": instant::utc(run.started), "is_ready": ready, "segment_id": run.segment,
        "segment_timestamp": instant::utc(run.started),
    });
    if ready {
        let matches: Vec<u64> = account
            .contacts
            .values()
            .filter(|contact| matches(&account, contact, &run.conditions))
            .map(|contact| contact.id)
            .collect();
        attributes["run_id_end"] = instant::utc(run.started + RUN_TIME).into();
        attributes["page"] = json!({"current_page": 1, "last_page": 1, "per_page": matches.len(), "total": matches.len()});
        attributes["matches"] = matches.into();
    }
    Reply::ok(
        &json!({"data": [{"id": format!("{id}-1"), "type": "matchAll", "attributes": attributes}]}),
    )
}

/// The shape of a condition is not in the fact sheet: any object with a field (id or personalisation tag) and a value
/// counts as "equals"; all must hold.
fn matches(account: &Account, contact: &Contact, conditions: &Value) -> bool {
    conditions["segment_conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|condition| {
            let condition = if condition["attributes"].is_object() {
                &condition["attributes"]
            } else {
                condition
            };
            let wanted = id_text(&condition["value"])
                .or_else(|| id_text(&condition["values"][0]))
                .unwrap_or_default();
            let name = ["field", "field_id", "property"]
                .iter()
                .find_map(|key| id_text(&condition[*key]))
                .unwrap_or_default();
            let field = account.fields.iter().find(|field| {
                field.id.to_string() == name
                    || field.perstag.eq_ignore_ascii_case(name.trim_matches('%'))
            });
            field.is_some_and(|field| {
                let value = contact
                    .values
                    .iter()
                    .find(|value| value.field == field.id)
                    .map_or("", |value| &value.value);
                value == wanted || value.split("||").any(|part| part == wanted)
            })
        })
}
