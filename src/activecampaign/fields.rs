//! Definitions of contact fields (fact sheet §2.3, §2.4).

use super::ActiveCampaign;
use super::pages::PAGE;
use super::wire::{loose, total};
use crate::http::{ApiError, Request};
use crate::model::{ContactField, ErrorClass, FieldId, FieldKind, FieldOption};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

impl ActiveCampaign {
    /// All contact fields with their options, over all pages.
    ///
    /// # Errors
    /// As every call; a transient error if fewer fields came than the API says there are, twice running.
    pub async fn fields(&self) -> Result<Vec<ContactField>, ApiError> {
        match self.read_fields().await? {
            Ok(fields) => Ok(fields),
            // Somebody may have added or removed a field between two pages.
            Err(_) => self
                .read_fields()
                .await?
                .map_err(|message| self.error(ErrorClass::Transient, message)),
        }
    }

    async fn read_fields(&self) -> Result<Result<Vec<ContactField>, String>, ApiError> {
        let mut rows: Vec<Value> = Vec::new();
        let mut options: HashMap<String, Vec<Value>> = HashMap::new();
        let mut known_options = HashSet::new();
        let mut expected = None;
        loop {
            let request = Request::get(format!("/fields?limit={PAGE}&offset={}", rows.len()));
            let mut body: Value = self.transport.json(&request).await?;
            expected = total(&body).or(expected);
            for option in taken(&mut body, "fieldOptions").unwrap_or_default() {
                if known_options.insert(loose(option.get("id"))) {
                    options
                        .entry(loose(option.get("field")))
                        .or_default()
                        .push(option);
                }
            }
            let Some(page) = taken(&mut body, "fields") else {
                return Err(self.error(ErrorClass::Transient, "the answer has no list of fields"));
            };
            let got = page.len();
            rows.extend(page);
            let whole = expected.map_or(got < PAGE, |total| rows.len() as u64 >= total);
            if got == 0 || whole {
                break;
            }
        }
        let mut seen = HashSet::new();
        let fields: Vec<ContactField> = rows
            .iter()
            .filter(|row| seen.insert(loose(row.get("id"))))
            .filter_map(|row| {
                field(
                    row,
                    options.remove(&loose(row.get("id"))).unwrap_or_default(),
                )
            })
            .collect();
        Ok(match expected {
            Some(total) if total != fields.len() as u64 => Err(format!(
                "{} contact fields were read, but the API says there are {total}",
                fields.len()
            )),
            _ => Ok(fields),
        })
    }

    /// Creates a contact field, attaches it to all lists and gives it its options: up to three calls. `tag`
    /// is the personalisation tag without percent signs; the API makes one from the title if it is `None`.
    ///
    /// # Errors
    /// As every call; `Invalid` if the title is taken. A failure after the first call leaves a field that
    /// is not listed, or has no options; the error's message says so.
    pub async fn create_field(
        &self,
        title: &str,
        tag: Option<&str>,
        kind: &FieldKind,
        options: &[FieldOption],
    ) -> Result<ContactField, ApiError> {
        let mut definition = json!({ "type": kind.as_str(), "title": title, "visible": 1 });
        if let Some(tag) = tag {
            definition["perstag"] = tag.trim_matches('%').into();
        }
        let request = post("/fields", &json!({ "field": definition }));
        let mut created = self
            .transport
            .call(&request, |answer| {
                let body: Value = answer.json()?;
                // Live servers give one field; the documentation a list of one.
                body.get("field")
                    .or_else(|| body.get("fields")?.get(0))
                    .and_then(|row| field(row, Vec::new()))
                    .ok_or_else(|| "the answer names no field".to_owned())
            })
            .await?;
        let half_done = |mut error: ApiError, lacks: &str| {
            error.message = format!(
                "the field {} was created, but {lacks}: {}",
                created.id, error.message
            );
            error
        };
        let id = number_or_text(created.id.as_str());
        let request = post(
            "/fieldRels",
            &json!({ "fieldRel": { "field": id, "relid": 0 } }),
        );
        self.transport
            .call(&request, super::ignore)
            .await
            .map_err(|error| half_done(error, "not attached to the lists"))?;
        if !options.is_empty() {
            let rows: Vec<Value> = options
                .iter()
                .zip(1u32..)
                .map(|(option, order)| {
                    json!({ "orderid": order, "value": option.value, "label": option.label,
                            "isdefault": false, "field": created.id.as_str() })
                })
                .collect();
            let request = post("/fieldOption/bulk", &json!({ "fieldOptions": rows }));
            self.transport
                .call(&request, super::ignore)
                .await
                .map_err(|error| half_done(error, "has no options"))?;
        }
        created.listed = true;
        created.options = options.to_vec();
        Ok(created)
    }
}

fn post(path: &str, body: &Value) -> Request {
    Request::write(Method::POST, path, Some(body.to_string().into_bytes()))
}

fn taken(body: &mut Value, key: &str) -> Option<Vec<Value>> {
    match body.get_mut(key).map(Value::take) {
        Some(Value::Array(rows)) => Some(rows),
        _ => None,
    }
}

/// An id as a JSON number where it is one.
fn number_or_text(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| id.into(), Value::from)
}

fn field(row: &Value, mut options: Vec<Value>) -> Option<ContactField> {
    let id = loose(row.get("id"));
    if id.is_empty() {
        return None;
    }
    options.sort_by_key(|option| {
        loose(option.get("orderid"))
            .parse::<i64>()
            .unwrap_or(i64::MAX)
    });
    Some(ContactField {
        id: FieldId::new(id),
        tag: loose(row.get("perstag")).trim_matches('%').to_owned(),
        title: loose(row.get("title")),
        // Old fields may have an empty type, which stays unknown and is treated as text.
        kind: FieldKind::from(loose(row.get("type"))),
        options: options
            .iter()
            .map(|option| {
                let value = loose(option.get("value"));
                let label = loose(option.get("label"));
                FieldOption {
                    label: if label.is_empty() {
                        value.clone()
                    } else {
                        label
                    },
                    value,
                }
            })
            .collect(),
        listed: row
            .get("relations")
            .and_then(Value::as_array)
            .is_some_and(|relations| !relations.is_empty()),
    })
}
