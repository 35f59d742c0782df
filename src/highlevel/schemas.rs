//! Objects and their properties (fact sheet §2.3, §3.1).

use super::HighLevel;
use super::wire::{FieldsWire, ObjectEnvelope, ObjectsWire};
use crate::http::{ApiError, Request, encode};
use crate::model::{ObjectKey, ObjectSchema, Property};

impl HighLevel {
    /// All objects of the location, the standard ones among them, without properties.
    ///
    /// # Errors
    /// As every call; scope `objects/schema.readonly`.
    pub async fn objects(&self) -> Result<Vec<ObjectSchema>, ApiError> {
        // The specification has a slash at the end (§2.1).
        let request = Request::get(format!("/objects/?locationId={}", self.location()));
        let wire: ObjectsWire = self.transport.json(&request).await?;
        Ok(wire
            .objects
            .into_iter()
            .map(super::wire::ObjectWire::into_schema)
            .collect())
    }

    /// One object with its properties.
    ///
    /// # Errors
    /// As every call; `Missing` if there is no such object.
    pub async fn object(&self, key: &ObjectKey) -> Result<ObjectSchema, ApiError> {
        let request = Request::get(format!(
            "/objects/{}?locationId={}&fetchProperties=true",
            encode(key.as_str()),
            self.location()
        ));
        let wire: ObjectEnvelope = self.transport.json(&request).await?;
        let mut schema = wire.object.into_schema();
        schema.properties = wire
            .fields
            .unwrap_or_default()
            .into_iter()
            .filter_map(|field| field.into_property(&schema.key))
            .collect();
        let has_fields_of_its_own =
            schema.key.as_str().starts_with("custom_objects.") || schema.key.as_str() == "business";
        if schema.properties.is_empty() && has_fields_of_its_own {
            schema.properties = self.custom_fields(&schema.key).await?;
        }
        Ok(schema)
    }

    /// The properties of a custom object or of `business`.
    ///
    /// # Errors
    /// As every call; scope `locations/customFields.readonly`.
    pub async fn custom_fields(&self, key: &ObjectKey) -> Result<Vec<Property>, ApiError> {
        let request = Request::get(format!(
            "/custom-fields/object-key/{}?locationId={}",
            encode(key.as_str()),
            self.location()
        ));
        let wire: FieldsWire = self.transport.json(&request).await?;
        Ok(wire
            .fields
            .into_iter()
            .filter_map(|field| field.into_property(key))
            .collect())
    }

    /// The location, fit for a query.
    pub(super) fn location(&self) -> String {
        encode(&self.inner.location_id)
    }
}
