//! Alert conditions and what people are to be told of them. Every worker weighs the same conditions; the transaction in
//! which one notes a change is what makes it one message.

use super::Store;
use super::error::Result;
use super::rows::{count, time};
use crate::model::ConnectionName;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::time::Duration;

/// A condition as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Empty where it is about the whole store.
    pub connection: ConnectionName,
    /// `failed`, `stalled`, `credential highlevel`, `export pets`.
    pub condition: String,
    pub firing: bool,
    /// When it began to hold, or ceased to.
    pub since: Timestamp,
    /// People were told that it holds, and not yet that it is over.
    pub told: bool,
    pub told_at: Option<Timestamp>,
}

/// Something to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertMessage {
    pub id: i64,
    pub connection: ConnectionName,
    pub condition: String,
    /// The condition is over.
    pub recovered: bool,
    pub text: String,
    pub created_at: Timestamp,
    /// Deliveries that failed so far.
    pub tries: u32,
}

impl Store {
    /// All conditions that ever held, in their order.
    pub async fn alerts(&self) -> Result<Vec<Alert>> {
        sqlx::query("SELECT connection, condition, firing, since, told, told_at FROM alerts ORDER BY connection, condition")
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(alert)
            .collect()
    }

    /// Brings a condition up to date in one transaction: `weigh` sees it as it stands (`None`: it never held) and answers
    /// how it is to stand, with what people are to be told, if anything. `None` changes nothing.
    pub async fn weigh_alert<F>(
        &self,
        connection: &ConnectionName,
        condition: &str,
        weigh: F,
    ) -> Result<()>
    where
        F: FnOnce(Option<Alert>, Timestamp) -> Option<(Alert, Option<String>)>,
    {
        let now = self.now();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let before = sqlx::query(
            "SELECT connection, condition, firing, since, told, told_at FROM alerts
             WHERE connection = $1 AND condition = $2",
        )
        .bind(connection.as_str())
        .bind(condition)
        .fetch_optional(&mut *tx)
        .await?;
        let before = before.as_ref().map(alert).transpose()?;
        let Some((after, message)) = weigh(before, now) else {
            return Ok(());
        };
        sqlx::query(
            "INSERT INTO alerts (connection, condition, firing, since, told, told_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (connection, condition) DO UPDATE SET firing = excluded.firing, since = excluded.since,
                 told = excluded.told, told_at = excluded.told_at",
        )
        .bind(connection.as_str())
        .bind(condition)
        .bind(i64::from(after.firing))
        .bind(after.since.as_microsecond())
        .bind(i64::from(after.told))
        .bind(after.told_at.map(Timestamp::as_microsecond))
        .execute(&mut *tx)
        .await?;
        if let Some(text) = message {
            sqlx::query(
                "INSERT INTO alert_messages (connection, condition, recovered, text, created_at, due_at)
                 VALUES ($1, $2, $3, $4, $5, $5)",
            )
            .bind(connection.as_str())
            .bind(condition)
            .bind(i64::from(!after.firing))
            .bind(text)
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await?;
        }
        self.commit(tx).await
    }

    /// The oldest message that is due, taken for a time: nobody else gets it before that is over. What is told of one
    /// condition keeps its order.
    pub async fn take_alert_message(&self, hold: Duration) -> Result<Option<AlertMessage>> {
        const NEXT: &str = "SELECT min(id) FROM alert_messages AS message WHERE due_at <= $1 AND NOT EXISTS
             (SELECT 1 FROM alert_messages AS earlier WHERE earlier.id < message.id
                 AND earlier.connection = message.connection AND earlier.condition = message.condition)";
        let now = self.now_micros();
        // A look first: an idle worker writes nothing.
        let due: Option<i64> = sqlx::query_scalar(NEXT)
            .bind(now)
            .fetch_one(self.readers())
            .await?;
        if due.is_none() {
            return Ok(None);
        }
        let hold = i64::try_from(hold.as_micros()).unwrap_or(i64::MAX / 4);
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let next: Option<i64> = sqlx::query_scalar(NEXT)
            .bind(now)
            .fetch_one(&mut *tx)
            .await?;
        let row = sqlx::query(
            "UPDATE alert_messages SET due_at = $1 WHERE id = $2
             RETURNING id, connection, condition, recovered, text, created_at, tries",
        )
        .bind(now + hold)
        .bind(next)
        .fetch_optional(&mut *tx)
        .await?;
        let message = row.as_ref().map(message).transpose()?;
        self.commit(tx).await?;
        Ok(message)
    }

    /// A message was delivered, or is given up: `again` is `None`. Else it is due again after that time.
    pub async fn settle_alert_message(&self, id: i64, again: Option<Duration>) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        match again {
            None => sqlx::query("DELETE FROM alert_messages WHERE id = $1").bind(id),
            Some(wait) => {
                let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 4);
                sqlx::query(
                    "UPDATE alert_messages SET tries = tries + 1, due_at = $2 WHERE id = $1",
                )
                .bind(id)
                .bind(self.now_micros().saturating_add(wait))
            }
        }
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }
}

fn alert(row: &SqliteRow) -> Result<Alert> {
    Ok(Alert {
        connection: row.try_get::<String, _>(0)?.into(),
        condition: row.try_get(1)?,
        firing: row.try_get::<i64, _>(2)? != 0,
        since: time(row.try_get(3)?)?,
        told: row.try_get::<i64, _>(4)? != 0,
        told_at: row.try_get::<Option<i64>, _>(5)?.map(time).transpose()?,
    })
}

fn message(row: &SqliteRow) -> Result<AlertMessage> {
    Ok(AlertMessage {
        id: row.try_get(0)?,
        connection: row.try_get::<String, _>(1)?.into(),
        condition: row.try_get(2)?,
        recovered: row.try_get::<i64, _>(3)? != 0,
        text: row.try_get(4)?,
        created_at: time(row.try_get(5)?)?,
        tries: u32::try_from(count(row, 6)?).unwrap_or(u32::MAX),
    })
}
