//! A walk over the records of an object for those who only look: polling, and the daily reconcile.

use super::Account;
use super::export::pages::{PageEnd, Position, Walk as Stage};
use super::plan::version;
use crate::highlevel::{Order, PageCursor, Search};
use crate::http::ApiError;
use crate::model::{ObjectKey, Record, RecordId};
use std::collections::HashSet;

/// A walk from the record updated last to the oldest, as far as the server sorts.
pub struct Walk {
    account: Account,
    object: ObjectKey,
    position: Position,
    seen: HashSet<RecordId>,
    /// Ends with the first walk, however many records were met.
    once: bool,
}

impl Walk {
    /// A walk that looks again at what may have moved past it, until every record was met.
    pub fn whole(account: &Account, object: &ObjectKey, sorted: bool) -> Self {
        let mut position = Position::default();
        if !sorted {
            position.sort = false;
            position.ordered = false;
        }
        Self {
            account: account.clone(),
            object: object.clone(),
            position,
            seen: HashSet::new(),
            once: false,
        }
    }

    /// A walk that goes down once, as far as it is asked to.
    pub fn once(account: &Account, object: &ObjectKey, sorted: bool) -> Self {
        Self {
            once: true,
            ..Self::whole(account, object, sorted)
        }
    }

    /// The next records, those met before included; `None` behind the last.
    ///
    /// # Errors
    /// As every call. The same page is asked for again by the next call.
    pub async fn next(&mut self) -> Result<Option<Vec<Record>>, ApiError> {
        if self.position.walk == Stage::Done {
            return Ok(None);
        }
        let page = loop {
            let search = self.position.search();
            match self.account.highlevel.search(&self.object, &search).await {
                Ok(page) => break page,
                Err(error) if self.position.give_way(error.class, error.field.as_deref()) => {}
                Err(error) => return Err(error),
            }
        };
        self.position.look(&page.records);
        let ids = page.records.iter().map(|record| record.id.clone());
        self.seen.extend(ids);
        self.position.advance(PageEnd::of(&page), false);
        if !self.once {
            self.position.settle(self.seen.len() as u64);
        } else if self.position.walk != Stage::First {
            self.position.finish();
        }
        Ok(Some(page.records))
    }

    /// Records that the object holds, if a page said so.
    pub fn total(&self) -> Option<u64> {
        self.position.total
    }

    /// True while every record came after a newer one: what follows is older still.
    pub fn is_ordered(&self) -> bool {
        self.position.sort && self.position.ordered
    }

    /// Ends the walk: nothing further is wanted.
    pub fn finish(&mut self) {
        self.position.finish();
    }

    /// The records met so far.
    pub fn seen(&self) -> &HashSet<RecordId> {
        &self.seen
    }

    /// True if the walk met every record that the object was said to hold.
    pub fn is_complete(&self) -> bool {
        self.position.walk == Stage::Done && self.position.is_whole(self.seen.len() as u64)
    }
}

/// True if the server sorts a search by `updatedAt`. One that ignores `sort` could look as if it did, as long as nothing
/// changes: so both ends are asked for.
///
/// # Errors
/// As every call.
pub async fn honours_sort(account: &Account, object: &ObjectKey) -> Result<bool, ApiError> {
    let mut ends = Vec::with_capacity(2);
    for order in [Order::Desc, Order::Asc] {
        let search = Search {
            page: PageCursor::Page(1),
            limit: 1,
            sort: Some(("updatedAt".to_owned(), order)),
            ..Search::default()
        };
        match account.highlevel.search(object, &search).await {
            Ok(page) => ends.push(page.records.into_iter().next()),
            Err(error) if error.field.as_deref() == Some("sort") => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(match (&ends[0], &ends[1]) {
        (Some(newest), Some(oldest)) => version(newest) > version(oldest),
        // One that is empty is read whole in any order.
        _ => false,
    })
}
