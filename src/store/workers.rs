//! Who works the queue, and which version of each mapping is in force.
//!
//! A worker that reads its configuration puts the versions of its mappings in force: the newest configuration is the one
//! that was read last. A worker with another version leaves that mapping's jobs alone until it has read it, too.

use super::error::{Result, StoreError};
use super::rows::{from_json, time, to_json};
use super::sqlite::TOLD;
use super::{Store, steps};
use crate::model::{ConnectionName, MappingName};
use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

/// The hash of each mapping's configuration.
pub type Versions = BTreeMap<(ConnectionName, MappingName), String>;

/// The version of a mapping that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingVersion {
    pub connection: ConnectionName,
    pub mapping: MappingName,
    pub hash: String,
    /// The worker that put it in force.
    pub by: String,
    pub since: Timestamp,
}

/// Beats that a worker may miss before it is taken for dead.
const BEATS: i64 = 3;
/// How long a worker that is taken for dead is remembered: it may only have been stopped.
const FORGOTTEN: i64 = 86_400_000_000;

/// A process that works the queue, or did and died a moment ago.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSeen {
    /// Host, process and start.
    pub owner: String,
    pub versions: Versions,
    pub started_at: Timestamp,
    /// When it is taken for dead, unless it beats before.
    pub alive_until: Timestamp,
}

impl WorkerSeen {
    /// True if it has the version of a mapping that is in force.
    pub fn follows(&self, version: &MappingVersion) -> bool {
        self.versions
            .get(&(version.connection.clone(), version.mapping.clone()))
            == Some(&version.hash)
    }
}

impl Store {
    /// This process works the queue from now on, with these mappings of these connections: their versions are in force,
    /// and what its configuration no longer names has none. To be called again when the configuration was read again.
    pub async fn worker_began(
        &self,
        owner: &str,
        connections: &[ConnectionName],
        versions: &Versions,
    ) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let now = self.now_micros();
        tell_step(steps::note(&mut tx, now).await?);
        for known in read_versions(&mut tx).await? {
            let key = (known.connection, known.mapping);
            if connections.contains(&key.0) && !versions.contains_key(&key) {
                sqlx::query("DELETE FROM mapping_versions WHERE connection = $1 AND mapping = $2")
                    .bind(key.0.as_str())
                    .bind(key.1.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        for ((connection, mapping), hash) in versions {
            sqlx::query(
                "INSERT INTO mapping_versions (connection, mapping, hash, set_by, since) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (connection, mapping) DO UPDATE SET hash = excluded.hash, set_by = excluded.set_by,
                     since = excluded.since WHERE mapping_versions.hash <> excluded.hash",
            )
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .bind(hash)
            .bind(owner)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query(
            "INSERT INTO workers (owner, mappings, started_at, alive_until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (owner) DO UPDATE SET mappings = excluded.mappings, alive_until = excluded.alive_until",
        )
        .bind(owner)
        .bind(to_json(&versions.iter().collect::<Vec<_>>())?)
        .bind(now)
        .bind(now + BEATS * self.beat_micros())
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM workers WHERE alive_until < $1")
            .bind(now - FORGOTTEN)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await?;
        *self
            .inner
            .versions
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(versions.clone());
        Ok(())
    }

    /// A worker is alive: every third of a lease. Notes the time, too.
    pub async fn worker_beats(&self, owner: &str) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin_quiet().await?;
        // Read under the lock, so that the times of several workers are noted in their order.
        let now = self.now_micros();
        let step = steps::note(&mut tx, now).await?;
        sqlx::query("UPDATE workers SET alive_until = $1 WHERE owner = $2")
            .bind(now + BEATS * self.beat_micros())
            .bind(owner)
            .execute(&mut *tx)
            .await?;
        if step.is_some() {
            tell_step(step);
            sqlx::query(TOLD).execute(&mut *tx).await?;
            return self.commit(tx).await;
        }
        // Nobody looks anew for it.
        let committed = tx.commit().await;
        committed.map_err(|error| StoreError::from(error).at(&self.inner.path))
    }

    /// The time between two beats, in microseconds: a third of the lease.
    fn beat_micros(&self) -> i64 {
        self.lease_micros() / 3
    }

    /// A worker ended, or was found dead.
    pub async fn worker_ended(&self, owner: &str) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query("DELETE FROM workers WHERE owner = $1")
            .bind(owner)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// The processes that said they work the queue, did not say that they ended, and still beat.
    pub async fn workers(&self) -> Result<Vec<WorkerSeen>> {
        let sql = "SELECT owner, mappings, started_at, alive_until FROM workers WHERE alive_until > $1 ORDER BY started_at";
        sqlx::query(sql)
            .bind(self.now_micros())
            .fetch_all(self.readers())
            .await?
            .iter()
            .map(|row| {
                let versions: Vec<((ConnectionName, MappingName), String)> =
                    from_json("mapping version", row.try_get(1)?)?;
                Ok(WorkerSeen {
                    owner: row.try_get(0)?,
                    versions: versions.into_iter().collect(),
                    started_at: time(row.try_get(2)?)?,
                    alive_until: time(row.try_get(3)?)?,
                })
            })
            .collect()
    }

    /// The version of a mapping that is in force, once a worker has put one in force.
    pub async fn mapping_version(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
    ) -> Result<Option<MappingVersion>> {
        let mut reader = self.readers().acquire().await?;
        let mut all = read_versions(&mut reader).await?;
        all.retain(|version| version.connection == *connection && version.mapping == *mapping);
        Ok(all.pop())
    }

    /// The versions in force that are not this process's: it leaves the jobs of these mappings alone.
    pub async fn other_versions(&self) -> Result<Vec<MappingVersion>> {
        let mut reader = self.readers().acquire().await?;
        self.versions_of_others(&mut reader).await
    }

    /// As [`Store::other_versions`], within a transaction.
    pub(super) async fn versions_of_others(
        &self,
        reader: &mut SqliteConnection,
    ) -> Result<Vec<MappingVersion>> {
        let Some(mine) = self
            .inner
            .versions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
        else {
            return Ok(Vec::new());
        };
        let mut others = read_versions(reader).await?;
        others.retain(|version| {
            mine.get(&(version.connection.clone(), version.mapping.clone())) != Some(&version.hash)
        });
        Ok(others)
    }
}

fn tell_step(step: Option<Duration>) {
    if let Some(step) = step {
        tracing::warn!(
            seconds = step.as_secs(),
            "the clock was set back; leases and waits follow it"
        );
    }
}

async fn read_versions(reader: &mut SqliteConnection) -> Result<Vec<MappingVersion>> {
    sqlx::query("SELECT connection, mapping, hash, set_by, since FROM mapping_versions")
        .fetch_all(reader)
        .await?
        .iter()
        .map(|row| {
            Ok(MappingVersion {
                connection: row.try_get::<String, _>(0)?.into(),
                mapping: row.try_get::<String, _>(1)?.into(),
                hash: row.try_get(2)?,
                by: row.try_get(3)?,
                since: time(row.try_get(4)?)?,
            })
        })
        .collect()
}
