//! What comes back to the app: answers of effects, texts of the editor, the view of the last session.

use super::{App, Edit};
use crate::model::{
    ContactField, JobState, Level, MappingName, Pause, Problem, Properties, Record,
};
use crate::operations::Done;
use crate::operations::pauses::Scope;
use crate::operations::records::change::RecordChange;
use crate::tui::command::{set, update};
use crate::tui::context::{Cx, Then};
use crate::tui::event::Answer;
use crate::tui::frame::Dirty;
use crate::tui::keymap::{Action, Tab};
use crate::tui::remembered::Remembered;
use crate::tui::request::{Editing, Reply, Request};
use crate::tui::screens::mappings::{rule_tried, tried};
use crate::tui::slots::Slot;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::form::Purpose;
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::rule::RuleEditor;
use crate::tui::widgets::toast::About;
use serde_json::{Value, json};

impl App {
    pub(super) fn answer(&mut self, answer: Answer) {
        let Answer {
            slot,
            generation,
            reply,
        } = answer;
        if !self.slots.finish(slot, generation) {
            return;
        }
        // The numbers above every screen go along with its next frame.
        let urgent = match slot {
            Slot::Status if self.status.read_at().is_some() => Dirty::Stream,
            _ => Dirty::Data,
        };
        self.dirty = self.dirty.max(urgent);
        if let Some(connection) = self.elsewhere.remove(&slot) {
            self.ended_elsewhere(&connection, &reply);
            return;
        }
        match reply {
            Reply::Remembered(Ok(Some(text))) => self.restore(&text),
            Reply::Remembered(_) => self.with_screen(|screen, cx| screen.open(cx)),
            Reply::Status(mut result) => {
                if let Ok(status) = &mut result {
                    self.queue.see(status, self.now);
                    self.let_read(&mut status.last_error);
                }
                self.status.finish(result, self.now);
            }
            Reply::Mappings(mappings) => {
                self.session.mappings = mappings;
                if matches!(self.tab, Tab::Records | Tab::Mappings) {
                    self.with_screen(|screen, cx| screen.open(cx));
                }
            }
            Reply::Reloaded(result) => self.reloaded(result),
            Reply::Connections(result) => self.choose_connection(result),
            Reply::Filters(of, result) => self.choose_filter(of, result),
            Reply::FilterSaved(result) => self.filter_saved(slot, result),
            Reply::FilterDeleted(filter, result) => self.filter_deleted(&filter, result),
            Reply::Trial(result) => {
                if let Some(Overlay::Source(source)) = self.overlays.last_mut() {
                    source.result = tried(&source.target, result);
                }
            }
            Reply::RuleTried(result) => {
                if let Some(rule) = self.rule_editor() {
                    rule.result = rule_tried(result);
                }
            }
            Reply::ActionNames(result) => {
                self.mappings.names_read(result, self.now);
                if let Some(Overlay::Pick(picker, Choice::Names(action))) = self.overlays.last_mut()
                {
                    picker.add(self.mappings.known_names(*action));
                }
            }
            Reply::FieldCreated(result) => self.field_created(slot, result),
            Reply::Saved(result) => self.saved(slot, result),
            Reply::Overtaken(change, live) => self.overtaken(slot, *change, *live),
            Reply::Paused(scope, result) => self.paused(slot, scope, result),
            reply => {
                if let Reply::Deleted(records, _) = &reply {
                    self.mappings.samples_gone(records, &mut hands!(self));
                    self.left_lists().for_each(|left| left.lose(records));
                }
                let tab = slot.tab().unwrap_or(match &reply {
                    Reply::Synced(_) | Reply::Deleted(..) | Reply::Filed(..) => Tab::Records,
                    Reply::Resumed(..)
                    | Reply::Retried(..)
                    | Reply::Begun(..)
                    | Reply::Bulks(_)
                    | Reply::Pace(..)
                    | Reply::AfterRetry(..)
                    | Reply::Cancelled(..) => Tab::Queue,
                    Reply::Run(..) | Reply::StillFailed(..) => Tab::Exports,
                    Reply::MappingSaved(..) => Tab::Mappings,
                    _ => self.tab,
                });
                self.with(tab, |screen, cx| screen.answer(reply, cx));
            }
        }
    }

    /// A record was saved, or was not: a form that waits for it says so itself, a text of the editor may be edited again.
    fn saved(&mut self, write: Slot, result: Result<Record, Problem>) {
        if let Some(edit) = self.edit.take_if(|edit| edit.slot == Some(write))
            && let Err(problem) = &result
        {
            let question = Confirm::new("It was not saved. Edit it again?")
                .warn(problem.to_string())
                .line("No drops the edit.")
                .then(Then::Edit(edit.editing, edit.text));
            self.overlays.push(Overlay::Confirm(question));
            return;
        }
        let form = self.busy_form(write);
        self.unfinished.answered(write, result.is_ok());
        match (form, result) {
            (form, Err(problem)) => self.refused(form, problem),
            (form, Ok(record)) => {
                if let Some(at) = form {
                    self.overlays.remove(at);
                }
                self.keep(record);
            }
        }
    }

    /// The rule that is edited, whatever lies above it.
    fn rule_editor(&mut self) -> Option<&mut RuleEditor> {
        self.overlays.iter_mut().find_map(|overlay| match overlay {
            Overlay::Rule(rule) => Some(&mut **rule),
            _ => None,
        })
    }

    /// What was asked for was refused: the form that waits for it says so, where there is one.
    fn refused(&mut self, form: Option<usize>, problem: Problem) {
        match form.map(|at| &mut self.overlays[at]) {
            Some(Overlay::Form(form)) => form.failed(problem),
            _ => self
                .toasts
                .push(Level::Error, problem.to_string(), self.now),
        }
    }

    /// A contact field was created, or was not: the form that waits for it keeps what was typed.
    fn field_created(&mut self, write: Slot, result: Done<ContactField>) {
        let form = self.busy_form(write);
        self.unfinished.answered(write, result.is_ok());
        match (form, result) {
            (form, Err(problem)) => self.refused(form, problem),
            (form, Ok(field)) => {
                let wanted = form.and_then(|at| match self.overlays.remove(at) {
                    Overlay::Form(form) => match form.purpose {
                        Purpose::Field(wanted) => Some(wanted),
                        _ => None,
                    },
                    _ => None,
                });
                self.mappings
                    .field_created(&field, wanted, &mut hands!(self));
            }
        }
    }

    /// Something was paused, or was not: the form that waits for it keeps what was typed.
    fn paused(&mut self, write: Slot, scope: Scope, result: Done<Vec<Pause>>) {
        let form = self.busy_form(write);
        self.unfinished.answered(write, result.is_ok());
        match (form, result) {
            (form, Err(problem)) => self.refused(form, problem),
            (form, Ok(pauses)) => {
                if let Some(at) = form {
                    self.overlays.remove(at);
                }
                let reply = Reply::Paused(scope, Ok(pauses));
                self.with(Tab::Queue, |screen, cx| screen.answer(reply, cx));
            }
        }
    }

    /// The form that waits for the answer of a write.
    pub(super) fn busy_form(&self, write: Slot) -> Option<usize> {
        let waits = |o: &Overlay| matches!(o, Overlay::Form(form) if form.awaits == Some(write));
        self.overlays.iter().position(waits)
    }

    /// A record was saved: the records screen shows it; in the queue it was a job's, which is to be retried.
    fn keep(&mut self, record: Record) {
        let mut text = "saved".to_owned();
        if let Some(name) = self.records.name_of(&record) {
            text.push_str(&format!(" {name}"));
        }
        let key = self.keymap.key_of(Action::Retry);
        let job = self.queue.after_mending(&record.id, &key);
        if let Some(job) = job.filter(|_| self.tab == Tab::Queue) {
            text.push_str(&format!("; {job}"));
        }
        self.toasts
            .push_about(About::Mended, Level::Ok, text, self.now);
        self.show_as_it_is(&record);
    }

    /// Puts a record that was just read or written in the place of what the screens have of it.
    pub(super) fn show_as_it_is(&mut self, record: &Record) {
        self.left_lists().for_each(|left| left.learn(record));
        for tab in [Tab::Records, Tab::Mappings] {
            let reply = Reply::Saved(Ok(record.clone()));
            self.with(tab, |screen, cx| screen.answer(reply, cx));
        }
    }

    /// The editor came back.
    pub(super) fn edited(&mut self, editing: Editing, result: Result<String, String>) {
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
        let object = editing.object.clone();
        let (request, did) = match &editing.record {
            Some(record) => {
                let change = RecordChange {
                    object,
                    record: record.clone(),
                    properties: changes,
                    seen: editing.before.clone(),
                };
                let did = update(&change);
                (Request::Update(Box::new(change)), did)
            }
            None => {
                let words = set(&changes);
                let did = format!("tramline records create {}{words}", object.short());
                (Request::Create(object, changes), did)
            }
        };
        let before = self.slots.latest_write();
        self.write(request.clone(), did);
        self.edit = Some(Edit {
            request,
            slot: Some(self.slots.latest_write()).filter(|slot| *slot != before),
            editing,
            text,
        });
    }

    /// The view in force, to be gone back to.
    pub(super) fn view_now(&self) -> Value {
        let (state, filter) = self.queue.remembered();
        let (kind, activity) = self.activity.remembered();
        json!({
            "tab": self.tab.title(),
            "queue": { "state": state.map(JobState::name), "filter": filter },
            "records": self.records.remembered(),
            "activity": { "kind": kind, "filter": activity },
            "mapping": self.mappings.chosen().map(MappingName::as_str),
        })
    }

    /// Connection and views as JSON text, for the next start; `None` before those of the last session are known, which would
    /// else be lost.
    pub fn remembered(&self) -> Option<String> {
        if self.slots.waits(Slot::Remembered) {
            return None;
        }
        let mut remembered = self.remembered.clone();
        remembered.keep(&self.session.connection, self.view_now());
        Some(remembered.text())
    }

    /// Goes back to the view of the last session, unless a key was pressed meanwhile.
    fn restore(&mut self, text: &str) {
        self.remembered = Remembered::read(text, &self.session.connection);
        let view = self.remembered.view(&self.session.connection).cloned();
        if let Some(view) = view.filter(|_| !self.touched) {
            self.restore_screens(&view);
            let tab = view.get("tab").and_then(Value::as_str);
            if let Some(tab) = tab.and_then(Tab::from_title) {
                self.tab = tab;
            }
        }
        self.with_screen(|screen, cx| screen.open(cx));
    }

    /// Gives the screens what is remembered of them.
    pub(super) fn restore_screens(&mut self, view: &Value) {
        let word = |path: &str| view.pointer(path).and_then(Value::as_str);
        let state = word("/queue/state").and_then(JobState::from_name);
        let filter = word("/queue/filter").unwrap_or_default();
        self.queue.restore(state, filter.to_owned());
        let kind = word("/activity/kind").unwrap_or_default();
        let filter = word("/activity/filter").unwrap_or_default();
        self.activity.restore(kind, filter);
        self.records.restore(&view["records"]);
        if let Some(name) = word("/mapping") {
            self.mappings.restore(MappingName::from(name));
        }
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
