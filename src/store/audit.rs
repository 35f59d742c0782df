//! The audit: what people did. A row is written before the action and told its end.

use super::Store;
use super::error::Result;
use super::rows::time;
use crate::model::ConnectionName;
use crate::model::audit::AuditEntry;
use sqlx::Row;

/// An action that a person begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAudit {
    /// Empty where it belongs to no connection.
    pub connection: String,
    pub who: String,
    pub action: String,
    pub target: String,
    pub reason: Option<String>,
}

impl Store {
    /// Writes down that an action begins; its number.
    pub async fn audit_begins(&self, entry: &NewAudit) -> Result<i64> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let seq = sqlx::query_scalar(
            "INSERT INTO audit (connection, at, who, action, target, reason) VALUES ($1, $2, $3, $4, $5, $6)
             RETURNING seq",
        )
        .bind(&entry.connection)
        .bind(now)
        .bind(&entry.who)
        .bind(&entry.action)
        .bind(&entry.target)
        .bind(entry.reason.as_deref())
        .fetch_one(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(seq)
    }

    /// Writes down how it ended, what number of things it changed, and its target where that is known only now.
    pub async fn audit_ends(
        &self,
        seq: i64,
        outcome: &str,
        number: Option<u64>,
        target: Option<&str>,
    ) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "UPDATE audit SET outcome = $1, number = $2, target = coalesce($3, target) WHERE seq = $4",
        )
        .bind(outcome)
        .bind(number.map(super::rows::int))
        .bind(target)
        .bind(seq)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Writes down how an action stands whose end nobody has written down; an end that is there stays.
    pub async fn audit_left(&self, seq: i64, outcome: &str) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query("UPDATE audit SET outcome = $1 WHERE seq = $2 AND outcome IS NULL")
            .bind(outcome)
            .bind(seq)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// The latest actions, the newest first.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>> {
        self.audit_of(limit, None).await
    }

    /// As [`Store::audit`]; where a connection is given, without those of another one.
    pub async fn audit_of(
        &self,
        limit: u32,
        only: Option<&ConnectionName>,
    ) -> Result<Vec<AuditEntry>> {
        sqlx::query(
            "SELECT connection, at, who, action, target, reason, number, outcome FROM audit
             WHERE $2 IS NULL OR connection IN ('', $2) ORDER BY seq DESC LIMIT $1",
        )
        .bind(limit)
        .bind(only.map(ConnectionName::as_str))
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| {
            let connection: String = row.try_get(0)?;
            let number: Option<i64> = row.try_get(6)?;
            Ok(AuditEntry {
                at: time(row.try_get(1)?)?,
                who: row.try_get(2)?,
                action: row.try_get(3)?,
                target: row.try_get(4)?,
                connection: (!connection.is_empty()).then(|| connection.into()),
                reason: row.try_get(5)?,
                count: number.map(i64::unsigned_abs),
                outcome: row.try_get(7)?,
            })
        })
        .collect()
    }
}
