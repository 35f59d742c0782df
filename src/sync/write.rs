//! Writing one contact: the upsert, and what it cannot do by itself.

use super::account::Account;
use super::contest;
use crate::activecampaign::Synced;
use crate::http::ApiError;
use crate::mapping::{Mapping, OnEmailChange};
use crate::model::{ContactWrite, Email, RecordId, TargetField};
use crate::store::{Link, Store, StoreError};

pub use super::contest::CANDIDATES;

/// Writes a contact's values. A contact that moves is renamed first, if the new address is free; dates that `""`
/// does not clear (fact sheet §2.3) lose their stored row. All of it may be repeated.
///
/// # Errors
/// As every call.
pub async fn write(
    account: &Account,
    mapping: &Mapping,
    write: &ContactWrite,
    moves_from: Option<&Email>,
) -> Result<(Synced, bool), ApiError> {
    let client = &account.activecampaign;
    let mut moved = false;
    if let Some(old) = moves_from
        && client.find_contact(&write.email, false).await?.is_none()
        && let Some(contact) = client.find_contact(old, false).await?
    {
        client.update_contact(&contact.id, write).await?;
        moved = true;
    }
    let synced = client.sync_contact(write).await?;
    let cleared = cleared_dates(mapping, write);
    if !cleared.is_empty() {
        for stored in client.stored_values(&synced.id).await? {
            if !stored.value.is_empty() && cleared.contains(&TargetField::Custom(stored.field)) {
                client.delete_field_value(&stored.id).await?;
            }
        }
    }
    Ok((synced, moved))
}

fn cleared_dates(mapping: &Mapping, write: &ContactWrite) -> Vec<TargetField> {
    if !write.clears() {
        return Vec::new();
    }
    let dates = mapping
        .columns()
        .into_iter()
        .filter(|column| matches!(column.target_type.as_str(), "date" | "datetime"));
    dates
        .map(|column| column.target)
        .filter(|date| {
            write
                .values
                .iter()
                .any(|(target, value)| target == date && value.is_empty())
        })
        .collect()
}

/// `on_email_change = "rename"`: the link of the contact that a record has so far, if the record has another address now
/// and nobody else, in no mapping, has a claim on that contact.
///
/// # Errors
/// The store failed.
pub async fn old_link(
    store: &Store,
    account: &Account,
    mapping: &Mapping,
    record: &RecordId,
    email: &Email,
) -> Result<Option<Link>, StoreError> {
    if mapping.spec().on_email_change != OnEmailChange::Rename {
        return Ok(None);
    }
    let (connection, name) = (&account.name, mapping.name());
    let links = store.links_of_record(connection, name, record).await?;
    if links.iter().any(|link| link.email == *email) {
        return Ok(None);
    }
    let Some(old) = links.into_iter().next() else {
        return Ok(None);
    };
    let claimed = next_in_line(store, account, mapping, &old.email, record)
        .await?
        .is_some()
        || !store
            .other_mappings_of(connection, name, &old.email)
            .await?
            .is_empty();
    Ok((!claimed).then_some(old))
}

/// The record that takes over a contact that another one left.
///
/// # Errors
/// The store failed.
pub async fn next_in_line(
    store: &Store,
    account: &Account,
    mapping: &Mapping,
    email: &Email,
    leaver: &RecordId,
) -> Result<Option<RecordId>, StoreError> {
    let mut candidates = store
        .candidates(&account.name, mapping.name(), email, CANDIDATES)
        .await?;
    candidates.retain(|candidate| candidate.record != *leaver);
    Ok(contest::winner(mapping.spec().conflict, &candidates))
}
