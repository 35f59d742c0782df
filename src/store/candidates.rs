//! Which records compete for a contact.

use super::Store;
use super::error::Result;
use super::heirs::Heir;
use super::rows::{chunks, email, outcome};
use super::runs::run_row;
use super::sqlite::follow;
use crate::model::view::Outcome;
use crate::model::{ConnectionName, Email, MappingName, RecordId, RunId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use std::collections::HashMap;

/// A record that competes for a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub record: RecordId,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    /// `None` if a run planned to send it; once that is confirmed, the contact's link names the record.
    pub outcome: Option<Outcome>,
    /// The run that saw it last.
    pub run: Option<RunId>,
}

impl Store {
    /// The records that compete for a contact, the one updated last first, ties by id; at most `limit`.
    pub async fn candidates(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        email: &Email,
        limit: u32,
    ) -> Result<Vec<Candidate>> {
        let mut reader = self.readers().acquire().await?;
        candidates_of(&mut reader, connection, mapping, email, limit).await
    }

    /// As [`Store::candidates`], for many contacts.
    pub async fn candidates_for(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        emails: &[Email],
        limit: u32,
    ) -> Result<HashMap<Email, Vec<Candidate>>> {
        let mut reader = self.readers().acquire().await?;
        candidates_of_many(&mut reader, connection, mapping, emails, limit).await
    }

    /// The record that has each contact, of those that compete for it.
    pub async fn winners(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        emails: &[Email],
        heir: Heir,
    ) -> Result<HashMap<Email, Candidate>> {
        let mut writer = self.writer().await;
        let warm = writer.connection()?;
        winners_of(warm, (connection, mapping), emails, heir, None).await
    }

    /// The record that has a contact once another one has left it.
    pub async fn next_in_line(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        email: &Email,
        (heir, leaver): (Heir, &RecordId),
    ) -> Result<Option<RecordId>> {
        let mut reader = self.readers().acquire().await?;
        let emails = std::slice::from_ref(email);
        let of = (connection, mapping);
        let winners = winners_of(&mut reader, of, emails, heir, Some(leaver)).await?;
        Ok(winners.into_values().next().map(|next| next.record))
    }

    /// The records that a run has planned for these contacts and that compete for them: contact, record, version.
    pub async fn contenders(
        &self,
        run: &RunId,
        emails: &[Email],
    ) -> Result<Vec<(Email, RecordId, i64)>> {
        let mut writer = self.writer().await;
        let warm = writer.connection()?;
        let row = run_row(&mut *warm, run).await?;
        let mut found = Vec::with_capacity(emails.len());
        for chunk in chunks(emails) {
            let mut query = wanted(&row.connection, &row.mapping, chunk);
            query.push(format!(
                ", {} SELECT email, record_id, version FROM competing WHERE run_id = ",
                competing()
            ));
            query.push_bind(run.as_str());
            for row in query.build().fetch_all(&mut *warm).await? {
                let record: String = row.try_get(1)?;
                found.push((email(row.try_get(0)?)?, record.into(), row.try_get(2)?));
            }
        }
        Ok(found)
    }
}

fn candidate(row: &SqliteRow) -> Result<Candidate> {
    Ok(Candidate {
        record: row.try_get::<String, _>(0)?.into(),
        version: row.try_get(1)?,
        outcome: outcome(row.try_get(2)?)?,
        run: row.try_get::<Option<String>, _>(3)?.map(Into::into),
    })
}

/// The records that compete for a contact, see [`Store::candidates`].
pub(super) async fn candidates_of(
    reader: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    email: &Email,
    limit: u32,
) -> Result<Vec<Candidate>> {
    let mut query = wanted(connection, mapping, std::slice::from_ref(email));
    query.push(format!(
        ", {} SELECT record_id, version, outcome, run_id FROM competing ORDER BY version DESC, record_id DESC LIMIT ",
        competing()
    ));
    query.push_bind(limit);
    query
        .build()
        .fetch_all(reader)
        .await?
        .iter()
        .map(candidate)
        .collect()
}

/// As [`candidates_of`], for many contacts.
pub(super) async fn candidates_of_many(
    reader: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    emails: &[Email],
    limit: u32,
) -> Result<HashMap<Email, Vec<Candidate>>> {
    let mut found: HashMap<Email, Vec<Candidate>> = HashMap::with_capacity(emails.len());
    for chunk in chunks(emails) {
        let mut query = wanted(connection, mapping, chunk);
        query.push(format!(
            ", {} SELECT record_id, version, outcome, run_id, email FROM (SELECT *, row_number() OVER
                 (PARTITION BY email ORDER BY version DESC, record_id DESC) AS place FROM competing) WHERE place <= ",
            competing()
        ));
        query.push_bind(limit);
        query.push(" ORDER BY place");
        for row in query.build().fetch_all(&mut *reader).await? {
            let of = found.entry(email(row.try_get(4)?)?).or_default();
            of.push(candidate(&row)?);
        }
    }
    Ok(found)
}

/// See [`Store::winners`]; `leaver` competes no more. Ties go to the larger id, among the oldest to the smaller: as the engine
/// has it where it compares two records.
pub(super) async fn winners_of(
    reader: &mut SqliteConnection,
    (connection, mapping): (&ConnectionName, &MappingName),
    emails: &[Email],
    heir: Heir,
    leaver: Option<&RecordId>,
) -> Result<HashMap<Email, Candidate>> {
    let (order, most) = match heir {
        Heir::Newest => ("version DESC, record_id DESC", i64::MAX),
        Heir::Oldest => ("version, record_id", i64::MAX),
        Heir::Only => ("version, record_id", 1),
    };
    let mut winners = HashMap::with_capacity(emails.len());
    for chunk in chunks(emails) {
        let mut query = wanted(connection, mapping, chunk);
        query.push(format!(
            ", {} SELECT record_id, version, outcome, run_id, email FROM (
                 SELECT *, row_number() OVER (PARTITION BY email ORDER BY {order}) AS place,
                     count(*) OVER (PARTITION BY email) AS many
                 FROM competing WHERE record_id IS NOT ",
            competing()
        ));
        query.push_bind(leaver.map(RecordId::as_str));
        query.push(") WHERE place = 1 AND many <= ").push_bind(most);
        for row in query.build().fetch_all(&mut *reader).await? {
            winners.insert(email(row.try_get(4)?)?, candidate(&row)?);
        }
    }
    Ok(winners)
}

/// A query that begins with the contacts in question, for [`competing`].
fn wanted<'a>(
    connection: &'a ConnectionName,
    mapping: &'a MappingName,
    emails: &'a [Email],
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("WITH wanted (connection, mapping, email) AS (");
    query.push_values(emails, |mut row, email| {
        row.push_bind(connection.as_str());
        row.push_bind(mapping.as_str());
        row.push_bind(email.as_str());
    });
    query.push(")");
    query
}

/// The records that compete for the wanted contacts: the one that the contact's link names, those whose write is planned or under
/// way, and those that wait behind them.
fn competing() -> String {
    const COLUMNS: &str = "r.email, r.record_id, r.version, r.outcome, r.run_id";
    const NAMED: &str = "JOIN records r ON r.connection = w.connection AND r.mapping = w.mapping AND r.email = w.email AND r.competes = 1";
    format!(
        "competing AS (
             SELECT {COLUMNS} FROM wanted w {NAMED} AND r.record_id = (SELECT l.record_id FROM links l
                 WHERE l.connection = w.connection AND l.mapping = w.mapping AND l.email = w.email)
             UNION SELECT {COLUMNS} FROM wanted w
                 JOIN outbox o{} ON o.email = w.email AND o.connection = w.connection AND o.mapping = w.mapping
                 {NAMED} AND r.record_id = o.record_id
             UNION SELECT {COLUMNS} FROM wanted w JOIN records r{} ON r.connection = w.connection
                 AND r.mapping = w.mapping AND r.email = w.email AND r.competes = 1 AND r.holds = 0)",
        follow("outbox_email"),
        follow("records_waiting")
    )
}
