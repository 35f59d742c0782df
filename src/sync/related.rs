//! From a record through its association to the HighLevel contact that carries the e-mail address.

use crate::highlevel::{HighLevel, PageCursor};
use crate::http::ApiError;
use crate::model::{AssociationId, ErrorClass, Record, RelatedContact};
use std::collections::HashMap;

/// The contact that a record's association leads to; of several the one with the smallest id, so that the
/// choice does not change from one sync to the next.
pub async fn of_record(
    highlevel: &HighLevel,
    association: &AssociationId,
    record: &Record,
) -> Result<Option<RelatedContact>, ApiError> {
    for id in contact_ids(highlevel, association, record).await? {
        if let Some(contact) = contact(highlevel, &id).await? {
            return Ok(Some(contact));
        }
    }
    Ok(None)
}

/// Ids of the contacts a record is linked with, smallest first. The relations that came with the record are
/// a fast path only: once reported to come back empty (fact sheet §2.5), an empty list is asked for again.
async fn contact_ids(
    highlevel: &HighLevel,
    association: &AssociationId,
    record: &Record,
) -> Result<Vec<String>, ApiError> {
    let given = record.relations.as_deref().unwrap_or_default();
    let mut ids = pick(given, association);
    if ids.is_empty() {
        ids = pick(&highlevel.relations(&record.id).await?, association);
    }
    Ok(ids)
}

fn pick(relations: &[crate::model::Relation], association: &AssociationId) -> Vec<String> {
    let mut ids: Vec<String> = relations
        .iter()
        .filter(|relation| {
            relation.association == *association && relation.other_object.as_str() == "contact"
        })
        .map(|relation| relation.other_record.to_string())
        .collect();
    ids.sort_unstable();
    ids
}

/// A contact; `None` if it was deleted: HighLevel answers that with 404, or with 400 or 422 and says so. Any other refusal
/// is one: taken for a missing contact, it would let every record be skipped.
async fn contact(highlevel: &HighLevel, id: &str) -> Result<Option<RelatedContact>, ApiError> {
    match highlevel.contact(id).await {
        Ok(contact) => Ok(Some(contact)),
        Err(error)
            if error.class == ErrorClass::Missing
                || (error.class == ErrorClass::Invalid
                    && matches!(error.status, Some(400 | 422))
                    && says_gone(&error.message)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// True for what is said of an id that leads nowhere: `Contact not found`, `Contact with id … is deleted`.
fn says_gone(message: &str) -> bool {
    let message = message.to_lowercase();
    ["not found", "no contact", "not exist", "deleted"]
        .iter()
        .any(|words| message.contains(words))
}

/// The contacts of an export, read page by page where that takes fewer calls than one by one.
#[derive(Default)]
pub struct ContactBook {
    known: HashMap<String, Option<RelatedContact>>,
    asked: bool,
}

impl ContactBook {
    /// The contact of each record, in the order of the records. `expected` is the number of records the
    /// export will ask about in all.
    pub async fn of_records(
        &mut self,
        highlevel: &HighLevel,
        association: &AssociationId,
        records: &[Record],
        expected: u64,
    ) -> Result<Vec<Option<RelatedContact>>, ApiError> {
        let wanted = futures_util::future::try_join_all(
            records
                .iter()
                .map(|record| contact_ids(highlevel, association, record)),
        )
        .await?;
        if !self.asked {
            self.asked = true;
            self.read_all_if_cheaper(highlevel, expected).await?;
        }
        let mut contacts = Vec::with_capacity(records.len());
        for ids in wanted {
            let mut found = None;
            for id in ids {
                // Also after a walk over all contacts: one that was made since, or that the walk missed while rows
                // shifted, is worth its one call.
                if !self.known.contains_key(&id) {
                    let contact = contact(highlevel, &id).await?;
                    self.known.insert(id.clone(), contact);
                }
                if let Some(Some(contact)) = self.known.get(&id) {
                    found = Some(contact.clone());
                    break;
                }
            }
            contacts.push(found);
        }
        Ok(contacts)
    }

    /// Reads all contacts of the location if their pages are fewer than the records.
    async fn read_all_if_cheaper(
        &mut self,
        highlevel: &HighLevel,
        expected: u64,
    ) -> Result<(), ApiError> {
        if expected < 20 {
            return Ok(());
        }
        let mut cursor = PageCursor::Page(1);
        loop {
            let page = highlevel.contacts_search(None, &cursor, 100).await?;
            let pages = page.total.map_or(1, |total| total.div_ceil(100));
            if pages > expected {
                return Ok(());
            }
            let fresh = page
                .contacts
                .iter()
                .filter(|contact| !self.known.contains_key(&contact.id))
                .count();
            let full = page.contacts.len() >= 100;
            for contact in page.contacts {
                self.known.insert(contact.id.clone(), Some(contact));
            }
            match page.next {
                Some(next) if full && fresh > 0 => cursor = next,
                _ => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Server, told};
    use crate::sync::testing::account;
    use serde_json::json;

    #[tokio::test]
    async fn a_page_makes_no_contact_gone() {
        let said = json!({"statusCode": 422, "message": "Contact not found"}).to_string();
        let page = "<html><title>Contact not found</title></html>".to_owned();
        for (status, body, gone) in [
            (404, said.clone(), true),
            (422, said, true),
            (404, page.clone(), false),
            (422, page, false),
        ] {
            let server = Server::start(move |_, _| told(status, &body)).await;
            let found = contact(&account(&server.url).highlevel, "c1").await;
            match found {
                Ok(None) => assert!(gone, "{status}"),
                Ok(Some(_)) => panic!("{status}"),
                Err(error) => {
                    assert!(!gone, "{status}: {error}");
                    assert_eq!(error.class, ErrorClass::Transient);
                }
            }
        }
    }

    #[test]
    fn only_what_says_so_is_gone() {
        for gone in [
            "Contact not found",
            "Contact with id x1 does not exist",
            "The contact was deleted",
        ] {
            assert!(says_gone(gone), "{gone}");
        }
        for refused in [
            "version header is invalid",
            "property locationId should not be empty",
            "Unprocessable Entity",
        ] {
            assert!(!says_gone(refused), "{refused}");
        }
    }
}
