//! One record: read, create, update, delete (fact sheet §2.5).

use super::location::{Location, Record};
use super::schema::Object;
use super::{check_location, errors, only_query};
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{LOCATION_ID, Quirks, Shared, chance, instant};
use serde_json::{Map, Value, json};
use std::fmt::Write;

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    Value::from(texts).to_string()
}

/// The text of `properties` as the quirks want it read.
pub(super) fn properties_text<'a>(
    object: &Object,
    record: &'a Record,
    quirks: &Quirks,
) -> std::borrow::Cow<'a, str> {
    let mut text = std::borrow::Cow::Borrowed(&*record.properties);
    if quirks.numbers_as_strings {
        let mut properties = record.parsed();
        for (key, value) in &mut properties {
            if value.is_number()
                && object
                    .field(key)
                    .is_some_and(|field| field.data_type == "NUMERICAL")
            {
                *value = Value::String(value.to_string());
            }
        }
        text = Value::Object(properties).to_string().into();
    }
    if quirks.properties_as_string {
        quoted(&text).into()
    } else {
        text
    }
}

/// The items of `relations` in a record.
pub(super) fn relations_text(location: &Location, id: &str, quirks: &Quirks, out: &mut String) {
    out.push('[');
    if quirks.relations_in_records {
        for (at, relation) in location.relations.of(id).iter().enumerate() {
            let (key, other) = relation.other_side(id);
            // Ids and keys need no escaping, and writing to a String cannot fail.
            let _ = write!(
                out,
                r#"{}{{"associationId":"{}","objectKey":"{key}","recordId":"{other}"}}"#,
                if at == 0 { "" } else { "," },
                relation.association,
            );
        }
    }
    out.push(']');
}

fn answer(
    shared: &Shared,
    location: &Location,
    object: &Object,
    record: &Record,
    status: u16,
) -> Reply {
    let quirks = &shared.options.quirks;
    let mut relations = String::new();
    relations_text(location, &record.id, quirks, &mut relations);
    Reply::text(
        status,
        format!(
            r#"{{"record":{{"id":"{}","owner":{},"followers":{},"properties":{},"dateAdded":"{}","dateUpdated":"{}","relations":{relations}}},"traceId":"{}"}}"#,
            record.id,
            list(&record.owner),
            list(&record.followers),
            properties_text(object, record, quirks),
            instant::utc(record.created),
            instant::utc(record.updated),
            chance::uuid(),
        ),
    )
}

/// `GET …/records/{id}`; the live API takes a `locationId` that the spec does not name.
pub(super) fn get(shared: &Shared, call: &Call, key: &str, id: &str) -> Reply {
    if let Err(reply) = only_query(call, &["locationId"]) {
        return reply;
    }
    if let Some(location) = call.query("locationId")
        && let Err(reply) = check_location(Some(location))
    {
        return reply;
    }
    let location = shared.location();
    let Some((object, table)) = location.table(key) else {
        return errors::object_not_found(key);
    };
    match table.get(id) {
        Some(record) => answer(shared, &location, object, record, 200),
        None => errors::record_not_found(id),
    }
}

/// A write's body: an object with no keys but `allowed`.
pub(super) fn body_object(call: &Call, allowed: &[&str]) -> Result<Map<String, Value>, Reply> {
    let body = match call.json() {
        Ok(Value::Object(body)) => body,
        Ok(_) => {
            return Err(
                errors::plain(400, "Bad Request").violating("the body is not a JSON object")
            );
        }
        Err(error) => {
            return Err(errors::plain(400, &error.to_string()).violating("the body is not JSON"));
        }
    };
    let unknown: Vec<String> = body
        .keys()
        .filter(|key| !allowed.contains(&key.as_str()))
        .map(|key| format!("property {key} should not exist"))
        .collect();
    if unknown.is_empty() {
        Ok(body)
    } else {
        Err(errors::unprocessable(&unknown))
    }
}

/// `locationId` of a body, which `Version: v3` may refuse.
pub(super) fn body_location(
    shared: &Shared,
    call: &Call,
    body: &Map<String, Value>,
) -> Result<(), Reply> {
    check_location(body.get("locationId").and_then(Value::as_str))?;
    if shared.options.quirks.v3_refuses_body_location && call.header("version") == Some("v3") {
        return Err(errors::plain(
            401,
            "This location is not accessible from this token.",
        ));
    }
    Ok(())
}

fn people(body: &Map<String, Value>, name: &str, max: usize) -> Result<Option<Vec<String>>, Reply> {
    let Some(value) = body.get(name) else {
        return Ok(None);
    };
    let ids: Option<Vec<String>> = value.as_array().and_then(|ids| {
        ids.iter()
            .map(|id| id.as_str().map(str::to_owned))
            .collect()
    });
    match ids {
        Some(ids) if ids.len() <= max => Ok(Some(ids)),
        _ => Err(errors::unprocessable(&[format!(
            "{name} must be an array of at most {max} user ids"
        )])),
    }
}

fn written_properties(
    object: &Object,
    body: &Map<String, Value>,
) -> Result<Option<Map<String, Value>>, Reply> {
    match body.get("properties") {
        None => Ok(None),
        Some(Value::Object(properties)) => {
            let complaints = object.complaints(properties);
            if complaints.is_empty() {
                Ok(Some(properties.clone()))
            } else {
                Err(errors::unprocessable(&complaints))
            }
        }
        Some(_) => Err(errors::unprocessable(&[
            "properties must be an object".to_owned()
        ])),
    }
}

fn without_empty(properties: Map<String, Value>) -> Map<String, Value> {
    properties
        .into_iter()
        .filter(|(_, value)| !value.is_null() && value != "")
        .collect()
}

/// `POST …/records`: `locationId` in the body.
pub(super) fn create(shared: &Shared, call: &Call, key: &str) -> Reply {
    try_create(shared, call, key).unwrap_or_else(|reply| reply)
}

fn try_create(shared: &Shared, call: &Call, key: &str) -> Result<Reply, Reply> {
    only_query(call, &[])?;
    let body = body_object(call, &["locationId", "owners", "followers", "properties"])?;
    body_location(shared, call, &body)?;
    let mut location = shared.location();
    let id = location.new_id();
    let Some((object, _)) = location.table(key) else {
        return Err(errors::object_not_found(key));
    };
    let Some(properties) = written_properties(object, &body)? else {
        return Err(errors::unprocessable(&[
            "properties should not be empty".to_owned()
        ]));
    };
    let now = instant::now();
    let record = Record {
        id: id.clone(),
        created: now,
        updated: now,
        owner: people(&body, "owners", 1)?.unwrap_or_default(),
        followers: people(&body, "followers", 10)?.unwrap_or_default(),
        properties: Value::Object(without_empty(properties)).to_string().into(),
        updated_by: "INTEGRATION",
    };
    if let Some(table) = location.tables.get_mut(key) {
        table.insert(record);
    }
    match location
        .table(key)
        .and_then(|(object, table)| Some((object, table.get(&id)?)))
    {
        Some((object, record)) => {
            shared.webhooks.record("RecordCreate", key, record);
            Ok(answer(shared, &location, object, record, 201))
        }
        None => Err(errors::object_not_found(key)),
    }
}

/// `PUT …/records/{id}?locationId=`: `locationId` in the query and nowhere else.
pub(super) fn update(shared: &Shared, call: &Call, key: &str, id: &str) -> Reply {
    try_update(shared, call, key, id).unwrap_or_else(|reply| reply)
}

fn try_update(shared: &Shared, call: &Call, key: &str, id: &str) -> Result<Reply, Reply> {
    only_query(call, &["locationId"])?;
    match call.query("locationId") {
        None => {
            return Err(
                errors::object_not_found(key).violating("PUT without locationId in the query")
            );
        }
        location => check_location(location)?,
    }
    let body = body_object(call, &["owners", "followers", "properties"])?;
    let mut location = shared.location();
    let Some((object, table)) = location.table(key) else {
        return Err(errors::object_not_found(key));
    };
    let Some(record) = table.get(id) else {
        return Err(errors::record_not_found(id));
    };
    let properties = match written_properties(object, &body)? {
        None => record.parsed(),
        Some(written) if shared.options.quirks.put_merges => {
            let mut merged = record.parsed();
            merged.extend(written);
            merged
        }
        Some(written) => written,
    };
    let (owner, followers) = (people(&body, "owners", 1)?, people(&body, "followers", 10)?);
    if let Some(table) = location.tables.get_mut(key) {
        table.update(
            id,
            &without_empty(properties),
            instant::now(),
            "INTEGRATION",
        );
        if let Some(mut record) = table.remove(id) {
            record.owner = owner.unwrap_or(record.owner);
            record.followers = followers.unwrap_or(record.followers);
            table.insert(record);
        }
    }
    match location
        .table(key)
        .and_then(|(object, table)| Some((object, table.get(id)?)))
    {
        Some((object, record)) => {
            shared.webhooks.record("RecordUpdate", key, record);
            Ok(answer(shared, &location, object, record, 200))
        }
        None => Err(errors::record_not_found(id)),
    }
}

/// `DELETE …/records/{id}`: no `locationId` anywhere.
pub(super) fn delete(shared: &Shared, call: &Call, key: &str, id: &str) -> Reply {
    if let Err(reply) = only_query(call, &[]) {
        return reply;
    }
    if !call.body.is_empty()
        && let Err(reply) = body_object(call, &[])
    {
        return reply;
    }
    let mut location = shared.location();
    let Some(table) = location.tables.get_mut(key) else {
        return errors::object_not_found(key);
    };
    let Some(record) = table.remove(id) else {
        return errors::record_not_found(id);
    };
    location.relations.forget(id);
    shared.webhooks.record("RecordDelete", key, &record);
    Reply::ok(&json!({"id": id, "success": true, "traceId": chance::uuid()}))
}

/// One row of a search answer.
pub(super) fn row(
    location: &Location,
    object: &Object,
    record: &Record,
    quirks: &Quirks,
    out: &mut String,
) {
    let (created, updated) = (instant::utc(record.created), instant::utc(record.updated));
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"{{"id":"{}","locationId":"{LOCATION_ID}","objectId":"{}","objectKey":"{}","createdBy":{{"channel":"WEB_USER","createdAt":"{created}","source":"WEB_USER","sourceId":"sx6wyHhbFdRXh302Lunr"}},"lastUpdatedBy":{{"channel":"WEB_USER","createdAt":"{updated}","source":"{}","sourceId":"sx6wyHhbFdRXh302Lunr"}},"owner":{},"followers":{},"properties":{},"createdAt":"{created}","updatedAt":"{updated}","relations":"#,
        record.id,
        object.id,
        object.key,
        record.updated_by,
        list(&record.owner),
        list(&record.followers),
        properties_text(object, record, quirks),
    );
    relations_text(location, &record.id, quirks, out);
}
