//! Texts: control characters and lengths.

use super::fault::Fault;
use std::borrow::Cow;

/// Longest value that a `text` field is known to keep; longer ones belong into a `textarea`. The API documents no
/// limit (ActiveCampaign fact sheet §2.3), hence a warning only.
const SHORT_TEXT: usize = 255;

/// What a text target says about length, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) max_length: Option<usize>,
    pub(super) truncate: bool,
    /// The contact field is of type `text`.
    pub(super) short: bool,
}

impl Limit {
    /// The text, cut if that is wanted.
    pub(super) fn apply<'a>(
        &self,
        text: &'a str,
        warnings: &mut Vec<String>,
    ) -> Result<Cow<'a, str>, Fault> {
        let Some(max) = self.max_length else {
            if self.short && longer(text, SHORT_TEXT) {
                warnings.push(format!(
                    "{} characters in a text field, which may keep only {SHORT_TEXT}; use a textarea or max_length",
                    text.chars().count()
                ));
            }
            return Ok(Cow::Borrowed(text));
        };
        let Some((end, _)) = text.char_indices().nth(max) else {
            return Ok(Cow::Borrowed(text));
        };
        let length = text.chars().count();
        if !self.truncate {
            return Err(Fault::new(format!(
                "the text has {length} characters, max_length is {max}"
            ))
            .remedy("shorten it, raise max_length, or set truncate = true"));
        }
        warnings.push(format!("cut from {length} to {max} characters"));
        Ok(Cow::Borrowed(text[..end].trim_end()))
    }
}

fn longer(text: &str, limit: usize) -> bool {
    text.len() > limit && text.chars().nth(limit).is_some()
}

/// The text without control characters; newline and tab stay.
pub(super) fn clean<'a>(text: &'a str, warnings: &mut Vec<String>) -> Cow<'a, str> {
    let unwanted = |c: char| c.is_control() && c != '\n' && c != '\t';
    let count = text.chars().filter(|c| unwanted(*c)).count();
    if count == 0 {
        return Cow::Borrowed(text);
    }
    let plural = if count == 1 { "" } else { "s" };
    warnings.push(format!("{count} control character{plural} removed"));
    Cow::Owned(text.chars().filter(|c| !unwanted(*c)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_go_with_a_warning() {
        let mut warnings = Vec::new();
        assert_eq!(clean("a\tb\nc", &mut warnings), "a\tb\nc");
        assert!(warnings.is_empty());
        assert_eq!(clean("a\u{1b}[2Jb\r\n\u{9b}", &mut warnings), "a[2Jb\n");
        assert_eq!(warnings, ["3 control characters removed"]);
    }

    #[test]
    fn lengths_count_characters() {
        let mut warnings = Vec::new();
        let limit = Limit {
            max_length: Some(3),
            ..Limit::default()
        };
        assert_eq!(limit.apply("日本語", &mut warnings).unwrap(), "日本語");
        assert!(limit.apply("日本語だ", &mut warnings).is_err());
        let cut = Limit {
            truncate: true,
            ..limit
        };
        assert_eq!(cut.apply("日本語だ", &mut warnings).unwrap(), "日本語");
        assert_eq!(warnings, ["cut from 4 to 3 characters"]);
        warnings.clear();
        let short = Limit {
            short: true,
            ..Limit::default()
        };
        assert!(short.apply(&"x".repeat(255), &mut warnings).is_ok() && warnings.is_empty());
        assert!(short.apply(&"é".repeat(256), &mut warnings).is_ok());
        assert!(warnings[0].starts_with("256 characters"));
    }
}
