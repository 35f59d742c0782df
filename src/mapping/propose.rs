//! Proposals for contact fields that are to be made: which type could take what a record field holds.

use super::coerce::{self, SourceKind, TargetKind};
use crate::model::{ContactField, DataType, FieldKind, FieldProposal, ObjectSchema, Property};

/// A proposal for each field of an object's records, and for each member of a text box list.
pub fn propose(schema: &ObjectSchema, fields: &[ContactField]) -> Vec<FieldProposal> {
    let mut out = Vec::new();
    for property in &schema.properties {
        let options = property.options.iter().map(|option| option.label.clone());
        let labels = match SourceKind::of(&property.data_type) {
            SourceKind::One | SourceKind::Many => options.collect(),
            _ => Vec::new(),
        };
        let kind = SourceKind::of(&property.data_type);
        let mut proposal = FieldProposal {
            source: property.key.clone(),
            note: format!("{}  {}", property.name, property.data_type.as_str()),
            title: property.name.clone(),
            tag: tag(&property.key),
            kinds: kinds(kind, best(property), !labels.is_empty()),
            options: labels,
        };
        free(&mut proposal, schema, fields);
        out.push(proposal);
        if kind != SourceKind::Members {
            continue;
        }
        for option in &property.options {
            let source = format!("{}.{}", property.key, option.key);
            let mut member = FieldProposal {
                note: format!("{}: {}  one text", property.name, option.label),
                title: format!("{} {}", property.name, option.label),
                tag: tag(&source),
                source,
                kinds: kinds(SourceKind::Member, FieldKind::Text, false),
                options: Vec::new(),
            };
            free(&mut member, schema, fields);
            out.push(member);
        }
    }
    out
}

/// A proposal for what a template makes, which is text.
pub fn propose_text(source: &str, title: &str) -> FieldProposal {
    FieldProposal {
        source: source.to_owned(),
        note: String::new(),
        title: title.to_owned(),
        tag: tag(title),
        kinds: kinds(SourceKind::Text, FieldKind::Text, false),
        options: Vec::new(),
    }
}

/// The type that loses nothing of a property's values.
fn best(property: &Property) -> FieldKind {
    match property.data_type {
        DataType::LargeText | DataType::TextboxList | DataType::FileUpload => FieldKind::Textarea,
        DataType::Numerical | DataType::Monetory => FieldKind::Number,
        DataType::Date => FieldKind::Date,
        // A text that is no option would fit no choice.
        DataType::Radio if property.allow_custom_option => FieldKind::Text,
        DataType::SingleOptions => FieldKind::Dropdown,
        DataType::Radio => FieldKind::Radio,
        DataType::MultipleOptions => FieldKind::Listbox,
        DataType::Checkbox => FieldKind::Checkbox,
        DataType::Text | DataType::Email | DataType::Phone | DataType::Unknown(_) => {
            FieldKind::Text
        }
    }
}

/// The types that the matrix allows, the best one first. A choice needs options to choose among.
fn kinds(source: SourceKind, best: FieldKind, options: bool) -> Vec<FieldKind> {
    let fits = |kind: &FieldKind| {
        coerce::allowed(source, TargetKind::of(kind)) && (options || !kind.is_choice())
    };
    let others = FieldKind::ALL.into_iter().filter(|kind| *kind != best);
    let best = std::iter::once(best.clone());
    best.chain(others).filter(fits).collect()
}

/// `owner_first_name` as a personalisation tag: `OWNER_FIRST_NAME`.
fn tag(key: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let tag: String = key.chars().map(plain).collect();
    tag.trim_matches('_').to_ascii_uppercase()
}

/// A title or tag that the account has already is told apart by the object's name.
fn free(proposal: &mut FieldProposal, schema: &ObjectSchema, fields: &[ContactField]) {
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    if fields
        .iter()
        .any(|field| same(&field.title, &proposal.title))
    {
        proposal.title = format!("{} {}", schema.singular, proposal.title);
    }
    if fields.iter().any(|field| same(&field.tag, &proposal.tag)) {
        proposal.tag = format!("{}_{}", tag(&schema.singular), proposal.tag);
    }
}
