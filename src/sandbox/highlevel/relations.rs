//! Relations between records (fact sheet §3.3).

use super::associations::skip_and_limit;
use super::records::body_object;
use super::{check_location, errors, only_query};
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{LOCATION_ID, Shared, chance};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

pub(in crate::sandbox) struct Relation {
    pub id: Arc<str>,
    pub association: Arc<str>,
    /// Object key and record id; the server may store a pair in either order.
    pub first: (&'static str, Arc<str>),
    pub second: (&'static str, Arc<str>),
}

impl Relation {
    /// Object key and id of the side that is not `id`.
    pub(in crate::sandbox) fn other_side(&self, id: &str) -> (&'static str, &Arc<str>) {
        let side = if &*self.first.1 == id {
            &self.second
        } else {
            &self.first
        };
        (side.0, &side.1)
    }

    fn json(&self) -> Value {
        json!({
            "id": &*self.id, "firstObjectKey": self.first.0, "firstRecordId": &*self.first.1,
            "secondObjectKey": self.second.0, "secondRecordId": &*self.second.1,
            "associationId": &*self.association, "locationId": LOCATION_ID, "primary": false,
        })
    }
}

/// All relations, found by either side.
#[derive(Default)]
pub(in crate::sandbox) struct Relations {
    by_id: HashMap<Arc<str>, Arc<Relation>>,
    by_record: HashMap<Arc<str>, Vec<Arc<Relation>>>,
}

impl Relations {
    pub(in crate::sandbox) fn add(&mut self, relation: Relation) {
        let relation = Arc::new(relation);
        self.by_record
            .entry(Arc::clone(&relation.first.1))
            .or_default()
            .push(Arc::clone(&relation));
        self.by_record
            .entry(Arc::clone(&relation.second.1))
            .or_default()
            .push(Arc::clone(&relation));
        self.by_id.insert(Arc::clone(&relation.id), relation);
    }

    pub(in crate::sandbox) fn of(&self, record: &str) -> &[Arc<Relation>] {
        self.by_record.get(record).map_or(&[], Vec::as_slice)
    }

    fn remove(&mut self, id: &str) -> Option<Arc<Relation>> {
        let relation = self.by_id.remove(id)?;
        for side in [&relation.first.1, &relation.second.1] {
            if let Some(relations) = self.by_record.get_mut(side) {
                relations.retain(|other| &*other.id != id);
            }
        }
        Some(relation)
    }

    /// Removes every relation of a deleted record.
    pub(in crate::sandbox) fn forget(&mut self, record: &str) {
        let ids: Vec<Arc<str>> = self
            .of(record)
            .iter()
            .map(|relation| Arc::clone(&relation.id))
            .collect();
        for id in ids {
            self.remove(&id);
        }
    }
}

/// `GET /associations/relations/{recordId}`.
pub(super) fn list(shared: &Shared, call: &Call, record: &str) -> Reply {
    let query = only_query(call, &["locationId", "skip", "limit", "associationIds"])
        .and_then(|()| check_location(call.query("locationId")))
        .and_then(|()| skip_and_limit(call));
    let (skip, limit) = match query {
        Ok(query) => query,
        Err(reply) => return reply,
    };
    let wanted: Vec<&str> = call
        .query
        .iter()
        .filter(|(name, _)| name.trim_end_matches("[]") == "associationIds")
        .map(|(_, value)| value.as_str())
        .collect();
    let location = shared.location();
    let found: Vec<&Arc<Relation>> = location
        .relations
        .of(record)
        .iter()
        .filter(|relation| wanted.is_empty() || wanted.contains(&&*relation.association))
        .collect();
    let shown: Vec<Value> = found
        .iter()
        .skip(skip)
        .take(limit)
        .map(|relation| relation.json())
        .collect();
    Reply::ok(&json!({"relations": shown, "total": found.len(), "traceId": chance::uuid()}))
}

/// `POST /associations/relations`.
pub(super) fn create(shared: &Shared, call: &Call) -> Reply {
    try_create(shared, call).unwrap_or_else(|reply| reply)
}

fn try_create(shared: &Shared, call: &Call) -> Result<Reply, Reply> {
    only_query(call, &[])?;
    let body = body_object(
        call,
        &[
            "locationId",
            "associationId",
            "firstRecordId",
            "secondRecordId",
        ],
    )?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match text("locationId") {
        None => {
            return Err(
                errors::plain(400, "LocationId is not specified").violating("no locationId")
            );
        }
        location => check_location(location)?,
    }
    let (Some(association), Some(first), Some(second)) = (
        text("associationId"),
        text("firstRecordId"),
        text("secondRecordId"),
    ) else {
        return Err(errors::unprocessable(&[
            "associationId, firstRecordId and secondRecordId must be strings".to_owned(),
        ]));
    };
    let mut location = shared.location();
    let id = location.new_id();
    let Some(definition) = location
        .associations
        .iter()
        .find(|known| &*known.id == association)
    else {
        return Err(errors::plain(
            404,
            &format!("Association ({association}) not found"),
        ));
    };
    let (association, keys) = (
        Arc::clone(&definition.id),
        [definition.first_key, definition.second_key],
    );
    for (key, record) in keys.into_iter().zip([first, second]) {
        let exists = if key == "contact" {
            location.contact(record).is_some()
        } else {
            location
                .tables
                .get(key)
                .is_some_and(|table| table.get(record).is_some())
        };
        if !exists {
            return Err(errors::plain(
                400,
                &format!("Could not create relation: {key} record {record} not found"),
            ));
        }
    }
    let duplicate = location.relations.of(first).iter().any(|relation| {
        relation.association == association && &**relation.other_side(first).1 == second
    });
    if duplicate {
        let message = format!(
            "Could not create relation: duplicate relation of object Ids for given association {association}"
        );
        return Err(errors::plain(400, &message));
    }
    let relation = Relation {
        id,
        association,
        first: (keys[0], first.into()),
        second: (keys[1], second.into()),
    };
    let body = relation.json();
    shared.webhooks.relation("RelationCreate", &relation);
    location.relations.add(relation);
    Ok(Reply::json(201, &body))
}

/// `DELETE /associations/relations/{relationId}`.
pub(super) fn delete(shared: &Shared, call: &Call, id: &str) -> Reply {
    if let Err(reply) =
        only_query(call, &["locationId"]).and_then(|()| check_location(call.query("locationId")))
    {
        return reply;
    }
    if let Some(relation) = shared.location().relations.remove(id) {
        shared.webhooks.relation("RelationDelete", &relation);
        Reply::ok(
            &json!({"deleted": true, "message": "Relation deleted successfully", "traceId": chance::uuid()}),
        )
    } else {
        errors::plain(404, &format!("Relation ({id}) not found"))
    }
}
