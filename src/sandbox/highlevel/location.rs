//! What one location holds: objects, records, associations, relations, contacts.

use super::associations::Association;
use super::contacts::Contact;
use super::relations::Relations;
use super::schema::Object;
use crate::sandbox::chance;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// One record. Its properties are kept as JSON text, as a search page sends them.
pub(in crate::sandbox) struct Record {
    pub id: Arc<str>,
    pub created: i64,
    pub updated: i64,
    pub owner: Vec<String>,
    pub followers: Vec<String>,
    /// Text of a JSON object.
    pub properties: Box<str>,
    /// `source` of `lastUpdatedBy`.
    pub updated_by: &'static str,
}

impl Record {
    pub(in crate::sandbox) fn parsed(&self) -> Map<String, Value> {
        match serde_json::from_str(&self.properties) {
            Ok(Value::Object(properties)) => properties,
            _ => Map::new(),
        }
    }
}

/// The records of one object, with the orders that a search walks.
#[derive(Default)]
pub(in crate::sandbox) struct Table {
    records: HashMap<Arc<str>, Record>,
    pub by_updated: BTreeSet<(i64, Arc<str>)>,
    pub by_created: BTreeSet<(i64, Arc<str>)>,
}

impl Table {
    pub(in crate::sandbox) fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    pub(in crate::sandbox) fn len(&self) -> usize {
        self.records.len()
    }

    pub(in crate::sandbox) fn insert(&mut self, record: Record) {
        self.by_updated
            .insert((record.updated, Arc::clone(&record.id)));
        self.by_created
            .insert((record.created, Arc::clone(&record.id)));
        self.records.insert(Arc::clone(&record.id), record);
    }

    pub(in crate::sandbox) fn remove(&mut self, id: &str) -> Option<Record> {
        let record = self.records.remove(id)?;
        self.by_updated
            .remove(&(record.updated, Arc::clone(&record.id)));
        self.by_created
            .remove(&(record.created, Arc::clone(&record.id)));
        Some(record)
    }

    /// Sets the properties and a later `updatedAt`.
    pub(in crate::sandbox) fn update(
        &mut self,
        id: &str,
        properties: &Map<String, Value>,
        now: i64,
        by: &'static str,
    ) {
        if let Some(mut record) = self.remove(id) {
            record.updated = now.max(record.updated + 1);
            record.properties = Value::Object(properties.clone()).to_string().into();
            record.updated_by = by;
            self.insert(record);
        }
    }
}

/// The state of the HighLevel side.
pub(in crate::sandbox) struct Location {
    pub objects: Vec<Object>,
    /// By object key; custom objects only.
    pub tables: HashMap<String, Table>,
    pub associations: Vec<Association>,
    pub relations: Relations,
    pub contacts: Vec<Contact>,
    pub contact_places: HashMap<Arc<str>, usize>,
    pub rng: fastrand::Rng,
}

impl Location {
    pub(in crate::sandbox) fn object(&self, key: &str) -> Option<&Object> {
        self.objects
            .iter()
            .find(|object| object.key == key || object.id == key)
    }

    /// A custom object and its records, by key.
    pub(in crate::sandbox) fn table(&self, key: &str) -> Option<(&Object, &Table)> {
        Some((
            self.object(key).filter(|object| object.key == key)?,
            self.tables.get(key)?,
        ))
    }

    pub(in crate::sandbox) fn contact(&self, id: &str) -> Option<&Contact> {
        self.contacts.get(*self.contact_places.get(id)?)
    }

    pub(in crate::sandbox) fn new_id(&mut self) -> Arc<str> {
        chance::hex_id(&mut self.rng).into()
    }
}
