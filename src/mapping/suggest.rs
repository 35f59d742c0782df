//! Suggestions for a new mapping: which record field could fill which contact field.

use super::coerce::{self, Plan, SourceKind, TargetKind};
use super::options::Replace;
use super::text::Limit;
use crate::model::{
    Builtin, ContactField, DataType, Email, FieldKind, FieldOption, ObjectSchema, Property, Record,
};
use jiff::tz::TimeZone;
use serde_json::Value;

/// Suggestions below this are noise.
const THRESHOLD: f64 = 0.6;

/// A contact field and the record field that could fill it.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// As config.toml names it: `%PET_NAME%`, `first_name`; `email` for the source of the address.
    pub field: String,
    /// The record field.
    pub from: String,
    /// 0 to 1.
    pub score: f64,
    /// Why.
    pub reason: String,
}

/// A contact field that a suggestion may fill.
struct Candidate<'a> {
    field: String,
    names: Vec<Vec<String>>,
    kind: &'a FieldKind,
    options: &'a [FieldOption],
}

/// A record field that a suggestion may name.
struct Offer<'a> {
    from: String,
    names: Vec<Vec<String>>,
    kind: SourceKind,
    property: &'a Property,
}

/// Pairs record fields with contact fields by name, by type, and by the values of some records. Each field is
/// used once, best pair first; the e-mail address comes first of all.
pub fn suggest(
    schema: &ObjectSchema,
    fields: &[ContactField],
    samples: &[Record],
) -> Vec<Suggestion> {
    let object = words(&schema.singular);
    let mut candidates: Vec<Candidate<'_>> = Builtin::ALL
        .iter()
        .map(|builtin| Candidate {
            field: builtin.name().to_owned(),
            names: vec![words(builtin.name())],
            kind: &FieldKind::Hidden,
            options: &[],
        })
        .collect();
    candidates.extend(fields.iter().map(|field| Candidate {
        field: format!("%{}%", field.tag),
        names: vec![words(&field.tag), words(&field.title)],
        kind: &field.kind,
        options: &field.options,
    }));
    let offers = offers(schema);
    let mut pairs: Vec<(usize, usize, f64, String)> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        for (other, offer) in offers.iter().enumerate() {
            if let Some((score, reason)) = rate(candidate, offer, &object, samples) {
                pairs.push((at, other, score, reason));
            }
        }
    }
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2));
    let mut used = (vec![false; candidates.len()], vec![false; offers.len()]);
    let mut out: Vec<Suggestion> = email(schema, samples).into_iter().collect();
    for (at, other, score, reason) in pairs {
        if !used.0[at] && !used.1[other] {
            used.0[at] = true;
            used.1[other] = true;
            out.push(Suggestion {
                field: candidates[at].field.clone(),
                from: offers[other].from.clone(),
                score,
                reason,
            });
        }
    }
    out
}

fn offers(schema: &ObjectSchema) -> Vec<Offer<'_>> {
    let mut out = Vec::new();
    for property in &schema.properties {
        out.push(Offer {
            from: property.key.clone(),
            names: vec![words(&property.key), words(&property.name)],
            kind: SourceKind::of(&property.data_type),
            property,
        });
        if property.data_type == DataType::TextboxList {
            for option in &property.options {
                let from = format!("{}.{}", property.key, option.key);
                out.push(Offer {
                    names: vec![words(&from), words(&option.label)],
                    from,
                    kind: SourceKind::Member,
                    property,
                });
            }
        }
    }
    out
}

/// How well a pair fits; `None` where it does not.
fn rate(
    candidate: &Candidate<'_>,
    offer: &Offer<'_>,
    object: &[String],
    samples: &[Record],
) -> Option<(f64, String)> {
    let target = TargetKind::of(candidate.kind);
    if !coerce::allowed(offer.kind, target) {
        return None;
    }
    let name = candidate
        .names
        .iter()
        .flat_map(|a| offer.names.iter().map(move |b| alike(a, b, object)))
        .fold(0.0, f64::max);
    let mut score = name;
    let mut reasons = vec![match name {
        name if name >= 0.99 => "same name".to_owned(),
        _ => "similar name".to_owned(),
    }];
    if !natural(offer.kind, target) {
        score *= 0.9;
    } else if target != TargetKind::Text {
        reasons.push("same type".to_owned());
    }
    if let Some((fit, seen)) = values(candidate, offer, target, samples) {
        if fit == 0 {
            return None;
        }
        score *= 0.7 + 0.3 * fit as f64 / seen as f64;
        reasons.push(format!("{fit} of {seen} values fit"));
    }
    (score >= THRESHOLD).then(|| (score, reasons.join(", ")))
}

/// True if a target is what one would choose for a source.
fn natural(source: SourceKind, target: TargetKind) -> bool {
    use {SourceKind as S, TargetKind as T};
    match source {
        S::Number | S::Money => target == T::Number,
        S::Date => matches!(target, T::Date | T::Datetime),
        S::One => target == T::One,
        S::Many => target == T::Many,
        S::Text | S::Member | S::Members | S::Files => target == T::Text,
    }
}

/// How many of the sample values coerce, and how many there are.
fn values(
    candidate: &Candidate<'_>,
    offer: &Offer<'_>,
    target: TargetKind,
    samples: &[Record],
) -> Option<(usize, usize)> {
    let plan = Plan {
        source: offer.kind,
        target,
        options: offer.property.options.clone(),
        allow_custom: offer.property.allow_custom_option,
        target_options: candidate.options.to_vec(),
        replace: Replace::default(),
        limit: Limit::default(),
        split: None,
        zone: TimeZone::UTC,
    };
    let mut fit = 0;
    let mut seen = 0;
    for value in samples
        .iter()
        .filter_map(|record| record.properties.get(&offer.from))
    {
        match plan.coerce(value, &mut Vec::new()) {
            Ok(None) => {}
            Ok(Some(_)) => {
                fit += 1;
                seen += 1;
            }
            Err(_) => seen += 1,
        }
    }
    (seen > 0).then_some((fit, seen))
}

/// The property that holds e-mail addresses.
fn email(schema: &ObjectSchema, samples: &[Record]) -> Option<Suggestion> {
    schema
        .properties
        .iter()
        .filter(|property| SourceKind::of(&property.data_type) == SourceKind::Text)
        .filter_map(|property| {
            let mut score = 0.0;
            let mut reasons = Vec::new();
            if property.data_type == DataType::Email {
                score += 0.5;
                reasons.push("type EMAIL".to_owned());
            }
            let named = [&property.key, &property.name].into_iter().any(|name| {
                let name = name.to_lowercase();
                name.contains("email") || name.contains("e-mail") || name.contains("e_mail")
            });
            if named {
                score += 0.3;
                reasons.push("its name says e-mail".to_owned());
            }
            let texts: Vec<&str> = samples
                .iter()
                .filter_map(|record| record.properties.get(&property.key).and_then(Value::as_str))
                .filter(|text| !text.trim().is_empty())
                .collect();
            let good = texts
                .iter()
                .filter(|text| Email::parse(text).is_ok())
                .count();
            if good > 0 {
                score += 0.5 * good as f64 / texts.len() as f64;
                reasons.push(format!("{good} of {} values are addresses", texts.len()));
            } else if !texts.is_empty() {
                return None;
            }
            (score > 0.2).then(|| Suggestion {
                field: "email".to_owned(),
                from: property.key.clone(),
                score: f64::min(score, 1.0),
                reason: reasons.join(", "),
            })
        })
        .max_by(|a, b| a.score.total_cmp(&b.score))
}

/// The words of a name, lower-cased: `PET_NAME`, `petName` and `Pet name` are the same.
fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut lower_before = false;
    for c in name.chars() {
        let boundary = !c.is_alphanumeric() || (c.is_uppercase() && lower_before);
        if boundary && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// How alike two names are, 0 to 1: by shared words, or letter by letter. The object's own name may stand in one of
/// them: the contact field `Pet weight` is the pet's `weight`.
fn alike(a: &[String], b: &[String], object: &[String]) -> f64 {
    let plain = similarity(a, b);
    let without = |words: &[String]| -> Vec<String> {
        words
            .iter()
            .filter(|word| !object.contains(word))
            .cloned()
            .collect()
    };
    let (short_a, short_b) = (without(a), without(b));
    if short_a.is_empty() || short_b.is_empty() {
        return plain;
    }
    plain.max(0.97 * similarity(&short_a, &short_b))
}

fn similarity(a: &[String], b: &[String]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let shared = a.iter().filter(|word| b.contains(word)).count() as f64;
    let by_words = 2.0 * shared / (a.len() + b.len()) as f64;
    let by_letters = strsim::normalized_damerau_levenshtein(&a.concat(), &b.concat());
    by_words.max(0.9 * by_letters)
}
