//! The records of a bulk: from search pages where those can be believed, else by id.

use super::shelf::{Belief, Shelf, settled_at};
use super::{AT_ONCE, Bulk, Listener};
use crate::http::ApiError;
use crate::model::{ErrorClass, ObjectKey, Record, RecordId};
use crate::store::{Change, Claim, StoreError};
use crate::sync::breaker::Probed;
use crate::sync::ended::Ended;
use crate::sync::job::Stop;
use crate::sync::plan::version;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::time::Duration;

/// Fewer records than this are read by id at once.
const WORTH_WAITING: usize = 25;
/// What one record takes that is read by id: HighLevel allows ten calls a second.
const BY_ID: Duration = Duration::from_millis(100);
/// What would wait for no longer than this is read together with the rest.
const SOON: Duration = Duration::from_millis(500);
/// Of the rows that are believed because time has passed, so many are read by id as well.
const CHECKED: usize = 3;

type Found = HashMap<RecordId, Record>;
type Answer = (Claim, Result<Result<Record, Ended>, Stop>);

/// What was read of a bulk.
pub struct Read {
    pub records: Vec<(Claim, Record)>,
    /// Jobs whose records are better read in some seconds.
    pub late: Vec<Claim>,
}

impl<L: Listener> Bulk<'_, L> {
    /// The records of jobs, with `waiting` jobs about the same object; a job whose record cannot be had is settled. Records
    /// that are there at once do not wait for others.
    pub(super) async fn read(
        &self,
        shelf: &tokio::sync::Mutex<Shelf>,
        object: &ObjectKey,
        claims: Vec<Claim>,
        waiting: u64,
    ) -> Result<Read, StoreError> {
        let nothing = Read {
            records: Vec::new(),
            late: Vec::new(),
        };
        let all: Vec<&Claim> = claims.iter().collect();
        let found = self
            .search(shelf, object, &all, Belief::Version, waiting)
            .await;
        let mut found = match found {
            Ok(found) => found,
            Err(error) => {
                self.all_failed(claims, error).await?;
                return Ok(nothing);
            }
        };
        let mut read = Vec::with_capacity(claims.len());
        let mut left = Vec::new();
        for claim in claims {
            match found.remove(&claim.job.record) {
                Some(record) => read.push((claim, record)),
                None => left.push(claim),
            }
        }
        let waits = self.worth_waiting(&left).is_some_and(|wait| wait > SOON);
        if waits && !read.is_empty() {
            return Ok(Read {
                records: read,
                late: left,
            });
        }
        read.extend(self.read_late(shelf, object, left, waiting).await?);
        Ok(Read {
            records: read,
            ..nothing
        })
    }

    /// As [`Bulk::read`], of those that search pages may show in some seconds, and else are read by id.
    pub(super) async fn read_late(
        &self,
        shelf: &tokio::sync::Mutex<Shelf>,
        object: &ObjectKey,
        mut left: Vec<Claim>,
        waiting: u64,
    ) -> Result<Vec<(Claim, Record)>, StoreError> {
        let mut read = Vec::with_capacity(left.len());
        let Some((mut answers, found)) = self.settled(shelf, object, &mut left, waiting).await
        else {
            // The process ends: what is left is given back.
            return Ok(read);
        };
        let mut by_id = Vec::new();
        for claim in left {
            match found.get(&claim.job.record) {
                Some(record) => read.push((claim, record.clone())),
                None => by_id.push(claim),
            }
        }
        answers.extend(self.by_id(by_id).await);
        let mut ended = Vec::new();
        for (claim, answer) in answers {
            match answer {
                Ok(Ok(record)) => read.push((claim, record)),
                Ok(Err(gone)) => ended.push((claim, gone)),
                Err(stop) => self.stopped(claim, stop, &mut ended).await?,
            }
        }
        self.settle(ended).await?;
        Ok(read)
    }

    /// What search pages show of these jobs' records. A search that is refused shows nothing.
    async fn search(
        &self,
        shelf: &tokio::sync::Mutex<Shelf>,
        object: &ObjectKey,
        claims: &[&Claim],
        belief: Belief,
        waiting: u64,
    ) -> Result<Found, ApiError> {
        let found = {
            let mut shelf = shelf.lock().await;
            shelf
                .records(self.desk, object, claims, belief, waiting)
                .await
        };
        match found {
            // Nothing that could be tried again.
            Err(error) if matches!(error.class, ErrorClass::Invalid | ErrorClass::Missing) => {
                Ok(Found::new())
            }
            // Nor is what only this call refuses to a good token.
            Err(error)
                if error.class == ErrorClass::Auth
                    && self.desk.probed(&error).await == Probed::Alive =>
            {
                Ok(Found::new())
            }
            found => found,
        }
    }

    /// How long it takes until search pages surely show these records, if waiting for that is better than to read them by id.
    fn worth_waiting(&self, left: &[Claim]) -> Option<Duration> {
        let changed: Vec<Change> = left.iter().filter_map(|claim| claim.change).collect();
        if changed.len() < WORTH_WAITING {
            return None;
        }
        let (now, settled) = (self.desk.store.now(), changed.iter().map(settled_at).max()?);
        let wait = Duration::try_from(settled.duration_since(now)).unwrap_or_default();
        let by_id = BY_ID * u32::try_from(changed.len()).unwrap_or(u32::MAX);
        (wait <= by_id).then_some(wait)
    }

    /// Announcements may trail the changes that they are about, so that no row is ever as new as they say. The index has caught
    /// up with them some seconds later, and waiting for that takes less than reading many records by id. Some of them are
    /// read by id even so: should one be newer there, none of the rows counts.
    ///
    /// Answers those that were read by id, which it takes from `left`, and the rows that count; `None` if the process ends.
    async fn settled(
        &self,
        shelf: &tokio::sync::Mutex<Shelf>,
        object: &ObjectKey,
        left: &mut Vec<Claim>,
        waiting: u64,
    ) -> Option<(Vec<Answer>, Found)> {
        let nothing = Some((Vec::new(), Found::new()));
        let Some(wait) = self.worth_waiting(left) else {
            return nothing;
        };
        tokio::select! {
            () = self.stop.cancelled() => return None,
            // What is asked for in the very moment counts as too early.
            () = tokio::time::sleep(wait + Duration::from_millis(1)) => {}
        }
        let all: Vec<&Claim> = left.iter().collect();
        let found = match self
            .search(shelf, object, &all, Belief::Time, waiting)
            .await
        {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "the search did not answer; the records are read by id");
                return nothing;
            }
        };
        let found = match self.only_news(found).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "what is known of the records could not be read; they are read by id");
                return nothing;
            }
        };
        let known = |claim: &Claim| found.contains_key(&claim.job.record);
        // Those of which we were told last: the index may lack them the longest.
        left.sort_by_key(|claim| {
            let told = claim.change.map(|change| change.told_at);
            (!known(claim), std::cmp::Reverse(told))
        });
        let checked: Vec<Claim> = left.drain(..CHECKED.min(found.len())).collect();
        let answers = self.by_id(checked).await;
        let current = |(claim, answer): &Answer| match (answer, found.get(&claim.job.record)) {
            (Ok(Ok(record)), Some(row)) if version(record) == 0 => {
                record.properties == row.properties
            }
            (Ok(Ok(record)), Some(row)) => version(record) <= version(row),
            _ => false,
        };
        if answers.iter().all(current) {
            return Some((answers, found));
        }
        tracing::warn!(%object, "the search lags behind the records; they are read by id");
        Some((answers, Found::new()))
    }

    /// The rows that are newer than what the mapping has seen of their records: one that is not may lack the very change that
    /// was announced.
    async fn only_news(&self, mut found: Found) -> Result<Found, StoreError> {
        let desk = self.desk;
        let records: Vec<RecordId> = found.keys().cloned().collect();
        let seen = desk
            .store
            .versions_seen(&desk.account.name, desk.mapping.name(), &records)
            .await?;
        found.retain(|id, row| seen.get(id).is_none_or(|seen| version(row) > *seen));
        Ok(found)
    }

    async fn by_id(&self, claims: Vec<Claim>) -> Vec<Answer> {
        let answers = stream::iter(claims).map(|claim| async {
            let answer = self.desk.read(&claim).await;
            (claim, answer)
        });
        answers.buffer_unordered(AT_ONCE).collect().await
    }
}
