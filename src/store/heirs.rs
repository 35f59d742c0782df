//! A contact that a record leaves goes to the next in line. It is asked in the transaction in which the contact is left: from
//! then on nothing else tells of it.

use super::candidates::winners_of;
use super::enqueue::{NewJob, upsert};
use super::error::Result;
use super::moves::{contacts_of, push_records};
use super::rows::chunks;
use crate::model::view::Outcome;
use crate::model::{ConnectionName, Email, Job, MappingName, RecordId};
use sqlx::{QueryBuilder, Row, SqliteConnection};
use std::collections::{HashMap, HashSet};

/// Which of the records that compete for a contact has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heir {
    /// The one updated last.
    #[default]
    Newest,
    Oldest,
    /// None, where there are several.
    Only,
}

/// A job whose record leaves contacts.
pub(super) struct Leaver<'a> {
    pub job: &'a Job,
    pub contacts: Vec<Email>,
    pub heir: Heir,
}

/// The jobs of which the records leave all that they have or stand for, all of one mapping: to be asked before they are
/// settled. One that has left already, with an earlier try, leaves nothing more: an heir that waits or failed since is not woken
/// by each try.
pub(super) async fn leavers<'a>(
    tx: &mut SqliteConnection,
    (connection, mapping): (&ConnectionName, &MappingName),
    jobs: &[(&'a Job, Heir)],
) -> Result<Vec<Leaver<'a>>> {
    let records: Vec<RecordId> = jobs.iter().map(|(job, _)| job.record.clone()).collect();
    let mut left: HashMap<RecordId, Vec<Email>> = HashMap::new();
    for (record, contact) in contacts_of(tx, (connection, mapping), &records).await? {
        left.entry(record).or_default().push(contact);
    }
    if left.is_empty() {
        return Ok(Vec::new());
    }
    for chunk in chunks(&records) {
        let mut query =
            QueryBuilder::new("SELECT record_id FROM records WHERE competes = 0 AND outcome IN (");
        query.push_bind(Outcome::Failed.name()).push(", ");
        query.push_bind(Outcome::Skipped.name()).push(") AND ");
        push_records(&mut query, "records", (connection, mapping), chunk);
        for row in query.build().fetch_all(&mut *tx).await? {
            left.remove(&RecordId::from(row.try_get::<String, _>(0)?));
        }
    }
    let leaver = |(job, heir): &(&'a Job, Heir)| {
        let contacts = left.remove(&job.record)?;
        Some(Leaver {
            job,
            contacts,
            heir: *heir,
        })
    };
    Ok(jobs.iter().filter_map(leaver).collect())
}

/// Makes jobs for the records that are next in line for what these left, all of one mapping. They have the urgency of the most
/// urgent that they follow from.
pub(super) async fn leave(
    tx: &mut SqliteConnection,
    leavers: &[Leaver<'_>],
    now: i64,
) -> Result<()> {
    let urgent = |leaver: &&Leaver<'_>| leaver.job.trigger.priority();
    let Some(Leaver { job, heir, .. }) = leavers.iter().max_by_key(urgent) else {
        return Ok(());
    };
    let contacts = leavers.iter().flat_map(|leaver| leaver.contacts.iter());
    let contacts: Vec<Email> = contacts.cloned().collect();
    // What becomes of these is known already.
    let leaving = leavers.iter().map(|leaver| &leaver.job.record).collect();
    let like = NewJob::after(job, job.record.clone(), job.trigger.clone());
    hand_on(tx, &like, (&contacts, *heir), &leaving, now).await
}

/// Makes a job like this one for each record that is next in line for one of the contacts, as the records stand by now. Those
/// that are planned anyway need none.
pub(super) async fn hand_on(
    tx: &mut SqliteConnection,
    like: &NewJob,
    (contacts, heir): (&[Email], Heir),
    planned: &HashSet<&RecordId>,
    now: i64,
) -> Result<()> {
    if contacts.is_empty() {
        return Ok(());
    }
    let of = (&like.connection, &like.mapping);
    let heirs = winners_of(tx, of, contacts, heir, None).await?;
    for heir in heirs.into_values() {
        if !planned.contains(&heir.record) {
            let job = NewJob {
                record: heir.record,
                ..like.clone()
            };
            upsert(tx, &job, now).await?;
        }
    }
    Ok(())
}
