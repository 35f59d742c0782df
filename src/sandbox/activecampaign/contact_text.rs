//! Contacts and their rows as JSON text, with the string-or-number mixture of live recordings (fact sheet §2.2).

use super::account::{Account, Contact, Enrolment, FieldValue, Membership};
use crate::sandbox::instant;
use serde_json::{Value, json};
use std::fmt::Write;

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A contact; `extra` is further keys, each followed by a comma.
pub(super) fn contact(account: &Account, contact: &Contact, extra: &str, out: &mut String) {
    let (created, updated) = (
        instant::offset(contact.created),
        instant::offset(contact.updated),
    );
    let (local_created, local_updated) = (
        instant::local(contact.created),
        instant::local(contact.updated),
    );
    let domain = contact.email.rsplit('@').next().unwrap_or_default();
    let (id, url) = (contact.id, &account.url);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"{{"cdate":"{created}","email":{},"phone":{},"firstName":{},"lastName":{},"orgid":"0","orgname":"","segmentio_id":"","bounced_hard":"0","bounced_soft":"0","bounced_date":null,"ip":"0","ua":null,"hash":"{:032x}","socialdata_lastcheck":null,"email_local":"","email_domain":{},"sentcnt":"0","rating_tstamp":null,"gravatar":"0","deleted":"0","anonymized":"0","adate":null,"udate":"{updated}","edate":null,"deleted_at":null,"created_utc_timestamp":"{local_created}","updated_utc_timestamp":"{local_updated}","created_timestamp":"{local_created}","updated_timestamp":"{local_updated}","created_by":null,"updated_by":null,"mpp_tracking":"0","last_click_date":null,"last_open_date":null,"last_mpp_open_date":null,"best_send_hour":null,"sms_consent":null,"sms_consent_updated_at":null,"whatsapp_id":null,"whatsapp_username":null,{extra}"links":{{"contactTags":"{url}/api/3/contacts/{id}/contactTags","fieldValues":"{url}/api/3/contacts/{id}/fieldValues"}},"id":"{id}","organization":null}}"#,
        quoted(&contact.email),
        quoted(&contact.phone),
        quoted(&contact.first_name),
        quoted(&contact.last_name),
        u128::from(id).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835),
        quoted(domain),
    );
}

/// A contact as a JSON value.
pub(super) fn contact_value(account: &Account, one: &Contact) -> Value {
    let mut text = String::new();
    contact(account, one, "", &mut text);
    serde_json::from_str(&text).unwrap_or_default()
}

pub(super) fn field_value(
    account: &Account,
    contact: &Contact,
    value: &FieldValue,
    out: &mut String,
) {
    let text = if value.value.is_empty() {
        "null".to_owned()
    } else {
        quoted(&value.value)
    };
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"{{"contact":"{0}","field":"{1}","value":{text},"cdate":"{2}","udate":"{3}","created_by":null,"updated_by":null,"links":{{"owner":"{5}/api/3/fieldValues/{4}/owner","field":"{5}/api/3/fieldValues/{4}/field"}},"id":"{4}","owner":"{0}"}}"#,
        contact.id,
        value.field,
        instant::offset(value.created),
        instant::offset(value.updated),
        value.id,
        account.url,
    );
}

/// `[…]` of the field values that `wanted` picks.
pub(super) fn field_values<'a>(
    account: &Account,
    contacts: impl Iterator<Item = &'a Contact>,
    wanted: impl Fn(&FieldValue) -> bool,
    out: &mut String,
) {
    out.push('[');
    let start = out.len();
    for contact in contacts {
        for value in contact.values.iter().filter(|value| wanted(value)) {
            if out.len() > start {
                out.push(',');
            }
            field_value(account, contact, value, out);
        }
    }
    out.push(']');
}

pub(super) fn tags(contact: &Contact) -> Vec<Value> {
    contact
        .tags
        .iter()
        .map(|tag| {
            json!({
                "contact": contact.id.to_string(), "tag": tag.tag.to_string(), "cdate": instant::offset(tag.created),
                "created_timestamp": instant::local(tag.created), "updated_timestamp": instant::local(tag.created),
                "created_by": null, "updated_by": null, "links": {}, "id": tag.id.to_string(),
            })
        })
        .collect()
}

pub(super) fn membership(contact: &Contact, membership: &Membership) -> Value {
    json!({
        "contact": contact.id.to_string(), "list": membership.list.to_string(), "form": null, "seriesid": "0",
        "sdate": instant::offset(membership.changed), "udate": instant::offset(membership.changed),
        "status": membership.status.to_string(), "responder": "1", "sync": "0", "unsubreason": "",
        "sourceid": membership.source.to_string(), "channel": "email", "links": {}, "id": membership.id.to_string(),
        "automation": null,
    })
}

pub(super) fn enrolment(contact: &Contact, enrolment: &Enrolment) -> Value {
    let done = enrolment.removed.is_some();
    json!({
        "contact": contact.id.to_string(), "seriesid": enrolment.automation.to_string(), "startid": "0",
        "status": if done { "2" } else { "1" }, "batchid": null, "adddate": instant::offset(enrolment.added),
        "remdate": enrolment.removed.map(instant::offset), "timespan": null, "lastblock": "1", "lastlogid": "0",
        "lastdate": instant::offset(enrolment.removed.unwrap_or(enrolment.added)), "in_als": "0",
        "completedElements": i32::from(done) * 3, "totalElements": 3, "completed": i32::from(done),
        "completeValue": i32::from(done) * 100, "links": {}, "id": enrolment.id.to_string(),
        "automation": enrolment.automation.to_string(),
    })
}

pub(super) fn scores(contact: &Contact) -> Vec<Value> {
    contact
        .scores
        .iter()
        .map(|(score, value)| {
            json!({
                "score": score.to_string(), "contact": contact.id.to_string(), "deal": null,
                "cdate": instant::offset(contact.created), "mdate": instant::offset(contact.updated),
                "scoreValue": value.to_string(), "links": {}, "id": (contact.id * 10 + score).to_string(),
            })
        })
        .collect()
}

pub(super) fn log(contact: &Contact) -> Vec<Value> {
    contact
        .log
        .iter()
        .enumerate()
        .map(|(at, (kind, value, time))| {
            json!({
                "subscriberid": contact.id.to_string(), "type": kind, "value": value, "tstamp": instant::offset(*time),
                "hash": "", "links": {}, "id": (at + 1).to_string(), "contact": contact.id.to_string(),
            })
        })
        .collect()
}
