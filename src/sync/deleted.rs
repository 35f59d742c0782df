//! A record that is gone (product.md, deletions): its contact goes to the next in line, else `on_delete` says what becomes of
//! it. That applies only where HighLevel announced the deletion, or a complete walk did not meet the record.

use super::contest::CANDIDATES;
use super::ended::Ended;
use super::job::{Desk, Stop};
use super::write;
use crate::activecampaign::{ListStanding, Sent};
use crate::http::ApiError;
use crate::mapping::OnDelete;
use crate::model::job::JobContact;
use crate::model::view::Outcome;
use crate::model::{ContactId, ErrorClass, Job, Problem, WaitReason};
use crate::store::{Claim, Link, StoreError};
use std::collections::BTreeSet;
use std::time::Duration;

/// Why nothing was done for a record that is gone.
const DELETED_AND_KEPT: &str =
    "the record was deleted in HighLevel, and on_delete = \"keep\" leaves its contact";
const DELETED: &str =
    "the record was deleted in HighLevel, and no contact was left that on_delete is about";

/// What became of one contact.
enum Left {
    /// Nothing was to be done.
    Alone,
    /// It was changed by this request.
    Changed(ContactId, String),
    /// It must stay as it is, and a person should know.
    Refused(Problem),
    /// Another write to it is under way.
    Busy,
}

/// Whether a contact is deleted.
enum Verdict {
    Goes,
    /// It must not be.
    Stays(Problem),
    /// Not by this mapping: others that delete, too, have records of it yet.
    OfOthers,
}

impl Desk {
    /// True if an answer says that the record is gone. A plain refusal of its id says so where the deletion was announced
    /// (HighLevel fact sheet §5.2: 404 and 400 alike).
    pub async fn says_gone(&self, job: &Job, error: &ApiError) -> Result<bool, StoreError> {
        Ok(match error.status {
            _ if error.class == ErrorClass::Missing => true,
            Some(400 | 422) if error.class == ErrorClass::Invalid => {
                self.is_believed_gone(job).await?
            }
            _ => false,
        })
    }

    async fn is_believed_gone(&self, job: &Job) -> Result<bool, StoreError> {
        let evidence = self
            .store
            .deletion(&job.connection, &job.mapping, &job.record)
            .await?;
        Ok(evidence.is_some())
    }

    /// How a job ends whose record is gone. That is believed only while its object can still be read: otherwise the token or
    /// the location is at fault.
    pub async fn gone(&self, claim: &Claim, error: ApiError) -> Result<Ended, Stop> {
        let job = &claim.job;
        self.account.highlevel.object(&job.object).await?;
        let (request, response) = (Some(error.request.clone()), error.response.clone());
        let mut ended = Ended {
            request,
            response,
            ..Ended::new(Outcome::Skipped)
        };
        if !self.is_believed_gone(job).await? {
            let problem =
                Problem::from(error).remedy("it was deleted in HighLevel: discard the job");
            ended = Ended {
                request: ended.request,
                response: ended.response,
                ..Ended::failed(problem)
            };
        } else {
            let links = self
                .store
                .links_of_record(&job.connection, &job.mapping, &job.record)
                .await?;
            for link in links {
                match self.leave(claim, &link).await? {
                    Left::Alone => {}
                    Left::Changed(contact, request) => {
                        ended.outcome = Outcome::Synced;
                        ended.request = Some(request);
                        ended.response = None;
                        ended.contact = JobContact {
                            id: Some(contact),
                            email: Some(link.email),
                        };
                    }
                    Left::Refused(problem) => {
                        ended.outcome = Outcome::Failed;
                        ended.error = Some(problem);
                    }
                    Left::Busy => {
                        return Ok(Ended::waiting(
                            WaitReason::ContactBusy,
                            Duration::from_secs(1),
                        ));
                    }
                }
            }
        }
        if ended.outcome == Outcome::Skipped {
            ended.why = Some(match self.mapping.spec().on_delete {
                OnDelete::Keep => DELETED_AND_KEPT.to_owned(),
                _ => DELETED.to_owned(),
            });
        }
        ended.gone = true;
        ended.leaves = Some(self.heir());
        Ok(ended)
    }

    /// Does what `on_delete` says with a contact that holds the record's values.
    async fn leave(&self, claim: &Claim, link: &Link) -> Result<Left, Stop> {
        let record = &claim.job.record;
        let spec = self.mapping.spec();
        if spec.on_delete == OnDelete::Keep {
            return Ok(Left::Alone);
        }
        // Asked for with the contact at hand: whoever comes to it from now on waits.
        if self.hold(claim, &link.email, None).await?.is_err() {
            return Ok(Left::Busy);
        }
        let (store, account, mapping) = (&self.store, &self.account, &self.mapping);
        let heir = write::next_in_line(store, account, mapping, &link.email, record);
        if heir.await?.is_some() {
            return Ok(Left::Alone);
        }
        let client = &self.account.activecampaign;
        let Some(contact) = client.find_contact(&link.email, false).await? else {
            self.forget(link).await?;
            return Ok(Left::Alone);
        };
        match &spec.on_delete {
            OnDelete::Keep => Ok(Left::Alone),
            OnDelete::Tag(name) => self.tag(claim, contact.id, name, spec.create_tags).await,
            OnDelete::Unsubscribe => self.unsubscribe(claim, contact.id).await,
            OnDelete::Delete => {
                match self.verdict_on(claim, link, &contact.id).await? {
                    Verdict::Goes => {}
                    Verdict::Stays(problem) => return Ok(Left::Refused(problem)),
                    Verdict::OfOthers => {
                        tracing::info!(contact = %link.email, mapping = %link.mapping, "other mappings want the contact yet; the last of them deletes it");
                        self.store.let_go(&self.account.name, link).await?;
                        return Ok(Left::Alone);
                    }
                }
                self.may_send(claim).await?;
                client.delete_contact(&contact.id).await?;
                self.forget(link).await?;
                let request = format!("DELETE /contacts/{}", contact.id);
                Ok(Left::Changed(contact.id, request))
            }
        }
    }

    /// The contact is no more: nothing that was confirmed of it holds.
    async fn forget(&self, link: &Link) -> Result<(), StoreError> {
        self.store
            .remove_link(&self.account.name, self.mapping.name(), &link.email)
            .await
    }

    async fn tag(
        &self,
        claim: &Claim,
        contact: ContactId,
        name: &str,
        create: bool,
    ) -> Result<Left, Stop> {
        let client = &self.account.activecampaign;
        let tag = match client.tag_named(name).await? {
            Some(tag) => tag.id,
            None if create => {
                self.may_send(claim).await?;
                client.create_tag(name).await?.id
            }
            None => {
                let problem = Problem::new(
                    ErrorClass::Invalid,
                    format!("on_delete: there is no tag `{name}`"),
                );
                return Ok(Left::Refused(
                    problem
                        .field("on_delete")
                        .remedy("make it in ActiveCampaign, or set create_tags = true"),
                ));
            }
        };
        self.may_send(claim).await?;
        gone_is_done(client.add_tag(&contact, &tag).await)?;
        Ok(Left::Changed(
            contact,
            format!("POST /contactTags tag {tag}"),
        ))
    }

    /// The contact leaves the lists that this mapping's rules name.
    async fn unsubscribe(&self, claim: &Claim, contact: ContactId) -> Result<Left, Stop> {
        let client = &self.account.activecampaign;
        let rules = &self.mapping.spec().rules;
        let names: BTreeSet<&str> = rules
            .iter()
            .flat_map(|rule| rule.subscribe.iter().chain(rule.unsubscribe.iter()))
            .collect();
        let mut lists = BTreeSet::new();
        for name in names {
            // On a list that is not there the contact is not.
            lists.extend(client.list_named(name).await?.map(|list| list.id));
        }
        let standings = client.standings(&contact).await?;
        let active = |list: &String| {
            let receives =
                |standing: &ListStanding| standing.list == *list && standing.status == "1";
            standings.iter().any(receives)
        };
        lists.retain(active);
        let mut left = Vec::new();
        for list in lists {
            self.may_send(claim).await?;
            gone_is_done(client.set_standing(&contact, &list, false, false).await)?;
            left.push(list);
        }
        if left.is_empty() {
            return Ok(Left::Alone);
        }
        let request = format!("POST /contactLists status 2 of list {}", left.join(", "));
        Ok(Left::Changed(contact, request))
    }

    /// Whether a contact is deleted: only one that Tramline made and that nothing else links may be. Where the mappings that
    /// link it as well all delete, too, the last of them does.
    async fn verdict_on(
        &self,
        claim: &Claim,
        link: &Link,
        contact: &ContactId,
    ) -> Result<Verdict, StoreError> {
        let (connection, mapping) = (&claim.job.connection, &claim.job.mapping);
        let refuse = |reason: String| {
            let problem = Problem::new(
                ErrorClass::Invalid,
                format!("the contact {} is not deleted: {reason}", link.email),
            );
            Ok(Verdict::Stays(problem.field("on_delete").remedy(
                "delete it by hand if it should go, then discard the job",
            )))
        };
        let by_id = self.store.links_of_contact(connection, contact).await?;
        // Whichever mapping was first.
        if !link.created_by_us && !by_id.iter().any(|link| link.created_by_us) {
            return refuse("Tramline did not create it".to_owned());
        }
        if link
            .contact_id
            .as_ref()
            .is_some_and(|known| known != contact)
        {
            return refuse("another contact has its address now".to_owned());
        }
        let mut others = self
            .store
            .other_mappings_of(connection, mapping, &link.email)
            .await?;
        others.extend(by_id.iter().map(|link| link.mapping.clone()));
        others.retain(|other| other != mapping);
        if let Some(other) = others.iter().find(|other| !self.deleting.contains(*other)) {
            return refuse(format!("the mapping {other} links it as well"));
        }
        let mut candidates = self
            .store
            .candidates(connection, mapping, &link.email, CANDIDATES)
            .await?;
        candidates.retain(|candidate| candidate.record != claim.job.record);
        if let Some(other) = candidates.first() {
            return refuse(format!("the record {} links it as well", other.record));
        }
        if !others.is_empty() {
            return Ok(Verdict::OfOthers);
        }
        if by_id.iter().any(|other| other.record != claim.job.record) {
            return refuse("another record links it as well".to_owned());
        }
        Ok(Verdict::Goes)
    }
}

/// A contact that is gone needs neither tag nor list taken care of.
fn gone_is_done(sent: Result<Sent, ApiError>) -> Result<(), ApiError> {
    match sent {
        Err(error) if error.class == ErrorClass::Missing => Ok(()),
        sent => sent.map(drop),
    }
}
