//! A contact that a record leaves goes to the next in line. It is asked in the transaction in which the contact is left: from
//! then on nothing else tells of it.

use super::candidates::{candidates_of_many, winners_of};
use super::enqueue::{NewJob, upsert};
use super::error::Result;
use crate::model::{ConnectionName, Email, MappingName, RecordId};
use sqlx::SqliteConnection;
use std::collections::{HashMap, HashSet};

/// Which of the records that compete for a contact has it next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heir {
    /// The one updated last.
    #[default]
    Newest,
    Oldest,
    /// None, where there are several.
    Only,
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
    let heirs = heirs(tx, &like.connection, &like.mapping, contacts, heir).await?;
    for record in heirs.into_values() {
        if !planned.contains(&record) {
            let job = NewJob {
                record,
                ..like.clone()
            };
            upsert(tx, &job, now).await?;
        }
    }
    Ok(())
}

async fn heirs(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    contacts: &[Email],
    heir: Heir,
) -> Result<HashMap<Email, RecordId>> {
    Ok(match heir {
        Heir::Newest | Heir::Oldest => {
            let oldest = heir == Heir::Oldest;
            let winners = winners_of(tx, connection, mapping, contacts, oldest).await?;
            let named = winners.into_iter();
            named.map(|(email, one)| (email, one.record)).collect()
        }
        Heir::Only => {
            let some = candidates_of_many(tx, connection, mapping, contacts, 2).await?;
            let alone = some.into_iter().filter(|(_, all)| all.len() == 1);
            alone
                .filter_map(|(email, all)| Some((email, all.into_iter().next()?.record)))
                .collect()
        }
    })
}
