//! Bulk imports: validated at once, carried out later (fact sheet §3).

use super::account::{Account, Change};
use super::is_email;
use crate::sandbox::faults::Kind;
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{Shared, chance, instant};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

const MAX_CONTACTS: usize = 250;
const MAX_BYTES: usize = 400_000;

/// The body, read without building a tree: an import of 250 contacts is the sandbox's hottest request.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    contacts: Option<Vec<Row<'a>>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    email: Option<Cow<'a, str>>,
    #[serde(borrow)]
    first_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    phone: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tags: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    fields: Vec<RowField<'a>>,
    #[serde(borrow, default)]
    subscribe: Vec<RowList<'a>>,
    #[serde(borrow, default)]
    unsubscribe: Vec<RowList<'a>>,
}

#[derive(Deserialize)]
struct RowField<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct RowList<'a> {
    #[serde(borrow)]
    listid: &'a RawValue,
}

/// One contact of a queued import.
struct Queued {
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
    phone: Option<String>,
    tags: Vec<String>,
    fields: Vec<(u64, String)>,
    subscribe: Vec<u64>,
    unsubscribe: Vec<u64>,
}

fn number(raw: &RawValue) -> u64 {
    raw.get().trim_matches('"').parse().unwrap_or(0)
}

fn queued(row: Row, violation: &mut Option<String>) -> Queued {
    let fields = row
        .fields
        .iter()
        .map(|field| {
            let raw = field.value.get();
            let text = if raw.starts_with('"') {
                serde_json::from_str(raw).unwrap_or_default()
            } else {
                *violation = Some("a field value is not a string".to_owned());
                if raw.starts_with(['[', '{']) {
                    "Array".to_owned()
                } else {
                    raw.to_owned()
                }
            };
            (number(field.id), text)
        })
        .collect();
    Queued {
        email: row.email.unwrap_or_default().into_owned(),
        first_name: row.first_name.map(Cow::into_owned),
        last_name: row.last_name.map(Cow::into_owned),
        phone: row.phone.map(Cow::into_owned),
        tags: row.tags.into_iter().map(Cow::into_owned).collect(),
        fields,
        subscribe: row
            .subscribe
            .iter()
            .map(|list| number(list.listid))
            .collect(),
        unsubscribe: row
            .unsubscribe
            .iter()
            .map(|list| number(list.listid))
            .collect(),
    }
}

/// One import, queued or done.
struct Batch {
    submitted: i64,
    due: i64,
    contacts: Vec<Queued>,
    size: usize,
    outcome: Option<Kind>,
    done: Option<Done>,
}

struct Done {
    status: &'static str,
    success: Vec<String>,
    failure: Vec<String>,
}

/// All imports of an account.
#[derive(Default)]
pub(in crate::sandbox) struct Imports {
    batches: HashMap<String, Batch>,
    waiting: VecDeque<String>,
    /// Whether `success[]` also names updated contacts.
    pub success_names_updated: bool,
    /// Whether `failure[]` names rows of the exclusion list.
    pub exclusions_are_named: bool,
}

impl Account {
    /// Carries out every import that is due, in the order of submission.
    pub(in crate::sandbox) fn settle_imports(&mut self, now: i64) {
        while let Some(id) = self.imports.waiting.front() {
            match self.imports.batches.get(id) {
                Some(batch) if batch.due > now => return,
                _ => {}
            }
            let Some(mut batch) = self
                .imports
                .waiting
                .pop_front()
                .and_then(|id| self.imports.batches.remove_entry(&id))
            else {
                continue;
            };
            let contacts = std::mem::take(&mut batch.1.contacts);
            batch.1.done = Some(self.carry_out(&contacts, batch.1.outcome, batch.1.due));
            self.imports.batches.insert(batch.0, batch.1);
        }
    }

    fn carry_out(&mut self, contacts: &[Queued], outcome: Option<Kind>, now: i64) -> Done {
        let (status, contacts) = match outcome {
            Some(Kind::ImportFailed) => ("failed", &contacts[..0]),
            Some(Kind::ImportInterrupted) => ("interrupted", &contacts[..contacts.len() / 2]),
            _ => ("completed", contacts),
        };
        let mut done = Done {
            status,
            success: Vec::with_capacity(contacts.len()),
            failure: Vec::new(),
        };
        for contact in contacts {
            if self.excluded.contains(&contact.email.to_lowercase()) {
                if self.imports.exclusions_are_named {
                    done.failure.push(contact.email.clone());
                }
                continue;
            }
            let (id, created) = self.upsert(&contact.email, now);
            let change = Change {
                first_name: contact.first_name.as_deref(),
                last_name: contact.last_name.as_deref(),
                phone: contact.phone.as_deref(),
                values: contact
                    .fields
                    .iter()
                    .map(|(field, value)| (*field, value.as_str()))
                    .collect(),
            };
            self.change(id, &change, now);
            for name in &contact.tags {
                let tag = self.tag(name, "", now);
                self.add_tag(id, tag, now);
            }
            for &list in &contact.subscribe {
                // An import never brings back somebody who left.
                let left = self.contacts.get(&id).is_some_and(|contact| {
                    contact
                        .lists
                        .iter()
                        .any(|member| member.list == list && member.status == 2)
                });
                if !left {
                    self.set_list(id, list, 1, 3, now);
                }
            }
            for &list in &contact.unsubscribe {
                self.set_list(id, list, 2, 3, now);
            }
            if created || self.imports.success_names_updated {
                done.success.push(id.to_string());
            }
        }
        done
    }
}

fn refused(message: &str, reasons: &Value) -> Reply {
    Reply::json(
        400,
        &json!({"success": 0, "message": message, "failureReasons": reasons}),
    )
}

const NOT_VALID: &str = "JSON payload did not pass validation. Please fix failure Reasons and retry. The import was not queued for processing.";

/// The HTTP-400 rate limit of imports.
pub(in crate::sandbox) fn rate_limit(per_minute: usize) -> Reply {
    let reason = format!(
        "Up to {per_minute} imports may be requested per minute.Please batch contacts into larger requests, or retry this request in a minute."
    );
    refused("Rate limit exceeded.", &json!([reason]))
}

/// `POST /import/bulk_import`.
pub(super) fn submit(shared: &Shared, call: &Call, outcome: Option<Kind>) -> Reply {
    let (mut reply, contacts) = try_submit(shared, call, outcome);
    reply.contacts = Some(contacts);
    reply
}

fn try_submit(shared: &Shared, call: &Call, outcome: Option<Kind>) -> (Reply, usize) {
    let body: Body = match serde_json::from_slice(&call.body) {
        Ok(body) => body,
        Err(error) => {
            return (
                refused(NOT_VALID, &json!([error.to_string()])).violating(error.to_string()),
                0,
            );
        }
    };
    let rows = body.contacts.unwrap_or_default();
    let size = rows.len();
    if size == 0 || size > MAX_CONTACTS {
        let reason = format!("contacts must hold 1 to {MAX_CONTACTS} contacts");
        return (refused(NOT_VALID, &json!([reason])).violating(reason), size);
    }
    if call.body.len() >= MAX_BYTES {
        let reason = "The payload must be smaller than 400,000 bytes";
        return (refused(NOT_VALID, &json!([reason])).violating(reason), size);
    }
    if shared.options.limits {
        let mut limits = shared.limits();
        let (window, per_minute) = if size == 1 {
            (&mut limits.single_imports, 20)
        } else {
            (&mut limits.imports, 100)
        };
        if window.admit(Instant::now()).is_err() {
            return (rate_limit(per_minute).violating("rate"), size);
        }
    }
    let base = shared.options.quirks.failure_index_base;
    let reasons: Vec<Value> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| !row.email.as_ref().is_some_and(|email| is_email(email.trim())))
        .map(|(at, _)| json!({"contact": at + base, "failureReason": "Field 'email' incorrect format"}))
        .collect();
    if !reasons.is_empty() {
        return (
            refused(NOT_VALID, &Value::from(reasons))
                .violating("an e-mail has an incorrect format"),
            size,
        );
    }
    let mut violation = None;
    let contacts: Vec<Queued> = rows
        .into_iter()
        .map(|row| queued(row, &mut violation))
        .collect();
    let id = chance::uuid();
    let mut account = shared.account();
    let unknown = contacts
        .iter()
        .flat_map(|contact| &contact.fields)
        .find(|(field, _)| !account.fields.iter().any(|known| known.id == *field));
    if let Some((field, _)) = unknown {
        violation = Some(format!("unknown field {field} was ignored"));
    }
    let submitted = instant::now();
    let due =
        submitted + i64::try_from(shared.options.import_delay.as_millis()).unwrap_or(i64::MAX / 2);
    account.imports.batches.insert(
        id.clone(),
        Batch {
            submitted,
            due,
            contacts,
            size,
            outcome,
            done: None,
        },
    );
    account.imports.waiting.push_back(id.clone());
    let reply = Reply::ok(
        &json!({"Success": 1, "queued_contacts": size, "batchId": id, "message": "Contact import queued"}),
    );
    (
        match violation {
            Some(violation) => reply.violating(violation),
            None => reply,
        },
        size,
    )
}

/// `GET /import/info?batchId=`: `false` just after the submission, then `waiting`, `active`, and the end.
pub(super) fn info(shared: &Shared, call: &Call) -> Reply {
    let Some(id) = call.query("batchId").filter(|id| !id.is_empty()) else {
        return Reply::json(
            400,
            &json!({"success": 0, "message": "'batchId' is a required field."}),
        )
        .violating("no batchId");
    };
    let account = shared.account();
    let Some(batch) = account.imports.batches.get(id) else {
        return Reply::json(400, &json!({"success": 0, "message": "Batch not found."}));
    };
    if let Some(done) = &batch.done {
        return Reply::ok(
            &json!({"status": done.status, "success": done.success, "failure": done.failure}),
        );
    }
    let (age, delay) = (
        instant::now() - batch.submitted,
        batch.due - batch.submitted,
    );
    if age * 4 < delay {
        return Reply::ok(&json!({"status": false}));
    }
    let status = if age * 2 < delay { "waiting" } else { "active" };
    Reply::ok(&json!({"status": status, "success": [], "failure": []}))
}

/// `GET /import/bulk_import`.
pub(super) fn overview(shared: &Shared) -> Reply {
    let account = shared.account();
    let today = instant::offset(instant::now())[..10].to_owned();
    let count = |done: bool| {
        let batches: Vec<&Batch> = account
            .imports
            .batches
            .values()
            .filter(|batch| batch.done.is_some() == done)
            .collect();
        let contacts: usize = batches.iter().map(|batch| batch.size).sum();
        if batches.is_empty() {
            json!([])
        } else {
            json!([{"forDate": today, "batches": batches.len().to_string(), "contacts": contacts.to_string()}])
        }
    };
    Reply::ok(&json!({"outstanding": count(false), "recentlyCompleted": count(true)}))
}
