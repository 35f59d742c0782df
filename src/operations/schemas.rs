//! Objects and contact fields.

use super::{Done, Operations, stub};
use crate::model::{ConnectionName, ContactField, ObjectKey, ObjectSchema};

/// An object with the number of its records.
#[derive(Clone, Debug)]
pub struct SchemaSummary {
    /// Without properties; read them with [`Operations::schema`].
    pub schema: ObjectSchema,
    /// `None` for objects whose records cannot be searched (contact, opportunity).
    pub records: Option<u64>,
}

impl Operations {
    /// All objects: custom ones first, then the standard ones. Costs one call, and one more for each
    /// object whose records are counted when `with_totals`.
    pub async fn schemas(
        &self,
        _connection: &ConnectionName,
        _with_totals: bool,
    ) -> Done<Vec<SchemaSummary>> {
        stub()
    }

    /// One object with its properties.
    pub async fn schema(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
    ) -> Done<ObjectSchema> {
        stub()
    }

    /// All contact fields of the ActiveCampaign account.
    pub async fn contact_fields(&self, _connection: &ConnectionName) -> Done<Vec<ContactField>> {
        stub()
    }

    /// Where an object's properties go: pairs of property key and contact field name, over all mappings.
    pub fn mapped_to(
        &self,
        _connection: &ConnectionName,
        _object: &ObjectKey,
    ) -> Vec<(String, String)> {
        stub()
    }
}
