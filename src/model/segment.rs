//! Segments: contacts that pass a test, whoever they are at the moment.

use super::contact::{Named, Part};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A saved segment. Numbers and times are what ActiveCampaign kept of its last look; what it does not say is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub id: String,
    pub name: String,
    /// Contacts that matched.
    pub last_total: Option<u64>,
    /// Contacts that matched and can be written to.
    pub last_active_total: Option<u64>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl Segment {
    /// A segment of which no more is known.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            last_total: None,
            last_active_total: None,
            created_at: None,
            updated_at: None,
            last_used_at: None,
        }
    }
}

/// Whether a contact needs all of a segment's tags, or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    All,
    Any,
}

/// A segment to be made: a name and tags that exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSegment {
    pub name: String,
    pub needs: Needs,
    /// At least one, each once.
    pub tags: Vec<Named>,
}

/// The segments that a contact matches, each asked for by a call of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SegmentMatches {
    pub matching: Part<String>,
    /// Segments that were not asked for, because there are so many.
    pub unasked: usize,
}
