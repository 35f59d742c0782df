//! The inbox: webhooks as they came, and what became of them.

use super::deletions::{Evidence, announce, withdraw};
use super::enqueue::{NewJob, upsert_changed};
use super::error::Result;
use super::rows::{chunks, count, time, trigger_kind};
use super::{Store, TOGETHER};
use crate::model::{ConnectionName, JobId, MappingName, RecordId, Trigger};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use std::collections::HashSet;

/// A webhook to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub connection: ConnectionName,
    /// By which a repeat is known.
    pub key: String,
    /// Its `type`.
    pub kind: String,
    /// Its `timestamp`.
    pub happened_at: Option<Timestamp>,
    /// The body as it came.
    pub body: String,
}

/// A webhook that waits to be worked off.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub seq: i64,
    pub connection: ConnectionName,
    pub kind: String,
    pub happened_at: Option<Timestamp>,
    pub received_at: Timestamp,
    /// How often it was put off.
    pub tries: u32,
    pub body: String,
}

/// What a webhook came to.
#[derive(Clone, Debug, PartialEq)]
pub struct SettledEvent {
    pub seq: i64,
    /// Why nothing follows from it, for people.
    pub note: Option<String>,
    pub jobs: Vec<NewJob>,
    /// The jobs' records were said to be deleted (true), or to be there (false).
    pub deleted: bool,
    pub happened_at: Option<Timestamp>,
    /// When the jobs' records got their newest values, if the webhook says so: it does not for deletions and relations.
    pub changed_at: Option<Timestamp>,
}

impl Store {
    /// Keeps webhooks, all or none, and tells of each whether it was unknown. When this returns, they are on disk.
    pub async fn keep_events(&self, events: &[NewEvent]) -> Result<Vec<bool>> {
        let now = self.now_micros();
        let mut writer = self.writer_soon().await;
        let mut tx = writer.begin_hasty().await?;
        let mut known = HashSet::new();
        for chunk in chunks(events) {
            let mut query = QueryBuilder::new(
                "SELECT connection, key FROM events WHERE (connection, key) IN (",
            );
            query.push_values(chunk, |mut values, event| {
                values.push_bind(event.connection.as_str());
                values.push_bind(&event.key);
            });
            query.push(")");
            for row in query.build().fetch_all(&mut *tx).await? {
                known.insert((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?));
            }
        }
        let mut fresh = Vec::with_capacity(events.len());
        for event in events {
            fresh.push(known.insert((event.connection.to_string(), event.key.clone())));
        }
        let new: Vec<&NewEvent> = events
            .iter()
            .zip(&fresh)
            .filter_map(|(event, fresh)| fresh.then_some(event))
            .collect();
        if new.is_empty() {
            return Ok(fresh);
        }
        for chunk in chunks(&new) {
            let mut query = QueryBuilder::new(
                "INSERT INTO events (connection, key, kind, happened_at, received_at, body, due_at) ",
            );
            query.push_values(chunk, |mut values, event| {
                values.push_bind(event.connection.as_str());
                values.push_bind(&event.key);
                values.push_bind(&event.kind);
                values.push_bind(event.happened_at.map(Timestamp::as_microsecond));
                values.push_bind(now);
                values.push_bind(&event.body);
                values.push_bind(now);
            });
            query.build().execute(&mut *tx).await?;
        }
        self.commit(tx).await?;
        drop(writer);
        self.flush().await?;
        Ok(fresh)
    }

    /// Webhooks that are due, in the order of their own times; those without one come as they were received.
    pub async fn due_events(&self, limit: u32) -> Result<Vec<Event>> {
        sqlx::query(
            "SELECT seq, connection, kind, happened_at, received_at, tries, body FROM
                 (SELECT * FROM events WHERE state = 'new' AND due_at <= $1 ORDER BY due_at LIMIT $2)
             ORDER BY coalesce(happened_at, received_at), seq",
        )
        .bind(self.now_micros())
        .bind(limit)
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(event)
        .collect()
    }

    /// When the next webhook is due; `None` if none waits.
    pub async fn next_event_due(&self) -> Result<Option<Timestamp>> {
        let due: Option<i64> =
            sqlx::query_scalar("SELECT min(due_at) FROM events WHERE state = 'new'")
                .fetch_one(self.readers())
                .await?;
        due.map(time).transpose()
    }

    /// Number of webhooks that wait to be worked off.
    pub async fn waiting_events(&self) -> Result<u64> {
        let row = sqlx::query("SELECT count(*) FROM events WHERE state = 'new'")
            .fetch_one(self.readers())
            .await?;
        count(&row, 0)
    }

    /// Writes down what webhooks came to, and makes the jobs that follow, each with its jobs in one transaction. One that another
    /// process settled meanwhile makes no job here. Returns the ids of the jobs. The commit does not wait for the disk: a webhook
    /// whose settling is lost is there to be settled again.
    pub async fn settle_events(&self, settled: &[SettledEvent]) -> Result<Vec<JobId>> {
        let now = self.now_micros();
        let mut ids = Vec::new();
        for together in settled.chunks(TOGETHER) {
            let mut writer = self.writer().await;
            let mut tx = writer.begin_hasty().await?;
            for event in together {
                ids.extend(settle_event(&mut tx, event, now).await?);
            }
            self.commit(tx).await?;
        }
        Ok(ids)
    }

    /// Puts a webhook off until a later time.
    pub async fn put_off_event(&self, seq: i64, until: Timestamp, note: &str) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(
            "UPDATE events SET due_at = $1, tries = tries + 1, note = $2 WHERE seq = $3 AND state = 'new'",
        )
        .bind(until.as_microsecond())
        .bind(note)
        .bind(seq)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Removes webhooks that were received before then and are worked off; returns how many.
    pub async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        self.remove(
            "DELETE FROM events WHERE seq IN
                 (SELECT seq FROM events WHERE state <> $1 AND received_at < $2 ORDER BY received_at LIMIT $3)",
            "new",
            before,
        )
        .await
    }

    /// True if a webhook of HighLevel's led to a job of this connection, or a workflow's to one of this mapping, as far as they are
    /// still kept.
    pub async fn heard_of(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM events WHERE connection = $1 AND state = 'done')
                 OR EXISTS (SELECT 1 FROM jobs WHERE connection = $1 AND mapping = $2 AND trigger_kind = $3)",
        )
        .bind(connection.as_str())
        .bind(mapping.as_str())
        .bind(trigger_kind(&Trigger::Webhook))
        .fetch_one(self.readers())
        .await?)
    }

    /// Which of these mappings know a record: they saw it, or have a job about it.
    pub async fn mappings_that_know(
        &self,
        connection: &ConnectionName,
        mappings: &[MappingName],
        record: &RecordId,
    ) -> Result<Vec<MappingName>> {
        let mut known = Vec::new();
        for mapping in mappings {
            let knows: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM records WHERE connection = $1 AND mapping = $2 AND record_id = $3)
                     OR EXISTS (SELECT 1 FROM jobs WHERE record_id = $3 AND connection = $1 AND mapping = $2)",
            )
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .bind(record.as_str())
            .fetch_one(self.readers())
            .await?;
            if knows {
                known.push(mapping.clone());
            }
        }
        Ok(known)
    }
}

/// The ids of the jobs that a webhook made.
async fn settle_event(
    tx: &mut SqliteConnection,
    event: &SettledEvent,
    now: i64,
) -> Result<Vec<JobId>> {
    let state = match event.note {
        Some(_) => "ignored",
        None => "done",
    };
    let mine =
        sqlx::query("UPDATE events SET state = $1, note = $2 WHERE seq = $3 AND state = 'new'")
            .bind(state)
            .bind(event.note.as_deref())
            .bind(event.seq)
            .execute(&mut *tx)
            .await?
            .rows_affected();
    let mut ids = Vec::new();
    if mine == 0 {
        return Ok(ids);
    }
    let said = event.happened_at.map_or(now, Timestamp::as_microsecond);
    for job in &event.jobs {
        if event.deleted {
            announce(tx, job, Evidence::Event, said).await?;
        } else {
            withdraw(tx, job, said).await?;
        }
        let changed_at = event.changed_at.map(Timestamp::as_microsecond);
        ids.push(upsert_changed(tx, job, now, changed_at).await?);
    }
    Ok(ids)
}

fn event(row: &SqliteRow) -> Result<Event> {
    Ok(Event {
        seq: row.try_get(0)?,
        connection: row.try_get::<String, _>(1)?.into(),
        kind: row.try_get(2)?,
        happened_at: row.try_get::<Option<i64>, _>(3)?.map(time).transpose()?,
        received_at: time(row.try_get(4)?)?,
        tries: row.try_get(5)?,
        body: row.try_get(6)?,
    })
}
