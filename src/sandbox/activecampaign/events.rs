//! Event tracking, `POST /event` (fact sheet §4): form-encoded, with its own key.

use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{EVENT_ACCOUNT, EVENT_KEY, Shared, instant};
use axum::http::Method;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Longest event name, in characters.
const NAME: usize = 32;
/// Longest event data that the log keeps whole, in characters.
const DATA: usize = 250;

/// Answers `success: 0` to what is refused; which status the real host gives then is not documented.
fn refused(message: &str) -> Reply {
    Reply::ok(&json!({"success": 0, "message": message}))
}

pub(super) fn track(shared: &Shared, call: &Call) -> Reply {
    if call.method != Method::POST {
        return Reply::empty(405).violating("events are posted");
    }
    let reply = record(shared, call);
    if call.header("api-token").is_some() {
        return reply.violating("the account's token was sent to event tracking");
    }
    reply
}

fn record(shared: &Shared, call: &Call) -> Reply {
    let is_form = call
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Reply::text(400, "{}").violating("body is not form-encoded");
    }
    let form: HashMap<String, String> = form(&call.body);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("actid") != EVENT_ACCOUNT || field("key") != EVENT_KEY {
        return refused("Invalid actid or key");
    }
    let name = field("event");
    if name.is_empty() || name.chars().count() > NAME {
        return refused("Invalid event name")
            .violating("an event needs a name of at most 32 characters");
    }
    let data = field("eventdata");
    let visit: Value = serde_json::from_str(field("visit")).unwrap_or_default();
    let Some(email) = visit["email"].as_str() else {
        return refused("No visit").violating("visit is no JSON with an email");
    };
    let mut account = shared.account();
    if !account.tracking {
        return refused("Event tracking is not enabled");
    }
    let id = account.id_of(email);
    let Some(contact) = id.and_then(|id| account.contacts.get_mut(&id)) else {
        return refused("No such contact");
    };
    let kept: String = data.chars().take(DATA).collect();
    contact.log.push((name.to_owned(), kept, instant::now()));
    if !account.event_names.iter().any(|known| known == name) {
        account.event_names.push(name.to_owned());
    }
    let reply = Reply::ok(&json!({"success": 1, "message": "Event spawned"}));
    if data.chars().count() > DATA {
        return reply.violating("eventdata is longer than 250 characters");
    }
    reply
}

fn form(body: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}
