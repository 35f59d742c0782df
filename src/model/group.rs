//! Failure groups: errors that differ only in ids, addresses and numbers are one.

use super::{ConnectionName, ErrorClass, Fingerprint, JobId, Problem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Jobs of a connection that need a person, and whose errors differ only in ids, addresses and numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// What the filter `group:` names, see [`group`].
    pub group: String,
    pub connection: ConnectionName,
    pub class: ErrorClass,
    pub field: Option<String>,
    /// Of the job that failed last.
    pub message: String,
    /// Jobs that are in it now.
    pub count: u64,
    /// When a job first came to it, also if it was empty meanwhile.
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// One of its jobs.
    pub sample: JobId,
}

/// The name of the group that an error belongs to: 12 hexadecimal digits of its class, its field and the
/// pattern of its message.
pub fn group(problem: &Problem) -> String {
    let field = problem.field.as_deref().unwrap_or_default();
    let text = format!(
        "{}\u{1f}{field}\u{1f}{}",
        problem.class.name(),
        pattern(&problem.message)
    );
    Fingerprint::of(text.as_bytes()).as_str()[..12].to_owned()
}

/// A message with what changes from record to record replaced: `<email>`, `<id>`, and `#` for a number.
pub fn pattern(message: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || "@._+-".contains(c);
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        push_token(&mut out, token);
        let end = after.find(word).unwrap_or(after.len());
        let (between, after) = after.split_at(end);
        out.push_str(between);
        rest = after;
    }
    out
}

fn push_token(out: &mut String, token: &str) {
    let core = token.trim_end_matches('.');
    let dots = &token[core.len()..];
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    if core
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
    {
        out.push_str("<email>");
    } else if core.len() >= 8
        && core.chars().all(hex)
        && core.chars().any(|c| c.is_ascii_digit())
        && core.chars().any(|c| c.is_ascii_alphabetic())
    {
        out.push_str("<id>");
    } else {
        let mut number = false;
        for c in core.chars() {
            if c.is_ascii_digit() {
                if !number {
                    out.push('#');
                }
                number = true;
            } else {
                out.push(c);
                number = false;
            }
        }
    }
    out.push_str(dots);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorClass;

    #[test]
    fn what_differs_from_record_to_record_is_removed() {
        assert_eq!(
            pattern("jo@example.org: contact 66b1f00d00aa11bb22cc33dd has 12 of 300 characters."),
            "<email>: contact <id> has # of # characters."
        );
        assert_eq!(pattern("(jo@example.org)"), "(<email>)");
        assert_eq!(pattern("no digits, no ids"), "no digits, no ids");
    }

    #[test]
    fn a_group_goes_by_class_field_and_pattern() {
        let of =
            |class, field: &str, message: &str| group(&Problem::new(class, message).field(field));
        let one = of(ErrorClass::Invalid, "%AGE%", "12 is too old");
        assert_eq!(one, of(ErrorClass::Invalid, "%AGE%", "7 is too old"));
        assert_ne!(one, of(ErrorClass::Invalid, "%SIZE%", "12 is too old"));
        assert_ne!(one, of(ErrorClass::Unknown, "%AGE%", "12 is too old"));
        assert_ne!(one, of(ErrorClass::Invalid, "%AGE%", "12 is too young"));
        assert_eq!(one.len(), 12);
    }
}
