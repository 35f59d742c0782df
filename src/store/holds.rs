//! One write in flight per contact (sync.md, promise 6): a job takes its contact's address before it decides and
//! sends, and keeps it until it is settled or its lease ends.

use super::Store;
use super::candidates::{Candidate, candidates_of, candidates_of_many};
use super::error::Result;
use super::flights::is_in_flight;
use super::heirs::{Heir, Leaver, leave};
use super::links::{RecordSeen, see};
use super::outbox::{BatchKind, HOLD};
use super::rows::{chunks, email, push_list};
use crate::model::{ConnectionName, Email, Job, JobId, MappingName, RecordId};
use sqlx::{AssertSqlSafe, QueryBuilder, Row, SqliteConnection};
use std::collections::{HashMap, HashSet};

/// What came of asking for a contact.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// The contact is the job's; these records compete for it, its own among them.
    Mine(Vec<Candidate>),
    /// Another job writes to it.
    ByJob,
    /// An export writes to it, or an import of the backlog is on its way there.
    ByExport(BatchKind),
    /// A newer version of the job's record is known than the one it came with: that one, in microseconds of `updated_at`.
    Overtaken(i64),
    /// The job is no longer this worker's.
    Lost,
}

/// A record that comes to a contact.
#[derive(Clone, Copy, Debug)]
pub struct Arrives<'a> {
    pub seen: &'a RecordSeen,
    /// The contacts that it had or stood for until then: where it is seen here for the first time, whoever is next in line for
    /// one of them is asked. Later tries leave nothing more.
    pub leaves: &'a [Email],
    pub heir: Heir,
}

/// A running job that asks for its contact, among others.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub job: &'a Job,
    pub epoch: i64,
    pub contact: &'a Email,
    /// Kept first, also where the contact is busy.
    pub arrives: Arrives<'a>,
    /// False for a job that takes its contact later, and only lets others know of its record.
    pub takes: bool,
}

impl Store {
    /// Takes a contact for a running job. That its record `arrives` is kept first, and also where the contact is busy: whoever
    /// decides on this contact next knows of the record. A version that is older than what is known already takes nothing. At most
    /// `limit` candidates are answered. As with a claim, the commit does not wait for the disk.
    pub async fn hold_contact(
        &self,
        claimed: &Job,
        epoch: i64,
        contact: &Email,
        arrives: Option<Arrives<'_>>,
        limit: u32,
    ) -> Result<Held> {
        let now = self.now_micros();
        let (connection, mapping) = (&claimed.connection, &claimed.mapping);
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let seq: Option<i64> = sqlx::query_scalar(
            "SELECT seq FROM jobs WHERE id = $1 AND epoch = $2 AND state = 'running' AND lease_until > $3",
        )
        .bind(claimed.id.as_str())
        .bind(epoch)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(seq) = seq else {
            return Ok(Held::Lost);
        };
        if let Some(arrives) = arrives {
            let seen = arrives.seen;
            let left = leaving(&mut tx, (connection, mapping), &[(claimed, arrives)]).await?;
            see(&mut tx, connection, mapping, &[seen]).await?;
            let newer = newer_versions(&mut tx, connection, mapping, &[seen]).await?;
            if let Some(newer) = newer.get(&seen.record) {
                return Ok(Held::Overtaken(*newer));
            }
            leave(&mut tx, &left, now).await?;
        }
        let exported = exports_have(&mut tx, connection, &[contact], now).await?;
        let held = if let Some(kind) = exported.get(contact) {
            Held::ByExport(*kind)
        } else if holder(&mut tx, connection, contact, now)
            .await?
            .is_some_and(|holder| holder != seq)
        {
            Held::ByJob
        } else if is_in_flight(&mut tx, connection, contact).await? {
            Held::ByExport(BatchKind::Import)
        } else {
            take(&mut tx, connection, &[(contact.clone(), seq, epoch)]).await?;
            Held::Mine(candidates_of(&mut tx, connection, mapping, contact, limit).await?)
        };
        self.commit(tx).await?;
        Ok(held)
    }

    /// As [`Store::hold_contact`], for many running jobs of one mapping in one transaction. Where several of them ask for
    /// the same contact, the first has it and the others learn of the same candidates.
    pub async fn hold_contacts(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        asked: &[Asked<'_>],
        limit: u32,
    ) -> Result<Vec<Held>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let running = running(&mut tx, asked, now).await?;
        let seq_of = |one: &Asked<'_>| running.get(&(one.job.id.clone(), one.epoch)).copied();
        let arriving: Vec<(&Job, Arrives<'_>)> = asked
            .iter()
            .filter(|one| seq_of(one).is_some())
            .map(|one| (one.job, one.arrives))
            .collect();
        let mut left = leaving(&mut tx, (connection, mapping), &arriving).await?;
        let seen: Vec<&RecordSeen> = arriving.iter().map(|(_, arrives)| arrives.seen).collect();
        see(&mut tx, connection, mapping, &seen).await?;
        let newer = newer_versions(&mut tx, connection, mapping, &seen).await?;
        let mine = |one: &Asked<'_>| match newer.get(&one.arrives.seen.record) {
            Some(newer) => Err(Held::Overtaken(*newer)),
            None => seq_of(one).ok_or(Held::Lost),
        };
        left.retain(|leaver| !newer.contains_key(&leaver.job.record));
        leave(&mut tx, &left, now).await?;
        let busy = held_by_jobs(&mut tx, connection, now).await?;
        let contacts: Vec<&Email> = asked.iter().map(|one| one.contact).collect();
        let exported = exports_have(&mut tx, connection, &contacts, now).await?;
        let mut taken: HashMap<&Email, Held> = HashMap::new();
        let mut free: Vec<(Email, i64, i64)> = Vec::new();
        for one in asked {
            let Ok(seq) = mine(one) else {
                continue;
            };
            if !one.takes || taken.contains_key(one.contact) {
                continue;
            }
            let held = if let Some(kind) = exported.get(one.contact) {
                Held::ByExport(*kind)
            } else if busy.contains(one.contact) {
                Held::ByJob
            } else {
                free.push((one.contact.clone(), seq, one.epoch));
                Held::Mine(Vec::new())
            };
            taken.insert(one.contact, held);
        }
        take(&mut tx, connection, &free).await?;
        let free: Vec<Email> = free.into_iter().map(|(contact, ..)| contact).collect();
        let mut candidates = candidates_of_many(&mut tx, connection, mapping, &free, limit).await?;
        for (contact, held) in &mut taken {
            if let Held::Mine(mine) = held {
                *mine = candidates.remove(*contact).unwrap_or_default();
            }
        }
        self.commit(tx).await?;
        let answer = |one: &Asked<'_>| taken.get(one.contact).cloned().unwrap_or(Held::ByJob);
        let answers = asked
            .iter()
            .map(|one| mine(one).map_or_else(|denied| denied, |_| answer(one)));
        Ok(answers.collect())
    }

    /// The contacts that running jobs of a connection have for themselves.
    #[cfg(test)]
    pub async fn contacts_of_running_jobs(
        &self,
        connection: &ConnectionName,
    ) -> Result<HashSet<Email>> {
        let mut reader = self.readers().acquire().await?;
        held_by_jobs(&mut reader, connection, self.now_micros()).await
    }

    /// True if an export has a write for this contact's address under way.
    #[cfg(test)]
    pub async fn contact_busy(&self, connection: &ConnectionName, email: &Email) -> Result<bool> {
        let mut reader = self.readers().acquire().await?;
        let busy = exports_have(&mut reader, connection, &[email], self.now_micros()).await?;
        Ok(!busy.is_empty())
    }
}

/// The jobs whose records leave contacts and have another address here than was seen last. To be asked before they are seen: of
/// the others, whoever is next in line has been asked already.
async fn leaving<'a>(
    tx: &mut SqliteConnection,
    (connection, mapping): (&ConnectionName, &MappingName),
    arriving: &[(&'a Job, Arrives<'_>)],
) -> Result<Vec<Leaver<'a>>> {
    // Most records stay where they are.
    let leaves = |(_, arrives): &&(&Job, Arrives<'_>)| !arrives.leaves.is_empty();
    let leaving: Vec<_> = arriving.iter().filter(leaves).copied().collect();
    let mut here: HashSet<RecordId> = HashSet::new();
    for chunk in chunks(&leaving) {
        let mut query = QueryBuilder::new("WITH seen (id, address) AS (");
        query.push_values(chunk, |mut values, (_, arrives)| {
            values.push_bind(arrives.seen.record.as_str());
            values.push_bind(arrives.seen.email.as_ref().map(Email::as_str));
        });
        query.push(") SELECT record_id FROM seen JOIN records ON record_id = id AND email = address AND connection = ");
        query.push_bind(connection.as_str());
        query.push(" AND mapping = ").push_bind(mapping.as_str());
        for row in query.build().fetch_all(&mut *tx).await? {
            here.insert(row.try_get::<String, _>(0)?.into());
        }
    }
    let left = leaving.into_iter();
    Ok(left
        .filter(|(_, arrives)| !here.contains(&arrives.seen.record))
        .map(|(job, arrives)| Leaver {
            job,
            contacts: arrives.leaves.to_vec(),
            heir: arrives.heir,
        })
        .collect())
}

/// The rows of those jobs that run, as this worker's.
async fn running(
    tx: &mut SqliteConnection,
    asked: &[Asked<'_>],
    now: i64,
) -> Result<HashMap<(JobId, i64), i64>> {
    let mut found = HashMap::with_capacity(asked.len());
    for chunk in chunks(asked) {
        let mut query = QueryBuilder::new(
            "SELECT id, epoch, seq FROM jobs WHERE state = 'running' AND lease_until > ",
        );
        query.push_bind(now).push(" AND id IN ");
        push_list(&mut query, chunk.iter().map(|one| one.job.id.as_str()));
        for row in query.build().fetch_all(&mut *tx).await? {
            let id: String = row.try_get(0)?;
            found.insert((id.into(), row.try_get(1)?), row.try_get(2)?);
        }
    }
    Ok(found)
}

/// The records of which a newer version is known than was seen now, with that version.
async fn newer_versions(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    seen: &[&RecordSeen],
) -> Result<HashMap<RecordId, i64>> {
    let mut newer = HashMap::new();
    for chunk in chunks(seen) {
        let mut query = QueryBuilder::new("WITH seen (id, at) AS (");
        query.push_values(chunk, |mut values, seen| {
            values.push_bind(seen.record.as_str());
            values.push_bind(seen.version);
        });
        query.push(") SELECT record_id, version FROM seen JOIN records ON record_id = id AND version > at AND connection = ");
        query.push_bind(connection.as_str());
        query.push(" AND mapping = ").push_bind(mapping.as_str());
        for row in query.build().fetch_all(&mut *tx).await? {
            newer.insert(row.try_get::<String, _>(0)?.into(), row.try_get(1)?);
        }
    }
    Ok(newer)
}

/// Gives contacts to running jobs: address, job and epoch.
async fn take(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    contacts: &[(Email, i64, i64)],
) -> Result<()> {
    for chunk in chunks(contacts) {
        let mut query =
            QueryBuilder::new("INSERT INTO contact_holds (connection, email, job_seq, epoch) ");
        query.push_values(chunk, |mut values, (contact, seq, epoch)| {
            values.push_bind(connection.as_str());
            values.push_bind(contact.as_str());
            values.push_bind(*seq);
            values.push_bind(*epoch);
        });
        query.push(
            " ON CONFLICT (connection, email) DO UPDATE SET job_seq = excluded.job_seq, epoch = excluded.epoch",
        );
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// The contacts that running jobs have for themselves, and those that their imports may still bring something to: an export
/// leaves them for later. As many as there are jobs at work, so a whole look is cheap.
async fn held_by_jobs(
    reader: &mut SqliteConnection,
    connection: &ConnectionName,
    now: i64,
) -> Result<HashSet<Email>> {
    sqlx::query(AssertSqlSafe(held_by("$1", "$2")))
        .bind(connection.as_str())
        .bind(now)
        .fetch_all(reader)
        .await?
        .iter()
        .map(|row| email(row.try_get(0)?))
        .collect()
}

/// The query of [`held_by_jobs`], of a connection and a time given as SQL.
pub(super) fn held_by(connection: &str, now: &str) -> String {
    format!(
        "SELECT h.email FROM contact_holds h JOIN jobs j ON j.seq = h.job_seq
         WHERE h.connection = {connection} AND j.epoch = h.epoch AND j.state = 'running' AND j.lease_until > {now}
         UNION SELECT email FROM flight_contacts WHERE connection = {connection}"
    )
}

/// The running job that has a contact.
async fn holder(
    reader: &mut SqliteConnection,
    connection: &ConnectionName,
    contact: &Email,
    now: i64,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(
        "SELECT h.job_seq FROM contact_holds h JOIN jobs j ON j.seq = h.job_seq
         WHERE h.connection = $1 AND h.email = $2 AND j.epoch = h.epoch AND j.state = 'running' AND j.lease_until > $3",
    )
    .bind(connection.as_str())
    .bind(contact.as_str())
    .bind(now)
    .fetch_optional(reader)
    .await?)
}

/// The contacts that an export writes to, and how.
async fn exports_have(
    reader: &mut SqliteConnection,
    connection: &ConnectionName,
    contacts: &[&Email],
    now: i64,
) -> Result<HashMap<Email, BatchKind>> {
    let mut had = HashMap::new();
    for chunk in chunks(contacts) {
        let mut query = QueryBuilder::new(
            "SELECT p.email, p.kind FROM outbox p JOIN runs r ON r.id = p.run_id
             WHERE p.id <= CASE p.kind WHEN 'import' THEN r.taken_import ELSE r.taken_single END AND r.updated_at > ",
        );
        query.push_bind(now - HOLD).push(" AND p.connection = ");
        query
            .push_bind(connection.as_str())
            .push(" AND p.email IN ");
        push_list(&mut query, chunk.iter().map(|contact| contact.as_str()));
        for row in query.build().fetch_all(&mut *reader).await? {
            let kind = match row.try_get::<&str, _>(1)? {
                kind if kind == BatchKind::Import.name() => BatchKind::Import,
                _ => BatchKind::Single,
            };
            had.insert(email(row.try_get(0)?)?, kind);
        }
    }
    Ok(had)
}

/// Settled jobs keep no contact.
pub(super) async fn release(tx: &mut SqliteConnection, job_seqs: &[i64]) -> Result<()> {
    for chunk in chunks(job_seqs) {
        let mut query = QueryBuilder::new("DELETE FROM contact_holds WHERE job_seq IN ");
        push_list(&mut query, chunk.iter().copied());
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}
