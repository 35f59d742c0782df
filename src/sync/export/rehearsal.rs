//! What a dry run remembers and tells in place of what an export writes.

use super::plan_page::Contender;
use super::run::{Halt, Work};
use crate::model::view::{FiringRule, Outcome, SyncResult};
use crate::model::{Contact, ContactId, Email, Record, RecordId, RelatedContact, TargetField};
use crate::store::Planned;
use crate::sync::ended::fields;
use std::collections::{HashMap, HashSet};

/// Rows of a page of contacts.
const PAGE: u64 = 100;

/// A dry run keeps nothing in the store, so it remembers here.
#[derive(Default)]
pub struct Rehearsal {
    pub seen: HashSet<RecordId>,
    pub best: HashMap<Email, Contender>,
    /// Rows stay until the last page, since a later record may still win over them.
    pub waits: bool,
    /// What is to be told of the writes that are planned.
    writes: HashMap<RecordId, SyncResult>,
    contacts: Contacts,
}

/// The contacts as they stand now, as far as the dry run needs them.
#[derive(Default)]
struct Contacts {
    known: HashMap<Email, Contact>,
    /// Whether reading all of them takes fewer calls was looked at.
    weighed: bool,
    /// All of them are known: an address that is not among them has no contact.
    complete: bool,
}

impl Rehearsal {
    /// Reads the contacts that a page's records would be sent to, by id where a link gives it. `expected` is the number
    /// of records of the whole run.
    pub async fn read_contacts(
        &mut self,
        work: &Work,
        wanted: Vec<(Email, Option<ContactId>)>,
        expected: u64,
    ) -> Result<(), Halt> {
        let contacts = &mut self.contacts;
        if wanted.is_empty() || contacts.complete {
            return Ok(());
        }
        // Those of the pages before are told of already.
        contacts.known.clear();
        let client = &work.account.activecampaign;
        let ids: Vec<ContactId> = wanted.iter().filter_map(|(_, id)| id.clone()).collect();
        if !ids.is_empty() {
            let found = work.persist(|| client.contacts_by_ids(&ids, true)).await?;
            contacts.keep(work, found);
        }
        let rest: Vec<Email> = wanted
            .into_iter()
            .map(|(email, _)| email)
            .filter(|email| !contacts.known.contains_key(email))
            .collect();
        if rest.is_empty() {
            return Ok(());
        }
        if !contacts.weighed {
            contacts.weighed = true;
            let total = work.persist(|| client.count_contacts()).await?;
            if total.is_some_and(|total| total.div_ceil(PAGE) <= expected) {
                return contacts.read_all(work).await;
            }
        }
        for email in rest {
            let found = work.persist(|| client.find_contact(&email, true)).await?;
            contacts.keep(work, found);
        }
        Ok(())
    }

    /// Keeps what would be sent, and done by rules, and what a person is to know of it, until it is told: another record of the
    /// contact may come. Old is what the contact holds now.
    pub fn would_write(
        &mut self,
        work: &Work,
        record: &Record,
        related: Option<&RelatedContact>,
        email: &Email,
        (rules, warning): (Vec<FiringRule>, Option<String>),
    ) {
        let contact = self.contacts.known.get(email);
        let mut preview = work.mapping.preview_fields(record, related, contact);
        preview.retain(|field| field.changes || field.problem.is_some());
        let result = SyncResult {
            record: record.id.clone(),
            outcome: Outcome::Synced,
            contact_id: contact.map(|contact| contact.id.clone()),
            fields: fields(preview),
            superseded_by: None,
            warning,
            rules,
            why: None,
            error: None,
        };
        self.writes.insert(record.id.clone(), result);
    }

    /// Tells what a record's plan, which changes no more, would send or refuse.
    pub async fn tell(&mut self, work: &Work, record: &RecordId, plan: &Planned) {
        let written = self.writes.remove(record);
        let result = match plan {
            Planned::Send { .. } => written,
            Planned::Failed { problem, .. } => {
                Some(crate::sync::failed(record.clone(), problem.clone()))
            }
            _ => None,
        };
        if let Some(result) = result {
            work.engine.rehearsed(result).await;
        }
    }
}

impl Contacts {
    async fn read_all(&mut self, work: &Work) -> Result<(), Halt> {
        let client = &work.account.activecampaign;
        let mut last: Option<ContactId> = None;
        loop {
            let page = work
                .persist(|| client.walk_contacts(last.as_ref(), None, true))
                .await?;
            let Some(end) = page.last().map(|contact| contact.id.clone()) else {
                break;
            };
            let stuck = last.as_ref() == Some(&end);
            last = Some(end);
            self.keep(work, page);
            if stuck {
                break;
            }
        }
        self.complete = true;
        Ok(())
    }

    /// Keeps contacts with what the mapping can compare. Where values did not come along, the contact is asked for by
    /// itself when its turn comes.
    fn keep(&mut self, work: &Work, contacts: impl IntoIterator<Item = Contact>) {
        let columns = work.mapping.columns();
        for mut contact in contacts {
            let (Some(values), Ok(email)) = (&mut contact.values, Email::parse(&contact.email))
            else {
                continue;
            };
            values.retain(|(field, _)| {
                columns
                    .iter()
                    .any(|column| matches!(&column.target, TargetField::Custom(id) if id == field))
            });
            self.known.insert(email, contact);
        }
    }
}
