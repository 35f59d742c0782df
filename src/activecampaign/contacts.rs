//! Reading and writing contacts (fact sheet §2.1, §2.2).

use super::pages::PAGE;
use super::wire::{ContactEnvelope, ContactsWire, loose, total, values_of};
use super::{ActiveCampaign, ignore, required_id};
use crate::http::{Answer, ApiError, Request, encode};
use crate::model::{
    Builtin, Contact, ContactId, ContactWrite, Email, ErrorClass, FieldId, TargetField,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::fmt::Write as _;

/// What a sync came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    pub id: ContactId,
    /// True if the contact was not there before.
    pub created: bool,
}

/// A stored value of a custom field, with the id by which it can be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldValue {
    pub id: String,
    pub field: FieldId,
    pub value: String,
}

impl ActiveCampaign {
    /// Creates or updates the contact of an e-mail address. Fields that are absent keep their values, `""`
    /// clears.
    ///
    /// # Errors
    /// As every call. An answer without a contact's id is a transient error and `ambiguous`; sending the
    /// newest state again is safe.
    pub async fn sync_contact(&self, write: &ContactWrite) -> Result<Synced, ApiError> {
        // Singular: the plural path is a plain create (§2.1).
        let request = Request::write(
            Method::POST,
            "/contact/sync",
            Some(sync_body_json(write).into_bytes()),
        );
        self.transport.call(&request, decode_written).await
    }

    /// Writes to a known contact; the only way to change its e-mail address.
    ///
    /// # Errors
    /// As every call; `Missing` if it is gone.
    pub async fn update_contact(
        &self,
        id: &ContactId,
        write: &ContactWrite,
    ) -> Result<Synced, ApiError> {
        let path = format!("/contacts/{}", encode(id.as_str()));
        let request = Request::write(Method::PUT, path, Some(sync_body_json(write).into_bytes()));
        let mut synced = self.transport.call(&request, decode_written).await?;
        synced.created = false;
        Ok(synced)
    }

    /// Deletes a contact; one that is gone already counts as deleted.
    ///
    /// # Errors
    /// As every call.
    pub async fn delete_contact(&self, id: &ContactId) -> Result<(), ApiError> {
        let path = format!("/contacts/{}", encode(id.as_str()));
        self.delete(path).await
    }

    /// A contact with its values; `None` if there is none or it was deleted.
    ///
    /// # Errors
    /// As every call.
    pub async fn contact(&self, id: &ContactId) -> Result<Option<Contact>, ApiError> {
        let request = Request::get(format!("/contacts/{}", encode(id.as_str())));
        match self.transport.json::<ContactEnvelope>(&request).await {
            Ok(envelope) => {
                let values = envelope.field_values.map(values_of);
                Ok(envelope.contact.into_contact(values))
            }
            Err(error) if error.class == ErrorClass::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The contact of an e-mail address. The answer's address is compared: a filter that the server does
    /// not know would give any contact (§1.5).
    ///
    /// # Errors
    /// As every call.
    pub async fn find_contact(
        &self,
        email: &Email,
        with_values: bool,
    ) -> Result<Option<Contact>, ApiError> {
        let path = format!(
            "/contacts?email={}&limit={PAGE}{}",
            encode(email.as_str()),
            include(with_values)
        );
        let page: ContactsWire = self.transport.json(&Request::get(path)).await?;
        let found = page
            .into_contacts()
            .into_iter()
            .find(|contact| contact.email.trim().to_lowercase() == email.as_str());
        match found {
            Some(mut contact) if with_values && contact.values.is_none() => {
                contact.values = Some(self.field_values(&contact.id).await?);
                Ok(Some(contact))
            }
            found => Ok(found),
        }
    }

    /// Contacts by id, 100 a request. Those that are gone are left out; `values` are `None` where they were
    /// not asked for or the server does not side-load them.
    ///
    /// # Errors
    /// As every call.
    pub async fn contacts_by_ids(
        &self,
        ids: &[ContactId],
        with_values: bool,
    ) -> Result<Vec<Contact>, ApiError> {
        let mut all = Vec::with_capacity(ids.len());
        for part in ids.chunks(PAGE) {
            let mut path = format!("/contacts?limit={PAGE}&orders%5Bid%5D=ASC");
            for id in part {
                path.push_str("&ids%5B%5D=");
                path.push_str(&encode(id.as_str()));
            }
            path.push_str(include(with_values));
            let page: ContactsWire = self.transport.json(&Request::get(path)).await?;
            let asked: HashSet<&ContactId> = part.iter().collect();
            all.extend(
                page.into_contacts()
                    .into_iter()
                    .filter(|contact| asked.contains(&contact.id)),
            );
        }
        Ok(all)
    }

    /// Up to 100 contacts with ids above `after`, by id; an empty page is the end. `updated_after` leaves out
    /// contacts not touched since; it works on days, so older ones may come along.
    ///
    /// # Errors
    /// As every call.
    pub async fn walk_contacts(
        &self,
        after: Option<&ContactId>,
        updated_after: Option<Timestamp>,
        with_values: bool,
    ) -> Result<Vec<Contact>, ApiError> {
        let mut path = format!(
            "/contacts?orders%5Bid%5D=ASC&id_greater={}&limit={PAGE}",
            after.map_or_else(|| "0".to_owned(), |id| encode(id.as_str()))
        );
        if let Some(since) = updated_after {
            // The filter takes a date of the account's time zone, which may be a day behind.
            let day = since
                .checked_sub(SignedDuration::from_hours(24))
                .unwrap_or(since)
                .strftime("%Y-%m-%d");
            // Writing to a string cannot fail.
            let _ = write!(path, "&filters%5Bupdated_after%5D={day}");
        }
        path.push_str(include(with_values));
        let page: ContactsWire = self.transport.json(&Request::get(path)).await?;
        Ok(page.into_contacts())
    }

    /// Number of contacts of the account; `None` where the server does not tell.
    ///
    /// # Errors
    /// As every call.
    pub async fn count_contacts(&self) -> Result<Option<u64>, ApiError> {
        let body: Value = self
            .transport
            .json(&Request::get("/contacts?limit=1"))
            .await?;
        Ok(total(&body))
    }

    /// The values of a contact's custom fields; fields without a stored value are absent.
    ///
    /// # Errors
    /// As every call.
    pub async fn field_values(&self, id: &ContactId) -> Result<Vec<(FieldId, String)>, ApiError> {
        Ok(self
            .stored_values(id)
            .await?
            .into_iter()
            .map(|row| (row.field, row.value))
            .collect())
    }

    /// As [`ActiveCampaign::field_values`], with the ids of the stored values.
    ///
    /// # Errors
    /// As every call.
    pub async fn stored_values(&self, id: &ContactId) -> Result<Vec<FieldValue>, ApiError> {
        let path = format!("/contacts/{}/fieldValues", encode(id.as_str()));
        let rows = self.pages(&path, "fieldValues").await?;
        Ok(rows
            .iter()
            .map(|row| FieldValue {
                id: loose(row.get("id")),
                field: FieldId::new(loose(row.get("field"))),
                value: loose(row.get("value")),
            })
            .collect())
    }

    /// Deletes a stored value: the sure way to clear a date, which `""` may leave as it is (§2.3).
    ///
    /// # Errors
    /// As every call.
    pub async fn delete_field_value(&self, id: &str) -> Result<(), ApiError> {
        self.delete(format!("/fieldValues/{}", encode(id))).await
    }

    /// A DELETE for which "gone already" is success.
    pub(super) async fn delete(&self, path: String) -> Result<(), ApiError> {
        let request = Request::write(Method::DELETE, path, None);
        match self.transport.call(&request, ignore).await {
            Err(error) if error.class == ErrorClass::Missing => Ok(()),
            result => result,
        }
    }
}

fn include(with_values: bool) -> &'static str {
    if with_values {
        "&include=fieldValues"
    } else {
        ""
    }
}

/// The body of a write, `{"contact":{…,"fieldValues":[…]}}`: values outside `contact` would be dropped in silence (§2.1).
pub fn sync_body_json(write: &ContactWrite) -> String {
    let mut contact = Map::new();
    contact.insert("email".into(), write.email.as_str().into());
    let mut values = Vec::new();
    for (target, value) in &write.values {
        match target {
            TargetField::Builtin(field) => {
                let key = match field {
                    Builtin::FirstName => "firstName",
                    Builtin::LastName => "lastName",
                    Builtin::Phone => "phone",
                };
                contact.insert(key.into(), value.as_str().into());
            }
            TargetField::Custom(id) => {
                values.push(json!({ "field": id.as_str(), "value": value }));
            }
        }
    }
    if !values.is_empty() {
        contact.insert("fieldValues".into(), Value::Array(values));
    }
    json!({ "contact": contact }).to_string()
}

/// A contact that was written: only an answer that names it counts.
fn decode_written(answer: &Answer) -> Result<Synced, String> {
    let envelope: ContactEnvelope = answer.json()?;
    let row = envelope.contact;
    let id = required_id(&row.id)?;
    Ok(Synced {
        id: ContactId::new(id),
        // Times that are equal say less: somebody else may have made it within the same second.
        created: answer.status == 201,
    })
}
