//! [`Control`] over HTTP, on both ports under `/_sandbox/`: no token, JSON, not logged, not limited.

use super::Shared;
use super::control::Control;
use super::faults::Fault;
use super::wire::{Api, Call, Reply};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn route(shared: &Arc<Shared>, call: &Call) -> Reply {
    let control = Control::new(Arc::clone(shared));
    let segments: Vec<&str> = call.segments.iter().skip(1).map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["log"]) => {
            let since = call
                .query("since")
                .and_then(|seq| seq.parse().ok())
                .unwrap_or(0);
            answer(&control.log_since(since))
        }
        ("DELETE", ["log"]) => {
            control.clear_log();
            done()
        }
        ("GET", ["stats"]) => answer(&control.stats()),
        ("GET", ["contacts"]) => match call.query("email") {
            Some(email) => found(control.contact(email).as_ref()),
            None => answer(&control.contacts()),
        },
        ("POST", ["contacts", "unsubscribe"]) => with_body(call, |body| {
            flag(control.unsubscribe(
                body["email"].as_str().unwrap_or_default(),
                body["list"].as_str().unwrap_or_default(),
            ))
        }),
        ("POST", ["contacts", "exclude"]) => with_body(call, |body| {
            control.exclude(body["email"].as_str().unwrap_or_default());
            done()
        }),
        ("GET", ["records", object]) => answer(&control.records(object)),
        ("POST", ["records", object]) => with_body(call, |body| create(&control, object, body)),
        ("GET", ["records", object, id]) => found(control.record(object, id).as_ref()),
        ("PATCH", ["records", object, id]) => {
            with_body(call, |body| patch(&control, object, id, body))
        }
        ("DELETE", ["records", object, id]) => flag(control.delete_record(object, id)),
        ("POST", ["relations"]) => with_body(call, |body| {
            flag(control.relate(
                body["record"].as_str().unwrap_or_default(),
                body["contact"].as_str().unwrap_or_default(),
            ))
        }),
        ("PUT", ["webhooks"]) => subscribe(&control, call),
        ("DELETE", ["webhooks"]) => flag(control.subscribe(None)),
        ("GET", ["webhooks"]) => answer(&control.deliveries()),
        ("PUT", ["scopes"]) => with_body(call, |body| {
            control.set_scopes(
                body.as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str),
            );
            done()
        }),
        ("PUT", ["tokens"]) => with_body(call, |body| {
            tokens(&control, body);
            done()
        }),
        ("POST", ["oauth", "expire"]) => {
            control.expire_access_tokens();
            done()
        }
        ("POST", ["oauth", "revoke"]) => {
            control.revoke_app();
            done()
        }
        ("POST", ["faults"]) => add_faults(&control, call),
        ("DELETE", ["faults"]) => {
            control.clear_faults();
            done()
        }
        _ => Reply::json(
            404,
            &json!({"error": format!("no control route {} {}", call.method, call.path)}),
        ),
    }
}

fn done() -> Reply {
    Reply::ok(&json!({"ok": true}))
}

fn flag(done_so: bool) -> Reply {
    if done_so {
        done()
    } else {
        Reply::json(404, &json!({"error": "not found"}))
    }
}

fn answer(value: &impl serde::Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => Reply::text(200, body),
        Err(error) => Reply::json(500, &json!({"error": error.to_string()})),
    }
}

fn found(value: Option<&impl serde::Serialize>) -> Reply {
    value.map_or_else(|| flag(false), answer)
}

fn with_body(call: &Call, act: impl FnOnce(&Value) -> Reply) -> Reply {
    match call.json() {
        Ok(body) => act(&body),
        Err(error) => Reply::json(400, &json!({"error": error.to_string()})),
    }
}

/// A record of these properties, unvalidated.
fn create(control: &Control, object: &str, properties: &Value) -> Reply {
    let id = properties
        .as_object()
        .and_then(|properties| control.create_record(object, properties));
    match id {
        Some(id) => Reply::json(201, &json!({ "id": id })),
        None => flag(false),
    }
}

/// Properties to set, at the top or under `properties`; null removes.
fn patch(control: &Control, object: &str, id: &str, body: &Value) -> Reply {
    let Some(changes) = body.get("properties").unwrap_or(body).as_object() else {
        return Reply::json(
            400,
            &json!({"error": "the body must be an object of properties"}),
        );
    };
    let edited = control.edit(object, id, |properties| {
        for (key, value) in changes {
            if value.is_null() {
                properties.shift_remove(key);
            } else {
                properties.insert(key.clone(), value.clone());
            }
        }
    });
    if edited {
        found(control.record(object, id).as_ref())
    } else {
        flag(false)
    }
}

/// Other tokens, and how OAuth behaves: `highlevel`, `activecampaign`, `access_life` in seconds, `location`, `grace`.
fn tokens(control: &Control, body: &Value) {
    if let Some(token) = body["highlevel"].as_str() {
        control.set_highlevel_token(token);
    }
    if let Some(token) = body["activecampaign"].as_str() {
        control.set_activecampaign_token(token);
    }
    if let Some(seconds) = body["access_life"].as_i64() {
        control.set_access_life(seconds);
    }
    if let Some(location) = body["location"].as_str() {
        control.set_consent_location(location);
    }
    if let Some(grace) = body["grace"].as_bool() {
        control.set_refresh_grace(grace);
    }
}

/// Where webhooks go from now on.
fn subscribe(control: &Control, call: &Call) -> Reply {
    match serde_json::from_slice(&call.body) {
        Ok(subscription) => {
            if control.subscribe(Some(subscription)) {
                done()
            } else {
                Reply::json(400, &json!({"error": "url must begin with http://"}))
            }
        }
        Err(error) => Reply::json(400, &json!({"error": error.to_string()})),
    }
}

/// One fault or a list of them.
fn add_faults(control: &Control, call: &Call) -> Reply {
    let faults = serde_json::from_slice::<Vec<Fault>>(&call.body)
        .or_else(|_| serde_json::from_slice::<Fault>(&call.body).map(|fault| vec![fault]));
    match faults {
        Ok(faults)
            if faults
                .iter()
                .all(|fault| fault.api.is_empty() || Api::from_name(&fault.api).is_some()) =>
        {
            faults.into_iter().for_each(|fault| control.fault(fault));
            done()
        }
        Ok(_) => Reply::json(
            400,
            &json!({"error": "api must be highlevel or activecampaign"}),
        ),
        Err(error) => Reply::json(400, &json!({"error": error.to_string()})),
    }
}
