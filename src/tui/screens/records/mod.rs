//! The records of one object: list, detail, sync, edit.

mod detail;
mod table;
pub mod value;
mod write;

use super::{Screen, WakeCx, contains, find_row};
use crate::model::view::Preview;
use crate::model::{Level, ObjectKey, ObjectSchema, Record, RecordId};
use crate::operations::records::RecordCursor;
use crate::tui::canvas::Canvas;
use crate::tui::context::Cx;
use crate::tui::keymap::{Action, Tab};
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::slots::Slot;
use crate::tui::widgets::form::Form;
use crate::tui::widgets::json::Tree;
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::paged::Paged;
use crate::tui::widgets::picker::{Item, Picker};
use crate::tui::widgets::state;
use crate::tui::widgets::table::TableState;
use crate::tui::widgets::text::Tone;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;
use std::collections::BTreeSet;

/// Records a page: the most a search gives (fact sheet §2.7).
pub const PAGE: u32 = 100;
/// Pages held at a time.
const KEEP: usize = 30;
/// The cursor must rest this long before a contact is read.
const SETTLE: SignedDuration = SignedDuration::from_millis(200);
/// From this width on the detail stands beside the list.
const BESIDE: u16 = 140;

/// The three views of the detail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Properties,
    Json,
    Sync,
}

/// The screen.
pub struct Records {
    object: Option<ObjectKey>,
    schema: Load<ObjectSchema>,
    list: Paged<Record, RecordCursor>,
    load: Load<()>,
    query: Option<String>,
    /// The filter over the rows that are read, while it is typed.
    local: String,
    shown: Option<Vec<usize>>,
    find: String,
    table: TableState,
    selected: BTreeSet<RecordId>,
    open: bool,
    in_detail: bool,
    view: View,
    tree: Tree,
    field: usize,
    preview: Option<(RecordId, Load<Preview>)>,
    /// A record that was asked for by its id, and that stands in for the one under the cursor until esc.
    pinned: Option<Record>,
    wanted: Option<RecordId>,
    settle: Option<Timestamp>,
}

impl Default for Records {
    fn default() -> Self {
        Self::holding(KEEP)
    }
}

impl Records {
    /// A screen that holds at most so many pages.
    pub fn holding(pages: usize) -> Self {
        Self {
            object: None,
            schema: Load::Idle,
            list: Paged::new(pages),
            load: Load::Idle,
            query: None,
            local: String::new(),
            shown: None,
            find: String::new(),
            table: TableState::default(),
            selected: BTreeSet::new(),
            open: false,
            in_detail: false,
            view: View::default(),
            tree: Tree::default(),
            field: 0,
            preview: None,
            pinned: None,
            wanted: None,
            settle: None,
        }
    }

    /// Shows an object's records, with its schema where it is at hand.
    pub fn choose(&mut self, object: ObjectKey, schema: Option<ObjectSchema>, cx: &mut Cx) {
        if self.object.as_ref() != Some(&object) {
            *self = Self {
                object: Some(object),
                ..Self::default()
            };
        }
        if let Some(schema) = schema {
            self.schema.finish(Ok(schema), cx.now);
        }
    }

    /// Shows one record beside its contact, wherever it stands in the list.
    pub fn choose_one(&mut self, object: ObjectKey, record: RecordId, cx: &mut Cx) {
        self.choose(object.clone(), None, cx);
        self.pinned = None;
        self.open = false;
        self.wanted = Some(record.clone());
        cx.ask(Slot::Record, Request::Record(object, record));
    }

    /// The object in view, for the remembered view.
    pub fn object(&self) -> Option<&ObjectKey> {
        self.object.as_ref()
    }

    /// The search in force, for the remembered view.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Takes a remembered object and search.
    pub fn restore(&mut self, object: ObjectKey, query: Option<String>) {
        self.object = Some(object);
        self.query = query;
    }

    fn rows(&self) -> usize {
        self.shown.as_ref().map_or(self.list.len(), Vec::len)
    }

    fn record_at(&self, row: usize) -> Option<&Record> {
        match &self.shown {
            Some(shown) => self.list.get(*shown.get(row)?),
            None => self.list.get(row),
        }
    }

    fn current(&self) -> Option<&Record> {
        self.pinned
            .as_ref()
            .or_else(|| self.record_at(self.table.cursor))
    }

    fn restart(&mut self, cx: &mut Cx) {
        self.list.reset();
        self.shown = None;
        self.local.clear();
        self.table.reset();
        self.load.start();
        self.ask_page(0, None, cx);
    }

    fn ask_page(&mut self, page: usize, cursor: Option<RecordCursor>, cx: &mut Cx) {
        let Some(object) = self.object.clone() else {
            return;
        };
        let query = self.query.clone();
        cx.ask(
            Slot::Records,
            Request::Records {
                object,
                query,
                page,
                cursor,
                limit: PAGE,
            },
        );
    }

    /// Reads the next page that the cursor comes near to.
    fn read_ahead(&mut self, cx: &mut Cx) {
        if self.shown.is_some()
            || cx.slots.waits(Slot::Records)
            || self.load.value().is_none()
            || self.load.problem().is_some()
        {
            return;
        }
        if let Some((page, cursor)) = self.list.wanted(self.table.near()) {
            self.ask_page(page, cursor, cx);
        }
    }

    fn moved(&mut self, cx: &mut Cx) {
        self.pinned = None;
        self.field = 0;
        self.tree.reset();
        self.read_ahead(cx);
        if self.open && self.view == View::Sync {
            self.settle = Some(cx.now + SETTLE);
        }
    }

    fn read_preview(&mut self, cx: &mut Cx) {
        self.settle = None;
        let Some(record) = self.current() else { return };
        let id = record.id.clone();
        let Some(mapping) = cx
            .session
            .mapping_of(&record.object)
            .map(|m| m.name.clone())
        else {
            return;
        };
        match &mut self.preview {
            Some((held, load)) if *held == id => load.start(),
            other => {
                let mut load = Load::Idle;
                load.start();
                *other = Some((id.clone(), load));
            }
        }
        cx.did(format!("tramline mappings preview {mapping} {id}"));
        cx.ask(Slot::Preview, Request::Preview(mapping, id));
    }

    fn show_view(&mut self, view: View, cx: &mut Cx) {
        self.open = true;
        self.in_detail = true;
        self.view = view;
        self.field = 0;
        if view == View::Sync {
            let at_hand = self.current().is_some_and(|record| {
                matches!(&self.preview, Some((id, Load::Ready { .. })) if *id == record.id)
            });
            if !at_hand {
                self.read_preview(cx);
            }
        }
    }

    fn search(&mut self, forward: bool, cx: &mut Cx) {
        if self.find.is_empty() {
            return;
        }
        let hit = |row: usize| {
            self.record_at(row)
                .is_some_and(|record| self.text_of(record, &self.find))
        };
        if let Some(row) = find_row(self.rows(), self.table.cursor, forward, hit) {
            self.table.cursor = row;
            self.moved(cx);
        }
    }

    fn text_of(&self, record: &Record, part: &str) -> bool {
        contains(record.id.as_str(), part)
            || detail::properties(self, record)
                .iter()
                .any(|(_, _, text)| contains(text, part))
    }

    fn filter_local(&mut self, text: &str) {
        self.local = text.to_owned();
        self.shown = (!text.is_empty()).then(|| {
            let rows = self.list.held().filter(|(_, r)| self.text_of(r, text));
            rows.map(|(row, _)| row).collect()
        });
        self.table.reset();
    }

    fn detail_act(&mut self, action: Action) -> bool {
        if action == Action::Left && self.view != View::Json {
            self.in_detail = false;
            return true;
        }
        let Some(record) = self.current() else {
            return false;
        };
        if self.view == View::Json {
            let value = detail::json(record);
            let took = self.tree.act(action, &value);
            if !took && action == Action::Left {
                self.in_detail = false;
            }
            return took || action == Action::Left;
        }
        let last = match self.view {
            View::Sync => match &self.preview {
                Some((_, load)) => load.value().map_or(0, |p| p.fields.len()),
                None => 0,
            },
            _ => detail::properties(self, record).len(),
        };
        let mut state = TableState::default();
        state.cursor = self.field;
        let took = state.act(action, last);
        self.field = state.cursor;
        took
    }

    fn edit(&mut self, cx: &mut Cx, new: bool) {
        let Some(schema) = self.schema.value() else {
            cx.toast(Level::Warning, "the object's fields are not read yet");
            return;
        };
        let record = if new { None } else { self.current() };
        if record.is_none() && !new {
            return;
        }
        let form = Form::of_record(schema, record.map(|r| (&r.id, &r.properties)));
        cx.show(Overlay::Form(Box::new(form)));
    }
}

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
                    self.back(cx);
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
            Action::Select => {
                if let Some(id) = self.current().map(|record| record.id.clone()) {
                    if !self.selected.remove(&id) {
                        self.selected.insert(id);
                    }
                    let rows = self.rows();
                    self.table.act(Action::Down, rows);
                    self.moved(cx);
                }
            }
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
            Action::Right => {
                let columns = self.schema.value().map_or(0, |s| s.properties.len());
                self.table.column = (self.table.column + 1).min(columns.saturating_sub(1));
            }
            Action::Left => self.table.column = self.table.column.saturating_sub(1),
            _ => {
                let rows = self.rows();
                if self.table.act(action, rows) {
                    self.moved(cx);
                }
            }
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Schema(object, result) if self.object.as_ref() == Some(&object) => {
                self.schema.finish(result.map(|d| d.schema), cx.now);
            }
            Reply::Records { page, result } => match result {
                Ok(list) => {
                    self.list.insert(page, list.records, list.next, list.total);
                    self.load.finish(Ok(()), cx.now);
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
                    load.finish(result, cx.now);
                }
            }
            Reply::Related(_, Err(problem)) | Reply::Record(Err(problem)) => {
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
                    key: String::new(),
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
            Reply::Synced(result) => self.synced(result, cx),
            Reply::Saved(Ok(record)) => self.saved(record, cx),
            Reply::Deleted(deleted, problem) => self.deleted(&deleted, problem, cx),
            _ => {}
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if self.open {
            self.open = false;
            self.in_detail = false;
            self.pinned = None;
        } else if !self.local.is_empty() {
            self.filter_local("");
        } else if !self.selected.is_empty() {
            self.selected.clear();
        } else if self.query.take().is_some() {
            self.restart(cx);
        } else {
            return false;
        }
        true
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
        let query = (!text.is_empty()).then(|| text.to_owned());
        self.filter_local("");
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

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::Records => self.load.cancel(),
            Slot::RecordSchema => self.schema.cancel(),
            Slot::Preview => {
                if let Some((_, load)) = &mut self.preview {
                    load.cancel();
                }
            }
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
        if !self.open {
            self.view_list(canvas, area, true);
        } else if area.width >= BESIDE {
            let left = area.width * 2 / 5;
            self.view_list(
                canvas,
                Rect {
                    width: left,
                    ..area
                },
                !self.in_detail,
            );
            let right = canvas.divide(Rect {
                x: area.x + left,
                width: area.width - left,
                ..area
            });
            self.view_detail(canvas, right, self.in_detail);
        } else {
            self.view_detail(canvas, area, true);
        }
    }
}

/// A text as a word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
