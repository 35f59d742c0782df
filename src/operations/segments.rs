//! Segments of ActiveCampaign.

use super::audit::Act;
use super::{Done, Operations};
use crate::activecampaign::{ActiveCampaign, segment_body};
use crate::model::contact::Named;
use crate::model::segment::Needs;
use crate::model::{
    ConnectionName, ContactId, ErrorClass, NewSegment, Problem, Segment, SegmentMatches, nearest,
};
use serde::Serialize;

/// A segment as it would be made.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentDraft {
    #[serde(flatten)]
    pub segment: NewSegment,
    /// The body that would be sent.
    pub request: serde_json::Value,
}

impl Operations {
    /// All saved segments, by name.
    pub async fn segments(&self, connection: &ConnectionName) -> Done<Vec<Segment>> {
        Ok(self.person(connection)?.activecampaign.segments().await?)
    }

    /// What [`Operations::create_segment`] would send; nothing is written.
    ///
    /// # Errors
    /// The name is empty or taken, or there is no tag of a name.
    pub async fn draft_segment(
        &self,
        connection: &ConnectionName,
        name: &str,
        tags: &[String],
        needs: Needs,
    ) -> Done<SegmentDraft> {
        let activecampaign = self.person(connection)?.activecampaign;
        let segment = new_segment(&activecampaign, name, tags, needs).await?;
        activecampaign.check_segment_name(&segment.name).await?;
        Ok(SegmentDraft {
            request: segment_body(&segment),
            segment,
        })
    }

    /// Makes a segment of the contacts that have tags.
    ///
    /// # Errors
    /// As [`Operations::draft_segment`].
    pub async fn create_segment(
        &self,
        connection: &ConnectionName,
        name: &str,
        tags: &[String],
        needs: Needs,
    ) -> Done<Segment> {
        self.writable()?;
        let activecampaign = self.person(connection)?.activecampaign;
        let segment = new_segment(&activecampaign, name, tags, needs).await?;
        let doing = async { Ok(activecampaign.create_segment(&segment).await?) };
        let act = Act::new("segment create", &segment.name).of(connection);
        self.audited(act, doing, |_| Some(1)).await
    }

    /// The segments that a contact matches now: a call for each segment.
    pub async fn segments_of(
        &self,
        connection: &ConnectionName,
        contact: &ContactId,
    ) -> Done<SegmentMatches> {
        let account = self.person(connection)?;
        Ok(account.activecampaign.contact_segments(contact).await?)
    }
}

/// A segment to be made, with the tags of these names.
async fn new_segment(
    activecampaign: &ActiveCampaign,
    name: &str,
    tags: &[String],
    needs: Needs,
) -> Done<NewSegment> {
    let name = name.trim();
    if name.is_empty() {
        return Err(
            Problem::new(ErrorClass::Config, "the segment has no name").remedy("give it a name")
        );
    }
    let mut found: Vec<Named> = Vec::with_capacity(tags.len());
    for tag in tags {
        let Some(named) = activecampaign.tag_named(tag).await? else {
            return Err(unknown_tag(tag, &activecampaign.tags().await?));
        };
        if !found.contains(&named) {
            found.push(named);
        }
    }
    if found.is_empty() {
        return Err(
            Problem::new(ErrorClass::Config, "the segment has no tag").remedy("name one at least")
        );
    }
    Ok(NewSegment {
        name: name.to_owned(),
        needs,
        tags: found,
    })
}

/// A segment of a tag that nobody has would be empty for ever, and nobody would know why.
fn unknown_tag(tag: &str, tags: &[Named]) -> Problem {
    let problem = Problem::new(
        ErrorClass::Missing,
        format!("ActiveCampaign has no tag \"{tag}\""),
    )
    .field("tag");
    let names = tags.iter().map(|named| named.name.as_str());
    match nearest(tag, names) {
        Some(near) => problem.remedy(format!("did you mean \"{near}\"?")),
        None => problem.remedy(
            "make it in ActiveCampaign first, or let a mapping's rule make it (create_tags = true)",
        ),
    }
}
