//! Reading contacts: lists, one contact, its parts (fact sheet §2.2).

use super::account::{Account, Contact};
use super::page::Page;
use super::{contact_text, no_result, page};
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{Shared, instant};
use serde_json::Value;
use std::fmt::Write;
use std::ops::Bound;

const KNOWN: [&str; 20] = [
    "email",
    "email_like",
    "search",
    "phone",
    "ids[]",
    "listid",
    "tagid",
    "status",
    "id_greater",
    "id_less",
    "include",
    "filters[created_before]",
    "filters[created_after]",
    "filters[updated_before]",
    "filters[updated_after]",
    "orders[id]",
    "orders[cdate]",
    "orders[email]",
    "orders[first_name]",
    "orders[last_name]",
];

/// Contacts of a list query, in its order.
fn find<'a>(account: &'a Account, call: &Call) -> Vec<&'a Contact> {
    let number = |name: &str| call.query(name).and_then(|text| text.parse::<u64>().ok());
    let time = |name: &str| call.query(name).and_then(instant::parse);
    let ids: Vec<u64> = call
        .query
        .iter()
        .filter(|(name, _)| name == "ids[]" || name.starts_with("ids[") && name.ends_with(']'))
        .filter_map(|(_, id)| id.parse().ok())
        .collect();
    let from = number("id_greater").map_or(Bound::Unbounded, Bound::Excluded);
    let to = number("id_less").map_or(Bound::Unbounded, Bound::Excluded);
    let candidates: Vec<&Contact> = if let Some(email) = call.query("email") {
        account
            .id_of(email)
            .and_then(|id| account.contacts.get(&id))
            .into_iter()
            .collect()
    } else if !ids.is_empty() {
        let mut ids = ids;
        ids.sort_unstable();
        ids.dedup();
        ids.iter()
            .filter_map(|id| account.contacts.get(id))
            .collect()
    } else if let (Bound::Excluded(from), Bound::Excluded(to)) = (from, to) {
        account
            .contacts
            .range(from.saturating_add(1)..to.max(from.saturating_add(1)))
            .map(|(_, contact)| contact)
            .collect()
    } else {
        account
            .contacts
            .range((from, to))
            .map(|(_, contact)| contact)
            .collect()
    };
    let (updated_after, updated_before) = (
        time("filters[updated_after]"),
        time("filters[updated_before]"),
    );
    let (created_after, created_before) = (
        time("filters[created_after]"),
        time("filters[created_before]"),
    );
    let (list, tag) = (number("listid"), number("tagid"));
    let like = call
        .query("email_like")
        .or_else(|| call.query("search"))
        .map(str::to_lowercase);
    let (phone, status) = (
        call.query("phone"),
        call.query("status")
            .and_then(|text| text.parse::<u8>().ok()),
    );
    let mut found: Vec<&Contact> = candidates
        .into_iter()
        .filter(|contact| {
            updated_after.is_none_or(|time| contact.updated > time)
                && updated_before.is_none_or(|time| contact.updated < time)
                && created_after.is_none_or(|time| contact.created > time)
                && created_before.is_none_or(|time| contact.created < time)
                && list.is_none_or(|list| contact.lists.iter().any(|member| member.list == list))
                && tag.is_none_or(|tag| contact.tags.iter().any(|known| known.tag == tag))
                && status
                    .is_none_or(|status| contact.lists.iter().any(|member| member.status == status))
                && like
                    .as_ref()
                    .is_none_or(|like| contact.email.to_lowercase().contains(like))
                && phone.is_none_or(|phone| contact.phone.starts_with(phone))
        })
        .collect();
    let order = call.query.iter().find_map(|(name, direction)| {
        Some((
            name.strip_prefix("orders[")?.strip_suffix(']')?,
            direction.eq_ignore_ascii_case("desc"),
        ))
    });
    let (order, descending) = order.unwrap_or(("", true));
    match order {
        "email" => found.sort_by(|one, other| one.email.cmp(&other.email)),
        "first_name" => found.sort_by(|one, other| one.first_name.cmp(&other.first_name)),
        "last_name" | "name" => found.sort_by(|one, other| one.last_name.cmp(&other.last_name)),
        "cdate" => found.sort_by_key(|contact| contact.created),
        // By id already. Unordered, the newest come first: a walk without an order must not rely on ids.
        _ => {}
    }
    if descending {
        found.reverse();
    }
    found
}

fn ids(ids: impl Iterator<Item = u64>) -> String {
    Value::from(ids.map(|id| id.to_string()).collect::<Vec<_>>()).to_string()
}

/// `GET /contacts`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    let page = Page::of(call);
    let account = shared.account();
    let found = find(&account, call);
    let shown: Vec<&Contact> = found
        .iter()
        .skip(page.offset)
        .take(page.limit)
        .copied()
        .collect();
    let include: Vec<&str> = match call.query("include") {
        Some(parts) if shared.options.quirks.include_side_loads => {
            parts.split(',').map(str::trim).collect()
        }
        _ => Vec::new(),
    };
    let mut body = String::with_capacity(shown.len() * 1500 + 200);
    body.push_str(r#"{"scoreValues":[],"#);
    // Writing to a String cannot fail.
    for part in &include {
        if *part == "fieldValues" {
            body.push_str(r#""fieldValues":"#);
            contact_text::field_values(&account, shown.iter().copied(), |_| true, &mut body);
            body.push(',');
        } else if let Some(rows) = rows(&shown, part) {
            let _ = write!(body, r#""{part}":{},"#, Value::from(rows));
        }
    }
    body.push_str(r#""contacts":["#);
    for (at, contact) in shown.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        let mut extra = r#""scoreValues":[],"accountContacts":[],"#.to_owned();
        for part in &include {
            if let Some(ids) = part_ids(contact, part) {
                let _ = write!(extra, r#""{part}":{ids},"#);
            }
        }
        contact_text::contact(&account, contact, &extra, &mut body);
    }
    let _ = write!(
        body,
        r#"],"meta":{{"page_input":{{"segmentid":0,"formid":0,"limit":{},"offset":{}}},"total":"{}","sortable":true}}}}"#,
        page.limit,
        page.offset,
        found.len()
    );
    let mut known = KNOWN.to_vec();
    known.extend(
        call.query
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| name.starts_with("ids[")),
    );
    page.note(Reply::text(200, body), call, &known)
}

fn rows(contacts: &[&Contact], part: &str) -> Option<Vec<Value>> {
    let of = |contact: &&Contact| -> Option<Vec<Value>> {
        Some(match part {
            "contactTags" => contact_text::tags(contact),
            "contactLists" => contact
                .lists
                .iter()
                .map(|row| contact_text::membership(contact, row))
                .collect(),
            "contactAutomations" => contact
                .automations
                .iter()
                .map(|row| contact_text::enrolment(contact, row))
                .collect(),
            "scoreValues" => contact_text::scores(contact),
            "trackingLogs" => contact_text::log(contact),
            _ => return None,
        })
    };
    let all: Option<Vec<Vec<Value>>> = contacts.iter().map(of).collect();
    all.map(|rows| rows.into_iter().flatten().collect())
}

fn part_ids(contact: &Contact, part: &str) -> Option<String> {
    Some(match part {
        "fieldValues" => ids(contact.values.iter().map(|value| value.id)),
        "contactTags" => ids(contact.tags.iter().map(|tag| tag.id)),
        "contactLists" => ids(contact.lists.iter().map(|list| list.id)),
        "contactAutomations" => ids(contact.automations.iter().map(|enrolment| enrolment.id)),
        _ => return None,
    })
}

/// The contact of a path segment.
pub(super) fn contact_of<'a>(account: &'a Account, id: &str) -> Result<&'a Contact, Reply> {
    id.parse()
        .ok()
        .and_then(|id: u64| account.contacts.get(&id))
        .ok_or_else(|| no_result("Subscriber", id))
}

/// `GET /contacts/{id}`, with side loads.
pub(super) fn get(shared: &Shared, id: &str) -> Reply {
    let account = shared.account();
    // A deleted contact may be answered as if it were there, under an address that says so.
    let deleted = id.parse().ok().and_then(|id: u64| account.deleted.get(&id));
    let deleted = deleted.filter(|_| shared.options.quirks.deleted_contacts_answer);
    let contact = match deleted.map_or_else(|| contact_of(&account, id), Ok) {
        Ok(contact) => contact,
        Err(reply) => return reply,
    };
    let rows = |part: &str| Value::from(rows(&[contact], part).unwrap_or_default());
    let mut body = String::with_capacity(4000);
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        r#"{{"contactAutomations":{},"contactLists":{},"deals":[],"geoIps":[],"accountContacts":[],"fieldValues":"#,
        rows("contactAutomations"),
        rows("contactLists")
    );
    contact_text::field_values(&account, std::iter::once(contact), |_| true, &mut body);
    body.push_str(r#","contact":"#);
    let mut extra = String::new();
    for part in ["contactAutomations", "contactLists", "fieldValues"] {
        let _ = write!(
            extra,
            r#""{part}":{},"#,
            part_ids(contact, part).unwrap_or_default()
        );
    }
    extra.push_str(r#""geoIps":[],"deals":[],"accountContacts":[],"#);
    contact_text::contact(&account, contact, &extra, &mut body);
    body.push('}');
    Reply::text(200, body)
}

/// `GET /contacts/{id}/{part}`.
pub(super) fn part(shared: &Shared, call: &Call, id: &str, part: &str) -> Reply {
    let account = shared.account();
    let contact = match contact_of(&account, id) {
        Ok(contact) => contact,
        Err(reply) => return reply,
    };
    if part == "fieldValues" {
        let mut body = r#"{"fieldValues":"#.to_owned();
        contact_text::field_values(&account, std::iter::once(contact), |_| true, &mut body);
        body.push('}');
        return Reply::text(200, body);
    }
    match rows(&[contact], part) {
        Some(rows) => page::of_items(call, part, rows, &[]),
        None => Reply::message(404, &format!("No Route found for contacts/{id}/{part}"))
            .violating("unknown path"),
    }
}
