//! Editing a mapping: lines are changed in a draft, which goes through the sample like the real one, until it is saved.

use super::Mappings;
use crate::model::view::Preview;
use crate::model::{FieldProposal, Level, MappingName};
use crate::operations::Done;
use crate::operations::draft::Draft;
use crate::operations::drafts::{FieldChoice, MappingDraft, Saved};
use crate::operations::mappings::SuggestedPair;
use crate::tui::canvas::counted;
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::request::Request;
use crate::tui::slots::Slot;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::overlay::{Choice, Overlay, TextBox};
use crate::tui::widgets::picker::{Item, Picker};
use crate::tui::widgets::source::Source;
use crate::tui::widgets::text::{Paragraphs, Tone};
use crate::tui::widgets::toast::About;

/// Changes that a question names; of more there is only the number.
const NAMED: usize = 12;

/// The fields that lines may name.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    pub(super) record: Vec<FieldChoice>,
    contact: Vec<FieldChoice>,
    /// Contact fields that could be made.
    pub(super) proposals: Vec<FieldProposal>,
}

/// What config.toml has by now is in the way of a change.
fn say_outdated(name: &MappingName, cx: &mut Cx) {
    let text = format!(
        "config.toml has something else by now for a line of {name} that you changed; the title says how to go on"
    );
    say_of_base(text, cx);
}

/// In place of what was said of it before.
fn say_of_base(text: String, cx: &mut Cx) {
    cx.retract(About::Base);
    cx.toast_about(About::Base, Level::Warning, text);
}

impl Mappings {
    /// The draft of the mapping in view, if it differs from what config.toml has.
    pub(super) fn edited(&self) -> Option<&Draft> {
        let draft = self.drafts.get(self.chosen.as_ref()?)?;
        draft.is_changed().then_some(draft)
    }

    /// True if a mapping has changes that are in no file.
    pub fn is_edited(&self, name: &MappingName) -> bool {
        let draft = self.drafts.get(name);
        draft.is_some_and(Draft::is_changed)
    }

    /// The mappings with changes that are in no file.
    pub fn unsaved(&self) -> Vec<String> {
        let edited = self.drafts.iter();
        edited
            .filter(|(_, draft)| draft.is_changed())
            .map(|(name, _)| name.to_string())
            .collect()
    }

    /// The mapping in view with its draft; says so where that is not read yet.
    pub(super) fn at_hand(&self, cx: &mut Cx) -> Option<(MappingName, Draft)> {
        let name = self.chosen.clone()?;
        let draft = self.drafts.get(&name).cloned();
        if draft.is_none() {
            let failed = self.detail.problem().is_some();
            let text = match failed {
                true => "the mapping could not be read",
                false => "the mapping is still being read",
            };
            cx.toast(Level::Warning, text);
        }
        Some((name, draft?))
    }

    /// The mapping as config.toml has it was read. Changes that a person made stay.
    pub(super) fn draft_read(
        &mut self,
        name: MappingName,
        result: Done<Box<MappingDraft>>,
        cx: &mut Cx,
    ) {
        // Why it cannot be read stands where its lines would be.
        let Ok(read) = result else { return };
        self.fields = Fields {
            record: read.record_fields,
            contact: read.contact_fields,
            proposals: read.proposals,
        };
        let Some(draft) = self
            .drafts
            .get_mut(&name)
            .filter(|draft| draft.is_changed())
        else {
            self.drafts.insert(name, Draft::of(read.spec));
            return;
        };
        if !draft.meet(read.spec) {
            return;
        }
        if draft.is_outdated() {
            say_outdated(&name, cx);
        } else {
            let text =
                format!("config.toml has another {name} by now: your changes are on top of it");
            say_of_base(text, cx);
        }
        self.changed(cx);
    }

    /// Changes that are in the way of what config.toml has by now are put over it: what is saved then is what is shown.
    pub(super) fn put_over(&mut self, cx: &mut Cx) {
        let draft = self
            .chosen
            .as_ref()
            .and_then(|name| self.drafts.get_mut(name));
        if draft.is_some_and(Draft::over) {
            cx.retract(About::Base);
        }
    }

    pub(super) fn target(&self) -> Option<String> {
        let shown = self.shown();
        Some(shown.get(self.lines.cursor)?.target.clone())
    }

    /// Edits where the line under the cursor comes from.
    pub(super) fn edit_line(&self, cx: &mut Cx) {
        if let Some(target) = self.target() {
            self.edit_source(target, cx);
        }
    }

    /// Edits where a contact field comes from.
    pub fn edit_source(&self, target: String, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let Some((name, draft)) = self.at_hand(cx) else {
            return;
        };
        let text = draft.source(&target).unwrap_or_default();
        let source = Source::new(name, target.clone(), text, self.fields.record.clone());
        if !text.is_empty() {
            self.try_source(&source, cx);
        }
        cx.show(Overlay::Source(Box::new(source)));
    }

    /// Sends the sample through what is typed.
    pub fn try_source(&self, source: &Source, cx: &mut Cx) {
        let record = self.samples.value().and_then(|s| s.get(self.sample));
        let draft = self.drafts.get(&source.mapping);
        let (Some(record), Some(draft)) = (record, draft) else {
            return;
        };
        // By itself: what is wrong with another line or rule is not to hide its result.
        let mut trial = draft.with_source(&source.target, source.text().trim());
        trial.fields.0.retain(|(name, _)| *name == source.target);
        trial.rules.clear();
        let record = Box::new(record.clone());
        cx.ask(
            Slot::Trial,
            Request::Trial(source.mapping.clone(), Box::new(trial), record),
        );
    }

    /// Takes what was typed into the draft.
    pub fn take_source(&mut self, source: &Source, cx: &mut Cx) {
        cx.give_up(Slot::Trial);
        let (target, text) = (&source.target, source.text().trim());
        self.put(&source.mapping, |draft| draft.with_source(target, text), cx);
    }

    /// Takes suggested pairs into the draft, as one change.
    pub fn take_pairs(&mut self, pairs: &[SuggestedPair], cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let Some((name, _)) = self.at_hand(cx) else {
            return;
        };
        let taken = self.put(&name, |draft| draft.with_sources(pairs), cx);
        if taken && pairs.len() > 1 {
            let number = counted(pairs.len() as u64, "line");
            let text = format!("{number} added; undo takes them back");
            cx.toast_about(About::Change, Level::Ok, text);
        }
    }

    /// Chooses a contact field that the mapping does not fill yet.
    pub(super) fn add_line(&self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let Some((_, draft)) = self.at_hand(cx) else {
            return;
        };
        let free = self.fields.contact.iter();
        let free = free.filter(|(target, _)| draft.source(target).is_none());
        let (mut targets, mut items) = (Vec::new(), Vec::new());
        for (target, note) in free {
            targets.push(target.clone());
            items.push(Item {
                label: target.clone(),
                note: note.clone(),
                key: String::new(),
                off: false,
            });
        }
        if targets.is_empty() {
            cx.toast(Level::Ok, "every contact field is filled already");
            return;
        }
        let picker = Picker::new("Fill which contact field?", items);
        cx.show(Overlay::Pick(picker, Choice::Target(targets)));
    }

    /// Takes the line under the cursor out of the draft.
    pub(super) fn remove_line(&mut self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let (Some(target), Some((name, _))) = (self.target(), self.at_hand(cx)) else {
            return;
        };
        if let Some(draft) = self.drafts.get_mut(&name)
            && draft.put(draft.without(&target))
        {
            let text = format!("{target} is taken out; undo brings it back");
            cx.toast_about(About::Change, Level::Ok, text);
            self.changed(cx);
        }
    }

    /// Takes the last change back.
    pub(super) fn undo(&mut self, cx: &mut Cx) {
        let draft = self
            .chosen
            .as_ref()
            .and_then(|name| self.drafts.get_mut(name));
        if draft.is_some_and(Draft::undo) {
            cx.retract(About::Change);
            self.changed(cx);
            // Where nothing is left of them, what was in the way is over.
            if self.edited().is_none() {
                cx.retract(About::Base);
            }
        } else {
            cx.toast(Level::Warning, "no change to take back");
        }
    }

    pub(super) fn changed(&mut self, cx: &mut Cx) {
        self.read_detail(cx);
        self.read_preview(cx);
    }

    /// Asks whether the changes are to be written into config.toml.
    pub(super) fn save(&self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let (Some(name), Some(draft)) = (&self.chosen, self.edited()) else {
            cx.toast(Level::Warning, "no change to save");
            return;
        };
        if draft.is_outdated() {
            say_outdated(name, cx);
            return;
        }
        let changes = draft.changes();
        let number = counted(changes.len() as u64, "change");
        let mut question = Confirm::new(format!("Write {number} of {name} into config.toml?"));
        for change in changes.iter().take(NAMED) {
            question = question.line(change.text("->"));
        }
        if let Some(more) = changes.len().checked_sub(NAMED + 1) {
            question = question.line(format!("and {}", counted(more as u64 + 1, "more change")));
        }
        let errors = self.detail.value().map_or(0, |detail| {
            let broken = detail.findings.iter();
            broken
                .filter(|finding| finding.level == Level::Error)
                .count()
        });
        if errors > 0 {
            let number = counted(errors as u64, "error");
            question = question.warn(format!(
                "The mapping has {number}: its records fail until they are mended."
            ));
        }
        let both = Box::new((draft.before.clone(), draft.spec.clone()));
        // No command writes a mapping: what to do next is noted once it is written.
        let (request, did) = (Request::SaveMapping(name.clone(), both), String::new());
        cx.write(request, Some(question), did);
    }

    /// The changes are in config.toml, or are not: then they stay here.
    pub(super) fn saved(&mut self, name: &MappingName, result: Done<Saved>, cx: &mut Cx) {
        match result {
            Ok(saved) => {
                self.drafts.remove(name);
                cx.did_nearly(
                    format!("tramline mappings check {}", quoted(name.as_str())),
                    "no command saves a mapping, it is text of config.toml; this one checks what was saved",
                );
                let text = format!("{name} is saved in config.toml");
                match saved.unknown_states {
                    None => cx.toast(Level::Ok, text),
                    Some((what, remedy)) => {
                        let mut said = Paragraphs::default();
                        said.add(format!("{what}."), Tone::Warn);
                        said.gap();
                        said.add(remedy, Tone::Plain);
                        cx.show(Overlay::Text(TextBox::new(text, said)));
                    }
                }
                cx.ask(Slot::Configuration, Request::Reload { credentials: false });
                self.read(cx);
            }
            Err(problem) => {
                cx.toast(Level::Error, problem.to_string());
                // If it is because of somebody else's change, that is to be seen.
                cx.ask(Slot::Configuration, Request::Reload { credentials: false });
            }
        }
    }
}

/// Offers pairs that could be taken into the draft.
pub fn choose_pair(pairs: Vec<SuggestedPair>, cx: &mut Cx) {
    if pairs.is_empty() {
        cx.toast(
            Level::Ok,
            "no further pair of fields seems to belong together",
        );
        return;
    }
    let items = pairs.iter().map(|pair| Item {
        label: format!("{} from {}", pair.field, pair.from),
        note: format!("{} %  {}", (pair.score * 100.0).round(), pair.reason),
        key: String::new(),
        off: false,
    });
    let picker = Picker::new("Suggested pairs", items.collect()).marking();
    cx.show(Overlay::Pick(picker, Choice::Pair(pairs)));
}

/// What a source that is being typed makes of the sample.
pub fn tried(target: &str, result: Done<Preview>) -> Vec<(String, Tone)> {
    let preview = match result {
        Ok(preview) => preview,
        Err(problem) => return vec![(problem.to_string(), Tone::Error)],
    };
    let Some(field) = preview.fields.iter().find(|field| field.field == target) else {
        return Vec::new();
    };
    let mut lines = vec![(format!("for {}", preview.title), Tone::Muted)];
    match (&field.problem, &field.send) {
        (Some(problem), _) => lines.push((problem.to_string(), Tone::Error)),
        (None, Some(text)) if text.is_empty() => lines.push(("(cleared)".to_owned(), Tone::Warn)),
        (None, Some(text)) => lines.push((text.clone(), Tone::Ok)),
        (None, None) => lines.push(("nothing is sent".to_owned(), Tone::Muted)),
    }
    if let Some(warning) = &field.warning {
        lines.push((warning.clone(), Tone::Warn));
    }
    lines
}
