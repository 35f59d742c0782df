//! Records that leave a contact for another one, which stays a contact of its own (`on_email_change = "new"`): a person is to
//! know, and the contact goes to the next in line, as after a single sync.

use super::run::{Halt, Work};
use crate::mapping::OnEmailChange;
use crate::model::{Email, Record, RecordId, Trigger};
use crate::store::NewJob;
use crate::sync::write;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// By then it is on disk that a record left its contact, or its page is planned anew.
const KEPT: Duration = Duration::from_secs(30);

/// What a person is to know of the records of a page that leave a contact. `goes` has them with where they go; those that
/// stay surely are better left out. Of those that are read `again` the run has planned an older version.
pub async fn warnings(
    work: &Work,
    goes: &[(&Record, &Email)],
    again: &HashSet<RecordId>,
) -> Result<HashMap<RecordId, String>, Halt> {
    let (store, account, mapping) = (work.store(), &work.account, &work.mapping);
    if goes.is_empty() || mapping.spec().on_email_change != OnEmailChange::New {
        return Ok(HashMap::new());
    }
    let ids: Vec<RecordId> = goes.iter().map(|(record, _)| record.id.clone()).collect();
    let last = store
        .last_contacts(work.connection(), work.name(), &ids)
        .await?;
    let (mut warnings, mut jobs) = (HashMap::new(), Vec::new());
    for (record, email) in goes {
        let Some(old) = last.get(&record.id).filter(|old| old != email) else {
            continue;
        };
        let next = write::next_in_line(store, account, mapping, old, &record.id).await?;
        let warning = write::changed_address(old, email, next.as_ref());
        warnings.insert(record.id.clone(), warning);
        // A run that reads all records comes to the next in line by itself, but where it has passed it.
        let passed = work.reads_part() || again.contains(&record.id);
        jobs.extend(next.filter(|_| passed).map(|record| NewJob {
            connection: work.connection().clone(),
            mapping: work.name().clone(),
            object: mapping.object().clone(),
            record,
            trigger: Trigger::Export(work.id.clone()),
            not_before: Some(store.now() + KEPT),
        }));
    }
    if !work.options.dry_run && !jobs.is_empty() {
        store.enqueue_many(&jobs).await?;
    }
    Ok(warnings)
}
