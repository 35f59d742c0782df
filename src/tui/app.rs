//! The state of the control room, and `update`: an event in, effects out. No I/O, no clock of its own.

use super::context::{Cx, Go, Session, Then, Wish};
use super::effect::Effect;
use super::event::{Answer, Event};
use super::frame::Dirty;
use super::keymap::{Action, Keymap, Tab};
use super::load::Load;
use super::request::{Editing, Reply, Request};
use super::screens::activity::Activity;
use super::screens::exports::Exports;
use super::screens::mappings::Mappings;
use super::screens::queue::Queue;
use super::screens::records::Records;
use super::screens::schemas::Schemas;
use super::screens::{Refresh, Screen, WakeCx};
use super::slots::{SPINNER_AFTER, Slot, Slots};
use super::theme::Theme;
use super::widgets::confirm::Confirm;
use super::widgets::help::Help;
use super::widgets::line::InputLine;
use super::widgets::overlay::{Choice, Overlay};
use super::widgets::palette::Palette;
use super::widgets::picker::{Item, Picker};
use super::widgets::toast::Toasts;
use crate::model::export::{Run, RunState};
use crate::model::{JobState, Level, MappingName, ObjectKey, Problem, Properties};
use crate::operations::status::Status;
use crossterm::event::{KeyEvent, KeyEventKind, MouseEventKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The whole state.
pub struct App {
    pub(super) session: Session,
    pub(super) keymap: Keymap,
    pub(super) theme: Theme,
    pub(super) now: Timestamp,
    pub(super) tab: Tab,
    pub(super) slots: Slots,
    pub(super) toasts: Toasts,
    pub(super) overlays: Vec<Overlay>,
    pub(super) status: Load<Status>,
    status_refresh: Refresh,
    pub(super) schemas: Schemas,
    pub(super) records: Records,
    pub(super) mappings: Mappings,
    pub(super) queue: Queue,
    pub(super) exports: Exports,
    pub(super) activity: Activity,
    last_did: Option<String>,
    touched: bool,
    /// When something last happened that budgets and counts follow.
    busy_at: Timestamp,
    dirty: Dirty,
    effects: Vec<Effect>,
    wishes: Vec<Wish>,
}

/// The hands of an update, so that one screen can be borrowed beside them.
macro_rules! hands {
    ($app:expr) => {
        Cx {
            now: $app.now,
            session: &mut $app.session,
            slots: &mut $app.slots,
            effects: &mut $app.effects,
            wishes: &mut $app.wishes,
        }
    };
}

impl App {
    /// The state before anything is known.
    pub fn new(session: Session, keymap: Keymap, theme: Theme, now: Timestamp) -> Self {
        let slow = session.low_bandwidth;
        Self {
            keymap,
            theme,
            now,
            tab: Tab::default(),
            slots: Slots::default(),
            toasts: Toasts::default(),
            overlays: Vec::new(),
            status: Load::Idle,
            status_refresh: Refresh::new(slow),
            schemas: Schemas::default(),
            records: Records::default(),
            mappings: Mappings::default(),
            queue: Queue::new(slow),
            exports: Exports::new(slow),
            activity: Activity::default(),
            last_did: None,
            touched: false,
            busy_at: now,
            dirty: Dirty::Now,
            effects: Vec::new(),
            wishes: Vec::new(),
            session,
        }
    }

    /// The questions of the start; the first frame does not wait for them.
    pub fn start(&mut self) -> Vec<Effect> {
        let mut cx = hands!(self);
        cx.ask(Slot::Remembered, Request::Remembered);
        cx.ask(Slot::Mappings, Request::Mappings);
        self.read_status();
        std::mem::take(&mut self.effects)
    }

    /// Takes an event in.
    pub fn update(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        match event {
            Event::Key(key) => {
                if key.kind != KeyEventKind::Release {
                    self.touched = true;
                    self.dirty = Dirty::Now;
                    self.key(&key);
                }
            }
            Event::Paste(text) => {
                self.dirty = Dirty::Now;
                self.paste(&text);
            }
            Event::Mouse(mouse) => {
                let action = match mouse.kind {
                    MouseEventKind::ScrollDown => Some(Action::Down),
                    MouseEventKind::ScrollUp => Some(Action::Up),
                    _ => None,
                };
                if let Some(action) = action
                    && self.overlays.is_empty()
                {
                    self.dirty = Dirty::Now;
                    self.with_screen(|screen, cx| screen.act(action, cx));
                }
            }
            Event::Resize(..) => self.dirty = Dirty::Now,
            Event::Answer(answer) => self.answer(*answer),
            Event::Changed => {
                self.busy_at = now;
                self.status_refresh.mark();
                self.queue.mark();
                self.exports.mark();
            }
            Event::Call(call) => {
                self.busy_at = now;
                self.activity.add(call);
                self.status_refresh.mark();
                if self.tab == Tab::Activity {
                    self.dirty = self.dirty.max(Dirty::Stream);
                }
            }
            Event::Tick => self.dirty = self.dirty.max(Dirty::Data),
            Event::Edited(editing, result) => self.edited(editing, result),
            Event::Note(level, text) => {
                self.dirty = Dirty::Now;
                self.toasts.push(level, text, now);
            }
        }
        self.grant();
        self.pending();
        std::mem::take(&mut self.effects)
    }

    /// What is due: toasts that leave, lists and numbers that are read again.
    fn pending(&mut self) {
        if self.toasts.expire(self.now) {
            self.dirty = self.dirty.max(Dirty::Data);
        }
        if !self.slots.waits(Slot::Status) {
            if self.status_moves()
                && self
                    .status
                    .read_at()
                    .is_none_or(|at| self.now.duration_since(at) >= SignedDuration::from_secs(1))
            {
                self.status_refresh.mark();
            }
            if self.status_refresh.take(self.now) {
                self.read_status();
            }
        }
        self.with_screen(|screen, cx| screen.tick(cx));
        self.grant();
    }

    fn read_status(&mut self) {
        self.status_refresh.take(self.now);
        hands!(self).ask(Slot::Status, Request::Status);
    }

    /// True while the status bar changes by time alone: a budget fills up, a run goes on.
    fn status_moves(&self) -> bool {
        let Some(status) = self.status.value() else {
            return false;
        };
        let filling = [&status.highlevel, &status.activecampaign, &status.imports]
            .into_iter()
            .flatten()
            .any(|b| {
                // A budget fills up within its window; after that its numbers stand still.
                let window = SignedDuration::from_millis(b.window_ms.min(600_000) as i64 + 2000);
                let quiet = self.now.duration_since(self.busy_at) > window;
                (b.left < b.size && !quiet) || b.blocked_until.is_some_and(|at| at > self.now)
            });
        filling
            || status
                .exports
                .iter()
                .any(|run| run.state == RunState::Running)
    }

    /// When [`Event::Tick`] is next needed; `None` while nothing moves.
    pub fn wake(&self) -> Option<Timestamp> {
        let cx = WakeCx {
            now: self.now,
            slots: &self.slots,
        };
        let status = if self.slots.waits(Slot::Status) {
            None
        } else {
            let second = self
                .status_moves()
                .then(|| self.status.read_at().unwrap_or(self.now) + SignedDuration::from_secs(1));
            [self.status_refresh.due_at(), second]
                .into_iter()
                .flatten()
                .min()
        };
        let screen = self.screen(self.tab).wake(&cx);
        [
            status,
            screen,
            self.toasts.wake(),
            self.slots.wake(self.tab, self.now),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How urgently a frame is wanted.
    pub fn dirty(&self) -> Dirty {
        self.dirty
    }

    /// A frame was drawn.
    pub fn drawn(&mut self) {
        self.dirty = Dirty::Clean;
    }

    /// The screen in view.
    pub fn tab(&self) -> Tab {
        self.tab
    }

    /// True if something lies above the screen.
    pub fn has_overlay(&self) -> bool {
        !self.overlays.is_empty()
    }

    /// The messages in view.
    pub fn toasts(&self) -> Vec<&str> {
        self.toasts.texts().collect()
    }

    pub(super) fn screen(&self, tab: Tab) -> &dyn Screen {
        match tab {
            Tab::Schemas => &self.schemas,
            Tab::Records => &self.records,
            Tab::Mappings => &self.mappings,
            Tab::Queue => &self.queue,
            Tab::Exports => &self.exports,
            Tab::Activity => &self.activity,
        }
    }

    fn with(&mut self, tab: Tab, f: impl FnOnce(&mut dyn Screen, &mut Cx)) {
        let mut cx = hands!(self);
        let screen: &mut dyn Screen = match tab {
            Tab::Schemas => &mut self.schemas,
            Tab::Records => &mut self.records,
            Tab::Mappings => &mut self.mappings,
            Tab::Queue => &mut self.queue,
            Tab::Exports => &mut self.exports,
            Tab::Activity => &mut self.activity,
        };
        f(screen, &mut cx);
    }

    fn with_screen(&mut self, f: impl FnOnce(&mut dyn Screen, &mut Cx)) {
        self.with(self.tab, f);
    }

    /// Does what screens asked for.
    fn grant(&mut self) {
        while !self.wishes.is_empty() {
            for wish in std::mem::take(&mut self.wishes) {
                self.dirty = self.dirty.max(Dirty::Data);
                match wish {
                    Wish::Toast(level, text) => self.toasts.push(level, text, self.now),
                    Wish::Show(overlay) => self.overlays.push(*overlay),
                    Wish::Did(command) => self.last_did = Some(command),
                    Wish::Go(go) => self.go(go),
                }
            }
        }
    }

    fn go(&mut self, go: Go) {
        let tab = match go {
            Go::Tab(tab) => tab,
            Go::Records(object, schema) => {
                self.records
                    .choose(object, schema.map(|s| *s), &mut hands!(self));
                Tab::Records
            }
            Go::Record(object, record) => {
                self.records.choose_one(object, record, &mut hands!(self));
                Tab::Records
            }
            Go::Mapping(name) => {
                self.mappings.choose(name, &mut hands!(self));
                Tab::Mappings
            }
            Go::Queue(filter) => {
                self.queue.choose(&filter, &mut hands!(self));
                Tab::Queue
            }
        };
        self.tab = tab;
        self.with_screen(|screen, cx| screen.open(cx));
    }

    fn key(&mut self, key: &KeyEvent) {
        if self.overlays.is_empty() {
            if let Some(action) = self.keymap.action(self.tab, key) {
                self.act(action);
            }
        } else {
            self.overlay_key(key);
        }
    }

    /// Does an action of the screen in view.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Show(tab) => self.go(Go::Tab(tab)),
            Action::Help => self.overlays.push(Overlay::Help(Help::new(self.tab))),
            Action::Palette => {
                let palette = Palette::new(&self.keymap, self.tab);
                self.overlays.push(Overlay::Palette(palette));
            }
            Action::Filter => {
                let line = InputLine::new(self.screen(self.tab).filter());
                self.overlays.push(Overlay::Filter(line));
                if self.tab == Tab::Queue {
                    let text = self.queue.filter().to_owned();
                    hands!(self).ask(Slot::Complete, Request::Complete(text));
                }
            }
            Action::Back => self.back(),
            Action::Twin => match self.last_did.clone() {
                Some(command) => {
                    self.toasts.push(Level::Ok, command.clone(), self.now);
                    hands!(self).copy("command", command);
                }
                None => {
                    let text = "nothing was done yet that has a command".to_owned();
                    self.toasts.push(Level::Warning, text, self.now);
                }
            },
            Action::LastError => self.last_error(),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Quit => self.quit(),
            Action::ChooseObject => self.choose_object(),
            Action::Reload => {
                let mut cx = hands!(self);
                cx.ask(Slot::Mappings, Request::Mappings);
                self.effects.push(Effect::Redraw);
                self.read_status();
                self.with_screen(|screen, cx| screen.act(Action::Reload, cx));
            }
            other => self.with_screen(|screen, cx| screen.act(other, cx)),
        }
    }

    fn back(&mut self) {
        let slow: Vec<Slot> = self
            .slots
            .of_tab(self.tab)
            .into_iter()
            .filter(|slot| {
                self.slots
                    .waited(*slot, self.now)
                    .is_some_and(|w| w >= SPINNER_AFTER)
            })
            .collect();
        if !slow.is_empty() {
            for slot in slow {
                hands!(self).give_up(slot);
                self.with_screen(|screen, _| screen.cancelled(slot));
            }
            return;
        }
        if self.toasts.clear() {
            return;
        }
        self.with_screen(|screen, cx| {
            screen.back(cx);
        });
    }

    fn last_error(&mut self) {
        let last = self.status.value().and_then(|s| s.last_error.clone());
        match last {
            Some(error) => {
                let message = error.problem.message.replace('"', " ");
                self.go(Go::Queue(format!("state:failed error:\"{message}\"")));
            }
            None => self
                .toasts
                .push(Level::Ok, "no error so far".to_owned(), self.now),
        }
    }

    fn choose_object(&mut self) {
        let objects: Vec<(ObjectKey, String)> = self
            .schemas
            .objects()
            .map(|schema| (schema.key.clone(), schema.plural.clone()))
            .collect();
        if objects.is_empty() {
            self.go(Go::Tab(Tab::Schemas));
            let text = "choose an object: enter opens its records".to_owned();
            self.toasts.push(Level::Ok, text, self.now);
            return;
        }
        let items = objects.iter().map(|(key, name)| Item {
            label: name.clone(),
            note: key.to_string(),
            key: String::new(),
        });
        let picker = Picker::new("Records of", items.collect());
        let keys = objects.into_iter().map(|(key, _)| key).collect();
        self.overlays
            .push(Overlay::Pick(picker, Choice::Object(keys)));
    }

    pub(super) fn chosen(&mut self, choice: Choice, at: usize) {
        match choice {
            Choice::Object(keys) => {
                if let Some(key) = keys.get(at) {
                    self.go(Go::Records(key.clone(), None));
                }
            }
            Choice::Related(records) => {
                if let Some((object, record)) = records.get(at).cloned() {
                    if object.as_str() == "contact" {
                        hands!(self).copy("contact id", record.to_string());
                    } else {
                        self.go(Go::Record(object, record));
                    }
                }
            }
        }
    }

    fn quit(&mut self) {
        let writing = self.slots.writing();
        if writing == 0 {
            self.quit_now();
            return;
        }
        let question = Confirm::new("Quit while something is being written?")
            .line(format!("{writing} in flight. Quitting waits a few seconds for it; what is in the queue goes on at the next start."))
            .then(Then::Quit);
        self.overlays.push(Overlay::Confirm(question));
    }

    fn quit_now(&mut self) {
        self.effects.push(Effect::Remember(self.remembered()));
        self.effects.push(Effect::Quit);
    }

    /// Yes was said to a question.
    pub(super) fn confirmed(&mut self, confirm: Confirm) {
        match confirm.then {
            Some(Then::Ask(request)) => {
                if self.session.production {
                    self.session.writes_allowed = true;
                }
                let did = confirm.did.unwrap_or_default();
                hands!(self).write_now(request, did);
            }
            Some(Then::Edit(editing, text)) => self.effects.push(Effect::Edit(editing, text)),
            Some(Then::Quit) => self.quit_now(),
            None => {}
        }
    }

    pub(super) fn set_filter(&mut self, text: &str, done: bool) {
        self.with_screen(|screen, cx| screen.set_filter(text, done, cx));
    }

    /// Copies text to the terminal's clipboard.
    pub(super) fn copy(&mut self, what: &str, text: String) {
        hands!(self).copy(what, text);
    }

    /// A dry run writes nothing: nobody is asked.
    pub(super) fn start_dry_run(&mut self, request: Request, did: String) {
        hands!(self).write_now(request, did);
        self.grant();
    }

    /// Writes through the same door as screens do.
    pub(super) fn write(&mut self, request: Request, did: String) {
        hands!(self).write(request, None, did);
        self.grant();
    }

    fn answer(&mut self, answer: Answer) {
        let Answer {
            slot,
            generation,
            reply,
        } = answer;
        if !self.slots.finish(slot, generation) {
            return;
        }
        self.dirty = self.dirty.max(Dirty::Data);
        match reply {
            Reply::Remembered(Ok(Some(text))) => self.restore(&text),
            Reply::Remembered(_) => self.with_screen(|screen, cx| screen.open(cx)),
            Reply::Status(result) => {
                if let Ok(status) = &result {
                    self.queue.count(status.counts);
                }
                self.status.finish(result, self.now);
            }
            Reply::Mappings(mappings) => {
                self.session.mappings = mappings;
                if matches!(self.tab, Tab::Records | Tab::Mappings) {
                    self.with_screen(|screen, cx| screen.open(cx));
                }
            }
            Reply::Complete(text, completions) => {
                if let Some(Overlay::Filter(line)) = self.overlays.last_mut() {
                    line.complete(&text, completions);
                }
            }
            Reply::Saved(result) => self.saved(result),
            reply => {
                let tab = slot.tab().unwrap_or(match &reply {
                    Reply::Synced(_) | Reply::Deleted(..) => Tab::Records,
                    Reply::Retried(..) | Reply::Discarded(_) => Tab::Queue,
                    Reply::Run(..) => Tab::Exports,
                    _ => self.tab,
                });
                self.with(tab, |screen, cx| screen.answer(reply, cx));
            }
        }
    }

    /// A record was saved, or was not: a form that waits for it says so itself.
    fn saved(&mut self, result: Result<crate::model::Record, Problem>) {
        let form = self
            .overlays
            .iter()
            .position(|o| matches!(o, Overlay::Form(form) if form.busy));
        match (form, result) {
            (Some(at), Ok(record)) => {
                self.overlays.remove(at);
                self.with(Tab::Records, |screen, cx| {
                    screen.answer(Reply::Saved(Ok(record)), cx)
                });
            }
            (Some(at), Err(problem)) => {
                if let Overlay::Form(form) = &mut self.overlays[at] {
                    form.failed(problem);
                }
            }
            (None, Ok(record)) => {
                self.with(Tab::Records, |screen, cx| {
                    screen.answer(Reply::Saved(Ok(record)), cx)
                });
            }
            (None, Err(problem)) => {
                self.toasts
                    .push(Level::Error, problem.to_string(), self.now);
            }
        }
    }

    /// The editor came back.
    fn edited(&mut self, editing: Editing, result: Result<String, String>) {
        self.dirty = Dirty::Now;
        let text = match result {
            Ok(text) => text,
            Err(problem) => {
                self.toasts.push(Level::Error, problem, self.now);
                return;
            }
        };
        let parsed = serde_json::from_str::<Value>(&text)
            .map_err(|error| error.to_string())
            .and_then(|value| match value {
                Value::Object(map) => Ok(map),
                _ => Err("the properties are an object: { … }".to_owned()),
            });
        let after = match parsed {
            Ok(after) => after,
            Err(problem) => {
                let question = Confirm::new("This is no JSON. Edit it again?")
                    .warn(problem)
                    .line("No drops the edit; nothing was written.")
                    .then(Then::Edit(editing, text));
                self.overlays.push(Overlay::Confirm(question));
                return;
            }
        };
        let changes = changes(&editing.before, after);
        if changes.is_empty() {
            self.toasts
                .push(Level::Ok, "nothing was changed".to_owned(), self.now);
            return;
        }
        let names: Vec<&str> = changes.keys().map(String::as_str).collect();
        let (object, fields) = (editing.object.clone(), names.join(", "));
        let (request, did) = match editing.record {
            Some(record) => (
                Request::Update(object.clone(), record.clone(), changes),
                format!(
                    "tramline records update {} {record} --data -   # {fields}",
                    object.short()
                ),
            ),
            None => (
                Request::Create(object.clone(), changes),
                format!("tramline records create {} --data -", object.short()),
            ),
        };
        self.write(request, did);
    }

    fn paste(&mut self, text: &str) {
        match self.overlays.last_mut() {
            Some(Overlay::Filter(line)) => {
                line.paste(text);
                let text = line.text().to_owned();
                self.set_filter(&text, false);
            }
            Some(Overlay::Form(form)) => form.paste(text),
            Some(Overlay::Palette(palette)) => palette.picker.paste(text),
            Some(Overlay::Pick(picker, _)) => picker.paste(text),
            // Outside a text field a paste must never act as keys.
            _ => {}
        }
    }

    /// The view as JSON text, for the next start.
    fn remembered(&self) -> String {
        let (state, filter) = self.queue.remembered();
        json!({
            "tab": self.tab.title(),
            "queue": { "state": state.map(JobState::name), "filter": filter },
            "records": { "object": self.records.object().map(ObjectKey::as_str), "query": self.records.query() },
            "mapping": self.mappings.chosen().map(MappingName::as_str),
        })
        .to_string()
    }

    /// Goes back to the view of the last session, unless a key was pressed meanwhile.
    fn restore(&mut self, text: &str) {
        if !self.touched
            && let Ok(view) = serde_json::from_str::<Value>(text)
        {
            let word = |path: &str| view.pointer(path).and_then(Value::as_str);
            let state = word("/queue/state").and_then(JobState::from_name);
            let filter = word("/queue/filter").unwrap_or_default();
            self.queue.restore(state, filter.to_owned());
            if let Some(object) = word("/records/object") {
                let query = word("/records/query").map(str::to_owned);
                self.records.restore(ObjectKey::from(object), query);
            }
            if let Some(name) = word("/mapping") {
                self.mappings.restore(MappingName::from(name));
            }
            if let Some(tab) = word("/tab").and_then(Tab::from_title) {
                self.tab = tab;
            }
        }
        self.with_screen(|screen, cx| screen.open(cx));
    }

    /// The running export that the status bar shows.
    pub(super) fn running(&self) -> Option<&Run> {
        let exports = &self.status.value()?.exports;
        exports.iter().find(|run| run.state == RunState::Running)
    }
}

/// Properties that differ; one that was taken out is emptied by null.
fn changes(before: &Properties, after: Properties) -> Properties {
    let mut changes = Properties::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        changes.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        if before.get(&key) != Some(&value) {
            changes.insert(key, value);
        }
    }
    changes
}
