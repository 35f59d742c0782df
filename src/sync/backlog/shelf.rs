//! Records read ahead: search pages sorted by `updatedAt`, kept for the bulks to come, so that a backlog of 10,000 changes
//! costs about a hundred pages in place of as many reads.

use super::super::job::Desk;
use super::super::plan::version;
use super::super::related::ContactBook;
use super::super::walk::Walk;
use crate::http::ApiError;
use crate::model::{AssociationId, ObjectKey, Record, RecordId, RelatedContact};
use crate::store::{BACKLOG, Change, Claim};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Most records kept, and most bytes of them.
const ROWS: usize = 10_000;
const BYTES: usize = 32 << 20;
/// How long a record is kept.
const KEPT: Duration = Duration::from_secs(600);
/// The search's index lags: a row may be older than the event by so much, in microseconds (sync.md).
const LAG: i64 = 1_000_000;
/// The index has every change of a record so long after we were told of it, whatever the times say: "a few seconds" are
/// stated of a sibling's (fact sheet §2.7). Whoever goes by this reads some of the records by id all the same.
const SETTLED: Duration = Duration::from_secs(15);
/// Fewer records than this are read by id.
const WORTH_A_PAGE: usize = 3;
/// One page for so many jobs that wait, and two more: beyond that the records stand too deep, and are read by id.
const JOBS_A_PAGE: u64 = 25;
/// How long a server is believed not to sort.
const UNSORTED: Duration = Duration::from_secs(600);

/// Which rows of the index are believed to show what a job is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// Those that are as new as the change.
    Version,
    /// Those that were asked for [`SETTLED`] after we were told of the change: an announcement may be much later than the
    /// change itself, and then no row is as new as it says.
    Time,
}

impl Belief {
    /// From when on a page may show a change.
    fn from(self, change: &Change) -> Timestamp {
        match self {
            Self::Version => change.told_at,
            Self::Time => settled_at(change),
        }
    }

    /// The oldest version that shows a change.
    fn floor(self, change: &Change) -> Option<i64> {
        match self {
            Self::Version => change.happened_at.map(|at| at.as_microsecond() - LAG),
            Self::Time => Some(i64::MIN),
        }
    }

    /// True if a row shows the record as the change left it, or newer.
    fn tells_of(self, row: &Row, change: &Change) -> bool {
        let floor = self.floor(change);
        row.asked_at > self.from(change) && floor.is_some_and(|floor| version(&row.record) >= floor)
    }
}

/// When the index surely shows a change.
pub fn settled_at(change: &Change) -> Timestamp {
    let settled = change.told_at.checked_add(SETTLED);
    settled.unwrap_or(Timestamp::MAX)
}

/// What was read of one object.
#[derive(Default)]
pub struct Shelf {
    rows: HashMap<RecordId, Row>,
    /// The rows in the order in which they came.
    order: VecDeque<(RecordId, Timestamp)>,
    bytes: usize,
    walk: Option<Underway>,
    unsorted: Option<Instant>,
    book: ContactBook,
    /// When the book was begun, by the store's clock.
    book_began: Option<Timestamp>,
}

struct Row {
    record: Record,
    /// When its page was asked for, by the store's clock.
    asked_at: Timestamp,
    bytes: usize,
}

/// A walk from the newest record downwards.
struct Underway {
    walk: Walk,
    /// By the store's clock.
    began: Timestamp,
    /// The oldest version met, in microseconds.
    lowest: i64,
    ended: bool,
}

impl Shelf {
    /// The records of these jobs as far as search pages are believed to show what the jobs are about; the others are to be
    /// read by id. `waiting` is the number of ready jobs about the same object.
    ///
    /// # Errors
    /// As every call.
    pub async fn records(
        &mut self,
        desk: &Desk,
        object: &ObjectKey,
        claims: &[&Claim],
        belief: Belief,
        waiting: u64,
    ) -> Result<HashMap<RecordId, Record>, ApiError> {
        self.forget(desk.store.now());
        let mut found = HashMap::new();
        let changed = |claim: &&Claim| {
            let change = claim.change?;
            belief.floor(&change)?;
            Some((claim.job.record.clone(), change))
        };
        let mut wanted: Vec<(RecordId, Change)> = claims.iter().filter_map(changed).collect();
        self.pick(belief, &mut wanted, &mut found);
        let mut pages = 2 + waiting / JOBS_A_PAGE;
        let mut may_begin = true;
        while pages > 0 && wanted.len() >= WORTH_A_PAGE && self.sorts() {
            if !self.leads_on(belief, &wanted) {
                if !may_begin || self.untold(belief, &wanted) < BACKLOG as usize {
                    break;
                }
                may_begin = false;
                self.walk = Some(Underway {
                    walk: Walk::once(&desk.account, object, true),
                    began: desk.store.now(),
                    lowest: i64::MAX,
                    ended: false,
                });
            }
            pages -= 1;
            if !self.read_page(desk.store.now()).await? {
                break;
            }
            self.pick(belief, &mut wanted, &mut found);
        }
        Ok(found)
    }

    /// The contact of each record, in their order. What the book holds must be read after the jobs were told of.
    ///
    /// # Errors
    /// As every call.
    pub async fn contacts(
        &mut self,
        desk: &Desk,
        association: &AssociationId,
        records: &[Record],
        told_at: Timestamp,
        waiting: u64,
    ) -> Result<Vec<Option<RelatedContact>>, ApiError> {
        let now = desk.store.now();
        let good = |began: Timestamp| told_at < began && age(began, now) < KEPT;
        if !self.book_began.is_some_and(good) {
            self.book = ContactBook::default();
            self.book_began = Some(now);
        }
        let highlevel = &desk.account.highlevel;
        let expected = waiting.max(records.len() as u64);
        self.book
            .of_records(highlevel, association, records, expected)
            .await
    }

    /// Moves what is there from `wanted` to `found`.
    fn pick(
        &self,
        belief: Belief,
        wanted: &mut Vec<(RecordId, Change)>,
        found: &mut HashMap<RecordId, Record>,
    ) {
        wanted.retain(|(id, change)| {
            let row = self.rows.get(id);
            let row = row.filter(|row| belief.tells_of(row, change));
            if let Some(row) = row {
                found.insert(id.clone(), row.record.clone());
            }
            row.is_none()
        });
    }

    /// True if the walk under way may still meet enough of these records.
    fn leads_on(&self, belief: Belief, wanted: &[(RecordId, Change)]) -> bool {
        self.walk.as_ref().is_some_and(|under| {
            let ahead = |(_, change): &&(RecordId, Change)| {
                let floor = belief.floor(change);
                belief.from(change) < under.began
                    && floor.is_some_and(|floor| floor <= under.lowest)
            };
            !under.ended && wanted.iter().filter(ahead).count() >= WORTH_A_PAGE
        })
    }

    /// The number of changes that the walk under way began too early for.
    fn untold(&self, belief: Belief, wanted: &[(RecordId, Change)]) -> usize {
        let began = self.walk.as_ref().map(|under| under.began);
        let later =
            |(_, change): &&(RecordId, Change)| began.is_none_or(|at| at <= belief.from(change));
        wanted.iter().filter(later).count()
    }

    /// Puts the walk's next page on the shelf; false behind the last one.
    async fn read_page(&mut self, asked_at: Timestamp) -> Result<bool, ApiError> {
        let Some(under) = &mut self.walk else {
            return Ok(false);
        };
        let records = match under.walk.next().await {
            Ok(Some(records)) => records,
            Ok(None) => {
                under.ended = true;
                return Ok(false);
            }
            Err(error) => {
                self.walk = None;
                return Err(error);
            }
        };
        let versions: Vec<i64> = records.iter().map(version).collect();
        // Rows that shift from page to page repeat, so the order counts within a page only.
        if !versions.is_sorted_by(|newer, older| newer >= older) {
            self.unsorted = Some(Instant::now());
        }
        under.lowest = versions.into_iter().fold(under.lowest, i64::min);
        for record in records {
            self.put(record, asked_at);
        }
        Ok(true)
    }

    fn sorts(&self) -> bool {
        self.unsorted
            .is_none_or(|since| since.elapsed() >= UNSORTED)
    }

    fn put(&mut self, record: Record, asked_at: Timestamp) {
        let id = record.id.clone();
        let bytes = size(&record);
        let row = Row {
            record,
            asked_at,
            bytes,
        };
        self.bytes += bytes;
        if let Some(old) = self.rows.insert(id.clone(), row) {
            self.bytes -= old.bytes;
        }
        self.order.push_back((id, asked_at));
        while self.rows.len() > ROWS || self.bytes > BYTES {
            if !self.drop_oldest() {
                break;
            }
        }
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((_, asked_at)) = self.order.front()
            && age(*asked_at, now) >= KEPT
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((id, asked_at)) = self.order.pop_front() else {
            return false;
        };
        // One that came again stands further behind as well.
        if self
            .rows
            .get(&id)
            .is_some_and(|row| row.asked_at == asked_at)
            && let Some(row) = self.rows.remove(&id)
        {
            self.bytes -= row.bytes;
        }
        true
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// What a record takes, about: its properties as text, and as much again around them.
fn size(record: &Record) -> usize {
    let properties = serde_json::to_string(&record.properties);
    512 + properties.map_or(0, |text| text.len() * 2)
}
