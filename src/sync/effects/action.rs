//! The actions themselves: what each must know before it is sent, how it is sent, and what shows that it arrived.

use super::{Actor, last_list_effect};
use crate::activecampaign::{Enrolled, ListStanding, Sent};
use crate::http::ApiError;
use crate::model::call::Api;
use crate::model::{Action, ContactId, ErrorClass};
use crate::store::OpenEffect;
use jiff::{SignedDuration, Timestamp};

/// An effect ready to be sent, or found needless.
pub(super) enum Prepared {
    Send {
        /// What stands there already, where that must be told from what is new.
        known: Vec<String>,
        request: Request,
    },
    /// Why nothing has to be sent.
    Nothing(String),
}

/// An action with its names resolved.
pub(super) enum Request {
    AddTag {
        tag: String,
    },
    /// The associations to be taken away.
    RemoveTag(Vec<String>),
    Standing {
        list: String,
        subscribed: bool,
        again: bool,
    },
    Enrol {
        automation: String,
    },
    /// The enrolments to be ended.
    Leave(Vec<String>),
    Event {
        data: String,
    },
}

/// What stands there after a request whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Arrived,
    /// It is not there. What is `repeatable` comes to the same if it arrives after all.
    Absent {
        repeatable: bool,
    },
    /// Nothing tells of it, which proves nothing.
    Untold,
}

/// Standings on a list (fact sheet §4).
const ACTIVE: &str = "1";
const UNSUBSCRIBED: &str = "2";
/// A standing's time and that of our own change may differ by this: the API gives both, its clock's and its rows', to the second.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(2);

impl Actor<'_> {
    /// Looks up what an effect needs. Only a tag may be made on the way.
    pub(super) async fn prepare(&self, effect: &OpenEffect) -> Result<Prepared, ApiError> {
        let client = &self.account.activecampaign;
        let name = effect.act.target.as_str();
        let ready = |request| Prepared::Send {
            known: Vec::new(),
            request,
        };
        Ok(match effect.act.action {
            Action::AddTag => ready(Request::AddTag {
                tag: self.tag(name).await?,
            }),
            Action::RemoveTag => {
                let Some(tag) = client.tag_named(name).await? else {
                    if self.mapping.spec().create_tags {
                        return Ok(Prepared::Nothing("nobody has this tag yet".to_owned()));
                    }
                    return Err(missing_tag(name));
                };
                let links = client.tag_links(self.contact).await?;
                let of_tag = links.into_iter().filter(|link| link.tag == tag.id);
                let associations: Vec<String> = of_tag.map(|link| link.id).collect();
                if associations.is_empty() {
                    return Ok(Prepared::Nothing("the contact had it not".to_owned()));
                }
                ready(Request::RemoveTag(associations))
            }
            action @ (Action::Subscribe | Action::Resubscribe) => {
                let list = self.list(name).await?;
                let standing = self.standing(self.contact, &list).await?;
                let left = standing.as_ref().filter(|row| row.status == UNSUBSCRIBED);
                if standing.as_ref().is_some_and(|row| row.status == ACTIVE) {
                    return Ok(Prepared::Nothing(
                        "the contact was on it already".to_owned(),
                    ));
                }
                // Never brought back against a person's own wish (fact sheet §4).
                if let Some(left) = left
                    && action == Action::Subscribe
                    && !self.unsubscribed_it(name, left).await?
                {
                    return Ok(Prepared::Nothing(
                        "left alone: the contact had unsubscribed from it (resubscribe = false)"
                            .to_owned(),
                    ));
                }
                ready(Request::Standing {
                    again: left.is_some(),
                    list,
                    subscribed: true,
                })
            }
            Action::Unsubscribe => {
                let list = self.list(name).await?;
                // Who was never on it would be kept from it from now on.
                let nothing = match self.standing(self.contact, &list).await? {
                    None => Some("the contact was not on it"),
                    Some(row) if row.status == UNSUBSCRIBED => {
                        Some("the contact had left it already")
                    }
                    Some(_) => None,
                };
                if let Some(nothing) = nothing {
                    return Ok(Prepared::Nothing(nothing.to_owned()));
                }
                ready(Request::Standing {
                    list,
                    subscribed: false,
                    again: false,
                })
            }
            Action::StartAutomation => {
                let automation = self.automation(name).await?;
                let known = self.enrolments(self.contact, &automation).await?;
                Prepared::Send {
                    known: known.into_iter().map(|enrolled| enrolled.id).collect(),
                    request: Request::Enrol { automation },
                }
            }
            Action::LeaveAutomation => {
                let automation = self.automation(name).await?;
                let enrolments = self.enrolments(self.contact, &automation).await?;
                let running: Vec<String> = enrolments
                    .into_iter()
                    .filter(|enrolled| enrolled.running)
                    .map(|enrolled| enrolled.id)
                    .collect();
                if running.is_empty() {
                    return Ok(Prepared::Nothing("the contact was not in it".to_owned()));
                }
                ready(Request::Leave(running))
            }
            Action::RecordEvent => {
                let data = self.event_data(effect);
                let log = client.tracking_log(self.contact).await?;
                let known = log.into_iter().filter(|entry| entry.tells(name, &data));
                Prepared::Send {
                    known: known.map(|entry| entry.id).collect(),
                    request: Request::Event { data },
                }
            }
        })
    }

    /// Sends an effect that was marked.
    pub(super) async fn call(
        &self,
        effect: &OpenEffect,
        request: &Request,
    ) -> Result<Sent, ApiError> {
        let client = &self.account.activecampaign;
        match request {
            Request::AddTag { tag } => client.add_tag(self.contact, tag).await,
            Request::Standing {
                list,
                subscribed,
                again,
            } => {
                client
                    .set_standing(self.contact, list, *subscribed, *again)
                    .await
            }
            Request::Enrol { automation } => client.enrol(self.contact, automation).await,
            Request::Event { data } => {
                client
                    .record_event(self.email, &effect.act.target, data)
                    .await
            }
            Request::RemoveTag(associations) => {
                let mut all = Vec::with_capacity(associations.len());
                for association in associations {
                    all.push(client.remove_tag(association).await?);
                }
                Ok(joined(all))
            }
            Request::Leave(enrolments) => {
                let mut all = Vec::with_capacity(enrolments.len());
                for enrolment in enrolments {
                    all.push(client.leave(enrolment).await?);
                }
                Ok(joined(all))
            }
        }
    }

    /// Looks whether an effect arrived whose answer was lost.
    pub(super) async fn found(
        &self,
        effect: &OpenEffect,
        contact: &ContactId,
    ) -> Result<Found, ApiError> {
        let client = &self.account.activecampaign;
        let name = effect.act.target.as_str();
        let arrived = |yes: bool| {
            if yes {
                Found::Arrived
            } else {
                Found::Absent { repeatable: true }
            }
        };
        Ok(match effect.act.action {
            action @ (Action::AddTag | Action::RemoveTag) => {
                let has = match client.tag_named(name).await? {
                    Some(tag) => {
                        let links = client.tag_links(contact).await?;
                        links.iter().any(|link| link.tag == tag.id)
                    }
                    None => false,
                };
                arrived(has == (action == Action::AddTag))
            }
            Action::Subscribe | Action::Resubscribe => {
                let list = self.list(name).await?;
                arrived(self.has_standing(contact, &list, ACTIVE).await?)
            }
            Action::Unsubscribe => {
                let list = self.list(name).await?;
                arrived(self.has_standing(contact, &list, UNSUBSCRIBED).await?)
            }
            Action::LeaveAutomation => {
                let automation = self.automation(name).await?;
                let enrolments = self.enrolments(contact, &automation).await?;
                arrived(!enrolments.iter().any(|enrolled| enrolled.running))
            }
            Action::StartAutomation => {
                let automation = self.automation(name).await?;
                let enrolments = self.enrolments(contact, &automation).await?;
                let new = |enrolled: &Enrolled| !effect.known.contains(&enrolled.id);
                if enrolments.iter().any(new) {
                    Found::Arrived
                } else {
                    Found::Absent { repeatable: false }
                }
            }
            Action::RecordEvent => {
                let data = self.event_data(effect);
                let log = client.tracking_log(contact).await?;
                let told = log
                    .iter()
                    .any(|entry| entry.tells(name, &data) && !effect.known.contains(&entry.id));
                if told { Found::Arrived } else { Found::Untold }
            }
        })
    }

    async fn tag(&self, name: &str) -> Result<String, ApiError> {
        let client = &self.account.activecampaign;
        match client.tag_named(name).await? {
            Some(tag) => Ok(tag.id),
            None if self.mapping.spec().create_tags => Ok(client.create_tag(name).await?.id),
            None => Err(missing_tag(name)),
        }
    }

    async fn list(&self, name: &str) -> Result<String, ApiError> {
        match self.account.activecampaign.list_named(name).await? {
            Some(list) => Ok(list.id),
            None => Err(missing("list", name)),
        }
    }

    async fn automation(&self, name: &str) -> Result<String, ApiError> {
        match self.account.activecampaign.automation_named(name).await? {
            Some(automation) => Ok(automation.id),
            None => Err(missing("automation", name)),
        }
    }

    async fn standing(
        &self,
        contact: &ContactId,
        list: &str,
    ) -> Result<Option<ListStanding>, ApiError> {
        let standings = self.account.activecampaign.standings(contact).await?;
        Ok(standings.into_iter().find(|row| row.list == list))
    }

    async fn has_standing(
        &self,
        contact: &ContactId,
        list: &str,
        status: &str,
    ) -> Result<bool, ApiError> {
        let standing = self.standing(contact, list).await?;
        Ok(standing.is_some_and(|row| row.status == status))
    }

    /// True if it was an effect of a rule that unsubscribed the contact, and nobody changed its standing since. Where that is
    /// not certain, the wish was the contact's own.
    async fn unsubscribed_it(&self, name: &str, left: &ListStanding) -> Result<bool, ApiError> {
        let last = last_list_effect(self.store, self.account, self.email, name).await?;
        let Some(last) = last else { return Ok(false) };
        let skew = self.account.activecampaign.clock_skew();
        let until = last.ended_at + skew.unwrap_or_default() + SAME_MOMENT;
        Ok(last.action == Action::Unsubscribe
            && last.contact == *self.contact
            && left.changed_at.is_some_and(|at| at <= until))
    }

    async fn enrolments(
        &self,
        contact: &ContactId,
        automation: &str,
    ) -> Result<Vec<Enrolled>, ApiError> {
        let mut enrolments = self.account.activecampaign.enrolments(contact).await?;
        enrolments.retain(|enrolled| enrolled.automation == automation);
        Ok(enrolments)
    }

    /// What an event carries: the record and the version in which the rule's condition turned true. It is the same each
    /// time the effect is sent or read back.
    fn event_data(&self, effect: &OpenEffect) -> String {
        let at = Timestamp::from_microsecond(effect.version)
            .map_or_else(|_| effect.version.to_string(), |at| at.to_string());
        format!("{} {} {at}", self.mapping.name(), effect.record)
    }
}

fn missing_tag(name: &str) -> ApiError {
    missing("tag", name).remedy(
        "create it in ActiveCampaign or correct the rule, then retry; create_tags = true lets Tramline create tags",
    )
}

fn missing(what: &str, name: &str) -> ApiError {
    ApiError::new(
        Api::ActiveCampaign,
        ErrorClass::Invalid,
        format!("there is no {what} called \"{name}\""),
    )
    .remedy("create it in ActiveCampaign or correct the rule, then retry")
}

/// Several requests of one effect, as one.
fn joined(all: Vec<Sent>) -> Sent {
    let mut texts: (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for sent in all {
        texts.0.push(sent.request);
        texts.1.push(sent.response);
    }
    Sent {
        request: texts.0.join("; "),
        response: texts.1.join("; "),
    }
}
