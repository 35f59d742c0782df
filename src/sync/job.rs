//! One job: claim, read, plan, write, settle.

use super::account::Account;
use super::backoff;
use super::contest;
use super::plan::{Plan, Planned, plan, version};
use super::related;
use super::write;
use crate::http::ApiError;
use crate::mapping::{EmailSource, Mapping};
use crate::model::job::JobContact;
use crate::model::view::{Outcome, PreviewField, SyncResult, SyncedField};
use crate::model::{
    ContactId, Email, ErrorClass, Job, JobState, Problem, Record, RecordId, RelatedContact,
    Trigger, WaitReason, Waiting,
};
use crate::store::{
    Claim, LinkWrite, NewAttempt, NewJob, RecordSeen, Settlement, Store, StoreError,
};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What working on a job needs.
pub struct Desk {
    pub store: Store,
    pub account: Account,
    pub mapping: Arc<Mapping>,
    /// Host and process, for leases and attempts.
    pub worker: String,
}

/// How an attempt ended, before it is written down.
struct Ended {
    outcome: Outcome,
    error: Option<Problem>,
    waiting: Option<(WaitReason, Timestamp)>,
    contact: JobContact,
    link: Option<LinkWrite>,
    record: Option<RecordSeen>,
    fields: Vec<SyncedField>,
    request: Option<String>,
    response: Option<String>,
    /// Jobs that follow from this one: the next candidate of an address the record left.
    follow: Vec<NewJob>,
}

impl Ended {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            error: None,
            waiting: None,
            contact: JobContact::default(),
            link: None,
            record: None,
            fields: Vec::new(),
            request: None,
            response: None,
            follow: Vec::new(),
        }
    }

    fn failed(problem: Problem) -> Self {
        Self {
            error: Some(problem),
            ..Self::new(Outcome::Failed)
        }
    }
}

/// Why an attempt could not come to an end of its own.
enum Stop {
    Api(ApiError),
    Store(StoreError),
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
        let started = Timestamp::now();
        let job = &claim.job;
        let ended = match self.attempt(claim).await {
            Ok(ended) => ended,
            Err(Stop::Api(error)) => self.verdict(claim, error),
            Err(Stop::Store(error)) => return Err(error),
            Err(Stop::Lost) => {
                tracing::warn!(job = %job.id, "the lease was lost; another worker goes on");
                return Ok(result(job, &Ended::new(Outcome::Waiting)));
            }
        };
        let uses_attempt = ended.outcome != Outcome::Waiting
            || ended
                .waiting
                .as_ref()
                .is_none_or(|(reason, _)| *reason == WaitReason::Scheduled);
        let settlement = Settlement {
            outcome: ended.outcome,
            state: state(ended.outcome),
            waiting: ended.waiting.map(|(reason, until)| Waiting {
                reason,
                until: Some(until),
                by: self.worker.clone(),
            }),
            error: ended.error.clone(),
            contact: ended.contact.clone(),
            attempt: Some(NewAttempt {
                started_at: started,
                ended_at: Some(Timestamp::now()),
                worker: self.worker.clone(),
                request: ended.request.clone(),
                response: ended.response.clone(),
                mapping_hash: self.mapping.hash().as_str().to_owned(),
            }),
            uses_attempt,
            link: ended.link.clone(),
            record: ended.record.clone(),
        };
        if !self.store.settle(job, claim.epoch, &settlement).await? {
            tracing::warn!(job = %job.id, "settled too late: another worker had taken the job");
        } else if !ended.follow.is_empty() {
            self.store.enqueue_many(&ended.follow).await?;
        }
        tracing::info!(job = %job.id, record = %job.record, mapping = %job.mapping, outcome = ended.outcome.name(),
            error = ended.error.as_ref().map(tracing::field::display), "job settled");
        Ok(result(job, &ended))
    }

    async fn attempt(&self, claim: &Claim) -> Result<Ended, Stop> {
        let job = &claim.job;
        let record = match self
            .account
            .highlevel
            .record(&job.object, &job.record)
            .await
        {
            Ok(record) => record,
            Err(error) if error.class == ErrorClass::Missing => return self.gone(job, error).await,
            Err(error) => return Err(error.into()),
        };
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
        match plan(&self.mapping, &record, related.as_ref()) {
            Plan::Skip => Ok(Ended {
                record: Some(seen(&record, None, Outcome::Skipped)),
                ..Ended::new(Outcome::Skipped)
            }),
            Plan::Fail { problem, email } => {
                let fields = fields(self.mapping.preview_fields(&record, related.as_ref(), None));
                Ok(Ended {
                    record: Some(seen(&record, None, Outcome::Failed)),
                    contact: JobContact { id: None, email },
                    fields,
                    ..Ended::failed(problem)
                })
            }
            Plan::Send(planned) => self.send(claim, &record, related.as_ref(), planned).await,
        }
    }

    /// The record's values go to its contact, unless another record won it or it holds them already.
    async fn send(
        &self,
        claim: &Claim,
        record: &Record,
        related: Option<&RelatedContact>,
        planned: Planned,
    ) -> Result<Ended, Stop> {
        let (connection, mapping) = (&self.account.name, self.mapping.name());
        let email = planned.write.email.clone();
        let candidates = self
            .store
            .candidates(connection, mapping, &email, write::CANDIDATES)
            .await?;
        match contest::decide(
            self.mapping.spec().conflict,
            &record.id,
            version(record),
            &candidates,
        ) {
            contest::Verdict::Wins => {}
            contest::Verdict::Loses(winner) => {
                let mut seen = seen(record, Some(email.clone()), Outcome::Superseded);
                seen.superseded_by = Some(winner);
                return Ok(Ended {
                    record: Some(seen),
                    contact: JobContact {
                        id: None,
                        email: Some(email),
                    },
                    ..Ended::new(Outcome::Superseded)
                });
            }
            contest::Verdict::Fails(others) => {
                let problem = contest::problem(&email, others);
                return Ok(Ended {
                    record: Some(RecordSeen {
                        competes: true,
                        ..seen(record, Some(email.clone()), Outcome::Failed)
                    }),
                    contact: JobContact {
                        id: None,
                        email: Some(email),
                    },
                    ..Ended::failed(problem)
                });
            }
        }
        let link = self.store.link(connection, mapping, &email).await?;
        let mut done = Ended::new(Outcome::Unchanged);
        done.follow = self.successors(claim, record, &email).await?;
        // A person wants to see what changes and may mend what drifted; everybody else goes by the fingerprint.
        let person = matches!(claim.job.trigger, Trigger::Manual | Trigger::Retry);
        let mut known = link.as_ref().and_then(|link| link.contact_id.clone());
        let in_step = if person {
            let contact = self
                .account
                .activecampaign
                .find_contact(&email, true)
                .await?;
            known = contact.as_ref().map(|contact| contact.id.clone());
            let preview = self
                .mapping
                .preview_fields(record, related, contact.as_ref());
            let same = contact.is_some() && preview.iter().all(|field| !field.changes);
            done.fields = fields(preview);
            same
        } else {
            link.as_ref()
                .is_some_and(|link| link.fingerprint == planned.fingerprint)
        };
        let mut created = link.as_ref().is_some_and(|link| link.created_by_us);
        if !in_step {
            self.may_send(claim).await?;
            let moves_from = write::moves_from(
                &self.store,
                &self.account,
                &self.mapping,
                &record.id,
                &email,
            )
            .await?;
            let synced = write::write(
                &self.account,
                &self.mapping,
                &planned.write,
                moves_from.as_ref(),
            )
            .await?;
            created |= synced.created;
            done.request = Some(format!(
                "POST /contact/sync {}",
                crate::store::to_json(&planned.write)?
            ));
            done.response = Some(format!(
                "{} contact {}",
                if synced.created { 201 } else { 200 },
                synced.id
            ));
            known = Some(synced.id);
            done.outcome = Outcome::Synced;
        }
        done.contact = JobContact {
            id: known.clone(),
            email: Some(email.clone()),
        };
        done.record = Some(seen(record, Some(email.clone()), done.outcome));
        done.link = Some(confirmed(&self.mapping, record, &planned, known, created)?);
        Ok(done)
    }

    /// A record whose address changed leaves its contact to the next in line.
    async fn successors(
        &self,
        claim: &Claim,
        record: &Record,
        email: &Email,
    ) -> Result<Vec<NewJob>, StoreError> {
        let mut jobs = Vec::new();
        for link in self
            .store
            .links_of_record(&self.account.name, self.mapping.name(), &record.id)
            .await?
        {
            if link.email == *email {
                continue;
            }
            let next = write::next_in_line(
                &self.store,
                &self.account,
                &self.mapping,
                &link.email,
                &record.id,
            )
            .await?;
            jobs.extend(next.map(|record| NewJob {
                connection: self.account.name.clone(),
                mapping: self.mapping.name().clone(),
                object: claim.job.object.clone(),
                record,
                trigger: claim.job.trigger.clone(),
                not_before: None,
            }));
        }
        Ok(jobs)
    }

    /// The lease must outlast the request, or a successor's newer state could be overwritten.
    async fn may_send(&self, claim: &Claim) -> Result<(), Stop> {
        const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
        match self.store.lease(&claim.job.id, claim.epoch).await? {
            Some(until)
                if until.duration_since(Timestamp::now()).unsigned_abs() > REQUEST_TIMEOUT
                    && until > Timestamp::now() =>
            {
                Ok(())
            }
            Some(_) => match self
                .store
                .heartbeat(&[(claim.job.id.clone(), claim.epoch)])
                .await?
                .is_empty()
            {
                true => Ok(()),
                false => Err(Stop::Lost),
            },
            None => Err(Stop::Lost),
        }
    }

    /// The record is gone. It is believed only while its object can still be read: otherwise the token or the
    /// location is at fault.
    async fn gone(&self, job: &Job, error: ApiError) -> Result<Ended, Stop> {
        self.account.highlevel.object(&job.object).await?;
        let (request, response) = (Some(error.request.clone()), error.response.clone());
        let problem = Problem::from(error).remedy("it was deleted in HighLevel: discard the job");
        let seen = RecordSeen {
            record: job.record.clone(),
            email: None,
            version: 0,
            outcome: Outcome::Failed,
            superseded_by: None,
            competes: false,
        };
        Ok(Ended {
            request,
            response,
            record: Some(seen),
            ..Ended::failed(problem)
        })
    }

    /// What an API error means for the job (sync.md, error classes).
    fn verdict(&self, claim: &Claim, error: ApiError) -> Ended {
        let now = Timestamp::now();
        let (request, response) = (Some(error.request.clone()), error.response.clone());
        let retry_after = error.retry_after;
        let class = error.class;
        let problem = Problem::from(error);
        let mut ended = Ended {
            request,
            response,
            ..Ended::failed(problem)
        };
        match class {
            ErrorClass::Throttled => {
                ended.outcome = Outcome::Waiting;
                ended.waiting = Some((
                    WaitReason::RateLimited,
                    now + retry_after.unwrap_or(Duration::from_secs(60)),
                ));
            }
            ErrorClass::Transient | ErrorClass::Unknown
                if claim.tries + 1 < backoff::MAX_ATTEMPTS =>
            {
                ended.outcome = Outcome::Waiting;
                ended.waiting = Some((WaitReason::Scheduled, now + backoff::next(claim.tries + 1)));
            }
            _ => {}
        }
        ended
    }
}

/// A record whose association leads to no contact waits a while, then `on_missing_email` decides.
/// Records older than the whole wait are not waited for.
fn no_contact_yet(record: &Record) -> Option<Ended> {
    let age = Timestamp::now()
        .duration_since(record.created_at?)
        .as_secs();
    // Each wait ends later than the one before, so the record's age tells which one is next.
    let mut end = 0;
    for wait in (0..).map_while(backoff::no_contact_yet) {
        end += wait.as_secs() as i64;
        if age < end {
            let until = Timestamp::now() + Duration::from_secs((end - age).max(1) as u64);
            return Some(Ended {
                waiting: Some((WaitReason::NoContactYet, until)),
                record: Some(seen(record, None, Outcome::Waiting)),
                ..Ended::new(Outcome::Waiting)
            });
        }
    }
    None
}

/// The state a job takes for an outcome.
fn state(outcome: Outcome) -> JobState {
    match outcome {
        Outcome::Synced | Outcome::Unchanged | Outcome::Superseded | Outcome::Skipped => {
            JobState::Done
        }
        Outcome::Failed => JobState::Failed,
        Outcome::Unknown => JobState::Unknown,
        Outcome::Waiting => JobState::Waiting,
    }
}

fn seen(record: &Record, email: Option<Email>, outcome: Outcome) -> RecordSeen {
    let competes = email.is_some()
        && matches!(
            outcome,
            Outcome::Synced | Outcome::Unchanged | Outcome::Superseded
        );
    RecordSeen {
        record: record.id.clone(),
        email,
        version: version(record),
        outcome,
        superseded_by: None,
        competes,
    }
}

/// The link of a confirmed write.
pub fn confirmed(
    mapping: &Mapping,
    record: &Record,
    planned: &Planned,
    contact: Option<ContactId>,
    created: bool,
) -> Result<LinkWrite, StoreError> {
    Ok(LinkWrite {
        email: planned.write.email.clone(),
        contact_id: contact,
        record: record.id.clone(),
        version: version(record),
        fingerprint: planned.fingerprint.clone(),
        write_json: crate::store::to_json(&planned.write)?,
        properties_json: if mapping.spec().rules.is_empty() {
            None
        } else {
            Some(crate::store::to_json(&record.properties)?)
        },
        created_by_us: created,
    })
}

/// The fields of a preview in the form of a sync's result: those that are sent, and those that cannot be.
pub fn fields(preview: Vec<PreviewField>) -> Vec<SyncedField> {
    preview
        .into_iter()
        .filter(|field| field.send.is_some() || field.problem.is_some())
        .map(|field| SyncedField {
            field: field.field,
            old: field.contact,
            new: field.send,
            problem: field.problem,
        })
        .collect()
}

fn result(job: &Job, ended: &Ended) -> SyncResult {
    SyncResult {
        record: job.record.clone(),
        outcome: ended.outcome,
        contact_id: ended.contact.id.clone(),
        fields: ended.fields.clone(),
        error: ended.error.clone(),
    }
}

/// The result of a record that could not even be read.
pub fn failed(record: RecordId, problem: Problem) -> SyncResult {
    SyncResult {
        record,
        outcome: Outcome::Failed,
        contact_id: None,
        fields: Vec::new(),
        error: Some(problem),
    }
}

/// What a sync would come to, from a preview.
pub fn rehearsed(preview: &crate::model::view::Preview) -> SyncResult {
    let first = preview
        .fields
        .iter()
        .find_map(|field| field.problem.clone());
    let error = preview.problem.clone().or(first);
    let outcome = match &error {
        Some(_) if preview.skips => Outcome::Skipped,
        Some(_) => Outcome::Failed,
        None if preview.in_step() => Outcome::Unchanged,
        None => Outcome::Synced,
    };
    SyncResult {
        record: preview.record.id.clone(),
        outcome,
        contact_id: preview.contact_id.clone(),
        fields: fields(preview.fields.clone()),
        error: error.filter(|_| outcome == Outcome::Failed),
    }
}
