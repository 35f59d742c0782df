//! Custom field definitions (fact sheet §2.3 and §2.4).

use super::page::Page;
use super::{invalid, missing_attribute, no_result, wrapped};
use crate::sandbox::wire::{Call, Reply, id_text};
use crate::sandbox::{Shared, instant};
use serde_json::{Value, json};

/// An option of a dropdown, listbox, radio or checkbox.
pub(in crate::sandbox) struct FieldOption {
    pub id: u64,
    pub value: String,
    pub label: String,
}

pub(in crate::sandbox) struct Field {
    pub id: u64,
    pub title: String,
    /// Personalisation tag without percent signs.
    pub perstag: String,
    /// `text`, `listbox`, …; may be empty in old fields.
    pub kind: String,
    pub options: Vec<FieldOption>,
    /// Ids and list ids (0 = all lists) of `fieldRels`.
    pub relations: Vec<(u64, u64)>,
}

/// 2026-05-28T08:05:02Z.
const MADE: i64 = 1_779_955_502_000;

impl Field {
    fn json(&self, url: &str) -> Value {
        let ids = |ids: Vec<u64>| {
            ids.into_iter()
                .map(|id| Value::from(id.to_string()))
                .collect::<Vec<_>>()
        };
        let (made, local) = (instant::offset(MADE), instant::local(MADE));
        json!({
            "title": self.title, "descript": null, "type": self.kind, "isrequired": "0", "perstag": self.perstag,
            "defval": null, "show_in_list": "0", "rows": "0", "cols": "0", "visible": "1", "service": "",
            "ordernum": self.id.to_string(), "cdate": made, "udate": made, "created_timestamp": local,
            "updated_timestamp": local, "created_by": "1", "updated_by": "1",
            "options": ids(self.options.iter().map(|option| option.id).collect()),
            "relations": ids(self.relations.iter().map(|relation| relation.0).collect()),
            "links": {"options": format!("{url}/api/3/fields/{}/options", self.id),
                "relations": format!("{url}/api/3/fields/{}/relations", self.id)},
            "id": self.id.to_string(),
        })
    }

    fn options_json(&self) -> impl Iterator<Item = Value> {
        self.options.iter().enumerate().map(|(at, option)| {
            json!({
                "field": self.id.to_string(), "orderid": (at + 1).to_string(), "value": option.value, "label": option.label,
                "isdefault": "0", "cdate": null, "udate": null, "links": {}, "id": option.id.to_string(),
            })
        })
    }

    fn relations_json(&self) -> impl Iterator<Item = Value> {
        self.relations.iter().map(|(id, list)| {
            json!({
                "field": self.id.to_string(), "relid": list.to_string(), "dorder": "0", "cdate": instant::offset(MADE),
                "links": [], "id": id.to_string(),
            })
        })
    }
}

/// `GET /fields`.
pub(super) fn list(shared: &Shared, call: &Call) -> Reply {
    let page = Page::of(call);
    let account = shared.account();
    let perstag = call.query("filters[perstag]");
    let found: Vec<&Field> = account
        .fields
        .iter()
        .filter(|field| perstag.is_none_or(|perstag| field.perstag == perstag))
        .collect();
    let shown: Vec<&&Field> = found.iter().skip(page.offset).take(page.limit).collect();
    let reply = Reply::ok(&json!({
        "fieldOptions": shown.iter().flat_map(|field| field.options_json()).collect::<Vec<_>>(),
        "fieldRels": shown.iter().flat_map(|field| field.relations_json()).collect::<Vec<_>>(),
        "fields": shown.iter().map(|field| field.json(&account.url)).collect::<Vec<_>>(),
        "meta": {"total": found.len().to_string(), "selected": null},
    }));
    page.note(reply, call, &["filters[perstag]"])
}

/// `GET /fields/{id}`.
pub(super) fn get(shared: &Shared, id: &str) -> Reply {
    let account = shared.account();
    match account
        .fields
        .iter()
        .find(|field| field.id.to_string() == id)
    {
        Some(field) => Reply::ok(&json!({
            "fieldOptions": field.options_json().collect::<Vec<_>>(), "fieldRels": field.relations_json().collect::<Vec<_>>(),
            "field": field.json(&account.url),
        })),
        None => no_result("Field", id),
    }
}

/// `GET /fields/{id}/options`.
pub(super) fn options(shared: &Shared, id: &str) -> Reply {
    match shared
        .account()
        .fields
        .iter()
        .find(|field| field.id.to_string() == id)
    {
        Some(field) => {
            Reply::ok(&json!({"fieldOptions": field.options_json().collect::<Vec<_>>()}))
        }
        None => no_result("Field", id),
    }
}

const KINDS: [&str; 10] = [
    "text", "textarea", "date", "datetime", "dropdown", "listbox", "radio", "checkbox", "hidden",
    "number",
];

/// `POST /fields`.
pub(super) fn create(shared: &Shared, call: &Call) -> Reply {
    let body = match wrapped(call, "field") {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let Some(title) = body["title"].as_str().filter(|title| !title.is_empty()) else {
        return missing_attribute("title");
    };
    let Some(kind) = body["type"].as_str() else {
        return missing_attribute("type");
    };
    if !KINDS.contains(&kind) {
        return invalid("The field type is not valid", "field_invalid", "type")
            .violating(format!("unknown field type {kind}"));
    }
    let mut account = shared.account();
    if account.fields.iter().any(|field| field.title == title) {
        return Reply::json(
            422,
            &json!({"errors": [{"title": "There is already a field with this title",
            "detail": format!("There is already a field named '{title}' -- choose another name"), "code": "duplicate"}]}),
        );
    }
    let snake: String = title
        .to_uppercase()
        .chars()
        .map(|letter| {
            if letter.is_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    let mut perstag = body["perstag"]
        .as_str()
        .filter(|tag| !tag.is_empty())
        .map_or(snake, str::to_owned);
    while account.fields.iter().any(|field| field.perstag == perstag) {
        perstag.push_str("_2");
    }
    let id = account
        .fields
        .iter()
        .map(|field| field.id)
        .max()
        .unwrap_or(0)
        + 1;
    let field = Field {
        id,
        title: title.to_owned(),
        perstag,
        kind: kind.to_owned(),
        options: Vec::new(),
        relations: Vec::new(),
    };
    let now = instant::offset(instant::now());
    let answer = json!({"field": {
        "title": field.title, "type": field.kind, "created_by": "1", "updated_by": "1", "cdate": now, "udate": now,
        "perstag": field.perstag, "ordernum": id, "links": {}, "id": id.to_string(),
    }});
    account.fields.push(field);
    Reply::json(201, &answer)
}

/// `POST /fieldRels`.
pub(super) fn relate(shared: &Shared, call: &Call) -> Reply {
    let body = match wrapped(call, "fieldRel") {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let number = |name: &str| id_text(&body[name]).and_then(|text| text.parse::<u64>().ok());
    let Some(field) = number("field") else {
        return missing_attribute("field");
    };
    let Some(list) = number("relid") else {
        return missing_attribute("relid");
    };
    let mut account = shared.account();
    let id = account.new_id();
    let Some(known) = account.fields.iter_mut().find(|known| known.id == field) else {
        return no_result("Field", &field.to_string());
    };
    known.relations.push((id, list));
    let now = instant::offset(instant::now());
    Reply::json(
        201,
        &json!({"fieldRel": {"relid": list, "field": field, "cdate": now, "links": [], "id": id.to_string()}}),
    )
}

/// `POST /fieldOption/bulk`.
pub(super) fn add_options(shared: &Shared, call: &Call) -> Reply {
    let body = call.json().unwrap_or_default();
    let Some(options) = body["fieldOptions"].as_array() else {
        let text = "Bulk operation failed. Request must contain an array of fieldOption objects.";
        return Reply::json(422, &json!({"errors": text})).violating("no fieldOptions");
    };
    let mut account = shared.account();
    let now = instant::offset(instant::now());
    let mut answer = Vec::new();
    for option in options {
        let id = account.new_id();
        let field = id_text(&option["field"]).unwrap_or_default();
        let (Some(value), Some(known)) = (
            option["value"].as_str(),
            account
                .fields
                .iter_mut()
                .find(|known| known.id.to_string() == field),
        ) else {
            return Reply::json(
                422,
                &json!({"errors": "Bulk operation failed. A fieldOption is not valid."}),
            )
            .violating("a field option without value or with an unknown field");
        };
        let label = option["label"].as_str().unwrap_or(value);
        known.options.push(FieldOption {
            id,
            value: value.to_owned(),
            label: label.to_owned(),
        });
        answer.push(json!({
            "orderid": known.options.len(), "value": value, "label": label, "isdefault": 0, "field": field,
            "cdate": now, "udate": now, "links": {}, "id": id.to_string(),
        }));
    }
    Reply::json(201, &json!({"fieldOptions": answer}))
}
