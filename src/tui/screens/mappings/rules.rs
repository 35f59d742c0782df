//! The rules of a mapping, edited in the same draft as its lines.

use super::Mappings;
use crate::model::view::PreviewRule;
use crate::model::{Action as Effect, ActionNames, Finding, Level, MappingName};
use crate::operations::Done;
use crate::operations::draft::{Draft, MappingSpec, RuleSpec};
use crate::operations::rules::RuleTrial;
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use crate::tui::request::Request;
use crate::tui::screens::contains;
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::picker::{Item, Picker};
use crate::tui::widgets::rule::RuleEditor;
use crate::tui::widgets::table::TableState;
use crate::tui::widgets::text::Tone;
use crate::tui::widgets::toast::About;
use jiff::Timestamp;

impl Mappings {
    /// The rules of the draft that the filter lets through, each with its place.
    pub(super) fn shown_rules(&self) -> Vec<(usize, &RuleSpec)> {
        let draft = self.chosen.as_ref().and_then(|name| self.drafts.get(name));
        let rules = draft.map(|draft| draft.spec.rules.as_slice());
        rules
            .unwrap_or_default()
            .iter()
            .enumerate()
            .filter(|(_, rule)| {
                contains(&rule.name, &self.filter) || contains(&rule.when, &self.filter)
            })
            .collect()
    }

    /// The place of the rule under the cursor.
    pub(super) fn rule_at(&self) -> Option<usize> {
        let cursor = self.rules.as_ref()?.cursor;
        Some(self.shown_rules().get(cursor)?.0)
    }

    /// What the preview says of a rule.
    pub(super) fn sampled_rule(&self, name: &str) -> Option<&PreviewRule> {
        let rules = &self.preview.value()?.rules;
        rules.iter().find(|rule| rule.name == name)
    }

    /// What is wrong with a rule.
    pub(super) fn rule_findings(&self, name: &str) -> Vec<&Finding> {
        let (Some(detail), Some(mapping)) = (self.detail.value(), &self.chosen) else {
            return Vec::new();
        };
        let item = format!("mapping {mapping}: rule {name}");
        let findings = detail.findings.iter();
        findings
            .filter(|f| f.level != Level::Ok && f.item == item)
            .collect()
    }

    /// Shows the rules in place of the lines, or the lines again.
    pub(super) fn switch_to_rules(&mut self, cx: &mut Cx) {
        self.rules = match self.rules {
            None => Some(TableState::default()),
            Some(_) => None,
        };
        if self.detail.problem().is_some() {
            cx.toast(Level::Warning, "the mapping is not read, nor are its rules");
        }
        if let (Some(name), true) = (&self.chosen, self.rules.is_some()) {
            let quoted = quoted(name.as_str());
            cx.did_by(name, format!("tramline mappings preview {quoted}"));
        }
    }

    /// Does an action on the rules; false for what is the mapping's.
    pub(super) fn act_on_rules(&mut self, action: Action, cx: &mut Cx) -> bool {
        match action {
            Action::Open | Action::Edit => match self.rule_at() {
                Some(at) => self.edit_rule(Some(at), cx),
                None => cx.toast(Level::Warning, "there is no rule here; a adds one"),
            },
            Action::New => self.edit_rule(None, cx),
            Action::Delete => self.remove_rule(cx),
            Action::Earlier => self.move_rule(false, cx),
            Action::Later => self.move_rule(true, cx),
            Action::Copy => {
                let shown = self.shown_rules();
                let rule = self
                    .rules
                    .as_ref()
                    .and_then(|table| shown.get(table.cursor));
                if let Some(name) = rule.map(|(_, rule)| rule.name.clone()) {
                    cx.copy("rule", name);
                }
            }
            _ => {
                let rows = self.shown_rules().len();
                return match &mut self.rules {
                    Some(table) => table.act(action, rows),
                    None => false,
                };
            }
        }
        true
    }

    fn edit_rule(&mut self, at: Option<usize>, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let Some((name, draft)) = self.at_hand(cx) else {
            return;
        };
        let rules = &draft.spec.rules;
        let rule = at.and_then(|at| rules.get(at)).cloned();
        let others = rules
            .iter()
            .enumerate()
            .filter(|(place, _)| Some(*place) != at);
        let others = others.map(|(_, rule)| rule.name.clone()).collect();
        let rule = rule.unwrap_or_else(|| RuleSpec::new("", ""));
        let fields = self.fields.record.clone();
        let mut editor = RuleEditor::new(name, at, rule, others, fields);
        if self.names.value().is_none() {
            self.names.start();
            cx.ask(Slot::ActionNames, Request::ActionNames);
        }
        self.try_rule(&mut editor, cx);
        cx.show(Overlay::Rule(Box::new(editor)));
    }

    /// Sends the sample through the rule as it stands.
    pub fn try_rule(&self, editor: &mut RuleEditor, cx: &mut Cx) {
        let rule = editor.rule();
        let record = self.samples.value().and_then(|s| s.get(self.sample));
        let said = match (rule.when.is_empty(), record) {
            (true, _) => Some("no condition yet, such as status == 'adopted'"),
            (false, None) => Some("there is no record to try it on"),
            _ => None,
        };
        if let Some(said) = said {
            cx.give_up(Slot::Trial);
            editor.result = vec![(said.to_owned(), Tone::Muted)];
            return;
        }
        let (Some(record), Some(draft)) = (record, self.drafts.get(&editor.mapping)) else {
            return;
        };
        let at = editor.at.unwrap_or(draft.spec.rules.len());
        let trial = Box::new(draft.with_rule(editor.at, rule));
        let (name, record) = (editor.mapping.clone(), Box::new(record.clone()));
        cx.ask(Slot::Trial, Request::TryRule(name, trial, at, record));
    }

    /// Takes the rule into the draft.
    pub fn take_rule(&mut self, editor: &RuleEditor, cx: &mut Cx) {
        cx.give_up(Slot::Trial);
        let (at, rule) = (editor.at, editor.rule());
        let changed = self.put(&editor.mapping, |draft| draft.with_rule(at, rule), cx);
        if changed && at.is_none() {
            // The cursor goes to what is new, unless the filter hides it.
            let last = self.shown_rules().len().saturating_sub(1);
            if let Some(table) = &mut self.rules {
                table.cursor = last;
            }
        }
    }

    fn remove_rule(&mut self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let (Some(at), Some((name, draft))) = (self.rule_at(), self.at_hand(cx)) else {
            return;
        };
        let Some(rule) = draft.spec.rules.get(at).map(|rule| rule.name.clone()) else {
            return;
        };
        if self.put(&name, |draft| draft.without_rule(at), cx) {
            let rows = self.shown_rules().len();
            if let Some(table) = &mut self.rules {
                table.clamp(rows);
            }
            let text = format!("the rule {rule} is taken out; undo brings it back");
            cx.toast_about(About::Change, Level::Ok, text);
        }
    }

    fn move_rule(&mut self, later: bool, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        if !self.filter.is_empty() {
            let text = "the filter hides what it would pass: esc clears it";
            cx.toast(Level::Warning, text);
            return;
        }
        let (Some(at), Some((name, draft))) = (self.rule_at(), self.at_hand(cx)) else {
            return;
        };
        let other = match later {
            true => Some(at + 1).filter(|other| *other < draft.spec.rules.len()),
            false => at.checked_sub(1),
        };
        let Some(other) = other else { return };
        if self.put(&name, |draft| draft.with_rules_swapped(at, other), cx)
            && let Some(table) = &mut self.rules
        {
            table.cursor = other;
        }
    }

    /// Changes the draft of a mapping; false if that is no change.
    pub(super) fn put(
        &mut self,
        name: &MappingName,
        change: impl FnOnce(&Draft) -> MappingSpec,
        cx: &mut Cx,
    ) -> bool {
        let Some(draft) = self.drafts.get_mut(name) else {
            return false;
        };
        let spec = change(draft);
        let changed = draft.put(spec);
        if changed {
            self.changed(cx);
        }
        changed
    }

    /// Chooses what an action of a rule is about; a name may be begun already.
    pub fn choose_names(
        &self,
        editor: &mut RuleEditor,
        action: Effect,
        begun: Option<char>,
        cx: &mut Cx,
    ) {
        let (title, noun) = asks_for(action);
        let known = self.known_names(action);
        let left = editor.take_begun(action);
        if left.is_some() {
            let text = "here is what was typed and marked before";
            cx.toast_about(About::Next, Level::Ok, text);
        }
        let named = editor.names(action).iter().map(|name| Item {
            label: name.clone(),
            note: String::new(),
            key: String::new(),
            off: false,
        });
        let marked = editor.names(action).len();
        let anew = || Picker::new(title, named.collect()).naming(noun, marked);
        let mut picker = left.unwrap_or_else(anew);
        picker.add(known);
        if let Some(begun) = begun {
            picker.paste(begun.encode_utf8(&mut [0; 4]));
        }
        cx.show(Overlay::Pick(picker, Choice::Names(action)));
        let refused = self
            .names
            .value()
            .and_then(|names| names.of(action).refused());
        if let Some(refused) = refused {
            cx.toast(
                Level::Warning,
                format!("the {noun}s cannot be listed: {refused}"),
            );
        } else if let Some(problem) = self.names.problem() {
            cx.toast(
                Level::Warning,
                format!("the {noun}s cannot be listed: {problem}"),
            );
        }
    }

    /// The names that the account has for an action.
    pub fn known_names(&self, action: Effect) -> Vec<Item> {
        let noun = asks_for(action).1;
        let names = self.names.value().map(|names| names.of(action).items());
        let items = names.unwrap_or_default().iter().map(|name| Item {
            label: name.clone(),
            note: noun.to_owned(),
            key: String::new(),
            off: false,
        });
        items.collect()
    }

    /// What the account has was read, or could not be.
    pub fn names_read(&mut self, result: Done<ActionNames>, now: Timestamp) {
        self.names.finish(result, now);
    }
}

/// What is asked for an action, and what one of its names is called.
fn asks_for(action: Effect) -> (&'static str, &'static str) {
    match action {
        Effect::AddTag => ("Add which tags?", "tag"),
        Effect::RemoveTag => ("Remove which tags?", "tag"),
        Effect::Subscribe | Effect::Resubscribe => ("Subscribe to which lists?", "list"),
        Effect::Unsubscribe => ("Unsubscribe from which lists?", "list"),
        Effect::StartAutomation => ("Start which automations?", "automation"),
        Effect::LeaveAutomation => ("Leave which automations?", "automation"),
        Effect::RecordEvent => ("Record which events?", "event"),
    }
}

/// What a rule that is being typed makes of the sample.
pub fn rule_tried(result: Done<RuleTrial>) -> Vec<(String, Tone)> {
    let trial = match result {
        Ok(trial) => trial,
        Err(problem) => return vec![(problem.to_string(), Tone::Error)],
    };
    let title = &trial.title;
    let mut lines = Vec::new();
    match (&trial.condition, trial.fires) {
        (Err(message), _) => {
            let said = message.starts_with("the condition");
            let what = if said { "" } else { "the condition: " };
            lines.push((format!("{what}{message}"), Tone::Error));
        }
        (Ok(true), true) => lines.push((format!("holds for {title}: a sync fires it"), Tone::Ok)),
        (Ok(true), false) => {
            let note = trial
                .note
                .map(|note| format!(": {note}"))
                .unwrap_or_default();
            lines.push((
                format!("holds for {title}, but does not fire{note}"),
                Tone::Warn,
            ));
        }
        (Ok(false), _) => {
            // A condition that fails for want of a field is not true either, and says why.
            let plain = "the condition is false";
            let note = trial.note.filter(|note| note != plain);
            let note = note.map(|note| format!(": {note}")).unwrap_or_default();
            lines.push((format!("does not hold for {title}{note}"), Tone::Muted));
        }
    }
    if !trial.actions.is_empty() {
        let text = format!("would do: {}", trial.actions.join(", "));
        lines.push((text, Tone::Plain));
    }
    for (level, text) in trial.findings {
        let tone = match level {
            Level::Error => Tone::Error,
            _ => Tone::Warn,
        };
        lines.push((text, tone));
    }
    lines
}
