//! Lists, and who is on them (fact sheet §4).

use super::{contact_text, missing_attribute, no_result, page, wrapped};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Shared, instant};
use serde_json::{Value, json};

/// `GET /lists`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let name = call
        .query("filters[name]")
        .or_else(|| call.query("filters[name][eq]"));
    let found: Vec<Value> = account
        .lists
        .iter()
        .filter(|list| name.is_none_or(|name| list.name == name))
        .map(|list| {
            let members = account.contacts.values().flat_map(|contact| &contact.lists).filter(|member| member.list == list.id);
            let active = members.filter(|member| member.status == 1).count().to_string();
            json!({
                "stringid": list.name.to_lowercase().replace(' ', "-"), "userid": "1", "name": list.name,
                "cdate": "2026-05-28T03:05:54-05:00", "private": "0", "sender_url": "https://shelter.example",
                "sender_reminder": "You adopted a pet.", "deletestamp": null, "udate": "2026-05-28T03:05:54-05:00",
                "channel": "email", "description": "", "non_deleted_subscribers": active, "active_subscribers": active,
                "links": {}, "id": list.id.to_string(), "user": "1",
            })
        })
        .collect();
    page::of_items(
        call,
        "lists",
        found,
        &["filters[name]", "filters[name][eq]"],
    )
}

/// `POST /contactLists`: `status` is a number in the answer, a string when read.
pub(super) fn set(shared: &Shared, call: &Call) -> Reply {
    let body = match wrapped(call, "contactList") {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let number = |name: &str| id_text(&body[name]).and_then(|text| text.parse::<u64>().ok());
    let (Some(contact), Some(list)) = (number("contact"), number("list")) else {
        return missing_attribute("contact");
    };
    let Some(status) = number("status")
        .and_then(|status| u8::try_from(status).ok())
        .filter(|status| (1..=2).contains(status))
    else {
        return missing_attribute("status");
    };
    let source = number("sourceid")
        .and_then(|source| u8::try_from(source).ok())
        .unwrap_or(0);
    let mut account = shared.account();
    if !account.lists.iter().any(|known| known.id == list) {
        return no_result("List", &list.to_string());
    }
    let now = instant::now();
    if account
        .set_list(contact, list, status, source, now)
        .is_none()
    {
        return no_result("Subscriber", &contact.to_string());
    }
    let Some(contact) = account.contacts.get_mut(&contact) else {
        return Reply::text(500, "{}");
    };
    contact.updated = now;
    let membership = contact.lists.iter().find(|member| member.list == list);
    let mut answer = membership
        .map(|member| contact_text::membership(contact, member))
        .unwrap_or_default();
    answer["status"] = status.into();
    Reply::ok(&json!({"contactList": answer}))
}
