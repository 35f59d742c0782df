//! What a job's own row does not tell of where it stands: who goes first, who has it.

use super::Store;
use super::error::Result;
use super::rows::{count, time};
use super::sqlite::AHEAD;
use crate::model::JobId;
use jiff::Timestamp;
use sqlx::Row;

/// Those who go first are counted exactly up to this number.
const COUNTED: u64 = 10_000;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Of a due job: jobs of its account that go first, and whether that is all of them.
    pub ahead: (u64, bool),
    /// Of a running job: its worker, since when, and until when the lease holds.
    pub holder: Option<Holder>,
}

/// Who works on a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    pub worker: String,
    pub since: Timestamp,
    pub until: Timestamp,
}

impl Store {
    /// Where a job stands; `None` if there is no such job.
    pub async fn standing(&self, id: &JobId) -> Result<Option<Standing>> {
        let mut reader = self.readers().acquire().await?;
        let row = sqlx::query(
            "SELECT seq, connection, state, priority, lease_owner, lease_until, updated_at FROM jobs WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&mut *reader)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let state: &str = row.try_get(2)?;
        let mut ahead = 0;
        if state == "ready" {
            let before = sqlx::query(AHEAD)
                .bind(row.try_get::<&str, _>(1)?)
                .bind(row.try_get::<i64, _>(3)?)
                .bind(row.try_get::<i64, _>(0)?)
                .bind(COUNTED as i64 + 1)
                .fetch_one(&mut *reader)
                .await?;
            ahead = count(&before, 0)?;
        }
        let worker: Option<String> = row.try_get(4)?;
        let until: Option<i64> = row.try_get(5)?;
        let holder = match (state, worker, until) {
            ("running", Some(worker), Some(until)) => Some(Holder {
                worker,
                since: time(row.try_get(6)?)?,
                until: time(until)?,
            }),
            _ => None,
        };
        Ok(Some(Standing {
            ahead: (ahead.min(COUNTED), ahead <= COUNTED),
            holder,
        }))
    }
}
