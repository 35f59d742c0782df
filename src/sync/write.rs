//! Writing one contact: the upsert, and what it cannot do by itself.

use super::account::Account;
use super::contest;
use crate::activecampaign::Synced;
use crate::http::ApiError;
use crate::mapping::{EmailSpec, Mapping, OnEmailChange};
use crate::model::view::PreviewField;
use crate::model::{Contact, ContactWrite, Email, Record, RecordId, RelatedContact, TargetField};
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

/// `on_email_change = "new"`: what a person should know where a record whose values went to another contact last goes to this
/// one now. Once it has been written, nothing more.
///
/// # Errors
/// The store failed.
pub async fn change_of_address(
    store: &Store,
    account: &Account,
    mapping: &Mapping,
    record: &RecordId,
    email: &Email,
) -> Result<Option<String>, StoreError> {
    if mapping.spec().on_email_change != OnEmailChange::New {
        return Ok(None);
    }
    let (connection, name) = (&account.name, mapping.name());
    let links = store.links_of_record(connection, name, record).await?;
    // The last one confirmed comes first.
    let Some(old) = links.first().filter(|link| link.email != *email) else {
        return Ok(None);
    };
    let next = next_in_line(store, account, mapping, &old.email, record).await?;
    Ok(Some(changed_address(&old.email, email, next.as_ref())))
}

/// What a person is told of a record that left a contact, and of who has it next.
pub fn changed_address(old: &Email, new: &Email, next: Option<&RecordId>) -> String {
    let then = match next {
        Some(next) => format!("record {next} takes it over"),
        None => "it keeps what it was sent".to_owned(),
    };
    format!(
        "the address changed from {old} to {new}, which is a contact of its own; the former one stays, and {then}"
    )
}

/// What is sent to an address without a contact, beside what the contact holds that is renamed to it.
pub fn beside_renamed(
    mapping: &Mapping,
    (record, related): (&Record, Option<&RelatedContact>),
    (old, contact): (&Email, &Contact),
    new: &Email,
) -> Vec<PreviewField> {
    let mut fields = mapping.preview_fields(record, related, Some(contact));
    fields.insert(0, renamed(mapping, record, old, new));
    fields
}

/// The line of a rename in a preview: the contact at the old address gets the new one.
fn renamed(mapping: &Mapping, record: &Record, old: &Email, new: &Email) -> PreviewField {
    let (source, value) = match &mapping.spec().email {
        EmailSpec::Property(key) => (key, record.properties.get(key)),
        EmailSpec::Association(name) => (name, None),
    };
    PreviewField {
        field: "email".to_owned(),
        source: source.clone(),
        record: value.map(ToString::to_string),
        send: Some(new.to_string()),
        contact: Some(old.to_string()),
        changes: true,
        problem: None,
        warning: None,
    }
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
    let heir = contest::heir(mapping.spec().conflict);
    store
        .next_in_line(&account.name, mapping.name(), email, (heir, leaver))
        .await
}
