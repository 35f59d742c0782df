//! Tags, and the tags of contacts (fact sheet §4).

use super::{missing_attribute, no_result, page, wrapped};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Shared, instant};
use serde_json::{Value, json};

/// `GET /tags`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let contains = call
        .query("search")
        .or_else(|| call.query("filters[search][contains]"))
        .map(str::to_lowercase);
    let equals = call.query("filters[search][eq]").map(str::to_lowercase);
    let found: Vec<Value> = account
        .tags
        .iter()
        .filter(|tag| contains.as_ref().is_none_or(|part| tag.name.to_lowercase().contains(part)))
        .filter(|tag| equals.as_ref().is_none_or(|name| tag.name.to_lowercase() == *name))
        .map(|tag| {
            let count = account.contacts.values().filter(|contact| contact.tags.iter().any(|known| known.tag == tag.id)).count();
            json!({
                "tagType": "contact", "tag": tag.name, "description": tag.description, "subscriber_count": count.to_string(),
                "cdate": instant::offset(tag.created), "created_timestamp": instant::local(tag.created),
                "updated_timestamp": instant::local(tag.created), "created_by": null, "updated_by": null, "deleted": "0",
                "links": {}, "id": tag.id.to_string(),
            })
        })
        .collect();
    page::of_items(
        call,
        "tags",
        found,
        &[
            "search",
            "filters[search][eq]",
            "filters[search][contains]",
            "orders[search]",
        ],
    )
}

/// `POST /tags`.
pub(super) fn create(shared: &Shared, call: &Call) -> Reply {
    let body = match wrapped(call, "tag") {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let Some(name) = body["tag"].as_str().filter(|name| !name.is_empty()) else {
        return missing_attribute("tag");
    };
    let mut account = shared.account();
    if account.tag_id(name).is_some() {
        let error = format!("Duplicate entry 'contact-{name}' for key 'typetag'");
        return Reply::json(
            422,
            &json!({"message": "Could not process request", "error": error}),
        );
    }
    let (now, description) = (
        instant::now(),
        body["description"].as_str().unwrap_or_default(),
    );
    let id = account.tag(name, description, now);
    Reply::json(
        201,
        &json!({"tag": {"tag": name, "description": description, "tagType": "contact", "cdate": instant::offset(now),
            "links": {}, "id": id.to_string()}}),
    )
}

/// `POST /contactTags`: 201 new, 200 already there.
pub(super) fn add(shared: &Shared, call: &Call) -> Reply {
    let body = match wrapped(call, "contactTag") {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let number = |name: &str| id_text(&body[name]).and_then(|text| text.parse::<u64>().ok());
    let Some(contact) = number("contact") else {
        return missing_attribute("contact");
    };
    let Some(tag) = number("tag") else {
        return missing_attribute("tag");
    };
    let mut account = shared.account();
    let not_found = |what: &str| {
        Reply::json(
            404,
            &json!({"errors": [{"status": 404, "title": "Not Found", "detail": format!("{what} not found")}]}),
        )
    };
    if !account.tags.iter().any(|known| known.id == tag) {
        return not_found("Tag");
    }
    let now = instant::now();
    match account.add_tag(contact, tag, now) {
        None => not_found("Contact"),
        Some((id, new)) => {
            if let Some(contact) = account.contacts.get_mut(&contact) {
                contact.updated = now;
            }
            Reply::json(
                if new { 201 } else { 200 },
                &json!({"contactTag": {"cdate": instant::offset(now), "contact": contact.to_string(), "id": id.to_string(),
                    "links": {}, "tag": tag.to_string()}}),
            )
        }
    }
}

/// `DELETE /contactTags/{associationId}`.
pub(super) fn remove(shared: &Shared, id: &str) -> Reply {
    let mut account = shared.account();
    let holder = account
        .contacts
        .values_mut()
        .find(|contact| contact.tags.iter().any(|tag| tag.id.to_string() == id));
    match holder {
        Some(contact) => {
            contact.tags.retain(|tag| tag.id.to_string() != id);
            contact.updated = instant::now();
            Reply::text(200, "{}")
        }
        None => no_result("SubscriberTag", id),
    }
}
