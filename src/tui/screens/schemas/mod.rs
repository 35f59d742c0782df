//! Objects at the left, the fields of the one under the cursor at the right.

mod screen;
mod view;

use super::{contains, find_row};
use crate::model::{ObjectKey, ObjectSchema, Property};
use crate::operations::schemas::SchemaSummary;
use crate::tui::context::Cx;
use crate::tui::load::Load;
use crate::tui::request::{Request, SchemaDetail};
use crate::tui::slots::Slot;
use crate::tui::widgets::table::TableState;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// HighLevel's limit of custom objects in a location (fact sheet §2.1).
const CUSTOM_OBJECTS: usize = 10;
/// The cursor must rest this long before an object's fields are read and shown: a slow line is not to carry a pane
/// for every row passed.
const SETTLE: SignedDuration = SignedDuration::from_millis(150);

/// The screen.
#[derive(Default)]
pub struct Schemas {
    list: Load<Vec<SchemaSummary>>,
    counted: bool,
    details: HashMap<ObjectKey, Load<SchemaDetail>>,
    asked: Option<ObjectKey>,
    /// The object whose fields are shown.
    beside: Option<ObjectKey>,
    settle: Option<Timestamp>,
    objects: TableState,
    fields: TableState,
    in_fields: bool,
    object_filter: String,
    field_filter: String,
}

impl Schemas {
    /// The objects that have records to list.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectSchema> {
        let all = self.list.value().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|s| &s.schema).filter(|s| searchable(&s.key))
    }

    fn shown(&self) -> Vec<&SchemaSummary> {
        let all = self.list.value().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(|s| {
                contains(&s.schema.plural, &self.object_filter)
                    || contains(s.schema.key.as_str(), &self.object_filter)
            })
            .collect()
    }

    fn current(&self) -> Option<&ObjectSchema> {
        self.shown().get(self.objects.cursor).map(|s| &s.schema)
    }

    /// True for a standard object that was counted, and of which this location lists no records: companies, at most of them.
    fn has_no_records(&self, key: &ObjectKey) -> bool {
        let mut all = self.list.value().into_iter().flatten();
        let summary = all.find(|summary| summary.schema.key == *key);
        summary.is_some_and(|summary| {
            let uncounted = summary.records.is_none() && summary.problem.is_none();
            self.counted && summary.schema.standard && uncounted
        })
    }

    fn detail(&self) -> Option<&Load<SchemaDetail>> {
        self.details.get(self.beside.as_ref()?)
    }

    /// Shows the fields of the object under the cursor.
    fn follow(&mut self, cx: &mut Cx) {
        let key = self.current().map(|schema| schema.key.clone());
        if self.beside != key {
            self.beside = key;
            self.fields.reset();
        }
        self.read_detail(cx);
    }

    fn shown_fields(&self) -> Vec<&Property> {
        let Some(detail) = self.detail().and_then(Load::value) else {
            return Vec::new();
        };
        detail
            .schema
            .properties
            .iter()
            .filter(|p| {
                contains(&p.name, &self.field_filter) || contains(&p.key, &self.field_filter)
            })
            .collect()
    }

    /// Narrows the list that takes the keys; the cursor stays on its row as long as that is shown.
    fn narrow(&mut self, text: &str, now: Timestamp) {
        if self.in_fields {
            let under = self.field().map(|property| property.key.clone());
            self.field_filter = text.to_owned();
            let mut shown = self.shown_fields().into_iter();
            let row = shown.position(|property| Some(&property.key) == under.as_ref());
            self.fields.stay(row);
        } else {
            let under = self.current().map(|schema| schema.key.clone());
            self.object_filter = text.to_owned();
            let mut shown = self.shown().into_iter();
            let row = shown.position(|summary| Some(&summary.schema.key) == under.as_ref());
            self.objects.stay(row);
            self.settle = Some(now + SETTLE);
        }
    }

    /// The field under the cursor.
    fn field(&self) -> Option<&Property> {
        self.shown_fields().get(self.fields.cursor).copied()
    }

    fn read_list(&mut self, totals: bool, cx: &mut Cx) {
        self.list.start();
        cx.ask(Slot::Schemas, Request::Schemas { totals });
    }

    fn read_detail(&mut self, cx: &mut Cx) {
        self.settle = None;
        let Some(key) = self.current().map(|schema| schema.key.clone()) else {
            return;
        };
        if self.details.get(&key).is_some_and(|load| !load.is_idle()) {
            return;
        }
        if let Some(older) = self.asked.replace(key.clone())
            && let Some(load) = self.details.get_mut(&older)
        {
            load.cancel();
        }
        self.details.entry(key.clone()).or_default().start();
        cx.ask(Slot::Schema, Request::Schema(key));
    }

    fn find(&mut self, forward: bool) {
        if self.in_fields {
            let names: Vec<String> = self
                .shown_fields()
                .iter()
                .map(|p| format!("{} {}", p.name, p.key))
                .collect();
            let hit = |row: usize| contains(&names[row], &self.field_filter);
            if let Some(row) = find_row(names.len(), self.fields.cursor, forward, hit) {
                self.fields.cursor = row;
            }
        } else {
            let names: Vec<String> = self
                .shown()
                .iter()
                .map(|s| format!("{} {}", s.schema.plural, s.schema.key))
                .collect();
            let hit = |row: usize| contains(&names[row], &self.object_filter);
            if let Some(row) = find_row(names.len(), self.objects.cursor, forward, hit) {
                self.objects.cursor = row;
            }
        }
    }
}

/// Why an object's schema holds no fields, where HighLevel keeps them elsewhere (fact sheet §3.1).
fn elsewhere(key: &ObjectKey) -> Option<&'static str> {
    match key.as_str() {
        "contact" => Some(
            "HighLevel gives the fields of contacts out as custom fields of the location, not with this schema: tramline api \
             highlevel GET '/locations/LOCATION/customFields?model=contact' lists them",
        ),
        "opportunity" => Some(
            "HighLevel gives the fields of opportunities out as custom fields of the location, not with this schema: tramline \
             api highlevel GET '/locations/LOCATION/customFields?model=opportunity' lists them",
        ),
        _ => None,
    }
}

/// False for objects whose records have no search (fact sheet §2.2).
fn searchable(key: &ObjectKey) -> bool {
    !matches!(key.as_str(), "contact" | "opportunity")
}
