//! Rules: what follows when a condition turns true. Here they are compiled and previewed.

use super::check::{self, Report};
use super::compile::Mapping;
use super::names::Place;
use super::scope::Scope;
use super::spec::RuleSpec;
use super::template::{TemplateError, TemplateId, Templates};
use crate::model::view::PreviewRule;
use crate::model::{Properties, Record, RelatedContact};

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
    actions: Vec<String>,
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
            let actions = actions(spec);
            if actions.is_empty() {
                report.error(
                    &part,
                    "it does nothing",
                    Some("add an action, such as add_tags = [\"…\"]"),
                );
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
                    actions,
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

/// The actions of a rule as people read them.
fn actions(spec: &RuleSpec) -> Vec<String> {
    let mut out = Vec::new();
    out.extend(spec.add_tags.iter().map(|name| format!("tag {name}")));
    out.extend(spec.remove_tags.iter().map(|name| format!("untag {name}")));
    out.extend(spec.subscribe.iter().map(|name| format!("list \"{name}\"")));
    out.extend(
        spec.unsubscribe
            .iter()
            .map(|name| format!("leave list \"{name}\"")),
    );
    out.extend(
        spec.start_automation
            .iter()
            .map(|name| format!("automation \"{name}\"")),
    );
    out.extend(
        spec.leave_automation
            .iter()
            .map(|name| format!("leave automation \"{name}\"")),
    );
    out.extend(spec.record_event.iter().map(|name| format!("event {name}")));
    out
}

impl Mapping {
    /// What the rules would do. A rule fires when its condition turns from false to true. `previous`: the
    /// properties of the last confirmed state, `None` for a record that was never confirmed, which fires
    /// nothing unless the rule says `on_first_sync`.
    pub fn preview_rules(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        previous: Option<&Properties>,
    ) -> Vec<PreviewRule> {
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
                let verdict: Result<(bool, Option<&str>), TemplateError> = (|| {
                    if !holds(&now)? {
                        return Ok((false, Some("the condition is false")));
                    }
                    Ok(match &before {
                        None if rule.on_first_sync => (true, None),
                        None => (
                            false,
                            Some("a first sync fires nothing without on_first_sync"),
                        ),
                        Some(before) if holds(before)? => (
                            false,
                            Some("the condition was true at the last sync already"),
                        ),
                        Some(_) => (true, None),
                    })
                })();
                let (fires, note) = match verdict {
                    Ok((fires, note)) => (fires, note.map(str::to_owned)),
                    Err(error) => (false, Some(format!("the condition fails: {error}"))),
                };
                PreviewRule {
                    name: rule.name.clone(),
                    fires,
                    actions: rule.actions.clone(),
                    note,
                }
            })
            .collect()
    }
}
