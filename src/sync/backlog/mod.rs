//! Many due jobs of one mapping, worked together: read, plan, contest, write, settle (sync.md, "Fewer calls beat faster
//! calls"). What an import must not carry goes the way of [`super::job`], with the record already read.

pub mod flights;
mod reading;
mod sending;
mod shelf;
#[cfg(test)]
mod tests;

use super::contest::{self, CANDIDATES, beats};
use super::effects;
use super::ended::{Ended, confirmed, seen};
use super::import;
use super::job::{Desk, Stop, no_contact_yet, tell_settled};
use super::plan::{Plan, Planned, plan, version};
use super::send::mine;
use super::verdict::judged;
use super::write;
use crate::activecampaign::{BatchId, Rides, import_row_with};
use crate::http::ApiError;
use crate::mapping::EmailSource;
use crate::model::job::JobContact;
use crate::model::view::{Outcome, SyncResult};
use crate::model::{
    ConnectionName, Email, JobId, ObjectKey, Record, RecordId, RelatedContact, Trigger,
};
use crate::store::{Arrives, Asked, Claim, EffectPlan, Link, RecordSeen, Settlement, StoreError};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use reading::Read;
use sending::{Fate, Pace, Row};
use shelf::Shelf;
use std::collections::{BTreeMap, HashMap, HashSet};
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

    /// The contacts that the records lead to, where the mapping's address comes from an association.
    async fn relate(
        &self,
        shelf: &tokio::sync::Mutex<Shelf>,
        read: Vec<(Claim, Record)>,
        waiting: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let (claims, records): (Vec<Claim>, Vec<Record>) = read.into_iter().unzip();
        let related = match self.desk.mapping.email() {
            EmailSource::Property(_) => vec![None; records.len()],
            EmailSource::Association(association) => {
                let told = claims.iter().map(|claim| {
                    let change = claim.change.map(|change| change.told_at);
                    change.unwrap_or(claim.ready_since)
                });
                let told = told.max().unwrap_or(Timestamp::MIN);
                let mut shelf = shelf.lock().await;
                let contacts = shelf
                    .contacts(self.desk, association, &records, told, waiting)
                    .await;
                match contacts {
                    Ok(contacts) => contacts,
                    Err(error) => {
                        drop(shelf);
                        self.all_failed(claims, error).await?;
                        return Ok(Vec::new());
                    }
                }
            }
        };
        let follows = matches!(self.desk.mapping.email(), EmailSource::Association(_));
        let (mut entries, mut ended) = (Vec::with_capacity(claims.len()), Vec::new());
        for ((claim, record), related) in claims.into_iter().zip(records).zip(related) {
            if follows
                && related.is_none()
                && let Some(waits) = no_contact_yet(&record)
            {
                ended.push((claim, waits));
                continue;
            }
            entries.push(Entry {
                claim,
                record,
                related,
            });
        }
        self.settle(ended).await?;
        Ok(entries)
    }

    /// What each record means for its contact, and whether an import may carry it.
    async fn plan(&self, entries: Vec<Entry>) -> Result<Vec<Sendable>, StoreError> {
        let mapping = &self.desk.mapping;
        let planned = |entry: &Entry| plan(mapping, &entry.record, entry.related.as_ref());
        let mut plans: Vec<Plan> = entries.iter().map(planned).collect();
        if plans.iter().any(|plan| matches!(plan, Plan::Fail { .. }))
            && let Some(newer) = self.desk.account.in_doubt(mapping, false).await
        {
            for (entry, old) in entries.iter().zip(&mut plans) {
                if matches!(old, Plan::Fail { .. }) {
                    *old = plan(&newer, &entry.record, entry.related.as_ref());
                }
            }
        }
        let (mut values, mut ended) = (Vec::with_capacity(entries.len()), Vec::new());
        for (entry, plan) in entries.into_iter().zip(plans) {
            let (job, related) = (&entry.claim.job, entry.related.as_ref());
            match self.desk.values(job, &entry.record, related, plan).await? {
                Ok(planned) => values.push((entry, planned)),
                Err(end) => ended.push((entry.claim, end)),
            }
        }
        self.settle(ended).await?;
        self.sort_out(values).await
    }

    async fn sort_out(&self, values: Vec<(Entry, Planned)>) -> Result<Vec<Sendable>, StoreError> {
        let (store, mapping) = (&self.desk.store, &self.desk.mapping);
        let (connection, name) = (&self.desk.account.name, mapping.name());
        let ids: Vec<RecordId> = values
            .iter()
            .map(|(entry, _)| entry.record.id.clone())
            .collect();
        let states = if mapping.has_rules() {
            store.confirmed_states(connection, name, &ids).await?
        } else {
            HashMap::new()
        };
        let open = store.open_effects_of(connection, name, &ids).await?;
        let mut sendable = Vec::with_capacity(values.len());
        for (entry, planned) in values {
            let record = &entry.record;
            let open = open.get(&record.id).map_or(&[][..], Vec::as_slice);
            let (related, state) = (entry.related.as_ref(), states.get(&record.id));
            let wanted = effects::wanted(mapping, record, related, state, open);
            let rides = if planned.write.clears() || !open.is_empty() {
                None
            } else {
                self.rides(&planned.write.email, &wanted).await
            };
            let (account, email) = (&self.desk.account, &planned.write.email);
            let moves = write::old_link(store, account, mapping, &record.id, email).await?;
            let rides = rides.filter(|_| moves.is_none());
            let (leaves, warning) = self.desk.moves(&entry.claim.job, email).await?;
            sendable.push(Sendable {
                rides,
                effects: (!wanted.fires.is_empty()).then_some(wanted),
                leaves,
                warning,
                seen: RecordSeen {
                    competes: true,
                    ..seen(record, Some(email.clone()), Outcome::Waiting)
                },
                planned,
                entry,
            });
        }
        Ok(sendable)
    }

    /// What may go along of what the rules want; a question that fails leaves it to the other way, which asks again.
    async fn rides(&self, email: &Email, wanted: &EffectPlan) -> Option<Rides> {
        if wanted.fires.is_empty() {
            return Some(Rides::default());
        }
        let Desk {
            store,
            account,
            mapping,
            ..
        } = &self.desk;
        let rides = import::rides(store, account, mapping, email, wanted).await;
        rides.unwrap_or_default()
    }

    /// Takes the contacts, all in one transaction, and settles the records that do not win theirs.
    async fn contest(
        &self,
        mut sendable: Vec<Sendable>,
    ) -> Result<(Vec<Sendable>, Vec<Single>), StoreError> {
        let conflict = self.desk.mapping.spec().conflict;
        // Of several that want the same contact, the first has it: the one that wins among them.
        sendable.sort_by(|a, b| {
            let key = |one: &Sendable| (version(&one.entry.record), one.entry.record.id.clone());
            let (a, b) = (key(a), key(b));
            match beats(conflict, (a.0, &a.1), (b.0, &b.1)) {
                _ if a == b => std::cmp::Ordering::Equal,
                true => std::cmp::Ordering::Less,
                false => std::cmp::Ordering::Greater,
            }
        });
        let heir = contest::heir(self.desk.mapping.spec().conflict);
        let asked: Vec<Asked<'_>> = sendable
            .iter()
            .map(|one| Asked {
                job: &one.entry.claim.job,
                epoch: one.entry.claim.epoch,
                contact: &one.planned.write.email,
                arrives: Arrives {
                    seen: &one.seen,
                    leaves: &one.leaves,
                    heir,
                },
                takes: one.rides.is_some(),
            })
            .collect();
        let (connection, name) = (&self.desk.account.name, self.desk.mapping.name());
        let held = self
            .desk
            .store
            .hold_contacts(connection, name, &asked, CANDIDATES)
            .await?;
        let (mut chosen, mut alone, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for (one, held) in sendable.into_iter().zip(held) {
            if one.rides.is_none() {
                alone.push((one.entry.claim, Some(one.entry.record)));
                continue;
            }
            match mine(held) {
                Ok(Ok(candidates)) => {
                    let lost = self.desk.lost(&one.entry.record, one.email(), &candidates);
                    match lost {
                        Some(lost) => ended.push(end(one, lost)),
                        None => chosen.push(one),
                    }
                }
                Ok(Err(busy)) => ended.push(end(one, busy)),
                Err(Stop::Overtaken(_)) => alone.push((one.entry.claim, None)),
                Err(stop) => self.stopped(one.entry.claim, stop, &mut ended).await?,
            }
        }
        self.settle(ended).await?;
        Ok((chosen, alone))
    }

    /// Sends what changed in an import, and settles all that is confirmed. Answers those that are to be written by
    /// themselves.
    async fn write(&self, chosen: Vec<Sendable>) -> Result<Vec<Single>, StoreError> {
        let (store, mapping) = (&self.desk.store, &self.desk.mapping);
        let (connection, name) = (&self.desk.account.name, mapping.name());
        let emails: Vec<Email> = chosen.iter().map(|one| one.email().clone()).collect();
        let mut links = store.links(connection, name, &emails).await?;
        // Records of the same contacts that others are at have told of themselves by now.
        let mut rivals = store
            .candidates_for(connection, name, &emails, CANDIDATES)
            .await?;
        let (mut singles, mut ended, mut going) = (Vec::new(), Vec::new(), Vec::new());
        for one in chosen {
            let link = links.remove(one.email());
            let rivals = rivals.remove(one.email()).unwrap_or_default();
            let in_step = link
                .as_ref()
                .is_some_and(|link| link.fingerprint == one.planned.fingerprint);
            if in_step && one.effects.is_none() {
                let done = self.in_step(&one, link.as_ref(), None)?;
                ended.push(end(one, done));
            } else if let Some(lost) = self.desk.lost(&one.entry.record, one.email(), &rivals) {
                ended.push(end(one, lost));
            } else {
                going.push((one, link));
            }
        }
        self.settle(ended).await?;
        let going = self.plan_effects(going).await?;
        let mut rows = Vec::with_capacity(going.len());
        let mut sent = Vec::with_capacity(going.len());
        for (one, link) in going {
            let rides = one.rides.clone().unwrap_or_default();
            let json = import_row_with(&one.planned.write, &rides);
            if !sending::fits(&json) {
                singles.push((one.entry.claim, Some(one.entry.record)));
                continue;
            }
            rows.push(Row {
                job: one.entry.claim.job.id.clone(),
                epoch: one.entry.claim.epoch,
                write: one.planned.write.clone(),
                rides,
                json: json.clone(),
                contact: link.as_ref().and_then(|link| link.contact_id.clone()),
            });
            sent.push((one, link, json));
        }
        let fates = sending::deliver(self.desk, &self.backlog.pace, rows).await?;
        let (mut ended, mut failed) = (Vec::new(), Vec::new());
        for ((one, link, json), fate) in sent.into_iter().zip(fates) {
            match fate {
                Fate::Confirmed {
                    contact,
                    created,
                    import,
                } => {
                    let said = (contact, created, import, json);
                    let done = self.in_step(&one, link.as_ref(), Some(said))?;
                    ended.push(end(one, done));
                }
                Fate::Alone => singles.push((one.entry.claim, Some(one.entry.record))),
                Fate::Failed(error) => failed.push((one, json, error)),
                Fate::Lost => {
                    let (claim, lost) = (&one.entry.claim, self.desk.settlement_of_lost());
                    self.desk
                        .store
                        .settle(&claim.job, claim.epoch, &lost)
                        .await?;
                    self.listener.settled(claim, None);
                }
            }
        }
        if let Some((_, _, error)) = failed.first() {
            let probed = self.desk.probed(error).await;
            for (one, json, error) in failed {
                let judged = Ended {
                    request: Some(request(&json)),
                    ..judged(&one.entry.claim, error, probed)
                };
                ended.push(end(one, judged));
            }
        }
        self.settle(ended).await?;
        Ok(singles)
    }

    /// What goes along is on disk before the contacts are written.
    async fn plan_effects(
        &self,
        going: Vec<(Sendable, Option<Link>)>,
    ) -> Result<Vec<(Sendable, Option<Link>)>, StoreError> {
        let planned: Vec<(&crate::model::Job, i64, &EffectPlan)> = going
            .iter()
            .filter_map(|(one, _)| {
                let claim = &one.entry.claim;
                Some((&claim.job, claim.epoch, one.effects.as_ref()?))
            })
            .collect();
        let ids: Vec<JobId> = planned.iter().map(|(job, ..)| job.id.clone()).collect();
        let answers = self.desk.store.plan_effects_of(&planned).await?;
        let lost: HashSet<JobId> = ids
            .into_iter()
            .zip(answers)
            .filter_map(|(id, open)| open.is_none().then_some(id))
            .collect();
        let mine = |(one, _): &(Sendable, Option<Link>)| !lost.contains(&one.entry.claim.job.id);
        let (going, lost): (Vec<_>, Vec<_>) = going.into_iter().partition(mine);
        for (one, _) in lost {
            self.listener.settled(&one.entry.claim, None);
        }
        Ok(going)
    }

    /// How an attempt ends whose contact holds what it should, by itself or by an import.
    fn in_step(
        &self,
        one: &Sendable,
        link: Option<&Link>,
        import: Option<(Option<crate::model::ContactId>, bool, BatchId, String)>,
    ) -> Result<Ended, StoreError> {
        let record = &one.entry.record;
        let mut ended = Ended::new(Outcome::Unchanged);
        let mut contact = link.and_then(|link| link.contact_id.clone());
        let mut created = link.is_some_and(|link| link.created_by_us);
        if let Some((id, new, batch, json)) = import {
            ended = Ended::new(Outcome::Synced);
            created |= new;
            contact = id.or(contact);
            ended.request = Some(request(&json));
            ended.response = Some(match &contact {
                Some(contact) => format!("import {batch} contact {contact}"),
                None => format!("import {batch}"),
            });
            ended.rode = one.effects.is_some();
        }
        ended.contact.id = contact.clone();
        ended.record = Some(seen(record, Some(one.email().clone()), ended.outcome));
        let (mapping, planned) = (&self.desk.mapping, &one.planned);
        ended.link = Some(confirmed(mapping, record, planned, contact, created)?);
        Ok(ended)
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
            .map(|(_, ended)| self.desk.settlement(ended, self.started))
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

/// An end with the contact that it is about.
fn end(one: Sendable, ended: Ended) -> (Claim, Ended) {
    let contact = JobContact {
        id: ended.contact.id.clone(),
        email: Some(one.planned.write.email),
    };
    let ended = Ended {
        contact,
        warning: one.warning.filter(|_| ended.outcome != Outcome::Superseded),
        ..ended
    };
    (one.entry.claim, ended)
}

fn request(row: &str) -> String {
    format!("POST /import/bulk_import, with this contact: {row}")
}
