//! Segments: those that are saved, and a new one. Paths and shapes as ActiveCampaign's own OpenAPI file for segments gives
//! them (fact sheet §4 names it): saved segments are listed as audiences, and a new one is a document of conditions.

use super::ActiveCampaign;
use super::around::{FRESH, allowed};
use super::wire::{loose, time};
use crate::http::{Answer, ApiError, Request};
use crate::model::contact::Part;
use crate::model::segment::Needs;
use crate::model::{ErrorClass, NewSegment, Segment};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Rows of a page of audiences; at most 10,000 may be asked for.
const AUDIENCES: usize = 1000;

impl ActiveCampaign {
    /// All saved segments, by name: the audiences, and those that only the older list of segments holds. Where one of the two
    /// may not be read, the other one is the answer.
    ///
    /// # Errors
    /// As every call.
    pub async fn segments(&self) -> Result<Vec<Segment>, ApiError> {
        let read = async || self.read_segments().await;
        self.names.segments.renew(self.waits(), read).await
    }

    async fn read_segments(&self) -> Result<Vec<Segment>, ApiError> {
        let audiences = self.audiences().await;
        if let Err(error) = &audiences
            && !may_be_missing(error)
        {
            return audiences;
        }
        let older = self.older_segments().await;
        let mut segments = match (audiences, older) {
            (Ok(segments), Err(error)) if may_be_missing(&error) => segments,
            (Err(_), Ok(older)) => older,
            (Ok(mut segments), Ok(older)) => {
                // A name is unique among saved segments.
                let known: HashSet<String> = segments
                    .iter()
                    .flat_map(|segment| [id_key(&segment.id), name_key(&segment.name)])
                    .collect();
                segments.extend(older.into_iter().filter(|segment| {
                    !known.contains(&id_key(&segment.id))
                        && !known.contains(&name_key(&segment.name))
                }));
                segments
            }
            (Err(error), Err(_)) | (Ok(_), Err(error)) => return Err(error),
        };
        segments.sort_by_cached_key(|segment| (name_key(&segment.name), segment.id.clone()));
        Ok(segments)
    }

    /// The same from memory where that is fresh; a list that may not be read says so.
    pub(super) async fn known_segments(&self) -> Result<Part<Segment>, ApiError> {
        let read = async || self.read_segments().await;
        let fresh = |age, _: &Vec<Segment>| age < FRESH;
        allowed(self.names.segments.get(self.waits(), fresh, read).await)
    }

    /// Summaries of saved segments. Their answer tells no total, so a page that brings nothing new is the end.
    async fn audiences(&self) -> Result<Vec<Segment>, ApiError> {
        let mut segments = Vec::new();
        let mut seen = HashSet::new();
        for page in 1_u32.. {
            let path = format!("/audiences?page={page}&page_size={AUDIENCES}&sort=name");
            let body: Value = self.transport.json(&Request::get(path)).await?;
            let Some(rows) = body.get("data").and_then(Value::as_array) else {
                return Err(self.error(ErrorClass::Transient, "the answer has no list called data"));
            };
            let before = segments.len();
            segments.extend(
                rows.iter()
                    .filter_map(summary)
                    .filter(|segment| seen.insert(segment.id.clone())),
            );
            if segments.len() == before {
                break;
            }
        }
        Ok(segments)
    }

    /// The list of segments that was there before audiences. Hidden ones belong to a campaign or an automation.
    async fn older_segments(&self) -> Result<Vec<Segment>, ApiError> {
        let rows = self.pages("/segments", "segments").await?;
        Ok(rows
            .iter()
            .filter(|row| loose(row.get("hidden")) != "1")
            .map(|row| Segment::new(loose(row.get("id")), loose(row.get("name"))))
            .filter(|segment| !segment.id.is_empty() && !segment.name.trim().is_empty())
            .collect())
    }

    /// Whether a new segment may be called so: names are unique.
    ///
    /// # Errors
    /// As every call; `Invalid` if a segment is called so already.
    pub async fn check_segment_name(&self, name: &str) -> Result<(), ApiError> {
        let segments = self.segments().await?;
        let Some(known) = find(&segments, name) else {
            return Ok(());
        };
        Err(self
            .error(
                ErrorClass::Invalid,
                format!(
                    "a segment is called \"{}\" already (id {})",
                    known.name, known.id
                ),
            )
            .remedy("give it another name: names of segments are unique"))
    }

    /// Makes a segment. After an answer that leaves open whether it was made, the list is looked at: a name is unique.
    ///
    /// # Errors
    /// As [`ActiveCampaign::check_segment_name`].
    pub async fn create_segment(&self, new: &NewSegment) -> Result<Segment, ApiError> {
        self.check_segment_name(&new.name).await?;
        let body = segment_body(new).to_string().into_bytes();
        let request = Request::write(Method::POST, "/segmentsV2", Some(body));
        let made = self.transport.call(&request, made_id).await;
        self.names.segments.forget().await;
        match made {
            Ok(id) => Ok(Segment::new(id, &new.name)),
            Err(error) if error.ambiguous => {
                let now = self.segments().await.ok();
                now.and_then(|segments| find(&segments, &new.name).cloned())
                    .ok_or(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// The body that makes a segment. Its conditions test tags: no other kind is documented.
pub fn segment_body(new: &NewSegment) -> Value {
    let ids = 1..=new.tags.len();
    let conditions: Vec<Value> = ids
        .clone()
        .zip(&new.tags)
        .map(|(id, tag)| {
            json!({
                "id": id.to_string(), "object_type": "tag", "source_system": "activecampaign",
                "fields": [{"name": "tagid", "data_type": "string", "operator": "=", "value": tag.id}],
            })
        })
        .collect();
    let values: Vec<Value> = ids
        .map(|id| json!({"id": id.to_string(), "type": "condition"}))
        .collect();
    let operator = match new.needs {
        Needs::All => "and",
        Needs::Any => "or",
    };
    json!({"data": [{"attributes": {
        "name": new.name,
        "segment_conditions": conditions,
        "segment_condition_groups": [{"id": "1", "operator": operator, "values": values}],
        "segment_condition_group_operator": "and",
    }}]})
}

fn find<'a>(segments: &'a [Segment], name: &str) -> Option<&'a Segment> {
    let name = name_key(name);
    segments
        .iter()
        .find(|segment| name_key(&segment.name) == name)
}

/// Ids and names in one set: an id is no name.
fn id_key(id: &str) -> String {
    format!("id {id}")
}

fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}

fn may_be_missing(error: &ApiError) -> bool {
    matches!(error.class, ErrorClass::Auth | ErrorClass::Missing)
        || matches!(error.status, Some(404 | 410))
}

fn summary(row: &Value) -> Option<Segment> {
    let attributes = row.get("attributes")?;
    let count = |key: &str| loose(attributes.pointer(&format!("/counts/{key}/count")));
    let at = |key: &str| time(&loose(attributes.get(key)));
    Some(Segment {
        id: id_of(row)?,
        name: loose(attributes.get("name")),
        last_total: count("last_total").parse().ok(),
        last_active_total: count("last_active_total").parse().ok(),
        created_at: at("created_date"),
        updated_at: at("updated_date"),
        last_used_at: at("last_used_date"),
    })
}

fn made_id(answer: &Answer) -> Result<String, String> {
    let body: Value = answer.json()?;
    let data = body.get("data").unwrap_or(&Value::Null);
    id_of(data.get(0).unwrap_or(data)).ok_or_else(|| "the answer names no segment".to_owned())
}

/// An item's id, which may stand on it or among its attributes.
fn id_of(item: &Value) -> Option<String> {
    [item.get("id"), item.pointer("/attributes/segment_id")]
        .into_iter()
        .map(loose)
        .find(|id| !id.is_empty())
}
