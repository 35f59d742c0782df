//! HighLevel records as they are read (fact sheet §2.5 to §2.7).

use super::{ObjectKey, RecordId, Relation};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A record's properties by short key, values raw as the API gave them: option keys, numbers with all
/// their digits. TEXTBOX_LIST members are flat keys with a dot, `notes.kitchen`.
pub type Properties = serde_json::Map<String, Value>;

/// One record of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: RecordId,
    pub object: ObjectKey,
    pub properties: Properties,
    /// User ids; at most one.
    pub owners: Vec<String>,
    pub followers: Vec<String>,
    pub created_at: Option<Timestamp>,
    /// The record's version: a later time is a newer state.
    pub updated_at: Option<Timestamp>,
    /// Linked records, where the answer carried them.
    #[serde(default, skip_serializing)]
    pub relations: Option<Vec<Relation>>,
    /// The cursor that continues a search behind this record.
    #[serde(default, skip_serializing)]
    pub search_after: Option<Vec<Value>>,
}

/// One page of a search.
#[derive(Clone, Debug, Default)]
pub struct RecordPage {
    pub records: Vec<Record>,
    /// Number of records that the search matches.
    pub total: Option<u64>,
}
