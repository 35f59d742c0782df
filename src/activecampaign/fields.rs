//! Definitions of contact fields (fact sheet §2.3, §2.4).

use super::ActiveCampaign;
use super::pages::PAGE;
use super::wire::{loose, total};
use crate::http::{ApiError, Request};
use crate::model::{ContactField, ErrorClass, FieldId, FieldKind, FieldOption, NewField};
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

    /// Creates a contact field, attaches it to all lists and gives it its options: up to three calls.
    ///
    /// # Errors
    /// As every call; `Invalid` if the title is taken. A failure after the first call leaves a field that
    /// is not listed, or has no options; the error's message says what remains.
    pub async fn create_field(&self, new: &NewField) -> Result<ContactField, ApiError> {
        let kind = new.kind.as_str();
        let mut definition = json!({ "type": kind, "title": new.title, "visible": 1 });
        if let Some(tag) = &new.tag {
            definition["perstag"] = tag.as_str().into();
        }
        let request = post("/fields", &json!({ "field": definition }));
        let created = self
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
        self.finish_field(created, &new.options).await
    }

    /// Does what remains of a field that was made: attaches it to all lists and gives it its options, each only where it has
    /// none.
    ///
    /// # Errors
    /// As every call; the message says what remains.
    pub async fn finish_field(
        &self,
        mut made: ContactField,
        options: &[String],
    ) -> Result<ContactField, ApiError> {
        let lacks_options = made.options.is_empty() && !options.is_empty();
        if !made.listed {
            // 0 stands for all lists.
            let id = number_or_text(made.id.as_str());
            let relation = json!({ "fieldRel": { "field": id, "relid": 0 } });
            let request = post("/fieldRels", &relation);
            let related = self.transport.call(&request, super::ignore).await;
            related.map_err(|error| {
                let options = match lacks_options {
                    true => format!(", and lacks its options {}", options.join(", ")),
                    false => String::new(),
                };
                half_made(error, &made, &format!("is attached to no list{options}"))
            })?;
            made.listed = true;
        }
        if lacks_options {
            let rows: Vec<Value> = options
                .iter()
                .zip(1u32..)
                .map(|(option, order)| {
                    json!({ "orderid": order, "value": option, "label": option,
                            "isdefault": false, "field": made.id.as_str() })
                })
                .collect();
            let request = post("/fieldOption/bulk", &json!({ "fieldOptions": rows }));
            let given = self.transport.call(&request, super::ignore).await;
            given.map_err(|error| {
                half_made(
                    error,
                    &made,
                    &format!("lacks its options {}", options.join(", ")),
                )
            })?;
            let option = |text: &String| FieldOption {
                value: text.clone(),
                label: text.clone(),
            };
            made.options = options.iter().map(option).collect();
        }
        Ok(made)
    }
}

fn half_made(mut error: ApiError, made: &ContactField, lacks: &str) -> ApiError {
    let (tag, id) = (&made.tag, &made.id);
    error.message = format!(
        "%{tag}% (id {id}) was created, but {lacks}: {}",
        error.message
    );
    error.remedy("create it again: what remains is done then, and nothing twice")
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
