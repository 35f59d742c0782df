//! Associations and relations: from a record to its contact (fact sheet §3.2, §3.3).

use super::HighLevel;
use super::wire::{association, count, relation};
use crate::http::{ApiError, Request, encode};
use crate::model::{Association, ErrorClass, ObjectKey, RecordId, Relation};
use serde_json::Value;
use std::collections::HashSet;

/// Rows per page.
const PAGE: usize = 100;

impl HighLevel {
    /// All association definitions of the location.
    ///
    /// # Errors
    /// As every call; scope `associations.readonly`.
    pub async fn associations(&self) -> Result<Vec<Association>, ApiError> {
        let mut all: Vec<Association> = Vec::new();
        loop {
            let path = format!(
                "/associations/?locationId={}&skip={}&limit={PAGE}",
                self.location(),
                all.len()
            );
            let body: Value = self.transport.json(&Request::get(path)).await?;
            let page = associations_in(&body);
            let known: HashSet<_> = all.iter().map(|one| one.id.clone()).collect();
            let before = all.len();
            all.extend(page.into_iter().filter(|one| !known.contains(&one.id)));
            let rows = all.len() - before;
            let whole =
                count(body.get("total")).map_or(rows < PAGE, |total| all.len() as u64 >= total);
            if rows == 0 || whole {
                return Ok(all);
            }
        }
    }

    /// The definitions in which an object takes part.
    ///
    /// # Errors
    /// As every call.
    pub async fn associations_of(&self, object: &ObjectKey) -> Result<Vec<Association>, ApiError> {
        let path = format!(
            "/associations/objectKey/{}?locationId={}",
            encode(object.as_str()),
            self.location()
        );
        let body: Value = self.transport.json(&Request::get(path)).await?;
        Ok(associations_in(&body))
    }

    /// All links of a record (or of a contact), seen from it.
    ///
    /// # Errors
    /// As every call; scope `associations/relation.readonly`.
    pub async fn relations(&self, record: &RecordId) -> Result<Vec<Relation>, ApiError> {
        let mut all: Vec<Relation> = Vec::new();
        let mut seen = HashSet::new();
        let mut skip = 0;
        loop {
            let path = format!(
                "/associations/relations/{}?locationId={}&skip={skip}&limit={PAGE}",
                encode(record.as_str()),
                self.location()
            );
            let body: Value = self.transport.json(&Request::get(path)).await?;
            let rows = body
                .get("relations")
                .and_then(Value::as_array)
                .ok_or_else(|| {
                    self.error(ErrorClass::Transient, "the answer has no list of relations")
                })?;
            let before = all.len();
            for found in rows.iter().filter_map(|row| relation(row, record)) {
                if seen.insert((
                    found.id.clone(),
                    found.association.clone(),
                    found.other_record.clone(),
                )) {
                    all.push(found);
                }
            }
            skip += rows.len();
            let whole =
                count(body.get("total")).map_or(rows.len() < PAGE, |total| skip as u64 >= total);
            // A server that ignores `skip` would give the same rows for ever.
            if whole || all.len() == before {
                return Ok(all);
            }
        }
    }
}

/// The definitions in an answer: a list by what servers do, a single one by the specification.
fn associations_in(body: &Value) -> Vec<Association> {
    match body.get("associations") {
        Some(Value::Array(items)) => items.iter().filter_map(association).collect(),
        _ => body
            .get("association")
            .and_then(association)
            .or_else(|| association(body))
            .into_iter()
            .collect(),
    }
}
