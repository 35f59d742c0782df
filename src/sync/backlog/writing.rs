//! The contacts of a bulk: who wins them, and what is written to them in an import.

use super::sending::{self, Fate, Row};
use super::{Bulk, Listener, Sendable, Single};
use crate::activecampaign::{BatchId, import_row_with};
use crate::model::job::JobContact;
use crate::model::view::Outcome;
use crate::model::{ContactId, Email, Job, JobId};
use crate::store::{Arrives, Asked, Claim, EffectPlan, Link, StoreError};
use crate::sync::contest::{CANDIDATES, beats};
use crate::sync::ended::{Ended, confirmed, seen};
use crate::sync::job::Stop;
use crate::sync::plan::version;
use crate::sync::send::mine;
use crate::sync::verdict::judged;
use std::collections::HashSet;

impl<L: Listener> Bulk<'_, L> {
    /// Takes the contacts, all in one transaction, and settles the records that do not win theirs.
    pub(super) async fn contest(
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
        let heir = self.desk.heir();
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
    pub(super) async fn write(&self, chosen: Vec<Sendable>) -> Result<Vec<Single>, StoreError> {
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
                    let (claim, lost) = (
                        &one.entry.claim,
                        self.desk.settlement_of_lost(&one.entry.claim.job),
                    );
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
        let planned: Vec<(&Job, i64, &EffectPlan)> = going
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
        import: Option<(Option<ContactId>, bool, BatchId, String)>,
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
