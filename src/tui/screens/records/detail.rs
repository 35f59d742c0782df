//! One record in three views: properties, JSON, and beside its contact.

use super::table::{ordered, title};
use super::{Records, View, value};
use crate::model::Record;
use crate::tui::canvas::{Canvas, below, counted, shown_width};
use crate::tui::hits::Hit;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::slots::Slot;
use crate::tui::widgets::text::{Paragraphs, Tone, out_of_sight, wrap};
use crate::tui::widgets::{diff, state};
use ratatui::layout::Rect;

/// A record as JSON, as `records get --json` prints it.
pub fn json(record: &Record) -> serde_json::Value {
    serde_json::to_value(record).unwrap_or_default()
}

/// A record's properties as lines: label, type, value.
pub(super) fn properties(records: &Records, record: &Record) -> Vec<(String, String, String)> {
    let mut lines = Vec::new();
    let schema = records.schema.value();
    if let Some(schema) = schema {
        for property in ordered(schema) {
            lines.push((
                property.name.clone(),
                property.data_type.as_str().to_owned(),
                value::of(property, &record.properties),
            ));
        }
    }
    for (key, raw) in &record.properties {
        let base = key.split('.').next().unwrap_or(key);
        let known = schema.is_some_and(|s| s.property(key).is_some() || s.property(base).is_some());
        if !known {
            lines.push((key.clone(), String::new(), value::show(None, raw)));
        }
    }
    lines
}

impl Records {
    /// Draws the detail of the record under the cursor.
    pub(super) fn view_detail(&self, canvas: &mut Canvas, area: Rect, focused: bool) {
        let Some(record) = self.current() else {
            return;
        };
        let theme = canvas.theme;
        let mut x = area.x;
        for (view, name) in [
            (View::Properties, "properties"),
            (View::Json, "JSON"),
            (View::Sync, "sync view"),
        ] {
            let style = if self.view == view {
                theme.title
            } else {
                theme.muted
            };
            x += canvas.put(x, area.y, area.right().saturating_sub(x), name, style) + 2;
        }
        let id = record.id.as_str();
        let width = shown_width(id) as u16;
        if x + width < area.right() {
            canvas.put_right(x, area.y, area.right() - x, id, theme.muted);
        }
        let body = below(area, 1);
        match self.view {
            View::Properties => self.view_properties(canvas, body, record, focused),
            View::Json => self.tree.draw(canvas, body, &json(record), focused),
            View::Sync => self.view_sync(canvas, body, record, focused),
        }
    }

    fn view_properties(&self, canvas: &mut Canvas, area: Rect, record: &Record, focused: bool) {
        let theme = canvas.theme;
        let lines = properties(self, record);
        let name = title(self.schema.value(), record);
        canvas.put(area.x, area.y, area.width, &name, theme.title);
        let mut y = area.y + 1;
        let label = (area.width / 4).clamp(10, 28);
        let kind = if area.width >= 70 { 17 } else { 0 };
        let room = area.width.saturating_sub(label + kind + 2);
        let cursor = self.field.min(lines.len().saturating_sub(1));
        // The value under the cursor is shown whole, so the lines above it may have to leave.
        let whole = lines
            .get(cursor)
            .map_or(1, |(_, _, v)| wrap(v, room).len().clamp(1, 200));
        let visible = usize::from(area.height.saturating_sub(3));
        let from = (cursor + whole.min(visible)).saturating_sub(visible);
        let mut shown = from;
        for (at, (name, data_type, text)) in lines.iter().enumerate().skip(from) {
            if y + 1 >= area.bottom() {
                break;
            }
            shown = at + 1;
            let under = focused && at == cursor;
            let steps = at as isize - cursor as isize;
            canvas.hit(Rect::new(area.x, y, area.width, 1), Hit::Row(steps));
            let style = if under { theme.cursor } else { theme.accent };
            canvas.put(area.x, y, label, name, style);
            if kind > 0 {
                canvas.put(area.x + label + 1, y, kind - 1, data_type, theme.muted);
            }
            let x = area.x + label + kind + 1;
            if under {
                let lines = wrap(text, room);
                let fits = usize::from(area.bottom() - 1 - y);
                for (line, place) in lines.iter().zip(y..area.bottom() - 1) {
                    canvas.put(x, place, room, line, theme.text);
                }
                if let Some(more) = lines.len().checked_sub(fits).filter(|more| *more > 0) {
                    // The note has the last line for itself, so that it hides nothing.
                    let key = canvas.key(Action::Open);
                    let more = counted(more as u64 + 1, "more line");
                    let (note, last) = (format!("{more}: {key} shows all"), area.bottom() - 2);
                    canvas.clear(Rect::new(x, last, room, 1));
                    canvas.put(x, last, room, &note, theme.muted);
                }
                y += lines.len().min(fits) as u16;
                continue;
            }
            if text.is_empty() {
                canvas.put(x, y, room, theme.glyphs.none, theme.muted);
            } else {
                canvas.put(x, y, room, text, theme.text);
            }
            y += 1;
        }
        let times = [
            ("created", record.created_at),
            ("updated", record.updated_at),
        ];
        let times: Vec<String> = times
            .into_iter()
            .filter_map(|(what, at)| Some(format!("{what} {}", canvas.date_time(at?))))
            .collect();
        // What is out of sight has its place, whatever else the last row says.
        let note = out_of_sight(from, lines.len() - shown);
        let row = area.bottom().saturating_sub(1);
        canvas.put_right(area.x, row, area.width, &note, theme.accent);
        if y < area.bottom() {
            let taken = match note.is_empty() {
                true => 0,
                false => shown_width(&note) as u16 + 2,
            };
            let room = area.width.saturating_sub(taken);
            canvas.put(area.x, y, room, &times.join("   "), theme.muted);
        }
    }

    /// The field under the cursor whole, in a window of its own: title and text.
    pub(super) fn whole(&self) -> Option<(String, Paragraphs)> {
        let record = self.current()?;
        let mut text = Paragraphs::default();
        let (title, value) = match self.view {
            View::Properties => {
                let lines = properties(self, record);
                let (name, kind, value) = lines.into_iter().nth(self.field)?;
                (format!("{name}  {kind}"), value)
            }
            View::Json => self.tree.under(&json(record))?,
            View::Sync => {
                let (id, load) = self.preview.as_ref()?;
                let preview = load.value().filter(|_| *id == record.id)?;
                return Some(diff::whole_text(preview, &self.segments, self.field));
            }
        };
        let title = match title.trim() {
            "" => self::title(self.schema.value(), record),
            title => title.to_owned(),
        };
        match value.is_empty() {
            true => text.add("no value", Tone::Muted),
            false => text.add(value, Tone::Plain),
        }
        Some((title, text))
    }

    fn view_sync(&self, canvas: &mut Canvas, area: Rect, record: &Record, focused: bool) {
        let mapping = canvas.session.mapping_of(&record.object);
        if mapping.is_none() {
            let text = format!("no mapping of {}", record.object);
            let lines = [
                (text.as_str(), Tone::Plain),
                ("add [mappings.NAME] to config.toml", Tone::Muted),
            ];
            state::notice(canvas, area, &lines);
            return;
        }
        let idle = Load::Loading { last: None };
        let load = match &self.preview {
            Some((id, load)) if *id == record.id => load,
            _ => &idle,
        };
        if let Some(area) = state::of(canvas, area, load, Slot::Preview, "the contact")
            && let Some(preview) = load.value()
        {
            let segments = &self.segments;
            diff::draw(canvas, area, preview, segments, self.field, focused);
        }
    }
}
