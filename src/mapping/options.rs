//! Choices: from option keys and labels of a property to option values of a contact field.

use super::fault::{Fault, quote};
use super::field_spec::Ordered;
use crate::model::{Decimal, FieldOption, PropertyOption};

/// The `map` and `default` of a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Replace {
    pub(super) map: Ordered<String>,
    pub(super) default: Option<String>,
}

impl Replace {
    /// What a key or text becomes; `None` where it stays as it is.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        if self.map.is_empty() {
            return None;
        }
        self.map
            .get(key)
            .or(self.default.as_ref())
            .map(String::as_str)
    }
}

/// One chosen option of a property.
#[derive(Debug, PartialEq)]
pub(super) enum Choice<'a> {
    /// `map` or `default` says what it becomes.
    Replaced(&'a str),
    Listed {
        key: &'a str,
        label: &'a str,
    },
    /// A free text, where the property allows one.
    Custom(&'a str),
}

impl<'a> Choice<'a> {
    /// The text that people see.
    pub(super) fn text(&self) -> &'a str {
        match self {
            Self::Replaced(text) | Self::Custom(text) => text,
            Self::Listed { label, .. } => label,
        }
    }
}

/// Finds a raw value among a property's options: by key, else by label.
pub(super) fn choose<'a>(
    raw: &'a str,
    options: &'a [PropertyOption],
    allow_custom: bool,
    replace: &'a Replace,
) -> Result<Choice<'a>, Fault> {
    let listed = options
        .iter()
        .find(|option| option.key == raw)
        .or_else(|| options.iter().find(|option| option.label == raw));
    let key = listed.map_or(raw, |option| option.key.as_str());
    if let Some(text) = replace.get(key) {
        return Ok(Choice::Replaced(text));
    }
    match (listed, &replace.default) {
        (Some(option), _) => Ok(Choice::Listed {
            key: &option.key,
            label: &option.label,
        }),
        (None, Some(default)) => Ok(Choice::Replaced(default)),
        (None, None) if allow_custom => Ok(Choice::Custom(raw)),
        (None, None) => Err(Fault::new(format!(
            "{} is in no option list of the record field",
            quote(raw)
        ))
        .remedy("name it in map, or give a default")),
    }
}

/// The value to send for a choice: the contact field's option is found by label, else by key.
pub(super) fn target<'t>(
    choice: &Choice<'_>,
    options: &'t [FieldOption],
) -> Result<&'t str, Fault> {
    let found = match choice {
        Choice::Replaced(text) | Choice::Custom(text) => find(text, options),
        Choice::Listed { key, label } => find(label, options).or_else(|| find(key, options)),
    };
    found.ok_or_else(|| no_option(choice.text(), options))
}

/// The value to send for a text: it must be an option's value or label.
pub(super) fn target_text<'t>(text: &str, options: &'t [FieldOption]) -> Result<&'t str, Fault> {
    find(text, options).ok_or_else(|| no_option(text, options))
}

/// The value to send for a number: an option's value, compared as a number.
pub(super) fn target_number<'t>(plain: &str, options: &'t [FieldOption]) -> Result<&'t str, Fault> {
    options
        .iter()
        .find(|option| Decimal::plain(&option.value).is_ok_and(|value| value == plain))
        .map(|option| option.value.as_str())
        .ok_or_else(|| no_option(plain, options))
}

fn find<'t>(text: &str, options: &'t [FieldOption]) -> Option<&'t str> {
    options
        .iter()
        .find(|option| option.value == text)
        .or_else(|| options.iter().find(|option| option.label == text))
        .map(|option| option.value.as_str())
}

fn no_option(text: &str, options: &[FieldOption]) -> Fault {
    let fault = Fault::new(format!("{} is no option of the contact field", quote(text)));
    if options.is_empty() {
        return fault.remedy("the contact field has no options; add them in ActiveCampaign");
    }
    let mut known: Vec<String> = options
        .iter()
        .take(8)
        .map(|option| quote(&option.label))
        .collect();
    if options.len() > known.len() {
        known.push(format!("{} more", options.len() - known.len()));
    }
    fault.remedy(format!(
        "use map, or add the option; there are {}",
        known.join(", ")
    ))
}

/// `||A||B||`, the spelling of several values (ActiveCampaign fact sheet §2.3).
pub(super) fn join<'t>(
    values: impl Iterator<Item = Result<&'t str, Fault>>,
) -> Result<String, Fault> {
    let mut out = String::new();
    let mut sent: Vec<&str> = Vec::new();
    for value in values {
        let value = value?;
        if sent.contains(&value) {
            continue;
        }
        if value.contains("||") {
            return Err(Fault::new(format!(
                "the option {} contains ||, which separates options",
                quote(value)
            )));
        }
        if out.is_empty() {
            out.push_str("||");
        }
        out.push_str(value);
        out.push_str("||");
        sent.push(value);
    }
    Ok(out)
}

/// True if two spellings hold the same set of values, whatever their order and outer bars.
pub(super) fn same_set(a: &str, b: &str) -> bool {
    let set = |text: &str| {
        let mut parts: Vec<String> = text
            .split("||")
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        parts.sort();
        parts.dedup();
        parts
    };
    set(a) == set(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(options: &[(&str, &str)]) -> Vec<FieldOption> {
        options
            .iter()
            .map(|(value, label)| FieldOption {
                value: (*value).into(),
                label: (*label).into(),
            })
            .collect()
    }

    fn property(options: &[(&str, &str)]) -> Vec<PropertyOption> {
        options
            .iter()
            .map(|(key, label)| PropertyOption {
                key: (*key).into(),
                label: (*label).into(),
            })
            .collect()
    }

    #[test]
    fn map_goes_first_then_label_then_key() {
        let source = property(&[("calm", "Calm"), ("wild", "Wild")]);
        let contact = field(&[("c", "Calm"), ("wild", "Very wild"), ("x", "Unknown")]);
        let plain = Replace::default();
        let send = |raw: &str, replace: &Replace| {
            let choice = choose(raw, &source, false, replace)?;
            target(&choice, &contact).map(str::to_owned)
        };
        assert_eq!(send("calm", &plain).unwrap(), "c");
        assert_eq!(send("wild", &plain).unwrap(), "wild");
        assert_eq!(send("Calm", &plain).unwrap(), "c", "a label for its key");
        assert!(
            send("gone", &plain)
                .unwrap_err()
                .message
                .contains("\"gone\"")
        );
        let replace = Replace {
            map: Ordered(vec![("calm".into(), "Very wild".into())]),
            default: Some("Unknown".into()),
        };
        assert_eq!(send("calm", &replace).unwrap(), "wild");
        assert_eq!(send("gone", &replace).unwrap(), "x");
        assert_eq!(
            send("wild", &replace).unwrap(),
            "x",
            "default is for what map lacks"
        );
        let only_default = Replace {
            map: Ordered::default(),
            default: Some("Unknown".into()),
        };
        assert_eq!(send("calm", &only_default).unwrap(), "c");
        assert_eq!(send("gone", &only_default).unwrap(), "x");
    }

    #[test]
    fn several_values_are_joined_once_each() {
        let join_all = |values: &[&'static str]| join(values.iter().map(|value| Ok(*value)));
        assert_eq!(join_all(&["A", "B", "A"]).unwrap(), "||A||B||");
        assert_eq!(join_all(&["A"]).unwrap(), "||A||");
        assert_eq!(join_all(&[]).unwrap(), "");
        assert!(join_all(&["A||B"]).is_err());
        assert!(same_set("||A||B||", "B||A"));
        assert!(!same_set("||A||B||", "||A||"));
    }
}
