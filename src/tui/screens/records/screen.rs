//! Keys and answers of the screen.

use super::layout::Sort;
use super::{BESIDE, Records, SETTLE, SYNC_BESIDE, View, detail};
use crate::model::Level;
use crate::tui::canvas::Canvas;
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::hits::Hit;
use crate::tui::keymap::{Action, Tab};
use crate::tui::request::{Reply, Request};
use crate::tui::screens::{Screen, WakeCx, about};
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::{Choice, Overlay, TextBox};
use crate::tui::widgets::picker::{Item, Picker};
use crate::tui::widgets::state;
use crate::tui::widgets::text::Tone;
use jiff::Timestamp;
use ratatui::layout::Rect;

impl Screen for Records {
    fn open(&mut self, cx: &mut Cx) {
        if self.object.is_none() {
            self.object = cx.session.mappings.first().map(|m| m.object.clone());
        }
        let Some(object) = self.object.clone() else {
            return;
        };
        if self.schema.is_idle() {
            self.schema.start();
            cx.ask(Slot::RecordSchema, Request::Schema(object));
        }
        if self.load.is_idle() {
            self.restart(cx);
        }
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        match action {
            Action::Reload => {
                if let Some(object) = self.object.clone() {
                    self.schema.start();
                    cx.ask(Slot::RecordSchema, Request::Schema(object));
                    self.restart(cx);
                    if self.open && self.view == View::Sync {
                        self.settle = Some(cx.now + SETTLE);
                    }
                }
            }
            Action::Open | Action::Switch | Action::Diff if self.current().is_none() => {}
            Action::Open => match (self.open, self.in_detail) {
                (false, _) => self.show_view(self.view, cx),
                (true, false) => self.in_detail = true,
                (true, true) => {
                    if let Some((title, text)) = self.whole() {
                        cx.show(Overlay::Text(TextBox::new(title, text)));
                    }
                }
            },
            Action::Switch => {
                let next = match (self.open, self.view) {
                    (false, view) => view,
                    (true, View::Properties) => View::Json,
                    (true, View::Json) => View::Sync,
                    (true, View::Sync) => View::Properties,
                };
                self.show_view(next, cx);
            }
            Action::Diff => {
                self.show_view(View::Sync, cx);
            }
            Action::Select => self.select_one(cx),
            Action::SelectRange => self.select_range(cx),
            Action::SelectAll => self.select_all(cx),
            Action::Invert => self.invert(cx),
            Action::Keep => self.keep_filter(cx),
            Action::File => self.ask_for_file(cx),
            Action::Columns => self.choose_columns(cx),
            Action::Sort => {
                if let Some(column) = self.column() {
                    let next = Sort::next(self.sort(), column);
                    self.sort_by(next, cx);
                }
            }
            Action::Wider | Action::Narrower => self.resize(action == Action::Wider, cx),
            Action::Sync | Action::SyncSelected => self.sync(action == Action::SyncSelected, cx),
            Action::Edit => self.edit(cx, false),
            Action::New => self.edit(cx, true),
            Action::EditJson => self.edit_json(cx),
            Action::Delete => self.delete(cx),
            Action::Related => {
                if let Some(record) = self.current() {
                    cx.ask(
                        Slot::Related,
                        Request::Related(record.object.clone(), record.id.clone()),
                    );
                }
            }
            Action::Copy => {
                if let Some(record) = self.current() {
                    cx.copy("record id", record.id.to_string());
                }
            }
            Action::CopyJson => {
                if let Some(record) = self.current() {
                    let text = serde_json::to_string_pretty(&detail::json(record));
                    cx.copy("record as JSON", text.unwrap_or_default());
                }
            }
            Action::NextMatch => self.search(true, cx),
            Action::PreviousMatch => self.search(false, cx),
            _ if self.in_detail && self.open => {
                self.detail_act(action);
            }
            Action::Right if self.open => self.in_detail = true,
            Action::Right | Action::Left => self.move_heading(action == Action::Right),
            _ => {
                let rows = self.rows();
                if self.table.act(action, rows) {
                    self.moved(cx);
                }
            }
        }
    }

    fn focus(&mut self, right: bool, _cx: &mut Cx) {
        self.in_detail = right && self.open;
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Schema(object, result) if self.object.as_ref() == Some(&object) => {
                let (before, first) = (self.order(), self.schema.value().is_none());
                self.schema.finish(result.map(|d| d.schema), cx.now);
                if self.order() != before {
                    self.restart(cx);
                }
                match first {
                    true => self.shown = self.arranged(),
                    false => self.arrange(),
                }
            }
            Reply::Records { page, result } => match result {
                Ok(list) => {
                    self.list.insert(page, list.records, list.next, list.total);
                    self.unsorted |= !list.sorted;
                    let first = self.load.value().is_none();
                    self.load.finish(Ok(()), cx.now);
                    match first {
                        true => {
                            self.shown = self.arranged();
                            if let Some(id) = self.sought.take() {
                                self.table.stay(self.row_of(&id));
                            }
                        }
                        false => self.arrange(),
                    }
                    let rows = self.rows();
                    self.table.clamp(rows);
                    self.read_ahead(cx);
                }
                Err(problem) => self.load.finish(Err(problem), cx.now),
            },
            Reply::Preview(id, result) => {
                if let Some((held, load)) = &mut self.preview
                    && *held == id
                {
                    let contact = result.as_ref().ok().and_then(|p| p.contact_id.clone());
                    load.finish(result, cx.now);
                    if let Some(contact) = contact {
                        self.segments.start();
                        cx.ask(Slot::Segments, Request::Segments(contact));
                    }
                }
            }
            // An answer for another contact is dropped with its question.
            Reply::Segments(_, result) => self.segments.finish(result, cx.now),
            Reply::Related(_, Err(problem)) => cx.toast(Level::Error, problem.to_string()),
            Reply::Record(Err(problem)) => {
                self.wanted = None;
                cx.toast(Level::Error, problem.to_string());
            }
            Reply::Related(_, Ok(related)) => {
                if related.is_empty() {
                    cx.toast(Level::Ok, "no related records or contacts");
                    return;
                }
                let items = related.iter().map(|r| Item {
                    label: r.title.clone().unwrap_or_else(|| r.record.to_string()),
                    note: format!("{} {} {}", r.association, r.object, r.record),
                    key: match r.object.as_str() {
                        "contact" => "copy its id".to_owned(),
                        _ => "open".to_owned(),
                    },
                    off: false,
                });
                let picker = Picker::new("Related records and contacts", items.collect());
                let choice = related.into_iter().map(|r| (r.object, r.record)).collect();
                cx.show(Overlay::Pick(picker, Choice::Related(choice)));
            }
            Reply::Record(Ok(record)) => {
                let wanted = self.wanted.take();
                if wanted.as_ref() == Some(&record.id) {
                    self.pinned = Some(record);
                    self.show_view(View::Sync, cx);
                }
            }
            Reply::Filed(file, result) => self.filed(*file, result, cx),
            Reply::Synced(result) => self.synced(result, cx),
            Reply::Saved(Ok(record)) => self.saved(record, cx),
            Reply::Deleted(deleted, problem) => self.deleted(&deleted, problem, cx),
            _ => {}
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if self.range.take().is_some() {
            return true;
        }
        if self.open {
            self.close(cx);
        } else if self.stop_file() {
            // Its answer says how far it came.
        } else if !self.local.is_empty() {
            self.kept.clear();
            self.filter_local("");
        } else if !self.selected.is_empty() {
            self.selected.clear();
        } else if self.query.take().is_some() {
            let under = self.current().map(|record| record.id.clone());
            // Whoever did not move among what was found goes on where the search began.
            let before = self.before.take().filter(|_| self.table.cursor == 0);
            self.restart(cx);
            self.sought = before.or(under);
        } else {
            return false;
        }
        true
    }

    fn depth(&self) -> usize {
        let things = [
            self.range.is_some(),
            self.open || self.wanted.is_some(),
            self.filing.is_some(),
            !self.local.is_empty(),
            !self.selected.is_empty(),
            self.query.is_some(),
        ];
        things.into_iter().filter(|thing| *thing).count()
    }

    fn about(&self) -> Option<String> {
        self.current()
            .map(|record| about("record", record.id.as_str()))
    }

    fn has_row(&self) -> bool {
        self.current().is_some() || !self.selected.is_empty()
    }

    fn filter(&self) -> &str {
        self.query.as_deref().unwrap_or(&self.local)
    }

    fn set_filter(&mut self, text: &str, done: bool, cx: &mut Cx) {
        if !done {
            self.filter_local(text);
            return;
        }
        self.find = text.to_owned();
        if std::mem::take(&mut self.keeping) {
            self.kept = text.to_owned();
            self.filter_local(text);
            return;
        }
        self.kept.clear();
        let query = (!text.is_empty()).then(|| text.to_owned());
        self.filter_local("");
        if query.is_none() && self.query.is_none() {
            self.before = None;
        }
        if query != self.query {
            self.query = query;
            if let (Some(object), Some(text)) = (&self.object, &self.query) {
                cx.did(format!(
                    "tramline records list {} --query {}",
                    object.short(),
                    quoted(text)
                ));
            }
            self.restart(cx);
        }
    }

    fn awaits(&self, slot: Slot) -> bool {
        match slot {
            Slot::Preview => self.open && self.view == View::Sync && self.range.is_none(),
            // What the segments are stands below the rest, which is there.
            Slot::Segments => false,
            Slot::Records | Slot::RecordSchema => !self.open && self.range.is_none(),
            _ => true,
        }
    }

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::Records => self.load.cancel(),
            Slot::RecordSchema => self.schema.cancel(),
            Slot::Preview => {
                if let Some((_, load)) = &mut self.preview {
                    load.cancel();
                }
            }
            Slot::Segments => self.segments.cancel(),
            Slot::Record => self.wanted = None,
            _ => {}
        }
    }

    fn tick(&mut self, cx: &mut Cx) {
        if self.settle.is_some_and(|at| at <= cx.now) {
            self.read_preview(cx);
        }
    }

    fn wake(&self, _cx: &WakeCx) -> Option<Timestamp> {
        self.settle
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        if self.object.is_none() {
            let hint = format!(
                "{} shows the objects, {} opens their records; {} chooses one here",
                canvas.key(Action::Show(Tab::Schemas)),
                canvas.key(Action::Open),
                canvas.key(Action::ChooseObject)
            );
            let lines = [("no object is chosen", Tone::Plain), (&hint, Tone::Muted)];
            state::notice(canvas, area, &lines);
            return;
        }
        let beside = match self.view {
            View::Sync => SYNC_BESIDE,
            View::Properties | View::Json => BESIDE,
        };
        if !self.open {
            self.view_list(canvas, area, true);
        } else if area.width >= beside {
            // The sync view has a contact beside the record: the list gives way to it.
            let left = match self.view {
                View::Sync => area.width / 4,
                View::Properties | View::Json => area.width * 2 / 5,
            };
            let list = Rect {
                width: left,
                ..area
            };
            canvas.hit(list, Hit::Pane(false));
            self.view_list(canvas, list, !self.in_detail);
            let right = canvas.divide(Rect {
                x: area.x + left,
                width: area.width - left,
                ..area
            });
            canvas.hit(right, Hit::Pane(true));
            self.view_detail(canvas, right, self.in_detail);
        } else {
            self.view_detail(canvas, area, true);
        }
    }
}
