//! Searching records (fact sheet §2.7). The sheet leaves open whether `page` is wanted or refused beside
//! `searchAfter`, and which fields are required: the client asks in the plain way, takes the server's word
//! for what it misses, and remembers it.

use super::wire::{SearchWire, count};
use super::{HighLevel, json};
use crate::http::{Answer, ApiError, Request, encode};
use crate::model::{ErrorClass, ObjectKey, RecordPage};
use serde_json::{Map, Value, json as value};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum PageCursor {
    /// A page by number, from 1. It reaches about 10,000 rows.
    Page(u32),
    /// Behind the row that carried this `searchAfter`; has no end.
    After(Vec<Value>),
}

/// Which way a search is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Asc,
    Desc,
}

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Looked for in the object's searchable properties.
    pub query: Option<String>,
    pub page: PageCursor,
    /// Rows per page; 100 is what is known to work.
    pub limit: u32,
    /// Field and direction, such as `updatedAt` descending.
    pub sort: Option<(String, Order)>,
    /// The API's filter items, as they are.
    pub filters: Option<Value>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            query: None,
            page: PageCursor::Page(1),
            limit: 100,
            sort: None,
            filters: None,
        }
    }
}

/// What this server wants beyond the plain way.
#[derive(Default)]
pub(super) struct Habits {
    page_beside_cursor: AtomicBool,
    query: AtomicBool,
    cursor_beside_page: AtomicBool,
}

impl HighLevel {
    /// One page of records.
    ///
    /// # Errors
    /// As every call. Where the server refuses to sort, `field` is `sort`: go on without.
    pub async fn search(
        &self,
        object: &ObjectKey,
        search: &Search,
    ) -> Result<RecordPage, ApiError> {
        let found = self.found(object, search, Answer::json::<SearchWire>);
        Ok(found.await?.into_page(object))
    }

    /// As [`HighLevel::search`], with the answer as it came, from which [`HighLevel::page_of`] makes the page again.
    ///
    /// # Errors
    /// As [`HighLevel::search`].
    pub async fn search_text(
        &self,
        object: &ObjectKey,
        search: &Search,
    ) -> Result<(RecordPage, String), ApiError> {
        let found = self.found(object, search, |answer| {
            let wire: SearchWire = answer.json()?;
            Ok((wire, String::from_utf8_lossy(&answer.body).into_owned()))
        });
        let (wire, text) = found.await?;
        Ok((wire.into_page(object), text))
    }

    /// The page of an answer that was kept.
    ///
    /// # Errors
    /// The text is no answer of a search.
    pub fn page_of(object: &ObjectKey, text: &str) -> Result<RecordPage, serde_json::Error> {
        Ok(serde_json::from_str::<SearchWire>(text)?.into_page(object))
    }

    async fn found<T>(
        &self,
        object: &ObjectKey,
        search: &Search,
        decode: impl Fn(&Answer) -> Result<T, String>,
    ) -> Result<T, ApiError> {
        let path = format!("/objects/{}/records/search", encode(object.as_str()));
        let habits = &self.inner.habits;
        // Each of the three habits can be learned once in one call.
        let mut lessons = 3;
        loop {
            let request = Request::query(&path, json(&self.search_body(search)));
            let mut error = match self.transport.call(&request, &decode).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let refused =
                error.class == ErrorClass::Invalid && matches!(error.status, Some(400 | 422));
            let learned = refused && lessons > 0 && habits.learn(&error.message, search);
            if !learned {
                if refused && search.sort.is_some() && names(&error.message, "sort") {
                    error.field = Some("sort".to_owned());
                }
                return Err(error);
            }
            lessons -= 1;
        }
    }

    fn search_body(&self, search: &Search) -> Value {
        let habits = &self.inner.habits;
        let mut body = Map::new();
        body.insert("locationId".into(), self.inner.location_id.clone().into());
        body.insert("pageLimit".into(), search.limit.into());
        match &search.page {
            PageCursor::Page(page) => {
                body.insert("page".into(), (*page).into());
                if habits.cursor_beside_page.load(Ordering::Relaxed) {
                    body.insert("searchAfter".into(), Value::Array(Vec::new()));
                }
            }
            PageCursor::After(cursor) => {
                if habits.page_beside_cursor.load(Ordering::Relaxed) {
                    body.insert("page".into(), 1.into());
                }
                body.insert("searchAfter".into(), Value::Array(cursor.clone()));
            }
        }
        match &search.query {
            Some(query) => {
                body.insert("query".into(), query.clone().into());
            }
            None if habits.query.load(Ordering::Relaxed) => {
                body.insert("query".into(), "".into());
            }
            None => {}
        }
        if let Some((field, order)) = &search.sort {
            let direction = match order {
                Order::Asc => "asc",
                Order::Desc => "desc",
            };
            body.insert(
                "sort".into(),
                value!([{ "field": field, "direction": direction }]),
            );
        }
        if let Some(filters) = &search.filters {
            body.insert("filters".into(), filters.clone());
        }
        Value::Object(body)
    }
}

impl SearchWire {
    fn into_page(self, object: &ObjectKey) -> RecordPage {
        RecordPage {
            total: count(self.total.as_ref()),
            records: self
                .records
                .into_iter()
                .map(|record| record.into_record(object))
                .collect(),
        }
    }
}

impl Habits {
    /// Takes a refusal for a habit to adopt or to drop. False if it names none.
    fn learn(&self, message: &str, search: &Search) -> bool {
        let by_cursor = matches!(search.page, PageCursor::After(_));
        // The opposite habit is dropped again if the server turns out to refuse what it seemed to want.
        if by_cursor && names(message, "page") {
            let sent = self.page_beside_cursor.load(Ordering::Relaxed);
            self.page_beside_cursor.store(!sent, Ordering::Relaxed);
            return true;
        }
        if !by_cursor && names(message, "searchAfter") {
            let sent = self.cursor_beside_page.load(Ordering::Relaxed);
            self.cursor_beside_page.store(!sent, Ordering::Relaxed);
            return true;
        }
        if search.query.is_none() && names(message, "query") {
            let sent = self.query.load(Ordering::Relaxed);
            self.query.store(!sent, Ordering::Relaxed);
            return true;
        }
        false
    }
}

/// True if a message names a field as a word of its own.
fn names(message: &str, field: &str) -> bool {
    message
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word.eq_ignore_ascii_case(field))
}
