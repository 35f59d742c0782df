//! Lists, read whole: the one way for the account's lists and for those that belong to a contact.

use super::ActiveCampaign;
use super::wire::{loose, total};
use crate::http::{ApiError, Request, encode};
use crate::model::{ContactId, ErrorClass};
use serde_json::Value;
use std::collections::HashSet;

/// Rows of a page: the API's most (fact sheet §1.5).
pub(super) const PAGE: usize = 100;
/// Rows of a page of a server that does not listen to `limit` (fact sheet §1.5).
const DEFAULT_PAGE: usize = 20;

impl ActiveCampaign {
    /// Every row of a list over all its pages, each once. `key` is the list's name in the answer.
    ///
    /// A list that tells its total is read up to it. Whether the lists of a contact come in pages is not documented: one
    /// without a total ends with a page that is neither full nor of the API's default length, or that brings nothing new.
    ///
    /// # Errors
    /// As every call. A list that ends before its total is a transient error: taken for whole, a field or tag that is
    /// there would be taken for missing.
    pub(super) async fn pages(&self, path: &str, key: &str) -> Result<Vec<Value>, ApiError> {
        let mut rows: Vec<Value> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        loop {
            let glue = if path.contains('?') { '&' } else { '?' };
            let request = Request::get(format!("{path}{glue}limit={PAGE}&offset={}", rows.len()));
            let mut body: Value = self.transport.json(&request).await?;
            let total = total(&body);
            let Some(Value::Array(page)) = body.get_mut(key).map(Value::take) else {
                return Err(self.error(
                    ErrorClass::Transient,
                    format!("the answer has no list called {key}"),
                ));
            };
            let (got, before) = (page.len(), rows.len());
            rows.extend(page.into_iter().filter(|row| seen.insert(row_key(row))));
            let stuck = rows.len() == before;
            match total {
                Some(total) if rows.len() as u64 >= total => return Ok(rows),
                Some(total) if stuck => {
                    return Err(self.error(
                        ErrorClass::Transient,
                        format!(
                            "the list of {key} ended after {} of {total} rows",
                            rows.len()
                        ),
                    ));
                }
                None if stuck || (got < PAGE && got != DEFAULT_PAGE) => return Ok(rows),
                _ => {}
            }
        }
    }

    /// Every row of one part of a contact.
    ///
    /// # Errors
    /// As [`ActiveCampaign::pages`].
    pub(super) async fn rows_of(
        &self,
        contact: &ContactId,
        part: &str,
    ) -> Result<Vec<Value>, ApiError> {
        let path = format!("/contacts/{}/{part}", encode(contact.as_str()));
        self.pages(&path, part).await
    }
}

/// By what a row is known again.
fn row_key(row: &Value) -> String {
    match loose(row.get("id")) {
        id if id.is_empty() => row.to_string(),
        id => id,
    }
}
