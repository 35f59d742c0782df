//! Imports that the backlog of the queue has on their way: written down before they leave, so that their contacts stay busy
//! until the result is final even if the worker that sent them dies (sync.md, promise 6).

use super::Store;
use super::error::Result;
use super::rows::time;
use crate::model::{ConnectionName, Email};
use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// How long a worker has a flight without a beat.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// An import on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Flight {
    pub id: i64,
    pub connection: ConnectionName,
    /// `None` where the answer that tells it was not heard.
    pub import: Option<String>,
    pub sent_at: Timestamp,
    /// The worker that looks after it.
    pub owner: String,
    /// True if that worker has not said for long that it does.
    pub is_left: bool,
}

impl Store {
    /// An import is about to leave with these contacts, one by one: its number.
    pub async fn flight_begins<'a>(
        &self,
        connection: &ConnectionName,
        owner: &str,
        contacts: impl IntoIterator<Item = &'a Email>,
    ) -> Result<i64> {
        let now = self.now();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO flights (connection, sent_at, owner, owner_until) VALUES ($1, $2, $3, $4) RETURNING id",
        )
        .bind(connection.as_str())
        .bind(now.as_microsecond())
        .bind(owner)
        .bind((now + LEASE).as_microsecond())
        .fetch_one(&mut *tx)
        .await?;
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO flight_contacts (connection, email, flight) ");
        query.push_values(contacts, |mut row, email| {
            row.push_bind(connection.as_str());
            row.push_bind(email.as_str());
            row.push_bind(id);
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().execute(&mut *tx).await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// The import was taken, under this id.
    pub async fn flight_queued(&self, id: i64, import: &str) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query("UPDATE flights SET import = $1 WHERE id = $2")
            .bind(import)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// These are looked after, and will be again within `time`.
    pub async fn flights_beat(&self, ids: &[i64], time: SignedDuration) -> Result<()> {
        let until = self.now().saturating_add(time).unwrap_or(Timestamp::MAX) + LEASE;
        self.keep_flights(ids, until).await
    }

    /// Nobody looks after these before that time; any worker may then.
    pub async fn leave_flights(&self, ids: &[i64], until: Timestamp) -> Result<()> {
        self.keep_flights(ids, until).await
    }

    async fn keep_flights(&self, ids: &[i64], until: Timestamp) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        for id in ids {
            sqlx::query("UPDATE flights SET owner_until = $1 WHERE id = $2")
                .bind(until.as_microsecond())
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        self.commit(tx).await
    }

    /// The result is final: nothing of it can arrive any more.
    pub async fn flight_ended(&self, id: i64) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query("DELETE FROM flights WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// All that are on their way.
    pub async fn flights(&self) -> Result<Vec<Flight>> {
        let now = self.now_micros();
        sqlx::query(
            "SELECT id, connection, import, sent_at, owner, owner_until FROM flights ORDER BY id",
        )
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| {
            Ok(Flight {
                id: row.try_get(0)?,
                connection: row.try_get::<String, _>(1)?.into(),
                import: row.try_get(2)?,
                sent_at: time(row.try_get(3)?)?,
                owner: row.try_get(4)?,
                is_left: row.try_get::<i64, _>(5)? <= now,
            })
        })
        .collect()
    }

    /// Looks after a flight that was left, or whose owner is dead; false if another worker does already.
    pub async fn take_flight(&self, flight: &Flight, owner: &str) -> Result<bool> {
        let now = self.now();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let taken = sqlx::query(
            "UPDATE flights SET owner = $1, owner_until = $2 WHERE id = $3 AND owner = $4 AND (owner_until <= $5 OR $6)",
        )
        .bind(owner)
        .bind((now + LEASE).as_microsecond())
        .bind(flight.id)
        .bind(&flight.owner)
        .bind(now.as_microsecond())
        .bind(!flight.is_left)
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        self.commit(tx).await?;
        Ok(taken)
    }
}

/// True if an import of the backlog may still bring something to a contact.
pub(super) async fn is_in_flight(
    reader: &mut SqliteConnection,
    connection: &ConnectionName,
    contact: &Email,
) -> Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM flight_contacts WHERE connection = $1 AND email = $2 LIMIT 1",
    )
    .bind(connection.as_str())
    .bind(contact.as_str())
    .fetch_optional(reader)
    .await?;
    Ok(found.is_some())
}
