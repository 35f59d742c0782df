//! A mapping resolved against both live schemas.

use super::check::{self, Report};
use super::coerce::SourceKind;
use super::fault::Fault;
use super::line::{Compiler, From, Line};
use super::names::Place;
use super::resolve;
use super::rules::Rules;
use super::scope::Scope;
use super::spec::{EmailSpec, MappingSpec};
use super::template::Templates;
use crate::model::{
    Association, AssociationId, ContactField, ErrorClass, Finding, Fingerprint, Level, MappingName,
    ObjectKey, ObjectSchema, Problem, TargetField,
};
use std::sync::Arc;

/// What compiling came to.
#[derive(Debug)]
pub struct Compiled {
    /// `None` where a finding is an error.
    pub mapping: Option<Mapping>,
    /// Errors and warnings; one `ok` where there is none.
    pub findings: Vec<Finding>,
}

impl Compiled {
    /// The mapping, ready for use.
    ///
    /// # Errors
    /// It does not fit the schemas: the problem names the first fault.
    pub fn ready(self, name: &MappingName) -> Result<Mapping, Problem> {
        self.mapping
            .ok_or_else(|| first_error(name, &self.findings))
    }
}

fn first_error(name: &MappingName, findings: &[Finding]) -> Problem {
    let mut errors = findings
        .iter()
        .filter(|finding| finding.level == Level::Error);
    let Some(first) = errors.next() else {
        return Problem::new(
            ErrorClass::Config,
            format!("the mapping {name} cannot be used"),
        );
    };
    let more = match errors.count() {
        0 => String::new(),
        count => format!(" (and {count} more: tramline mappings check {name})"),
    };
    let mut problem = Problem::new(
        ErrorClass::Config,
        format!("{}: {}{more}", first.item, first.message),
    );
    problem.remedy.clone_from(&first.remedy);
    problem
}

/// Where the e-mail address comes from, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailSource {
    /// A record field's short key.
    Property(String),
    /// The contact that an association leads to.
    Association(AssociationId),
}

/// A mapping that can be applied to records.
#[derive(Debug)]
pub struct Mapping {
    name: MappingName,
    spec: MappingSpec,
    hash: Fingerprint,
    object: ObjectKey,
    /// Short key of the property that names a record.
    pub(super) primary: String,
    pub(super) email: EmailSource,
    pub(super) lines: Vec<Line>,
    pub(super) templates: Templates,
    /// What the templates of the lines read.
    pub(super) scope: Scope,
    pub(super) rules: Rules,
}

/// One line of a mapping, for screens.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The contact field as config.toml names it.
    pub field: Arc<str>,
    pub target: TargetField,
    /// The contact field's title: `Pet name`.
    pub title: String,
    /// The contact field's type: `text`, `dropdown`.
    pub target_type: String,
    /// The record field or template.
    pub source: Arc<str>,
    /// The record field's type, or `template`.
    pub source_type: String,
}

impl Mapping {
    /// Resolves every name of a mapping against the object's schema, the account's contact fields (all of
    /// them) and the associations of the location, and checks what can be checked without a record.
    pub fn compile(
        name: &MappingName,
        spec: &MappingSpec,
        schema: &ObjectSchema,
        fields: &[ContactField],
        associations: &[Association],
    ) -> Compiled {
        let mut report = Report::new(name);
        check::settings(spec, schema, &mut report);
        let zone = check::zone(spec.time_zone.as_deref(), "time_zone", &mut report);
        let email = report.take("email", email_source(&spec.email, schema, associations));
        let mut compiler = Compiler {
            schema,
            fields,
            zone,
            related: matches!(spec.email, EmailSpec::Association(_)),
            templates: Templates::new(schema),
            report,
        };
        let lines: Vec<Line> = spec
            .fields
            .iter()
            .filter_map(|(field, spec)| compiler.line(field, spec))
            .collect();
        let rules = Rules::compile(
            &spec.rules,
            Place {
                schema,
                related: compiler.related,
                previous: true,
            },
            &mut compiler.templates,
            &mut compiler.report,
        );
        let Compiler {
            templates,
            mut report,
            ..
        } = compiler;
        check::twice(&lines, &mut report);
        let scope = scope(&templates, &lines, schema);
        check::trial(&lines, &templates, &scope, schema, &mut report);
        let findings = report.finish();
        let sound = findings.iter().all(|finding| finding.level != Level::Error);
        let mapping = email.filter(|_| sound).map(|email| Self {
            name: name.clone(),
            hash: spec.hash(),
            spec: spec.clone(),
            object: schema.key.clone(),
            primary: schema.primary_property.clone(),
            email,
            lines,
            templates,
            scope,
            rules,
        });
        Compiled { mapping, findings }
    }

    /// The mapping's name.
    pub fn name(&self) -> &MappingName {
        &self.name
    }

    /// The mapping as config.toml spells it.
    pub fn spec(&self) -> &MappingSpec {
        &self.spec
    }

    /// The object's full key.
    pub fn object(&self) -> &ObjectKey {
        &self.object
    }

    /// [`MappingSpec::hash`], computed once.
    pub fn hash(&self) -> &Fingerprint {
        &self.hash
    }

    /// Where the e-mail address comes from.
    pub fn email(&self) -> &EmailSource {
        &self.email
    }

    /// The association whose contact [`Mapping::apply`] needs; `None` where the record is enough.
    pub fn association(&self) -> Option<&AssociationId> {
        match &self.email {
            EmailSource::Association(id) => Some(id),
            EmailSource::Property(_) => None,
        }
    }

    /// The lines of the mapping in their order.
    pub fn columns(&self) -> Vec<Column> {
        self.lines
            .iter()
            .map(|line| Column {
                field: Arc::clone(&line.field),
                target: line.target.clone(),
                title: line.title.clone(),
                target_type: line.target_type.clone(),
                source: Arc::clone(&line.source),
                source_type: line.source_type.clone(),
            })
            .collect()
    }
}

fn email_source(
    spec: &EmailSpec,
    schema: &ObjectSchema,
    associations: &[Association],
) -> Result<EmailSource, Fault> {
    match spec {
        EmailSpec::Association(key) => {
            resolve::association(key, schema, associations).map(EmailSource::Association)
        }
        EmailSpec::Property(name) => {
            let source = resolve::source(name, schema)?;
            if source.member.is_some()
                || SourceKind::of(&source.property.data_type) != SourceKind::Text
            {
                return Err(Fault::new(format!(
                    "{name} is of type {}, which holds no e-mail address",
                    source.property.data_type.as_str()
                ))
                .remedy("name a field of type TEXT or EMAIL, or an association"));
            }
            Ok(EmailSource::Property(source.property.key.clone()))
        }
    }
}

fn scope(templates: &Templates, lines: &[Line], schema: &ObjectSchema) -> Scope {
    let ids = lines.iter().filter_map(|line| match &line.from {
        From::Template { id, .. } => Some(id),
        _ => None,
    });
    // Every id was compiled, so its names can be read; an error would leave the names empty at the trial.
    Scope::new(templates.heads(ids).unwrap_or_default(), schema)
}
