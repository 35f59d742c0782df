//! Edits: values that a person put in place of a record's, until the record changes. They are kept for ever.

use super::Store;
use super::error::Result;
use super::rows::{from_json, time, to_json};
use crate::model::job::Edit;
use crate::model::{ConnectionName, JobId, MappingName, Properties, RecordId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;

/// What a person puts in place of a record's values.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEdit {
    pub properties: Properties,
    /// The version of the record that the person saw, in microseconds.
    pub version: i64,
    pub by: String,
}

/// An edit that is in force as long as its record is no newer.
#[derive(Clone, Debug, PartialEq)]
pub struct InForce {
    pub edit: Edit,
    /// The version of the record that it was made for, in microseconds.
    pub version: i64,
}

const EDIT: &str = "number, properties, version, set_by, set_at, ended_at, ended_why";

impl Store {
    /// Puts an edit in force for a job's record, in place of an earlier one, and makes the job ready with a person's urgency;
    /// the edit's number. `None` if the job is over or runs: then nothing was changed.
    pub async fn edit_job(&self, id: &JobId, edit: &NewEdit) -> Result<Option<u32>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let row = sqlx::query(
            "UPDATE jobs SET state = 'ready', wait_reason = NULL, wait_until = NULL, wait_by = NULL, trigger_kind = 'retry',
                 run_id = NULL, priority = 3, tries = 0, updated_at = $1
             WHERE id = $2 AND state IN ('ready', 'waiting', 'failed', 'unknown')
             RETURNING connection, mapping, record_id",
        )
        .bind(now)
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (connection, mapping, record): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        sqlx::query(
            "UPDATE record_edits SET ended_at = $1, ended_why = 'replaced by another edit'
             WHERE connection = $2 AND mapping = $3 AND record_id = $4 AND ended_at IS NULL",
        )
        .bind(now)
        .bind(&connection)
        .bind(&mapping)
        .bind(&record)
        .execute(&mut *tx)
        .await?;
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO record_edits (connection, mapping, record_id, number, properties, version, set_by, set_at)
             SELECT $1, $2, $3, coalesce(max(number), 0) + 1, $4, $5, $6, $7 FROM record_edits
             WHERE connection = $1 AND mapping = $2 AND record_id = $3 RETURNING number",
        )
        .bind(connection)
        .bind(mapping)
        .bind(record)
        .bind(to_json(&edit.properties)?)
        .bind(edit.version)
        .bind(&edit.by)
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(Some(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// All edits of a record by a mapping, the first one first.
    pub async fn edits(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
    ) -> Result<Vec<Edit>> {
        let sql = format!(
            "SELECT {EDIT} FROM record_edits WHERE connection = $1 AND mapping = $2 AND record_id = $3 ORDER BY number"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .bind(record.as_str())
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(|row| Ok(read(row)?.edit))
            .collect()
    }

    /// The edits of a mapping that have not ended, by record: a handful, for a person made each of them.
    pub async fn edits_in_force(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<HashMap<RecordId, InForce>> {
        let sql = format!(
            "SELECT {EDIT}, record_id FROM record_edits WHERE connection = $1 AND mapping = $2 AND ended_at IS NULL"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(|row| Ok((row.try_get::<String, _>(7)?.into(), read(row)?)))
            .collect()
    }

    /// Ends an edit because its record changed.
    pub async fn end_edit(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
        number: u32,
    ) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "UPDATE record_edits SET ended_at = $1, ended_why = 'the record changed'
             WHERE connection = $2 AND mapping = $3 AND record_id = $4 AND number = $5 AND ended_at IS NULL",
        )
        .bind(self.now_micros())
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .bind(record.as_str())
        .bind(number)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }
}

fn read(row: &SqliteRow) -> Result<InForce> {
    let edit = Edit {
        number: row.try_get(0)?,
        properties: from_json("edit", row.try_get(1)?)?,
        by: row.try_get(3)?,
        at: time(row.try_get(4)?)?,
        ended_at: row.try_get::<Option<i64>, _>(5)?.map(time).transpose()?,
        ended_why: row.try_get(6)?,
    };
    Ok(InForce {
        edit,
        version: row.try_get(2)?,
    })
}
