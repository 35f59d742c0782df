//! Writing one contact: sync, create, update, delete (fact sheet §2.1).

use super::account::{Account, Change};
use super::{contact_text, contacts, invalid, is_email, wrapped};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Shared, instant};
use serde_json::Value;

const KNOWN: [&str; 7] = [
    "email",
    "firstName",
    "lastName",
    "phone",
    "fieldValues",
    "orgid",
    "deleted",
];

/// A contact in a body, and what is odd about it.
struct Written {
    contact: Value,
    violations: Vec<String>,
}

fn read(call: &Call) -> Result<Written, Reply> {
    let contact = wrapped(call, "contact")?;
    let mut violations = Vec::new();
    if call
        .json()
        .is_ok_and(|body| body.get("fieldValues").is_some())
    {
        violations.push("fieldValues outside contact were dropped".to_owned());
    }
    let unknown = contact
        .as_object()
        .into_iter()
        .flatten()
        .find(|(key, _)| !KNOWN.contains(&key.as_str()));
    if let Some((key, _)) = unknown {
        violations.push(format!("unknown key contact.{key}"));
    }
    for value in contact["fieldValues"].as_array().into_iter().flatten() {
        if !value["value"].is_string() {
            violations.push("a field value is not a string".to_owned());
        }
        if id_text(&value["field"]).is_none() {
            // A list of {id,value} was answered 500 (fact sheet §6).
            return Err(Reply::json(500, &Value::Null).violating("a field value has no field"));
        }
    }
    Ok(Written {
        contact,
        violations,
    })
}

impl Written {
    fn text(&self, key: &str) -> Option<&str> {
        // An empty or null built-in value wipes what was there.
        self.contact
            .get(key)
            .map(|value| value.as_str().unwrap_or_default())
    }

    fn apply(&mut self, account: &mut Account, id: u64, now: i64) {
        let texts: Vec<(u64, String)> = self.contact["fieldValues"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|value| {
                let field = id_text(&value["field"])
                    .and_then(|id| id.parse().ok())
                    .unwrap_or(0);
                let text = match &value["value"] {
                    Value::Array(_) | Value::Object(_) => "Array".to_owned(),
                    other => id_text(other).unwrap_or_default(),
                };
                (field, text)
            })
            .collect();
        let change = Change {
            first_name: self.text("firstName"),
            last_name: self.text("lastName"),
            phone: self.text("phone"),
            values: texts
                .iter()
                .map(|(field, text)| (*field, text.as_str()))
                .collect(),
        };
        for field in account.change(id, &change, now) {
            self.violations
                .push(format!("unknown field {field} was ignored"));
        }
    }

    /// The answer: values sent as objects on top, their ids inside the contact; neither when none were sent.
    fn answer(&self, account: &Account, id: u64, status: u16) -> Reply {
        let Some(contact) = account.contacts.get(&id) else {
            return Reply::text(500, "{}");
        };
        let sent: Vec<u64> = self.contact["fieldValues"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| id_text(&value["field"])?.parse().ok())
            .collect();
        let mut body = "{".to_owned();
        let mut extra = String::new();
        if self.contact.get("fieldValues").is_some() {
            body.push_str(r#""fieldValues":"#);
            let is_sent = |value: &super::account::FieldValue| sent.contains(&value.field);
            contact_text::field_values(account, std::iter::once(contact), is_sent, &mut body);
            body.push(',');
            if status == 200 {
                let ids: Vec<String> = contact
                    .values
                    .iter()
                    .map(|value| value.id.to_string())
                    .collect();
                extra = format!(r#""fieldValues":{},"#, Value::from(ids));
            }
        }
        body.push_str(r#""contact":"#);
        if status == 201 {
            // A fresh contact is answered with few keys only.
            let full = contact_text::contact_value(account, contact);
            let short: serde_json::Map<String, Value> = [
                "email",
                "phone",
                "firstName",
                "lastName",
                "cdate",
                "udate",
                "orgid",
                "orgname",
                "links",
                "id",
                "organization",
            ]
            .into_iter()
            .map(|key| (key.to_owned(), full[key].clone()))
            .collect();
            body.push_str(&Value::Object(short).to_string());
        } else {
            contact_text::contact(account, contact, &extra, &mut body);
        }
        body.push('}');
        let reply = Reply::text(status, body);
        if self.violations.is_empty() {
            reply
        } else {
            reply.violating(self.violations.join("; "))
        }
    }

    fn email(&self) -> Result<&str, Reply> {
        match self.contact["email"].as_str().map(str::trim) {
            None | Some("") => Err(super::missing_attribute("email")),
            Some(email) if is_email(email) => Ok(email),
            Some(_) => Err(invalid(
                "Email address is not valid",
                "field_invalid",
                "email",
            )),
        }
    }
}

/// `POST /contact/sync`: 201 created, 200 updated.
pub(super) fn sync(shared: &Shared, call: &Call) -> Reply {
    upsert(shared, call, true).unwrap_or_else(|reply| reply)
}

/// `POST /contacts`: 422 `duplicate` for an address that is taken.
pub(super) fn create(shared: &Shared, call: &Call) -> Reply {
    upsert(shared, call, false).unwrap_or_else(|reply| reply)
}

fn upsert(shared: &Shared, call: &Call, may_exist: bool) -> Result<Reply, Reply> {
    let mut written = read(call)?;
    let email = written.email()?.to_owned();
    let mut account = shared.account();
    if !may_exist && account.id_of(&email).is_some() {
        return Err(invalid(
            "Email address already exists in the system",
            "duplicate",
            "email",
        ));
    }
    let now = instant::now();
    let (id, created) = account.upsert(&email, now);
    written.apply(&mut account, id, now);
    Ok(written.answer(&account, id, if created { 201 } else { 200 }))
}

/// `PUT /contacts/{id}`, the way to change an e-mail.
pub(super) fn update(shared: &Shared, call: &Call, id: &str) -> Reply {
    try_update(shared, call, id).unwrap_or_else(|reply| reply)
}

fn try_update(shared: &Shared, call: &Call, id: &str) -> Result<Reply, Reply> {
    let mut written = read(call)?;
    let mut account = shared.account();
    let id = contacts::contact_of(&account, id)?.id;
    if written.contact.get("email").is_some() {
        let email = written.email()?;
        if !account.rename(id, email) {
            return Err(invalid(
                "Email address already exists in the system",
                "duplicate",
                "email",
            ));
        }
    }
    written.apply(&mut account, id, instant::now());
    Ok(written.answer(&account, id, 200))
}

/// `DELETE /contacts/{id}`.
pub(super) fn delete(shared: &Shared, id: &str) -> Reply {
    if id.parse().is_ok_and(|id: u64| shared.account().remove(id)) {
        Reply::text(200, "{}")
    } else {
        Reply::message(404, &format!("No result found for contact with id {id}"))
    }
}
