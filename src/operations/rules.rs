//! The rules of a mapping while a person edits them: one tried on a record, and the names that its actions may use.

use super::{Done, Operations};
use crate::mapping::{FieldSpecs, MappingSpec, Names, OnDelete, RuleSpec};
use crate::model::{
    ActionNames, ConnectionName, ErrorClass, Finding, Level, MappingName, Problem, Record,
};

/// A rule held against a record by itself: what is wrong with another line or rule does not hide its result.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTrial {
    /// The record's name.
    pub title: String,
    /// True or false; or why the condition is neither.
    pub condition: Result<bool, String>,
    /// A sync of the record would do what the rule says.
    pub fires: bool,
    /// Why it does not fire.
    pub note: Option<String>,
    /// `tag pet-adopted`, `automation "Adoption welcome"`.
    pub actions: Vec<String>,
    /// What is wrong with the rule, beside its condition.
    pub findings: Vec<(Level, String)>,
}

/// What stands for the actions while only the condition is judged.
const ANY: &str = "any";

impl Operations {
    /// Holds a rule of a mapping that is not saved against a record. `at` is the rule's place in `draft`.
    ///
    /// # Errors
    /// There is no such rule, or a schema or the record's contact cannot be read.
    pub async fn try_rule(
        &self,
        mapping: &MappingName,
        draft: &MappingSpec,
        at: usize,
        record: Record,
    ) -> Done<RuleTrial> {
        let Some(rule) = draft.rules.get(at) else {
            let message = format!("the mapping {mapping} has no rule {}", at + 1);
            return Err(Problem::new(ErrorClass::Config, message));
        };
        let connection = self.state().config.connection_of(draft);
        let account = self.person(&connection)?;
        let of = |name: &str| format!("mapping {mapping}: rule {name}");
        let findings = account.compile(mapping, draft).await?.findings;
        let mut findings: Vec<(Level, String)> = findings
            .into_iter()
            .filter(|finding| finding.level != Level::Ok && finding.item == of(&rule.name))
            .map(|finding| (finding.level, told(&finding)))
            .collect();
        let mut judged = RuleSpec::new(ANY, &rule.when);
        judged.on_first_sync = rule.on_first_sync;
        judged.record_event = Names(vec![ANY.to_owned()]);
        let alone = MappingSpec {
            fields: FieldSpecs::default(),
            on_delete: OnDelete::Keep,
            rules: vec![judged],
            ..draft.clone()
        };
        let compiled = account.compile(mapping, &alone).await?;
        let broken = compiled.findings.iter();
        let broken = broken
            .filter(|finding| finding.level == Level::Error && finding.item == of(ANY))
            .map(told)
            .next();
        let actions = rule.acts().iter().map(ToString::to_string).collect();
        if let Some(message) = broken {
            findings.retain(|(_, text)| *text != message);
            return Ok(RuleTrial {
                title: record.id.to_string(),
                condition: Err(message),
                fires: false,
                note: None,
                actions,
                findings,
            });
        }
        let ready = compiled.ready(mapping)?;
        let preview = self.preview_by(&ready, &account, record, false).await?;
        let judged = preview.rules.into_iter().next();
        let sound = !findings.iter().any(|(level, _)| *level == Level::Error);
        Ok(RuleTrial {
            title: preview.title,
            condition: Ok(judged.as_ref().is_some_and(|rule| rule.holds)),
            fires: sound && judged.as_ref().is_some_and(|rule| rule.fires),
            note: judged.and_then(|rule| rule.note),
            actions,
            findings,
        })
    }

    /// The tags, lists, automations and events of the account.
    pub async fn action_names(&self, connection: &ConnectionName) -> Done<ActionNames> {
        let account = self.person(connection)?;
        Ok(account.activecampaign.action_names().await?)
    }
}

fn told(finding: &Finding) -> String {
    match &finding.remedy {
        Some(remedy) => format!("{} ({remedy})", finding.message),
        None => finding.message.clone(),
    }
}
