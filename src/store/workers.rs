//! Which processes work the queue, whether they have a job or not.

use super::Store;
use super::error::Result;
use std::time::Duration;

impl Store {
    /// A worker says that it lives, for the next `lease`. Nobody is told of it: it changes nothing that is shown but a
    /// number, and what wakes every screen would wake them for ever.
    pub async fn worker_lives(&self, owner: &str, lease: Duration) -> Result<()> {
        let now = self.now_micros();
        let until = now.saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX));
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        sqlx::query(
            "INSERT INTO workers (owner, started_at, seen_until) VALUES ($1, $2, $3)
             ON CONFLICT (owner) DO UPDATE SET seen_until = excluded.seen_until",
        )
        .bind(owner)
        .bind(now)
        .bind(until)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM workers WHERE seen_until <= $1")
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A worker ends.
    pub async fn worker_ends(&self, owner: &str) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        sqlx::query("DELETE FROM workers WHERE owner = $1")
            .bind(owner)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// Owners that said so within their lease.
    pub async fn workers(&self) -> Result<Vec<String>> {
        Ok(
            sqlx::query_scalar("SELECT owner FROM workers WHERE seen_until > $1 ORDER BY owner")
                .bind(self.now_micros())
                .fetch_all(self.readers())
                .await?,
        )
    }
}
