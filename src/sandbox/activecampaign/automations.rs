//! Automations, scores and event tracking: definitions and what a contact has of them (fact sheet §4).

use super::account::Enrolment;
use super::{contact_text, no_result, page, wrapped};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Shared, instant};
use serde_json::{Value, json};

const MADE: &str = "2026-05-28T03:20:46-05:00";

/// `GET /automations`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let all: Vec<Value> = account
        .automations
        .iter()
        .map(|automation| {
            let entered = account.contacts.values().flat_map(|contact| &contact.automations);
            let entered = entered.filter(|enrolment| enrolment.automation == automation.id).count();
            json!({
                "name": automation.name, "cdate": MADE, "mdate": MADE, "userid": "1",
                "status": if automation.active { "1" } else { "0" }, "entered": entered.to_string(), "exited": "0",
                "hidden": "0", "entitlements_violation": "0", "source": "6", "description": "", "exit_on_unsubscribe": "0",
                "exit_on_conversion": "0", "multientry": if automation.multiple { "1" } else { "0" }, "links": {},
                "id": automation.id.to_string(),
            })
        })
        .collect();
    page::of_items(call, "automations", all, &[])
}

/// `POST /contactAutomations`: not idempotent where `multientry` allows a second entry.
pub(super) fn enrol(shared: &Shared, call: &Call) -> Reply {
    let body = match wrapped(call, "contactAutomation") {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let number = |name: &str| {
        id_text(&body[name])
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let (contact, automation) = (number("contact"), number("automation"));
    let mut account = shared.account();
    let id = account.new_id();
    let known = account
        .automations
        .iter()
        .find(|known| known.id == automation && known.active);
    let multiple = known.map(|known| known.multiple);
    let (Some(multiple), Some(contact)) = (multiple, account.contacts.get_mut(&contact)) else {
        return Reply::message(403, "Could not create SubscriberSeries");
    };
    if !multiple
        && contact
            .automations
            .iter()
            .any(|enrolment| enrolment.automation == automation)
    {
        return Reply::message(403, "Could not create SubscriberSeries");
    }
    let enrolment = Enrolment {
        id,
        automation,
        added: instant::now(),
        removed: None,
    };
    let mut answer = contact_text::enrolment(contact, &enrolment);
    answer["status"] = json!(1);
    contact.automations.push(enrolment);
    let contact_id = contact.id;
    let contacts: Vec<Value> = account
        .contacts
        .get(&contact_id)
        .map(|contact| contact_text::contact_value(&account, contact))
        .into_iter()
        .collect();
    Reply::json(
        201,
        &json!({"contacts": contacts, "contactAutomation": answer}),
    )
}

/// `DELETE /contactAutomations/{enrolmentId}`.
pub(super) fn leave(shared: &Shared, id: &str) -> Reply {
    let mut account = shared.account();
    let mut enrolments = account
        .contacts
        .values_mut()
        .flat_map(|contact| &mut contact.automations);
    match enrolments.find(|enrolment| enrolment.id.to_string() == id && enrolment.removed.is_none())
    {
        Some(enrolment) => {
            enrolment.removed = Some(instant::now());
            Reply::text(200, "{}")
        }
        None => no_result("SubscriberSeries", id),
    }
}

/// `GET /scores`.
pub(super) fn scores(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let all: Vec<Value> = account
        .scores
        .iter()
        .map(|score| {
            json!({
                "reltype": "contact", "name": score.name, "descript": "", "status": if score.active { "1" } else { "0" },
                "cdate": MADE, "mdate": MADE, "links": [], "id": score.id.to_string(),
            })
        })
        .collect();
    page::of_items(call, "scores", all, &[])
}

/// `GET /eventTracking`.
pub(super) fn tracking(shared: &Shared) -> Reply {
    Reply::ok(&json!({"eventTracking": {"enabled": shared.account().tracking, "links": {}}}))
}

/// `PUT /eventTracking`.
pub(super) fn set_tracking(shared: &Shared, call: &Call) -> Reply {
    match wrapped(call, "eventTracking") {
        Ok(body) => {
            shared.account().tracking = body["enabled"].as_bool().unwrap_or(false);
            tracking(shared)
        }
        Err(reply) => reply,
    }
}

/// `GET /eventTrackingEvents`.
pub(super) fn event_names(shared: &Shared, call: &Call) -> Reply {
    let names = shared
        .account()
        .event_names
        .iter()
        .map(|name| json!({"name": name, "links": []}))
        .collect();
    page::of_items(call, "eventTrackingEvents", names, &[])
}

/// `POST /eventTrackingEvents`.
pub(super) fn add_event_name(shared: &Shared, call: &Call) -> Reply {
    match wrapped(call, "eventTrackingEvent") {
        Ok(body) => {
            let name = body["name"].as_str().unwrap_or_default().to_owned();
            let answer = json!({"eventTrackingEvent": {"name": name, "links": []}});
            let mut account = shared.account();
            if !account.event_names.contains(&name) {
                account.event_names.push(name);
            }
            Reply::json(201, &answer)
        }
        Err(reply) => reply,
    }
}
