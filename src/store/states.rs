//! What a mapping last confirmed of each record: rules fire by what changed since.

use super::Store;
use super::effects::is_held;
use super::error::Result;
use super::outbox::OutboxRow;
use super::rows::{chunks, count, push_list};
use crate::model::{ConnectionName, Job, MappingName, RecordId, RunId};
use sqlx::{AssertSqlSafe, QueryBuilder, Row, SqliteConnection};
use std::collections::HashMap;

/// What a mapping last confirmed of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfirmedState {
    pub record: RecordId,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    /// The record's properties as JSON.
    pub properties_json: String,
}

impl Store {
    /// How many contacts follow a record of which no state is confirmed, as it is when a mapping gets its first rule: what
    /// turns true in such a record next cannot be told from what was true already.
    pub async fn unknown_states(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<u64> {
        let row = sqlx::query(
            "SELECT count(*) FROM links JOIN records USING (connection, mapping, record_id)
             WHERE connection = $1 AND mapping = $2 AND competes = 1 AND NOT EXISTS (
                 SELECT 1 FROM confirmed_states AS states WHERE states.connection = links.connection
                     AND states.mapping = links.mapping AND states.record_id = links.record_id)",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .fetch_one(self.readers())
        .await?;
        count(&row, 0)
    }

    /// What was last confirmed of these records.
    pub async fn confirmed_states(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, ConfirmedState>> {
        let mut reader = self.readers().acquire().await?;
        let mut found = HashMap::new();
        for chunk in chunks(records) {
            let mut query = QueryBuilder::new(
                "SELECT record_id, version, properties FROM confirmed_states WHERE connection = ",
            );
            query.push_bind(connection.as_str());
            query.push(" AND mapping = ").push_bind(mapping.as_str());
            query.push(" AND record_id IN ");
            push_list(&mut query, chunk.iter().map(RecordId::as_str));
            for row in query.build().fetch_all(&mut *reader).await? {
                let record: RecordId = row.try_get::<String, _>(0)?.into();
                let state = ConfirmedState {
                    record: record.clone(),
                    version: row.try_get(1)?,
                    properties_json: row.try_get(2)?,
                };
                found.insert(record, state);
            }
        }
        Ok(found)
    }

    /// Keeps what a running job has just written as the state that is confirmed of its record, before its rules act: what
    /// they do from now on is done for this state, also if the job never comes to its settlement. False if the job is no
    /// longer this worker's.
    pub async fn confirm_state(
        &self,
        claimed: &Job,
        epoch: i64,
        state: &ConfirmedState,
    ) -> Result<bool> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        if !is_held(&mut tx, claimed, epoch).await? {
            return Ok(false);
        }
        keep_state(&mut tx, &claimed.connection, &claimed.mapping, state).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// As [`Store::confirm_state`], for a write of an export.
    pub async fn confirm_row_state(&self, run: &RunId, row: &OutboxRow) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO confirmed_states (connection, mapping, record_id, version, properties)
             SELECT connection, mapping, record_id, version, properties FROM outbox
             WHERE email = $1 AND run_id = $2 AND record_id = $3 AND version = $4 AND properties IS NOT NULL
             {STATE_CONFLICT}"
        )))
        .bind(row.email.as_str())
        .bind(run.as_str())
        .bind(row.record.as_str())
        .bind(row.version)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }
}

/// Keeps a record's state as the last confirmed one; an older version replaces nothing.
pub(super) async fn keep_state(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    state: &ConfirmedState,
) -> Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO confirmed_states (connection, mapping, record_id, version, properties) VALUES ($1, $2, $3, $4, $5)
         {STATE_CONFLICT}"
    )))
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(state.record.as_str())
    .bind(state.version)
    .bind(&state.properties_json)
    .execute(tx)
    .await?;
    Ok(())
}

/// What happens where a record has a confirmed state already.
pub(super) const STATE_CONFLICT: &str =
    "ON CONFLICT (connection, mapping, record_id) DO UPDATE SET version = excluded.version,
         properties = excluded.properties
     WHERE confirmed_states.version <= excluded.version";
