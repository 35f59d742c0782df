//! The rows that a person selects for an action of many: one by one, a range, all, the others.

use super::Records;
use crate::model::{Level, RecordId};
use crate::tui::canvas::{counted, grouped};
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use std::ops::RangeInclusive;

impl Records {
    /// The rows between the beginning of a range and the cursor.
    pub(super) fn ranged(&self) -> Option<RangeInclusive<usize>> {
        let (from, to) = (self.range?, self.table.cursor);
        Some(from.min(to)..=from.max(to))
    }

    /// True if a row is selected, or lies in the range that is being drawn.
    pub(super) fn is_selected(&self, row: usize, id: &RecordId) -> bool {
        self.selected.contains(id) || self.ranged().is_some_and(|rows| rows.contains(&row))
    }

    /// Selects the record under the cursor, or takes it out; goes to the next row.
    pub(super) fn select_one(&mut self, cx: &mut Cx) {
        if self.range.is_some() {
            self.take_range(cx);
            return;
        }
        let Some(id) = self.current().map(|record| record.id.clone()) else {
            return;
        };
        if !self.selected.remove(&id) {
            self.selected.insert(id);
        }
        let rows = self.rows();
        self.table.act(Action::Down, rows);
        self.moved(cx);
    }

    /// Begins a range at the cursor, or selects what lies in it.
    pub(super) fn select_range(&mut self, cx: &mut Cx) {
        match self.range {
            Some(_) => self.take_range(cx),
            None if self.rows() == 0 => {}
            None => self.range = Some(self.table.cursor),
        }
    }

    /// Selects the rows of the range that is being drawn, if one is.
    pub(super) fn take_range(&mut self, cx: &mut Cx) {
        let Some(rows) = self.ranged() else { return };
        self.range = None;
        let mut missing = 0;
        for row in rows {
            match self.record_at(row).map(|record| record.id.clone()) {
                Some(id) => {
                    self.selected.insert(id);
                }
                None => missing += 1,
            }
        }
        if missing > 0 {
            let text = format!(
                "{} of the range are not held any more and not selected: select fewer at a time",
                counted(missing, "row")
            );
            cx.toast(Level::Warning, text);
        }
    }

    /// Selects all rows that are read and shown.
    pub(super) fn select_all(&mut self, cx: &mut Cx) {
        self.range = None;
        let ids: Vec<RecordId> = self.held_rows().map(|record| record.id.clone()).collect();
        let read = ids.len() as u64;
        self.selected.extend(ids);
        if let Some(total) = self.list.total().filter(|total| *total > read) {
            let text = format!(
                "{} selected: those that are read and shown, of {}",
                counted(read, "record"),
                grouped(total)
            );
            cx.toast(Level::Ok, text);
        }
    }

    /// Selects of the rows that are read and shown those that were not selected, and only those.
    pub(super) fn invert(&mut self, cx: &mut Cx) {
        self.take_range(cx);
        let ids: Vec<RecordId> = self.held_rows().map(|record| record.id.clone()).collect();
        for id in ids {
            if !self.selected.remove(&id) {
                self.selected.insert(id);
            }
        }
    }
}
