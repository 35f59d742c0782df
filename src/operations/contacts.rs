//! One contact whole.

use super::{Done, Operations};
use crate::model::contact::Surroundings;
use crate::model::{ConnectionName, Contact, Email, ErrorClass, Problem, SegmentMatches};
use serde::Serialize;

/// A contact with its values by field name and everything around it.
#[derive(Clone, Debug, Serialize)]
pub struct WholeContact {
    pub contact: Contact,
    /// Custom fields that hold a value: `%TAG%` and value.
    pub values: Vec<(String, String)>,
    pub surroundings: Surroundings,
    pub segments: SegmentMatches,
}

impl Operations {
    /// The contact of an e-mail address.
    ///
    /// # Errors
    /// There is no such contact.
    pub async fn contact(&self, connection: &ConnectionName, email: &Email) -> Done<WholeContact> {
        let account = self.person(connection)?;
        let contact = account
            .activecampaign
            .find_contact(email, true)
            .await?
            .ok_or_else(|| {
                Problem::new(
                    ErrorClass::Missing,
                    format!("ActiveCampaign has no contact {email}"),
                )
            })?;
        let fields = account.fields().await?;
        let values = contact
            .values
            .iter()
            .flatten()
            .filter(|(_, value)| !value.is_empty())
            .map(|(id, value)| {
                let name = fields
                    .iter()
                    .find(|field| field.id == *id)
                    .map_or_else(|| format!("field {id}"), |field| format!("%{}%", field.tag));
                (name, value.clone())
            })
            .collect();
        let surroundings = account.activecampaign.surroundings(&contact.id).await?;
        let segments = account.activecampaign.contact_segments(&contact.id).await?;
        Ok(WholeContact {
            contact,
            values,
            surroundings,
            segments,
        })
    }
}
