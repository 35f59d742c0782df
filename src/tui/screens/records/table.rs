//! The columns and rows of the list of records.

use super::layout::{Layout, Sort};
use super::{Records, value};
use crate::model::{DataType, ObjectSchema, Property, Record};
use crate::operations::records::csv;
use crate::tui::canvas::{Canvas, below, counted, grouped, short_id, shown_width};
use crate::tui::keymap::Action;
use crate::tui::slots::Slot;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell};
use crate::tui::widgets::text::Tone;
use jiff::Timestamp;
use ratatui::layout::Rect;

/// A schema's properties in the order of the columns: the one that names the record first.
pub fn ordered(schema: &ObjectSchema) -> Vec<&Property> {
    let mut properties: Vec<&Property> = schema.properties.iter().collect();
    properties.sort_by_key(|p| p.key != schema.primary_property);
    properties
}

/// The heading of a column.
pub fn column_title(schema: Option<&ObjectSchema>, column: &csv::Column) -> String {
    match column {
        csv::Column::Id => "id".to_owned(),
        csv::Column::Created => "created".to_owned(),
        csv::Column::Updated => "updated".to_owned(),
        csv::Column::Property(key) => {
            let property = schema.and_then(|schema| schema.property(key));
            property.map_or_else(|| key.clone(), |property| property.name.clone())
        }
    }
}

/// Columns of the terminal that a column takes, at least and at most.
fn width_of(property: Option<&Property>, column: &csv::Column) -> (u16, u16) {
    match (column, property.map(|property| &property.data_type)) {
        (csv::Column::Id, _) => (24, 24),
        (csv::Column::Created | csv::Column::Updated, _) => (11, 11),
        (_, Some(DataType::Numerical | DataType::Monetory | DataType::Date)) => (10, 14),
        (_, Some(DataType::LargeText | DataType::FileUpload | DataType::TextboxList)) => (12, 40),
        (_, Some(DataType::Email)) => (14, 32),
        _ => (10, 26),
    }
}

/// One column of the list. The time of the last change stays long unless a person chose the columns.
fn column(
    at: usize,
    wanted: &csv::Column,
    schema: Option<&ObjectSchema>,
    layout: &Layout,
    arrow: &str,
) -> Column {
    let property = match wanted {
        csv::Column::Property(key) => schema.and_then(|schema| schema.property(key)),
        _ => None,
    };
    let (min, max) = match layout.width(wanted) {
        Some(width) => (width, width),
        None => width_of(property, wanted),
    };
    let priority = match wanted {
        csv::Column::Updated if !layout.is_chosen() => 2,
        _ => (at + 1).min(250) as u8,
    };
    let title = format!("{arrow}{}", column_title(schema, wanted));
    let column = Column::new(title, priority, min, max);
    match property.map(|property| &property.data_type) {
        Some(DataType::Numerical | DataType::Monetory) => column.right(),
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
    /// What is said beside the title: what is searched for, filtered and sorted by, selected, written.
    fn said(&self, canvas: &Canvas) -> Vec<String> {
        let glyphs = canvas.theme.glyphs;
        let mut said = Vec::new();
        if let Some(filing) = &self.filing {
            let key = canvas.key(Action::Back);
            said.push(format!("{}; {key} stops", filing.text()));
        }
        if let Some(query) = &self.query {
            said.push(format!("search {query}"));
        }
        let held = self.list.held().count() as u64;
        let (text, rows) = (&self.local, grouped(self.rows() as u64));
        match (text.is_empty(), self.keeping) {
            (true, _) => {}
            (false, true) => said.push(format!(
                "/{text}  {rows} of the rows read; enter keeps them"
            )),
            (false, false) if *text == self.kept => {
                said.push(format!("/{text}  {rows} of {} read", grouped(held)));
            }
            (false, false) => {
                said.push(format!(
                    "/{text}  {rows} of the rows read; enter searches all"
                ));
            }
        }
        if let Some(sort) = self.sort() {
            let by = column_title(self.schema.value(), &sort.column);
            let direction = direction(canvas, sort);
            let whole = self.list.is_whole() && self.list.len() as u64 == held;
            said.push(match self.local_sort() {
                None => format!("{direction} {by}, by HighLevel"),
                // How much is read stands beside the filter already.
                Some(_) if whole || !text.is_empty() => format!("{direction} {by}"),
                Some(_) => format!("{direction} {by}, of {} read", grouped(held)),
            });
        }
        if let Some(rows) = self.ranged() {
            let rows = counted(rows.count() as u64, "row");
            said.push(format!("{} range of {rows}", glyphs.selected));
        } else if !self.selected.is_empty() {
            said.push(format!(
                "{} {} selected",
                glyphs.selected,
                self.selected.len()
            ));
        }
        said
    }

    fn view_title(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let name = self.schema.value().map_or_else(
            || self.object.as_ref().map_or("", |o| o.short()).to_owned(),
            |s| s.plural.clone(),
        );
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
        // However long the name is, and what is searched for: where one is stays in sight.
        canvas.put_right(area.x, area.y, area.width, &place, theme.muted);
        let end = area.right().saturating_sub(shown_width(&place) as u16 + 1);
        let most = (area.width / 3).max(20);
        let mut x = area.x + canvas.put(area.x, area.y, most.min(area.width), &name, theme.title);
        for text in self.said(canvas) {
            let room = end.saturating_sub(x);
            x += canvas.put(x, area.y, room, &format!("  {text}"), theme.accent);
        }
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
                (None, false) if self.local == self.kept && !self.keeping => {
                    "none of the rows read matches; esc clears the filter".to_owned()
                }
                (None, false) if self.keeping => {
                    "none of the rows read matches; esc leaves the filter".to_owned()
                }
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
        let layout = self.layout();
        let wanted = layout.columns(schema);
        let sort = self.sort();
        let arrow = |column: &csv::Column| match sort.filter(|sort| sort.column == *column) {
            Some(sort) => format!("{} ", direction(canvas, sort)),
            None => String::new(),
        };
        let columns: Vec<Column> = wanted
            .iter()
            .enumerate()
            .map(|(at, wanted)| column(at, wanted, schema, &layout, &arrow(wanted)))
            .collect();
        let (session, now) = (canvas.session, canvas.now);
        table::draw(canvas, area, &columns, &self.table, rows, focused, |at| {
            let record = self.record_at(at)?;
            let time = |at: Option<Timestamp>| {
                let text = at.map(|at| session.time(at, now)).unwrap_or_default();
                TableCell::new(text, theme.muted)
            };
            let cells = wanted
                .iter()
                .enumerate()
                .map(|(place, column)| match column {
                    csv::Column::Id => TableCell::new(record.id.as_str(), theme.text),
                    csv::Column::Created => time(record.created_at),
                    csv::Column::Updated => time(record.updated_at),
                    csv::Column::Property(key) => {
                        let property = schema.and_then(|schema| schema.property(key));
                        let text = property.map(|p| value::of(p, &record.properties));
                        match text.unwrap_or_default() {
                            text if text.is_empty() && place == 0 => {
                                TableCell::new(short_id(record.id.as_str()), theme.muted)
                            }
                            text => TableCell::new(text, theme.text),
                        }
                    }
                });
            Some(Row {
                cells: cells.collect(),
                selected: self.is_selected(at, &record.id),
            })
        });
    }
}

/// The mark of a sort's direction.
fn direction(canvas: &Canvas, sort: &Sort) -> &'static str {
    match sort.descending {
        true => canvas.theme.glyphs.descending,
        false => canvas.theme.glyphs.ascending,
    }
}
