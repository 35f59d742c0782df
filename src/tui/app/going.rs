//! From one place to another: tabs, what a row leads to, back, out.

use super::App;
use crate::model::export::Run;
use crate::model::filter::quote;
use crate::model::{JobState, Level, ObjectKey};
use crate::tui::canvas::{counted, grouped};
use crate::tui::context::{Cx, Go, Then};
use crate::tui::effect::Effect;
use crate::tui::frame::Dirty;
use crate::tui::keymap::Tab;
use crate::tui::request::Request;
use crate::tui::screens::exports::{cancel_question, goal};
use crate::tui::screens::records::chooser::Chooser;
use crate::tui::slots::{SPINNER_AFTER, Slot};
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::form::Form;
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::picker::{Item, Picker};
use crate::tui::widgets::rule::{RuleEditor, RuleOutcome};
use crate::tui::widgets::source::{Source, SourceOutcome};

impl App {
    pub(super) fn back(&mut self) {
        // A message takes no key for itself.
        self.toasts.clear();
        let slow: Vec<Slot> = self
            .slots
            .of_tab(self.tab)
            .into_iter()
            .filter(|slot| {
                self.screen(self.tab).awaits(*slot)
                    && self
                        .slots
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
        self.close_or_return();
    }

    /// Shows what goes on about the thing that the cursor is on.
    pub(super) fn show_log(&mut self) {
        match self.screen(self.tab).about() {
            Some(filter) => self.go(Go::Log(filter)),
            None => {
                let text = "nothing is chosen here whose log could be shown".to_owned();
                self.advise(Level::Warning, text);
            }
        }
    }

    /// Shows the jobs that failed with the words of the last error.
    pub(super) fn last_error(&mut self) {
        let last = self.status.value().and_then(|s| s.last_error.clone());
        match last {
            Some(error) => {
                let filter = format!("error:{}", quote(&error.problem.message));
                self.go(Go::Queue(Some(JobState::Failed), filter));
            }
            None => self
                .toasts
                .push(Level::Ok, "no error so far".to_owned(), self.now),
        }
    }

    pub(super) fn choose_object(&mut self) {
        let objects: Vec<(ObjectKey, String)> = self
            .schemas
            .objects()
            .map(|schema| (schema.key.clone(), schema.plural.clone()))
            .collect();
        if objects.is_empty() {
            self.go(Go::Tab(Tab::Schemas));
            let text = "choose an object: enter opens its records".to_owned();
            self.advise(Level::Ok, text);
            return;
        }
        let items = objects.iter().map(|(key, name)| Item {
            label: name.clone(),
            note: key.to_string(),
            key: String::new(),
            off: false,
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
            Choice::Connection(connections) => {
                if let Some((name, account)) = connections.into_iter().nth(at) {
                    self.connect(name, account);
                }
            }
            Choice::Filter(steps) => {
                if let Some(step) = steps.into_iter().nth(at) {
                    self.take_filter_step(step);
                }
            }
            Choice::Pause(steps) => {
                if let Some(step) = steps.into_iter().nth(at) {
                    self.queue.take_step(step, &mut hands!(self));
                }
            }
            Choice::Target(targets) => {
                if let Some(target) = targets.into_iter().nth(at) {
                    self.mappings.edit_source(target, &mut hands!(self));
                }
            }
            Choice::Proposal(proposals) => {
                if let Some(proposal) = proposals.into_iter().nth(at) {
                    self.mappings.field_form(&proposal, None, &mut hands!(self));
                }
            }
            // Of these several are taken.
            Choice::Pair(_) | Choice::Names(_) => {}
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

    /// Columns of the records were chosen.
    pub(in crate::tui) fn columns_chosen(&mut self, chooser: &Chooser) {
        self.records.take_columns(chooser, &mut hands!(self));
    }

    /// The form of a file of records was filled in.
    pub(in crate::tui) fn file_records(&mut self, object: ObjectKey, form: Box<Form>) {
        self.records.file(object, form, &mut hands!(self));
    }

    /// Several items of a list were taken.
    pub(in crate::tui) fn taken(&mut self, choice: Choice, picker: &Picker) {
        match choice {
            Choice::Pair(pairs) => {
                let taken = picker.taken();
                let pairs = taken.iter().filter_map(|at| pairs.get(*at));
                let pairs: Vec<_> = pairs.cloned().collect();
                self.mappings.take_pairs(&pairs, &mut hands!(self));
            }
            Choice::Names(action) => {
                if let Some(Overlay::Rule(rule)) = self.overlays.last_mut() {
                    rule.set_names(action, picker.taken_labels());
                    self.mappings.try_rule(rule, &mut hands!(self));
                }
            }
            _ => {}
        }
    }

    /// A rule was changed, taken or left.
    pub(in crate::tui) fn typed_rule(&mut self, rule: &mut RuleEditor, outcome: RuleOutcome) {
        let mut cx = hands!(self);
        match outcome {
            RuleOutcome::Stay => {}
            RuleOutcome::Typed => self.mappings.try_rule(rule, &mut cx),
            RuleOutcome::Names(action, begun) => {
                self.mappings.choose_names(rule, action, begun, &mut cx);
            }
            RuleOutcome::Dropped => cx.give_up(Slot::Trial),
            RuleOutcome::Done => self.mappings.take_rule(rule, &mut cx),
        }
    }

    /// A source was typed on, taken or left.
    pub(in crate::tui) fn typed_source(&mut self, source: &Source, outcome: SourceOutcome) {
        let mut cx = hands!(self);
        match outcome {
            SourceOutcome::Stay => {}
            SourceOutcome::Typed => self.mappings.try_source(source, &mut cx),
            SourceOutcome::Dropped => cx.give_up(Slot::Trial),
            SourceOutcome::Done => self.mappings.take_source(source, &mut cx),
        }
    }

    /// What a person made here that stands nowhere else, with a sentence on it.
    pub(super) fn would_be_lost(&self) -> Vec<(String, Lost)> {
        let mut lost = Vec::new();
        let unsaved = self.mappings.unsaved();
        if !unsaved.is_empty() {
            let names = unsaved.join(", ");
            lost.push((
                format!("Changes of {names} are in no file yet."),
                Lost::Mappings,
            ));
        }
        let typed: Vec<String> = self.unfinished.titles().collect();
        if !typed.is_empty() {
            let line = format!(
                "Typed and not entered: {}. Answer no and open it again: it holds what was typed.",
                typed.join("; ")
            );
            lost.push((line, Lost::Typed));
        }
        lost
    }

    pub(super) fn quit(&mut self) {
        match self.quit_question() {
            Some(question) => self.overlays.push(Overlay::Confirm(question)),
            None => self.quit_now(),
        }
    }

    /// A question that is open goes by what it asks about: its numbers are those of now, and what is over is asked no more. Who
    /// was asked only whether to quit before something is over has quit once it is.
    pub(super) fn follow_question(&mut self) {
        let Some(Overlay::Confirm(shown)) = self.overlays.last() else {
            return;
        };
        let now = match &shown.then {
            Some(Then::Quit) => match self.quit_question() {
                // The key that answers may be under way: it is not to be one of the screen's.
                None => {
                    self.overlays.pop();
                    return self.quit_now();
                }
                question => question,
            },
            Some(Then::Ask(Request::CancelExport(run))) => match self.exports.listed(run) {
                Some(run) => cancel_question(run).map(|question| shown.clone().as_in(question)),
                None => return,
            },
            _ => return,
        };
        if now.as_ref() == Some(shown) {
            return;
        }
        self.dirty = self.dirty.max(Dirty::Data);
        self.overlays.pop();
        match now {
            Some(question) => self.overlays.push(Overlay::Confirm(question)),
            None => {
                let text = "what was asked about is over; nothing was done".to_owned();
                self.toasts.push(Level::Ok, text, self.now);
            }
        }
    }

    /// What quitting would leave undone or lose, as a question; `None` if it is nothing.
    fn quit_question(&self) -> Option<Confirm> {
        let (mut titles, mut lines) = (Vec::new(), Vec::new());
        for (line, lost) in self.would_be_lost() {
            titles.push(match lost {
                Lost::Mappings => "Quit without saving?",
                Lost::Typed => "Quit and lose what was typed?",
            });
            lines.push(line);
        }
        let at_work = self.status.value().map(|status| status.at_work.as_slice());
        // The list may know more than the status, which is read in turn with it.
        let at_work = at_work.unwrap_or_default().iter();
        let at_work: Vec<&Run> = at_work
            .filter(|run| !self.exports.is_over(&run.id))
            .collect();
        if !at_work.is_empty() {
            titles.push("Quit while an export runs?");
            lines.extend(at_work.into_iter().map(far));
            lines.push(match self.session.passing {
                true => "It ends with the demo.".to_owned(),
                false => "It stops here, and goes on with the next start or with a worker that runs; nothing of it is lost or sent twice.".to_owned(),
            });
        }
        let waiting = self.queue.not_begun(self.now);
        if !waiting.is_empty() {
            titles.push("Quit before it begins?");
            lines.extend(waiting.into_iter().map(|what| {
                format!("{what}. Whoever works the queue then does it; u takes it back now.")
            }));
        }
        let writing = self.slots.writing();
        if writing > 0 {
            titles.push("Quit while something is being written?");
            lines.push(format!("{writing} in flight. Quitting waits a few seconds for it; what is in the queue goes on at the next start."));
        }
        let question = Confirm::new(*titles.first()?).then(Then::Quit);
        Some(lines.into_iter().fold(question, Confirm::line))
    }

    pub(super) fn quit_now(&mut self) {
        self.effects.extend(self.remembered().map(Effect::Remember));
        self.effects.push(Effect::Quit);
    }
}

/// What would be lost by leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Changes of mappings that are not saved.
    Mappings,
    /// Text in forms that were left.
    Typed,
}

/// How far a run is: `pets: 394 of 10,000 records`.
fn far(run: &Run) -> String {
    let done = grouped(run.counts.settled());
    match goal(run) {
        Some(goal) => format!("{}: {done} of {}.", run.mapping, counted(goal, "record")),
        None => format!("{}: {done} records so far.", run.mapping),
    }
}
