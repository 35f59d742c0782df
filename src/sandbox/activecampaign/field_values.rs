//! Field values one by one (fact sheet §2.3, "Direct value API").

use super::account::{Account, Change};
use super::{contact_text, no_result, page, wrapped};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Shared, instant};
use serde_json::{Value, json};

fn value_json(account: &Account, contact: u64, field: u64) -> Option<Value> {
    let contact = account.contacts.get(&contact)?;
    let value = contact.values.iter().find(|value| value.field == field)?;
    let mut text = String::new();
    contact_text::field_value(account, contact, value, &mut text);
    serde_json::from_str(&text).ok()
}

/// Contact and field of a value id.
fn place(account: &Account, id: &str) -> Option<(u64, u64)> {
    let id: u64 = id.parse().ok()?;
    account.contacts.values().find_map(|contact| {
        contact
            .values
            .iter()
            .find(|value| value.id == id)
            .map(|value| (contact.id, value.field))
    })
}

/// `GET /fieldValues?filters[fieldid]=&filters[val]=`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let (field, wanted) = (call.query("filters[fieldid]"), call.query("filters[val]"));
    let found: Vec<Value> = account
        .contacts
        .values()
        .flat_map(|contact| contact.values.iter().map(move |value| (contact.id, value)))
        .filter(|(_, value)| field.is_none_or(|field| value.field.to_string() == field))
        .filter(|(_, value)| wanted.is_none_or(|wanted| value.value == wanted))
        .filter_map(|(contact, value)| value_json(&account, contact, value.field))
        .collect();
    page::of_items(
        call,
        "fieldValues",
        found,
        &["filters[fieldid]", "filters[val]"],
    )
}

/// `POST /fieldValues`: an upsert.
pub(super) fn create(shared: &Shared, call: &Call) -> Reply {
    let body = match wrapped(call, "fieldValue") {
        Ok(body) => body,
        Err(_) => return Reply::message(403, "Field id not valid").violating("no fieldValue"),
    };
    let number = |name: &str| id_text(&body[name]).and_then(|text| text.parse::<u64>().ok());
    let (Some(contact), Some(field)) = (number("contact"), number("field")) else {
        return Reply::message(403, "Field id not valid").violating("no contact or field");
    };
    write(
        shared,
        contact,
        field,
        body["value"].as_str().unwrap_or_default(),
    )
}

fn write(shared: &Shared, contact: u64, field: u64, value: &str) -> Reply {
    let mut account = shared.account();
    if !account.contacts.contains_key(&contact) {
        return no_result("Subscriber", &contact.to_string());
    }
    let change = Change {
        values: vec![(field, value)],
        ..Change::default()
    };
    if !account.change(contact, &change, instant::now()).is_empty() {
        return Reply::message(403, "Field id not valid").violating("unknown field");
    }
    let contacts: Vec<Value> = account
        .contacts
        .get(&contact)
        .map(|contact| contact_text::contact_value(&account, contact))
        .into_iter()
        .collect();
    Reply::ok(&json!({"contacts": contacts, "fieldValue": value_json(&account, contact, field)}))
}

/// `PUT /fieldValues/{id}`.
pub(super) fn update(shared: &Shared, call: &Call, id: &str) -> Reply {
    let body = match wrapped(call, "fieldValue") {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let place = place(&shared.account(), id);
    match place {
        Some((contact, field)) => write(
            shared,
            contact,
            field,
            body["value"].as_str().unwrap_or_default(),
        ),
        None => no_result("FieldValue", id),
    }
}

/// `DELETE /fieldValues/{id}`: the sure way to clear.
pub(super) fn delete(shared: &Shared, id: &str) -> Reply {
    let mut account = shared.account();
    let place = place(&account, id);
    let Some(contact) = place.and_then(|(contact, _)| account.contacts.get_mut(&contact)) else {
        return no_result("FieldValue", id);
    };
    contact.values.retain(|value| value.id.to_string() != id);
    contact.updated = instant::now();
    Reply::text(200, "{}")
}
