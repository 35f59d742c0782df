//! What a contact is left with when its record is deleted: a tag, or fewer lists (fact sheet §4). Each call may be repeated.

use super::wire::loose;
use super::{ActiveCampaign, ignore, required_id};
use crate::http::{Answer, ApiError, Request, encode};
use crate::model::{ContactId, ErrorClass};
use reqwest::Method;
use serde_json::{Value, json};

/// Standing of a contact on a list it receives (fact sheet §4).
const ACTIVE: &str = "1";

impl ActiveCampaign {
    /// Makes a contact tag and answers its id.
    ///
    /// # Errors
    /// As every call; a tag of this name that exists is refused.
    pub async fn make_tag(&self, name: &str) -> Result<String, ApiError> {
        let body = json!({ "tag": { "tag": name, "tagType": "contact", "description": "" } });
        let request = Request::write(Method::POST, "/tags", Some(body.to_string().into_bytes()));
        self.transport
            .call(&request, |answer: &Answer| {
                let body: Value = answer.json()?;
                required_id(&super::Loose(loose(body["tag"].get("id"))))
            })
            .await
    }

    /// Gives a contact a tag, by the tag's id. One that has it already keeps it; one that is gone needs none.
    ///
    /// # Errors
    /// As every call.
    pub async fn put_tag(&self, contact: &ContactId, tag: &str) -> Result<(), ApiError> {
        let body = json!({ "contactTag": { "contact": contact.as_str(), "tag": tag } });
        self.leave("/contactTags", &body).await
    }

    /// The ids of the lists that a contact is active on.
    ///
    /// # Errors
    /// As every call; `Missing` if the contact is gone.
    pub async fn active_lists(&self, contact: &ContactId) -> Result<Vec<String>, ApiError> {
        let path = format!("/contacts/{}/contactLists", encode(contact.as_str()));
        let body: Value = self.transport.json(&Request::get(path)).await?;
        let rows = body["contactLists"].as_array().ok_or_else(|| {
            self.error(
                ErrorClass::Transient,
                "the answer has no list called contactLists",
            )
        })?;
        Ok(rows
            .iter()
            .filter(|row| loose(row.get("status")) == ACTIVE)
            .map(|row| loose(row.get("list")))
            .collect())
    }

    /// Unsubscribes a contact from a list, by the list's id. One that is gone is on none.
    ///
    /// # Errors
    /// As every call.
    pub async fn leave_list(&self, contact: &ContactId, list: &str) -> Result<(), ApiError> {
        let body =
            json!({ "contactList": { "list": list, "contact": contact.as_str(), "status": 2 } });
        self.leave("/contactLists", &body).await
    }

    async fn leave(&self, path: &str, body: &Value) -> Result<(), ApiError> {
        let request = Request::write(Method::POST, path, Some(body.to_string().into_bytes()));
        match self.transport.call(&request, ignore).await {
            Err(error) if error.class == ErrorClass::Missing => Ok(()),
            result => result,
        }
    }
}
