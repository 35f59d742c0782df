//! Pages of a list: `limit` (20 unless told, 100 at most) and `offset`, `meta.total` as a string (fact sheet §1.5).

use crate::sandbox::wire::{Call, Reply};
use serde_json::{Value, json};

const DEFAULT: usize = 20;
const MAX: usize = 100;

pub(super) struct Page {
    pub offset: usize,
    pub limit: usize,
    violation: Option<String>,
}

impl Page {
    pub(super) fn of(call: &Call) -> Self {
        let number = |name: &str| call.query(name).and_then(|text| text.parse::<usize>().ok());
        let asked = number("limit");
        let violation = asked
            .filter(|limit| *limit > MAX)
            .map(|limit| format!("limit {limit} is cut to {MAX}"));
        Self {
            offset: number("offset").unwrap_or(0),
            limit: asked.unwrap_or(DEFAULT).clamp(1, MAX),
            violation,
        }
    }

    /// Notes what the API silently ignored.
    pub(super) fn note(self, reply: Reply, call: &Call, known: &[&str]) -> Reply {
        let reply = match self.violation {
            Some(violation) => reply.violating(violation),
            None => reply,
        };
        let unknown = call.query.iter().find(|(name, _)| {
            !["limit", "offset"].contains(&name.as_str()) && !known.contains(&name.as_str())
        });
        match unknown {
            Some((name, _)) => {
                reply.violating(format!("unknown query parameter {name} was ignored"))
            }
            None => reply,
        }
    }
}

/// A page of ready items under `name`.
pub(super) fn of_items(call: &Call, name: &str, items: Vec<Value>, known: &[&str]) -> Reply {
    let page = Page::of(call);
    let total = items.len().to_string();
    let shown: Vec<Value> = items
        .into_iter()
        .skip(page.offset)
        .take(page.limit)
        .collect();
    let reply = Reply::ok(&json!({name: shown, "meta": {"total": total}}));
    page.note(reply, call, known)
}
