//! Association definitions (fact sheet §3.2).

use super::{check_location, errors, only_query};
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{LOCATION_ID, Shared, chance};
use serde_json::{Value, json};
use std::sync::Arc;

pub(in crate::sandbox) struct Association {
    pub id: Arc<str>,
    pub key: &'static str,
    pub first_label: &'static str,
    pub first_key: &'static str,
    pub second_label: &'static str,
    pub second_key: &'static str,
}

impl Association {
    fn json(&self) -> Value {
        json!({
            "id": &*self.id, "key": self.key, "locationId": LOCATION_ID,
            "firstObjectLabel": self.first_label, "firstObjectKey": self.first_key,
            "secondObjectLabel": self.second_label, "secondObjectKey": self.second_key,
            "associationType": "USER_DEFINED",
            "firstObjectToSecondObjectCardinality": "MANY_TO_MANY",
            "secondObjectToFirstObjectCardinality": "MANY_TO_MANY",
        })
    }
}

fn page(associations: &[&Association], skip: usize, limit: usize) -> Reply {
    let shown: Vec<Value> = associations
        .iter()
        .skip(skip)
        .take(limit)
        .map(|association| association.json())
        .collect();
    Reply::ok(
        &json!({"associations": shown, "total": associations.len(), "traceId": chance::uuid()}),
    )
}

fn one(association: Option<&Association>, name: &str) -> Reply {
    match association {
        Some(association) => Reply::ok(&association.json()),
        None => errors::plain(404, &format!("Association ({name}) not found")),
    }
}

/// `skip` and `limit`, both required in the spec.
pub(super) fn skip_and_limit(call: &Call) -> Result<(usize, usize), Reply> {
    let number = |name: &str| {
        call.query(name)
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or_else(|| errors::unprocessable(&[format!("{name} must be a number string")]))
    };
    let (skip, limit) = (number("skip")?, number("limit")?);
    if limit == 0 || limit > 100 {
        return Err(errors::unprocessable(&[
            "limit must be between 1 and 100".to_owned()
        ]));
    }
    Ok((skip, limit))
}

/// `GET /associations/`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    let query = only_query(call, &["locationId", "skip", "limit"])
        .and_then(|()| check_location(call.query("locationId")))
        .and_then(|()| skip_and_limit(call));
    match query {
        Ok((skip, limit)) => page(
            &shared.location().associations.iter().collect::<Vec<_>>(),
            skip,
            limit,
        ),
        Err(reply) => reply,
    }
}

/// `GET /associations/{associationId}`.
pub(super) fn get(shared: &Shared, call: &Call, id: &str) -> Reply {
    if let Err(reply) = only_query(call, &[]) {
        return reply;
    }
    one(
        shared
            .location()
            .associations
            .iter()
            .find(|association| &*association.id == id),
        id,
    )
}

/// `GET /associations/key/{key_name}`.
pub(super) fn by_key(shared: &Shared, call: &Call, key: &str) -> Reply {
    if let Err(reply) =
        only_query(call, &["locationId"]).and_then(|()| check_location(call.query("locationId")))
    {
        return reply;
    }
    one(
        shared
            .location()
            .associations
            .iter()
            .find(|association| association.key == key),
        key,
    )
}

/// `GET /associations/objectKey/{objectKey}`; `locationId` is optional here.
pub(super) fn of_object(shared: &Shared, call: &Call, key: &str) -> Reply {
    let location = call.query("locationId").unwrap_or(LOCATION_ID);
    if let Err(reply) =
        only_query(call, &["locationId"]).and_then(|()| check_location(Some(location)))
    {
        return reply;
    }
    let location = shared.location();
    let found: Vec<&Association> = location
        .associations
        .iter()
        .filter(|association| association.first_key == key || association.second_key == key)
        .collect();
    page(&found, 0, found.len())
}
