//! The names that templates and conditions may read, and what can be told from their source alone.

use super::fault::Fault;
use super::resolve::near_property;
use super::scope::{RECORD_PARTS, RELATED_PARTS};
use crate::model::{DataType, ObjectSchema, nearest};

/// Where a template stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) schema: &'a ObjectSchema,
    /// The e-mail comes by association, so `related` exists.
    pub(super) related: bool,
    /// In a rule's condition: `previous` exists.
    pub(super) previous: bool,
}

/// Checks one name with its parts, such as `weight` or `notes.kitchen`. Gives a warning where it is likely not
/// what was meant.
pub(super) fn check(name: &str, place: Place<'_>) -> Result<Option<String>, Fault> {
    let mut parts = name.split('.');
    let head = parts.next().unwrap_or_default();
    let part = parts.next();
    match head {
        "record" => one_of(head, part, &RECORD_PARTS),
        "related" if place.related => one_of(head, part, &RELATED_PARTS),
        "related" => Err(
            Fault::new("related is only there when the e-mail comes by association")
                .remedy("set email = { association = \"…\" }"),
        ),
        "previous" if place.previous => match part {
            Some(key) => property(key, parts.next(), place.schema),
            None => Ok(None),
        },
        "previous" => Err(Fault::new("previous is only there in a rule's condition")),
        key => property(key, part, place.schema),
    }
}

fn one_of(head: &str, part: Option<&str>, known: &[&str]) -> Result<Option<String>, Fault> {
    match part {
        Some(part) if !known.contains(&part) => {
            let fault = Fault::new(format!("{head} has no part \"{part}\""));
            Err(match nearest(part, known.iter().copied()) {
                Some(guess) => fault.remedy(format!("did you mean {head}.{guess}?")),
                None => fault.remedy(format!("it has {}", known.join(", "))),
            })
        }
        _ => Ok(None),
    }
}

fn property(key: &str, part: Option<&str>, schema: &ObjectSchema) -> Result<Option<String>, Fault> {
    let Some(property) = schema.property(key) else {
        let fault = Fault::new(format!("{} has no field \"{key}\"", schema.key));
        return Err(match near_property(key, schema) {
            Some(guess) => fault.remedy(format!("did you mean {guess}?")),
            None => fault.remedy("`tramline schemas show` lists the fields"),
        });
    };
    match (&property.data_type, part) {
        (DataType::TextboxList, Some(member)) => {
            let keys: Vec<&str> = property
                .options
                .iter()
                .map(|option| option.key.as_str())
                .collect();
            one_of(key, Some(member), &keys)
        }
        (DataType::Monetory, Some(part)) => one_of(key, Some(part), &["value", "currency"]),
        (DataType::Monetory, None) => Ok(Some(format!(
            "{key} is an amount with a currency; {key}.value is the number"
        ))),
        (DataType::Unknown(_), _) | (_, None) => Ok(None),
        (_, Some(part)) => Err(Fault::new(format!("{key} has no part \"{part}\""))
            .remedy(format!("a filter is written {key} | {part}"))),
    }
}

/// What stands in the tags of a template (or in an expression).
#[derive(Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// Names behind a bar.
    pub(super) filters: Vec<String>,
    /// It computes.
    pub(super) arithmetic: bool,
}

/// Reads a template without understanding it: enough to find filters in branches that a trial does not reach.
pub(super) fn facts(source: &str, expression: bool) -> Facts {
    let mut facts = Facts::default();
    let mut inside = expression;
    let mut quote: Option<char> = None;
    let mut operand = false;
    let chars: Vec<char> = source.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or(' ');
    let mut index = 0;
    while index < chars.len() {
        let c = chars[index];
        let next = at(index + 1);
        index += 1;
        if let Some(open) = quote {
            if c == '\\' {
                index += 1;
            } else if c == open {
                quote = None;
                operand = true;
            }
            continue;
        }
        if !inside {
            if c == '{' && next == '#' {
                while index < chars.len() && !(at(index) == '#' && at(index + 1) == '}') {
                    index += 1;
                }
            } else if c == '{' && (next == '{' || next == '%') {
                inside = true;
                operand = false;
                // A sign behind the opening is about blanks, not arithmetic.
                index += if matches!(at(index + 1), '-' | '+') {
                    2
                } else {
                    1
                };
            }
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '}' if next == '}' && !expression => {
                inside = false;
                index += 1;
            }
            '%' if next == '}' && !expression => {
                inside = false;
                index += 1;
            }
            '-' | '+' if matches!((next, at(index + 1)), ('}', '}') | ('%', '}')) => {}
            '|' => {
                let mut name = String::new();
                while at(index).is_whitespace() && index < chars.len() {
                    index += 1;
                }
                while at(index).is_alphanumeric() || at(index) == '_' {
                    name.push(at(index));
                    index += 1;
                }
                if !name.is_empty() {
                    facts.filters.push(name);
                }
                operand = true;
            }
            '*' | '/' | '%' => facts.arithmetic = true,
            '+' | '-' => facts.arithmetic |= operand,
            c if c.is_whitespace() => {}
            c => operand = c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '}'),
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_arithmetic_are_found() {
        let read = |source| facts(source, false);
        let found = read("{{ weight | round(1) }} kg | not");
        assert_eq!(found.filters, ["round"]);
        assert!(!found.arithmetic);
        assert!(read("{{ weight * 2.2 }}").arithmetic);
        assert!(read("{{ weight - 1 }}").arithmetic);
        assert!(!read("{{- name -}} - {%- if x %}a{%+ endif -%}").arithmetic);
        assert!(!read("{{ weight | round(-1) }}").arithmetic);
        assert!(!read("{{ 'a * b | c' }}{# x * y | z #}").arithmetic);
        assert_eq!(read("{% if a %}{{ b|nope }}{% endif %}").filters, ["nope"]);
        let condition = facts("age + 1 > 3 and name | upper == 'A-B'", true);
        assert!(condition.arithmetic);
        assert_eq!(condition.filters, ["upper"]);
    }
}
