//! Jobs that are worked together: claiming many of one mapping at once, and what is asked about all of them.

use super::Store;
use super::claim::{Claim, PERSON, claim, claim_columns};
use super::error::Result;
use super::open_queues::Open;
use super::rows::{chunks, push_list};
use crate::model::{ConnectionName, MappingName, ObjectKey};
use sqlx::{QueryBuilder, Row, SqliteConnection};
use std::collections::{HashMap, HashSet};

impl Store {
    /// Takes up to `limit` jobs of one mapping that has a backlog, of the first connection that has one: by urgency, then age, a
    /// tenth of them from the lowest class. Never a person's. One transaction, as [`Store::claim`].
    pub async fn claim_together(
        &self,
        worker: &str,
        connections: &[ConnectionName],
        limit: u32,
    ) -> Result<Vec<Claim>> {
        if limit == 0 || connections.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        // A look without the write lock, so that a worker without a backlog writes nothing.
        let mut reader = self.readers().acquire().await?;
        let open = self
            .open_queues(&mut reader, connections, now, true)
            .await?;
        drop(reader);
        if open.iter().all(|queue| queue.backlogs.is_empty()) {
            return Ok(Vec::new());
        }
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let open = self.open_queues(&mut tx, connections, now, true).await?;
        let Some(queue) = open.iter().find(|queue| !queue.backlogs.is_empty()) else {
            return Ok(Vec::new());
        };
        let chosen = choose(&mut tx, queue, limit).await?;
        let claims = take(&mut tx, &chosen, worker, now, now + self.lease_micros()).await?;
        self.commit(tx).await?;
        Ok(claims)
    }

    /// Number of ready jobs about records of an object.
    pub async fn ready_jobs_of(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
    ) -> Result<u64> {
        let number: Option<i64> = sqlx::query_scalar(
            "SELECT sum(number) FROM job_counts WHERE state = 'ready' AND connection = $1 AND object = $2",
        )
        .bind(connection.as_str())
        .bind(object.as_str())
        .fetch_one(self.readers())
        .await?;
        Ok(u64::try_from(number.unwrap_or(0)).unwrap_or(0))
    }
}

/// The rows to claim: of the mapping whose first job goes before those of the others.
async fn choose(tx: &mut SqliteConnection, queue: &Open<'_>, limit: u32) -> Result<Vec<i64>> {
    let mut first: Option<((i64, i64), &MappingName)> = None;
    for mapping in &queue.backlogs {
        let of = [mapping.as_str().to_owned()];
        for class in (0..PERSON).rev() {
            let oldest = queue.of_class(tx, class, Some(&of), 1).await?;
            if let Some(seq) = oldest.first() {
                let place = (-class, *seq);
                if first.is_none_or(|(other, _)| place < other) {
                    first = Some((place, mapping));
                }
                break;
            }
        }
    }
    let Some((_, mapping)) = first else {
        return Ok(Vec::new());
    };
    let of = [mapping.as_str().to_owned()];
    let mut chosen: Vec<i64> = Vec::new();
    let patient = i64::from(limit / 10);
    for class in 0..PERSON {
        let wanted = patient - i64::try_from(chosen.len()).unwrap_or(0);
        if wanted > 0 {
            chosen.extend(queue.of_class(tx, class, Some(&of), wanted).await?);
        }
    }
    let mut taken: HashSet<i64> = chosen.iter().copied().collect();
    for class in (0..PERSON).rev() {
        for seq in queue
            .of_class(tx, class, Some(&of), i64::from(limit))
            .await?
        {
            if chosen.len() < limit as usize && taken.insert(seq) {
                chosen.push(seq);
            }
        }
    }
    Ok(chosen)
}

async fn take(
    tx: &mut SqliteConnection,
    seqs: &[i64],
    worker: &str,
    now: i64,
    lease_until: i64,
) -> Result<Vec<Claim>> {
    let mut claims = Vec::with_capacity(seqs.len());
    for chunk in chunks(seqs) {
        let mut query = QueryBuilder::new("SELECT seq, updated_at FROM jobs WHERE seq IN ");
        push_list(&mut query, chunk.iter().copied());
        let mut ready_since: HashMap<i64, i64> = HashMap::with_capacity(chunk.len());
        for row in query.build().fetch_all(&mut *tx).await? {
            ready_since.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let mut query = QueryBuilder::new("UPDATE jobs SET state = 'running', lease_owner = ");
        query.push_bind(worker);
        query.push(", lease_until = ").push_bind(lease_until);
        query
            .push(", epoch = epoch + 1, updated_at = ")
            .push_bind(now);
        query.push(" WHERE seq IN ");
        push_list(&mut query, chunk.iter().copied());
        query.push(format!(" RETURNING {}, seq", claim_columns()));
        for row in query.build().fetch_all(&mut *tx).await? {
            let since = ready_since.get(&row.try_get("seq")?).copied();
            claims.push(claim(&row, since.unwrap_or(now))?);
        }
    }
    Ok(claims)
}
