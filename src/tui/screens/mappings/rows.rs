//! What lines and rules have in common as rows: the marks of changes, and what is said where there are none.

use super::Mappings;
use crate::operations::draft::{Change, Draft};
use crate::tui::canvas::Canvas;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell, TableState};
use crate::tui::widgets::text::Tone;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// A row: what a change of it is about, and its cells.
pub(super) type Marked<'r> = (Cow<'r, str>, Vec<TableCell<'r>>);

impl Mappings {
    /// Draws rows with the marks of what differs from config.toml.
    pub(super) fn view_rows<'r>(
        &self,
        canvas: &mut Canvas,
        area: Rect,
        mut columns: Vec<Column>,
        table: &TableState,
        rows: usize,
        row: impl Fn(usize) -> Option<Marked<'r>>,
    ) {
        let changes = self.edited().map(Draft::changes).unwrap_or_default();
        // The marks have a column only where there are some.
        let marks = !changes.is_empty();
        if marks {
            columns.insert(0, Column::new("", 0, 1, 1));
        }
        let warn = canvas.theme.warn;
        // Where rows are out of sight, the last line says how many.
        let whole = usize::from(area.height) > rows || area.height < 4;
        let note = Rect {
            y: area.bottom().saturating_sub(1),
            height: 1,
            ..area
        };
        let area = Rect {
            height: area.height - u16::from(!whole),
            ..area
        };
        table::draw(canvas, area, &columns, table, rows, true, |at| {
            let (target, mut cells) = row(at)?;
            if marks {
                let change = changes.iter().find(|change| change.target == target);
                cells.insert(0, TableCell::new(change.map_or("", Change::mark), warn));
            }
            Some(Row {
                cells,
                selected: false,
            })
        });
        if !whole {
            let height = usize::from(area.height - 1);
            let above = table.scroll(height, rows);
            let parts = [
                (above, "above"),
                (rows.saturating_sub(above + height), "below"),
            ];
            let parts = parts.iter().filter(|(number, _)| *number > 0);
            let parts: Vec<String> = parts
                .map(|(n, place)| format!("{n} more {place}"))
                .collect();
            let (text, muted) = (parts.join(", "), canvas.theme.muted);
            canvas.put_right(note.x, note.y, note.width, &text, muted);
        }
    }

    /// Says that there are no rows: `none` without a filter, else that no `noun` matches it.
    pub(super) fn view_none(&self, canvas: &mut Canvas, area: Rect, none: &str, noun: &str) {
        let text = match self.filter.is_empty() {
            true => none.to_owned(),
            false => format!("no {noun} matches; esc clears the filter"),
        };
        state::notice(canvas, area, &[(&text, Tone::Muted)]);
    }
}
