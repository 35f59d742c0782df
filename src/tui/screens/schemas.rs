//! Objects at the left, the fields of the one under the cursor at the right.

use super::{Screen, WakeCx, contains, find_row};
use crate::model::{DataType, ObjectKey, ObjectSchema, Property};
use crate::operations::schemas::SchemaSummary;
use crate::tui::canvas::{Canvas, grouped};
use crate::tui::context::{Cx, Go};
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request, SchemaDetail};
use crate::tui::slots::Slot;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell, TableState};
use crate::tui::widgets::text::Tone;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;
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

    fn view_objects(&self, canvas: &mut Canvas, area: Rect) {
        let shown = self.shown();
        let custom = self
            .list
            .value()
            .map_or(0, |all| all.iter().filter(|s| !s.schema.standard).count());
        let theme = canvas.theme;
        let title = format!("Objects  {custom} of {CUSTOM_OBJECTS} custom");
        canvas.put(area.x, area.y, area.width, &title, theme.title);
        if !self.object_filter.is_empty() {
            let text = format!("/{}", self.object_filter);
            canvas.put_right(area.x, area.y, area.width, &text, theme.accent);
        }
        let area = below(area, 1);
        let Some(area) = state::of(canvas, area, &self.list, Slot::Schemas, "objects") else {
            return;
        };
        if shown.is_empty() {
            let text = match self.object_filter.is_empty() {
                true => "this location has no objects",
                false => "no object matches; esc clears the filter",
            };
            state::notice(canvas, area, &[(text, Tone::Muted)]);
            return;
        }
        let columns = [
            Column::new("object", 0, 12, 24),
            Column::new("records", 1, 9, 9).right(),
            Column::new("key", 2, 16, 40),
        ];
        let counting = canvas.spinner(Slot::Schemas);
        table::draw(
            canvas,
            area,
            &columns,
            &self.objects,
            shown.len(),
            !self.in_fields,
            |at| {
                let summary = shown.get(at)?;
                let style = if summary.schema.standard {
                    theme.muted
                } else {
                    theme.text
                };
                let records = match (summary.records, counting) {
                    (Some(records), _) => grouped(records),
                    (None, Some(spinner)) if !self.counted => spinner.to_owned(),
                    (None, _) => theme.glyphs.none.to_owned(),
                };
                Some(Row {
                    cells: vec![
                        TableCell::new(summary.schema.plural.as_str(), style),
                        TableCell::new(records, theme.text),
                        TableCell::new(summary.schema.key.as_str(), theme.muted),
                    ],
                    selected: false,
                })
            },
        );
    }

    fn view_fields(&self, canvas: &mut Canvas, area: Rect) {
        let all = self.list.value().map(Vec::as_slice).unwrap_or_default();
        let beside = |s: &&SchemaSummary| self.beside.as_ref() == Some(&s.schema.key);
        let Some(SchemaSummary { schema, .. }) = all.iter().find(beside) else {
            return;
        };
        let theme = canvas.theme;
        let mut title = format!("{}  {}", schema.plural, schema.key);
        if let Some(detail) = self.detail().and_then(Load::value) {
            title.push_str(&format!("  {} fields", detail.schema.properties.len()));
        }
        canvas.put(area.x, area.y, area.width, &title, theme.title);
        if !self.field_filter.is_empty() {
            let text = format!("/{}", self.field_filter);
            canvas.put_right(area.x, area.y, area.width, &text, theme.accent);
        }
        let area = below(area, 1);
        let idle = Load::Idle;
        let load = self.detail().unwrap_or(&idle);
        if load.is_idle() {
            return;
        }
        let Some(area) = state::of(canvas, area, load, Slot::Schema, "fields") else {
            return;
        };
        let Some(detail) = load.value() else {
            return;
        };
        let shown = self.shown_fields();
        if shown.is_empty() {
            let text = match self.field_filter.is_empty() {
                true => "this object has no fields",
                false => "no field matches; esc clears the filter",
            };
            state::notice(canvas, area, &[(text, Tone::Muted)]);
            return;
        }
        let columns = [
            Column::new("label", 0, 12, 28),
            Column::new("type", 1, 10, 16),
            Column::new("key", 2, 10, 28),
            Column::new("mapped to", 3, 12, 30),
            Column::new("is", 4, 9, 16),
            Column::new("options", 5, 16, 60),
        ];
        table::draw(
            canvas,
            area,
            &columns,
            &self.fields,
            shown.len(),
            self.in_fields,
            |at| {
                let property = shown.get(at)?;
                let mapped: Vec<&str> = detail
                    .mapped_to
                    .iter()
                    .filter(|(key, _)| *key == property.key)
                    .map(|(_, field)| field.trim_matches('%'))
                    .collect();
                let mut is = Vec::new();
                if detail.schema.primary_property == property.key {
                    is.push("primary");
                }
                if property.required == Some(true) {
                    is.push("required");
                }
                if property.unique == Some(true) {
                    is.push("unique");
                }
                let options: Vec<&str> =
                    property.options.iter().map(|o| o.label.as_str()).collect();
                let kind = match &property.data_type {
                    DataType::Unknown(_) => theme.warn,
                    _ => theme.muted,
                };
                Some(Row {
                    cells: vec![
                        TableCell::new(property.name.as_str(), theme.text),
                        TableCell::new(property.data_type.as_str(), kind),
                        TableCell::new(property.key.as_str(), theme.muted),
                        TableCell::new(mapped.join(", "), theme.ok),
                        TableCell::new(is.join(" "), theme.text),
                        TableCell::new(options.join(", "), theme.muted),
                    ],
                    selected: false,
                })
            },
        );
    }
}

/// What is left of an area below some lines.
pub fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect {
        y: area.y + lines,
        height: area.height - lines,
        ..area
    }
}

impl Screen for Schemas {
    fn open(&mut self, cx: &mut Cx) {
        if self.list.is_idle() {
            self.read_list(false, cx);
        }
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        match action {
            Action::Reload => {
                self.details.clear();
                self.counted = false;
                self.read_list(false, cx);
            }
            Action::Left => self.in_fields = false,
            Action::Switch if self.in_fields => self.in_fields = false,
            Action::Switch | Action::Right => {
                self.in_fields = true;
                self.follow(cx);
            }
            Action::Open => {
                if let Some(schema) = self.current() {
                    if self.list.value().is_some() && !searchable(&schema.key) {
                        cx.toast(
                            crate::model::Level::Warning,
                            format!(
                                "records of {} cannot be listed: HighLevel has no search for them",
                                schema.key
                            ),
                        );
                        return;
                    }
                    let full = self
                        .details
                        .get(&schema.key)
                        .and_then(Load::value)
                        .map(|d| Box::new(d.schema.clone()));
                    cx.did(format!("tramline records list {}", schema.key.short()));
                    cx.go(Go::Records(schema.key.clone(), full));
                }
            }
            Action::OpenMapping => {
                let Some(schema) = self.current() else { return };
                match cx.session.mapping_of(&schema.key).map(|m| m.name.clone()) {
                    Some(name) => cx.go(Go::Mapping(name)),
                    None => {
                        let text = format!(
                            "no mapping of {}: add [mappings.NAME] to config.toml",
                            schema.key
                        );
                        cx.toast(crate::model::Level::Warning, text);
                    }
                }
            }
            Action::Copy => {
                let text = if self.in_fields {
                    self.shown_fields()
                        .get(self.fields.cursor)
                        .map(|p| p.key.clone())
                } else {
                    self.current().map(|schema| schema.key.to_string())
                };
                if let Some(text) = text {
                    cx.copy("key", text);
                }
            }
            Action::NextMatch | Action::PreviousMatch => {
                self.find(action == Action::NextMatch);
                self.settle = Some(cx.now + SETTLE);
            }
            _ if self.in_fields => {
                let rows = self.shown_fields().len();
                self.fields.act(action, rows);
            }
            _ => {
                let rows = self.shown().len();
                if self.objects.act(action, rows) {
                    self.settle = Some(cx.now + SETTLE);
                }
            }
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Schemas { totals, result } => {
                let ok = result.is_ok();
                self.list.finish(result, cx.now);
                self.counted = totals;
                let rows = self.shown().len();
                self.objects.clamp(rows);
                if ok && !totals {
                    // The names are shown at once; counting costs a call for each object.
                    cx.ask(Slot::Schemas, Request::Schemas { totals: true });
                }
                self.follow(cx);
            }
            Reply::Schema(key, result) => {
                self.details.entry(key).or_default().finish(result, cx.now);
                let rows = self.shown_fields().len();
                self.fields.clamp(rows);
            }
            _ => {}
        }
    }

    fn back(&mut self, _cx: &mut Cx) -> bool {
        if self.in_fields {
            if !self.field_filter.is_empty() {
                self.field_filter.clear();
            } else {
                self.in_fields = false;
            }
            true
        } else if !self.object_filter.is_empty() {
            self.object_filter.clear();
            true
        } else {
            false
        }
    }

    fn filter(&self) -> &str {
        if self.in_fields {
            &self.field_filter
        } else {
            &self.object_filter
        }
    }

    fn set_filter(&mut self, text: &str, _done: bool, cx: &mut Cx) {
        if self.in_fields {
            self.field_filter = text.to_owned();
            self.fields.reset();
        } else {
            self.object_filter = text.to_owned();
            self.objects.reset();
            self.settle = Some(cx.now + SETTLE);
        }
    }

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::Schemas => {
                self.counted = true;
                self.list.cancel();
            }
            Slot::Schema => {
                for load in self.details.values_mut() {
                    load.cancel();
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &mut Cx) {
        if self.settle.is_some_and(|at| at <= cx.now) {
            self.follow(cx);
        }
    }

    fn wake(&self, _cx: &WakeCx) -> Option<Timestamp> {
        self.settle
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        if self.list.value().is_none_or(Vec::is_empty) {
            self.view_objects(canvas, area);
            return;
        }
        let left = (area.width * 2 / 5).clamp(26, 60);
        self.view_objects(
            canvas,
            Rect {
                width: left.min(area.width),
                ..area
            },
        );
        if area.width > left + 10 {
            let right = Rect {
                x: area.x + left,
                width: area.width - left,
                ..area
            };
            let right = canvas.divide(right);
            self.view_fields(canvas, right);
        }
    }
}

/// False for objects whose records have no search (fact sheet §2.2).
fn searchable(key: &ObjectKey) -> bool {
    !matches!(key.as_str(), "contact" | "opportunity")
}
