//! Mappings: what they say, what is wrong with them, what they make of a record.

use super::audit::{Act, Told};
use super::records::RecordSearch;
use super::{Done, Operations, states};
use crate::mapping::{
    EmailOutcome, EmailSource, EmailSpec, FieldSpec, Mapping, MappingSpec, OnMissingEmail,
    is_template,
};
use crate::model::job::Edit;
use crate::model::view::{FiringRule, Outcome, Preview, SyncResult};
use crate::model::{
    Builtin, ConnectionName, DataType, EffectState, FieldKind, Finding, JobId, Level, MappingName,
    ObjectKey, Properties, Record, RecordId,
};
use crate::sync::contest::{self, Verdict};
use crate::sync::{Account, edited, related, write};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Records that the audit names of those that were synced together.
const NAMED: usize = 20;

/// A mapping as config.toml gives it, without asking either API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingSummary {
    pub name: MappingName,
    pub connection: ConnectionName,
    pub object: ObjectKey,
    /// `owner_email`, or `association pet_owner`.
    pub email: String,
    pub fields: usize,
    pub rules: Vec<String>,
    pub schedule: Option<String>,
    pub enabled: bool,
}

/// One line between a record field and a contact field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingLine {
    /// The record field, or the template's text.
    pub source: String,
    /// `None` for a template or an unknown field.
    pub source_type: Option<DataType>,
    /// True where it is a template rather than a record field.
    #[serde(default)]
    pub template: bool,
    /// True where the value passes a template, `map`, `default` or another transform.
    pub transform: bool,
    /// The contact field as config.toml names it.
    pub target: String,
    /// `None` for a built-in field or an unknown one.
    pub target_type: Option<FieldKind>,
    pub builtin: bool,
    /// The worst finding about this line.
    pub problem: Option<(Level, String)>,
}

/// A mapping held against both live schemas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingDetail {
    pub summary: MappingSummary,
    pub lines: Vec<MappingLine>,
    pub findings: Vec<Finding>,
}

/// A pair of fields that seem to belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuggestedPair {
    pub field: String,
    pub from: String,
    /// 0 to 1.
    pub score: f64,
    pub reason: String,
}

impl Operations {
    /// All mappings of config.toml, by name.
    pub fn mappings(&self) -> Vec<MappingSummary> {
        let state = self.state();
        let config = &state.config;
        config
            .mappings
            .iter()
            .map(|(name, spec)| summary(name, spec, config.connection_of(spec)))
            .collect()
    }

    /// A mapping's lines and findings, against both live schemas (read once and kept).
    pub async fn mapping_detail(&self, mapping: &MappingName) -> Done<MappingDetail> {
        let state = self.state();
        self.detail_of(mapping, state.spec(mapping)?.0).await
    }

    /// As [`Operations::mapping_detail`], for a mapping as it is given.
    pub(super) async fn detail_of(
        &self,
        mapping: &MappingName,
        spec: &MappingSpec,
    ) -> Done<MappingDetail> {
        let connection = self.state().config.connection_of(spec);
        let account = self.person(&connection)?;
        let findings = account.compile(mapping, spec).await?.findings;
        let schema = account.schema(&ObjectKey::from_input(&spec.object)).await?;
        let fields = account.fields().await?;
        let lines = spec
            .fields
            .iter()
            .map(|(target, field)| {
                let source = field.source();
                let tag = target.trim_matches('%');
                MappingLine {
                    source: source.to_owned(),
                    source_type: schema
                        .property_or_member(source)
                        .map(|(property, _)| property.data_type.clone()),
                    template: is_template(source),
                    transform: match field {
                        FieldSpec::Short(text) => is_template(text),
                        FieldSpec::Table(_) => true,
                    },
                    target: target.to_owned(),
                    target_type: fields
                        .iter()
                        .find(|field| field.tag.eq_ignore_ascii_case(tag))
                        .map(|field| field.kind.clone()),
                    builtin: Builtin::from_name(target).is_some(),
                    problem: worst(&findings, target),
                }
            })
            .collect();
        Ok(MappingDetail {
            summary: summary(mapping, spec, connection),
            lines,
            findings,
        })
    }

    /// The findings of one mapping against both live schemas, which are read anew.
    pub async fn check_mapping(&self, mapping: &MappingName) -> Done<Vec<Finding>> {
        let state = self.state();
        let (spec, connection) = state.spec(mapping)?;
        let account = state.person(&connection)?;
        account.forget().await;
        let mut findings = account.compile(mapping, spec).await?.findings;
        findings.extend(self.check_states(&connection, mapping, spec).await);
        Ok(findings)
    }

    /// The first records of the mapping's object, newest first, for live samples.
    pub async fn mapping_samples(&self, mapping: &MappingName, limit: u32) -> Done<Vec<Record>> {
        let state = self.state();
        let (spec, connection) = state.spec(mapping)?;
        let object = ObjectKey::from_input(&spec.object);
        let newest = RecordSearch::default();
        let page = self.records(&connection, &object, &newest, None, limit);
        Ok(page.await?.records)
    }

    /// What the mapping makes of a record that is at hand; the contact is not looked up unless
    /// `with_contact`.
    pub async fn preview_record(
        &self,
        mapping: &MappingName,
        record: Record,
        with_contact: bool,
    ) -> Done<Preview> {
        let state = self.state();
        let (spec, connection) = state.spec(mapping)?;
        let account = state.person(&connection)?;
        let mapping = account.mapping(mapping, spec).await?;
        self.preview_by(&mapping, &account, record, with_contact)
            .await
    }

    /// As [`Operations::preview_record`], by a mapping that is ready for use.
    pub(super) async fn preview_by(
        &self,
        mapping: &Mapping,
        account: &Account,
        record: Record,
        with_contact: bool,
    ) -> Done<Preview> {
        let (store, connection) = (&self.inner.store, &account.name);
        let whose = (connection, mapping.name());
        let mut record = record;
        let edit = edited::of(store, whose, &record).await?;
        if let Some(edit) = &edit {
            Edit::put(&edit.properties, &mut record.properties);
        }
        let related = match mapping.email() {
            EmailSource::Association(association) => {
                related::of_record(&account.highlevel, association, &record).await?
            }
            EmailSource::Property(_) => None,
        };
        let address = mapping.address(&record, related.as_ref()).into_email();
        let email = address.as_ref().ok().cloned();
        let mut contact = match (&email, with_contact) {
            (Some(email), true) => account.activecampaign.find_contact(email, true).await?,
            _ => None,
        };
        let mut fields = None;
        if let (Some(email), true, None) = (&email, with_contact, &contact) {
            let old = write::old_link(store, account, mapping, &record.id, email).await?;
            if let Some(old) = old.map(|old| old.email) {
                contact = account.activecampaign.find_contact(&old, true).await?;
                let both = (&record, related.as_ref());
                fields = contact
                    .as_ref()
                    .map(|contact| write::beside_renamed(mapping, both, (&old, contact), email));
            }
        }
        let fields = fields
            .unwrap_or_else(|| mapping.preview_fields(&record, related.as_ref(), contact.as_ref()));
        let warning = match &email {
            Some(email) => {
                write::change_of_address(store, account, mapping, &record.id, email).await?
            }
            None => None,
        };
        let surroundings = match &contact {
            Some(contact) => Some(account.activecampaign.surroundings(&contact.id).await?),
            None => None,
        };
        let (mut link, mut winner, mut contested) = (None, None, None);
        if let Some(email) = &email {
            link = store.link(connection, mapping.name(), email).await?;
            // A record that cannot be mapped fails and does not compete.
            if fields.iter().all(|field| field.problem.is_none()) {
                match contest::foresee(store, account, mapping, &record, email).await? {
                    Verdict::Wins => {}
                    Verdict::Loses(other) => winner = Some(other),
                    Verdict::Fails(others) => contested = Some(contest::problem(email, others)),
                }
            }
        }
        let skips = address.is_err()
            && mapping.address(&record, related.as_ref()) == EmailOutcome::Missing
            && mapping.spec().on_missing_email == OnMissingEmail::Skip;
        let ids = std::slice::from_ref(&record.id);
        let mut states = store
            .confirmed_states(connection, mapping.name(), ids)
            .await?;
        let previous: Option<Properties> = states
            .remove(&record.id)
            .and_then(|state| serde_json::from_str(&state.properties_json).ok());
        let mut rules = mapping.preview_rules(&record, related.as_ref(), previous.as_ref());
        let mut warnings: Vec<String> = warning.into_iter().collect();
        if previous.is_none()
            && mapping.has_rules()
            && self
                .was_synced(connection, mapping.name(), &record.id)
                .await?
        {
            warnings.push(states::warning(mapping.name(), mapping.spec()));
            for rule in rules.iter_mut().filter(|rule| !rule.fires) {
                rule.note = Some(match &rule.note {
                    Some(note) if !rule.holds => format!("{note}; {}", states::NOTE),
                    _ => states::NOTE.to_owned(),
                });
            }
        }
        Ok(Preview {
            mapping: mapping.name().to_string(),
            title: mapping.title(&record),
            fields,
            rules,
            email,
            contact_id: contact.map(|contact| contact.id),
            skips,
            problem: address.err().filter(|_| !skips).or(contested),
            last_sent: link.map(|link| link.confirmed_at),
            superseded_by: winner,
            warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
            edit,
            surroundings,
            record,
        })
    }

    /// What the mapping makes of a record, read now, beside its contact, read now. Writes nothing.
    pub async fn preview(&self, mapping: &MappingName, record: &RecordId) -> Done<Preview> {
        let state = self.state();
        let (spec, connection) = state.spec(mapping)?;
        let object = ObjectKey::from_input(&spec.object);
        let record = self
            .person(&connection)?
            .highlevel
            .record(&object, record)
            .await?;
        self.preview_record(mapping, record, true).await
    }

    /// Pairs that could be added to a mapping.
    pub async fn suggest(&self, mapping: &MappingName) -> Done<Vec<SuggestedPair>> {
        let state = self.state();
        self.suggest_for(mapping, state.spec(mapping)?.0).await
    }

    /// As [`Operations::suggest`], for a mapping as it is given.
    pub(super) async fn suggest_for(
        &self,
        mapping: &MappingName,
        spec: &MappingSpec,
    ) -> Done<Vec<SuggestedPair>> {
        let account = self.person(&self.state().config.connection_of(spec))?;
        let schema = account.schema(&ObjectKey::from_input(&spec.object)).await?;
        let fields = account.fields().await?;
        let samples = self.mapping_samples(mapping, 50).await?;
        let taken: Vec<&str> = spec.fields.iter().map(|(target, _)| target).collect();
        let pairs = crate::mapping::suggest(&schema, &fields, &samples);
        Ok(pairs
            .into_iter()
            // Every mapping has its e-mail already, and it stands beside the fields, not among them.
            .filter(|pair| pair.field != "email" && !taken.contains(&pair.field.as_str()))
            .map(|pair| SuggestedPair {
                field: pair.field,
                from: pair.from,
                score: pair.score,
                reason: pair.reason,
            })
            .collect())
    }

    /// Syncs records now and waits for the results, in the order asked for. `dry_run` writes nothing.
    pub async fn sync(
        &self,
        mapping: &MappingName,
        records: &[RecordId],
        dry_run: bool,
    ) -> Done<Vec<SyncResult>> {
        let state = self.state();
        let (spec, connection) = state.spec(mapping)?;
        if dry_run {
            let mut results = Vec::with_capacity(records.len());
            for record in records {
                results.push(self.rehearse(mapping, record).await);
            }
            return Ok(results);
        }
        self.writable()?;
        let account = state.person(&connection)?;
        let compiled = account.mapping(mapping, spec).await?;
        let engine = &self.inner.engine;
        let doing = async {
            let began = Timestamp::now();
            let unknown = self.without_state(&compiled, &connection, records).await?;
            let ended = engine.sync_now(&account, &compiled, records).await?;
            let mut results = Vec::with_capacity(ended.len());
            for (job, mut result) in ended {
                if compiled.has_rules() {
                    result.rules = self.fired(&job, began).await?;
                }
                if unknown.contains(&result.record)
                    && matches!(result.outcome, Outcome::Synced | Outcome::Unchanged)
                {
                    let told = result.warning.take().into_iter();
                    let told: Vec<String> = told.chain([states::AFTER.to_owned()]).collect();
                    result.warning = Some(told.join("; "));
                }
                if result.outcome == Outcome::Waiting {
                    result.why = Some(self.job(job.as_str()).await?.why);
                }
                results.push(result);
            }
            Ok(results)
        };
        let act = Act::new("sync", format!("{mapping} {}", named(records))).of(&connection);
        self.audited_as(act, doing, |results| Told {
            outcome: how_it_ended(results),
            number: Some(results.iter().filter(|one| one.is_over()).count() as u64),
            target: None,
        })
        .await
    }

    /// Those of some records that the mapping has synced, and whose state its rules do not know.
    async fn without_state(
        &self,
        mapping: &Mapping,
        connection: &ConnectionName,
        records: &[RecordId],
    ) -> Done<BTreeSet<RecordId>> {
        let mut unknown = BTreeSet::new();
        if !mapping.has_rules() {
            return Ok(unknown);
        }
        let store = &self.inner.store;
        let states = store.confirmed_states(connection, mapping.name(), records);
        let states = states.await?;
        for record in records.iter().filter(|record| !states.contains_key(record)) {
            if self.was_synced(connection, mapping.name(), record).await? {
                unknown.insert(record.clone());
            }
        }
        Ok(unknown)
    }

    /// What rules did in the course of a job since a moment, whichever process worked it.
    async fn fired(&self, job: &JobId, since: Timestamp) -> Done<Vec<FiringRule>> {
        let store = &self.inner.store;
        let Some(job) = store.job(job).await? else {
            return Ok(Vec::new());
        };
        let mut fired: Vec<FiringRule> = Vec::new();
        let effects = store.effects_of_job(&job).await?.into_iter();
        for effect in
            effects.filter(|effect| effect.state == EffectState::Done && effect.updated_at >= since)
        {
            let action = effect.act.to_string();
            match fired.iter_mut().find(|known| known.rule == effect.rule) {
                Some(known) => known.actions.push(action),
                None => fired.push(FiringRule {
                    rule: effect.rule,
                    actions: vec![action],
                }),
            }
        }
        Ok(fired)
    }

    async fn rehearse(&self, mapping: &MappingName, record: &RecordId) -> SyncResult {
        match self.preview(mapping, record).await {
            Ok(preview) => crate::sync::rehearsed(&preview),
            Err(problem) => crate::sync::failed(record.clone(), problem),
        }
    }
}

/// The ids of records; of many the first, and how many more there are.
fn named(records: &[RecordId]) -> String {
    let mut ids: Vec<&str> = records.iter().take(NAMED).map(RecordId::as_str).collect();
    let more = match records.len() - ids.len() {
        0 => return ids.join(" "),
        more => format!("and {more} more"),
    };
    ids.push(&more);
    ids.join(" ")
}

/// For the audit: `done`, or how many did not come to their end, such as `1 waiting` or `2 failed, 1 unknown`.
fn how_it_ended(results: &[SyncResult]) -> String {
    let open: Vec<String> = [Outcome::Failed, Outcome::Unknown, Outcome::Waiting]
        .into_iter()
        .filter_map(|outcome| {
            let number = results.iter().filter(|one| one.outcome == outcome).count();
            (number > 0).then(|| format!("{number} {}", outcome.name()))
        })
        .collect();
    match open.is_empty() {
        true => "done".to_owned(),
        false => open.join(", "),
    }
}

fn summary(name: &MappingName, spec: &MappingSpec, connection: ConnectionName) -> MappingSummary {
    MappingSummary {
        name: name.clone(),
        connection,
        object: ObjectKey::from_input(&spec.object),
        email: match &spec.email {
            EmailSpec::Property(key) => key.clone(),
            EmailSpec::Association(key) => format!("association {key}"),
        },
        fields: spec.fields.iter().count(),
        rules: spec.rules.iter().map(|rule| rule.name.clone()).collect(),
        schedule: spec.schedule.clone(),
        enabled: spec.enabled,
    }
}

/// True if a finding's item is about a contact field: `mapping pets: %PET_NAME%`.
fn names(item: &str, target: &str) -> bool {
    item.rsplit_once(": ")
        .is_some_and(|(_, part)| part == target)
}

fn worst(findings: &[Finding], target: &str) -> Option<(Level, String)> {
    findings
        .iter()
        .filter(|finding| finding.level != Level::Ok && names(&finding.item, target))
        .max_by_key(|finding| finding.level)
        .map(|finding| (finding.level, finding.message.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_own_findings_and_no_other_lines() {
        let findings = [Finding::error("mapping pets: PET_NAME", "no such field")];
        assert!(worst(&findings, "NAME").is_none());
        assert!(worst(&findings, "PET_NAME").is_some());
    }
}
