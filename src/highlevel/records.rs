//! Single records. `locationId` belongs into the body of a create, into the query of an update, and
//! nowhere into a read or a delete; elsewhere it is a 422 (fact sheet §2.1, §7.5).

use super::wire::RecordEnvelope;
use super::{HighLevel, json};
use crate::http::{ApiError, Request, encode};
use crate::model::{ErrorClass, ObjectKey, Properties, Record, RecordId};
use reqwest::Method;
use serde_json::{Value, json as object};
use std::sync::atomic::Ordering;

impl HighLevel {
    /// One record.
    ///
    /// # Errors
    /// As every call; `Missing` if it is gone.
    pub async fn record(&self, object: &ObjectKey, id: &RecordId) -> Result<Record, ApiError> {
        let learned = &self.inner.record_wants_location;
        let with_location = learned.load(Ordering::Relaxed);
        match self.read_record(object, id, with_location).await {
            // "Custom Object (…) not found" may only mean that the location is wanted (§2.8).
            Err(error)
                if !with_location
                    && error.class == ErrorClass::Missing
                    && error.message.starts_with("Custom Object") =>
            {
                match self.read_record(object, id, true).await {
                    Ok(record) => {
                        learned.store(true, Ordering::Relaxed);
                        Ok(record)
                    }
                    // It is gone either way, or the location is refused here and the first answer stands.
                    Err(second)
                        if second.class == ErrorClass::Missing
                            || (second.class == ErrorClass::Invalid
                                && second.status == Some(422)) =>
                    {
                        Err(error)
                    }
                    // Anything else says nothing about the record, and a missing one is taken for deleted.
                    Err(second) => Err(second),
                }
            }
            result => result,
        }
    }

    async fn read_record(
        &self,
        object: &ObjectKey,
        id: &RecordId,
        with_location: bool,
    ) -> Result<Record, ApiError> {
        let mut path = record_path(object, Some(id));
        if with_location {
            path.push_str("?locationId=");
            path.push_str(&self.location());
        }
        let wire: RecordEnvelope = self.transport.json(&Request::get(path)).await?;
        Ok(wire.record.into_record(object))
    }

    /// Creates a record. `owners` holds at most one user id.
    ///
    /// # Errors
    /// As every call. A create is not repeatable: an `ambiguous` error may have made the record, and so
    /// may a 422 (§7.13): look before trying again.
    pub async fn create_record(
        &self,
        object: &ObjectKey,
        properties: &Properties,
        owners: &[String],
    ) -> Result<Record, ApiError> {
        let mut body = object!({ "locationId": self.inner.location_id, "properties": properties });
        if !owners.is_empty() {
            body["owners"] = owners.into();
        }
        let path = record_path(object, None);
        self.write_record(object, Method::POST, path, &body).await
    }

    /// Changes the given properties of a record.
    ///
    /// # Errors
    /// As every call; `Missing` if the record or the object is gone.
    pub async fn update_record(
        &self,
        object: &ObjectKey,
        id: &RecordId,
        properties: &Properties,
    ) -> Result<Record, ApiError> {
        let path = format!(
            "{}?locationId={}",
            record_path(object, Some(id)),
            self.location()
        );
        let body = object!({ "properties": properties });
        self.write_record(object, Method::PUT, path, &body).await
    }

    async fn write_record(
        &self,
        object: &ObjectKey,
        method: Method,
        path: String,
        body: &Value,
    ) -> Result<Record, ApiError> {
        let request = Request::write(method, path, Some(json(body)));
        let wire: RecordEnvelope = self.transport.json(&request).await?;
        Ok(wire.record.into_record(object))
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// As every call; `Missing` if it is gone already.
    pub async fn delete_record(&self, object: &ObjectKey, id: &RecordId) -> Result<(), ApiError> {
        let request = Request::write(Method::DELETE, record_path(object, Some(id)), None);
        self.transport.call(&request, |_| Ok(())).await
    }
}

/// `/objects/KEY/records[/ID]`.
fn record_path(object: &ObjectKey, id: Option<&RecordId>) -> String {
    let mut path = format!("/objects/{}/records", encode(object.as_str()));
    if let Some(id) = id {
        path.push('/');
        path.push_str(&encode(id.as_str()));
    }
    path
}
