//! Keys while something lies above the screen.

use super::app::{App, types};
use super::command::{set, update};
use super::keymap::{Action, Tab};
use super::request::Request;
use super::screens::exports::from_form;
use super::screens::mappings::field_from_form;
use super::screens::queue::pause_from_form;
use super::screens::records::chooser::ChooserOutcome;
use super::screens::records::follow_format;
use super::widgets::form::{Form, FormOutcome, Purpose};
use super::widgets::leaves;
use super::widgets::line::LineOutcome;
use super::widgets::overlay::{Choice, Overlay};
use super::widgets::picker::PickOutcome;
use super::widgets::rule::RuleOutcome;
use super::widgets::source::SourceOutcome;
use crate::operations::records::change::RecordChange;
use crossterm::event::{KeyCode, KeyEvent};

impl App {
    /// Gives a key to the topmost overlay.
    pub(super) fn overlay_key(&mut self, key: &KeyEvent) {
        let action = self.keymap.action(self.tab, key);
        // A key that can be typed stays a character, whatever it is bound to.
        if action == Some(Action::Suspend) && !types(key) {
            self.act(Action::Suspend);
            return;
        }
        let Some(mut overlay) = self.overlays.pop() else {
            return;
        };
        let keep = match &mut overlay {
            Overlay::Confirm(confirm) => match key.code {
                // Over a slow line, esc and a y right behind it arrive as one key: alt-y says no.
                KeyCode::Char('y' | 'Y') if types(key) => {
                    let confirm = confirm.clone();
                    self.confirmed(confirm);
                    return;
                }
                KeyCode::Enter | KeyCode::Char('y' | 'Y' | 'n' | 'N' | 'q') => {
                    let confirm = confirm.clone();
                    self.declined(&confirm);
                    return;
                }
                _ if leaves(key) => {
                    let confirm = confirm.clone();
                    self.declined(&confirm);
                    return;
                }
                _ => true,
            },
            Overlay::Help(help) => match action {
                _ if help.key(key) => true,
                Some(Action::Filter) => {
                    help.search();
                    true
                }
                // The palette is the help of every screen.
                Some(Action::Palette) => {
                    self.act(Action::Palette);
                    return;
                }
                _ => self.scrolls(key, action, |a| help.scroll.act(a)),
            },
            Overlay::Text(text) => {
                if action == Some(Action::Copy) {
                    let lines: Vec<&str> = text.text.0.iter().map(|(l, _)| l.as_str()).collect();
                    let text = lines.join("\n");
                    self.copy("text", text);
                    true
                } else {
                    self.scrolls(key, action, |a| text.scroll.act(a))
                }
            }
            Overlay::Filter(line) => {
                let outcome = line.key(key);
                match outcome {
                    LineOutcome::Stay => {
                        let text = line.text().to_owned();
                        // The line is put back first: completions are for the line on top.
                        self.overlays.push(overlay);
                        self.set_filter(&text, false);
                        return;
                    }
                    LineOutcome::Done => {
                        let text = line.text().to_owned();
                        match self.screen(self.tab).filter_fault(&text) {
                            Some(fault) => {
                                line.refuse(fault);
                                self.overlays.push(overlay);
                                return;
                            }
                            None => self.set_filter(&text, true),
                        }
                    }
                    LineOutcome::Dropped => {
                        let text = line.before.clone();
                        self.drop_filter(&text);
                    }
                }
                false
            }
            Overlay::Palette(palette) => match palette.picker.key(key) {
                PickOutcome::Stay => true,
                PickOutcome::Dropped | PickOutcome::Taken => false,
                PickOutcome::Chosen(at) => {
                    if let Some((tab, action)) = palette.action(at) {
                        self.intend(tab, action);
                    }
                    return;
                }
            },
            Overlay::Pick(picker, choice) => match picker.key(key) {
                PickOutcome::Stay => true,
                PickOutcome::Dropped => {
                    if let (Choice::Names(action), Some(Overlay::Rule(rule))) =
                        (choice, self.overlays.last_mut())
                    {
                        rule.leave_names(*action, picker);
                    }
                    false
                }
                PickOutcome::Chosen(at) => {
                    let choice = choice.clone();
                    self.chosen(choice, at);
                    return;
                }
                PickOutcome::Taken => {
                    let (picker, choice) = (picker.clone(), choice.clone());
                    self.taken(choice, &picker);
                    return;
                }
            },
            Overlay::Source(source) => {
                let outcome = source.key(key);
                self.typed_source(source, outcome);
                if outcome == SourceOutcome::Dropped {
                    self.unfinished.keep(&overlay);
                }
                matches!(outcome, SourceOutcome::Stay | SourceOutcome::Typed)
            }
            Overlay::Columns(chooser) => match chooser.key(key) {
                ChooserOutcome::Stay => true,
                ChooserOutcome::Dropped => false,
                ChooserOutcome::Taken => {
                    self.columns_chosen(chooser);
                    false
                }
            },
            Overlay::Rule(rule) => {
                let outcome = rule.key(key);
                self.typed_rule(rule, outcome);
                if outcome == RuleOutcome::Dropped {
                    self.unfinished.keep(&overlay);
                }
                !matches!(outcome, RuleOutcome::Done | RuleOutcome::Dropped)
            }
            Overlay::Form(form) => match form.key(key) {
                FormOutcome::Stay => {
                    if matches!(form.purpose, Purpose::File(_)) {
                        follow_format(form);
                    }
                    true
                }
                FormOutcome::Dropped => {
                    self.unfinished.keep(&overlay);
                    false
                }
                FormOutcome::Save => {
                    let Overlay::Form(form) = overlay else { return };
                    self.save(form);
                    return;
                }
            },
        };
        if keep {
            self.overlays.push(overlay);
        }
    }

    /// Scrolls, or closes on any of the keys that leave; true to stay open.
    fn scrolls(
        &self,
        key: &KeyEvent,
        action: Option<Action>,
        scroll: impl FnOnce(Action) -> bool,
    ) -> bool {
        match (key.code, action) {
            (KeyCode::Esc | KeyCode::Enter, _) => false,
            (_, Some(Action::Quit | Action::Help | Action::Back)) => false,
            (_, Some(action)) => {
                scroll(action);
                true
            }
            _ => true,
        }
    }

    fn drop_filter(&mut self, before: &str) {
        // The records screen narrows what is read while typing; its search goes on as it was.
        if self.tab == Tab::Records {
            self.records.leave_filter();
        } else {
            self.set_filter(before, true);
        }
    }

    fn save(&mut self, mut form: Box<Form>) {
        let Some(changes) = form.changes() else {
            self.overlays.push(Overlay::Form(form));
            return;
        };
        form.error = None;
        match form.purpose.clone() {
            Purpose::Export(names) => match from_form(&mut form, &names) {
                Some((mapping, options, did)) if options.dry_run => {
                    self.write_unasked(Request::StartExport(mapping, options), did);
                }
                Some((mapping, options, did)) => {
                    self.write(Request::StartExport(mapping, options), did);
                }
                None => self.overlays.push(Overlay::Form(form)),
            },
            Purpose::Pause(scope) => {
                match pause_from_form(&mut form, &scope, self.now, &self.session) {
                    Some((request, did)) => {
                        self.overlays.push(Overlay::Form(form));
                        self.write_unasked(request.clone(), did);
                        self.form_waits(&request);
                    }
                    None => self.overlays.push(Overlay::Form(form)),
                }
            }
            Purpose::SaveFilter(filter) => self.save_filter(form, filter),
            Purpose::File(object) => self.file_records(object, form),
            Purpose::Field(wanted) => {
                let asked = field_from_form(&mut form, &wanted);
                self.overlays.push(Overlay::Form(form));
                if let Some((new, question, did)) = asked {
                    self.write_asked(Request::CreateField(new), question, did);
                }
            }
            Purpose::New(object) => {
                let did = format!(
                    "tramline records create {}{}",
                    object.short(),
                    set(&changes)
                );
                self.wait_for(form, Request::Create(object, changes.clone()), did);
            }
            Purpose::Edit(..) if changes.is_empty() => {}
            Purpose::Edit(object, record, seen) => {
                let change = RecordChange {
                    object,
                    record,
                    properties: changes,
                    seen,
                };
                let did = update(&change);
                self.wait_for(form, Request::Update(Box::new(change)), did);
            }
        }
    }

    /// The form stays until the answer comes, so that what was typed is never lost.
    fn wait_for(&mut self, form: Box<Form>, request: Request, did: String) {
        self.overlays.push(Overlay::Form(form));
        let before = self.slots.latest_write();
        self.write(request.clone(), did);
        // Where nothing is written yet, a question lies above it: then yes is waited for.
        if self.slots.latest_write() != before {
            self.form_waits(&request);
        }
    }

    /// The form that asked for a write waits for its answer, whatever lies above it; the write is the latest of all.
    pub(super) fn form_waits(&mut self, request: &Request) {
        let write = self.slots.latest_write();
        let form = self.overlays.iter_mut().rev().find_map(|o| match o {
            Overlay::Form(form) if asks(&form.purpose, request) => Some(form),
            _ => None,
        });
        if let Some(form) = form {
            form.awaits = Some(write);
            form.error = None;
        }
    }
}

/// True for what a form for this purpose asks for.
fn asks(purpose: &Purpose, request: &Request) -> bool {
    match (purpose, request) {
        (Purpose::New(object), Request::Create(of, _)) => object == of,
        (Purpose::Edit(object, record, _), Request::Update(change)) => {
            (object, record) == (&change.object, &change.record)
        }
        (Purpose::Pause(scope), Request::Pause { scope: of, .. }) => scope == of,
        (Purpose::Field(_), Request::CreateField(_)) => true,
        (Purpose::SaveFilter(_), Request::SaveFilter(_)) => true,
        _ => false,
    }
}
