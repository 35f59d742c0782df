//! Where reading stands, and where it goes on (sync.md, Bulk export).

use crate::highlevel::{Order, PAGE_REACH, PageCursor, Search};
use crate::model::{ErrorClass, Record, RecordId, RecordPage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rows of a page: what is known to work (fact sheet §2.7).
pub const PAGE: u32 = 100;
/// A server that refuses this few rows a page refuses something else.
const SMALLEST_PAGE: u32 = 10;

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
#[derive(Clone)]
pub struct PageEnd {
    pub ids: Vec<RecordId>,
    pub total: Option<u64>,
    after: Option<Vec<Value>>,
}

impl PageEnd {
    /// The end of a page.
    pub fn of(page: &RecordPage) -> Self {
        let last = page.records.last();
        Self {
            ids: page
                .records
                .iter()
                .map(|record| record.id.clone())
                .collect(),
            total: page.total,
            after: last.and_then(|record| record.search_after.clone()),
        }
    }
}

/// Where reading stands; kept in the store with each page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub walk: Walk,
    /// The number of the page that is to be read, over all walks of the run.
    #[serde(default)]
    pub place: u64,
    cursor: PageCursor,
    /// Rows asked for in one page.
    limit: u32,
    /// False once the server refused to sort.
    pub sort: bool,
    /// False once rows came in another order than newest first.
    pub ordered: bool,
    /// Rows of this walk so far; what a page repeats of the one before, because rows shifted, is not counted.
    rows: u64,
    /// The ids of the page before: a page that only repeats them means that the walk does not move on.
    before: Vec<RecordId>,
    /// The cursor of the last row, to go on with where page mode ends.
    after: Option<Vec<Value>>,
    /// The oldest version seen in this walk, in microseconds.
    last: Option<i64>,
    /// The newest version at the run's start: the head is read again down to it.
    head: Option<i64>,
    /// A second walk was made.
    again: bool,
    pub total: Option<u64>,
    /// The most records the object was said to hold during the run: a deletion moves rows past the walk.
    most: Option<u64>,
}

impl Default for Position {
    fn default() -> Self {
        Self {
            walk: Walk::First,
            place: 1,
            cursor: PageCursor::Page(1),
            limit: PAGE,
            sort: true,
            ordered: true,
            rows: 0,
            before: Vec::new(),
            after: None,
            last: None,
            head: None,
            again: false,
            total: None,
            most: None,
        }
    }
}

impl Position {
    /// The search that brings the next page.
    pub fn search(&self) -> Search {
        Search {
            query: None,
            page: self.cursor.clone(),
            limit: self.limit,
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

    /// Asks in another way from now on, if a refusal of the search allows for one: sorting and long pages are no promise of
    /// the server's, and how far page mode reaches is known for the sibling search only (fact sheet §2.7).
    pub fn give_way(&mut self, class: ErrorClass, field: Option<&str>) -> bool {
        match field {
            // Without sorting the plan waits for the last page.
            Some("sort") if self.sort => {
                self.sort = false;
                self.ordered = false;
                true
            }
            Some("pageLimit") if self.shorten() => true,
            _ => class == ErrorClass::Invalid && self.leave_page_mode(),
        }
    }

    /// Page mode came to its end before the rows did: goes on behind the last row, where that is known.
    fn leave_page_mode(&mut self) -> bool {
        match (&self.cursor, self.after.clone()) {
            (PageCursor::Page(page), Some(after)) if *page > 1 => {
                self.cursor = PageCursor::After(after);
                true
            }
            _ => false,
        }
    }

    /// Asks for half as many rows a page from now on; false if they are few already.
    fn shorten(&mut self) -> bool {
        if self.limit / 2 < SMALLEST_PAGE {
            return false;
        }
        self.limit /= 2;
        if let PageCursor::Page(page) = &mut self.cursor {
            *page = page.saturating_sub(1).saturating_mul(2) + 1;
        }
        true
    }

    /// Goes on behind a page; `enough` says that nothing behind this page is wanted.
    pub fn advance(&mut self, page: PageEnd, enough: bool) {
        self.place += 1;
        let count = page.ids.len();
        let repeated = |id: &&RecordId| self.before.contains(id);
        let new = count - page.ids.iter().filter(repeated).count();
        self.rows += new as u64;
        self.total = page.total.or(self.total);
        self.most = self.most.max(page.total);
        let stuck = new == 0;
        self.before = page.ids;
        self.after = page.after.or(self.after.take());
        // Search engines cap their totals; a full page at the cap may have others behind it.
        let capped = self.total == Some(u64::from(PAGE_REACH)) && count >= self.limit as usize;
        let all = self.total.is_some_and(|total| self.rows >= total) && !capped;
        let short = self.total.is_none() && count < self.limit as usize;
        // The head ends where the state at the run's start begins.
        let down = self.walk == Walk::Head && self.last <= self.head;
        if enough || down || short || all {
            self.end_walk();
        } else if stuck {
            if !self.leave_page_mode() {
                self.end_walk();
            }
        } else {
            self.cursor = match (&self.cursor, self.after.clone()) {
                (PageCursor::Page(page), after) => {
                    let next = page + 1;
                    match after {
                        Some(after) if next.saturating_mul(self.limit) > PAGE_REACH => {
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
        self.before = Vec::new();
        self.after = None;
        self.last = None;
    }

    /// At the end of a walk: one more, once, if fewer records were seen than the object holds.
    pub fn settle(&mut self, seen: u64) {
        let short = self.most.is_some_and(|most| seen < most);
        self.walk = match self.walk {
            Walk::Again if !short && self.rows == 0 => Walk::Done,
            Walk::Done if short && !self.again => Walk::Again,
            walk => walk,
        };
        self.again |= self.walk == Walk::Again;
    }

    /// Records that HighLevel counts and no walk has met.
    pub fn missing(&self, seen: u64) -> u64 {
        self.most.unwrap_or(0).saturating_sub(seen)
    }

    /// True if so many distinct records are all that the object was said to hold.
    pub fn is_whole(&self, seen: u64) -> bool {
        self.most.is_none_or(|most| seen >= most)
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
