//! Matching: one contact at once, all contacts by a run that becomes ready after a while.

use super::super::no_result;
use super::document::{Document, attributes};
use super::{Rule, Stored, not_found, refused};
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{Shared, chance, instant};
use serde_json::{Value, json};

/// How long a run is not ready, in milliseconds.
const RUN_TIME: i64 = 300;

pub(super) struct Run {
    segment: String,
    rule: Rule,
    started: i64,
}

/// `GET /segmentMatch/{segmentId}/{contactId}`.
pub(in crate::sandbox::activecampaign) fn match_one(
    shared: &Shared,
    id: &str,
    contact: &str,
) -> Reply {
    let account = shared.account();
    let Some(segment) = account.segments.get(id) else {
        return not_found(id);
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
        &json!({"data": [{"id": format!("{id}{contact}"), "type": "match", "attributes": {
            "segment_id": id, "entity_id": contact, "match": segment.rule.matches(&account, found),
            "created_timestamp": now, "segment_timestamp": now,
        }}]}),
    )
}

/// `POST /segmentMatchAll`: a segment that is kept for a day and stands in no list.
pub(in crate::sandbox::activecampaign) fn match_ad_hoc(shared: &Shared, call: &Call) -> Reply {
    let (attributes, document) = match attributes(call).and_then(|attributes| {
        let document = Document::read(&attributes)?;
        Ok((attributes, document))
    }) {
        Ok(read) => read,
        Err(detail) => return refused(400, &detail).violating(detail),
    };
    let segment = Stored {
        id: chance::uuid(),
        name: String::new(),
        rule: Rule::Document(document),
        attributes,
        created: instant::now(),
    };
    let (id, rule) = (segment.id.clone(), segment.rule.clone());
    shared.account().segments.stored.push(segment);
    start(shared, id, rule)
}

/// `GET /segmentMatchAll/{id}`: starts a run of a stored segment.
pub(in crate::sandbox::activecampaign) fn match_stored(shared: &Shared, id: &str) -> Reply {
    let rule = shared
        .account()
        .segments
        .get(id)
        .map(|segment| segment.rule.clone());
    match rule {
        Some(rule) => start(shared, id.to_owned(), rule),
        None => not_found(id),
    }
}

fn start(shared: &Shared, segment: String, rule: Rule) -> Reply {
    let id = chance::uuid();
    let run = Run {
        segment,
        rule,
        started: instant::now(),
    };
    shared.account().segments.runs.insert(id.clone(), run);
    self::run(shared, &id)
}

/// `GET /segmentMatchAll/{id}/{runId}`.
pub(in crate::sandbox::activecampaign) fn run(shared: &Shared, id: &str) -> Reply {
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
        let matches: Vec<Value> = account
            .contacts
            .values()
            .filter(|contact| run.rule.matches(&account, contact))
            .map(|contact| contact.id.into())
            .collect();
        attributes["run_id_end"] = instant::utc(run.started + RUN_TIME).into();
        attributes["page"] = json!({"current_page": 1, "last_page": 1, "per_page": matches.len(), "total": matches.len()});
        attributes["matches"] = matches.into();
    }
    Reply::ok(
        &json!({"data": [{"id": format!("{id}-1"), "type": "matchAll", "attributes": attributes}]}),
    )
}
