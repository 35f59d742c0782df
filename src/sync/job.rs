//! One job: claim, read, plan, write, act, settle.

use super::account::Account;
use super::backoff;
use super::breaker::Probed;
use super::contest;
use super::edited;
use super::ended::{Ended, fields, seen};
use super::plan::{Plan, Planned, plan, version};
use super::related;
use super::sent::Sent;
use super::verdict::judge;
use super::write;
use crate::http::{ApiError, REQUEST_TIMEOUT};
use crate::mapping::{EmailSource, Mapping};
use crate::model::job::JobContact;
use crate::model::view::{Outcome, Preview, SyncResult};
use crate::model::{
    Email, ErrorClass, Job, JobState, MappingName, Problem, Record, RelatedContact, Trigger,
    WaitReason,
};
use crate::store::{Claim, Heir, NewAttempt, Settlement, Store, StoreError};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// Two answers about the same state may give its `updated_at` to the second or to the millisecond, in microseconds.
const PRECISION: i64 = 1_000_000;

/// What working on a job needs.
pub struct Desk {
    pub store: Store,
    pub account: Account,
    pub mapping: Arc<Mapping>,
    /// Host and process, for leases and attempts.
    pub worker: String,
    /// The account's mappings that delete the contacts of records that are gone.
    pub deleting: BTreeSet<MappingName>,
    /// The jobs of which a request that writes may have left.
    pub sent: Arc<Sent>,
}

/// Why an attempt could not come to an end of its own.
pub enum Stop {
    Api(ApiError),
    Store(StoreError),
    /// A newer version of the record is known than the one that was read (microseconds of its `updated_at`): an export was
    /// faster. The record is to be read again.
    Overtaken(i64),
    /// The lease ran out or another worker has the job: nothing may be sent any more.
    Lost,
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Desk {
    /// Works a claimed job to its settlement and tells what came of it.
    ///
    /// # Errors
    /// The store failed; the job's lease will expire and another worker takes it.
    pub async fn work(&self, claim: &Claim) -> Result<SyncResult, StoreError> {
        self.work_on(claim, None).await
    }

    /// As [`Desk::work`], with the record where it was read already.
    ///
    /// # Errors
    /// As [`Desk::work`].
    pub async fn work_on(
        &self,
        claim: &Claim,
        record: Option<Record>,
    ) -> Result<SyncResult, StoreError> {
        let started = Timestamp::now();
        let job = &claim.job;
        let ended = match self.attempt(claim, record).await {
            Ok(ended) => ended,
            Err(Stop::Api(error)) => self.verdict(claim, error).await,
            Err(Stop::Store(error)) => return Err(error),
            Err(Stop::Lost | Stop::Overtaken(_)) => {
                tracing::warn!(job = %job.id, "the lease was lost; another worker goes on");
                let lost = self.settlement_of_lost(job);
                self.store.settle(job, claim.epoch, &lost).await?;
                return Ok(Ended::new(Outcome::Waiting).result(job));
            }
        };
        let settlement = self.settlement(job, &ended, started);
        let mine = self.store.settle(job, claim.epoch, &settlement).await?;
        tell_settled(job, &ended, mine);
        Ok(ended.result(job))
    }

    /// What is written down of an attempt that began at `started`.
    pub fn settlement(&self, job: &Job, ended: &Ended, started: Timestamp) -> Settlement {
        let sent = self.sent.has(&job.id);
        let again = [WaitReason::ContactBusy, WaitReason::RateLimited];
        let untried = ended
            .waiting
            .as_ref()
            .is_some_and(|(reason, _)| again.contains(reason))
            && !sent;
        Settlement {
            // Met again and again by many jobs: that nothing was tried is no attempt worth a row.
            attempt: (!untried).then(|| NewAttempt {
                started_at: started,
                ended_at: Some(Timestamp::now()),
                worker: self.worker.clone(),
                request: ended.request.clone(),
                response: ended.response.clone(),
                warning: ended.warning.clone(),
                mapping_hash: self.mapping.hash().as_str().to_owned(),
            }),
            sent,
            ..ended.settlement(&self.worker)
        }
    }

    /// What is written down of a job whose lease was lost. What left before that may arrive last: the store sees to it that
    /// the newest state follows.
    pub fn settlement_of_lost(&self, job: &Job) -> Settlement {
        Settlement {
            sent: self.sent.has(&job.id),
            ..Settlement::new(Outcome::Waiting, JobState::Ready)
        }
    }

    /// The record of a job by its id; or how the attempt ends, if it is gone.
    ///
    /// # Errors
    /// As every call.
    pub async fn read(&self, claim: &Claim) -> Result<Result<Record, Ended>, Stop> {
        let job = &claim.job;
        let read = self.account.highlevel.record(&job.object, &job.record);
        match read.await {
            Ok(record) => Ok(Ok(record)),
            Err(error) if self.says_gone(job, &error).await? => {
                Ok(Err(self.gone(claim, error).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts what a person put in place of values into records that were read.
    ///
    /// # Errors
    /// The store failed.
    pub async fn edit(&self, records: Vec<&mut Record>) -> Result<(), StoreError> {
        let whose = (&self.account.name, self.mapping.name());
        edited::put(&self.store, whose, records, false)
            .await
            .map(drop)
    }

    /// An attempt with the newest state of the record: if what was read turns out to be older than what is known, it is
    /// read once more, by its id.
    async fn attempt(&self, claim: &Claim, mut record: Option<Record>) -> Result<Ended, Stop> {
        // What was known before the record was read last.
        let mut known = None;
        loop {
            let record = match record.take() {
                Some(record) => record,
                None => match self.read(claim).await? {
                    Ok(record) => record,
                    Err(ended) => return Ok(ended),
                },
            };
            let read = version(&record);
            match self.attempt_on(claim, record).await {
                Err(Stop::Overtaken(_)) if known.is_some_and(|known| read < known) => {
                    if let Some(ended) = self.turn_back(claim, read, known.take()).await? {
                        return Ok(ended);
                    }
                }
                Err(Stop::Overtaken(newer)) => known = Some(newer),
                ended => return ended,
            }
        }
    }

    /// HighLevel answers an older version of a record, by its id, than it gave before: how the attempt ends. `None` if the
    /// older one is taken: by a person, or where the two differ by no more than their precision.
    async fn turn_back(
        &self,
        claim: &Claim,
        read: i64,
        known: Option<i64>,
    ) -> Result<Option<Ended>, StoreError> {
        let job = &claim.job;
        let known = known.unwrap_or(read);
        let person = matches!(job.trigger, Trigger::Manual | Trigger::Retry);
        if person || read == 0 || known - read < PRECISION {
            let (connection, mapping) = (&self.account.name, self.mapping.name());
            self.store
                .turn_back(connection, mapping, &job.record, read)
                .await?;
            return Ok(None);
        }
        let time = |micros| Timestamp::from_microsecond(micros).unwrap_or_default();
        let problem = Problem::new(
            ErrorClass::Transient,
            format!(
                "HighLevel answers an older state of the record (of {}) than it gave before (of {})",
                time(read),
                time(known)
            ),
        )
        .remedy("it is tried again; retry by hand to send the older state all the same");
        let class = ErrorClass::Transient;
        Ok(Some(judge(
            problem,
            class,
            None,
            Probed::Alive,
            claim.tries,
        )))
    }

    async fn attempt_on(&self, claim: &Claim, mut record: Record) -> Result<Ended, Stop> {
        let job = &claim.job;
        self.edit(vec![&mut record]).await?;
        let related = match self.mapping.email() {
            EmailSource::Property(_) => None,
            EmailSource::Association(association) => {
                match related::of_record(&self.account.highlevel, association, &record).await? {
                    Some(contact) => Some(contact),
                    None => match no_contact_yet(&record) {
                        Some(ended) => return Ok(ended),
                        None => None,
                    },
                }
            }
        };
        let mut planned = plan(&self.mapping, &record, related.as_ref());
        let person = matches!(job.trigger, Trigger::Manual | Trigger::Retry);
        if matches!(planned, Plan::Fail { .. })
            && let Some(newer) = self.account.in_doubt(&self.mapping, person).await
        {
            // What the remedy asked for may have been done meanwhile: a new option, a longer list.
            planned = plan(&newer, &record, related.as_ref());
        }
        match self.values(&record, related.as_ref(), planned) {
            ControlFlow::Continue(planned) => {
                self.send(claim, &record, related.as_ref(), planned).await
            }
            ControlFlow::Break(ended) => Ok(ended),
        }
    }

    /// The values that a plan sends; or how the attempt ends, if it sends none.
    pub fn values(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        plan: Plan,
    ) -> ControlFlow<Ended, Planned> {
        ControlFlow::Break(match plan {
            Plan::Send(planned) => return ControlFlow::Continue(planned),
            Plan::Skip => Ended {
                record: Some(seen(record, None, Outcome::Skipped)),
                why: Some(Preview::NO_ADDRESS.to_owned()),
                leaves: Some(self.heir()),
                ..Ended::new(Outcome::Skipped)
            },
            Plan::Fail { problem, email } => Ended {
                record: Some(seen(record, None, Outcome::Failed)),
                contact: JobContact { id: None, email },
                fields: fields(self.mapping.preview_fields(record, related, None)),
                leaves: Some(self.heir()),
                ..Ended::failed(problem)
            },
        })
    }

    /// Who of several records has a contact.
    pub fn heir(&self) -> Heir {
        contest::heir(self.mapping.spec().conflict)
    }

    /// The contacts that a job's record leaves by going to this one, and what a person should know of that. To be asked before
    /// the record is seen there: what it leaves is known by the address that it had.
    ///
    /// # Errors
    /// The store failed.
    pub async fn moves(
        &self,
        job: &Job,
        to: &Email,
    ) -> Result<(Vec<Email>, Option<String>), StoreError> {
        let (connection, mapping) = (&self.account.name, self.mapping.name());
        let contacts = self
            .store
            .contacts_of_record(connection, mapping, &job.record);
        let mut left = contacts.await?;
        left.retain(|contact| contact != to);
        // Most records stay where they are.
        if left.is_empty() {
            return Ok((Vec::new(), None));
        }
        let warning =
            write::change_of_address(&self.store, &self.account, &self.mapping, &job.record, to);
        Ok((left, warning.await?))
    }

    /// The lease must outlast the request, or a successor's newer state could be overwritten.
    pub async fn may_send(&self, claim: &Claim) -> Result<(), Stop> {
        let holds = match self.store.lease(&claim.job.id, claim.epoch).await? {
            Some(until)
                if until.duration_since(Timestamp::now()).unsigned_abs() > REQUEST_TIMEOUT
                    && until > Timestamp::now() =>
            {
                true
            }
            Some(_) => self
                .store
                .heartbeat(&[(claim.job.id.clone(), claim.epoch)])
                .await?
                .is_empty(),
            None => false,
        };
        if !holds {
            return Err(Stop::Lost);
        }
        self.sent.note([&claim.job.id]);
        Ok(())
    }
}

/// Tells the log how a job was settled, and whether it was this worker's to the end.
pub fn tell_settled(job: &Job, ended: &Ended, mine: bool) {
    if !mine {
        tracing::warn!(job = %job.id, "settled too late: another worker had taken the job");
    }
    if let Some(warning) = &ended.warning {
        tracing::warn!(job = %job.id, record = %job.record, mapping = %job.mapping, warning);
    }
    let (outcome, error) = (ended.outcome.name(), ended.error.as_ref());
    let error = error.map(tracing::field::display);
    if matches!(ended.outcome, Outcome::Failed | Outcome::Unknown) {
        tracing::warn!(job = %job.id, record = %job.record, mapping = %job.mapping, outcome, error, "job settled");
    } else {
        tracing::info!(job = %job.id, record = %job.record, mapping = %job.mapping, outcome, error, "job settled");
    }
}

/// A record whose association leads to no contact waits a while, then `on_missing_email` decides.
/// Records older than the whole wait are not waited for.
pub fn no_contact_yet(record: &Record) -> Option<Ended> {
    let age = Timestamp::now()
        .duration_since(record.created_at?)
        .as_secs();
    // Each wait ends later than the one before, so the record's age tells which one is next.
    let mut end = 0;
    for wait in (0..).map_while(backoff::no_contact_yet) {
        end += wait.as_secs() as i64;
        if age < end {
            let rest = Duration::from_secs((end - age).max(1) as u64);
            return Some(Ended {
                record: Some(seen(record, None, Outcome::Waiting)),
                ..Ended::waiting(WaitReason::NoContactYet, rest)
            });
        }
    }
    None
}
