//! Small things to be remembered: the screens' last state, the schemas' last look, watermarks.

use super::Store;
use super::error::Result;
use crate::model::ConnectionName;

impl Store {
    /// True if the store holds anything of a connection's accounts: jobs, runs, records or confirmed contacts.
    pub async fn knows(&self, connection: &ConnectionName) -> Result<bool> {
        let any: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE connection = $1) OR EXISTS (SELECT 1 FROM runs WHERE connection = $1)
                 OR EXISTS (SELECT 1 FROM records WHERE connection = $1) OR EXISTS (SELECT 1 FROM links WHERE connection = $1)",
        )
        .bind(connection.as_str())
        .fetch_one(self.readers())
        .await?;
        Ok(any)
    }

    /// The text kept under a key of a connection.
    pub async fn get(&self, connection: &ConnectionName, key: &str) -> Result<Option<String>> {
        Ok(
            sqlx::query_scalar("SELECT value FROM meta WHERE connection = $1 AND key = $2")
                .bind(connection.as_str())
                .bind(key)
                .fetch_optional(self.readers())
                .await?,
        )
    }

    /// Keeps a text under a key of a connection; `None` removes it.
    pub async fn set(
        &self,
        connection: &ConnectionName,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        match value {
            Some(value) => sqlx::query(
                "INSERT INTO meta (connection, key, value) VALUES ($1, $2, $3)
                 ON CONFLICT (connection, key) DO UPDATE SET value = excluded.value",
            )
            .bind(connection.as_str())
            .bind(key)
            .bind(value),
            None => sqlx::query("DELETE FROM meta WHERE connection = $1 AND key = $2")
                .bind(connection.as_str())
                .bind(key),
        }
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Puts another text in the place of the one kept under a key, in one transaction with the look at it. If `change` refuses,
    /// nothing is changed, and its error is the answer.
    pub async fn amend<E>(
        &self,
        connection: &ConnectionName,
        key: &str,
        change: impl FnOnce(Option<&str>) -> std::result::Result<String, E> + Send,
    ) -> Result<std::result::Result<(), E>> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let old: Option<String> =
            sqlx::query_scalar("SELECT value FROM meta WHERE connection = $1 AND key = $2")
                .bind(connection.as_str())
                .bind(key)
                .fetch_optional(&mut *tx)
                .await?;
        let new = match change(old.as_deref()) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        sqlx::query(
            "INSERT INTO meta (connection, key, value) VALUES ($1, $2, $3)
             ON CONFLICT (connection, key) DO UPDATE SET value = excluded.value",
        )
        .bind(connection.as_str())
        .bind(key)
        .bind(new)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(Ok(()))
    }
}
