//! All records of a search, page by page.

use super::{RecordCursor, RecordSearch, page};
use crate::highlevel::HighLevel;
use crate::model::{ObjectKey, Record, RecordId};
use crate::operations::Done;
use std::collections::HashSet;

/// A search on its way from its first page to its last. Rows shift while records change: one that comes twice is given once.
pub struct Walk {
    highlevel: HighLevel,
    object: ObjectKey,
    search: RecordSearch,
    /// One size for all pages: page 2 of another size begins elsewhere.
    size: u32,
    cursor: Option<RecordCursor>,
    known: HashSet<RecordId>,
    total: Option<u64>,
    over: bool,
}

impl Walk {
    pub(super) fn new(
        highlevel: HighLevel,
        object: ObjectKey,
        search: RecordSearch,
        size: u32,
    ) -> Self {
        Self {
            highlevel,
            object,
            search,
            size,
            cursor: None,
            known: HashSet::new(),
            total: None,
            over: false,
        }
    }

    /// Records there are, as HighLevel said last.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// True once the last page was given.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The records of the next page that were not given yet; `None` once the last page was given, or a page brought nothing
    /// new.
    ///
    /// # Errors
    /// The page cannot be read; asking again reads it again.
    pub async fn next(&mut self) -> Done<Option<Vec<Record>>> {
        if self.over {
            return Ok(None);
        }
        let found = page(
            &self.highlevel,
            &self.object,
            &self.search,
            self.cursor.as_ref(),
            self.size,
        )
        .await?;
        self.total = found.total.or(self.total);
        let fresh: Vec<Record> = found
            .records
            .into_iter()
            .filter(|record| self.known.insert(record.id.clone()))
            .collect();
        self.cursor = found.next;
        self.over = self.cursor.is_none() || fresh.is_empty();
        Ok((!fresh.is_empty()).then_some(fresh))
    }
}
