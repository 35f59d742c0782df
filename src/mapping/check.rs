//! What can be said about a mapping before any record is seen.

use super::coerce::{self, Plan, SourceKind, TargetKind};
use super::fault::{Fault, quote};
use super::field_spec::FieldTable;
use super::line::{From, Line};
use super::names::{self, Place};
use super::options;
use super::resolve::Target;
use super::sample;
use super::scope::Scope;
use super::spec::{MappingSpec, OnDelete, RuleSpec};
use super::template::{TemplateError, TemplateId, Templates};
use crate::model::{DataType, FieldKind, Finding, MappingName, ObjectKey, ObjectSchema, Property};
use jiff::tz::TimeZone;
use std::str::FromStr;

/// Collects findings.
#[derive(Debug)]
pub(super) struct Report {
    mapping: String,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(name: &MappingName) -> Self {
        Self {
            mapping: format!("mapping {name}"),
            findings: Vec::new(),
        }
    }

    fn item(&self, part: &str) -> String {
        if part.is_empty() {
            self.mapping.clone()
        } else {
            format!("{}: {part}", self.mapping)
        }
    }

    pub(super) fn error(&mut self, part: &str, message: impl Into<String>, remedy: Option<&str>) {
        let mut finding = Finding::error(self.item(part), message);
        finding.remedy = remedy.map(str::to_owned);
        self.findings.push(finding);
    }

    pub(super) fn warning(&mut self, part: &str, message: impl Into<String>, remedy: Option<&str>) {
        let mut finding = Finding::warning(self.item(part), message);
        finding.remedy = remedy.map(str::to_owned);
        self.findings.push(finding);
    }

    /// The value, or an error finding.
    pub(super) fn take<T>(&mut self, part: &str, result: Result<T, Fault>) -> Option<T> {
        result
            .map_err(|fault| self.error(part, fault.message, fault.remedy.as_deref()))
            .ok()
    }

    /// All findings; `ok` where there is none.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        if self.findings.is_empty() {
            self.findings
                .push(Finding::ok(self.mapping.clone(), "fits both schemas"));
        }
        self.findings
    }
}

/// Settings that are about no single field.
pub(super) fn settings(spec: &MappingSpec, schema: &ObjectSchema, report: &mut Report) {
    if ObjectKey::from_input(&spec.object) != schema.key {
        report.error(
            "object",
            format!(
                "it is {}, but the schema is that of {}",
                spec.object, schema.key
            ),
            None,
        );
    }
    if let Some(schedule) = &spec.schedule
        && let Err(error) = croner::Cron::from_str(schedule)
    {
        report.error(
            "schedule",
            format!("{} is no cron expression: {error}", quote(schedule)),
            Some("write minute, hour, day, month, weekday, such as \"*/15 * * * *\""),
        );
    }
    let names_no_list = |rule: &RuleSpec| rule.subscribe.is_empty() && rule.unsubscribe.is_empty();
    if spec.on_delete == OnDelete::Unsubscribe && spec.rules.iter().all(names_no_list) {
        report.error(
            "on_delete",
            "there is no list to unsubscribe from: no rule of the mapping names one",
            Some("name the lists in a rule, or choose another on_delete"),
        );
    }
    if spec.fields.is_empty() && spec.rules.is_empty() {
        report.warning(
            "",
            "it fills no field and has no rule",
            Some("add lines to its fields table"),
        );
    }
}

/// A time zone by name; UTC where none is named or it is unknown, which is an error.
pub(super) fn zone(name: Option<&str>, part: &str, report: &mut Report) -> TimeZone {
    match name.map(|name| (name, TimeZone::get(name))) {
        None => TimeZone::UTC,
        Some((_, Ok(zone))) => zone,
        Some((name, Err(_))) => {
            report.error(
                part,
                format!("there is no time zone {}", quote(name)),
                Some("write an IANA name, such as \"Europe/Berlin\""),
            );
            TimeZone::UTC
        }
    }
}

/// Two lines must not fill one contact field.
pub(super) fn twice(lines: &[Line], report: &mut Report) {
    for (index, line) in lines.iter().enumerate() {
        if let Some(first) = lines[..index]
            .iter()
            .find(|other| other.target == line.target)
        {
            report.error(
                &line.field,
                format!("{} fills the same contact field", first.field),
                Some("keep one of the two lines"),
            );
        }
    }
}

/// One line's types and options.
pub(super) fn line(
    field: &str,
    table: &FieldTable,
    target: &Target<'_>,
    plan: &Plan,
    property: Option<&Property>,
    report: &mut Report,
) {
    let target_kind = match target {
        Target::Builtin(_) => None,
        Target::Custom(custom) => {
            if !custom.listed {
                report.warning(
                    field,
                    "the contact field is attached to no list, so it does not show in the contact's page",
                    Some("attach it to a list in ActiveCampaign"),
                );
            }
            Some(&custom.kind)
        }
    };
    if !coerce::allowed(plan.source, plan.target) {
        let source = property.map_or("a template", |property| property.data_type.as_str());
        let target = target_kind.map_or("text", FieldKind::as_str);
        let remedy = match plan.source {
            SourceKind::Members => "map one member, as list.member, or a text field",
            SourceKind::Files => "map it to a text field",
            _ => "map it to a field of another type, or through a template",
        };
        report.error(
            field,
            format!("a value of type {source} does not fit a {target} field"),
            Some(remedy),
        );
        return;
    }
    let text = plan.target == TargetKind::Text;
    match (table.max_length, table.truncate) {
        (Some(0), _) => report.error(field, "max_length is 0", Some("leave the line out")),
        (None, true) => report.error(
            field,
            "truncate needs max_length",
            Some("add max_length = 255"),
        ),
        (Some(_), _) if !text => {
            report.warning(
                field,
                "max_length means nothing for this type of contact field",
                None,
            );
        }
        _ => {}
    }
    if table.max_length.is_none()
        && target_kind == Some(&FieldKind::Text)
        && property.is_some_and(|property| property.data_type == DataType::LargeText)
    {
        report.warning(
            field,
            "a LARGE_TEXT may be longer than a text field keeps",
            Some("use a textarea field, or set max_length"),
        );
    }
    if table.split.is_some() && (plan.source != SourceKind::Text || plan.target != TargetKind::Many)
    {
        report.warning(
            field,
            "split is only for a text that goes to a listbox or checkbox field",
            None,
        );
    }
    if table.time_zone.is_some() && plan.target != TargetKind::Datetime {
        report.warning(field, "time_zone is only for a datetime field", None);
    }
    let choices = matches!(plan.source, SourceKind::One | SourceKind::Many);
    if table.default.is_some()
        && table.map.is_empty()
        && !choices
        && plan.source != SourceKind::Members
    {
        report.warning(
            field,
            "default is for a value that map lacks, and there is no map",
            Some("for an absent value write a template: {{ field | default('…') }}"),
        );
    }
    if choices {
        for (key, _) in table.map.iter() {
            let known = |option: &crate::model::PropertyOption| option.key == key;
            if !plan.allow_custom && !plan.options.iter().any(known) {
                report.warning(
                    field,
                    format!(
                        "map names {}, which is no option key of the record field",
                        quote(key)
                    ),
                    None,
                );
            }
        }
    }
    if matches!(plan.target, TargetKind::One | TargetKind::Many) {
        coverage(field, plan, choices, report);
    }
}

/// Options of the source that the target lacks.
fn coverage(field: &str, plan: &Plan, choices: bool, report: &mut Report) {
    let replacements = plan.replace.map.iter().map(|(_, text)| text.as_str());
    for text in replacements.chain(plan.replace.default.as_deref()) {
        if !text.is_empty()
            && let Err(fault) = options::target_text(text, &plan.target_options)
        {
            report.error(field, fault.message, fault.remedy.as_deref());
        }
    }
    if !choices {
        if plan.target_options.is_empty() {
            report.warning(
                field,
                "the contact field has no options, so no value fits it",
                Some("add options in ActiveCampaign"),
            );
        }
        return;
    }
    let missing: Vec<String> = plan
        .options
        .iter()
        .filter(|option| {
            match options::choose(&option.key, &plan.options, plan.allow_custom, &plan.replace) {
                // A replacement was looked at above.
                Ok(options::Choice::Replaced(_)) => false,
                Ok(choice) => options::target(&choice, &plan.target_options).is_err(),
                Err(_) => true,
            }
        })
        .map(|option| quote(&option.label))
        .collect();
    if missing.is_empty() {
        return;
    }
    let message = format!("the contact field has no option for {}", missing.join(", "));
    let remedy = Some("add the options in ActiveCampaign, or use map and default");
    if missing.len() == plan.options.len() {
        report.error(field, message, remedy);
    } else {
        report.warning(field, message, remedy);
    }
}

/// A template or condition that was just compiled: its names, filters and arithmetic.
pub(super) fn template(
    part: &str,
    source: &str,
    compiled: Result<TemplateId, TemplateError>,
    place: Place<'_>,
    templates: &Templates,
    report: &mut Report,
) -> Option<TemplateId> {
    let what = if place.previous {
        "condition"
    } else {
        "template"
    };
    let id = match compiled {
        Ok(id) => id,
        Err(error) => {
            report.error(
                part,
                format!("the {what} {} does not parse: {error}", quote(source)),
                None,
            );
            return None;
        }
    };
    let mut sound = true;
    for name in templates.names(&id).unwrap_or_default() {
        match names::check(&name, place) {
            Ok(None) => {}
            Ok(Some(warning)) => report.warning(part, warning, None),
            Err(fault) => {
                sound = false;
                report.error(
                    part,
                    format!("the {what} reads {}: {}", quote(&name), fault.message),
                    fault.remedy.as_deref(),
                );
            }
        }
    }
    let facts = names::facts(source, place.previous);
    for filter in facts.filters {
        if !templates.has_filter(&filter) {
            sound = false;
            report.error(
                part,
                format!("the {what} uses a filter that does not exist: {filter}"),
                None,
            );
        }
    }
    if facts.arithmetic && !place.previous {
        report.warning(
            part,
            "arithmetic in a template is double precision: about 15 digits",
            None,
        );
    }
    sound.then_some(id)
}

/// Renders every template over a sample record and over an empty one.
pub(super) fn trial(
    lines: &[Line],
    templates: &Templates,
    scope: &Scope,
    schema: &ObjectSchema,
    report: &mut Report,
) {
    let sample = sample::record(schema);
    let related = sample::related();
    let full = scope.context(&sample, &sample.properties, Some(&related), None);
    let empty = scope.context(&sample, &Default::default(), None, None);
    for line in lines {
        let From::Template { id, .. } = &line.from else {
            continue;
        };
        // A made-up value proves nothing but that the template could run at all.
        let tried = templates
            .render(id, &full)
            .err()
            .filter(|error| error.fatal);
        if let Some(error) = tried {
            report.error(
                &line.field,
                format!("the template {} fails: {error}", quote(&line.source)),
                None,
            );
        } else if let Err(error) = templates.render(id, &empty) {
            report.warning(
                &line.field,
                format!(
                    "the template {} fails where the record lacks its fields: {error}",
                    quote(&line.source)
                ),
                Some("use the default filter, or an if"),
            );
        }
    }
}
