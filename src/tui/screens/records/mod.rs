//! The records of one object: list, detail, sync, edit.

mod arrange;
pub mod chooser;
mod columns;
mod detail;
mod filing;
mod layout;
mod marks;
mod screen;
mod table;
pub mod value;
mod write;

pub(in crate::tui) use filing::follow_format;

use super::{Screen, contains, find_row};
use crate::model::SegmentMatches;
use crate::model::view::Preview;
use crate::model::{Level, ObjectKey, ObjectSchema, Record, RecordId};
use crate::operations::records::{RecordCursor, RecordSearch};
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::Request;
use crate::tui::slots::Slot;
use crate::tui::widgets::form::Form;
use crate::tui::widgets::json::Tree;
use crate::tui::widgets::line::InputLine;
use crate::tui::widgets::overlay::Overlay;
use crate::tui::widgets::paged::Paged;
use crate::tui::widgets::table::TableState;
use filing::Filing;
use jiff::{SignedDuration, Timestamp};
use layout::Layout;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Records a page: the most a search gives (fact sheet §2.7).
pub const PAGE: u32 = 100;
/// Pages held at a time.
const KEEP: usize = 30;
/// The cursor must rest this long before a contact is read.
const SETTLE: SignedDuration = SignedDuration::from_millis(200);
/// From this width on the detail stands beside the list.
const BESIDE: u16 = 140;
/// The sync view wants more room: it has the contact beside the record already.
const SYNC_BESIDE: u16 = 172;

/// The three views of the detail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Properties,
    Json,
    Sync,
}

/// What was in view before a record was opened from elsewhere.
pub enum Left {
    Screen(Box<Records>),
    Detail(Box<Detail>),
}

/// What was open over the list.
pub struct Detail {
    open: bool,
    in_detail: bool,
    view: View,
    field: usize,
    tree: Tree,
    pinned: Option<Record>,
    /// The record that was in view.
    of: Option<RecordId>,
}

impl Left {
    /// A record was read or written since: what comes back has it as it is.
    pub fn learn(&mut self, record: &Record) {
        match self {
            Self::Screen(screen) => {
                screen.hold(record);
            }
            Self::Detail(detail) => {
                let pinned = detail.pinned.as_mut().filter(|held| held.id == record.id);
                if let Some(held) = pinned {
                    *held = record.clone();
                }
            }
        }
    }

    /// Records were deleted since: what comes back is without them.
    pub fn lose(&mut self, gone: &[RecordId]) {
        match self {
            Self::Screen(screen) => screen.lose(gone),
            Self::Detail(detail) => {
                if detail.of.as_ref().is_some_and(|id| gone.contains(id)) {
                    detail.open = false;
                    detail.in_detail = false;
                    detail.pinned = None;
                }
            }
        }
    }
}

/// The screen.
pub struct Records {
    object: Option<ObjectKey>,
    schema: Load<ObjectSchema>,
    list: Paged<Record, RecordCursor>,
    load: Load<()>,
    query: Option<String>,
    /// The filter over the rows that are read, as it is typed.
    local: String,
    /// The same, as it stays once it is entered.
    kept: String,
    /// The record that the cursor was on before a search was typed: there it is again once the search is left.
    before: Option<RecordId>,
    /// True while a text is typed that is to stay, rather than one to search for.
    keeping: bool,
    /// The rows read that are shown, in order; `None` for all as they came.
    shown: Option<Vec<usize>>,
    /// How each object's list looks, in view or not.
    layouts: BTreeMap<ObjectKey, Layout>,
    /// HighLevel refused to sort.
    unsorted: bool,
    find: String,
    table: TableState,
    selected: BTreeSet<RecordId>,
    /// The row at which a range was begun.
    range: Option<usize>,
    filing: Option<Filing>,
    open: bool,
    in_detail: bool,
    view: View,
    tree: Tree,
    field: usize,
    preview: Option<(RecordId, Load<Preview>)>,
    /// Which segments the preview's contact matches: they come later, a call for each.
    segments: Load<SegmentMatches>,
    /// A record that was asked for by its id, and that stands in for the one under the cursor until esc.
    pinned: Option<Record>,
    wanted: Option<RecordId>,
    /// The record that the cursor was on before the list is read anew.
    sought: Option<RecordId>,
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
            kept: String::new(),
            before: None,
            keeping: false,
            shown: None,
            layouts: BTreeMap::new(),
            unsorted: false,
            find: String::new(),
            table: TableState::with_headings(),
            selected: BTreeSet::new(),
            range: None,
            filing: None,
            open: false,
            in_detail: false,
            view: View::default(),
            tree: Tree::default(),
            field: 0,
            preview: None,
            segments: Load::Idle,
            pinned: None,
            sought: None,
            wanted: None,
            settle: None,
        }
    }

    /// Shows an object's records, with its schema where it is at hand.
    pub fn choose(&mut self, object: ObjectKey, schema: Option<ObjectSchema>, cx: &mut Cx) {
        if self.object.as_ref() != Some(&object) {
            let mut before = std::mem::take(self);
            self.take_common(&mut before);
            self.object = Some(object);
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

    /// Leaves the view as it is, for a record that is opened from elsewhere, and gives what leads back to it: the whole
    /// screen where another object comes into view, else what is open over the list, which stays.
    pub fn step_aside(&mut self, to: &ObjectKey, cx: &mut Cx) -> Left {
        if self.object.as_ref() == Some(to) {
            return Left::Detail(Box::new(Detail {
                open: self.open,
                in_detail: self.in_detail,
                view: self.view,
                field: self.field,
                tree: std::mem::take(&mut self.tree),
                of: self.current().map(|record| record.id.clone()),
                pinned: self.pinned.take(),
            }));
        }
        for slot in [Slot::Records, Slot::RecordSchema] {
            cx.give_up(slot);
            self.cancelled(slot);
        }
        self.stop_reading(cx);
        let mut left = Box::new(std::mem::take(self));
        self.take_common(&mut left);
        Left::Screen(left)
    }

    /// The view is again as it was left.
    pub fn put_back(&mut self, left: Left, cx: &mut Cx) {
        self.close(cx);
        match left {
            Left::Screen(left) => {
                for slot in [Slot::Records, Slot::RecordSchema, Slot::Related] {
                    cx.give_up(slot);
                }
                let mut now = std::mem::replace(self, *left);
                self.take_common(&mut now);
                // It lost records meanwhile.
                if self.load.is_idle() && self.object.is_some() {
                    self.restart_at(self.table.cursor, cx);
                }
            }
            Left::Detail(detail) => {
                self.open = detail.open;
                self.in_detail = detail.in_detail;
                self.view = detail.view;
                self.field = detail.field;
                self.tree = detail.tree;
                self.pinned = detail.pinned;
            }
        }
        if self.open && self.view == View::Sync {
            self.settle = Some(cx.now);
        }
    }

    /// Takes what is of all objects: how their lists look, and the file that is being written.
    fn take_common(&mut self, other: &mut Self) {
        self.layouts = std::mem::take(&mut other.layouts);
        self.filing = other.filing.take();
    }

    /// Closes the detail, or gives up the record that is to be shown.
    pub fn close(&mut self, cx: &mut Cx) {
        self.open = false;
        self.in_detail = false;
        self.pinned = None;
        self.wanted = None;
        self.stop_reading(cx);
    }

    /// Gives up what is read of one record.
    fn stop_reading(&mut self, cx: &mut Cx) {
        for slot in [Slot::Record, Slot::Preview, Slot::Segments] {
            cx.give_up(slot);
            self.cancelled(slot);
        }
    }

    /// Object, search, filter and layouts, for the next start.
    pub fn remembered(&self) -> Value {
        let layouts = self.layouts.iter();
        let layouts: Map<String, Value> = layouts
            .filter_map(|(object, layout)| Some((object.to_string(), layout.remembered()?)))
            .collect();
        json!({
            "object": self.object.as_ref().map(ObjectKey::as_str),
            "query": self.query,
            "filter": self.kept,
            "layouts": layouts,
        })
    }

    /// Takes up what was remembered; what cannot be read is as at the first start.
    pub fn restore(&mut self, view: &Value) {
        let layouts = view["layouts"].as_object().into_iter().flatten();
        self.layouts = layouts
            .map(|(object, layout)| (ObjectKey::from(object.as_str()), Layout::restored(layout)))
            .collect();
        if let Some(object) = view["object"].as_str() {
            self.object = Some(ObjectKey::from(object));
            self.query = view["query"].as_str().map(str::to_owned);
            self.kept = view["filter"].as_str().unwrap_or_default().to_owned();
            self.local = self.kept.clone();
        }
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
        self.sought = None;
        self.list.reset();
        self.range = None;
        self.unsorted = false;
        self.table.reset();
        self.shown = self.arranged();
        // Rows of an older question say nothing about this one.
        self.load = Load::Idle;
        self.load.start();
        self.ask_page(0, None, cx);
    }

    /// Reads the list anew, with the cursor in the place it is to have then.
    fn restart_at(&mut self, row: usize, cx: &mut Cx) {
        self.restart(cx);
        self.table.cursor = row;
    }

    fn ask_page(&mut self, page: usize, cursor: Option<RecordCursor>, cx: &mut Cx) {
        let Some(object) = self.object.clone() else {
            return;
        };
        let search = RecordSearch {
            query: self.query.clone(),
            order: self.order(),
        };
        cx.ask(
            Slot::Records,
            Request::Records {
                object,
                search,
                page,
                cursor,
                limit: PAGE,
            },
        );
    }

    /// Reads the next page that the cursor comes near to.
    fn read_ahead(&mut self, cx: &mut Cx) {
        if self.shown.is_some() {
            return;
        }
        self.read_near(self.table.near(), cx);
    }

    /// Reads on once the end of filtered or sorted rows is near. Only for a person who moves there: a row that sorts last
    /// would read all pages.
    fn read_on(&mut self, cx: &mut Cx) {
        let near = self.table.cursor + self.table.height() >= self.rows();
        if self.shown.is_some() && near && !self.list.is_whole() && self.list.has_room() {
            let read = self.list.len();
            self.read_near(read..read + 1, cx);
        }
    }

    fn read_near(&mut self, rows: std::ops::Range<usize>, cx: &mut Cx) {
        if cx.slots.waits(Slot::Records)
            || self.load.value().is_none()
            || self.load.problem().is_some()
        {
            return;
        }
        if let Some((page, cursor)) = self.list.wanted(rows) {
            self.ask_page(page, cursor, cx);
        }
    }

    fn moved(&mut self, cx: &mut Cx) {
        self.pinned = None;
        self.field = 0;
        self.tree.reset();
        self.read_ahead(cx);
        self.read_on(cx);
        if self.open && self.view == View::Sync {
            self.settle = Some(cx.now + SETTLE);
            self.looked(cx);
        }
    }

    /// A person looks at a record beside its contact: what is only read again does not count as done.
    fn looked(&self, cx: &mut Cx) {
        let Some(record) = self.current() else { return };
        if let Some(mapping) = cx.session.mapping_of(&record.object) {
            let name = quoted(mapping.name.as_str());
            cx.did(format!("tramline mappings preview {name} {}", record.id));
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
        self.segments = Load::Idle;
        cx.give_up(Slot::Segments);
        cx.ask(Slot::Preview, Request::Preview(mapping, id));
    }

    fn show_view(&mut self, view: View, cx: &mut Cx) {
        self.open = true;
        self.in_detail = true;
        self.view = view;
        self.field = 0;
        if view == View::Sync {
            self.looked(cx);
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

    /// Shows only rows with a text; the cursor stays on its record as long as that is shown.
    fn filter_local(&mut self, text: &str) {
        if self.local == text {
            return;
        }
        let under = self.current().map(|record| record.id.clone());
        let known = |id: &RecordId| self.row_of(id).is_some();
        let whole = self.local.is_empty() && self.query.is_none() && !self.keeping;
        if whole && !self.before.as_ref().is_some_and(known) {
            self.before.clone_from(&under);
        }
        self.local = text.to_owned();
        self.range = None;
        self.shown = self.arranged();
        self.table.stay(under.and_then(|id| self.row_of(&id)));
    }

    /// Lets a person type a filter that stays over the rows read.
    fn keep_filter(&mut self, cx: &mut Cx) {
        self.keeping = true;
        cx.show(Overlay::Filter(InputLine::new(&self.kept, None)));
    }

    /// The line of the filter was left: what was in force before is in force again.
    pub fn leave_filter(&mut self) {
        self.keeping = false;
        let kept = self.kept.clone();
        self.filter_local(&kept);
        if self.query.is_none()
            && let Some(row) = self.before.take().and_then(|id| self.row_of(&id))
        {
            self.table.stay(Some(row));
        }
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
        if cx.refused() {
            return;
        }
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
