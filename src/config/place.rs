//! What is wrong with config.toml, and where in it.

use crate::model::{ErrorClass, Problem, nearest};
use std::fmt;
use std::path::{Path, PathBuf};

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub path: PathBuf,
    /// 1-based, where the text has a place to point at.
    pub line: Option<usize>,
    /// Dotted key, such as `mappings.pets.email`.
    pub key: Option<String>,
    pub message: String,
    pub remedy: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(remedy) = &self.remedy {
            write!(f, " ({remedy})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        Problem::new(ErrorClass::Config, error.to_string())
    }
}

/// The text of a file, to say where in it something is wrong.
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

impl Place<'_> {
    pub(super) fn error(&self, key: &[&str], message: &str, remedy: &str) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            line: self.line_of(key),
            key: (!key.is_empty()).then(|| key.join(".")),
            message: message.to_owned(),
            remedy: Some(remedy.to_owned()),
        }
    }

    /// A message of the parser, without the excerpt that it would show: the line may hold a token.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let message = error.message();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let remedy = match quoted.split_first() {
            Some((unknown, known))
                if message.starts_with("unknown field")
                    || message.starts_with("unknown variant") =>
            {
                nearest(unknown, known.iter().copied())
                    .map(|name| format!("did you mean `{name}`?"))
            }
            _ => None,
        };
        ConfigError {
            path: self.path.to_owned(),
            line: error.span().map(|span| self.line_at(span.start)),
            key: error.span().and_then(|span| self.key_at(span.start)),
            message: message.lines().collect::<Vec<_>>().join("; "),
            remedy,
        }
    }

    /// The key whose value stands at this place, as its line spells it.
    fn key_at(&self, offset: usize) -> Option<String> {
        let start = self.text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
        let (key, _) = self.text.get(start..offset)?.split_once('=')?;
        let key = key.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.\"%".contains(c);
        (!key.is_empty() && key.len() <= 64 && key.chars().all(plain)).then(|| key.to_owned())
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// The line of the deepest part of a key that the text has.
    fn line_of(&self, key: &[&str]) -> Option<usize> {
        let document = toml_edit::Document::parse(self.text).ok()?;
        let mut table: &dyn toml_edit::TableLike = document.as_table();
        let mut line = None;
        for part in key {
            let Some((name, item)) = table.get_key_value(part) else {
                break;
            };
            if let Some(span) = name.span().or_else(|| item.span()) {
                line = Some(self.line_at(span.start));
            }
            match item.as_table_like() {
                Some(inner) => table = inner,
                None => break,
            }
        }
        line
    }
}
