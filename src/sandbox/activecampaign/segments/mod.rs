//! Segments as ActiveCampaign's own OpenAPI files describe them: saved ones, the documents that make them, and matching
//! (fact sheet §4).

mod document;
mod matching;

use super::account::{Account, Contact};
use super::page;
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{Shared, chance, instant};
use document::{Document, attributes};
use matching::Run;
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) use matching::{match_ad_hoc, match_one, match_stored, run};

/// Whom a segment holds.
#[derive(Clone)]
enum Rule {
    /// Made in the segment builder, whose documents for fields are published nowhere: a field, by its personalisation tag,
    /// holds a value.
    Holds {
        field: &'static str,
        value: &'static str,
    },
    /// Made through the API.
    Document(Document),
}

impl Rule {
    fn matches(&self, account: &Account, contact: &Contact) -> bool {
        match self {
            Self::Holds { field, value } => account
                .fields
                .iter()
                .find(|known| known.perstag == *field)
                .and_then(|field| contact.values.iter().find(|held| held.field == field.id))
                .is_some_and(|held| held.value.split("||").any(|part| part == *value)),
            Self::Document(document) => document.matches(contact),
        }
    }
}

struct Stored {
    id: String,
    /// Empty for one that was made to be matched once: it is in no list.
    name: String,
    rule: Rule,
    /// `data.attributes` as they came; null for those of the builder.
    attributes: Value,
    created: i64,
}

/// Stored segments, and matching runs by id.
#[derive(Default)]
pub(in crate::sandbox) struct Segments {
    stored: Vec<Stored>,
    runs: HashMap<String, Run>,
}

impl Segments {
    /// A segment that is there from the start: contacts whose field (by personalisation tag) holds a value.
    pub(super) fn sample(
        &mut self,
        id: &str,
        name: &str,
        field: &'static str,
        value: &'static str,
        created: i64,
    ) {
        self.stored.push(Stored {
            id: id.to_owned(),
            name: name.to_owned(),
            rule: Rule::Holds { field, value },
            attributes: Value::Null,
            created,
        });
    }

    fn get(&self, id: &str) -> Option<&Stored> {
        self.stored.iter().find(|segment| segment.id == id)
    }

    fn named(&self) -> impl Iterator<Item = &Stored> {
        self.stored
            .iter()
            .filter(|segment| !segment.name.is_empty())
    }
}

/// 400 and 404 as the files show them.
fn refused(status: u16, detail: &str) -> Reply {
    Reply::json(
        status,
        &json!({"errors": [{"status": status.to_string(), "detail": detail}]}),
    )
}

fn not_found(id: &str) -> Reply {
    Reply::json(
        404,
        &json!({"errors": [{"status": "404 NOT_FOUND", "title": format!("Segment {id} not found")}]}),
    )
}

fn data(segment: &Stored) -> Value {
    let mut attributes = segment.attributes.clone();
    attributes["name"] = segment.name.clone().into();
    attributes["segment_id"] = segment.id.clone().into();
    attributes["created_date"] = instant::utc(segment.created).into();
    json!({"data": [{"id": segment.id, "type": "Segment.v2", "attributes": attributes}]})
}

/// `GET /segments`, the list from before audiences: segments with a number for an id.
pub(super) fn legacy(shared: &Shared, call: &Call) -> Reply {
    let account = shared.account();
    let numbered = account
        .segments
        .named()
        .filter(|segment| segment.id.bytes().all(|byte| byte.is_ascii_digit()));
    let all = numbered.map(|segment| {
        json!({"name": segment.name, "logic": "and", "hidden": "0", "seriesid": "0", "links": {}, "id": segment.id})
    });
    page::of_items(call, "segments", all.collect(), &[])
}

/// `GET /audiences`: summaries of saved segments in pages, without a total.
pub(super) fn audiences(shared: &Shared, call: &Call) -> Reply {
    let known = ["page", "page_size", "sort", "search"];
    if let Some((name, _)) = call
        .query
        .iter()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        let detail = format!("Unknown query parameter: {name}");
        return refused(400, &detail).violating(detail);
    }
    let number = |name: &str, default: usize| {
        call.query(name)
            .map_or(Some(default), |text| text.parse().ok())
            .filter(|number| *number >= 1)
    };
    let (Some(page), Some(size)) = (number("page", 1), number("page_size", 20)) else {
        return refused(400, "page and page_size are numbers from 1").violating("a bad page");
    };
    if size > 10_000 {
        return refused(400, "page_size is at most 10000").violating("a page_size above 10000");
    }
    let account = shared.account();
    let search = call.query("search").map(str::to_lowercase);
    let mut found: Vec<&Stored> = account
        .segments
        .named()
        .filter(|segment| {
            let name = segment.name.to_lowercase();
            search.as_ref().is_none_or(|part| name.contains(part))
        })
        .collect();
    let sort = call.query("sort").unwrap_or("-updated_date");
    let (key, descending) = sort
        .strip_prefix('-')
        .map_or((sort, false), |key| (key, true));
    match key {
        "name" => found.sort_by_key(|segment| segment.name.to_lowercase()),
        "updated_date" | "recent" => found.sort_by_key(|segment| segment.created),
        "last_total" | "last_active_total" => {
            found.sort_by_cached_key(|segment| totals(&account, segment));
        }
        _ => return refused(400, "unknown sort").violating(format!("unknown sort {sort}")),
    }
    if descending {
        found.reverse();
    }
    let rows: Vec<Value> = found
        .into_iter()
        .skip((page - 1).saturating_mul(size))
        .take(size)
        .map(|segment| summary(&account, segment))
        .collect();
    Reply::ok(&json!({ "data": rows }))
}

/// Contacts that match, and those of them that are on a list.
fn totals(account: &Account, segment: &Stored) -> (usize, usize) {
    let matching = account
        .contacts
        .values()
        .filter(|contact| segment.rule.matches(account, contact));
    matching.fold((0, 0), |(all, active), contact| {
        let is_active = contact.lists.iter().any(|list| list.status == 1);
        (all + 1, active + usize::from(is_active))
    })
}

fn summary(account: &Account, segment: &Stored) -> Value {
    let (all, active) = totals(account, segment);
    let at = instant::utc(segment.created);
    let count = |number: usize| json!({"count": number, "last_total_updated": at});
    json!({"id": segment.id, "type": "audience", "attributes": {
        "segment_id": segment.id, "category": "audience", "name": segment.name,
        "counts": {"last_total": count(all), "last_active_total": count(active)},
        "created_date": at, "updated_date": at,
    }})
}

/// `POST /segmentsV2`.
pub(super) fn create(shared: &Shared, call: &Call) -> Reply {
    let (attributes, document) = match attributes(call).and_then(|attributes| {
        let document = Document::read(&attributes)?;
        Ok((attributes, document))
    }) {
        Ok(read) => read,
        Err(detail) => return refused(400, &detail).violating(detail),
    };
    let name = attributes["name"].as_str().unwrap_or_default().to_owned();
    let mut account = shared.account();
    let folded = name.trim().to_lowercase();
    if !folded.is_empty()
        && account
            .segments
            .named()
            .any(|segment| segment.name.trim().to_lowercase() == folded)
    {
        return refused(400, "Segment name must be unique.");
    }
    let segment = Stored {
        id: chance::uuid(),
        name,
        rule: Rule::Document(document),
        attributes,
        created: instant::now(),
    };
    let answer = data(&segment);
    account.segments.stored.push(segment);
    Reply::ok(&answer)
}

/// `GET /segmentsV2/{id}`.
pub(super) fn get(shared: &Shared, id: &str) -> Reply {
    match shared.account().segments.get(id) {
        Some(segment) => Reply::ok(&data(segment)),
        None => not_found(id),
    }
}

/// `DELETE /segmentsV2/{id}`: the answer is the segment as it was.
pub(super) fn delete(shared: &Shared, id: &str) -> Reply {
    let stored = &mut shared.account().segments.stored;
    match stored.iter().position(|segment| segment.id == id) {
        Some(place) => Reply::ok(&data(&stored.remove(place))),
        None => not_found(id),
    }
}
