//! What changes around a contact: its tags, its standing on lists, its ways through automations (fact sheet §4).

use super::ActiveCampaign;
use super::around::Kind;
use super::wire::{loose, time};
use crate::http::{Answer, ApiError, Request, encode};
use crate::model::contact::Named;
use crate::model::{ContactId, ErrorClass};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

/// A request that was carried out, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `POST /contactTags {…}`
    pub request: String,
    /// `201`
    pub response: String,
}

/// A tag on a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagLink {
    /// The association's id, by which the tag is taken off.
    pub id: String,
    pub tag: String,
}

/// A contact's standing on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListStanding {
    pub list: String,
    /// `0` unconfirmed, `1` active, `2` unsubscribed, `3` bounced.
    pub status: String,
    /// When it came to be so: the later of the row's `sdate` and `udate`, to the second.
    pub changed_at: Option<Timestamp>,
}

/// A contact's way through an automation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    pub id: String,
    pub automation: String,
    /// False once it came to the end or left.
    pub running: bool,
}

impl ActiveCampaign {
    /// The tag of a name, whatever its case.
    ///
    /// # Errors
    /// As every call; `Invalid` where several are called so.
    pub async fn tag_named(&self, name: &str) -> Result<Option<Named>, ApiError> {
        self.named(Kind::Tags, name).await
    }

    /// The list of a name, whatever its case.
    ///
    /// # Errors
    /// As [`ActiveCampaign::tag_named`].
    pub async fn list_named(&self, name: &str) -> Result<Option<Named>, ApiError> {
        self.named(Kind::Lists, name).await
    }

    /// The automation of a name, whatever its case.
    ///
    /// # Errors
    /// As [`ActiveCampaign::tag_named`].
    pub async fn automation_named(&self, name: &str) -> Result<Option<Named>, ApiError> {
        self.named(Kind::Automations, name).await
    }

    /// Makes a tag. One that somebody made meanwhile is found.
    ///
    /// # Errors
    /// As every call.
    pub async fn create_tag(&self, name: &str) -> Result<Named, ApiError> {
        if name.contains(',') {
            return Err(self.error(
                ErrorClass::Invalid,
                format!("the tag \"{name}\" cannot be made: no tag has a comma in its name"),
            ));
        }
        let body = json!({"tag": {"tag": name, "tagType": "contact", "description": ""}});
        let made = self
            .change(Method::POST, "/tags".to_owned(), Some(body), |answer| {
                let body: Value = answer.json()?;
                match loose(body.pointer("/tag/id")) {
                    id if id.is_empty() => Err("the answer names no tag".to_owned()),
                    id => Ok(id),
                }
            })
            .await;
        match made {
            Ok((id, _)) => {
                let tag = Named {
                    id,
                    name: name.to_owned(),
                };
                self.remember(Kind::Tags, &tag).await;
                Ok(tag)
            }
            // `Duplicate entry` (form d): somebody was faster, or a lost answer came true.
            Err(error) => {
                let tags = self.tags().await?;
                self.pick(Kind::Tags, name, &tags)?.ok_or(error)
            }
        }
    }

    /// Tags a contact; 200 says that it had the tag already.
    ///
    /// # Errors
    /// As every call; `Missing` if the contact is gone.
    pub async fn add_tag(&self, contact: &ContactId, tag: &str) -> Result<Sent, ApiError> {
        let body = json!({"contactTag": {"contact": contact.as_str(), "tag": tag}});
        let decode = |answer: &Answer| named_part(answer, "contactTag");
        Ok(self
            .change(Method::POST, "/contactTags".to_owned(), Some(body), decode)
            .await?
            .1)
    }

    /// Takes a tag off by its association; one that is gone already counts as taken off.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_tag(&self, association: &str) -> Result<Sent, ApiError> {
        self.take_away(format!("/contactTags/{}", encode(association)))
            .await
    }

    /// The tags on a contact.
    ///
    /// # Errors
    /// As every call.
    pub async fn tag_links(&self, contact: &ContactId) -> Result<Vec<TagLink>, ApiError> {
        let rows = self.rows_of(contact, "contactTags").await?;
        Ok(rows
            .iter()
            .map(|row| TagLink {
                id: loose(row.get("id")),
                tag: loose(row.get("tag")),
            })
            .collect())
    }

    /// A contact's standing on its lists.
    ///
    /// # Errors
    /// As every call.
    pub async fn standings(&self, contact: &ContactId) -> Result<Vec<ListStanding>, ApiError> {
        let rows = self.rows_of(contact, "contactLists").await?;
        Ok(rows
            .iter()
            .map(|row| ListStanding {
                list: loose(row.get("list")),
                status: loose(row.get("status")),
                changed_at: ["sdate", "udate"]
                    .into_iter()
                    .filter_map(|key| time(&loose(row.get(key))))
                    .max(),
            })
            .collect())
    }

    /// Puts a contact on a list or off it. Putting it on brings back somebody who left by hand, so whoever calls this has
    /// looked first; `again` says that this is meant.
    ///
    /// # Errors
    /// As every call.
    pub async fn set_standing(
        &self,
        contact: &ContactId,
        list: &str,
        subscribed: bool,
        again: bool,
    ) -> Result<Sent, ApiError> {
        let mut row = json!({
            "list": number(list), "contact": number(contact.as_str()), "status": if subscribed { 1 } else { 2 },
        });
        if again {
            row["sourceid"] = json!(4);
        }
        let body = json!({ "contactList": row });
        let decode = |answer: &Answer| named_part(answer, "contactList");
        Ok(self
            .change(Method::POST, "/contactLists".to_owned(), Some(body), decode)
            .await?
            .1)
    }

    /// A contact's ways through automations.
    ///
    /// # Errors
    /// As every call.
    pub async fn enrolments(&self, contact: &ContactId) -> Result<Vec<Enrolled>, ApiError> {
        let rows = self.rows_of(contact, "contactAutomations").await?;
        Ok(rows
            .iter()
            .map(|row| {
                let automation = loose(row.get("automation"));
                Enrolled {
                    id: loose(row.get("id")),
                    automation: if automation.is_empty() {
                        loose(row.get("seriesid"))
                    } else {
                        automation
                    },
                    running: loose(row.get("status")) != "2" && loose(row.get("completed")) != "1",
                }
            })
            .collect())
    }

    /// Starts a contact on an automation. Not to be repeated: it may enter twice.
    ///
    /// # Errors
    /// As every call; `Invalid` if it cannot be started (403 `Could not create SubscriberSeries`).
    pub async fn enrol(&self, contact: &ContactId, automation: &str) -> Result<Sent, ApiError> {
        let body =
            json!({"contactAutomation": {"contact": contact.as_str(), "automation": automation}});
        let decode = |answer: &Answer| named_part(answer, "contactAutomation");
        let sent = self
            .change(
                Method::POST,
                "/contactAutomations".to_owned(),
                Some(body),
                decode,
            )
            .await;
        sent.map(|(_, sent)| sent).map_err(|mut error| {
            if error.class == ErrorClass::Invalid {
                error.remedy = Some(
                    "see whether the automation is active, and whether it lets a contact enter more than once"
                        .to_owned(),
                );
            }
            error
        })
    }

    /// Ends a contact's way through an automation; one that has ended already counts as ended.
    ///
    /// # Errors
    /// As every call.
    pub async fn leave(&self, enrolment: &str) -> Result<Sent, ApiError> {
        self.take_away(format!("/contactAutomations/{}", encode(enrolment)))
            .await
    }

    async fn take_away(&self, path: String) -> Result<Sent, ApiError> {
        let request = format!("DELETE {path}");
        match self.change(Method::DELETE, path, None, |_| Ok(())).await {
            Ok((_, sent)) => Ok(sent),
            Err(error) if error.class == ErrorClass::Missing => Ok(Sent {
                request,
                response: "404 it was gone already".to_owned(),
            }),
            Err(error) => Err(error),
        }
    }

    async fn change<T>(
        &self,
        method: Method,
        path: String,
        body: Option<Value>,
        decode: impl Fn(&Answer) -> Result<T, String>,
    ) -> Result<(T, Sent), ApiError> {
        let body = body.map(|body| body.to_string());
        let mut text = format!("{method} {path}");
        if let Some(body) = &body {
            text.push(' ');
            text.push_str(body);
        }
        let request = Request::write(method, path, body.map(String::into_bytes));
        self.transport
            .call(&request, |answer| {
                let sent = Sent {
                    request: text.clone(),
                    response: answer.status.to_string(),
                };
                Ok((decode(answer)?, sent))
            })
            .await
    }
}

/// A write counts as carried out once the answer names what it made.
fn named_part(answer: &Answer, part: &str) -> Result<(), String> {
    let body: Value = answer.json()?;
    if body.get(part).is_some_and(Value::is_object) {
        Ok(())
    } else {
        Err(format!("the answer has no {part}"))
    }
}

/// An id as the number that the documentation shows.
fn number(id: &str) -> Value {
    id.parse::<u64>()
        .map_or_else(|_| Value::from(id), Value::from)
}
