//! Confirming: the result of each import is asked for once it is likely there; contacts it does not name are read back.

use super::deliver::{read_writes, rows_json, send, write_of};
use super::run::{Halt, Work};
use crate::activecampaign::{BatchId, ImportInfo, ImportState, QueuedImport};
use crate::model::{Contact, ContactId, Email, ErrorClass};
use crate::store::{Batch, BatchResult, Confirmed, KnownContact, OutboxRow};
use crate::sync::import::{
    self, FIRST_LOOK, GIVEN_UP, LATEST_LOOK, SENDINGS, SOONEST_LOOK, WALK_FROM,
};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Imports whose result is awaited at the same time, at most.
const OUTSTANDING: usize = 64;

/// Learns what became of imports.
pub struct Confirmer<'a> {
    work: &'a Work,
    queued: mpsc::Receiver<Batch>,
    awaited: VecDeque<Awaited>,
    /// How long imports take, as learned: a look too soon costs a call.
    takes: Duration,
    /// Contacts whose id is not known, of imports that did not name them: looked for together at the end.
    unnamed: HashMap<Email, (i64, OutboxRow)>,
    /// When the first import of the unnamed was sent.
    since: Option<Timestamp>,
}

struct Awaited {
    batch: Batch,
    sent: Instant,
    look: Instant,
}

impl<'a> Confirmer<'a> {
    /// A confirmer of the batches that come through `queued`.
    pub fn new(work: &'a Work, queued: mpsc::Receiver<Batch>) -> Self {
        Self {
            work,
            queued,
            awaited: VecDeque::new(),
            takes: FIRST_LOOK,
            unnamed: HashMap::new(),
            since: None,
        }
    }

    /// Works until every batch that came is settled and no more can come.
    pub async fn run(&mut self) -> Result<(), Halt> {
        let mut open = true;
        while open || !self.awaited.is_empty() {
            let look = self.awaited.front().map(|awaited| awaited.look);
            tokio::select! {
                batch = self.queued.recv(), if open && self.awaited.len() < OUTSTANDING => match batch {
                    Some(batch) => self.take(batch).await?,
                    None => open = false,
                },
                () = until(look) => {
                    if let Some(awaited) = self.awaited.pop_front() {
                        self.look(awaited).await?;
                    }
                }
                () = self.work.engine.inner.stop.cancelled() => return Err(Halt::Asked),
            }
        }
        self.walk().await
    }

    async fn take(&mut self, batch: Batch) -> Result<(), Halt> {
        if batch.state == crate::store::BatchState::Confirming {
            return self.read_back(batch).await;
        }
        // After a restart the time since the sending counts.
        let age = Duration::try_from(Timestamp::now().duration_since(batch.sent_at))
            .unwrap_or(Duration::ZERO);
        let now = Instant::now();
        let sent = now.checked_sub(age).unwrap_or(now);
        self.awaited.push_back(Awaited {
            batch,
            sent,
            look: sent + self.takes,
        });
        Ok(())
    }

    async fn look(&mut self, awaited: Awaited) -> Result<(), Halt> {
        let Awaited {
            mut batch, sent, ..
        } = awaited;
        let id = BatchId::new(batch.import_id.clone().unwrap_or_default());
        let asked = Instant::now();
        let info = self
            .work
            .persist(|| self.work.account.activecampaign.import_info(&id))
            .await;
        let info = match info {
            Ok(info) => info,
            // The import is not known any more; its contacts tell what became of it.
            Err(Halt::Failed(problem))
                if matches!(problem.class, ErrorClass::Invalid | ErrorClass::Missing) =>
            {
                return self.read_back(batch).await;
            }
            Err(Halt::Failed(problem)) if self.work.is_of_the_call(&problem).await => {
                return self.read_back(batch).await;
            }
            Err(halt) => return Err(halt),
        };
        match info.state {
            ImportState::Completed => {
                // A little sooner each time, as long as that finds them ready.
                self.takes = self.takes.mul_f64(0.8).max(SOONEST_LOOK);
                self.completed(batch, info).await
            }
            ImportState::Failed | ImportState::Interrupted if batch.attempts < SENDINGS => {
                tracing::warn!(run = %self.work.id, import = %id, state = ?info.state, "an import was given up; it is sent again");
                self.work.store().batch_sending(batch.id).await?;
                batch.attempts += 1;
                self.send_again(batch).await
            }
            ImportState::Failed | ImportState::Interrupted => {
                let all = batch.rows.iter().map(|row| row.email.clone()).collect();
                self.settle(&batch, Vec::new(), Vec::new(), all).await
            }
            ImportState::TooEarly
            | ImportState::Waiting
            | ImportState::Active
            | ImportState::Unknown(_)
                if sent.elapsed() < GIVEN_UP =>
            {
                let age = asked.duration_since(sent);
                self.takes = age.mul_f64(1.3).clamp(SOONEST_LOOK, LATEST_LOOK);
                let wait = (age / 4).clamp(Duration::from_millis(200), LATEST_LOOK);
                self.awaited.push_front(Awaited {
                    batch,
                    sent,
                    look: Instant::now() + wait,
                });
                Ok(())
            }
            _ => self.read_back(batch).await,
        }
    }

    async fn send_again(&mut self, mut batch: Batch) -> Result<(), Halt> {
        let exclude = self.work.mapping.spec().exclude_automations;
        let rows = rows_json(self.work, &mut batch).await?;
        let sent = match send(self.work, &rows, exclude).await {
            Err(Halt::Failed(problem)) if self.work.is_of_the_call(&problem).await => {
                Err(Vec::new())
            }
            sent => sent?,
        };
        match sent {
            Ok(QueuedImport { id, sent_at }) => {
                self.work
                    .store()
                    .batch_queued(batch.id, id.as_str(), sent_at)
                    .await?;
                batch.import_id = Some(id.as_str().to_owned());
                batch.sent_at = sent_at;
                self.take(batch).await
            }
            // Refused this time: one by one, which tells the reason.
            Err(_) => {
                let all = batch.rows.iter().map(|row| row.email.clone()).collect();
                self.settle(&batch, Vec::new(), Vec::new(), all).await
            }
        }
    }

    /// An import is final. Where successes and failures together account for every contact, all but the failures
    /// are confirmed; otherwise those it does not name are read back.
    async fn completed(&mut self, batch: Batch, info: ImportInfo) -> Result<(), Halt> {
        let refused = import::addresses(&info.failed);
        let failed: Vec<Email> = batch
            .rows
            .iter()
            .map(|row| &row.email)
            .filter(|email| refused.contains(*email))
            .cloned()
            .collect();
        if info.succeeded.len() + failed.len() >= batch.rows.len() {
            let result = BatchResult {
                confirmed: Confirmed::Rest,
                known: Vec::new(),
                failed: Vec::new(),
                again: failed,
                spent: self.work.spent(),
            };
            self.work.store().settle_batch(batch.id, &result).await?;
            return Ok(());
        }
        let named: HashSet<&ContactId> = info.succeeded.iter().collect();
        let (mut confirmed, mut known) = (Vec::new(), Vec::new());
        for row in &batch.rows {
            if row.contact_id.as_ref().is_some_and(|id| named.contains(id)) {
                confirmed.push(row.email.clone());
            }
        }
        // Ids that no row knows are of contacts that the import made, or found there: they are asked for, 100 a call.
        let ours: HashSet<&ContactId> = batch
            .rows
            .iter()
            .filter_map(|row| row.contact_id.as_ref())
            .collect();
        let made: Vec<ContactId> = info
            .succeeded
            .iter()
            .filter(|id| !ours.contains(id))
            .cloned()
            .collect();
        if !made.is_empty() {
            let named = self.work.persist(|| {
                let client = &self.work.account.activecampaign;
                client.contacts_by_ids(&made, false)
            });
            let contacts = match named.await {
                Err(Halt::Failed(problem)) if self.work.is_of_the_call(&problem).await => {
                    Vec::new()
                }
                contacts => contacts?,
            };
            let skew = self.work.account.activecampaign.clock_skew();
            for contact in contacts {
                if let Ok(email) = Email::parse(&contact.email)
                    && batch.rows.iter().any(|row| row.email == email)
                {
                    known.push(KnownContact {
                        email: email.clone(),
                        created: import::made_since(&contact, batch.sent_at, skew),
                        contact_id: contact.id,
                    });
                    confirmed.push(email);
                }
            }
        }
        let rest = self.partly(&batch, confirmed, known, failed).await?;
        match rest {
            Some(rest) => self.read_back(rest).await,
            None => Ok(()),
        }
    }

    /// Contacts that an import did not name: those of known id are read 100 a call, the others wait for a walk, or
    /// are looked up one by one where they are few.
    async fn read_back(&mut self, mut batch: Batch) -> Result<(), Halt> {
        read_writes(self.work, &mut batch).await?;
        match self.read_back_all(&batch).await {
            Err(Halt::Failed(problem)) if self.work.is_of_the_call(&problem).await => {
                tracing::warn!(run = %self.work.id, %problem, "contacts cannot be read back; they are written one by one");
                let all = batch.rows.iter().map(|row| row.email.clone()).collect();
                self.settle(&batch, Vec::new(), Vec::new(), all).await
            }
            done => done,
        }
    }

    async fn read_back_all(&mut self, batch: &Batch) -> Result<(), Halt> {
        let client = &self.work.account.activecampaign;
        let ids: Vec<ContactId> = batch
            .rows
            .iter()
            .filter_map(|row| row.contact_id.clone())
            .collect();
        let (mut confirmed, mut known, mut again) = (Vec::new(), Vec::new(), Vec::new());
        if !ids.is_empty() {
            let contacts = self
                .work
                .persist(|| client.contacts_by_ids(&ids, true))
                .await?;
            let by_id: HashMap<&ContactId, &Contact> = contacts
                .iter()
                .map(|contact| (&contact.id, contact))
                .collect();
            for row in batch.rows.iter().filter(|row| row.contact_id.is_some()) {
                let contact = row.contact_id.as_ref().and_then(|id| by_id.get(id));
                // The id may be of a contact that has another address by now.
                match contact.filter(|contact| {
                    Email::parse(&contact.email).is_ok_and(|email| email == row.email)
                }) {
                    Some(contact) if self.holds(contact, row, batch.sent_at)? => {
                        confirmed.push(row.email.clone())
                    }
                    _ => again.push(row.email.clone()),
                }
            }
        }
        let unknown: Vec<&OutboxRow> = batch
            .rows
            .iter()
            .filter(|row| row.contact_id.is_none())
            .collect();
        if unknown.len() > WALK_FROM || !self.unnamed.is_empty() {
            self.since = Some(
                self.since
                    .map_or(batch.sent_at, |since| since.min(batch.sent_at)),
            );
            self.unnamed.extend(
                unknown
                    .into_iter()
                    .map(|row| (row.email.clone(), (batch.id, row.clone()))),
            );
        } else {
            for row in unknown {
                match self
                    .work
                    .persist(|| client.find_contact(&row.email, true))
                    .await?
                {
                    Some(contact) if self.holds(&contact, row, batch.sent_at)? => {
                        known.push(KnownContact {
                            email: row.email.clone(),
                            contact_id: contact.id,
                            created: false,
                        });
                        confirmed.push(row.email.clone());
                    }
                    _ => again.push(row.email.clone()),
                }
            }
        }
        self.settle(batch, confirmed, known, again).await
    }

    /// Walks the contacts that changed since the first unnamed import, and settles those that are waited for.
    async fn walk(&mut self) -> Result<(), Halt> {
        let Some(since) = self.since else {
            return Ok(());
        };
        let client = &self.work.account.activecampaign;
        let updated_after = import::walked_from(since);
        let mut after: Option<ContactId> = None;
        while !self.unnamed.is_empty() {
            let page = self
                .work
                .persist(|| client.walk_contacts(after.as_ref(), Some(updated_after), true));
            let page = match page.await {
                // Those that were not met yet are written one by one.
                Err(Halt::Failed(problem)) if self.work.is_of_the_call(&problem).await => break,
                page => page?,
            };
            let Some(last) = page.last().map(|contact| contact.id.clone()) else {
                break;
            };
            if after.as_ref() == Some(&last) {
                break;
            }
            after = Some(last);
            let mut found: HashMap<i64, (Vec<Email>, Vec<KnownContact>)> = HashMap::new();
            for contact in page {
                let Ok(email) = Email::parse(&contact.email) else {
                    continue;
                };
                let Some((batch, row)) = self.unnamed.get(&email) else {
                    continue;
                };
                if self.holds(&contact, row, since)? {
                    let entry = found.entry(*batch).or_default();
                    entry.0.push(email.clone());
                    entry.1.push(KnownContact {
                        email: email.clone(),
                        contact_id: contact.id,
                        created: false,
                    });
                    self.unnamed.remove(&email);
                }
            }
            for (batch, (confirmed, known)) in found {
                self.settle_part(batch, confirmed, known, Vec::new())
                    .await?;
            }
        }
        // Not found as sent: they go one by one, which is safe and tells the reason.
        let mut rest: HashMap<i64, Vec<Email>> = HashMap::new();
        for (email, (batch, _)) in self.unnamed.drain() {
            rest.entry(batch).or_default().push(email);
        }
        for (batch, again) in rest {
            self.settle_part(batch, Vec::new(), Vec::new(), again)
                .await?;
        }
        Ok(())
    }

    fn holds(&self, contact: &Contact, row: &OutboxRow, sent_at: Timestamp) -> Result<bool, Halt> {
        let write = write_of(row)?;
        let (mapping, rode) = (&self.work.mapping, row.rides_json.is_some());
        Ok(import::holds(mapping, contact, &write, rode, sent_at))
    }

    async fn partly(
        &self,
        batch: &Batch,
        confirmed: Vec<Email>,
        known: Vec<KnownContact>,
        again: Vec<Email>,
    ) -> Result<Option<Batch>, Halt> {
        let result = BatchResult {
            confirmed: Confirmed::These(confirmed),
            known,
            failed: Vec::new(),
            again,
            spent: self.work.spent(),
        };
        Ok(self.work.store().settle_batch(batch.id, &result).await?)
    }

    async fn settle(
        &self,
        batch: &Batch,
        confirmed: Vec<Email>,
        known: Vec<KnownContact>,
        again: Vec<Email>,
    ) -> Result<(), Halt> {
        self.settle_part(batch.id, confirmed, known, again).await
    }

    async fn settle_part(
        &self,
        batch: i64,
        confirmed: Vec<Email>,
        known: Vec<KnownContact>,
        again: Vec<Email>,
    ) -> Result<(), Halt> {
        let result = BatchResult {
            confirmed: Confirmed::These(confirmed),
            known,
            failed: Vec::new(),
            again,
            spent: self.work.spent(),
        };
        self.work.store().settle_batch(batch, &result).await?;
        Ok(())
    }
}

/// Waits for a moment; for ever where there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
