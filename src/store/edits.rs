//! Edits: values that a person put in place of a record's, for one job and until the record changes.

use super::Store;
use super::error::Result;
use super::rows::{from_json, time, to_json};
use crate::model::job::Edit;
use crate::model::{Job, JobId, Properties, RecordId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// What a person puts in place of a record's values.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEdit {
    pub properties: Properties,
    /// The version of the record that the person saw, in microseconds.
    pub version: i64,
    pub by: String,
}

const EDIT: &str = "number, properties, version, set_by, set_at, ended_at, ended_why";

impl Store {
    /// Puts an edit in force, in place of an earlier one, and makes the job ready with a person's urgency; its number.
    /// `None` if the job is over or runs: then nothing was changed.
    pub async fn edit_job(&self, id: &JobId, edit: &NewEdit) -> Result<Option<u32>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let row = sqlx::query(
            "UPDATE jobs SET state = 'ready', wait_reason = NULL, wait_until = NULL, wait_by = NULL, trigger_kind = 'retry',
                 run_id = NULL, priority = 3, tries = 0, updated_at = $1
             WHERE id = $2 AND state IN ('ready', 'waiting', 'failed', 'unknown') RETURNING seq, connection",
        )
        .bind(now)
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (seq, connection): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        sqlx::query(
            "UPDATE edits SET ended_at = $1, ended_why = 'replaced by another edit'
             WHERE job_seq = $2 AND ended_at IS NULL",
        )
        .bind(now)
        .bind(seq)
        .execute(&mut *tx)
        .await?;
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO edits (connection, job_seq, number, properties, version, set_by, set_at)
             SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6 FROM edits WHERE job_seq = $2
             RETURNING number",
        )
        .bind(connection)
        .bind(seq)
        .bind(to_json(&edit.properties)?)
        .bind(edit.version)
        .bind(&edit.by)
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(Some(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// All edits of a job, the first one first.
    pub async fn edits(&self, id: &JobId) -> Result<Vec<Edit>> {
        let sql = format!(
            "SELECT {EDIT} FROM edits WHERE job_seq = (SELECT seq FROM jobs WHERE id = $1) ORDER BY number"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.as_str())
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(|row| Ok(read(row)?.0))
            .collect()
    }

    /// The edit that is in force for a job and its record as it is now. One that was made for another version of the record
    /// ends with that.
    pub async fn edit_for(
        &self,
        job: &Job,
        record: &RecordId,
        version: i64,
    ) -> Result<Option<Edit>> {
        let sql = format!(
            "SELECT {EDIT} FROM edits WHERE job_seq = (SELECT seq FROM jobs WHERE id = $1) AND ended_at IS NULL"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(job.id.as_str())
            .fetch_optional(self.readers())
            .await?;
        let Some((edit, made_for)) = row.as_ref().map(read).transpose()? else {
            return Ok(None);
        };
        if made_for == version {
            return Ok(Some(edit));
        }
        tracing::info!(job = %job.id, %record, edit = edit.number, "the record changed: the edit is over");
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "UPDATE edits SET ended_at = $1, ended_why = 'the record changed'
             WHERE job_seq = (SELECT seq FROM jobs WHERE id = $2) AND number = $3 AND ended_at IS NULL",
        )
        .bind(self.now_micros())
        .bind(job.id.as_str())
        .bind(edit.number)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(None)
    }
}

/// An edit, and the version of the record that it was made for.
fn read(row: &SqliteRow) -> Result<(Edit, i64)> {
    let edit = Edit {
        number: row.try_get(0)?,
        properties: from_json("edit", row.try_get(1)?)?,
        by: row.try_get(3)?,
        at: time(row.try_get(4)?)?,
        ended_at: row.try_get::<Option<i64>, _>(5)?.map(time).transpose()?,
        ended_why: row.try_get(6)?,
    };
    Ok((edit, row.try_get(2)?))
}
