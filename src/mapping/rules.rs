//! Rules: what follows when a condition turns true. Here they are compiled and judged; acting on them is the engine's.

use super::check::{self, Report};
use super::compile::Mapping;
use super::names::Place;
use super::scope::Scope;
use super::spec::RuleSpec;
use super::template::{TemplateError, TemplateId, Templates};
use crate::model::view::PreviewRule;
use crate::model::{Act, Action, Properties, Record, RelatedContact};

/// Longest name of an event (ActiveCampaign fact sheet, event tracking).
const EVENT_NAME: usize = 32;

/// The rules of a mapping.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    scope: Scope,
}

#[derive(Debug)]
struct Rule {
    name: String,
    condition: TemplateId,
    on_first_sync: bool,
    acts: Vec<Act>,
}

/// A rule held against a record and its last confirmed state.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedRule {
    pub name: String,
    /// The condition is true now.
    pub holds: bool,
    /// The condition has turned true.
    pub fires: bool,
    /// What it does, in order, each once.
    pub acts: Vec<Act>,
    /// Why it does not fire, or what is wrong with it.
    pub note: Option<String>,
}

impl Rules {
    pub(super) fn compile(
        specs: &[RuleSpec],
        place: Place<'_>,
        templates: &mut Templates,
        report: &mut Report,
    ) -> Self {
        let mut rules: Vec<Rule> = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let part = format!("rule {}", spec.name);
            if spec.name.trim().is_empty() {
                report.error(&part, "a rule needs a name", None);
            }
            if specs[..index].iter().any(|other| other.name == spec.name) {
                report.error(
                    &part,
                    "two rules have this name",
                    Some("effects are kept by name: give each rule its own"),
                );
            }
            let acts = spec.acts();
            if acts.is_empty() {
                report.error(
                    &part,
                    "it does nothing",
                    Some("add an action, such as add_tags = [\"…\"]"),
                );
            }
            if acts.iter().any(|act| act.target.is_empty()) {
                report.error(&part, "one of its actions names nothing", None);
            }
            if spec.resubscribe && spec.subscribe.is_empty() {
                report.warning(&part, "resubscribe means nothing without subscribe", None);
            }
            for event in spec
                .record_event
                .iter()
                .filter(|event| event.chars().count() > EVENT_NAME)
            {
                report.error(
                    &part,
                    format!("the event name \"{event}\" is longer than {EVENT_NAME} characters"),
                    None,
                );
            }
            let compiled = templates.add_condition(&spec.when);
            if let Some(condition) =
                check::template(&part, &spec.when, compiled, place, templates, report)
            {
                rules.push(Rule {
                    name: spec.name.clone(),
                    condition,
                    on_first_sync: spec.on_first_sync,
                    acts,
                });
            }
        }
        // Every condition was compiled, so its names can be read.
        let heads = templates
            .heads(rules.iter().map(|rule| &rule.condition))
            .unwrap_or_default();
        let rules = Self {
            rules,
            scope: Scope::new(heads, place.schema),
        };
        rules.trial(place, templates, report);
        rules
    }

    /// Evaluates every condition over a sample record and over an empty one.
    fn trial(&self, place: Place<'_>, templates: &Templates, report: &mut Report) {
        let sample = super::sample::record(place.schema);
        let related = super::sample::related();
        let full = &sample.properties;
        let empty = Properties::new();
        let complete = self
            .scope
            .context(&sample, full, Some(&related), Some(full));
        let lacking = self.scope.context(&sample, &empty, None, None);
        for rule in &self.rules {
            let part = format!("rule {}", rule.name);
            let tried = templates.holds(&rule.condition, &complete).err();
            if let Some(error) = tried.filter(|error| error.fatal) {
                report.error(&part, format!("the condition fails: {error}"), None);
            } else if let Err(error) = templates.holds(&rule.condition, &lacking) {
                report.warning(
                    &part,
                    format!("the condition fails where the record lacks its fields: {error}"),
                    Some("use the default filter for fields that a record may lack"),
                );
            }
        }
    }
}

impl RuleSpec {
    /// What the rule does, in the order in which it is done, each once.
    pub fn acts(&self) -> Vec<Act> {
        let subscribe = if self.resubscribe {
            Action::Resubscribe
        } else {
            Action::Subscribe
        };
        let groups = [
            (Action::AddTag, &self.add_tags),
            (Action::RemoveTag, &self.remove_tags),
            (subscribe, &self.subscribe),
            (Action::Unsubscribe, &self.unsubscribe),
            (Action::StartAutomation, &self.start_automation),
            (Action::LeaveAutomation, &self.leave_automation),
            (Action::RecordEvent, &self.record_event),
        ];
        let mut acts: Vec<Act> = Vec::new();
        for (action, names) in groups {
            for name in names.iter() {
                let act = Act {
                    action,
                    target: name.trim().to_owned(),
                };
                if !acts.contains(&act) {
                    acts.push(act);
                }
            }
        }
        acts
    }
}

impl Mapping {
    /// True if there is any rule.
    pub fn has_rules(&self) -> bool {
        !self.rules.rules.is_empty()
    }

    /// Judges the rules. A rule fires when its condition turns from false to true; a condition that fails, for want of a
    /// field, is not true. `previous`: the properties of the last confirmed state, `None` for a record that was never
    /// confirmed, which fires nothing unless the rule says `on_first_sync`.
    pub fn judge_rules(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        previous: Option<&Properties>,
    ) -> Vec<JudgedRule> {
        if self.rules.rules.is_empty() {
            return Vec::new();
        }
        let scope = &self.rules.scope;
        let now = scope.context(record, &record.properties, related, previous);
        // The earlier state saw itself as the last confirmed one.
        let before = previous.map(|held| scope.context(record, held, related, Some(held)));
        self.rules
            .rules
            .iter()
            .map(|rule| {
                let holds = |context| self.templates.holds(&rule.condition, context);
                let (holds, fires, note) = match holds(&now) {
                    Err(error) => (false, false, Some(failing(&error))),
                    Ok(false) => (false, false, Some("the condition is false".to_owned())),
                    Ok(true) => {
                        let note = match &before {
                            None if rule.on_first_sync => None,
                            None => Some("a first sync fires nothing without on_first_sync"),
                            Some(before) if holds(before).unwrap_or(false) => {
                                Some("the condition was true at the last sync already")
                            }
                            Some(_) => None,
                        };
                        (true, note.is_none(), note.map(str::to_owned))
                    }
                };
                JudgedRule {
                    name: rule.name.clone(),
                    holds,
                    fires,
                    acts: rule.acts.clone(),
                    note,
                }
            })
            .collect()
    }

    /// As [`Mapping::judge_rules`], in the words of a preview.
    pub fn preview_rules(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        previous: Option<&Properties>,
    ) -> Vec<PreviewRule> {
        self.judge_rules(record, related, previous)
            .into_iter()
            .map(|rule| PreviewRule {
                name: rule.name,
                holds: rule.holds,
                fires: rule.fires,
                actions: rule.acts.iter().map(ToString::to_string).collect(),
                note: rule.note,
            })
            .collect()
    }
}

fn failing(error: &TemplateError) -> String {
    format!("the condition fails: {error}")
}
