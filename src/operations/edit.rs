//! Editing a job: values in place of its record's, held against schema and mapping before they are kept.

use super::audit::Act;
use super::{Done, Operations, values};
use crate::mapping::{EmailSource, EmailSpec, Mapping, MappingSpec, is_template};
use crate::model::job::Edit;
use crate::model::view::PreviewField;
use crate::model::{
    ErrorClass, Job, JobState, ObjectSchema, Problem, Properties, Record, RelatedContact,
};
use crate::store::NewEdit;
use crate::sync::{related, version};
use serde::Serialize;
use serde_json::Value;

/// A value for a field: as text, to be read by the field's type, or as JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum EditValue {
    Text(String),
    Json(Value),
}

/// What an edit comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Edited {
    pub job: Job,
    /// The record's fields with the values that are sent in their place.
    pub properties: Properties,
    /// What the mapping makes of them.
    pub fields: Vec<PreviewField>,
}

impl Operations {
    /// Puts values in place of the record's of a job, until the record changes, and retries the job. Whatever else syncs the
    /// record by the same mapping goes by them, too. A field is a property
    /// of the record, or a contact field (or `email`) that one property is mapped to.
    ///
    /// # Errors
    /// The job is over or runs, a field is not known, or the mapping cannot bring the values to the contact: the problem
    /// names the field, and nothing was changed.
    pub async fn edit_job(&self, id: &str, changes: &[(String, EditValue)]) -> Done<Edited> {
        self.writable()?;
        let job = self.job(id).await?.job;
        if !matches!(
            job.state,
            JobState::Failed | JobState::Unknown | JobState::Waiting | JobState::Ready
        ) {
            return Err(Problem::new(
                ErrorClass::Config,
                format!(
                    "job {} is {} and cannot be edited",
                    job.id,
                    job.state.name()
                ),
            )
            .remedy("a change of its record makes a new job"));
        }
        if changes.is_empty() {
            return Err(Problem::new(ErrorClass::Config, "there is nothing to edit")
                .remedy("give --set FIELD=VALUE or --data FILE"));
        }
        let state = self.state();
        let (spec, connection) = state.spec(&job.mapping)?;
        let account = self.person(&connection)?;
        let schema = account.schema(&job.object).await?;
        let mapping = account.mapping(&job.mapping, spec).await?;
        let record = account.highlevel.record(&job.object, &job.record).await?;
        let properties = resolve(changes, spec, &schema)?;
        values::check(&schema, &properties)?;
        let edit = NewEdit {
            properties: properties.clone(),
            version: version(&record),
            by: super::who::who(),
        };
        let related = match mapping.email() {
            EmailSource::Property(_) => None,
            EmailSource::Association(association) => {
                related::of_record(&account.highlevel, association, &record).await?
            }
        };
        let fields = rehearse(&mapping, record, related.as_ref(), &properties)?;
        let text = serde_json::to_string(&properties).unwrap_or_default();
        let act = Act::new("edit", format!("{} {text}", job.id)).of(&connection);
        let doing = async {
            let number = self.inner.store.edit_job(&job.id, &edit).await?;
            number.ok_or_else(|| {
                Problem::new(
                    ErrorClass::Config,
                    format!("job {} began to run or ended meanwhile", job.id),
                )
                .remedy("look at it again: tramline queue show")
            })
        };
        self.audited(act, doing, |_| Some(1)).await?;
        self.inner.engine.wake();
        Ok(Edited {
            job: self.job(job.id.as_str()).await?.job,
            properties,
            fields,
        })
    }
}

/// The properties that changes are about.
fn resolve(
    changes: &[(String, EditValue)],
    spec: &MappingSpec,
    schema: &ObjectSchema,
) -> Done<Properties> {
    let mut properties = Properties::new();
    for (field, value) in changes {
        let key = property_of(field, spec, schema)?;
        let value = match value {
            EditValue::Json(value) => value.clone(),
            EditValue::Text(text) => schema.parse_value(&key, text).map_err(|reason| {
                Problem::new(ErrorClass::Invalid, reason).field(field.as_str())
            })?,
        };
        if properties.insert(key.clone(), value).is_some() {
            return Err(
                Problem::new(ErrorClass::Config, format!("{key} is given twice"))
                    .field(field.as_str())
                    .remedy("give each field once"),
            );
        }
    }
    Ok(properties)
}

/// The property that a field's name stands for.
fn property_of(field: &str, spec: &MappingSpec, schema: &ObjectSchema) -> Done<String> {
    if schema.property_or_member(field).is_some() {
        return Ok(field.to_owned());
    }
    let refuse = |message: &str, remedy: String| {
        Err(Problem::new(ErrorClass::Config, message)
            .field(field)
            .remedy(remedy))
    };
    if field == "email" {
        return match &spec.email {
            EmailSpec::Property(key) => Ok(key.clone()),
            EmailSpec::Association(name) => refuse(
                "the address comes from another record",
                format!("correct the contact that {name} leads to"),
            ),
        };
    }
    let mapped = spec.fields.iter().find(|(target, _)| {
        target
            .trim_matches('%')
            .eq_ignore_ascii_case(field.trim_matches('%'))
    });
    match mapped {
        Some((_, source)) if is_template(source.source()) => refuse(
            "it is made by a template from several fields",
            format!("edit those: {}", source.source()),
        ),
        Some((_, source)) => Ok(source.source().to_owned()),
        None => refuse(
            "neither the record nor the mapping has such a field",
            format!("see tramline schemas show {}", schema.key.short()),
        ),
    }
}

/// What the mapping makes of a record with other values; the first value that cannot be sent is an error.
fn rehearse(
    mapping: &Mapping,
    mut record: Record,
    related: Option<&RelatedContact>,
    properties: &Properties,
) -> Done<Vec<PreviewField>> {
    Edit::put(properties, &mut record.properties);
    mapping.address(&record, related).into_email()?;
    let fields = mapping.preview_fields(&record, related, None);
    match fields.iter().find_map(|field| field.problem.clone()) {
        Some(problem) => Err(problem),
        None => Ok(fields),
    }
}
