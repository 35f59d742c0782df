//! Records of HighLevel objects.

use super::{Done, Operations, stub};
use crate::model::{ConnectionName, ObjectKey, Problem, Properties, Record, RecordId};
use serde::{Deserialize, Serialize};

/// Where the next page of a search begins; opaque outside `operations`.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordCursor {
    Page(u32),
    After(Vec<serde_json::Value>),
}

/// One page of records with the way to the next.
#[derive(Clone, Debug)]
pub struct RecordList {
    pub records: Vec<Record>,
    pub total: Option<u64>,
    /// `None` behind the last page.
    pub next: Option<RecordCursor>,
}

/// Another record or contact that a record is linked with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelatedRecord {
    /// Key of the association, such as `pet_owner`.
    pub association: String,
    pub object: ObjectKey,
    pub record: RecordId,
    /// A contact's name and e-mail, where it was read.
    pub title: Option<String>,
}

/// The result of one written record, in the order of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    pub record: Option<RecordId>,
    /// `created`, `updated`, `deleted`, `failed`.
    pub outcome: String,
    pub error: Option<Problem>,
}

impl Operations {
    /// A page of an object's records, newest first: the first without a cursor. `query` is HighLevel's own
    /// search over the searchable properties.
    pub async fn records(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
        _query: Option<&str>,
        _cursor: Option<&RecordCursor>,
        _limit: u32,
    ) -> Done<RecordList> {
        stub()
    }

    /// One record.
    pub async fn record(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
        _record: &RecordId,
    ) -> Done<Record> {
        stub()
    }

    /// Creates a record after checking the properties against the schema.
    pub async fn create_record(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
        _properties: &Properties,
    ) -> Done<Record> {
        stub()
    }

    /// Changes the given properties of a record; the others stay.
    pub async fn update_record(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
        _record: &RecordId,
        _properties: &Properties,
    ) -> Done<Record> {
        stub()
    }

    /// Deletes a record.
    pub async fn delete_record(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
        _record: &RecordId,
    ) -> Done<()> {
        stub()
    }

    /// Records and contacts linked with a record.
    pub async fn related(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
        _record: &RecordId,
    ) -> Done<Vec<RelatedRecord>> {
        stub()
    }
}
