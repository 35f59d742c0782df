//! What a person put in place of a record's values: whatever syncs the record goes by it, until the record changes.

use super::plan::version;
use crate::model::job::Edit;
use crate::model::{ConnectionName, MappingName, Record, RecordId};
use crate::store::{InForce, Store, StoreError};
use std::collections::HashSet;

/// Puts the edits in force in place of the values of records as they were read now; one whose record is newer than it ends.
/// What is read in a dry run ends nothing. Answers whose values are an edit's now.
///
/// # Errors
/// The store failed.
pub async fn put(
    store: &Store,
    (connection, mapping): (&ConnectionName, &MappingName),
    records: Vec<&mut Record>,
    dry_run: bool,
) -> Result<HashSet<RecordId>, StoreError> {
    let mut edited = HashSet::new();
    let edits = store.edits_in_force(connection, mapping).await?;
    if edits.is_empty() {
        return Ok(edited);
    }
    for record in records {
        let Some(in_force) = edits.get(&record.id) else {
            continue;
        };
        let (edit, id) = (&in_force.edit, &record.id);
        if holds(in_force, record) {
            tracing::info!(record = %id, edit = edit.number, by = edit.by, "the values of an edit are sent");
            Edit::put(&edit.properties, &mut record.properties);
            edited.insert(id.clone());
        } else if !dry_run {
            tracing::info!(record = %id, edit = edit.number, "the record changed: the edit is over");
            store.end_edit(connection, mapping, id, edit.number).await?;
        }
    }
    Ok(edited)
}

/// The edit that a sync of this record would go by.
///
/// # Errors
/// The store failed.
pub async fn of(
    store: &Store,
    (connection, mapping): (&ConnectionName, &MappingName),
    record: &Record,
) -> Result<Option<Edit>, StoreError> {
    let mut edits = store.edits_in_force(connection, mapping).await?;
    let edit = edits.remove(&record.id);
    Ok(edit
        .filter(|edit| holds(edit, record))
        .map(|edit| edit.edit))
}

/// A search may still show an older version than the one that the person saw.
fn holds(edit: &InForce, record: &Record) -> bool {
    version(record) <= edit.version
}
