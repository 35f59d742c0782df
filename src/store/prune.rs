//! Pruning what is old, in slices, so that the queue goes on meanwhile.

use super::error::Result;
use super::{SLICE, Store};
use jiff::Timestamp;

/// What is old enough to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Done and discarded jobs that changed last before then.
    pub done_before: Timestamp,
    /// Attempts that started before then.
    pub attempts_before: Timestamp,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub jobs: u64,
    pub attempts: u64,
}

impl Store {
    /// Removes what retention no longer wants, and writes and pages left behind by runs that ended.
    pub async fn prune(&self, retention: Retention) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        for state in ["done", "discarded"] {
            pruned.jobs += self
                .remove(
                    "DELETE FROM jobs WHERE seq IN
                         (SELECT seq FROM jobs WHERE state = $1 AND updated_at < $2 ORDER BY updated_at LIMIT $3)",
                    state,
                    retention.done_before,
                )
                .await?;
        }
        pruned.attempts = self
            .remove(
                "DELETE FROM attempts WHERE (job_seq, number) IN
                     (SELECT job_seq, number FROM attempts WHERE $1 <> '' AND started_at < $2 ORDER BY started_at LIMIT $3)",
                "any",
                retention.attempts_before,
            )
            .await?;
        for state in ["done", "obsolete"] {
            // What a turn did is remembered until a later state of its record is confirmed: it must not be done again.
            self.remove(
                "DELETE FROM effects WHERE seq IN (SELECT seq FROM effects e WHERE e.state = $1 AND e.updated_at < $2
                     AND EXISTS (SELECT 1 FROM confirmed_states c WHERE c.connection = e.connection
                         AND c.mapping = e.mapping AND c.record_id = e.record_id AND c.version > e.turned_from)
                     ORDER BY e.updated_at LIMIT $3)",
                state,
                retention.done_before,
            )
            .await?;
        }
        for state in ["completed", "cancelled"] {
            self.remove(
                "DELETE FROM outbox WHERE id IN (SELECT o.id FROM outbox o JOIN runs r ON r.id = o.run_id
                     WHERE r.state = $1 AND r.updated_at < $2 LIMIT $3)",
                state,
                retention.done_before,
            )
            .await?;
            self.remove(
                "DELETE FROM batches WHERE id IN (SELECT b.id FROM batches b JOIN runs r ON r.id = b.run_id
                     WHERE r.state = $1 AND r.updated_at < $2 LIMIT $3)",
                state,
                retention.done_before,
            )
            .await?;
        }
        self.remove(
            "DELETE FROM error_groups WHERE (connection, id) IN
                 (SELECT connection, id FROM error_groups WHERE $1 <> '' AND number <= 0 AND last_at < $2 LIMIT $3)",
            "any",
            retention.done_before,
        )
        .await?;
        for state in ["done", "cancelled"] {
            self.remove(
                "DELETE FROM bulk_actions WHERE id IN
                     (SELECT id FROM bulk_actions WHERE state = $1 AND ended_at < $2 LIMIT $3)",
                state,
                retention.done_before,
            )
            .await?;
        }
        let open = sqlx::query_scalar::<_, String>(
            "SELECT id FROM runs WHERE state IN ('running', 'paused') OR (state = 'failed' AND updated_at >= $1)",
        )
        .bind(retention.done_before.as_microsecond())
        .fetch_all(self.readers())
        .await?;
        self.forget_runs_but(open.into_iter().map(Into::into).collect())
            .await;
        Ok(pruned)
    }

    /// Runs a deletion (`$1` a state, `$2` a time, `$3` the slice) until it finds nothing more.
    pub(super) async fn remove(
        &self,
        sql: &'static str,
        state: &str,
        before: Timestamp,
    ) -> Result<u64> {
        let mut number = 0;
        loop {
            let mut writer = self.writer().await;
            let mut tx = writer.begin().await?;
            let gone = sqlx::query(sql)
                .bind(state)
                .bind(before.as_microsecond())
                .bind(SLICE)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if gone > 0 {
                self.commit(tx).await?;
            }
            number += gone;
            if gone < u64::from(SLICE) {
                return Ok(number);
            }
        }
    }
}
