//! The columns of the list: the one under the cursor, how wide it is, what is sorted by, which are shown.

use super::Records;
use super::chooser::{Choice, Chooser};
use super::layout::{Layout, Sort};
use super::table::column_title;
use crate::model::Level;
use crate::operations::records::csv::Column;
use crate::tui::context::Cx;
use crate::tui::widgets::overlay::Overlay;

impl Records {
    /// The layout of the object in view.
    pub(super) fn layout(&self) -> Layout {
        let layout = self
            .object
            .as_ref()
            .and_then(|object| self.layouts.get(object));
        layout.cloned().unwrap_or_default()
    }

    /// The columns in view.
    pub(super) fn columns(&self) -> Vec<Column> {
        self.layout().columns(self.schema.value())
    }

    /// The column under the cursor.
    pub(super) fn column(&self) -> Option<Column> {
        let columns = self.columns();
        let at = self.table.heading.unwrap_or_default();
        let at = at.min(columns.len().checked_sub(1)?);
        columns.into_iter().nth(at)
    }

    fn change_layout(&mut self, cx: &mut Cx, change: impl FnOnce(&mut Layout)) {
        if let Some(object) = self.object.clone() {
            change(self.layouts.entry(object).or_default());
            cx.remember();
        }
    }

    /// Goes one column to the right or to the left.
    pub(super) fn move_heading(&mut self, right: bool) {
        let last = self.columns().len().saturating_sub(1);
        let at = self.table.heading.unwrap_or_default().min(last);
        self.table.heading = Some(match right {
            true => (at + 1).min(last),
            false => at.saturating_sub(1),
        });
    }

    pub(super) fn resize(&mut self, wider: bool, cx: &mut Cx) {
        let drawn = self.table.heading_width();
        if let Some(column) = self.column().filter(|_| drawn > 0) {
            self.change_layout(cx, |layout| layout.resize(column, drawn, wider));
        }
    }

    pub(super) fn sort_by(&mut self, sort: Option<Sort>, cx: &mut Cx) {
        let before = self.order();
        self.change_layout(cx, |layout| layout.sort = sort);
        if self.order() != before {
            self.restart(cx);
        } else {
            self.range = None;
            self.shown = self.arranged();
            self.table.reset();
            self.moved(cx);
        }
    }

    pub(super) fn choose_columns(&mut self, cx: &mut Cx) {
        let Some(schema) = self.schema.value() else {
            cx.toast(Level::Warning, "the object's fields are not read yet");
            return;
        };
        let layout = self.layout();
        let shown = layout.columns(Some(schema));
        let others = layout.others(schema);
        let all = shown.iter().chain(&others).cloned();
        let choices = all.enumerate().map(|(at, column)| Choice {
            title: column_title(Some(schema), &column),
            note: match &column {
                Column::Property(key) => {
                    let kind = schema.property(key).map(|p| p.data_type.as_str());
                    format!("{key}  {}", kind.unwrap_or_default())
                }
                other => other.heading().to_owned(),
            },
            shown: at < shown.len(),
            column,
        });
        let cursor = self.table.heading.unwrap_or_default();
        let sort = layout.sorted_by(Some(schema)).cloned();
        let chooser = Chooser::new(choices.collect(), cursor, sort);
        cx.show(Overlay::Columns(Box::new(chooser)));
    }

    /// Takes the columns that were chosen.
    pub(in crate::tui) fn take_columns(&mut self, chooser: &Chooser, cx: &mut Cx) {
        let Some(schema) = self.schema.value().cloned() else {
            return;
        };
        let columns = chooser.columns();
        self.change_layout(cx, |layout| layout.choose(columns, &schema));
        if chooser.sort.as_ref() != self.sort() {
            self.sort_by(chooser.sort.clone(), cx);
        }
    }
}
