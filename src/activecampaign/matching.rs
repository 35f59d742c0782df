//! Which segments a contact matches (fact sheet §4; the answer as ActiveCampaign's own OpenAPI file for matching one contact
//! gives it).

use super::ActiveCampaign;
use super::around::allowed;
use crate::http::{ApiError, Request, encode};
use crate::model::contact::Part;
use crate::model::{ContactId, ErrorClass, Segment, SegmentMatches};
use serde_json::Value;

/// So many segments are asked for a contact: at five calls a second, four seconds.
const ASKED: usize = 20;

impl ActiveCampaign {
    /// The segments that one contact matches now. The first [`ASKED`] are asked for, one call each.
    ///
    /// # Errors
    /// As every call. Where segments may not be read at all, the answer says so.
    pub async fn contact_segments(&self, contact: &ContactId) -> Result<SegmentMatches, ApiError> {
        let segments = match self.known_segments().await? {
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
            match self.matches(&segment, contact).await {
                Ok(true) => matching.push(segment.name),
                Ok(false) => {}
                // Deleted since the list was read, or one that ActiveCampaign itself calls invalid.
                Err(error) if matches!(error.class, ErrorClass::Missing | ErrorClass::Invalid) => {}
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

    async fn matches(&self, segment: &Segment, contact: &ContactId) -> Result<bool, ApiError> {
        let (segment, contact) = (encode(&segment.id), encode(contact.as_str()));
        let request = Request::get(format!("/segmentMatch/{segment}/{contact}"));
        let body: Value = self.transport.json(&request).await?;
        let answer = body.pointer("/data/0/attributes/match");
        answer.and_then(Value::as_bool).ok_or_else(|| {
            self.error(
                ErrorClass::Transient,
                "the answer does not say whether the contact matches",
            )
        })
    }
}
