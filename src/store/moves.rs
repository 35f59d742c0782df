//! Records that had another contact so far.

use super::Store;
use super::error::Result;
use super::rows::{chunks, email, push_list};
use super::sqlite::follow;
use crate::model::{ConnectionName, Email, MappingName, RecordId};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use std::collections::HashMap;

impl Store {
    /// True if any contact was confirmed for a record of the mapping: before its first sync no record can leave one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn has_contacts(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<bool> {
        let found = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM links WHERE connection = $1 AND mapping = $2)",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .fetch_one(self.readers())
        .await?;
        Ok(found)
    }

    /// The contact that was last confirmed for each of these records, as far as there is one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn last_contacts(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, Email>> {
        let of = (connection, mapping);
        let mut last: HashMap<RecordId, (i64, Email)> = HashMap::new();
        for chunk in chunks(records) {
            // As one record's links are found: by the address that it was last seen with, and among those that it left.
            let mut query = QueryBuilder::new(
                "SELECT r.record_id, l.email, l.confirmed_at FROM records r JOIN links l
                     ON l.connection = r.connection AND l.mapping = r.mapping AND l.email = r.email AND l.record_id = r.record_id
                 WHERE ",
            );
            push_records(&mut query, "r", of, chunk);
            query.push(format!(
                " UNION ALL SELECT record_id, email, confirmed_at FROM links{} WHERE moved = 1 AND ",
                follow("links_moved")
            ));
            push_records(&mut query, "links", of, chunk);
            for row in query.build().fetch_all(self.readers()).await? {
                let (record, confirmed) = (row.try_get::<String, _>(0)?.into(), row.try_get(2)?);
                let known = last.get(&record).is_some_and(|(at, _)| *at >= confirmed);
                if !known {
                    last.insert(record, (confirmed, email(row.try_get(1)?)?));
                }
            }
        }
        let contacts = last.into_iter();
        Ok(contacts
            .map(|(record, (_, email))| (record, email))
            .collect())
    }

    /// The contacts a record has or competes for: those it leaves when its address changes or it is gone.
    ///
    /// # Errors
    /// The store failed.
    pub async fn contacts_of_record(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
    ) -> Result<Vec<Email>> {
        let records = std::slice::from_ref(record);
        let contacts = self
            .contacts_of_records(connection, mapping, records)
            .await?;
        Ok(contacts.into_iter().map(|(_, email)| email).collect())
    }

    /// As [`Store::contacts_of_record`], for many records.
    ///
    /// # Errors
    /// The store failed.
    pub async fn contacts_of_records(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        records: &[RecordId],
    ) -> Result<Vec<(RecordId, Email)>> {
        let mut reader = self.readers().acquire().await?;
        contacts_of(&mut reader, (connection, mapping), records).await
    }
}

/// See [`Store::contacts_of_records`].
pub(super) async fn contacts_of(
    reader: &mut SqliteConnection,
    of: (&ConnectionName, &MappingName),
    records: &[RecordId],
) -> Result<Vec<(RecordId, Email)>> {
    let mut contacts = Vec::new();
    for chunk in chunks(records) {
        // The one that was last seen of it: it has it, or stands for it.
        let mut query = QueryBuilder::new(
            "SELECT r.record_id, r.email FROM records r WHERE r.email IS NOT NULL AND (r.competes = 1 OR EXISTS (
                 SELECT 1 FROM links l WHERE l.connection = r.connection AND l.mapping = r.mapping
                     AND l.email = r.email AND l.record_id = r.record_id)) AND ",
        );
        push_records(&mut query, "r", of, chunk);
        // Those that it left.
        query.push(format!(
            " UNION SELECT record_id, email FROM links{} WHERE moved = 1 AND ",
            follow("links_moved")
        ));
        push_records(&mut query, "links", of, chunk);
        for row in query.build().fetch_all(&mut *reader).await? {
            let record: String = row.try_get(0)?;
            contacts.push((record.into(), email(row.try_get(1)?)?));
        }
    }
    Ok(contacts)
}

/// Appends the condition that a row of this table is about one of the records.
pub(super) fn push_records(
    query: &mut QueryBuilder<Sqlite>,
    table: &str,
    (connection, mapping): (&ConnectionName, &MappingName),
    records: &[RecordId],
) {
    query
        .push(format!("{table}.connection = "))
        .push_bind(connection.as_str())
        .push(format!(" AND {table}.mapping = "))
        .push_bind(mapping.as_str())
        .push(format!(" AND {table}.record_id IN "));
    push_list(query, records.iter().map(RecordId::as_str));
}
