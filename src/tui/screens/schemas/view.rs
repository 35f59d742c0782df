//! How objects and their fields look.

use super::{CUSTOM_OBJECTS, Schemas, elsewhere};
use crate::model::{DataType, Property};
use crate::operations::schemas::{SchemaSummary, reads};
use crate::tui::canvas::{Canvas, below, counted, cut, grouped};
use crate::tui::hits::Hit;
use crate::tui::load::Load;
use crate::tui::request::SchemaDetail;
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::TextBox;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell};
use crate::tui::widgets::text::{Paragraphs, Tone};
use ratatui::layout::Rect;

impl Schemas {
    /// Draws the screen.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rect) {
        if self.list.value().is_none_or(Vec::is_empty) {
            self.view_objects(canvas, area);
            return;
        }
        let left = (area.width * 2 / 5).clamp(26, 60);
        let objects = Rect {
            width: left.min(area.width),
            ..area
        };
        canvas.hit(objects, Hit::Pane(false));
        self.view_objects(canvas, objects);
        if area.width > left + 10 {
            let right = Rect {
                x: area.x + left,
                width: area.width - left,
                ..area
            };
            let right = canvas.divide(right);
            canvas.hit(right, Hit::Pane(true));
            self.view_fields(canvas, right);
        }
    }

    fn view_objects(&self, canvas: &mut Canvas, area: Rect) {
        let shown = self.shown();
        let theme = canvas.theme;
        let title = match self.list.value() {
            Some(all) => {
                let custom = all.iter().filter(|s| !s.schema.standard).count();
                format!("Objects  {custom} of {CUSTOM_OBJECTS} custom")
            }
            // How many there are is not known before they were read.
            None => "Objects".to_owned(),
        };
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
        let name = cut(&schema.plural, area.width / 2, theme.glyphs.cut);
        let mut title = format!("{name}  {}", schema.key);
        let detail = self.detail().and_then(Load::value);
        if let Some(detail) = detail.filter(|_| elsewhere(&schema.key).is_none()) {
            let fields = detail.schema.properties.len() as u64;
            title.push_str(&format!("  {}", counted(fields, "field")));
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
            let text = match (self.field_filter.is_empty(), elsewhere(&schema.key)) {
                (true, None) => "this object has no fields",
                (true, Some(why)) => why,
                (false, _) => "no field matches; esc clears the filter",
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
                let (mapped, is) = (mapped(detail, property), is(detail, property));
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

/// The contact fields that a field fills.
fn mapped<'d>(detail: &'d SchemaDetail, property: &Property) -> Vec<&'d str> {
    let mapped = detail.mapped_to.iter();
    let mapped = mapped.filter(|(name, _)| reads(name, &property.key));
    mapped.map(|(_, field)| field.trim_matches('%')).collect()
}

/// `primary required unique`, as far as they hold.
fn is(detail: &SchemaDetail, property: &Property) -> Vec<&'static str> {
    let words = [
        ("primary", detail.schema.primary_property == property.key),
        ("required", property.required == Some(true)),
        ("unique", property.unique == Some(true)),
    ];
    let words = words.into_iter().filter(|(_, holds)| *holds);
    words.map(|(word, _)| word).collect()
}

/// A field whole, with all its options: the columns have no room for them.
pub(super) fn whole(detail: &SchemaDetail, property: &Property) -> TextBox {
    let mut text = Paragraphs::default();
    text.add(format!("key      {}", property.key), Tone::Plain);
    text.add(
        format!("type     {}", property.data_type.as_str()),
        Tone::Plain,
    );
    let is = is(detail, property);
    if !is.is_empty() {
        text.add(format!("is       {}", is.join(", ")), Tone::Plain);
    }
    let mapped = mapped(detail, property);
    match mapped.is_empty() {
        true => text.add("fills no contact field", Tone::Muted),
        false => text.add(format!("fills    {}", mapped.join(", ")), Tone::Ok),
    }
    if !property.options.is_empty() || property.allow_custom_option {
        text.gap();
        let options = counted(property.options.len() as u64, "option");
        let more = match property.allow_custom_option {
            true => ", and any other text",
            false => "",
        };
        text.add(format!("{options}{more}"), Tone::Muted);
    }
    for option in &property.options {
        text.add(format!("{}   {}", option.label, option.key), Tone::Plain);
    }
    TextBox::new(property.name.clone(), text)
}
