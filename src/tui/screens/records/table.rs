//! The columns and rows of the list of records.

use super::Records;
use super::value;
use crate::model::{DataType, ObjectSchema, Property, Record};
use crate::tui::canvas::{Canvas, below, grouped, short_id};
use crate::tui::keymap::Action;
use crate::tui::slots::Slot;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell};
use crate::tui::widgets::text::Tone;
use ratatui::layout::Rect;

/// A schema's properties in the order of the columns: the one that names the record first.
pub fn ordered(schema: &ObjectSchema) -> Vec<&Property> {
    let mut properties: Vec<&Property> = schema.properties.iter().collect();
    properties.sort_by_key(|p| p.key != schema.primary_property);
    properties
}

fn column(at: usize, property: &Property) -> Column {
    let (min, max) = match property.data_type {
        DataType::Numerical | DataType::Monetory | DataType::Date => (10, 14),
        DataType::LargeText | DataType::FileUpload | DataType::TextboxList => (12, 40),
        DataType::Email => (14, 32),
        _ => (10, 26),
    };
    let column = Column::new(property.name.clone(), (at + 1).min(250) as u8, min, max);
    match property.data_type {
        DataType::Numerical | DataType::Monetory => column.right(),
        _ => column,
    }
}

/// The name of a record: its primary property, else its id.
pub fn title(schema: Option<&ObjectSchema>, record: &Record) -> String {
    schema
        .and_then(|s| s.property(&s.primary_property))
        .map(|p| value::of(p, &record.properties))
        .filter(|text| !text.trim().is_empty())
        .unwrap_or_else(|| short_id(record.id.as_str()))
}

impl Records {
    fn view_title(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let name = self.schema.value().map_or_else(
            || self.object.as_ref().map_or("", |o| o.short()).to_owned(),
            |s| s.plural.clone(),
        );
        let mut x = area.x + canvas.put(area.x, area.y, area.width, &name, theme.title);
        if let Some(query) = &self.query {
            let text = format!("  search {query}");
            x += canvas.put(
                x,
                area.y,
                area.right().saturating_sub(x),
                &text,
                theme.accent,
            );
        }
        if !self.local.is_empty() {
            let text = format!(
                "  /{}  {} of the rows read; enter searches all",
                self.local,
                self.rows()
            );
            x += canvas.put(
                x,
                area.y,
                area.right().saturating_sub(x),
                &text,
                theme.accent,
            );
        }
        if !self.selected.is_empty() {
            let text = format!(
                "  {} {} selected",
                theme.glyphs.selected,
                self.selected.len()
            );
            x += canvas.put(
                x,
                area.y,
                area.right().saturating_sub(x),
                &text,
                theme.accent,
            );
        }
        let mut place = match (self.rows(), self.list.total()) {
            (0, _) => String::new(),
            (_, Some(total)) if self.shown.is_none() => {
                format!(
                    "{} of {}",
                    grouped(self.table.cursor as u64 + 1),
                    grouped(total)
                )
            }
            (rows, _) => format!("{} of {}", self.table.cursor + 1, grouped(rows as u64)),
        };
        if let Some(spinner) = canvas.spinner(Slot::Records) {
            place = format!("{spinner} {place}");
        }
        let room = area.right().saturating_sub(x + 1);
        canvas.put_right(x + 1, area.y, room, &place, theme.muted);
    }

    /// Draws the list.
    pub(super) fn view_list(&self, canvas: &mut Canvas, area: Rect, focused: bool) {
        self.view_title(canvas, area);
        let area = below(area, 1);
        let theme = canvas.theme;
        let Some(area) = state::of(canvas, area, &self.load, Slot::Records, "records") else {
            return;
        };
        let rows = self.rows();
        if rows == 0 {
            let text = match (&self.query, self.local.is_empty()) {
                (Some(_), _) => "no record matches the search; esc clears it".to_owned(),
                (None, false) => {
                    "none of the rows read matches; enter searches all, esc clears".to_owned()
                }
                (None, true) => {
                    format!(
                        "this object has no records; {} makes one",
                        canvas.key(Action::New)
                    )
                }
            };
            state::notice(canvas, area, &[(&text, Tone::Muted)]);
            return;
        }
        let schema = self.schema.value();
        let properties = schema.map(ordered).unwrap_or_default();
        let mut columns: Vec<Column> = properties
            .iter()
            .enumerate()
            .map(|(at, property)| column(at, property))
            .collect();
        if columns.is_empty() {
            columns.push(Column::new("record", 0, 24, 24));
        }
        columns.push(Column::new("updated", 2, 11, 11));
        let times = canvas.session.time_zone.clone();
        let now = canvas.now;
        table::draw(canvas, area, &columns, &self.table, rows, focused, |at| {
            let record = self.record_at(at)?;
            let mut cells: Vec<TableCell> = properties
                .iter()
                .map(|property| TableCell::new(value::of(property, &record.properties), theme.text))
                .collect();
            if cells.is_empty() {
                cells.push(TableCell::new(record.id.as_str(), theme.text));
            } else if cells[0].text.is_empty() {
                cells[0] = TableCell::new(short_id(record.id.as_str()), theme.muted);
            }
            let updated = record.updated_at.map(|at| {
                let (at, now) = (at.to_zoned(times.clone()), now.to_zoned(times.clone()));
                let format = if at.date() == now.date() {
                    "%H:%M:%S"
                } else {
                    "%m-%d %H:%M"
                };
                at.strftime(format).to_string()
            });
            cells.push(TableCell::new(updated.unwrap_or_default(), theme.muted));
            Some(Row {
                cells,
                selected: self.selected.contains(&record.id),
            })
        });
    }
}
