//! Records that are believed to be deleted, and why (product.md, deletions).

use super::Store;
use super::enqueue::{NewJob, upsert};
use super::error::Result;
use super::links::{Link, unlink};
use super::rows::{chunks, push_list};
use crate::model::{ConnectionName, MappingName, RecordId};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use std::collections::HashMap;

/// Why a record is believed to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// HighLevel announced it.
    Event,
    /// A complete walk over the object did not meet it.
    Walk,
}

impl Evidence {
    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Walk => "walk",
        }
    }
}

impl Store {
    /// Why a record is believed to be deleted; `None` if nothing says so, or it was found gone once and competes for a contact
    /// since: then it came back.
    pub async fn deletion(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
    ) -> Result<Option<Evidence>> {
        let evidence: Option<String> = sqlx::query_scalar(
            "SELECT evidence FROM deletions d WHERE connection = $1 AND mapping = $2 AND record_id = $3
                 AND (settled_at IS NULL OR NOT EXISTS (SELECT 1 FROM records r WHERE r.connection = d.connection
                     AND r.mapping = d.mapping AND r.record_id = d.record_id AND r.competes = 1))",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .bind(record.as_str())
        .fetch_optional(self.readers())
        .await?;
        Ok(evidence.map(|evidence| {
            if evidence == Evidence::Event.name() {
                Evidence::Event
            } else {
                Evidence::Walk
            }
        }))
    }

    /// A mapping lets go of a contact that other mappings link as well: what it knows of who made the contact is theirs now.
    pub async fn let_go(&self, connection: &ConnectionName, link: &Link) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        if link.created_by_us {
            sqlx::query(
                "UPDATE links SET created_by_us = 1 WHERE connection = $1 AND email = $2
                     AND mapping IN (SELECT mapping FROM mapping_versions WHERE connection = $1)",
            )
            .bind(connection.as_str())
            .bind(link.email.as_str())
            .execute(&mut *tx)
            .await?;
        }
        unlink(
            &mut tx,
            connection,
            &link.mapping,
            &link.email,
            &link.record,
        )
        .await?;
        self.commit(tx).await
    }

    /// Makes jobs for records that a complete walk did not meet, in one transaction.
    pub async fn enqueue_absent(&self, jobs: &[NewJob]) -> Result<()> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        for job in jobs {
            announce(&mut tx, job, Evidence::Walk, now).await?;
            upsert(&mut tx, job, now).await?;
        }
        self.commit(tx).await
    }

    /// The records of a mapping that are believed to be deleted.
    pub async fn deletions_of(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<Vec<RecordId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT record_id FROM deletions WHERE connection = $1 AND mapping = $2",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .fetch_all(self.readers())
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// These records were met at some time after `since`: what was noticed of their deletion before then is not so.
    pub async fn withdraw_deletions(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        met: &[RecordId],
        since: Timestamp,
    ) -> Result<()> {
        if met.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        for chunk in chunks(met) {
            let mut query = QueryBuilder::new("DELETE FROM deletions WHERE connection = ");
            query.push_bind(connection.as_str());
            query.push(" AND mapping = ").push_bind(mapping.as_str());
            query.push(" AND record_id IN ");
            push_list(&mut query, chunk.iter().map(RecordId::as_str));
            query
                .push(" AND noticed_at < ")
                .push_bind(since.as_microsecond());
            query.build().execute(&mut *tx).await?;
        }
        self.commit(tx).await
    }

    /// A page of the records that a mapping saw and that are not known to be gone, by id, with the version seen; `after` is the
    /// last id of the page before.
    pub async fn records_seen(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<(RecordId, i64)>> {
        sqlx::query(
            "SELECT record_id, version FROM records r
             WHERE connection = $1 AND mapping = $2 AND record_id > $3 AND NOT EXISTS (SELECT 1 FROM deletions d
                 WHERE d.connection = $1 AND d.mapping = $2 AND d.record_id = r.record_id AND d.settled_at IS NOT NULL)
             ORDER BY record_id LIMIT $4",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .bind(after.map_or("", RecordId::as_str))
        .bind(limit)
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| Ok((row.try_get::<String, _>(0)?.into(), row.try_get(1)?)))
        .collect()
    }

    /// The versions in which a mapping saw these records; those it never saw are left out.
    pub async fn versions_seen(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, i64>> {
        let mut seen = HashMap::with_capacity(records.len());
        for chunk in chunks(records) {
            let mut query =
                QueryBuilder::new("SELECT record_id, version FROM records WHERE connection = ");
            query.push_bind(connection.as_str());
            query.push(" AND mapping = ").push_bind(mapping.as_str());
            query.push(" AND record_id IN ");
            push_list(&mut query, chunk.iter().map(RecordId::as_str));
            for row in query.build().fetch_all(self.readers()).await? {
                seen.insert(row.try_get::<String, _>(0)?.into(), row.try_get(1)?);
            }
        }
        Ok(seen)
    }

    /// Those of these records that have an open job.
    pub async fn with_open_job(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        records: &[RecordId],
    ) -> Result<Vec<RecordId>> {
        let mut open = Vec::new();
        for chunk in chunks(records) {
            let mut query = QueryBuilder::new("SELECT record_id FROM jobs WHERE ");
            query.push(super::rows::OPEN).push(" AND connection = ");
            query.push_bind(connection.as_str());
            query.push(" AND mapping = ").push_bind(mapping.as_str());
            query.push(" AND record_id IN ");
            push_list(&mut query, chunk.iter().map(RecordId::as_str));
            for row in query.build().fetch_all(self.readers()).await? {
                open.push(row.try_get::<String, _>(0)?.into());
            }
        }
        Ok(open)
    }

    /// The newest version that a mapping saw of any record.
    pub async fn newest_version(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(
            "SELECT max(version) FROM records WHERE connection = $1 AND mapping = $2",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .fetch_one(self.readers())
        .await?)
    }
}

/// Keeps that a job's record is said to be deleted. What HighLevel announced is not weakened by a walk.
pub(super) async fn announce(
    tx: &mut SqliteConnection,
    job: &NewJob,
    evidence: Evidence,
    now: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO deletions (connection, mapping, record_id, evidence, noticed_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (connection, mapping, record_id) DO UPDATE SET noticed_at = excluded.noticed_at, settled_at = NULL,
             evidence = CASE excluded.evidence WHEN 'event' THEN 'event' ELSE deletions.evidence END",
    )
    .bind(job.connection.as_str())
    .bind(job.mapping.as_str())
    .bind(job.record.as_str())
    .bind(evidence.name())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// A record was said to be there at a time: what was noticed before then no longer holds. What was found to be so is not
/// undone by hearsay: events come in any order (HighLevel fact sheet §5.4).
pub(super) async fn withdraw(tx: &mut SqliteConnection, job: &NewJob, said: i64) -> Result<()> {
    sqlx::query(
        "DELETE FROM deletions WHERE connection = $1 AND mapping = $2 AND record_id = $3 AND noticed_at < $4
             AND settled_at IS NULL",
    )
    .bind(job.connection.as_str())
    .bind(job.mapping.as_str())
    .bind(job.record.as_str())
    .bind(said)
    .execute(tx)
    .await?;
    Ok(())
}

/// A record was found to be gone, and what follows from that was done or is a person's to decide.
pub(super) async fn settle_deletion(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    record: &RecordId,
    now: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE deletions SET settled_at = $1 WHERE connection = $2 AND mapping = $3 AND record_id = $4",
    )
    .bind(now)
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(record.as_str())
    .execute(tx)
    .await?;
    Ok(())
}
