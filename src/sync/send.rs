//! A record's values go to its contact: the contest over it, the write, and what its rules want.

use super::breaker::{self, Probed};
use super::contest::{self, Verdict};
use super::effects::{self, Actor, Trouble, TroubleKind};
use super::ended::{Ended, confirmed, fields, seen};
use super::job::{Desk, Stop};
use super::plan::{Planned, version};
use super::verdict::judge;
use super::write;
use crate::activecampaign::sync_body_json;
use crate::model::call::Api;
use crate::model::job::JobContact;
use crate::model::view::{Outcome, PreviewField};
use crate::model::{Email, ErrorClass, Record, RelatedContact, Trigger, WaitReason};
use crate::store::{
    Arrives, BatchKind, Candidate, Claim, Held, LinkWrite, OpenEffect, RecordSeen, StoreError,
};
use jiff::Timestamp;
use std::time::Duration;

impl Desk {
    /// The record's values go to its contact, unless another write to it is under way, another record won it, or it
    /// holds them already.
    pub async fn send(
        &self,
        claim: &Claim,
        record: &Record,
        related: Option<&RelatedContact>,
        planned: Planned,
    ) -> Result<Ended, Stop> {
        let email = planned.write.email.clone();
        let (leaves, warning) = self.moves(&claim.job, &email).await?;
        let candidate = RecordSeen {
            competes: true,
            ..seen(record, Some(email.clone()), Outcome::Waiting)
        };
        let contact = JobContact {
            id: None,
            email: Some(email.clone()),
        };
        let arrives = Arrives {
            seen: &candidate,
            leaves: &leaves,
            heir: self.heir(),
        };
        let ended = match self.hold(claim, &email, Some(arrives)).await? {
            Ok(candidates) => match self.lost(record, &email, &candidates) {
                Some(ended) => ended,
                None => self.deliver(claim, record, related, planned).await?,
            },
            Err(busy) => busy,
        };
        Ok(Ended {
            contact: JobContact {
                id: ended.contact.id.clone(),
                ..contact
            },
            warning: warning.filter(|_| ended.outcome != Outcome::Superseded),
            ..ended
        })
    }

    /// Takes a contact for this job; the records that compete for it, or how the attempt ends if it is busy.
    pub(super) async fn hold(
        &self,
        claim: &Claim,
        contact: &Email,
        arrives: Option<Arrives<'_>>,
    ) -> Result<Result<Vec<Candidate>, Ended>, Stop> {
        let held = self
            .store
            .hold_contact(&claim.job, claim.epoch, contact, arrives, write::CANDIDATES)
            .await?;
        mine(held)
    }

    /// How the attempt ends if the record does not win its contact.
    pub fn lost(&self, record: &Record, email: &Email, candidates: &[Candidate]) -> Option<Ended> {
        let conflict = self.mapping.spec().conflict;
        match contest::decide(conflict, &record.id, version(record), candidates) {
            Verdict::Wins => None,
            Verdict::Loses(winner) => Some(Ended {
                record: Some(RecordSeen {
                    superseded_by: Some(winner),
                    ..seen(record, Some(email.clone()), Outcome::Superseded)
                }),
                ..Ended::new(Outcome::Superseded)
            }),
            Verdict::Fails(others) => Some(Ended {
                record: Some(RecordSeen {
                    competes: true,
                    ..seen(record, Some(email.clone()), Outcome::Failed)
                }),
                ..Ended::failed(contest::problem(email, others))
            }),
        }
    }

    /// Sends to a contact that this job holds and its record has won.
    async fn deliver(
        &self,
        claim: &Claim,
        record: &Record,
        related: Option<&RelatedContact>,
        planned: Planned,
    ) -> Result<Ended, Stop> {
        let email = planned.write.email.clone();
        match self.write(claim, record, related, &planned).await {
            // The values are refused and will be every time: the contact goes to who is next, as with values that
            // cannot even be planned.
            Err(Stop::Api(error)) if error.class == ErrorClass::Invalid => {
                let mut ended = self.verdict(claim, error).await;
                ended.record = Some(seen(record, Some(email), Outcome::Failed));
                ended.leaves = Some(self.heir());
                Ok(ended)
            }
            result => result,
        }
    }

    async fn write(
        &self,
        claim: &Claim,
        record: &Record,
        related: Option<&RelatedContact>,
        planned: &Planned,
    ) -> Result<Ended, Stop> {
        let (connection, mapping) = (&self.account.name, self.mapping.name());
        let email = &planned.write.email;
        let link = self.store.link(connection, mapping, email).await?;
        let mut done = Ended::new(Outcome::Unchanged);
        // A person wants to see what changes and may mend what drifted; everybody else goes by the fingerprint.
        let person = matches!(claim.job.trigger, Trigger::Manual | Trigger::Retry);
        let mut known = link.as_ref().and_then(|link| link.contact_id.clone());
        let mut in_step = if person {
            let contact = self
                .account
                .activecampaign
                .find_contact(email, true)
                .await?;
            known = contact.as_ref().map(|contact| contact.id.clone());
            let preview = match &contact {
                Some(_) => self
                    .mapping
                    .preview_fields(record, related, contact.as_ref()),
                None => self.before_rename(record, related, email).await?,
            };
            let same = contact.is_some() && preview.iter().all(|field| !field.changes);
            done.fields = fields(preview);
            same
        } else {
            link.as_ref()
                .is_some_and(|link| link.fingerprint == planned.fingerprint)
        };
        let mut created = link.as_ref().is_some_and(|link| link.created_by_us);
        let mut moves_from = None;
        if !in_step {
            moves_from =
                write::old_link(&self.store, &self.account, &self.mapping, &record.id, email)
                    .await?;
            if let Some(old) = &moves_from
                && let Err(busy) = self.hold(claim, &old.email, None).await?
            {
                return Ok(busy);
            }
            // Records of the same contact that are synced at the same time have told of themselves by now.
            if let Some(lost) = self.lost(record, email, &self.candidates(email).await?) {
                return Ok(lost);
            }
        }
        let effects = self.plan_effects(claim, record, related).await?;
        if in_step && known.is_none() && !effects.is_empty() {
            // An import confirmed the contact without naming it.
            let contact = self
                .account
                .activecampaign
                .find_contact(email, false)
                .await?;
            known = contact.map(|contact| contact.id);
            in_step = known.is_some();
        }
        if !in_step {
            self.may_send(claim).await?;
            let (synced, moved) = write::write(
                &self.account,
                &self.mapping,
                &planned.write,
                moves_from.as_ref().map(|old| &old.email),
            )
            .await?;
            created |= synced.created;
            if let Some(old) = moves_from.filter(|_| moved) {
                created |= old.created_by_us;
                done.moved_from = Some(old.email);
            }
            done.request = Some(format!(
                "POST /contact/sync {}",
                sync_body_json(&planned.write)
            ));
            done.response = Some(format!(
                "{} contact {}",
                if synced.created { 201 } else { 200 },
                synced.id
            ));
            known = Some(synced.id);
            done.outcome = Outcome::Synced;
        }
        done.contact.id = known.clone();
        done.record = Some(seen(record, Some(email.clone()), done.outcome));
        done.link = Some(confirmed(
            &self.mapping,
            record,
            planned,
            known.clone(),
            created,
        )?);
        let Some(contact) = known.filter(|_| !effects.is_empty()) else {
            return Ok(done);
        };
        // What was done for a state must be known to have been, or a state that comes back would fire nothing.
        if let Some(state) = done.link.as_ref().and_then(LinkWrite::state)
            && !self
                .store
                .confirm_state(&claim.job, claim.epoch, &state)
                .await?
        {
            return Err(Stop::Lost);
        }
        let actor = Actor {
            store: &self.store,
            account: &self.account,
            mapping: &self.mapping,
            contact: &contact,
            email,
            job: Some((self, claim)),
        };
        Ok(match actor.act(&effects).await? {
            None => done,
            Some(trouble) => {
                if let TroubleKind::Passing {
                    probe: Probed::Dead,
                    ..
                } = trouble.kind
                {
                    let (account, api) = (&self.account.name, Api::ActiveCampaign);
                    let problem = &trouble.problem;
                    breaker::open(&self.store, account, api, problem, &self.worker).await;
                }
                troubled(claim, done, trouble)
            }
        })
    }

    /// What is sent to an address without a contact, beside what the contact that is renamed holds, if there is one.
    async fn before_rename(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        email: &Email,
    ) -> Result<Vec<PreviewField>, Stop> {
        let (account, mapping) = (&self.account, &self.mapping);
        let old = write::old_link(&self.store, account, mapping, &record.id, email).await?;
        let Some(old) = old.map(|old| old.email) else {
            return Ok(mapping.preview_fields(record, related, None));
        };
        let contact = account.activecampaign.find_contact(&old, true).await?;
        Ok(match &contact {
            Some(contact) => {
                write::beside_renamed(mapping, (record, related), (&old, contact), email)
            }
            None => mapping.preview_fields(record, related, None),
        })
    }

    /// What the rules want of a record, on disk before its contact is written; and what is open of earlier attempts.
    async fn plan_effects(
        &self,
        claim: &Claim,
        record: &Record,
        related: Option<&RelatedContact>,
    ) -> Result<Vec<OpenEffect>, Stop> {
        let (connection, mapping) = (&self.account.name, self.mapping.name());
        let confirmed = if self.mapping.has_rules() {
            let ids = std::slice::from_ref(&record.id);
            let mut states = self
                .store
                .confirmed_states(connection, mapping, ids)
                .await?;
            states.remove(&record.id)
        } else {
            None
        };
        let open = self
            .store
            .open_effects(connection, mapping, &record.id)
            .await?;
        let confirmed = confirmed.as_ref();
        let plan = effects::wanted(&self.mapping, record, related, confirmed, &open);
        if open.is_empty() && plan.fires.is_empty() {
            return Ok(open);
        }
        self.store
            .plan_effects(&claim.job, claim.epoch, &plan)
            .await?
            .ok_or(Stop::Lost)
    }

    async fn candidates(&self, email: &Email) -> Result<Vec<Candidate>, StoreError> {
        self.store
            .candidates(
                &self.account.name,
                self.mapping.name(),
                email,
                write::CANDIDATES,
            )
            .await
    }
}

/// The records that compete for a contact that was asked for, or how the attempt ends if it is busy.
///
/// # Errors
/// The job is no longer this worker's, or its record is read anew.
pub fn mine(held: Held) -> Result<Result<Vec<Candidate>, Ended>, Stop> {
    let seconds = match held {
        Held::Mine(candidates) => return Ok(Ok(candidates)),
        Held::ByJob | Held::ByExport(BatchKind::Single) => 1,
        Held::ByExport(BatchKind::Import) => 2,
        Held::Overtaken(newer) => return Err(Stop::Overtaken(newer)),
        Held::Lost => return Err(Stop::Lost),
    };
    Ok(Err(Ended::waiting(
        WaitReason::ContactBusy,
        Duration::from_secs(seconds),
    )))
}

/// How an attempt ends whose contact is in step, but not all of its effects are over. What was confirmed stays confirmed: the
/// next attempt goes on with the effects.
fn troubled(claim: &Claim, done: Ended, trouble: Trouble) -> Ended {
    let Trouble {
        kind,
        problem,
        request,
        response,
    } = trouble;
    let (outcome, waiting, uses_attempt) = match kind {
        TroubleKind::Failed => (Outcome::Failed, None, true),
        TroubleKind::Unknown => (Outcome::Unknown, None, true),
        TroubleKind::TooSoon(rest) => {
            let until = Timestamp::now() + rest;
            let waiting = Some((WaitReason::Scheduled, until));
            (Outcome::Waiting, waiting, false)
        }
        TroubleKind::Passing {
            class,
            retry_after,
            probe,
            ambiguous,
        } => {
            let judged = judge(problem.clone(), class, retry_after, probe, claim.tries);
            match judged.outcome {
                // The attempts are used up, and what was sent may have arrived.
                Outcome::Failed if ambiguous => (Outcome::Unknown, None, true),
                outcome => (outcome, judged.waiting, judged.uses_attempt),
            }
        }
    };
    Ended {
        outcome,
        waiting,
        uses_attempt,
        error: Some(problem),
        request: request.or(done.request.clone()),
        response: response.or(done.response.clone()),
        ..done
    }
}
