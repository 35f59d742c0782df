//! All records through a mapping: what would fail, and how many contacts would change. Nothing is written.

use super::contest::beats;
use super::plan::{Plan, plan, version};
use super::related::ContactBook;
use super::{Account, Walk, edited, honours_sort};
use crate::mapping::{EmailSource, Mapping};
use crate::model::group::group;
use crate::model::survey::{Fault, Survey};
use crate::model::{Email, Problem, Record, RecordId};
use crate::store::Store;
use std::collections::{HashMap, HashSet};

/// Who has a contact so far.
struct Leader {
    record: RecordId,
    version: i64,
    changes: bool,
}

#[derive(Default)]
struct Tally {
    seen: HashSet<RecordId>,
    leaders: HashMap<Email, Leader>,
    faults: HashMap<String, Fault>,
    survey: Survey,
}

impl Tally {
    fn fails(&mut self, problem: Problem, record: &Record) {
        let fault = self.faults.entry(group(&problem));
        let fault = fault.or_insert_with(|| Fault {
            count: 0,
            problem,
            sample: record.id.clone(),
        });
        fault.count += 1;
    }

    fn competes(&mut self, mapping: &Mapping, email: Email, record: &Record, changes: bool) {
        let conflict = mapping.spec().conflict;
        let mine = (version(record), &record.id);
        let leads = match self.leaders.get(&email) {
            None => true,
            Some(other) => {
                self.survey.superseded += 1;
                beats(conflict, mine, (other.version, &other.record))
            }
        };
        if leads {
            let leader = Leader {
                record: record.id.clone(),
                version: mine.0,
                changes,
            };
            self.leaders.insert(email, leader);
        }
    }

    fn end(mut self) -> Survey {
        self.survey.records = self.seen.len() as u64;
        let changed = self.leaders.values().filter(|leader| leader.changes);
        self.survey.changed = changed.count() as u64;
        self.survey.unchanged = self.leaders.len() as u64 - self.survey.changed;
        let mut faults: Vec<Fault> = self.faults.into_values().collect();
        faults.sort_by(|a, b| (b.count, &a.sample).cmp(&(a.count, &b.sample)));
        Survey {
            faults,
            ..self.survey
        }
    }
}

/// Reads all records of a mapping's object, 100 a call, and sends each through it.
///
/// # Errors
/// HighLevel or the store failed.
pub async fn survey(
    store: &Store,
    account: &Account,
    mapping: &Mapping,
) -> Result<Survey, Problem> {
    let whose = (&account.name, mapping.name());
    let sorted = honours_sort(account, mapping.object()).await?;
    let mut walk = Walk::whole(account, mapping.object(), sorted);
    let mut book = ContactBook::default();
    let mut tally = Tally::default();
    while let Some(mut records) = walk.next().await? {
        records.retain(|record| tally.seen.insert(record.id.clone()));
        edited::put(store, whose, records.iter_mut().collect(), true).await?;
        let related = match mapping.email() {
            EmailSource::Property(_) => vec![None; records.len()],
            EmailSource::Association(association) => {
                let expected = walk.total().unwrap_or(records.len() as u64);
                let contacts = book.of_records(&account.highlevel, association, &records, expected);
                contacts.await?
            }
        };
        let plans: Vec<Plan> = records
            .iter()
            .zip(&related)
            .map(|(record, related)| plan(mapping, record, related.as_ref()))
            .collect();
        let emails: Vec<Email> = plans
            .iter()
            .filter_map(|plan| match plan {
                Plan::Send(planned) => Some(planned.write.email.clone()),
                _ => None,
            })
            .collect();
        let links = store.links(whose.0, whose.1, &emails).await?;
        for (record, plan) in records.iter().zip(plans) {
            match plan {
                Plan::Skip => tally.survey.skipped += 1,
                Plan::Fail { problem, .. } => tally.fails(problem, record),
                Plan::Send(planned) => {
                    let email = planned.write.email;
                    let same = links
                        .get(&email)
                        .is_some_and(|link| link.fingerprint == planned.fingerprint);
                    tally.competes(mapping, email, record, !same);
                }
            }
        }
    }
    Ok(tally.end())
}
