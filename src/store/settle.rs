//! Settling a claimed job: its state, its attempt, what was confirmed, and its follow-up, in one transaction.

use super::Store;
use super::deletions::settle_deletion;
use super::effects::{end_riding, first_open, void};
use super::enqueue::{NewAttempt, NewJob, insert_attempt, upsert, upsert_changed};
use super::error::Result;
use super::holds::release;
use super::links::{LinkWrite, RecordSeen, see, see_gone, supersede, unlink, write_link};
use super::rows::{JOB, job};
use crate::model::filter::{searched_error, searched_parts};
use crate::model::group::group;
use crate::model::job::JobContact;
use crate::model::view::Outcome;
use crate::model::{
    ContactId, Email, ErrorClass, Job, JobState, Problem, Trigger, WaitReason, Waiting,
};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use std::borrow::Cow;

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
    /// Jobs that follow from this one: who takes over the contacts that the record left.
    pub follow: Vec<NewJob>,
}

impl Settlement {
    /// A settlement that tells nothing but the outcome, and uses no attempt.
    pub fn new(outcome: Outcome, state: JobState) -> Self {
        Self {
            outcome,
            state,
            waiting: None,
            error: None,
            contact: JobContact::default(),
            attempt: None,
            uses_attempt: false,
            link: None,
            record: None,
            moved_from: None,
            gone: false,
            sent: false,
            rode: false,
            follow: Vec::new(),
        }
    }
}

impl Store {
    /// Settles a claimed job. False means that the epoch is stale, and nothing was changed. If something was sent all the
    /// same, the contact may hold what is older than the other worker's: the record is made due once more, so that
    /// the newest state is the last (sync.md, promise 2).
    ///
    /// If the record changed while the job ran, one new job is made for it; where the job itself stays open, that
    /// one is made ready instead.
    pub async fn settle(&self, claimed: &Job, epoch: i64, settlement: &Settlement) -> Result<bool> {
        let mut settled = self.settle_many(&[(claimed, epoch, settlement)]).await?;
        Ok(settled.pop().unwrap_or(false))
    }

    /// As [`Store::settle`], for many jobs in one transaction; the answers stand in the order of the jobs. When this returns, they
    /// are on disk; others may write while it waits for that.
    pub async fn settle_many(&self, jobs: &[(&Job, i64, &Settlement)]) -> Result<Vec<bool>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let mut settled = Vec::with_capacity(jobs.len());
        let mut changed = false;
        for (claimed, epoch, settlement) in jobs {
            let held = settle_in(&mut tx, claimed, *epoch, settlement, now).await?;
            changed |= held || settlement.sent;
            settled.push(held);
        }
        if changed {
            self.commit(tx).await?;
            drop(writer);
            self.flush().await?;
        }
        Ok(settled)
    }
}

async fn settle_in(
    tx: &mut SqliteConnection,
    claimed: &Job,
    epoch: i64,
    settlement: &Settlement,
    now: i64,
) -> Result<bool> {
    let held = sqlx::query(AssertSqlSafe(format!(
            "SELECT {JOB}, seq, follow_up, changed_at FROM jobs WHERE id = $1 AND epoch = $2 AND state = 'running'"
        )))
        .bind(claimed.id.as_str())
        .bind(epoch)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(held) = held else {
        if settlement.sent {
            upsert(tx, &again(claimed), now).await?;
        }
        return Ok(false);
    };
    let seq: i64 = held.try_get("seq")?;
    let follow_up = held.try_get::<Option<String>, _>("follow_up")?;
    let changed_at: Option<i64> = held.try_get("changed_at")?;
    let held = job(&held)?;
    if settlement.rode {
        end_riding(tx, &held, now).await?;
    }
    let settlement = &with_effects(tx, &held, settlement, now).await?;
    write_state(tx, seq, &held, settlement, now).await?;
    if let Some(attempt) = &settlement.attempt {
        let outcome = match settlement.outcome {
            Outcome::Waiting => "retry",
            outcome => outcome.name(),
        };
        let connection = held.connection.as_str();
        let error = settlement.error.as_ref();
        insert_attempt(tx, connection, seq, attempt, outcome, error).await?;
    }
    release(tx, seq).await?;
    write_links(tx, &held, settlement, now).await?;
    for next in &settlement.follow {
        upsert(tx, next, now).await?;
    }
    if let Some(follow_up) = follow_up {
        let next = NewJob {
            connection: held.connection,
            mapping: held.mapping,
            object: held.object,
            record: held.record,
            trigger: Trigger::from(follow_up),
            not_before: None,
        };
        upsert_changed(tx, &next, now, changed_at).await?;
    }
    Ok(true)
}

/// A job is done when all its effects are over. A record that does not have its contact gives up its effects; what may have
/// been sent of them keeps the job open, for a person.
async fn with_effects<'a>(
    tx: &mut SqliteConnection,
    held: &Job,
    settlement: &'a Settlement,
    now: i64,
) -> Result<Cow<'a, Settlement>> {
    if settlement.state != JobState::Done {
        return Ok(Cow::Borrowed(settlement));
    }
    let (connection, mapping) = (held.connection.as_str(), held.mapping.as_str());
    if settlement.gone || matches!(settlement.outcome, Outcome::Superseded | Outcome::Skipped) {
        void(tx, connection, mapping, held.record.as_str(), now).await?;
    }
    let Some(open) = first_open(tx, held).await? else {
        return Ok(Cow::Borrowed(settlement));
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
        ..settlement.clone()
    }))
}

/// A job for the same record. What is confirmed of its contact may be undone by the write that came too late, so this one
/// compares with the contact itself, as a person's does. It is no retry: what is unknown stays for a person.
fn again(job: &Job) -> NewJob {
    NewJob {
        connection: job.connection.clone(),
        mapping: job.mapping.clone(),
        object: job.object.clone(),
        record: job.record.clone(),
        trigger: Trigger::Manual,
        not_before: None,
    }
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
        see(tx, connection, mapping, record).await?;
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
    let error = settlement
        .error
        .as_ref()
        .filter(|_| settlement.state != JobState::Done);
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
             follow_priority = NULL
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
    .execute(tx)
    .await?;
    Ok(())
}
