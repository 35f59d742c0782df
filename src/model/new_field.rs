//! A contact field that is to be made.

use super::{ErrorClass, FieldKind, Problem};
use serde::{Deserialize, Serialize};

/// What a contact field is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewField {
    pub title: String,
    /// The personalisation tag without percent signs; `None`: the API makes one from the title.
    pub tag: Option<String>,
    pub kind: FieldKind,
    /// Texts of the options, in order; only for a choice.
    pub options: Vec<String>,
}

/// A contact field that could take what a record field holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldProposal {
    /// The record field, a member of a text box list, or a template.
    pub source: String,
    /// What is said about it: `Weight  NUMERICAL`.
    pub note: String,
    pub title: String,
    /// Without percent signs.
    pub tag: String,
    /// The types that can take the source's values, the best one first.
    pub kinds: Vec<FieldKind>,
    /// Labels of the source's options, for a choice.
    pub options: Vec<String>,
}

impl FieldKind {
    /// All types that a contact field can be made of (fact sheet §2.3).
    pub const ALL: [Self; 10] = [
        Self::Text,
        Self::Textarea,
        Self::Number,
        Self::Date,
        Self::Datetime,
        Self::Dropdown,
        Self::Radio,
        Self::Listbox,
        Self::Checkbox,
        Self::Hidden,
    ];

    /// True for a type whose values are options.
    pub fn is_choice(&self) -> bool {
        matches!(
            self,
            Self::Dropdown | Self::Radio | Self::Listbox | Self::Checkbox
        )
    }
}

impl NewField {
    /// Checks what can be told without asking the account. The API says nothing of a wrong option: it would be found by the
    /// first value that does not fit.
    ///
    /// # Errors
    /// The part at fault: `title`, `tag`, `kind` or `options`.
    pub fn check(&self) -> Result<(), Problem> {
        let fault = |field: &str, message: String, remedy: &str| {
            let problem = Problem::new(ErrorClass::Invalid, message).field(field);
            Err(problem.remedy(remedy))
        };
        if self.title.trim().is_empty() {
            return fault("title", "the field has no title".into(), "give it one");
        }
        if let FieldKind::Unknown(name) = &self.kind {
            let kinds: Vec<&str> = FieldKind::ALL.iter().map(FieldKind::as_str).collect();
            let message = format!("there is no field type \"{name}\"");
            return fault("kind", message, &format!("it can be {}", kinds.join(", ")));
        }
        if let Some(tag) = &self.tag {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if tag.is_empty() || !tag.chars().all(plain) {
                let message = format!("\"{tag}\" is no personalisation tag");
                return fault("tag", message, "use letters, digits and underscores");
            }
        }
        if !self.kind.is_choice() && !self.options.is_empty() {
            let message = format!("a {} field has no options", self.kind.as_str());
            return fault(
                "options",
                message,
                "make it a dropdown, radio, listbox or checkbox",
            );
        }
        for (at, option) in self.options.iter().enumerate() {
            // Several values go over the wire between bars (fact sheet §2.3).
            if option.trim().is_empty() || option.contains("||") {
                let message = format!("\"{option}\" cannot be an option");
                return fault("options", message, "an option is a text without ||");
            }
            if self.options[..at].contains(option) {
                let message = format!("there are two options \"{option}\"");
                return fault("options", message, "name each once");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_account_would_take_and_no_value_could_use_is_refused() {
        let field = |title: &str, tag: Option<&str>, kind: FieldKind, options: &[&str]| NewField {
            title: title.into(),
            tag: tag.map(str::to_owned),
            kind,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        };
        let sound = field("Coat", Some("COAT"), FieldKind::Radio, &["Black", "White"]);
        assert_eq!(sound.check(), Ok(()));
        for (wrong, part) in [
            (field(" ", None, FieldKind::Text, &[]), "title"),
            (field("a", Some("%A%"), FieldKind::Text, &[]), "tag"),
            (field("a", Some("A B"), FieldKind::Text, &[]), "tag"),
            (
                field("a", None, FieldKind::Unknown("currency".into()), &[]),
                "kind",
            ),
            (field("a", None, FieldKind::Number, &["1"]), "options"),
            (field("a", None, FieldKind::Listbox, &["b", "b"]), "options"),
            (field("a", None, FieldKind::Listbox, &["b||c"]), "options"),
            (field("a", None, FieldKind::Listbox, &["", "c"]), "options"),
        ] {
            let problem = wrong.check().unwrap_err();
            assert_eq!(problem.field.as_deref(), Some(part), "{problem}");
        }
    }
}
