//! The room as a whole: lines of config.toml and a record in, values and findings out.

mod checks;
mod fixture;
mod properties;
mod proposals;
mod templates;
mod values;

use super::*;
use crate::model::{FieldKind, Level, RelatedContact, TargetField};
use fixture::*;

/// What one line makes of one record: the value, `<ignore>`, `<clear>` or `! problem`.
pub(super) fn send(line: &str, properties: &str) -> String {
    shown(&mapping(line).apply(&record(properties), None).values[0])
}

pub(super) fn shown(value: &MappedValue) -> String {
    match (&value.problem, &value.send) {
        (Some(problem), _) => format!("! {problem}"),
        (None, Send::Set(text)) => text.clone(),
        (None, Send::Clear) => "<clear>".into(),
        (None, Send::Ignore) => "<ignore>".into(),
    }
}

pub(super) fn warnings(line: &str, properties: &str) -> Vec<String> {
    mapping(line).apply(&record(properties), None).values[0]
        .warnings
        .clone()
}

pub(super) fn errors(lines: &str) -> String {
    let compiled = compile(&format!(
        "object = 'pets'\nemail = 'owner_email'\n[fields]\n{lines}"
    ));
    let errors = findings(&compiled, Level::Error);
    assert_eq!(compiled.mapping.is_none(), !errors.is_empty());
    errors.join("\n")
}
