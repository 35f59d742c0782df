//! Between planning and sending, a single sync may have given a contact to a newer record: what was planned for it then is
//! never sent after that (product.md: several records, one contact).

use super::run::{Halt, Work};
use crate::mapping::Conflict;
use crate::model::{Email, RecordId};
use crate::store::Batch;
use crate::sync::contest::{self, beats};

/// A batch that was just taken, without the writes whose contact another record has won since.
pub async fn without_losers(work: &Work, batch: Batch) -> Result<Option<Batch>, Halt> {
    let conflict = work.mapping.spec().conflict;
    if conflict == Conflict::Fail {
        return Ok(Some(batch));
    }
    let (store, connection, name) = (work.store(), work.connection(), work.name());
    let contested = || batch.rows.iter().filter(|row| row.contested);
    let emails: Vec<Email> = contested().map(|row| row.email.clone()).collect();
    if emails.is_empty() {
        return Ok(Some(batch));
    }
    let links = store.links(connection, name, &emails).await?;
    let doubtful: Vec<Email> = contested()
        .filter(|row| {
            links.get(&row.email).is_some_and(|link| {
                let theirs = (link.version, &link.record);
                link.record != row.record && beats(conflict, theirs, (row.version, &row.record))
            })
        })
        .map(|row| row.email.clone())
        .collect();
    if doubtful.is_empty() {
        return Ok(Some(batch));
    }
    // A record that had the contact may be gone, or have another address by now.
    let heir = contest::heir(conflict);
    let leaders = store.winners(connection, name, &doubtful, heir).await?;
    let winners: Vec<(Email, RecordId)> = batch
        .rows
        .iter()
        .filter_map(|row| {
            let leader = &leaders.get(&row.email)?.record;
            (*leader != row.record).then(|| (row.email.clone(), leader.clone()))
        })
        .collect();
    if winners.is_empty() {
        return Ok(Some(batch));
    }
    Ok(store.give_way(batch.id, &winners).await?)
}
