//! The state of the control room, and `update`: an event in, effects out. No I/O, no clock of its own.

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

mod answers;
mod clock;
mod configured;
mod connecting;
mod filters;
mod going;
mod overtaken;
mod ways;

use crate::model::filter::Filter;
use crate::model::{ConnectionName, Level};
use crate::operations::status::Status;
use crate::tui::chrome::SMALLEST;
use crate::tui::context::{Cx, Did, Go, Session, Then, Wish};
use crate::tui::effect::Effect;
use crate::tui::event::Event;
use crate::tui::frame::Dirty;
use crate::tui::hits::{Click, Hits};
use crate::tui::keymap::{Action, Key, Keymap, Needs, Tab};
use crate::tui::load::Load;
use crate::tui::remembered::Remembered;
use crate::tui::request::{Editing, Request};
use crate::tui::screens::activity::{Activity, RowFilter};
use crate::tui::screens::exports::Exports;
use crate::tui::screens::mappings::Mappings;
use crate::tui::screens::queue::Queue;
use crate::tui::screens::records::Records;
use crate::tui::screens::schemas::Schemas;
use crate::tui::screens::{Refresh, Screen};
use crate::tui::slots::{Slot, Slots};
use crate::tui::theme::Theme;
use crate::tui::unfinished::Unfinished;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::help::Help;
use crate::tui::widgets::line::{Complete, InputLine, Known};
use crate::tui::widgets::overlay::Overlay;
use crate::tui::widgets::palette::Palette;
use crate::tui::widgets::rule::RuleOutcome;
use crate::tui::widgets::source::SourceOutcome;
use crate::tui::widgets::toast::{About, Toasts};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
pub use filters::FilterStep;
use jiff::Timestamp;
use std::collections::HashMap;
use ways::Way;

/// True for a key that a text field takes as a character.
pub(in crate::tui) fn types(key: &KeyEvent) -> bool {
    let shortcut = KeyModifiers::CONTROL | KeyModifiers::ALT;
    matches!(key.code, KeyCode::Char(_)) && !key.modifiers.intersects(shortcut)
}

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
    pub(in crate::tui) unfinished: Unfinished,
    pub(in crate::tui) status: Load<Status>,
    status_refresh: Refresh,
    pub(in crate::tui) schemas: Schemas,
    pub(in crate::tui) records: Records,
    pub(in crate::tui) mappings: Mappings,
    pub(in crate::tui) queue: Queue,
    pub(in crate::tui) exports: Exports,
    pub(in crate::tui) activity: Activity,
    /// The views of other connections, and the last one of this.
    remembered: Remembered,
    /// Writes in flight to connections that were in view when they began.
    elsewhere: HashMap<Slot, ConnectionName>,
    /// Where views were opened from, the latest last.
    ways: Vec<Way>,
    last_did: Option<Did>,
    /// An action that was chosen by name, until its screen is read.
    intended: Option<Action>,
    /// What the editor gave back last, until it is saved.
    edit: Option<Edit>,
    touched: bool,
    /// What the mouse can hit on the last frame.
    pub(in crate::tui) hits: Hits,
    pub(in crate::tui) clicked: Option<Click>,
    /// The terminal is too small for more than a notice.
    small: bool,
    /// When something last happened that budgets and counts follow.
    busy_at: Timestamp,
    /// Since when the last error is shown, and whether a newer one waits.
    error_at: Timestamp,
    error_waits: bool,
    dirty: Dirty,
    effects: Vec<Effect>,
    wishes: Vec<Wish>,
}

/// A text of the editor that is being saved: it comes back if it is refused.
struct Edit {
    request: Request,
    /// Where the answer comes; `None` while the person is asked whether it may be written.
    slot: Option<Slot>,
    editing: Editing,
    text: String,
}

impl App {
    /// The state before anything is known.
    pub fn new(session: Session, keymap: Keymap, theme: Theme, now: Timestamp) -> Self {
        let slow = session.low_bandwidth;
        let mut app = Self {
            keymap,
            theme,
            now,
            tab: Tab::default(),
            slots: Slots::default(),
            toasts: Toasts::default(),
            overlays: Vec::new(),
            unfinished: Unfinished::default(),
            status: Load::Idle,
            status_refresh: Refresh::of_status(slow),
            schemas: Schemas::default(),
            records: Records::default(),
            mappings: Mappings::default(),
            queue: Queue::new(slow),
            exports: Exports::new(slow),
            activity: Activity::new(slow),
            remembered: Remembered::default(),
            elsewhere: HashMap::new(),
            ways: Vec::new(),
            last_did: None,
            intended: None,
            edit: None,
            touched: false,
            hits: Hits::default(),
            clicked: None,
            small: false,
            busy_at: now,
            error_at: now,
            error_waits: false,
            dirty: Dirty::Now,
            effects: Vec::new(),
            wishes: Vec::new(),
            session,
        };
        app.narrow();
        app
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
                    self.toasts.read();
                    self.toasts.retract(About::Next);
                    self.clicked = None;
                    self.intended = None;
                    self.key(&key);
                }
            }
            Event::Paste(text) => {
                self.dirty = Dirty::Now;
                self.toasts.retract(About::Next);
                self.paste(&text);
            }
            Event::Mouse(mouse) => {
                if !self.small && self.mouse(mouse) {
                    self.touched = true;
                    self.dirty = Dirty::Now;
                    self.toasts.read();
                }
            }
            Event::Resize(width, height) => {
                self.small = width < SMALLEST.0 || height < SMALLEST.1;
                self.dirty = Dirty::Now;
            }
            Event::Answer(answer) => self.answer(*answer),
            Event::Changed => {
                self.busy_at = now;
                self.status_refresh.mark();
                self.queue.mark();
                self.activity.mark(now);
                self.exports.mark();
            }
            Event::Configured => {
                let request = Request::Reload { credentials: false };
                hands!(self).ask(Slot::Configuration, request);
            }
            Event::Call(call) => {
                self.busy_at = now;
                self.activity.add(call, now);
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
        self.pursue();
        self.grant();
        self.pending();
        self.follow_question();
        std::mem::take(&mut self.effects)
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

    pub(in crate::tui) fn with_screen(&mut self, f: impl FnOnce(&mut dyn Screen, &mut Cx)) {
        self.with(self.tab, f);
    }

    /// Does what screens asked for.
    fn grant(&mut self) {
        while !self.wishes.is_empty() {
            for wish in std::mem::take(&mut self.wishes) {
                self.dirty = self.dirty.max(Dirty::Data);
                match wish {
                    Wish::Toast(level, text) => self.toasts.push(level, text, self.now),
                    Wish::ToastAbout(about, level, text) => {
                        self.toasts.push_about(about, level, text, self.now);
                    }
                    Wish::Retract(about) => self.toasts.retract(about),
                    Wish::Show(overlay) => self.show(*overlay),
                    Wish::Did(did) => self.last_did = Some(did),
                    Wish::Remember => self.effects.extend(self.remembered().map(Effect::Remember)),
                    Wish::Go(go) => self.go(go),
                }
            }
        }
    }

    /// Opens something above the screen, with what was typed into it before.
    fn show(&mut self, mut overlay: Overlay) {
        if !self.unfinished.take_up(&mut overlay) {
            self.overlays.push(overlay);
            return;
        }
        if overlay.is_busy() {
            let text = "this is being written still: the answer closes it";
            self.toasts.push(Level::Ok, text.to_owned(), self.now);
        } else {
            let text = "here is what was typed before; ctrl-r takes it out";
            self.advise(Level::Ok, text.to_owned());
        }
        // What was asked for is what the text before makes of the sample.
        match &mut overlay {
            Overlay::Source(source) => self.typed_source(source, SourceOutcome::Typed),
            Overlay::Rule(rule) => self.typed_rule(rule, RuleOutcome::Typed),
            _ => {}
        }
        self.overlays.push(overlay);
    }

    fn key(&mut self, key: &KeyEvent) {
        if self.small && !self.sees(key) {
            return;
        }
        if self.overlays.is_empty() {
            if let Some(action) = self.keymap.action(self.tab, key) {
                self.act(action);
            }
        } else {
            self.overlay_key(key);
        }
    }

    /// True for a key whose effect a terminal that is too small can show: what is not seen is not acted on.
    fn sees(&self, key: &KeyEvent) -> bool {
        let action = self.keymap.action(self.tab, key);
        let leaves = matches!(action, Some(Action::Quit | Action::Suspend | Action::Back));
        match self.overlays.last() {
            // The notice shows the question.
            Some(Overlay::Confirm(_)) => true,
            // Anything else may be a field that takes the key as a character.
            Some(_) => leaves && !types(key),
            None => leaves,
        }
    }

    /// Does an action of the screen in view.
    pub(in crate::tui) fn act(&mut self, action: Action) {
        match action {
            Action::Show(tab) => self.go(Go::Tab(tab)),
            Action::Help => self.overlays.push(Overlay::Help(Help::new(self.tab))),
            Action::Palette => {
                let aim = self.session.aim();
                let lacks = |action| self.lacks_for_good(action);
                let palette = Palette::new(&self.keymap, self.tab, &aim, &lacks);
                self.overlays.push(Overlay::Palette(palette));
            }
            Action::Filter => {
                let completes: Option<Complete> = match self.tab {
                    Tab::Queue => Some(Filter::complete),
                    Tab::Activity => Some(RowFilter::complete),
                    _ => None,
                };
                let mappings = self.session.mappings.iter().map(|m| m.name.to_string());
                let connections = self.session.connections.iter();
                let known = vec![
                    Known {
                        key: "mapping",
                        values: mappings.collect(),
                    },
                    Known {
                        key: "connection",
                        values: connections.map(ToString::to_string).collect(),
                    },
                ];
                let line = InputLine::new(self.screen(self.tab).filter(), completes).knowing(known);
                self.overlays.push(Overlay::Filter(line));
            }
            Action::Back => self.back(),
            Action::Twin => self.show_command(),
            Action::LastError => self.last_error(),
            Action::Log => self.show_log(),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Quit => self.quit(),
            Action::ChooseObject => self.choose_object(),
            Action::Connections => hands!(self).ask(Slot::Connections, Request::Connections),
            Action::Filters => self.ask_filters(),
            Action::Reload => {
                let mut cx = hands!(self);
                cx.ask(Slot::Configuration, Request::Reload { credentials: true });
                self.effects.push(Effect::Redraw);
                self.read_status();
                self.with_screen(|screen, cx| screen.act(Action::Reload, cx));
            }
            Action::NextMatch | Action::PreviousMatch
                if self.screen(self.tab).filter().is_empty() =>
            {
                let text = format!(
                    "no filter to go by: {} sets one",
                    self.keymap.key_of(Action::Filter)
                );
                self.advise(Level::Warning, text);
            }
            other => match self.lacks(other) {
                Some(why) => self.advise(Level::Warning, why),
                None => self.with_screen(|screen, cx| screen.act(other, cx)),
            },
        }
    }

    /// Says what holds for the place where a person is now: until the next key.
    pub(super) fn advise(&mut self, level: Level, text: String) {
        self.toasts.push_about(About::Next, level, text, self.now);
    }

    /// Does an action that was chosen by name, on the screen that it belongs to.
    pub(in crate::tui) fn intend(&mut self, tab: Option<Tab>, action: Action) {
        let other = tab.filter(|tab| *tab != self.tab);
        if let Some(tab) = other {
            self.act(Action::Show(tab));
        }
        let waits = self.is_reading() && self.lacks(action).is_some();
        if other.is_none() && !waits {
            self.act(action);
            return;
        }
        if matches!(action, Action::Sync | Action::Retry) {
            // They write unasked, and nobody has seen yet which row they would be about.
            let text = format!(
                "choose the row: {} is for the one under the cursor",
                self.key_name(action)
            );
            self.advise(Level::Ok, text);
            return;
        }
        self.intended = Some(action);
    }

    /// Does what was chosen by name once its screen has what it needs, or is read and has not.
    fn pursue(&mut self) {
        let Some(action) = self.intended else { return };
        let enough = action.needs(self.tab).is_some() && self.lacks(action).is_none();
        if !self.is_reading() || enough {
            self.intended = None;
            self.act(action);
        }
    }

    /// True while the screen in view is not read: what it lacks may still come.
    fn is_reading(&self) -> bool {
        !self.slots.of_tab(self.tab).is_empty()
    }

    /// As [`App::lacks`], where waiting will not help.
    fn lacks_for_good(&self, action: Action) -> Option<String> {
        match self.is_reading() {
            true => None,
            false => self.lacks(action),
        }
    }

    /// The first key of an action on the screen in view.
    fn key_name(&self, action: Action) -> String {
        let bound = self.keymap.of(self.tab).chain(self.keymap.everywhere());
        let bound = bound.filter(|bound| bound.binding.action == action);
        let key = bound.flat_map(|bound| bound.keys.first()).next();
        key.map_or_else(|| "this".to_owned(), Key::name)
    }

    /// Why an action has nothing to act on.
    fn lacks(&self, action: Action) -> Option<String> {
        let screen = self.screen(self.tab);
        let (needed, there) = match action.needs(self.tab)? {
            Needs::Row => ("a row", screen.has_row()),
            Needs::Mapping => ("a mapping", screen.about().is_some()),
        };
        if there {
            return None;
        }
        let key = self.key_name(action);
        let yet = if self.is_reading() { " yet" } else { "" };
        Some(format!("{key} needs {needed}, and there is none here{yet}"))
    }

    /// Yes was said to a question.
    pub(in crate::tui) fn confirmed(&mut self, confirm: Confirm) {
        match confirm.then {
            Some(Then::Ask(request)) => {
                if self.session.production {
                    self.session.writes_allowed = true;
                }
                let did = confirm.did.unwrap_or_default();
                hands!(self).write_now(request.clone(), did);
                self.form_waits(&request);
                if let Some(edit) = &mut self.edit
                    && edit.slot.is_none()
                    && edit.request == request
                {
                    edit.slot = Some(self.slots.latest_write());
                }
            }
            Some(Then::Stop(request)) => {
                let mut cx = hands!(self);
                let slot = cx.slots.write();
                cx.ask(slot, request);
            }
            Some(Then::Edit(editing, text)) => self.effects.push(Effect::Edit(editing, text)),
            Some(Then::Connect(name, account)) => self.switch(name, account),
            Some(Then::File(file)) => {
                let did = confirm.did.unwrap_or_default();
                self.records.write_file(*file, None, did, &mut hands!(self));
            }
            Some(Then::Quit) => self.quit_now(),
            None => {}
        }
    }

    /// No was said to a question: a text of the editor that is not written can be edited again.
    pub(in crate::tui) fn declined(&mut self, confirm: &Confirm) {
        let Some(Then::Ask(request)) = &confirm.then else {
            return;
        };
        let asked = |edit: &mut Edit| edit.slot.is_none() && edit.request == *request;
        if let Some(edit) = self.edit.take_if(asked) {
            let question = Confirm::new("Nothing was written. Edit it again?")
                .line("No drops the edit.")
                .then(Then::Edit(edit.editing, edit.text));
            self.overlays.push(Overlay::Confirm(question));
        }
    }

    pub(in crate::tui) fn set_filter(&mut self, text: &str, done: bool) {
        self.with_screen(|screen, cx| screen.set_filter(text, done, cx));
    }

    /// Shows and copies the command that does what was just done; none that would do something else.
    fn show_command(&mut self) {
        let Some(did) = self.last_did.clone() else {
            let text = "nothing was done yet that has a command".to_owned();
            self.toasts.push(Level::Warning, text, self.now);
            return;
        };
        let edited = did.edited.filter(|name| self.mappings.is_edited(name));
        match edited {
            None => self.copy_command(&did.command, did.nearest),
            Some(name) => {
                let key = |action| self.keymap.key_of(action);
                let text = format!(
                    "{name} has changes that are not saved: the command would go by config.toml, without them. {} saves \
                     them, {} takes them back",
                    key(Action::Save),
                    key(Action::Undo)
                );
                self.toasts.push(Level::Warning, text, self.now);
            }
        }
    }

    /// Shows and copies a command that is about the accounts in view wherever it is pasted.
    fn copy_command(&mut self, command: &str, nearest: Option<&str>) {
        let command = self.session.aim().whole(command);
        let passing = "it works as long as this demo is open";
        let passing = Some(passing).filter(|_| self.session.passing);
        let lines = [Some(command.as_str()), nearest, passing];
        let lines: Vec<&str> = lines.into_iter().flatten().collect();
        let text = lines.join("\n");
        self.toasts.push(Level::Ok, text, self.now);
        self.copy("command", command);
    }

    /// Copies text to the terminal's clipboard.
    pub(in crate::tui) fn copy(&mut self, what: &str, text: String) {
        hands!(self).copy(what, text);
    }

    /// Asks nobody: for a dry run, which writes nothing, and for what only stops something.
    pub(in crate::tui) fn write_unasked(&mut self, request: Request, did: String) {
        hands!(self).write_now(request, did);
        self.grant();
    }

    /// Writes through the same door as screens do.
    pub(in crate::tui) fn write(&mut self, request: Request, did: String) {
        hands!(self).write(request, None, did);
        self.grant();
    }

    /// Writes after a question, through the same door.
    pub(in crate::tui) fn write_asked(&mut self, request: Request, question: Confirm, did: String) {
        hands!(self).write(request, Some(question), did);
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
            Some(Overlay::Help(help)) => help.paste(text),
            Some(Overlay::Source(source)) => {
                source.paste(text);
                let source = source.clone();
                self.typed_source(&source, SourceOutcome::Typed);
            }
            Some(Overlay::Rule(rule)) => {
                rule.paste(text);
                let mut rule = rule.clone();
                self.typed_rule(&mut rule, RuleOutcome::Typed);
            }
            Some(Overlay::Palette(palette)) => palette.picker.paste(text),
            Some(Overlay::Pick(picker, _)) => picker.paste(text),
            // Outside a text field a paste must never act as keys.
            _ => {}
        }
    }
}
