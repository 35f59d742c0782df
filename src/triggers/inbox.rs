//! Webhooks become jobs, after they were answered: at once, or when the process starts again. What a webhook says of the record
//! is not believed; which record it is about, is.

use super::envelope::{Announcement, End, What};
use super::intake::Shelf;
use crate::http::ApiError;
use crate::http::backoff::backoff;
use crate::mapping::{EmailSpec, MappingSpec};
use crate::model::{ConnectionName, ErrorClass, MappingName, ObjectKey, RecordId, Trigger};
use crate::store::{Event, NewJob, SettledEvent, StoreError};
use crate::sync::Engine;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Webhooks taken at a time.
const BATCH: u32 = 50;
/// Webhooks whose object is asked for in one go, so that the others do not wait for long.
const ASKED: usize = 16;
/// Other processes may leave webhooks behind: a look now and then.
const LOOK: Duration = Duration::from_secs(10);
/// Waits of a webhook whose object cannot be asked for now.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Works webhooks off.
pub struct Inbox {
    pub engine: Engine,
    pub shelf: Arc<Shelf>,
}

/// What follows from a webhook.
enum Reading {
    Settled(SettledEvent),
    /// No object key, and nobody here knows the record: HighLevel is to be asked.
    Unplaced(RecordId),
}

/// The mappings of a connection that events of an object concern.
type Mappings = Vec<(MappingName, MappingSpec)>;

impl Inbox {
    /// Works until it is told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let worked = tokio::select! {
                // What is not settled is due again: nothing is lost.
                () = stop.cancelled() => return,
                worked = self.work() => worked,
            };
            match worked {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::error!(%error, "webhooks could not be worked off"),
            }
            let wait = self.until_due().await.min(LOOK);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shelf.filled.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Works off everything that is due now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn drain(&self) -> Result<(), StoreError> {
        while self.work().await? > 0 {}
        Ok(())
    }

    async fn until_due(&self) -> Duration {
        match self.engine.store().next_event_due().await {
            Ok(Some(due)) => Duration::try_from(due.duration_since(self.engine.store().now()))
                .unwrap_or_default(),
            // A store that fails is asked again after a while.
            Ok(None) | Err(_) => LOOK,
        }
        .max(Duration::from_millis(20))
    }

    /// One batch; the number of webhooks that were settled or put off.
    async fn work(&self) -> Result<usize, StoreError> {
        let store = self.engine.store();
        let events = store.due_events(BATCH).await?;
        let mut settled = Vec::with_capacity(events.len());
        let mut unplaced = Vec::new();
        for event in events {
            match self.read(&event).await? {
                Reading::Settled(result) => settled.push(result),
                Reading::Unplaced(record) => unplaced.push((event, record)),
            }
        }
        let mut worked = settled.len();
        self.settle(&settled).await?;
        worked += self.place(unplaced).await?;
        self.shelf
            .waiting
            .store(store.waiting_events().await?, Ordering::Relaxed);
        Ok(worked)
    }

    /// What follows from a webhook, without asking anybody but the store.
    async fn read(&self, event: &Event) -> Result<Reading, StoreError> {
        let Ok(announcement) = Announcement::read(event.body.as_bytes()) else {
            return Ok(nothing(event, "it cannot be read"));
        };
        match announcement.what {
            What::Other => Ok(nothing(event, "it concerns no record")),
            What::Schema => {
                if let Some(account) = self.engine.account(&event.connection) {
                    account.forget().await;
                }
                Ok(Reading::Settled(settled(event, Vec::new(), false)))
            }
            What::Relation(ends) => self.relation(event, &ends).await,
            What::Record {
                id,
                object: Some(object),
                deleted,
            } => {
                let mappings = self.mappings(&event.connection, Some(&object));
                Ok(about(event, &mappings, &id, deleted))
            }
            What::Record {
                id,
                object: None,
                deleted,
            } => {
                let object = self.known_object(&event.connection, &id).await?;
                match object {
                    Some(object) => {
                        let mappings = self.mappings(&event.connection, Some(&object));
                        Ok(about(event, &mappings, &id, deleted))
                    }
                    None if deleted => Ok(nothing(event, "nobody here knew the record")),
                    None => Ok(Reading::Unplaced(id)),
                }
            }
        }
    }

    /// A relation came or went: the record's contact may be another one now.
    async fn relation(&self, event: &Event, ends: &[End; 2]) -> Result<Reading, StoreError> {
        let mut jobs = Vec::new();
        for end in ends {
            let object = match &end.object {
                Some(object) => Some(object.clone()),
                None => self.known_object(&event.connection, &end.id).await?,
            };
            let Some(object) = object else { continue };
            let mut mappings = self.mappings(&event.connection, Some(&object));
            mappings.retain(|(_, spec)| matches!(spec.email, EmailSpec::Association(_)));
            jobs.extend(new_jobs(&event.connection, &mappings, &end.id));
        }
        if jobs.is_empty() {
            return Ok(nothing(event, "no mapping follows this association"));
        }
        Ok(Reading::Settled(settled(event, jobs, false)))
    }

    /// Writes down what webhooks came to; the jobs that follow are begun at once.
    async fn settle(&self, results: &[SettledEvent]) -> Result<(), StoreError> {
        let jobs = self.engine.store().settle_events(results).await?;
        if !jobs.is_empty() {
            self.engine.wake();
        }
        Ok(())
    }

    /// The enabled mappings of a connection, of one object or of all.
    fn mappings(&self, connection: &ConnectionName, object: Option<&ObjectKey>) -> Mappings {
        let all = self.engine.enabled_mappings().into_iter();
        all.filter(|(_, of, spec)| {
            of == connection
                && object.is_none_or(|object| ObjectKey::from_input(&spec.object) == *object)
        })
        .map(|(name, _, spec)| (name, spec))
        .collect()
    }

    /// The object of a record that a mapping saw before.
    async fn known_object(
        &self,
        connection: &ConnectionName,
        record: &RecordId,
    ) -> Result<Option<ObjectKey>, StoreError> {
        let mappings = self.mappings(connection, None);
        let names: Vec<MappingName> = mappings.iter().map(|(name, _)| name.clone()).collect();
        let knowing = self
            .engine
            .store()
            .mappings_that_know(connection, &names, record)
            .await?;
        let first = knowing.first();
        let spec = mappings
            .iter()
            .find(|(name, _)| Some(name) == first)
            .map(|(_, spec)| spec);
        Ok(spec.map(|spec| ObjectKey::from_input(&spec.object)))
    }

    /// Asks HighLevel of which object some records are; where it does not answer, all of them are put off.
    async fn place(&self, unplaced: Vec<(Event, RecordId)>) -> Result<usize, StoreError> {
        let mut worked = 0;
        let mut events = unplaced.into_iter().take(ASKED);
        while let Some((event, record)) = events.next() {
            worked += 1;
            let mappings = self.mappings(&event.connection, None);
            match self.ask(&event.connection, &mappings, &record).await {
                Ok(Some(object)) => {
                    let mappings = self.mappings(&event.connection, Some(&object));
                    if let Reading::Settled(result) = about(&event, &mappings, &record, false) {
                        self.settle(&[result]).await?;
                    }
                }
                Ok(None) => {
                    if let Reading::Settled(result) =
                        nothing(&event, "no mapping's object holds the record")
                    {
                        self.settle(&[result]).await?;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the object of a webhook's record cannot be asked for now");
                    for event in
                        std::iter::once(event).chain(events.by_ref().map(|(event, _)| event))
                    {
                        self.put_off(&event, &error).await?;
                        worked += 1;
                    }
                }
            }
        }
        Ok(worked)
    }

    async fn put_off(&self, event: &Event, error: &ApiError) -> Result<(), StoreError> {
        let store = self.engine.store();
        let wait = backoff(
            event.tries,
            FIRST_WAIT,
            LONGEST_WAIT,
            &mut fastrand::Rng::new(),
        );
        let wait = wait.max(error.retry_after.unwrap_or_default());
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(15));
        let until = store.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        store
            .put_off_event(event.seq, until, &error.to_string())
            .await
    }

    /// The object, of those that mappings are about, that holds a record (fact sheet §5.2).
    async fn ask(
        &self,
        connection: &ConnectionName,
        mappings: &Mappings,
        record: &RecordId,
    ) -> Result<Option<ObjectKey>, ApiError> {
        let Some(account) = self.engine.account(connection) else {
            return Ok(None);
        };
        let mut objects: Vec<ObjectKey> = Vec::new();
        for (_, spec) in mappings {
            let object = ObjectKey::from_input(&spec.object);
            if !objects.contains(&object) {
                objects.push(object);
            }
        }
        for object in objects {
            match account.highlevel.record(&object, record).await {
                Ok(_) => return Ok(Some(object)),
                Err(error)
                    if error.class == ErrorClass::Missing
                        || (error.class == ErrorClass::Invalid
                            && matches!(error.status, Some(400 | 422))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Jobs of a record, one for each mapping.
fn new_jobs(connection: &ConnectionName, mappings: &Mappings, record: &RecordId) -> Vec<NewJob> {
    mappings
        .iter()
        .map(|(name, spec)| {
            let object = ObjectKey::from_input(&spec.object);
            NewJob::new(connection, name, &object, record.clone(), Trigger::Webhook)
        })
        .collect()
}

fn about(event: &Event, mappings: &Mappings, record: &RecordId, deleted: bool) -> Reading {
    let jobs = new_jobs(&event.connection, mappings, record);
    if jobs.is_empty() {
        return nothing(event, "no enabled mapping is about its object");
    }
    Reading::Settled(SettledEvent {
        changed_at: event.happened_at.filter(|_| !deleted),
        ..settled(event, jobs, deleted)
    })
}

fn nothing(event: &Event, why: &str) -> Reading {
    Reading::Settled(SettledEvent {
        note: Some(why.to_owned()),
        ..settled(event, Vec::new(), false)
    })
}

fn settled(event: &Event, jobs: Vec<NewJob>, deleted: bool) -> SettledEvent {
    SettledEvent {
        seq: event.seq,
        note: None,
        jobs,
        deleted,
        happened_at: event.happened_at,
        changed_at: None,
    }
}
