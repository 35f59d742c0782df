//! The state of the control room, and `update`: an event in, effects out. No I/O, no clock of its own.

mod answers;
mod configured;

use crate::model::export::{Run, RunState};
use crate::model::{Level, ObjectKey};
use crate::operations::status::Status;
use crate::tui::context::{Cx, Go, Session, Then, Wish};
use crate::tui::effect::Effect;
use crate::tui::event::Event;
use crate::tui::frame::Dirty;
use crate::tui::keymap::{Action, Keymap, Tab};
use crate::tui::load::Load;
use crate::tui::request::Request;
use crate::tui::screens::activity::Activity;
use crate::tui::screens::exports::Exports;
use crate::tui::screens::mappings::Mappings;
use crate::tui::screens::queue::Queue;
use crate::tui::screens::records::Records;
use crate::tui::screens::schemas::Schemas;
use crate::tui::screens::{Refresh, Screen, WakeCx};
use crate::tui::slots::{SPINNER_AFTER, Slot, Slots};
use crate::tui::theme::Theme;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::help::Help;
use crate::tui::widgets::line::InputLine;
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::palette::Palette;
use crate::tui::widgets::picker::{Item, Picker};
use crate::tui::widgets::toast::Toasts;
use crossterm::event::{KeyEvent, KeyEventKind, MouseEventKind};
use jiff::{SignedDuration, Timestamp};

/// The whole state.
pub struct App {
    pub(in crate::tui) session: Session,
    pub(in crate::tui) keymap: Keymap,
    pub(in crate::tui) theme: Theme,
    pub(in crate::tui) now: Timestamp,
    pub(in crate::tui) tab: Tab,
    pub(in crate::tui) slots: Slots,
    pub(in crate::tui) toasts: Toasts,
    pub(in crate::tui) overlays: Vec<Overlay>,
    pub(in crate::tui) status: Load<Status>,
    status_refresh: Refresh,
    pub(in crate::tui) schemas: Schemas,
    pub(in crate::tui) records: Records,
    pub(in crate::tui) mappings: Mappings,
    pub(in crate::tui) queue: Queue,
    pub(in crate::tui) exports: Exports,
    pub(in crate::tui) activity: Activity,
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
            Event::Configured => {
                let request = Request::Reload { credentials: false };
                hands!(self).ask(Slot::Configuration, request);
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

    pub(in crate::tui) fn screen(&self, tab: Tab) -> &dyn Screen {
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
    pub(in crate::tui) fn act(&mut self, action: Action) {
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
                cx.ask(Slot::Configuration, Request::Reload { credentials: true });
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

    pub(in crate::tui) fn chosen(&mut self, choice: Choice, at: usize) {
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
    pub(in crate::tui) fn confirmed(&mut self, confirm: Confirm) {
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

    pub(in crate::tui) fn set_filter(&mut self, text: &str, done: bool) {
        self.with_screen(|screen, cx| screen.set_filter(text, done, cx));
    }

    /// Copies text to the terminal's clipboard.
    pub(in crate::tui) fn copy(&mut self, what: &str, text: String) {
        hands!(self).copy(what, text);
    }

    /// A dry run writes nothing: nobody is asked.
    pub(in crate::tui) fn start_dry_run(&mut self, request: Request, did: String) {
        hands!(self).write_now(request, did);
        self.grant();
    }

    /// Writes through the same door as screens do.
    pub(in crate::tui) fn write(&mut self, request: Request, did: String) {
        hands!(self).write(request, None, did);
        self.grant();
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

    /// The running export that the status bar shows.
    pub(in crate::tui) fn running(&self) -> Option<&Run> {
        let exports = &self.status.value()?.exports;
        exports.iter().find(|run| run.state == RunState::Running)
    }
}
