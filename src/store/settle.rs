//! Settling a claimed job: its state, its attempt, what was confirmed, and its follow-up, in one transaction.

use super::deletions::settle_deletion;
use super::effects::{any_open, end_riding, first_open, void};
use super::enqueue::{NewAttempt, NewJob, insert_attempt, upsert_changed};
use super::error::{Result, StoreError};
use super::heirs::{Heir, Leaver, leave, leavers};
use super::holds::release;
use super::links::{LinkWrite, RecordSeen, see, see_gone, supersede, unlink, write_link};
use super::rows::{JOB, job, push_list};
use super::{Store, TOGETHER};
use crate::model::filter::{searched_error, searched_parts};
use crate::model::group::group;
use crate::model::job::JobContact;
use crate::model::view::Outcome;
use crate::model::{
    ConnectionName, ContactId, Email, ErrorClass, Job, JobId, JobState, MappingName, Problem,
    Trigger, WaitReason, Waiting,
};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// What became of a claimed job.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    pub outcome: Outcome,
    /// The state that the job takes; `Ready` gives it back.
    pub state: JobState,
    /// Only with [`JobState::Waiting`].
    pub waiting: Option<Waiting>,
    /// Kept with the job; a job that is done keeps none.
    pub error: Option<Problem>,
    /// Of a job that is done though nothing was sent: one clause on why.
    pub why: Option<String>,
    /// What is known of the contact by now; what is `None` stays as it was.
    pub contact: JobContact,
    /// `None` where nothing was tried, as when the contact was busy.
    pub attempt: Option<NewAttempt>,
    /// True if this counts against the number of attempts: waiting does not.
    pub uses_attempt: bool,
    /// The write that ActiveCampaign confirmed.
    pub link: Option<LinkWrite>,
    pub record: Option<RecordSeen>,
    /// The address that the contact had before it was renamed: its link goes.
    pub moved_from: Option<Email>,
    /// The record is gone for good and competes for nothing.
    pub gone: bool,
    /// A request that writes may have left.
    pub sent: bool,
    /// The effects that were planned went along with the values.
    pub rode: bool,
    /// The record leaves all contacts that it had or stood for: whoever is next in line for one of them is asked.
    pub leaves: Option<Heir>,
}

impl Settlement {
    /// A settlement that tells nothing but the outcome, and uses no attempt.
    pub fn new(outcome: Outcome, state: JobState) -> Self {
        Self {
            outcome,
            state,
            waiting: None,
            error: None,
            why: None,
            contact: JobContact::default(),
            attempt: None,
            uses_attempt: false,
            link: None,
            record: None,
            moved_from: None,
            gone: false,
            sent: false,
            rode: false,
            leaves: None,
        }
    }
}

/// Jobs of which only the first could be settled.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct PartlySettled {
    /// As [`Store::settle_many`] answers, for the first of the jobs: these are settled, and nobody will take them again.
    pub settled: Vec<bool>,
    /// Why the others could not be settled: they are as they were.
    pub error: StoreError,
}

impl Store {
    /// Settles a claimed job. False means that the epoch is stale, and nothing was changed. If something was sent all the
    /// same, the contact may hold what is older than the other worker's: the record is made due once more, so that
    /// the newest state is the last (sync.md, promise 2).
    ///
    /// If the record changed while the job ran, one new job is made for it; where the job itself stays open, that
    /// one is made ready instead.
    pub async fn settle(&self, claimed: &Job, epoch: i64, settlement: &Settlement) -> Result<bool> {
        let settled = self.settle_many(&[(claimed, epoch, settlement)]).await;
        let mut settled = settled.map_err(|partly| partly.error)?;
        Ok(settled.pop().unwrap_or(false))
    }

    /// As [`Store::settle`], for many jobs; the answers stand in the order of the jobs. When this returns, they are on disk;
    /// others may write between some of them and the next, and while it waits for the disk.
    ///
    /// # Errors
    /// The store failed. The error tells which jobs were settled before that.
    pub async fn settle_many(
        &self,
        jobs: &[(&Job, i64, &Settlement)],
    ) -> std::result::Result<Vec<bool>, PartlySettled> {
        let now = self.now_micros();
        let mut settled = Vec::with_capacity(jobs.len());
        let (mut changed, mut failed) = (false, None);
        for together in jobs.chunks(TOGETHER) {
            match self.settle_together(together, now).await {
                Ok((mine, wrote)) => {
                    settled.extend(mine);
                    changed |= wrote;
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // What was settled is to stay so, whatever kept the rest from it.
        if changed && let Err(error) = self.flush().await {
            failed = failed.or(Some(error));
        }
        match failed {
            None => Ok(settled),
            Some(error) => Err(PartlySettled { settled, error }),
        }
    }

    /// One transaction of [`Store::settle_many`]: whose jobs were this worker's, and whether anything was written.
    async fn settle_together(
        &self,
        jobs: &[(&Job, i64, &Settlement)],
        now: i64,
    ) -> Result<(Vec<bool>, bool)> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let mine = settle_in(&mut tx, jobs, now).await?;
        let mut ended = jobs.iter().zip(&mine);
        let writes = ended.any(|((_, _, settlement), mine)| *mine || settlement.sent);
        if writes {
            self.commit(tx).await?;
            self.wrote(jobs.len() * PAGES_A_JOB);
        }
        Ok((mine, writes))
    }
}

/// About so many pages are changed on a job's way from its webhook to its end.
const PAGES_A_JOB: usize = 20;

/// A running job as the store has it.
struct Held {
    seq: i64,
    epoch: i64,
    job: Job,
    /// The trigger of what came meanwhile.
    follow_up: Option<String>,
    changed_at: Option<i64>,
}

/// Which of these jobs were this worker's, and are settled.
async fn settle_in(
    tx: &mut SqliteConnection,
    jobs: &[(&Job, i64, &Settlement)],
    now: i64,
) -> Result<Vec<bool>> {
    let mut running = running(tx, jobs).await?;
    let left = left_by(tx, &running, jobs).await?;
    let effects = mappings_with_effects(tx, &running).await?;
    let mut settled = Vec::with_capacity(jobs.len());
    let mut seqs = Vec::with_capacity(jobs.len());
    // Made at the end: one job may ask for the record of another that is settled with it.
    let mut next: Vec<(NewJob, Option<i64>)> = Vec::new();
    for (claimed, epoch, settlement) in jobs {
        let held = running
            .remove(&claimed.id)
            .filter(|held| held.epoch == *epoch);
        settled.push(held.is_some());
        let Some(held) = held else {
            next.extend(settlement.sent.then(|| (again(claimed), None)));
            continue;
        };
        let effects = effects.contains(&of(&held.job));
        settle_one(tx, &held, settlement, effects, now).await?;
        seqs.push(held.seq);
        if let Some(trigger) = held.follow_up {
            let job = NewJob::after(&held.job, held.job.record.clone(), trigger.into());
            next.push((job, held.changed_at));
        }
    }
    release(tx, &seqs).await?;
    for leavers in left {
        leave(tx, &leavers, now).await?;
    }
    for (job, changed_at) in &next {
        upsert_changed(tx, job, now, *changed_at).await?;
    }
    Ok(settled)
}

/// Those of the jobs that still run, whoever has them.
async fn running(
    tx: &mut SqliteConnection,
    jobs: &[(&Job, i64, &Settlement)],
) -> Result<HashMap<JobId, Held>> {
    let mut query = QueryBuilder::new(format!(
        "SELECT {JOB}, seq, epoch, follow_up, changed_at FROM jobs WHERE state = 'running' AND id IN "
    ));
    push_list(&mut query, jobs.iter().map(|(job, ..)| job.id.as_str()));
    let rows = query.build().fetch_all(tx).await?;
    rows.iter()
        .map(|row| {
            let held = Held {
                seq: row.try_get("seq")?,
                epoch: row.try_get("epoch")?,
                follow_up: row.try_get("follow_up")?,
                changed_at: row.try_get("changed_at")?,
                job: job(row)?,
            };
            Ok((held.job.id.clone(), held))
        })
        .collect()
}

/// The jobs among these that leave contacts, by mapping. To be asked while nothing is settled: what a record had is known by
/// its row.
async fn left_by<'a>(
    tx: &mut SqliteConnection,
    running: &HashMap<JobId, Held>,
    jobs: &[(&'a Job, i64, &Settlement)],
) -> Result<Vec<Vec<Leaver<'a>>>> {
    let mut leaving: HashMap<_, Vec<(&Job, Heir)>> = HashMap::new();
    for (job, epoch, settlement) in jobs {
        let mine = running
            .get(&job.id)
            .is_some_and(|held| held.epoch == *epoch);
        if let Some(heir) = settlement.leaves.filter(|_| mine) {
            let of = leaving.entry((&job.connection, &job.mapping)).or_default();
            of.push((*job, heir));
        }
    }
    let mut left = Vec::with_capacity(leaving.len());
    for (of, jobs) in leaving {
        left.push(leavers(tx, of, &jobs).await?);
    }
    Ok(left)
}

/// A job's mapping among those of all connections.
fn of(job: &Job) -> (ConnectionName, MappingName) {
    (job.connection.clone(), job.mapping.clone())
}

/// The mappings of these jobs that have effects which are not over: usually none, and then their records need no look.
async fn mappings_with_effects(
    tx: &mut SqliteConnection,
    running: &HashMap<JobId, Held>,
) -> Result<HashSet<(ConnectionName, MappingName)>> {
    let mut mappings: HashSet<_> = running.values().map(|held| of(&held.job)).collect();
    for mapping in mappings.clone() {
        if !any_open(tx, mapping.0.as_str(), mapping.1.as_str()).await? {
            mappings.remove(&mapping);
        }
    }
    Ok(mappings)
}

async fn settle_one(
    tx: &mut SqliteConnection,
    held: &Held,
    settlement: &Settlement,
    effects: bool,
    now: i64,
) -> Result<()> {
    let mut settlement = Cow::Borrowed(settlement);
    if effects {
        if settlement.rode {
            end_riding(tx, &held.job, now).await?;
        }
        settlement = with_effects(tx, &held.job, settlement, now).await?;
    }
    let settlement = settlement.as_ref();
    write_state(tx, held.seq, &held.job, settlement, now).await?;
    if let Some(attempt) = &settlement.attempt {
        let outcome = match settlement.outcome {
            Outcome::Waiting => "retry",
            outcome => outcome.name(),
        };
        let connection = held.job.connection.as_str();
        let error = settlement.error.as_ref();
        insert_attempt(tx, connection, held.seq, attempt, outcome, error).await?;
    }
    write_links(tx, &held.job, settlement, now).await
}

/// A job is done when all its effects are over. A record that does not have its contact gives up its effects; what may have
/// been sent of them keeps the job open, for a person.
async fn with_effects<'a>(
    tx: &mut SqliteConnection,
    held: &Job,
    settlement: Cow<'a, Settlement>,
    now: i64,
) -> Result<Cow<'a, Settlement>> {
    if settlement.state != JobState::Done {
        return Ok(settlement);
    }
    let (connection, mapping) = (held.connection.as_str(), held.mapping.as_str());
    if settlement.gone || matches!(settlement.outcome, Outcome::Superseded | Outcome::Skipped) {
        void(tx, connection, mapping, held.record.as_str(), now).await?;
    }
    let Some(open) = first_open(tx, held).await? else {
        return Ok(settlement);
    };
    let problem = Problem::new(
        ErrorClass::Unknown,
        format!(
            "rule {}: {} may or may not have happened",
            open.rule, open.act
        ),
    )
    .remedy("look at the contact; retry to do it, discard to leave it");
    Ok(Cow::Owned(Settlement {
        state: JobState::Unknown,
        error: Some(problem),
        ..settlement.into_owned()
    }))
}

/// A job for the same record. What is confirmed of its contact may be undone by the write that came too late, so this one
/// compares with the contact itself, as a person's does. It is no retry: what is unknown stays for a person.
fn again(job: &Job) -> NewJob {
    NewJob::after(job, job.record.clone(), Trigger::Manual)
}

/// What the job came to know of its record and its contact.
async fn write_links(
    tx: &mut SqliteConnection,
    held: &Job,
    settlement: &Settlement,
    now: i64,
) -> Result<()> {
    let (connection, mapping) = (&held.connection, &held.mapping);
    if let Some(old) = &settlement.moved_from {
        unlink(tx, connection, mapping, old, &held.record).await?;
    }
    if let Some(link) = &settlement.link {
        write_link(tx, connection, mapping, link, now).await?;
        supersede(tx, connection, mapping, &link.email, &link.record).await?;
    }
    if let Some(record) = &settlement.record {
        see(tx, connection, mapping, &[record]).await?;
    }
    if settlement.gone {
        see_gone(tx, connection, mapping, &held.record).await?;
        settle_deletion(tx, connection, mapping, &held.record, now).await?;
    }
    Ok(())
}

async fn write_state(
    tx: &mut SqliteConnection,
    seq: i64,
    held: &Job,
    settlement: &Settlement,
    now: i64,
) -> Result<()> {
    let waiting = settlement
        .waiting
        .as_ref()
        .filter(|_| settlement.state == JobState::Waiting)
        // The breaker itself is what stops such a job, for as long as it is open: see `pauses`.
        .filter(|waiting| waiting.reason != WaitReason::BreakerOpen);
    let state = match settlement.state {
        JobState::Waiting if waiting.is_none() => JobState::Ready,
        state => state,
    };
    let done = settlement.state == JobState::Done;
    let error = settlement.error.as_ref().filter(|_| !done);
    let contact_id = settlement.contact.id.as_ref().or(held.contact.id.as_ref());
    let email = settlement
        .contact
        .email
        .as_ref()
        .or(held.contact.email.as_ref());
    let contact_id = contact_id.map(ContactId::as_str);
    let email = email.map(Email::as_str);
    sqlx::query(
        "UPDATE jobs SET state = $1, wait_reason = $2, wait_until = $3, wait_by = $4, attempts = attempts + $5,
             tries = tries + $5, error_class = $6, error_status = $7, error_field = $8, error_message = $9,
             error_remedy = $10, error_request = $11, error_group = $12, contact_id = $13, email = $14, search_ids = $15,
             search_error = $16, updated_at = $17, lease_owner = NULL, lease_until = NULL, follow_up = NULL,
             follow_priority = NULL, end_outcome = $19, end_why = $20
         WHERE seq = $18",
    )
    .bind(state.name())
    .bind(waiting.map(|waiting| waiting.reason.name()))
    .bind(waiting.and_then(|waiting| waiting.until.map(Timestamp::as_microsecond)))
    .bind(waiting.map(|waiting| waiting.by.as_str()))
    .bind(i64::from(settlement.uses_attempt))
    .bind(error.map(|error| error.class.name()))
    .bind(error.and_then(|error| error.status))
    .bind(error.and_then(|error| error.field.as_deref()))
    .bind(error.map(|error| error.message.as_str()))
    .bind(error.and_then(|error| error.remedy.as_deref()))
    .bind(error.and_then(|error| error.request_id.as_deref()))
    .bind(error.map(group))
    .bind(contact_id)
    .bind(email)
    .bind(searched_parts(held.record.as_str(), contact_id, email))
    .bind(error.map(searched_error).unwrap_or_default())
    .bind(now)
    .bind(seq)
    .bind(done.then(|| settlement.outcome.name()))
    .bind(settlement.why.as_deref().filter(|_| done))
    .execute(tx)
    .await?;
    Ok(())
}
