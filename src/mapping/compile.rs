//! A mapping resolved against both live schemas.

use super::check::{self, Report};
use super::coerce::{self, Plan, SourceKind, TargetKind};
use super::fault::Fault;
use super::field_spec::{Empty, FieldSpec, FieldTable};
use super::labels::Labels;
use super::names::Place;
use super::options::Replace;
use super::resolve::{self, Target};
use super::rules::Rules;
use super::scope::Scope;
use super::spec::{EmailSpec, MappingSpec};
use super::template::{TemplateId, Templates};
use super::text::Limit;
use crate::model::{
    Association, AssociationId, ContactField, DataType, FieldKind, Finding, Fingerprint, Level,
    MappingName, ObjectKey, ObjectSchema, Property, TargetField,
};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What compiling came to.
#[derive(Debug)]
pub struct Compiled {
    /// `None` where a finding is an error.
    pub mapping: Option<Mapping>,
    /// Errors and warnings; one `ok` where there is none.
    pub findings: Vec<Finding>,
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

/// One line: a contact field and what fills it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) field: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) target: TargetField,
    pub(super) title: String,
    pub(super) target_type: String,
    pub(super) source_type: String,
    pub(super) from: From,
    pub(super) plan: Plan,
    pub(super) empty: Empty,
}

/// Where a line's raw value is found.
#[derive(Debug)]
pub(super) enum From {
    Property(String),
    /// One member of a text box list: its flat key, and the keys of the list and the member.
    Member {
        flat: String,
        list: String,
        member: String,
    },
    /// A whole text box list.
    Members(String),
    Template {
        id: TemplateId,
        /// The numeric properties that it reads.
        numbers: Vec<String>,
    },
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
            templates: Templates::new(Labels::new(schema)),
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

/// What compiling lines needs.
struct Compiler<'a> {
    schema: &'a ObjectSchema,
    fields: &'a [ContactField],
    zone: TimeZone,
    related: bool,
    templates: Templates,
    report: Report,
}

/// A line's source, resolved.
struct Resolved<'a> {
    from: From,
    kind: SourceKind,
    source_type: String,
    property: Option<&'a Property>,
}

impl<'a> Compiler<'a> {
    fn line(&mut self, field: &str, spec: &FieldSpec) -> Option<Line> {
        let table = spec.table();
        let target = self.report.take(field, resolve::target(field, self.fields));
        let resolved = self.source(field, &table);
        let (target, resolved) = (target?, resolved?);
        let kind = match target {
            Target::Builtin(_) => None,
            Target::Custom(custom) => Some(&custom.kind),
        };
        let plan = self.plan(field, &table, &target, kind, &resolved);
        check::line(
            field,
            &table,
            &target,
            &plan,
            resolved.property,
            &mut self.report,
        );
        if !coerce::allowed(plan.source, plan.target) {
            return None;
        }
        Some(Line {
            field: field.into(),
            source: spec.source().into(),
            target: target.field(),
            title: match target {
                Target::Builtin(builtin) => builtin.name().replace('_', " "),
                Target::Custom(custom) => custom.title.clone(),
            },
            target_type: kind.map_or("text", FieldKind::as_str).to_owned(),
            source_type: resolved.source_type,
            from: resolved.from,
            plan,
            empty: table.empty,
        })
    }

    fn source(&mut self, field: &str, table: &FieldTable) -> Option<Resolved<'a>> {
        match (&table.from, &table.template) {
            (Some(name), None) => {
                let source = self
                    .report
                    .take(field, resolve::source(name, self.schema))?;
                let property = source.property;
                let (from, kind) = match source.member {
                    Some(option) => (
                        From::Member {
                            flat: format!("{}.{}", property.key, option.key),
                            list: property.key.clone(),
                            member: option.key.clone(),
                        },
                        SourceKind::Member,
                    ),
                    None if property.data_type == DataType::TextboxList => {
                        (From::Members(property.key.clone()), SourceKind::Members)
                    }
                    None => (
                        From::Property(property.key.clone()),
                        SourceKind::of(&property.data_type),
                    ),
                };
                Some(Resolved {
                    from,
                    kind,
                    source_type: property.data_type.as_str().to_owned(),
                    property: Some(property),
                })
            }
            (None, Some(template)) => {
                let place = Place {
                    schema: self.schema,
                    related: self.related,
                    previous: false,
                };
                let compiled = self.templates.add(template);
                let id = check::template(
                    field,
                    template,
                    compiled,
                    place,
                    &self.templates,
                    &mut self.report,
                )?;
                let names = self.templates.names(&id).unwrap_or_default();
                let numbers = names
                    .into_iter()
                    .filter(|name| {
                        self.schema
                            .property(name)
                            .is_some_and(|property| property.data_type == DataType::Numerical)
                    })
                    .collect();
                Some(Resolved {
                    from: From::Template { id, numbers },
                    kind: SourceKind::Text,
                    source_type: "template".to_owned(),
                    property: None,
                })
            }
            (Some(_), Some(_)) => {
                self.report.error(
                    field,
                    "it has both from and template",
                    Some("keep one of them"),
                );
                None
            }
            (None, None) => {
                self.report.error(
                    field,
                    "it has neither from nor template",
                    Some("name a record field in from"),
                );
                None
            }
        }
    }

    fn plan(
        &mut self,
        field: &str,
        table: &FieldTable,
        target: &Target<'_>,
        kind: Option<&FieldKind>,
        resolved: &Resolved<'_>,
    ) -> Plan {
        let zone = match table.time_zone.as_deref() {
            None => self.zone.clone(),
            name => check::zone(name, field, &mut self.report),
        };
        Plan {
            source: resolved.kind,
            target: kind.map_or(TargetKind::Text, TargetKind::of),
            options: resolved
                .property
                .map(|property| property.options.clone())
                .unwrap_or_default(),
            allow_custom: resolved
                .property
                .is_some_and(|property| property.allow_custom_option),
            target_options: match target {
                Target::Builtin(_) => Vec::new(),
                Target::Custom(custom) => custom.options.clone(),
            },
            replace: Replace {
                map: table.map.clone(),
                default: table.default.clone(),
            },
            limit: Limit {
                max_length: table.max_length,
                truncate: table.truncate,
                short: kind == Some(&FieldKind::Text),
            },
            split: table
                .split
                .clone()
                .filter(|separator| !separator.is_empty()),
            zone,
        }
    }
}
