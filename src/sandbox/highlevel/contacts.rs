//! HighLevel contacts: only reading them (fact sheet §4).

use super::records::body_object;
use super::{check_location, errors, only_query};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{LOCATION_ID, Shared, chance, instant};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(in crate::sandbox) struct Contact {
    pub id: Arc<str>,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub email: Option<String>,
    pub phone: String,
    pub company: Option<&'static str>,
    pub tags: Vec<&'static str>,
    pub added: i64,
    pub updated: i64,
}

impl Contact {
    fn json(&self) -> Value {
        json!({
            "id": &*self.id, "locationId": LOCATION_ID, "name": format!("{} {}", self.first_name, self.last_name),
            "firstName": self.first_name, "lastName": self.last_name,
            "email": self.email, "emailLowerCase": self.email.as_ref().map(|email| email.to_lowercase()),
            "phone": self.phone, "companyName": self.company, "tags": self.tags, "dnd": false, "dndSettings": {},
            "source": "adoption form", "type": "lead", "assignedTo": null, "country": "US", "timezone": null,
            "dateAdded": instant::utc(self.added), "dateUpdated": instant::utc(self.updated), "customFields": [],
        })
    }
}

/// `GET /contacts/{contactId}`: no `locationId`.
pub(super) fn get(shared: &Shared, call: &Call, id: &str) -> Reply {
    if let Err(reply) = only_query(call, &[]) {
        return reply;
    }
    match shared.location().contact(id) {
        Some(contact) => Reply::ok(&json!({"contact": contact.json(), "traceId": chance::uuid()})),
        None => errors::plain(400, "Contact not found"),
    }
}

/// `GET /contacts/search/duplicate`.
pub(super) fn duplicate(shared: &Shared, call: &Call) -> Reply {
    let query = only_query(call, &["locationId", "email", "number"]);
    if let Err(reply) = query.and_then(|()| check_location(call.query("locationId"))) {
        return reply;
    }
    let location = shared.location();
    let found = location.contacts.iter().find(|contact| {
        let same_email = |email: &str| {
            contact
                .email
                .as_ref()
                .is_some_and(|known| known.eq_ignore_ascii_case(email))
        };
        call.query("email").is_some_and(same_email)
            || call.query("number") == Some(contact.phone.as_str())
    });
    Reply::ok(&json!({"contact": found.map(Contact::json), "traceId": chance::uuid()}))
}

/// `POST /contacts/search`: newest first unless `sort` says `asc`.
pub(super) fn search(shared: &Shared, call: &Call) -> Reply {
    try_search(shared, call).unwrap_or_else(|reply| reply)
}

fn try_search(shared: &Shared, call: &Call) -> Result<Reply, Reply> {
    only_query(call, &[])?;
    let body = body_object(
        call,
        &[
            "locationId",
            "page",
            "pageLimit",
            "query",
            "searchAfter",
            "filters",
            "sort",
        ],
    )?;
    check_location(body.get("locationId").and_then(Value::as_str))?;
    let Some(limit) = body
        .get("pageLimit")
        .and_then(Value::as_u64)
        .filter(|limit| (1..=500).contains(limit))
    else {
        return Err(errors::unprocessable(&[
            "pageLimit must be a number between 1 and 500".to_owned(),
        ]));
    };
    let filters = match body.get("filters") {
        None => Vec::new(),
        Some(filters) => {
            parse_filters(filters).map_err(|complaint| errors::unprocessable(&[complaint]))?
        }
    };
    let query = body
        .get("query")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_lowercase();
    let location = shared.location();
    let mut found: Vec<&Contact> = location
        .contacts
        .iter()
        .filter(|contact| filters.iter().all(|filter| filter(contact)))
        .filter(|contact| {
            query.is_empty() || contact.json().to_string().to_lowercase().contains(&query)
        })
        .collect();
    found.sort_by_key(|contact| (contact.added, Arc::clone(&contact.id)));
    if body
        .get("sort")
        .is_none_or(|sort| sort[0]["direction"] != "asc")
    {
        found.reverse();
    }
    let first = first_row(&body, &found, limit)?;
    if first + limit > 10_000 && !body.contains_key("searchAfter") {
        return Err(
            errors::plain(400, "Result window is too large, use searchAfter")
                .violating("page beyond the reach of page mode"),
        );
    }
    let rows: Vec<Value> = found
        .iter()
        .skip(usize::try_from(first).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(|contact| {
            let mut row = contact.json();
            row["searchAfter"] = json!([contact.added, &*contact.id]);
            row
        })
        .collect();
    Ok(Reply::ok(
        &json!({"contacts": rows, "total": found.len(), "traceId": chance::uuid()}),
    ))
}

fn first_row(body: &Map<String, Value>, found: &[&Contact], limit: u64) -> Result<u64, Reply> {
    if let Some(after) = body
        .get("searchAfter")
        .and_then(Value::as_array)
        .filter(|after| !after.is_empty())
    {
        if body.contains_key("page") {
            return Err(errors::unprocessable(&[
                "page should not be sent with searchAfter".to_owned(),
            ]));
        }
        let place = found
            .iter()
            .position(|contact| after.get(1).and_then(Value::as_str) == Some(&contact.id));
        return Ok(place.map_or(found.len(), |place| place + 1) as u64);
    }
    match body.get("page") {
        None => Ok(0),
        Some(page) => match page.as_u64() {
            Some(page) if page > 0 => Ok((page - 1).saturating_mul(limit)),
            _ => Err(errors::unprocessable(&[
                "page must be a positive number".to_owned()
            ])),
        },
    }
}

type Accepts = Box<dyn Fn(&Contact) -> bool>;

/// `email` and `id` with `eq` (one value or a list), `dateUpdated` and `dateAdded` with `range`.
fn parse_filters(filters: &Value) -> Result<Vec<Accepts>, String> {
    let filters = filters.as_array().ok_or("filters must be an array")?;
    filters
        .iter()
        .map(|filter| {
            let value = &filter["value"];
            let wanted: Vec<String> = match value {
                Value::Array(all) => all.iter().filter_map(id_text).collect(),
                one => id_text(one).into_iter().collect(),
            };
            let bound = |name: &str| match &value[name] {
                Value::String(text) => instant::parse(text),
                number => number.as_i64(),
            };
            let (from, to) = (
                bound("gte").unwrap_or(i64::MIN),
                bound("lte").unwrap_or(i64::MAX),
            );
            Ok(
                match (filter["field"].as_str(), filter["operator"].as_str()) {
                    (Some("email"), Some("eq")) => Box::new(move |contact: &Contact| {
                        contact.email.as_ref().is_some_and(|email| {
                            wanted
                                .iter()
                                .any(|wanted| email.eq_ignore_ascii_case(wanted))
                        })
                    }) as Accepts,
                    (Some("id"), Some("eq")) => Box::new(move |contact: &Contact| {
                        wanted.iter().any(|id| **id == *contact.id)
                    }),
                    (Some("dateUpdated"), Some("range")) => {
                        Box::new(move |contact: &Contact| (from..=to).contains(&contact.updated))
                    }
                    (Some("dateAdded"), Some("range")) => {
                        Box::new(move |contact: &Contact| (from..=to).contains(&contact.added))
                    }
                    _ => return Err(format!("filter {filter} is not supported")),
                },
            )
        })
        .collect()
}
