//! Records that leave a contact: it goes to the next in line, as after a single sync. Where they go to another one, and the
//! former stays a contact of its own (`on_email_change = "new"`), a person is to know.

use super::run::{Halt, Work};
use crate::mapping::OnEmailChange;
use crate::model::{Email, Record, RecordId};
use crate::sync::write;
use std::collections::{HashMap, HashSet};

/// What a person is to know of the records of a page that leave a contact. `goes` has them with where they go; those that
/// stay surely are better left out.
pub async fn warnings(
    work: &Work,
    goes: &[(&Record, &Email)],
) -> Result<HashMap<RecordId, String>, Halt> {
    let (store, account, mapping) = (work.store(), &work.account, &work.mapping);
    if goes.is_empty() || mapping.spec().on_email_change != OnEmailChange::New {
        return Ok(HashMap::new());
    }
    let ids: Vec<RecordId> = goes.iter().map(|(record, _)| record.id.clone()).collect();
    let last = store
        .last_contacts(work.connection(), work.name(), &ids)
        .await?;
    let mut warnings = HashMap::new();
    for (record, email) in goes {
        if let Some(old) = last.get(&record.id).filter(|old| old != email) {
            let next = write::next_in_line(store, account, mapping, old, &record.id).await?;
            let warning = write::changed_address(old, email, next.as_ref());
            warnings.insert(record.id.clone(), warning);
        }
    }
    Ok(warnings)
}

/// The contacts that records of a page leave, for which the run does not come to the next in line by itself. A run that reads
/// all records does so, but for those that it reads `again`: it has passed who is next. Each record stands with where it goes.
pub async fn left(
    work: &Work,
    page: &[(&RecordId, Option<&Email>)],
    again: &HashSet<RecordId>,
) -> Result<Vec<Email>, Halt> {
    let goes: HashMap<&RecordId, Option<&Email>> = page
        .iter()
        .filter(|(record, _)| work.reads_part() || again.contains(*record))
        .copied()
        .collect();
    if goes.is_empty() || work.options.dry_run {
        return Ok(Vec::new());
    }
    let records: Vec<RecordId> = goes.keys().copied().cloned().collect();
    let contacts = work
        .store()
        .contacts_of_records(work.connection(), work.name(), &records)
        .await?;
    let left = contacts.into_iter().filter(|(record, contact)| {
        let goes = goes.get(record).copied().flatten();
        goes != Some(contact)
    });
    Ok(left.map(|(_, contact)| contact).collect())
}
