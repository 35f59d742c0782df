//! `POST /objects/{schemaKey}/records/search` (fact sheet §2.7), in page mode and with a cursor.

use super::filters::{Filter, Lazy};
use super::location::{Location, Record, Table};
use super::records::{body_location, body_object, row};
use super::schema::Object;
use super::{errors, only_query};
use crate::sandbox::quirks::{PageWithSearchAfter, Sort};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Quirks, Shared, chance};
use serde_json::{Map, Value};
use std::fmt::Write;
use std::ops::Bound;
use std::sync::Arc;

/// What rows are ordered by.
enum Key {
    Created,
    Updated,
    Property(String),
}

struct Order {
    key: Key,
    descending: bool,
}

/// Where a page begins.
enum Start {
    Row(usize),
    /// The `searchAfter` of the last row seen: its sort value and id.
    After(Value, String),
}

struct Search {
    start: Start,
    limit: usize,
    order: Order,
    query: String,
    filters: Vec<Filter>,
}

pub(super) fn search(shared: &Shared, call: &Call, key: &str) -> Reply {
    try_search(shared, call, key).unwrap_or_else(|reply| reply)
}

fn try_search(shared: &Shared, call: &Call, key: &str) -> Result<Reply, Reply> {
    let quirks = &shared.options.quirks;
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
    body_location(shared, call, &body)?;
    let location = shared.location();
    let Some((object, table)) = location.table(key) else {
        return Err(errors::object_not_found(key));
    };
    let search = Search::parse(&body, object, quirks)
        .map_err(|complaints| errors::unprocessable(&complaints))?;
    if let Start::Row(first) = search.start
        && first + search.limit > quirks.page_reach
    {
        return Err(
            errors::plain(400, "Result window is too large, use searchAfter")
                .violating("page beyond the reach of page mode"),
        );
    }
    let (total, rows) = search.run(&location, object, table);
    let mut body = String::with_capacity(rows.len() * 1600 + 100);
    body.push_str(r#"{"records":["#);
    for (at, record) in rows.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        row(&location, object, record, quirks, &mut body);
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            r#","searchAfter":[{},"{}"]}}"#,
            search.order.cursor(record),
            record.id
        );
    }
    let _ = write!(
        body,
        r#"],"total":{total},"traceId":"{}"}}"#,
        chance::uuid()
    );
    Ok(Reply::text(200, body))
}

/// A JSON number that is a whole one, not a string of digits.
fn whole(value: Option<&Value>) -> Option<usize> {
    value?
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
}

impl Search {
    fn parse(
        body: &Map<String, Value>,
        object: &Object,
        quirks: &Quirks,
    ) -> Result<Self, Vec<String>> {
        let mut complaints = Vec::new();
        let after = match body.get("searchAfter") {
            None => None,
            Some(Value::Array(cursor)) if cursor.is_empty() => None,
            Some(Value::Array(cursor)) => match cursor.as_slice() {
                [value, id] if id.is_string() => {
                    Some((value.clone(), id_text(id).unwrap_or_default()))
                }
                _ => {
                    complaints.push("searchAfter must be the searchAfter of a record".to_owned());
                    None
                }
            },
            Some(_) => {
                complaints.push("searchAfter must be an array".to_owned());
                None
            }
        };
        let page = body.get("page");
        if after.is_some()
            && page.is_some()
            && quirks.page_with_search_after == PageWithSearchAfter::Reject
        {
            complaints.push("page should not be sent with searchAfter".to_owned());
        }
        let page_needed =
            after.is_none() || quirks.page_with_search_after == PageWithSearchAfter::Require;
        let number = whole(page).filter(|page| *page > 0);
        if number.is_none() && (page_needed || page.is_some()) {
            complaints
                .push("page must be a number conforming to the specified constraints".to_owned());
        }
        let limit = whole(body.get("pageLimit"))
            .filter(|limit| (1..=quirks.max_page_limit).contains(limit));
        if limit.is_none() {
            complaints.push(format!(
                "pageLimit must be a number between 1 and {}",
                quirks.max_page_limit
            ));
        }
        let query = match body.get("query") {
            None => "",
            Some(Value::String(query)) => query,
            Some(_) => {
                complaints.push("query must be a string".to_owned());
                ""
            }
        };
        let filters = match body.get("filters") {
            None => Vec::new(),
            Some(Value::Array(filters)) => filters
                .iter()
                .filter_map(|filter| {
                    Filter::parse(filter, object)
                        .map_err(|complaint| complaints.push(complaint))
                        .ok()
                })
                .collect(),
            Some(_) => {
                complaints.push("filters must be an array".to_owned());
                Vec::new()
            }
        };
        let order = Order::parse(body.get("sort"), object, quirks).unwrap_or_else(|complaint| {
            complaints.push(complaint);
            Order {
                key: Key::Created,
                descending: true,
            }
        });
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let limit = limit.unwrap_or(1);
        let start = match after {
            Some((value, id)) => Start::After(value, id),
            None => Start::Row((number.unwrap_or(1) - 1).saturating_mul(limit)),
        };
        Ok(Self {
            start,
            limit,
            order,
            query: query.to_lowercase(),
            filters,
        })
    }

    /// The number of matching records and the rows of this page.
    fn run<'a>(
        &self,
        location: &'a Location,
        object: &Object,
        table: &'a Table,
    ) -> (usize, Vec<&'a Record>) {
        let index = match &self.order.key {
            Key::Updated => &table.by_updated,
            Key::Created | Key::Property(_) => &table.by_created,
        };
        let find = |(_, id): &'a (i64, Arc<str>)| table.get(id);
        let everything = self.query.is_empty() && self.filters.is_empty();
        if everything && !matches!(self.order.key, Key::Property(_)) {
            let rows = match (&self.start, self.order.descending) {
                (Start::Row(first), true) => index
                    .iter()
                    .rev()
                    .skip(*first)
                    .take(self.limit)
                    .filter_map(find)
                    .collect(),
                (Start::Row(first), false) => index
                    .iter()
                    .skip(*first)
                    .take(self.limit)
                    .filter_map(find)
                    .collect(),
                (Start::After(value, id), descending) => {
                    let cursor = (milliseconds(value), Arc::from(id.as_str()));
                    if descending {
                        index
                            .range(..cursor)
                            .rev()
                            .take(self.limit)
                            .filter_map(find)
                            .collect()
                    } else {
                        let bounds = (Bound::Excluded(cursor), Bound::Unbounded);
                        index
                            .range(bounds)
                            .take(self.limit)
                            .filter_map(find)
                            .collect()
                    }
                }
            };
            return (table.len(), rows);
        }
        let mut matching: Vec<&Record> = index
            .iter()
            .filter_map(find)
            .filter(|record| self.accepts(location, object, record))
            .collect();
        if let Key::Property(key) = &self.order.key {
            matching.sort_by_cached_key(|record| sort_text(record.parsed().get(key)));
        }
        if self.order.descending {
            matching.reverse();
        }
        let total = matching.len();
        let first = match &self.start {
            Start::Row(first) => *first,
            Start::After(value, id) => self.order.after(&matching, value, id),
        };
        (
            total,
            matching.into_iter().skip(first).take(self.limit).collect(),
        )
    }

    fn accepts(&self, location: &Location, object: &Object, record: &Record) -> bool {
        let lazy = Lazy::new(location, record);
        self.filters.iter().all(|filter| filter.accepts(&lazy))
            && (self.query.is_empty() || self.found_in(object, &lazy))
    }

    /// Whether the query matches: any searchable property, or the one named in `field:value`.
    fn found_in(&self, object: &Object, lazy: &Lazy) -> bool {
        let contains = |key: &str, wanted: &str| {
            let wanted = wanted.trim_matches('*');
            lazy.properties()
                .get(key)
                .and_then(Value::as_str)
                .is_some_and(|text| text.to_lowercase().contains(wanted))
        };
        match self.query.split_once(':') {
            Some((field, wanted)) if object.searchable.contains(&field) => contains(field, wanted),
            _ => object
                .searchable
                .iter()
                .any(|field| contains(field, &self.query)),
        }
    }
}

fn milliseconds(value: &Value) -> i64 {
    id_text(value)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Sorts numbers by size and everything else as text.
fn sort_text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Number(number)) => format!("{:020.6}", number.as_f64().unwrap_or(0.0)),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

impl Order {
    fn parse(sort: Option<&Value>, object: &Object, quirks: &Quirks) -> Result<Self, String> {
        let default = Self {
            key: Key::Created,
            descending: true,
        };
        let Some(sort) = sort else { return Ok(default) };
        match quirks.sort {
            Sort::Reject => return Err("property sort should not exist".to_owned()),
            Sort::Ignore => return Ok(default),
            Sort::Honour => {}
        }
        let items = sort.as_array().ok_or("sort must be an array")?;
        let Some(first) = items.first() else {
            return Ok(default);
        };
        let descending = match first["direction"].as_str() {
            Some("asc") => false,
            Some("desc") => true,
            _ => return Err("sort.direction must be asc or desc".to_owned()),
        };
        let key = match first["field"].as_str() {
            Some("updatedAt") => Key::Updated,
            Some("createdAt") => Key::Created,
            Some(field) => match field.strip_prefix("properties.") {
                Some(key) if object.field(key).is_some() => Key::Property(key.to_owned()),
                _ => return Err(format!("sort.field {field} is not sortable")),
            },
            None => return Err("sort.field must be a string".to_owned()),
        };
        Ok(Self { key, descending })
    }

    /// First element of a row's `searchAfter`.
    fn cursor(&self, record: &Record) -> String {
        match &self.key {
            Key::Created => record.created.to_string(),
            Key::Updated => record.updated.to_string(),
            Key::Property(key) => Value::from(sort_text(record.parsed().get(key))).to_string(),
        }
    }

    /// Place of the first row after a cursor, in rows that stand in this order.
    fn after(&self, rows: &[&Record], value: &Value, id: &str) -> usize {
        let past = |record: &Record| {
            let time = match self.key {
                Key::Created => record.created,
                Key::Updated => record.updated,
                Key::Property(_) => return false,
            };
            let place = (time, &*record.id).cmp(&(milliseconds(value), id));
            if self.descending {
                place.is_lt()
            } else {
                place.is_gt()
            }
        };
        match self.key {
            Key::Property(_) => rows
                .iter()
                .position(|record| &*record.id == id)
                .map_or(rows.len(), |place| place + 1),
            _ => rows
                .iter()
                .position(|record| past(record))
                .unwrap_or(rows.len()),
        }
    }
}
