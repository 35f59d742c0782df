//! What ActiveCampaign last confirmed for a contact, and what was seen of its records.

use super::Store;
use super::error::Result;
use super::rows::{chunks, email, push_table, time};
use super::sqlite::follow;
use super::states::{ConfirmedState, keep_state};
use crate::model::view::Outcome;
use crate::model::{ConnectionName, ContactId, Email, Fingerprint, MappingName, RecordId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, SqliteConnection};
use std::collections::HashMap;

/// A write that ActiveCampaign confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkWrite {
    pub email: Email,
    /// `None` where an import confirmed the contact without naming its id: a known id stays.
    pub contact_id: Option<ContactId>,
    pub record: RecordId,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    pub fingerprint: Fingerprint,
    /// The confirmed `ContactWrite` as JSON.
    pub write_json: String,
    /// The record's properties, where the mapping has rules: its confirmed state from now on.
    pub properties_json: Option<String>,
    pub created_by_us: bool,
}

/// What was last confirmed for a contact by a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub mapping: MappingName,
    pub email: Email,
    pub contact_id: Option<ContactId>,
    pub record: RecordId,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    pub fingerprint: Fingerprint,
    /// The confirmed `ContactWrite` as JSON.
    pub write_json: String,
    pub created_by_us: bool,
    pub confirmed_at: Timestamp,
}

/// What a mapping saw of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordSeen {
    pub record: RecordId,
    pub email: Option<Email>,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    pub outcome: Outcome,
    pub superseded_by: Option<RecordId>,
    /// False for a record that cannot be mapped, is skipped or is gone: it is no candidate.
    pub competes: bool,
}

const LINK: &str = "mapping, email, contact_id, record_id, version, fingerprint, write, created_by_us, confirmed_at";

/// The addresses of the contacts whose values are those of a record (`$1`, `$2`, `$3`: connection, mapping, record): the one
/// that was last seen of it, and those that it left.
pub(super) fn linked_by_record() -> String {
    format!(
        "SELECT l.email FROM records r JOIN links l
             ON l.connection = r.connection AND l.mapping = r.mapping AND l.email = r.email AND l.record_id = r.record_id
         WHERE r.connection = $1 AND r.mapping = $2 AND r.record_id = $3
         UNION SELECT email FROM links{} WHERE connection = $1 AND mapping = $2 AND record_id = $3 AND moved = 1",
        follow("links_moved")
    )
}

impl LinkWrite {
    /// The state of the record that the write confirms, where the mapping has rules.
    pub fn state(&self) -> Option<ConfirmedState> {
        Some(ConfirmedState {
            record: self.record.clone(),
            version: self.version,
            properties_json: self.properties_json.clone()?,
        })
    }
}

impl Store {
    /// What was last confirmed for a contact.
    pub async fn link(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        email: &Email,
    ) -> Result<Option<Link>> {
        let mut links = self
            .links(connection, mapping, std::slice::from_ref(email))
            .await?;
        Ok(links.remove(email))
    }

    /// As [`Store::link`], for many contacts.
    pub async fn links(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        emails: &[Email],
    ) -> Result<HashMap<Email, Link>> {
        let mut writer = self.writer().await;
        let warm = writer.connection()?;
        let mut found = HashMap::with_capacity(emails.len());
        for chunk in chunks(emails) {
            let mut query = QueryBuilder::default();
            push_table(&mut query, "asked", &["address"], chunk, |values, email| {
                values.push_bind(email.as_str());
            });
            query.push(format!(
                "SELECT {LINK} FROM asked CROSS JOIN links WHERE email = address AND connection = "
            ));
            query.push_bind(connection.as_str());
            query.push(" AND mapping = ").push_bind(mapping.as_str());
            for row in query.build().fetch_all(&mut *warm).await? {
                let link = link(&row)?;
                found.insert(link.email.clone(), link);
            }
        }
        Ok(found)
    }

    /// The contacts whose values are those of a record; more than one after its e-mail changed.
    pub async fn links_of_record(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
    ) -> Result<Vec<Link>> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {LINK} FROM links WHERE connection = $1 AND mapping = $2 AND email IN ({})
             ORDER BY confirmed_at DESC",
            linked_by_record()
        )))
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .bind(record.as_str())
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(link)
        .collect()
    }

    /// What all mappings of a connection confirmed for a contact.
    pub async fn links_of_contact(
        &self,
        connection: &ConnectionName,
        contact: &ContactId,
    ) -> Result<Vec<Link>> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {LINK} FROM links WHERE connection = $1 AND contact_id = $2 ORDER BY mapping"
        )))
        .bind(connection.as_str())
        .bind(contact.as_str())
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(link)
        .collect()
    }

    /// Keeps a confirmed write. An older version of the same record replaces nothing.
    pub async fn put_link(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        write: &LinkWrite,
    ) -> Result<()> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        write_link(&mut tx, connection, mapping, write, now).await?;
        self.commit(tx).await
    }

    /// Forgets what was confirmed for a contact: it is gone, or another address took its place.
    pub async fn remove_link(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        email: &Email,
    ) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query("DELETE FROM links WHERE connection = $1 AND mapping = $2 AND email = $3")
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .bind(email.as_str())
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// Keeps what a mapping saw of a record.
    pub async fn see_record(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordSeen,
    ) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        see(&mut tx, connection, mapping, &[record]).await?;
        self.commit(tx).await
    }

    /// Takes a record's newest state to be of this version, in microseconds of `updated_at`, though a newer one was known: what
    /// it holds now may be confirmed.
    pub async fn turn_back(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
        version: i64,
    ) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        for table in ["records", "links", "confirmed_states"] {
            sqlx::query(AssertSqlSafe(format!(
                "UPDATE {table} SET version = $4
                 WHERE connection = $1 AND mapping = $2 AND record_id = $3 AND version > $4"
            )))
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .bind(record.as_str())
            .bind(version)
            .execute(&mut *tx)
            .await?;
        }
        self.commit(tx).await
    }

    /// The mappings of a connection, other than this one, that confirmed a write to a contact of this address.
    pub async fn other_mappings_of(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        email: &Email,
    ) -> Result<Vec<MappingName>> {
        // The mappings are walked one by one: the key begins with them, and there are few.
        let names: Vec<String> = sqlx::query_scalar(
            "WITH RECURSIVE known (name) AS (
                 SELECT min(mapping) FROM links WHERE connection = $1
                 UNION ALL SELECT (SELECT min(mapping) FROM links WHERE connection = $1 AND mapping > known.name)
                     FROM known WHERE known.name IS NOT NULL
             ) SELECT name FROM known WHERE name <> $2
                 AND EXISTS (SELECT 1 FROM links WHERE connection = $1 AND mapping = name AND email = $3)",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .bind(email.as_str())
        .fetch_all(self.readers())
        .await?;
        Ok(names.into_iter().map(Into::into).collect())
    }
}

fn link(row: &SqliteRow) -> Result<Link> {
    Ok(Link {
        mapping: row.try_get::<String, _>(0)?.into(),
        email: email(row.try_get(1)?)?,
        contact_id: row.try_get::<Option<String>, _>(2)?.map(Into::into),
        record: row.try_get::<String, _>(3)?.into(),
        version: row.try_get(4)?,
        fingerprint: Fingerprint::stored(row.try_get::<String, _>(5)?),
        write_json: row.try_get(6)?,
        created_by_us: row.try_get::<i64, _>(7)? != 0,
        confirmed_at: time(row.try_get(8)?)?,
    })
}

/// What happens where a contact has a link already; the fields of the newer write count.
pub(super) const LINK_CONFLICT: &str = "ON CONFLICT (connection, mapping, email) DO UPDATE SET
         contact_id = coalesce(excluded.contact_id, links.contact_id), record_id = excluded.record_id,
         version = excluded.version, fingerprint = excluded.fingerprint, write = excluded.write,
         confirmed_at = excluded.confirmed_at,
         created_by_us = CASE WHEN links.created_by_us = 1 THEN 1 ELSE excluded.created_by_us END
     WHERE links.record_id <> excluded.record_id OR links.version <= excluded.version";

pub(super) async fn write_link(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    link: &LinkWrite,
    now: i64,
) -> Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO links (connection, mapping, email, contact_id, record_id, version, fingerprint, write,
             created_by_us, confirmed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) {LINK_CONFLICT}"
    )))
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(link.email.as_str())
    .bind(link.contact_id.as_ref().map(ContactId::as_str))
    .bind(link.record.as_str())
    .bind(link.version)
    .bind(link.fingerprint.as_str())
    .bind(&link.write_json)
    .bind(i64::from(link.created_by_us))
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if let Some(state) = link.state() {
        keep_state(tx, connection, mapping, &state).await?;
    }
    Ok(())
}

/// Keeps what single syncs saw; the run that saw a record last stays named. An older version than the kept one changes
/// nothing.
pub(super) async fn see(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    records: &[&RecordSeen],
) -> Result<()> {
    for chunk in chunks(records) {
        let mut query = QueryBuilder::new(
            "INSERT INTO records (connection, mapping, record_id, email, version, competes, run_id, outcome, superseded_by) ",
        );
        query.push_values(chunk, |mut values, record| {
            values.push_bind(connection.as_str());
            values.push_bind(mapping.as_str());
            values.push_bind(record.record.as_str());
            values.push_bind(record.email.as_ref().map(Email::as_str));
            values.push_bind(record.version);
            values.push_bind(i64::from(record.competes));
            values.push("NULL");
            values.push_bind(record.outcome.name());
            values.push_bind(record.superseded_by.as_ref().map(RecordId::as_str));
        });
        query.push(
            " ON CONFLICT (connection, mapping, record_id) DO UPDATE SET email = excluded.email,
                 version = excluded.version, competes = excluded.competes, outcome = excluded.outcome,
                 superseded_by = excluded.superseded_by,
                 holds = CASE WHEN records.email = excluded.email THEN records.holds ELSE 0 END
             WHERE records.version <= excluded.version",
        );
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// A record that is gone competes for nothing, whatever version was seen of it.
pub(super) async fn see_gone(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    record: &RecordId,
) -> Result<()> {
    sqlx::query(
        "UPDATE records SET competes = 0, outcome = $4, superseded_by = NULL
         WHERE connection = $1 AND mapping = $2 AND record_id = $3",
    )
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(record.as_str())
    .bind(Outcome::Failed.name())
    .execute(tx)
    .await?;
    Ok(())
}

/// Records that were in step with a contact which another one has won since are superseded by it.
pub(super) async fn supersede(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    email: &Email,
    winner: &RecordId,
) -> Result<()> {
    sqlx::query(
        "UPDATE records SET outcome = $5, superseded_by = $4
         WHERE connection = $1 AND mapping = $2 AND email = $3 AND competes = 1 AND holds = 0 AND record_id <> $4
             AND outcome IN ($6, $7)",
    )
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(email.as_str())
    .bind(winner.as_str())
    .bind(Outcome::Superseded.name())
    .bind(Outcome::Synced.name())
    .bind(Outcome::Unchanged.name())
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets what was confirmed for a contact, if it is a record's.
pub(super) async fn unlink(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    email: &Email,
    record: &RecordId,
) -> Result<()> {
    sqlx::query(
        "DELETE FROM links WHERE connection = $1 AND mapping = $2 AND email = $3 AND record_id = $4",
    )
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(email.as_str())
    .bind(record.as_str())
    .execute(tx)
    .await?;
    Ok(())
}
