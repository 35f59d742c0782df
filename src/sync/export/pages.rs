//! Where reading stands, and where it goes on (sync.md, Bulk export).

use crate::highlevel::{Order, PageCursor, Search};
use crate::model::{Record, RecordPage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rows of a page: what is known to work (fact sheet §2.7).
pub const PAGE: u32 = 100;
/// Page mode reaches so many rows in the sibling search; beyond them the cursor is needed.
const PAGE_REACH: u32 = 10_000;

/// Which walk through the records is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Walk {
    First,
    /// The head once more: what changed since the run began.
    Head,
    /// Everything once more, because fewer records were seen than the object holds.
    Again,
    Done,
}

/// What of a page decides where reading goes on.
pub struct PageEnd {
    pub rows: usize,
    total: Option<u64>,
    after: Option<Vec<Value>>,
}

impl PageEnd {
    /// The end of a page.
    pub fn of(page: &RecordPage) -> Self {
        Self {
            rows: page.records.len(),
            total: page.total,
            after: page
                .records
                .last()
                .and_then(|record| record.search_after.clone()),
        }
    }
}

/// Where reading stands; kept in the store with each page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub walk: Walk,
    cursor: PageCursor,
    /// False once the server refused to sort.
    pub sort: bool,
    /// False once rows came in another order than newest first.
    pub ordered: bool,
    /// Rows of this walk so far, repeats included.
    rows: u64,
    /// Pages in a row that brought nothing new.
    stale: u32,
    /// The cursor of the last row, to go on with where page mode ends.
    after: Option<Vec<Value>>,
    /// The oldest version seen in this walk, in microseconds.
    last: Option<i64>,
    /// The newest version at the run's start: the head is read again down to it.
    head: Option<i64>,
    /// A second walk was made.
    again: bool,
    pub total: Option<u64>,
}

impl Default for Position {
    fn default() -> Self {
        Self {
            walk: Walk::First,
            cursor: PageCursor::Page(1),
            sort: true,
            ordered: true,
            rows: 0,
            stale: 0,
            after: None,
            last: None,
            head: None,
            again: false,
            total: None,
        }
    }
}

impl Position {
    /// The search that brings the next page.
    pub fn search(&self) -> Search {
        Search {
            query: None,
            page: self.cursor.clone(),
            limit: PAGE,
            sort: self.sort.then(|| ("updatedAt".to_owned(), Order::Desc)),
            filters: None,
        }
    }

    /// For people.
    pub fn checkpoint(&self) -> String {
        let walk = match self.walk {
            Walk::First => "",
            Walk::Head => "head again, ",
            Walk::Again => "second walk, ",
            Walk::Done => return "all read".into(),
        };
        match &self.cursor {
            PageCursor::Page(page) => format!("{walk}page {page}"),
            PageCursor::After(after) => {
                let id = after.last().and_then(Value::as_str).unwrap_or("?");
                format!("{walk}after {id}")
            }
        }
    }

    /// Notes whether the rows come newest first, before the page is planned.
    pub fn look(&mut self, records: &[Record]) {
        for record in records {
            let version = super::super::plan::version(record);
            if self.last.is_some_and(|last| version > last) && self.walk != Walk::Head {
                self.ordered = false;
            }
            self.last = Some(version);
            if self.walk == Walk::First && self.rows == 0 {
                self.head = self.head.max(Some(version));
            }
        }
    }

    /// Goes on behind a page. `fresh` is the number of its records that were new to the run; `enough` says
    /// that nothing behind this page is wanted.
    pub fn advance(&mut self, page: PageEnd, fresh: usize, enough: bool) {
        let count = page.rows;
        self.rows += count as u64;
        self.total = page.total.or(self.total);
        self.stale = if fresh == 0 { self.stale + 1 } else { 0 };
        self.after = page.after.or(self.after.take());
        let all = self.total.is_some_and(|total| self.rows >= total);
        let short = self.total.is_none() && count < PAGE as usize;
        // The head ends where the state at the run's start begins.
        let down = self.walk == Walk::Head && self.last <= self.head;
        if enough || down || short || all {
            self.end_walk();
        } else if count == 0 || self.stale >= 2 {
            // Page mode may have come to its end before the rows did.
            match (&self.cursor, self.after.clone()) {
                (PageCursor::Page(_), Some(after)) if !all => {
                    self.cursor = PageCursor::After(after);
                    self.stale = 0;
                }
                _ => self.end_walk(),
            }
        } else {
            self.cursor = match (&self.cursor, self.after.clone()) {
                (PageCursor::Page(page), after) => {
                    let next = page + 1;
                    match after {
                        Some(after) if next.saturating_mul(PAGE) > PAGE_REACH => {
                            PageCursor::After(after)
                        }
                        _ => PageCursor::Page(next),
                    }
                }
                (PageCursor::After(_), Some(after)) => PageCursor::After(after),
                (PageCursor::After(_), None) => return self.end_walk(),
            };
        }
    }

    fn end_walk(&mut self) {
        // Without an order there is no head to read again, but the walk may have missed what moved.
        self.walk = match self.walk {
            Walk::First if self.sort && self.ordered => Walk::Head,
            Walk::First => Walk::Again,
            Walk::Head | Walk::Again | Walk::Done => Walk::Done,
        };
        self.cursor = PageCursor::Page(1);
        self.rows = 0;
        self.stale = 0;
        self.after = None;
        self.last = None;
    }

    /// At the end of a walk: one more, once, if fewer records were seen than the object holds.
    pub fn settle(&mut self, seen: u64) {
        let short = self.total.is_some_and(|total| seen < total);
        self.walk = match self.walk {
            Walk::Again if !short && self.rows == 0 => Walk::Done,
            Walk::Done if short && !self.again => Walk::Again,
            walk => walk,
        };
        self.again |= self.walk == Walk::Again;
    }

    /// Nothing is left to be read.
    pub fn finish(&mut self) {
        self.walk = Walk::Done;
    }
}

/// True if the record is older than what was asked for.
pub fn too_old(record: &Record, since: Option<Timestamp>) -> bool {
    matches!((since, record.updated_at), (Some(since), Some(at)) if at < since)
}
