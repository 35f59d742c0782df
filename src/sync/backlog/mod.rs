//! Many due jobs of one mapping, worked together: read, plan, contest, write, settle (sync.md, "Fewer calls beat faster
//! calls"). What an import must not carry goes the way of [`super::job`], with the record already read.

pub mod flights;
mod planning;
mod reading;
mod sending;
mod shelf;
#[cfg(test)]
mod tests;
mod writing;

use super::ended::Ended;
use super::job::{Desk, Stop, tell_settled};
use super::plan::Planned;
use super::verdict::judged;
use crate::activecampaign::Rides;
use crate::http::ApiError;
use crate::model::view::SyncResult;
use crate::model::{ConnectionName, Email, ObjectKey, Record, RelatedContact, Trigger};
use crate::store::{Claim, EffectPlan, RecordSeen, Settlement, StoreError};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use reading::Read;
use sending::Pace;
use shelf::Shelf;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Most jobs worked together: an import takes no more.
pub const BULK: u32 = 250;
/// Bulks at work at the same time in one process. They take no job's slot, so that a person's job always finds one.
const BULKS: usize = 4;
/// Calls of one bulk that are under way at the same time, where it reads by id or writes one by one.
const AT_ONCE: usize = 4;

type Shelves = HashMap<(ConnectionName, ObjectKey), Arc<tokio::sync::Mutex<Shelf>>>;

/// What the bulks of one process share.
pub struct Backlog {
    room: Arc<Semaphore>,
    at_work: Mutex<BTreeMap<ConnectionName, usize>>,
    shelves: Mutex<Shelves>,
    pace: Pace,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(BULKS)),
            at_work: Mutex::default(),
            shelves: Mutex::default(),
            pace: Pace::default(),
        }
    }
}

impl Backlog {
    /// Room for one more bulk, until it is dropped; `None` if there is none.
    pub fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// True if another bulk may begin.
    pub fn has_room(&self) -> bool {
        self.room.available_permits() > 0
    }

    /// The connections, those with the fewest bulks at work first.
    pub fn in_turn(&self, connections: &[ConnectionName]) -> Vec<ConnectionName> {
        let at_work = lock(&self.at_work);
        let mut turns = connections.to_vec();
        turns.sort_by_key(|connection| at_work.get(connection).copied().unwrap_or(0));
        turns
    }

    /// A bulk of a connection began.
    pub fn began(&self, connection: &ConnectionName) {
        *lock(&self.at_work).entry(connection.clone()).or_default() += 1;
    }

    /// A bulk of a connection ended.
    pub fn ended(&self, connection: &ConnectionName) {
        if let Some(number) = lock(&self.at_work).get_mut(connection) {
            *number = number.saturating_sub(1);
        }
    }

    fn shelf(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
    ) -> Arc<tokio::sync::Mutex<Shelf>> {
        let key = (connection.clone(), object.clone());
        Arc::clone(lock(&self.shelves).entry(key).or_default())
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears of each job that ended.
pub trait Listener: Send + Sync {
    /// A job came to an end, here or (`None`) with another worker.
    fn settled(&self, claim: &Claim, result: Option<SyncResult>);
}

/// A bulk at work.
pub struct Bulk<'a, L> {
    pub desk: &'a Desk,
    pub backlog: &'a Backlog,
    /// The process ends: nothing is begun that can be left.
    pub stop: &'a CancellationToken,
    pub listener: &'a L,
    pub started: Timestamp,
}

/// A record that was read for its job.
struct Entry {
    claim: Claim,
    record: Record,
    related: Option<RelatedContact>,
}

/// An entry with values for its contact.
struct Sendable {
    entry: Entry,
    planned: Planned,
    /// What its rules want to go along; `None` where an import must not carry it.
    rides: Option<Rides>,
    /// What its rules want, if anything.
    effects: Option<EffectPlan>,
    /// The contacts that its record leaves.
    leaves: Vec<Email>,
    warning: Option<String>,
    seen: RecordSeen,
}

impl Sendable {
    fn email(&self) -> &Email {
        &self.planned.write.email
    }
}

/// A job to be worked by itself, with its record where that was read.
type Single = (Claim, Option<Record>);

impl<L: Listener> Bulk<'_, L> {
    /// Works claimed jobs of one mapping to their settlement. Those that it does not tell the listener of are to be given back.
    ///
    /// # Errors
    /// The store failed; the leases of what is not settled will expire and another worker takes it.
    pub async fn work(&self, claims: Vec<Claim>) -> Result<(), StoreError> {
        let Some(first) = claims.first() else {
            return Ok(());
        };
        let (connection, object) = (first.job.connection.clone(), first.job.object.clone());
        let shelf = self.backlog.shelf(&connection, &object);
        let waiting = self.desk.store.ready_jobs_of(&connection, &object).await?;
        let waiting = waiting + claims.len() as u64;
        // A person's job compares with the contact itself, and reads what the search may not show yet.
        let odd = |claim: &Claim| {
            matches!(claim.job.trigger, Trigger::Manual | Trigger::Retry)
                || claim.job.object != object
        };
        let (odd, claims): (Vec<Claim>, Vec<Claim>) = claims.into_iter().partition(odd);
        let singles: Vec<Single> = odd.into_iter().map(|claim| (claim, None)).collect();

        let Read { records, late } = self.read(&shelf, &object, claims, waiting).await?;
        let at_once = self.bring(&shelf, records, singles, waiting);
        let later = async {
            if late.is_empty() {
                return Ok(());
            }
            let records = self.read_late(&shelf, &object, late, waiting).await?;
            self.bring(&shelf, records, Vec::new(), waiting).await
        };
        // Neither is dropped half-way: what was sent is settled.
        let (at_once, later) = tokio::join!(at_once, later);
        at_once.and(later)
    }

    /// Brings records that were read to their contacts, and works the `singles` by themselves.
    async fn bring(
        &self,
        shelf: &tokio::sync::Mutex<Shelf>,
        mut read: Vec<(Claim, Record)>,
        mut singles: Vec<Single>,
        waiting: u64,
    ) -> Result<(), StoreError> {
        let records = read.iter_mut().map(|(_, record)| record).collect();
        self.desk.edit(records).await?;
        let entries = self.relate(shelf, read, waiting).await?;
        let sendable = self.plan(entries).await?;
        let (chosen, alone) = self.contest(sendable).await?;
        singles.extend(alone);
        singles.extend(self.write(chosen).await?);
        self.one_by_one(singles).await
    }

    /// Works jobs by themselves, as many at once as calls may be under way. Once the process ends, what has not begun is left.
    async fn one_by_one(&self, singles: Vec<Single>) -> Result<(), StoreError> {
        let mut done = stream::iter(singles)
            .map(|(claim, record)| async move {
                if self.stop.is_cancelled() {
                    return Ok::<(), StoreError>(());
                }
                let result = self.desk.work_on(&claim, record).await?;
                self.listener.settled(&claim, Some(result));
                Ok(())
            })
            .buffer_unordered(AT_ONCE);
        while let Some(result) = done.next().await {
            result?;
        }
        Ok(())
    }

    /// A call that all of these jobs need has failed.
    async fn all_failed(&self, claims: Vec<Claim>, error: ApiError) -> Result<(), StoreError> {
        let probed = self.desk.probed(&error).await;
        let ended = claims.into_iter().map(|claim| {
            let ended = judged(&claim, error.clone(), probed);
            (claim, ended)
        });
        self.settle(ended.collect()).await
    }

    async fn stopped(
        &self,
        claim: Claim,
        stop: Stop,
        ended: &mut Vec<(Claim, Ended)>,
    ) -> Result<(), StoreError> {
        match stop {
            Stop::Api(error) => {
                let verdict = self.desk.verdict(&claim, error).await;
                ended.push((claim, verdict));
            }
            Stop::Store(error) => return Err(error),
            Stop::Lost | Stop::Overtaken(_) => {
                tracing::warn!(job = %claim.job.id, "the lease was lost; another worker goes on");
                self.listener.settled(&claim, None);
            }
        }
        Ok(())
    }

    /// Writes down how jobs ended.
    async fn settle(&self, ended: Vec<(Claim, Ended)>) -> Result<(), StoreError> {
        let settlements: Vec<Settlement> = ended
            .iter()
            .map(|(claim, ended)| self.desk.settlement(&claim.job, ended, self.started))
            .collect();
        let jobs: Vec<_> = ended
            .iter()
            .zip(&settlements)
            .map(|((claim, _), settlement)| (&claim.job, claim.epoch, settlement))
            .collect();
        let (mine, failed) = match self.desk.store.settle_many(&jobs).await {
            Ok(mine) => (mine, None),
            Err(partly) => (partly.settled, Some(partly.error)),
        };
        for ((claim, ended), mine) in ended.iter().zip(mine) {
            tell_settled(&claim.job, ended, mine);
            self.listener.settled(claim, Some(ended.result(&claim.job)));
        }
        failed.map_or(Ok(()), Err)
    }
}
