//! Mappings: what they say, what is wrong with them, what they make of a record.

use super::{Done, Operations, stub};
use crate::model::view::{Preview, SyncResult};
use crate::model::{
    ConnectionName, DataType, FieldKind, Finding, Level, MappingName, ObjectKey, Record, RecordId,
};
use serde::{Deserialize, Serialize};

/// A mapping as config.toml gives it, without asking either API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingSummary {
    pub name: MappingName,
    pub connection: ConnectionName,
    pub object: ObjectKey,
    /// `owner_email`, or `association pet_owner`.
    pub email: String,
    pub fields: usize,
    pub rules: Vec<String>,
    pub schedule: Option<String>,
    pub enabled: bool,
}

/// One line between a record field and a contact field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingLine {
    /// The record field, or the template's text.
    pub source: String,
    /// `None` for a template or an unknown field.
    pub source_type: Option<DataType>,
    /// True where the value passes a template, `map`, `default` or another transform.
    pub transform: bool,
    /// The contact field as config.toml names it.
    pub target: String,
    /// `None` for a built-in field or an unknown one.
    pub target_type: Option<FieldKind>,
    pub builtin: bool,
    /// The worst finding about this line.
    pub problem: Option<(Level, String)>,
}

/// A mapping held against both live schemas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingDetail {
    pub summary: MappingSummary,
    pub lines: Vec<MappingLine>,
    pub findings: Vec<Finding>,
}

/// A pair of fields that seem to belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuggestedPair {
    pub field: String,
    pub from: String,
    /// 0 to 1.
    pub score: f64,
    pub reason: String,
}

impl Operations {
    /// All mappings of config.toml, by name.
    pub fn mappings(&self) -> Vec<MappingSummary> {
        stub()
    }

    /// A mapping's lines and findings, against both live schemas (read once and kept).
    pub async fn mapping_detail(&self, _mapping: &MappingName) -> Done<MappingDetail> {
        stub()
    }

    /// The first records of the mapping's object, newest first, for live samples.
    pub async fn mapping_samples(&self, _mapping: &MappingName, _limit: u32) -> Done<Vec<Record>> {
        stub()
    }

    /// What the mapping makes of a record that is at hand; the contact is not looked up unless
    /// `with_contact`.
    pub async fn preview_record(
        &self,
        _mapping: &MappingName,
        _record: Record,
        _with_contact: bool,
    ) -> Done<Preview> {
        stub()
    }

    /// What the mapping makes of a record, read now, beside its contact, read now. Writes nothing.
    pub async fn preview(&self, _mapping: &MappingName, _record: &RecordId) -> Done<Preview> {
        stub()
    }

    /// Pairs that could be added to a mapping.
    pub async fn suggest(&self, _mapping: &MappingName) -> Done<Vec<SuggestedPair>> {
        stub()
    }

    /// Syncs records now and waits for the results, in the order asked for. `dry_run` writes nothing.
    pub async fn sync(
        &self,
        _mapping: &MappingName,
        _records: &[RecordId],
        _dry_run: bool,
    ) -> Done<Vec<SyncResult>> {
        stub()
    }

    /// Checks configuration, credentials, scopes, limits, clock skew and all mappings.
    pub async fn check(&self) -> Vec<Finding> {
        stub()
    }
}
