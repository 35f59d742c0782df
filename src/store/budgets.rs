//! The rows of the rate limits, shared by all processes.

use super::Store;
use super::error::Result;

impl Store {
    /// Reads, changes and writes one budget's row in one transaction. The row is empty at first; its text is the
    /// caller's. The commit does not wait for the disk, and nobody is told of it: budgets change with every request.
    pub async fn ledger_update<R, F>(&self, key: &str, change: F) -> Result<R>
    where
        F: FnOnce(&mut String) -> R,
    {
        let mut writer = self.writer_soon().await;
        let mut tx = writer.begin_quiet().await?;
        let before: Option<String> = sqlx::query_scalar("SELECT state FROM budgets WHERE key = $1")
            .bind(key)
            .fetch_optional(&mut *tx)
            .await?;
        let before = before.unwrap_or_default();
        let mut state = before.clone();
        let answer = change(&mut state);
        if state != before {
            sqlx::query(
                "INSERT INTO budgets (key, state) VALUES ($1, $2)
                 ON CONFLICT (key) DO UPDATE SET state = excluded.state",
            )
            .bind(key)
            .bind(&state)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(answer)
    }
}
