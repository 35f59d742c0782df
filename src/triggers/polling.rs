//! Polling, for accounts without webhooks: records changed since the last look, from the newest down to where that look began
//! (sync.md, Triggers). It never infers deletions.

use crate::mapping::MappingSpec;
use crate::model::export::ExportOptions;
use crate::model::{
    ConnectionName, ErrorClass, MappingName, ObjectKey, Problem, RecordId, Trigger,
};
use crate::store::{NewJob, Store, to_json};
use crate::sync::{Account, Engine, Walk, honours_sort};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The search's index lags behind by seconds (fact sheet §2.7), and clocks differ: so much, in microseconds, is read again.
const OVERLAP: i64 = 60_000_000;
/// More changed records than this are brought in step by an export, which reads pages and writes imports, in place of one
/// read and one write for each.
const MANY: usize = 100;

/// Where polling of a mapping stands; kept in the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Watermark {
    /// The newest version met, in microseconds of HighLevel's clock.
    newest: i64,
    /// What was met within the overlap, so that it is not met again.
    recent: BTreeMap<RecordId, i64>,
    /// True before the first look: `newest` is by this machine's clock, which may be ahead of HighLevel's.
    #[serde(skip)]
    guessed: bool,
}

impl Watermark {
    /// Takes in what a look met above its floor, and the newest version of all that it came by: what changed since the last one.
    fn move_on(&mut self, met: BTreeMap<RecordId, i64>, latest: i64) -> Vec<(RecordId, i64)> {
        let changed = met
            .iter()
            .filter(|(record, version)| self.recent.get(*record) != Some(*version))
            .map(|(record, version)| (record.clone(), *version))
            .collect();
        if std::mem::take(&mut self.guessed) {
            // What changes while HighLevel's clock makes up for ours would be missed.
            self.newest = self.newest.min(latest);
        }
        self.newest = self.newest.max(latest);
        let floor = self.newest - OVERLAP;
        self.recent = met;
        self.recent.retain(|_, version| *version >= floor);
        changed
    }
}

/// Enqueues what changed since the last look; returns how many records that were.
///
/// # Errors
/// HighLevel or the store failed; the next look begins where this one did.
pub async fn poll(
    engine: &Engine,
    connection: &ConnectionName,
    mapping: &MappingName,
    spec: &MappingSpec,
) -> Result<usize, Problem> {
    let Some(account) = engine.account(connection) else {
        return Ok(0);
    };
    let store = engine.store();
    let object = ObjectKey::from_input(&spec.object);
    let mut watermark = read(store, connection, mapping).await?;
    let changed = changed(&account, &object, &mut watermark).await?;
    let changed = unseen(store, connection, mapping, changed).await?;
    let count = changed.len();
    let since = changed.iter().map(|(_, version)| *version).min();
    let exported = match since {
        Some(since) if count > MANY => export(engine, &account, mapping, spec, since).await?,
        _ => false,
    };
    if !exported {
        let jobs: Vec<(NewJob, Option<Timestamp>)> = changed
            .into_iter()
            .map(|(record, version)| {
                let job = NewJob::new(connection, mapping, &object, record, Trigger::Poll);
                let at = (version > 0).then(|| Timestamp::from_microsecond(version));
                (job, at.and_then(Result::ok))
            })
            .collect();
        for slice in jobs.chunks(500) {
            store.enqueue_changed(slice).await?;
            engine.wake();
        }
    }
    // Last, so that a crash before it only looks at the same records again.
    store
        .set(connection, &key(mapping), Some(&to_json(&watermark)?))
        .await?;
    if count > 0 {
        tracing::info!(%mapping, records = count, exported, "polling found changes");
    }
    Ok(count)
}

fn key(mapping: &MappingName) -> String {
    format!("poll.{mapping}")
}

/// Where the last look began; before the first one, where the mapping's own knowledge ends, or now.
async fn read(
    store: &Store,
    connection: &ConnectionName,
    mapping: &MappingName,
) -> Result<Watermark, Problem> {
    let kept = store.get(connection, &key(mapping)).await?;
    if let Some(watermark) = kept.and_then(|text| serde_json::from_str(&text).ok()) {
        return Ok(watermark);
    }
    let known = store.newest_version(connection, mapping).await?;
    let known = known.filter(|newest| *newest > 0);
    Ok(Watermark {
        newest: known.unwrap_or_else(|| store.now().as_microsecond()),
        recent: BTreeMap::new(),
        guessed: known.is_none(),
    })
}

/// The records that changed since the last look, and moves the watermark on.
async fn changed(
    account: &Account,
    object: &ObjectKey,
    watermark: &mut Watermark,
) -> Result<Vec<(RecordId, i64)>, Problem> {
    let floor = watermark.newest - OVERLAP;
    let sorted = honours_sort(account, object).await?;
    let mut walk = Walk::once(account, object, sorted);
    let mut met: BTreeMap<RecordId, i64> = BTreeMap::new();
    let mut latest = 0;
    while let Some(records) = walk.next().await? {
        let mut old = false;
        for record in records {
            let version = record.updated_at.map_or(0, Timestamp::as_microsecond);
            latest = latest.max(version);
            if version >= floor {
                met.insert(record.id, version);
            } else {
                old = true;
            }
        }
        if old && walk.is_ordered() {
            walk.finish();
        }
    }
    Ok(watermark.move_on(met, latest))
}

/// Leaves out what came another way in the meantime: a webhook, an export, a person.
async fn unseen(
    store: &Store,
    connection: &ConnectionName,
    mapping: &MappingName,
    changed: Vec<(RecordId, i64)>,
) -> Result<Vec<(RecordId, i64)>, Problem> {
    let ids: Vec<RecordId> = changed.iter().map(|(record, _)| record.clone()).collect();
    let seen = store.versions_seen(connection, mapping, &ids).await?;
    Ok(changed
        .into_iter()
        .filter(|(record, version)| seen.get(record).is_none_or(|seen| seen < version))
        .collect())
}

/// Brings many changed records in step in one go; false if another export of the mapping is not over.
async fn export(
    engine: &Engine,
    account: &Account,
    mapping: &MappingName,
    spec: &MappingSpec,
    since: i64,
) -> Result<bool, Problem> {
    let compiled = account.mapping(mapping, spec).await?;
    let options = ExportOptions {
        since: Timestamp::from_microsecond(since).ok(),
        trigger: Some(Trigger::Poll),
        ..ExportOptions::default()
    };
    let wanted = options.since;
    match engine.start_export(account, compiled, options).await {
        // One that was interrupted is gone on with first, whatever it was about.
        Ok(run) => Ok(run.options.limit.is_none()
            && run.options.since.is_none_or(|since| Some(since) <= wanted)),
        Err(problem) if problem.class == ErrorClass::Invalid => Ok(false),
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn a_first_look_by_a_clock_that_is_ahead_misses_nothing_that_follows() {
        let now = 1_800_000_000_000_000;
        let ahead = Watermark {
            newest: now + 60 * MINUTE,
            guessed: true,
            ..Watermark::default()
        };
        let mut watermark = ahead.clone();
        assert_eq!(watermark.move_on(BTreeMap::new(), now - 5 * MINUTE), []);
        assert_eq!(watermark.newest, now - 5 * MINUTE);
        // Nor where there was no record at all.
        let mut watermark = ahead;
        watermark.move_on(BTreeMap::new(), 0);
        assert_eq!(watermark.newest, 0);
    }

    #[test]
    fn what_was_met_once_is_met_again_only_in_another_version() {
        let now = 1_800_000_000_000_000;
        let mut watermark = Watermark {
            newest: now,
            ..Watermark::default()
        };
        let met = |version| BTreeMap::from([(RecordId::from("r1"), version)]);
        assert_eq!(watermark.move_on(met(now + 1), now + 1).len(), 1);
        assert_eq!(watermark.move_on(met(now + 1), now + 1).len(), 0);
        assert_eq!(watermark.move_on(met(now + 2), now + 2).len(), 1);
        // A look that meets less than the ones before does not go back.
        assert_eq!(watermark.move_on(BTreeMap::new(), now - MINUTE), []);
        assert_eq!(watermark.newest, now + 2);
    }
}
