//! Whom a segment matches: a run that is started, then asked for until it is ready; and whether it matches one contact
//! (fact sheet §4; the answer for one contact as the official description of segment matching gives it).

use super::ActiveCampaign;
use super::around::allowed;
use super::wire::loose;
use crate::http::{ApiError, Request, encode};
use crate::model::contact::{Part, SegmentMatches};
use crate::model::{ContactId, ErrorClass};
use serde_json::Value;
use std::time::{Duration, Instant};

/// So many segments are asked for a contact: at five calls a second, four seconds.
const ASKED: usize = 20;
/// A run that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

impl ActiveCampaign {
    /// The contacts that match a segment now.
    ///
    /// # Errors
    /// As every call; transient if the run is not ready within a minute.
    pub async fn segment_matches(&self, segment: &str) -> Result<Vec<ContactId>, ApiError> {
        let path = format!("/segmentMatchAll/{}", encode(segment));
        let started = self.attributes(&path).await?;
        let run = loose(started.get("run_id"));
        if run.is_empty() {
            return Err(self.error(ErrorClass::Transient, "the answer names no run"));
        }
        let path = format!("{path}/{}", encode(&run));
        let deadline = Instant::now() + LONGEST;
        let first = loop {
            let run = self.attributes(&path).await?;
            if run.get("is_ready").and_then(Value::as_bool) == Some(true) {
                break run;
            }
            if Instant::now() >= deadline {
                return Err(self.error(
                    ErrorClass::Transient,
                    "the segment was not matched within a minute",
                ));
            }
            tokio::time::sleep(PAUSE).await;
        };
        let mut matches = ids(&first);
        let pages = page_number(&first, "last_page").unwrap_or(1);
        for page in 2..=pages {
            let run = self.attributes(&format!("{path}?page={page}")).await?;
            if page_number(&run, "current_page") != Some(page) {
                return Err(self.error(
                    ErrorClass::Transient,
                    format!("page {page} of the segment's matches did not come"),
                ));
            }
            matches.extend(ids(&run));
        }
        Ok(matches)
    }

    /// The segments that one contact matches now. The first [`ASKED`] are asked for, one call each.
    ///
    /// # Errors
    /// As every call. Where segments may not be read at all, the answer says so.
    pub async fn contact_segments(&self, contact: &ContactId) -> Result<SegmentMatches, ApiError> {
        let segments = match allowed(self.segment_definitions().await)? {
            Part::Read(segments) => segments,
            Part::Refused { refused } => {
                return Ok(SegmentMatches {
                    matching: Part::Refused { refused },
                    unasked: 0,
                });
            }
        };
        let unasked = segments.len().saturating_sub(ASKED);
        let mut matching = Vec::new();
        for segment in segments.into_iter().take(ASKED) {
            let (id, contact) = (encode(&segment.id), encode(contact.as_str()));
            let path = format!("/segmentMatch/{id}/{contact}");
            match self.attributes(&path).await {
                Ok(answer) if answer.get("match").and_then(Value::as_bool) == Some(true) => {
                    matching.push(segment.name);
                }
                Ok(_) => {}
                // Deleted since the list was read.
                Err(error) if error.class == ErrorClass::Missing => {}
                Err(error) => {
                    let matching = allowed(Err(error))?;
                    return Ok(SegmentMatches { matching, unasked });
                }
            }
        }
        Ok(SegmentMatches {
            matching: Part::Read(matching),
            unasked,
        })
    }

    /// `data.attributes`, where `data` is one item or a list of one.
    async fn attributes(&self, path: &str) -> Result<Value, ApiError> {
        let body: Value = self.transport.json(&Request::get(path)).await?;
        let data = body.get("data").unwrap_or(&body);
        let item = data.get(0).unwrap_or(data);
        Ok(item.get("attributes").unwrap_or(item).clone())
    }
}

fn ids(run: &Value) -> Vec<ContactId> {
    run.get("matches")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|id| loose(Some(id)))
        .filter(|id| !id.is_empty())
        .map(ContactId::new)
        .collect()
}

fn page_number(run: &Value, key: &str) -> Option<u64> {
    loose(run.get("page")?.get(key)).parse().ok()
}
