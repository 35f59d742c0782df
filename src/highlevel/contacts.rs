//! HighLevel contacts, as far as a record's e-mail needs them (fact sheet §4).

use super::wire::{contact, count};
use super::{HighLevel, PageCursor, json};
use crate::http::{ApiError, Request, encode};
use crate::model::{ErrorClass, RelatedContact};
use serde_json::{Map, Value};

/// One page of contacts.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactPage {
    pub contacts: Vec<RelatedContact>,
    /// Number of contacts that match.
    pub total: Option<u64>,
    /// Where the next page begins; `None` behind the last.
    pub next: Option<PageCursor>,
}

impl HighLevel {
    /// One contact.
    ///
    /// # Errors
    /// As every call; `Missing` (also by way of 400) if it was deleted. Scope `contacts.readonly`.
    pub async fn contact(&self, id: &str) -> Result<RelatedContact, ApiError> {
        let request = Request::get(format!("/contacts/{}", encode(id)));
        let body: Value = self.transport.json(&request).await?;
        contact(body.get("contact").unwrap_or(&body))
            .ok_or_else(|| self.error(ErrorClass::Transient, "the answer holds no contact"))
    }

    /// One page of all contacts, `limit` rows long, or of those that `query` finds.
    ///
    /// # Errors
    /// As every call. Scope `contacts.readonly`.
    pub async fn contacts_search(
        &self,
        query: Option<&str>,
        cursor: &PageCursor,
        limit: u32,
    ) -> Result<ContactPage, ApiError> {
        let mut body = Map::new();
        body.insert("locationId".into(), self.inner.location_id.clone().into());
        body.insert("pageLimit".into(), limit.into());
        match cursor {
            PageCursor::Page(page) => body.insert("page".into(), (*page).into()),
            PageCursor::After(cursor) => {
                body.insert("searchAfter".into(), Value::Array(cursor.clone()))
            }
        };
        if let Some(query) = query {
            body.insert("query".into(), query.into());
        }
        let request = Request::query("/contacts/search", json(&Value::Object(body)));
        let answer: Value = self.transport.json(&request).await?;
        let rows = answer
            .get("contacts")
            .and_then(Value::as_array)
            .ok_or_else(|| {
                self.error(ErrorClass::Transient, "the answer has no list of contacts")
            })?;
        let behind_last = rows
            .last()
            .and_then(|row| row.get("searchAfter"))
            .and_then(Value::as_array)
            .filter(|cursor| !cursor.is_empty());
        let next = match (behind_last, cursor) {
            _ if rows.len() < limit as usize => None,
            (Some(after), _) => Some(PageCursor::After(after.clone())),
            (None, PageCursor::Page(page)) => Some(PageCursor::Page(page + 1)),
            (None, PageCursor::After(_)) => None,
        };
        Ok(ContactPage {
            contacts: rows.iter().filter_map(contact).collect(),
            total: count(answer.get("total")),
            next,
        })
    }
}
