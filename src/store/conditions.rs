//! The conditions of a filter as SQL.

use super::pauses::Stops;
use super::rows::push_list;
use super::sqlite::{SEARCH_IN, SEARCHABLE, phrase};
use crate::model::filter::{Bound, Condition, fold, moments_ago};
use crate::model::{JobState, PauseKind, WaitReason};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite};

/// The search that a condition about text comes to, if the index can answer it.
pub(super) fn searchable(condition: &Condition) -> Option<String> {
    let (texts, error) = match condition {
        Condition::Text(text) => (std::slice::from_ref(text), false),
        Condition::Error(texts) => (texts.as_slice(), true),
        _ => return None,
    };
    let folded: Vec<String> = texts.iter().map(|text| fold(text)).collect();
    if folded.iter().any(|text| text.chars().count() < SEARCHABLE) {
        return None;
    }
    let phrases: Vec<String> = folded.iter().map(|text| phrase(text, error)).collect();
    Some(phrases.join(" OR "))
}

/// The rows that a condition names, found by an index of their own.
pub(super) fn push_rows(query: &mut QueryBuilder<Sqlite>, condition: &Condition) {
    match condition {
        Condition::Record(ids) => {
            query.push("jobs.seq IN (SELECT seq FROM jobs WHERE record_id IN ");
            push_list(query, ids.iter().map(String::as_str));
            query.push(")");
        }
        Condition::Contact(names) => {
            query.push("jobs.seq IN (SELECT seq FROM jobs WHERE contact_id IN ");
            push_list(query, names.iter().map(String::as_str));
            query.push(" UNION SELECT seq FROM jobs WHERE email IN ");
            push_addresses(query, names);
            query.push(")");
        }
        other => {
            query.push(SEARCH_IN);
            query
                .push_bind(searchable(other).unwrap_or_default())
                .push(")");
        }
    }
}

fn push_addresses(query: &mut QueryBuilder<Sqlite>, names: &[String]) {
    let addresses: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    push_list(query, addresses.iter().map(String::as_str));
}

/// A condition as SQL; where a column is null it may be null.
pub(super) fn push_condition(
    query: &mut QueryBuilder<Sqlite>,
    condition: &Condition,
    stops: &Stops,
    now: Timestamp,
) {
    let texts = |query: &mut QueryBuilder<Sqlite>, column: &str, values: &[String]| {
        query.push(format!("{column} IN "));
        push_list(query, values.iter().map(String::as_str));
    };
    match condition {
        Condition::State(states) => {
            query.push("(state IN ");
            push_list(query, states.iter().map(|state| state.name()));
            let (ready, waiting) = (
                states.contains(&JobState::Ready),
                states.contains(&JobState::Waiting),
            );
            if !stops.is_empty() && ready != waiting {
                query.push(if waiting { " OR " } else { " AND NOT " });
                stops.push_stopped(query, None);
            }
            query.push(")");
        }
        Condition::Reason(reasons) => {
            query.push("wait_reason IN ");
            push_list(query, reasons.iter().copied().map(WaitReason::name));
            for kind in [PauseKind::Person, PauseKind::Breaker] {
                if !stops.is_empty() && reasons.contains(&kind.reason()) {
                    query.push(" OR ");
                    stops.push_stopped(query, Some(kind));
                }
            }
        }
        Condition::Mapping(names) => texts(query, "mapping", names),
        Condition::Connection(names) => texts(query, "connection", names),
        Condition::Object(keys) => texts(query, "object", &object_keys(keys)),
        Condition::Record(ids) => texts(query, "record_id", ids),
        Condition::Contact(names) => {
            texts(query, "contact_id", names);
            query.push(" OR email IN ");
            push_addresses(query, names);
        }
        Condition::Class(classes) => {
            query.push("error_class IN ");
            push_list(query, classes.iter().map(|class| class.name()));
        }
        Condition::Error(values) => {
            query.push("error_class IS NOT NULL AND (FALSE");
            for value in values {
                query.push(" OR ");
                push_contains(query, "search_error", value);
            }
            query.push(")");
        }
        Condition::Group(groups) => texts(query, "error_group", groups),
        Condition::Trigger(kinds) => {
            query.push("trigger_kind IN ");
            push_list(query, kinds.iter().map(|kind| kind.name()));
        }
        Condition::Run(runs) => texts(query, "run_id", runs),
        Condition::Age(bounds) => push_since(query, "created_at", bounds, now),
        Condition::Updated(bounds) => push_since(query, "updated_at", bounds, now),
        Condition::Attempts(bounds) => {
            query.push("FALSE");
            for bound in bounds {
                query.push(format!(" OR attempts {} ", bound.comparison.sign()));
                query.push_bind(i64::from(bound.value));
            }
        }
        Condition::Text(text) => {
            push_contains(query, "search_ids", text);
            query.push(" OR ");
            push_contains(query, "search_error", text);
        }
    }
}

fn push_since(query: &mut QueryBuilder<Sqlite>, column: &str, bounds: &[Bound], now: Timestamp) {
    for (index, bound) in bounds.iter().enumerate() {
        if index > 0 {
            query.push(" OR ");
        }
        query.push(format!("{column} {} ", bound.comparison.mirrored().sign()));
        query.push_bind(moments_ago(now, bound.value));
    }
}

fn push_contains(query: &mut QueryBuilder<Sqlite>, column: &str, text: &str) {
    let escaped = fold(text)
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    query.push(format!("{column} LIKE "));
    query.push_bind(format!("%{escaped}%")).push(" ESCAPE '\\'");
}

/// Object keys with and without their prefix.
pub(super) fn object_keys(keys: &[String]) -> Vec<String> {
    keys.iter()
        .flat_map(|key| [key.clone(), format!("custom_objects.{key}")])
        .collect()
}
