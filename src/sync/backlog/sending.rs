//! The contacts of a bulk go out in one import; what it says of each, and what is read back of those it does not name.

use super::super::import::{
    self, FIRST_LOOK, GIVEN_UP, LATEST_LOOK, SENDINGS, SOONEST_LOOK, WALK_FROM, WORTH_AN_IMPORT,
};
use super::super::job::Desk;
use crate::activecampaign::{
    ActiveCampaign, BatchId, IMPORT_BYTES, IMPORT_EXCLUDE_BYTES, IMPORT_ROWS, ImportInfo,
    ImportState, QueuedImport, Rides,
};
use crate::http::{ApiError, PATIENCE, REQUEST_TIMEOUT};
use crate::model::{Contact, ContactId, ContactWrite, Email, ErrorClass, JobId};
use crate::store::StoreError;
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// An import's brackets and the key before them.
const AROUND: usize = 64;
/// The wait after a look that failed in a way that passes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long imports take, as learned: a look too soon costs a call.
pub struct Pace(AtomicU64);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicU64::new(FIRST_LOOK.as_millis() as u64))
    }
}

impl Pace {
    fn takes(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn learn(&self, takes: Duration) {
        let takes = takes.clamp(SOONEST_LOOK, LATEST_LOOK);
        self.0.store(takes.as_millis() as u64, Ordering::Relaxed);
    }
}

/// A contact on its way.
pub struct Row {
    pub job: JobId,
    pub epoch: i64,
    pub write: ContactWrite,
    pub rides: Rides,
    /// The row of the import.
    pub json: String,
    /// Where the contact is known.
    pub contact: Option<ContactId>,
}

/// What became of a contact.
pub enum Fate {
    /// It holds what was sent.
    Confirmed {
        contact: Option<ContactId>,
        created: bool,
        import: BatchId,
    },
    /// To be written by itself, which is safe and tells the reason.
    Alone,
    /// A call failed; the values may have arrived.
    Failed(ApiError),
    /// The job is another worker's.
    Lost,
}

/// True if a row leaves room for others in an import.
pub fn fits(json: &str) -> bool {
    json.len() + IMPORT_EXCLUDE_BYTES + 2 + AROUND < IMPORT_BYTES
}

/// Sends contacts in as few imports as they fit in, and waits for what becomes of each.
///
/// # Errors
/// The store failed.
pub async fn deliver(desk: &Desk, pace: &Pace, rows: Vec<Row>) -> Result<Vec<Fate>, StoreError> {
    let mut delivery = Delivery {
        desk,
        // What was sent is followed to its end.
        patient: desk.account.activecampaign.patience(PATIENCE),
        pace,
        fates: rows.iter().map(|_| None).collect(),
        flights: Vec::new(),
        rows,
    };
    let mut queued = Vec::new();
    let mut parts = delivery.parts();
    while let Some((places, by_name)) = parts.pop() {
        let places = delivery.still_mine(places).await?;
        if places.len() < WORTH_AN_IMPORT {
            delivery.alone(&places);
            continue;
        }
        match delivery.send(&places).await? {
            Ok(Ok(sent)) => queued.push(Queued::new(places, sent, 1)),
            Ok(Err(hints)) => {
                let rows = places.len();
                tracing::warn!(rows, named = hints.len(), "an import was refused");
                let named = import::named(&hints);
                let place = |(index, _): &(usize, usize)| named.contains(index);
                let (at_fault, rest): (Vec<_>, Vec<_>) =
                    places.iter().copied().enumerate().partition(place);
                if by_name && !at_fault.is_empty() && !rest.is_empty() {
                    delivery.alone(&without_index(at_fault));
                    parts.push((without_index(rest), false));
                } else {
                    let (left, right) = places.split_at(rows / 2);
                    parts.extend([(left.to_vec(), by_name), (right.to_vec(), by_name)]);
                }
            }
            Err(error) => delivery.failed(&places, error).await,
        }
    }
    for one in queued {
        delivery.confirm(one).await?;
    }
    let fates = delivery.fates.into_iter();
    Ok(fates.map(|fate| fate.unwrap_or(Fate::Alone)).collect())
}

fn without_index(places: Vec<(usize, usize)>) -> Vec<usize> {
    places.into_iter().map(|(_, place)| place).collect()
}

/// What came of sending an import; the inner error is a refusal with the row numbers it names.
type Sent = Result<Result<(QueuedImport, i64), import::Hints>, ApiError>;

struct Delivery<'a> {
    desk: &'a Desk,
    patient: ActiveCampaign,
    pace: &'a Pace,
    rows: Vec<Row>,
    fates: Vec<Option<Fate>>,
    /// The imports whose result is not final.
    flights: Vec<i64>,
}

/// An import whose result is awaited.
struct Queued {
    places: Vec<usize>,
    id: BatchId,
    flight: i64,
    sent: Instant,
    sent_at: Timestamp,
    sendings: u32,
}

impl Queued {
    fn new(places: Vec<usize>, (import, flight): (QueuedImport, i64), sendings: u32) -> Self {
        Self {
            places,
            id: import.id,
            flight,
            sent: Instant::now(),
            sent_at: import.sent_at,
            sendings,
        }
    }
}

impl Delivery<'_> {
    /// The places of the rows, import by import.
    fn parts(&self) -> Vec<(Vec<usize>, bool)> {
        let mut parts: Vec<(Vec<usize>, bool)> = Vec::new();
        let mut bytes = 0;
        for (place, row) in self.rows.iter().enumerate() {
            let size = row.json.len() + IMPORT_EXCLUDE_BYTES + 2;
            match parts.last_mut() {
                Some((places, _))
                    if places.len() < IMPORT_ROWS && bytes + size + AROUND < IMPORT_BYTES =>
                {
                    places.push(place);
                    bytes += size;
                }
                _ => {
                    parts.push((vec![place], true));
                    bytes = size;
                }
            }
        }
        parts
    }

    /// Prolongs the leases just before a request leaves; those that are lost stay out of it.
    async fn still_mine(&mut self, mut places: Vec<usize>) -> Result<Vec<usize>, StoreError> {
        let leases: Vec<(JobId, i64)> = places
            .iter()
            .map(|place| (self.rows[*place].job.clone(), self.rows[*place].epoch))
            .collect();
        let lost: HashSet<JobId> = self
            .desk
            .store
            .heartbeat(&leases)
            .await?
            .into_iter()
            .collect();
        places.retain(|place| {
            let mine = !lost.contains(&self.rows[*place].job);
            if !mine {
                self.fates[*place] = Some(Fate::Lost);
            }
            mine
        });
        Ok(places)
    }

    /// Sends an import that is on disk before it leaves.
    async fn send(&mut self, places: &[usize]) -> Result<Sent, StoreError> {
        let (store, connection) = (&self.desk.store, &self.desk.account.name);
        let contacts = places.iter().map(|place| &self.rows[*place].write.email);
        let flight = store
            .flight_begins(connection, &self.desk.worker, contacts)
            .await?;
        let sent = self.request(places).await;
        match &sent {
            Ok(Ok(import)) => {
                store.flight_queued(flight, import.id.as_str()).await?;
                self.flights.push(flight);
            }
            // It may have been taken all the same: whatever is sent next must arrive behind it.
            Err(error) if error.ambiguous => {
                let until = store.now().checked_add(REQUEST_TIMEOUT);
                let until = until.unwrap_or(Timestamp::MAX);
                store.leave_flights(&[flight], until).await?;
            }
            Ok(Err(_)) | Err(_) => store.flight_ended(flight).await?,
        }
        Ok(sent.map(|sent| sent.map(|import| (import, flight))))
    }

    /// The import is final, or not to be waited for any more.
    async fn landed(&mut self, flight: i64) -> Result<(), StoreError> {
        self.flights.retain(|open| *open != flight);
        self.desk.store.flight_ended(flight).await
    }

    async fn request(
        &self,
        places: &[usize],
    ) -> Result<Result<QueuedImport, import::Hints>, ApiError> {
        let jobs = places.iter().map(|place| &self.rows[*place].job);
        self.desk.sent.note(jobs);
        let rows: Vec<String> = places
            .iter()
            .map(|place| self.rows[*place].json.clone())
            .collect();
        let exclude = self.desk.mapping.spec().exclude_automations;
        import::send(&self.desk.account.activecampaign, &rows, exclude).await
    }

    fn alone(&mut self, places: &[usize]) {
        for place in places {
            self.fates[*place] = Some(Fate::Alone);
        }
    }

    fn confirmed(&mut self, place: usize, contact: Option<ContactId>, created: bool, id: &BatchId) {
        self.fates[place] = Some(Fate::Confirmed {
            contact: contact.or_else(|| self.rows[place].contact.clone()),
            created,
            import: id.clone(),
        });
    }

    /// A call failed. A refusal of the call alone, by a token that is good otherwise, leaves the other way.
    async fn failed(&mut self, places: &[usize], error: ApiError) {
        if self.is_of_the_call(&error).await {
            tracing::warn!(%error, "imports are refused; contacts are written one by one");
            return self.alone(places);
        }
        for place in places {
            self.fates[*place] = Some(Fate::Failed(error.clone()));
        }
    }

    async fn is_of_the_call(&self, error: &ApiError) -> bool {
        error.class == ErrorClass::Auth && self.desk.account.activecampaign.me().await.is_ok()
    }

    /// Asks for an import's result until it is final.
    async fn confirm(&mut self, mut queued: Queued) -> Result<(), StoreError> {
        let mut look = self.pace.takes();
        let mut looks = 0;
        loop {
            let wait = look.saturating_sub(queued.sent.elapsed());
            let beat = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
            self.desk.store.flights_beat(&self.flights, beat).await?;
            tokio::time::sleep(wait).await;
            let asked = queued.sent.elapsed();
            let client = &self.patient;
            let info = match client.import_info(&queued.id).await {
                Ok(info) => info,
                Err(error) if asked < GIVEN_UP && passes(&error) => {
                    look = asked + error.retry_after.unwrap_or(LOOK_AGAIN);
                    continue;
                }
                Err(error) if matches!(error.class, ErrorClass::Invalid | ErrorClass::Missing) => {
                    // The import is not known any more; its contacts tell what became of it.
                    self.landed(queued.flight).await?;
                    return self.read_back(queued).await;
                }
                Err(error) if self.is_of_the_call(&error).await => {
                    self.landed(queued.flight).await?;
                    return self.read_back(queued).await;
                }
                Err(error) => {
                    self.failed(&queued.places, error).await;
                    // What it brings may come yet: its contacts wait for it.
                    self.flights.retain(|open| *open != queued.flight);
                    let store = &self.desk.store;
                    return store.leave_flights(&[queued.flight], store.now()).await;
                }
            };
            looks += 1;
            match info.state {
                ImportState::Completed => {
                    self.landed(queued.flight).await?;
                    if looks == 1 {
                        // A little sooner each time, as long as that finds them ready.
                        self.pace.learn(look.mul_f64(0.8));
                    }
                    return self.completed(queued, &info).await;
                }
                ImportState::Failed | ImportState::Interrupted => {
                    tracing::warn!(import = %queued.id, state = ?info.state, "an import was given up");
                    self.landed(queued.flight).await?;
                    queued.places = self.still_mine(queued.places).await?;
                    if queued.sendings >= SENDINGS || queued.places.is_empty() {
                        self.alone(&queued.places);
                        return Ok(());
                    }
                    match self.send(&queued.places).await? {
                        Ok(Ok(sent)) => {
                            queued = Queued::new(queued.places, sent, queued.sendings + 1);
                            look = self.pace.takes();
                        }
                        Ok(Err(_)) => {
                            self.alone(&queued.places);
                            return Ok(());
                        }
                        Err(error) => {
                            self.failed(&queued.places, error).await;
                            return Ok(());
                        }
                    }
                }
                _ if asked < GIVEN_UP => {
                    self.pace.learn(asked.mul_f64(1.3));
                    look = asked + (asked / 4).clamp(Duration::from_millis(200), LATEST_LOOK);
                }
                _ => {
                    self.landed(queued.flight).await?;
                    return self.read_back(queued).await;
                }
            }
        }
    }

    /// An import is final. Where successes and failures together account for every contact, all but the failures are
    /// confirmed; otherwise those it does not name are read back.
    async fn completed(&mut self, queued: Queued, info: &ImportInfo) -> Result<(), StoreError> {
        let refused = import::addresses(&info.failed);
        let (failed, rest): (Vec<usize>, Vec<usize>) = queued
            .places
            .iter()
            .partition(|place| refused.contains(&self.rows[**place].write.email));
        self.alone(&failed);
        if info.succeeded.len() + failed.len() >= queued.places.len() {
            for place in rest {
                self.confirmed(place, None, false, &queued.id);
            }
            return Ok(());
        }
        let named: HashSet<&ContactId> = info.succeeded.iter().collect();
        let mut ours: HashSet<&ContactId> = HashSet::new();
        let mut open = Vec::new();
        let mut met = Vec::new();
        for place in rest {
            match &self.rows[place].contact {
                Some(id) if named.contains(id) => {
                    ours.insert(id);
                    met.push(place);
                }
                _ => open.push(place),
            }
        }
        // Ids that no row knows are of contacts that the import made, or found there: they are asked for, 100 a call.
        let made: Vec<ContactId> = info
            .succeeded
            .iter()
            .filter(|id| !ours.contains(id))
            .cloned()
            .collect();
        for place in met {
            self.confirmed(place, None, false, &queued.id);
        }
        if !made.is_empty() {
            let client = &self.patient;
            let skew = client.clock_skew();
            // Without an answer they are read back.
            let contacts = client
                .contacts_by_ids(&made, false)
                .await
                .unwrap_or_default();
            let mut by_email = by_email(contacts);
            let mut left = Vec::with_capacity(open.len());
            for place in open {
                match by_email.remove(&self.rows[place].write.email) {
                    Some(contact) => {
                        let made = import::made_since(&contact, queued.sent_at, skew);
                        self.confirmed(place, Some(contact.id), made, &queued.id);
                    }
                    None => left.push(place),
                }
            }
            open = left;
        }
        self.read_back(Queued {
            places: open,
            ..queued
        })
        .await
    }

    /// Contacts that an import did not name: those of known id are read 100 a call, the others met in a walk, or looked up
    /// where they are few. One that does not hold what was sent is written by itself.
    async fn read_back(&mut self, queued: Queued) -> Result<(), StoreError> {
        match self.stored(&queued).await {
            Ok(contacts) => {
                let mut by_email = by_email(contacts);
                for place in queued.places {
                    let row = &self.rows[place];
                    let rode = row.rides != Rides::default();
                    let contact = by_email.remove(&row.write.email).filter(|contact| {
                        let mapping = &self.desk.mapping;
                        import::holds(mapping, contact, &row.write, rode, queued.sent_at)
                    });
                    match contact {
                        Some(contact) => {
                            self.confirmed(place, Some(contact.id), false, &queued.id);
                        }
                        None => self.alone(&[place]),
                    }
                }
            }
            Err(error) => self.failed(&queued.places, error).await,
        }
        Ok(())
    }

    /// The contacts of an import as they are now.
    async fn stored(&self, queued: &Queued) -> Result<Vec<Contact>, ApiError> {
        let client = &self.patient;
        let rows = queued.places.iter().map(|place| &self.rows[*place]);
        let (known, unknown): (Vec<&Row>, Vec<&Row>) = rows.partition(|row| row.contact.is_some());
        let ids: Vec<ContactId> = known.iter().filter_map(|row| row.contact.clone()).collect();
        let mut contacts = if ids.is_empty() {
            Vec::new()
        } else {
            client.contacts_by_ids(&ids, true).await?
        };
        if unknown.len() <= WALK_FROM {
            for row in unknown {
                contacts.extend(client.find_contact(&row.write.email, true).await?);
            }
            return Ok(contacts);
        }
        let mut wanted: HashSet<&Email> = unknown.iter().map(|row| &row.write.email).collect();
        let since = import::walked_from(queued.sent_at);
        let mut after: Option<ContactId> = None;
        while !wanted.is_empty() {
            let page = client
                .walk_contacts(after.as_ref(), Some(since), true)
                .await?;
            let last = page.last().map(|contact| contact.id.clone());
            if last.is_none() || last == after {
                break;
            }
            after = last;
            for contact in page {
                if Email::parse(&contact.email).is_ok_and(|email| wanted.remove(&email)) {
                    contacts.push(contact);
                }
            }
        }
        Ok(contacts)
    }
}

/// True for what passes by itself.
fn passes(error: &ApiError) -> bool {
    matches!(error.class, ErrorClass::Transient | ErrorClass::Throttled)
}

fn by_email(contacts: Vec<Contact>) -> HashMap<Email, Contact> {
    contacts
        .into_iter()
        .filter_map(|contact| Some((Email::parse(&contact.email).ok()?, contact)))
        .collect()
}
