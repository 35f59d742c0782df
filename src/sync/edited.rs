//! What a person put in place of a record's values, for one job.

use super::job::Desk;
use super::plan::version;
use crate::model::Record;
use crate::model::job::{Edit, Job};
use crate::store::StoreError;

impl Desk {
    /// The record as this job is to sync it: with the values of the edit that is in force, if there is one. An edit ends when
    /// the record changes.
    pub async fn edited(&self, job: &Job, mut record: Record) -> Result<Record, StoreError> {
        let edit = self
            .store
            .edit_for(job, &record.id, version(&record))
            .await?;
        if let Some(edit) = edit {
            tracing::info!(job = %job.id, edit = edit.number, by = edit.by, "the values of an edit are sent");
            Edit::put(&edit.properties, &mut record.properties);
        }
        Ok(record)
    }
}
