//! One line of a mapping: its source and target resolved, and how a value gets from one to the other.

use super::check::{self, Report};
use super::coerce::{self, Plan, SourceKind, TargetKind};
use super::field_spec::{Empty, FieldSpec, FieldTable};
use super::names::{self, Place};
use super::options::Replace;
use super::resolve::{self, Target};
use super::template::{TemplateId, Templates};
use super::text::Limit;
use crate::model::{
    ContactField, DataType, FieldKind, ObjectSchema, Properties, Property, TargetField,
};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::Arc;

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
        arithmetic: bool,
    },
}

impl From {
    /// The raw value that a single property or member holds.
    pub(super) fn raw<'r>(&self, properties: &'r Properties) -> Option<&'r Value> {
        match self {
            Self::Property(key) => properties.get(key),
            Self::Member { flat, list, member } => properties
                .get(flat)
                .or_else(|| properties.get(list)?.as_object()?.get(member)),
            Self::Members(_) | Self::Template { .. } => None,
        }
    }
}

/// What compiling lines needs.
pub(super) struct Compiler<'a> {
    pub(super) schema: &'a ObjectSchema,
    pub(super) fields: &'a [ContactField],
    pub(super) zone: TimeZone,
    pub(super) related: bool,
    pub(super) templates: Templates,
    pub(super) report: Report,
}

/// A line's source, resolved.
struct Resolved<'a> {
    from: From,
    kind: SourceKind,
    source_type: String,
    property: Option<&'a Property>,
}

impl<'a> Compiler<'a> {
    /// Resolves one line; what stands against it is reported.
    pub(super) fn line(&mut self, field: &str, spec: &FieldSpec) -> Option<Line> {
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
                let arithmetic = names::facts(template, false).arithmetic;
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
                    from: From::Template {
                        id,
                        numbers,
                        arithmetic,
                    },
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
