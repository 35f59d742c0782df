//! What the records of a bulk mean for their contacts.

use super::{Bulk, Entry, Listener, Sendable};
use crate::activecampaign::Rides;
use crate::mapping::EmailSource;
use crate::model::view::Outcome;
use crate::model::{Email, Record, RecordId};
use crate::store::{Claim, EffectPlan, RecordSeen, StoreError};
use crate::sync::backlog::shelf::Shelf;
use crate::sync::ended::seen;
use crate::sync::job::{Desk, no_contact_yet};
use crate::sync::plan::{Plan, Planned, plan};
use crate::sync::{effects, import, write};
use jiff::Timestamp;
use std::collections::HashMap;
use std::ops::ControlFlow;

impl<L: Listener> Bulk<'_, L> {
    /// The contacts that the records lead to, where the mapping's address comes from an association.
    pub(super) async fn relate(
        &self,
        shelf: &tokio::sync::Mutex<Shelf>,
        read: Vec<(Claim, Record)>,
        waiting: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let (claims, records): (Vec<Claim>, Vec<Record>) = read.into_iter().unzip();
        let related = match self.desk.mapping.email() {
            EmailSource::Property(_) => vec![None; records.len()],
            EmailSource::Association(association) => {
                let told = claims.iter().map(|claim| {
                    let change = claim.change.map(|change| change.told_at);
                    change.unwrap_or(claim.ready_since)
                });
                let told = told.max().unwrap_or(Timestamp::MIN);
                let mut shelf = shelf.lock().await;
                let contacts = shelf
                    .contacts(self.desk, association, &records, told, waiting)
                    .await;
                match contacts {
                    Ok(contacts) => contacts,
                    Err(error) => {
                        drop(shelf);
                        self.all_failed(claims, error).await?;
                        return Ok(Vec::new());
                    }
                }
            }
        };
        let follows = matches!(self.desk.mapping.email(), EmailSource::Association(_));
        let (mut entries, mut ended) = (Vec::with_capacity(claims.len()), Vec::new());
        for ((claim, record), related) in claims.into_iter().zip(records).zip(related) {
            if follows
                && related.is_none()
                && let Some(waits) = no_contact_yet(&record)
            {
                ended.push((claim, waits));
                continue;
            }
            entries.push(Entry {
                claim,
                record,
                related,
            });
        }
        self.settle(ended).await?;
        Ok(entries)
    }

    /// What each record means for its contact, and whether an import may carry it.
    pub(super) async fn plan(&self, entries: Vec<Entry>) -> Result<Vec<Sendable>, StoreError> {
        let mapping = &self.desk.mapping;
        let planned = |entry: &Entry| plan(mapping, &entry.record, entry.related.as_ref());
        let mut plans: Vec<Plan> = entries.iter().map(planned).collect();
        if plans.iter().any(|plan| matches!(plan, Plan::Fail { .. }))
            && let Some(newer) = self.desk.account.in_doubt(mapping, false).await
        {
            for (entry, old) in entries.iter().zip(&mut plans) {
                if matches!(old, Plan::Fail { .. }) {
                    *old = plan(&newer, &entry.record, entry.related.as_ref());
                }
            }
        }
        let (mut values, mut ended) = (Vec::with_capacity(entries.len()), Vec::new());
        for (entry, plan) in entries.into_iter().zip(plans) {
            let related = entry.related.as_ref();
            match self.desk.values(&entry.record, related, plan) {
                ControlFlow::Continue(planned) => values.push((entry, planned)),
                ControlFlow::Break(end) => ended.push((entry.claim, end)),
            }
        }
        self.settle(ended).await?;
        self.sort_out(values).await
    }

    async fn sort_out(&self, values: Vec<(Entry, Planned)>) -> Result<Vec<Sendable>, StoreError> {
        let (store, mapping) = (&self.desk.store, &self.desk.mapping);
        let (connection, name) = (&self.desk.account.name, mapping.name());
        let ids: Vec<RecordId> = values
            .iter()
            .map(|(entry, _)| entry.record.id.clone())
            .collect();
        let states = if mapping.has_rules() {
            store.confirmed_states(connection, name, &ids).await?
        } else {
            HashMap::new()
        };
        let open = store.open_effects_of(connection, name, &ids).await?;
        let mut sendable = Vec::with_capacity(values.len());
        for (entry, planned) in values {
            let record = &entry.record;
            let open = open.get(&record.id).map_or(&[][..], Vec::as_slice);
            let (related, state) = (entry.related.as_ref(), states.get(&record.id));
            let wanted = effects::wanted(mapping, record, related, state, open);
            let rides = if planned.write.clears() || !open.is_empty() {
                None
            } else {
                self.rides(&planned.write.email, &wanted).await
            };
            let (account, email) = (&self.desk.account, &planned.write.email);
            let moves = write::old_link(store, account, mapping, &record.id, email).await?;
            let rides = rides.filter(|_| moves.is_none());
            let (leaves, warning) = self.desk.moves(&entry.claim.job, email).await?;
            sendable.push(Sendable {
                rides,
                effects: (!wanted.fires.is_empty()).then_some(wanted),
                leaves,
                warning,
                seen: RecordSeen {
                    competes: true,
                    ..seen(record, Some(email.clone()), Outcome::Waiting)
                },
                planned,
                entry,
            });
        }
        Ok(sendable)
    }

    /// What may go along of what the rules want; a question that fails leaves it to the other way, which asks again.
    async fn rides(&self, email: &Email, wanted: &EffectPlan) -> Option<Rides> {
        if wanted.fires.is_empty() {
            return Some(Rides::default());
        }
        let Desk {
            store,
            account,
            mapping,
            ..
        } = &self.desk;
        let rides = import::rides(store, account, mapping, email, wanted).await;
        rides.unwrap_or_default()
    }
}
