//! Once a day: a complete walk over a mapping's object, compared with what was announced (sync.md, Triggers). It tells how many
//! changes came without a webhook or a poll, which is how missed webhooks are noticed, and which records are no more.

use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, MappingName, ObjectKey, Problem, RecordId, Trigger};
use crate::store::{NewJob, Store, to_json};
use crate::sync::{Engine, Walk, honours_sort};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A change younger than this may still be on its way: webhooks are delivered late, and tried again.
const GRACE: SignedDuration = SignedDuration::from_mins(10);
/// Records compared with the store at a time.
const SLICE: usize = 500;
/// If more of the known records are absent than one in so many, the walk is believed to be at fault, not the records.
const BELIEVABLE: usize = 2;
/// Below this number any share is believed.
const FEW: usize = 10;

/// What a reconcile found; kept in the store, for status and metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconciled {
    /// When the walk began.
    pub at: Timestamp,
    /// Records that the object holds.
    pub records: u64,
    /// Changes since the reconcile before that nobody announced.
    pub unannounced: u64,
    /// Records that the mapping saw before and the walk did not meet.
    pub absent: u64,
    /// False if the walk met fewer records than the object was said to hold: nothing is inferred from their absence.
    pub complete: bool,
    /// False if so many records were absent that the walk is believed to be at fault: nothing is done about them.
    #[serde(default = "believed")]
    pub believed: bool,
    /// Jobs made for what was found.
    pub enqueued: u64,
}

fn believed() -> bool {
    true
}

/// Where the last report of a mapping is kept.
fn key(mapping: &MappingName) -> String {
    format!("reconcile.{mapping}")
}

/// The report of a mapping's last reconcile.
///
/// # Errors
/// The store failed.
pub async fn last(
    store: &Store,
    connection: &ConnectionName,
    mapping: &MappingName,
) -> Result<Option<Reconciled>, Problem> {
    let kept = store.get(connection, &key(mapping)).await?;
    Ok(kept.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Walks, compares, reports, and enqueues: records that are gone, and, where the mapping is kept in step by webhooks or polls,
/// what those missed since `since`, the reconcile before.
///
/// # Errors
/// HighLevel or the store failed; it is tried again.
pub async fn reconcile(
    engine: &Engine,
    connection: &ConnectionName,
    mapping: &MappingName,
    spec: &MappingSpec,
    since: Option<Timestamp>,
) -> Result<Option<Reconciled>, Problem> {
    let Some(account) = engine.account(connection) else {
        return Ok(None);
    };
    let store = engine.store();
    let object = ObjectKey::from_input(&spec.object);
    let started = store.now();
    let until = started.checked_sub(GRACE).unwrap_or(started);
    // What was too young for the reconcile before is looked at now.
    let since = since.map(|since| since.checked_sub(GRACE).unwrap_or(since));
    let since = since.or_else(|| started.checked_sub(SignedDuration::from_hours(24)).ok());
    let sorted = honours_sort(&account, &object).await?;
    let mut walk = Walk::whole(&account, &object, sorted);
    let mut changed: BTreeMap<RecordId, i64> = BTreeMap::new();
    while let Some(records) = walk.next().await? {
        for record in records {
            let Some(at) = record.updated_at else {
                continue;
            };
            if at < until && since.is_none_or(|since| at >= since) {
                changed.insert(record.id, at.as_microsecond());
            }
        }
    }
    let unannounced = unannounced(store, connection, mapping, changed).await?;
    let complete = walk.is_complete();
    let absent = if complete {
        absent(store, connection, mapping, &walk, (started, until)).await?
    } else {
        Vec::new()
    };
    let believed = absent.len() <= FEW.max(walk.seen().len() / BELIEVABLE);
    let job = |record: RecordId| NewJob::new(connection, mapping, &object, record, Trigger::Poll);
    let mut report = Reconciled {
        at: started,
        records: walk.seen().len() as u64,
        unannounced: unannounced.len() as u64,
        absent: absent.len() as u64,
        complete,
        believed,
        enqueued: 0,
    };
    if believed {
        let jobs: Vec<NewJob> = absent.into_iter().map(job).collect();
        for slice in jobs.chunks(SLICE) {
            store.enqueue_absent(slice).await?;
        }
        report.enqueued += jobs.len() as u64;
    } else {
        tracing::error!(%mapping, absent = report.absent, records = report.records,
            "most records that were known are not met any more: check the token and location_id; nothing is done about them");
    }
    // Where nothing announces changes, none was missed.
    let expected = spec.poll.is_some() || is_announced(store, connection, mapping).await?;
    if expected {
        let jobs: Vec<NewJob> = unannounced.into_iter().map(job).collect();
        for slice in jobs.chunks(SLICE) {
            store.enqueue_many(slice).await?;
        }
        report.enqueued += jobs.len() as u64;
    }
    store
        .set(connection, &key(mapping), Some(&to_json(&report)?))
        .await?;
    if expected && report.unannounced > 0 {
        tracing::warn!(%mapping, unannounced = report.unannounced, "changes came that nobody announced; they are synced now");
    }
    tracing::info!(%mapping, records = report.records, unannounced = report.unannounced, absent = report.absent,
        complete = report.complete, enqueued = report.enqueued, "reconciled");
    Ok(Some(report))
}

/// True if webhooks once told of a mapping's records. It is kept once it is known: when they stop coming, what told of it is
/// pruned one day, and that is when it matters.
async fn is_announced(
    store: &Store,
    connection: &ConnectionName,
    mapping: &MappingName,
) -> Result<bool, Problem> {
    let key = format!("announced.{mapping}");
    if store.get(connection, &key).await?.is_some() {
        return Ok(true);
    }
    let heard = store.heard_of(connection, mapping).await?;
    if heard {
        store.set(connection, &key, Some("webhooks")).await?;
    }
    Ok(heard)
}

/// Of changed records, those that the mapping has neither seen in this version nor has a job about.
async fn unannounced(
    store: &Store,
    connection: &ConnectionName,
    mapping: &MappingName,
    changed: BTreeMap<RecordId, i64>,
) -> Result<Vec<RecordId>, Problem> {
    let ids: Vec<RecordId> = changed.keys().cloned().collect();
    let mut missed = Vec::new();
    for slice in ids.chunks(SLICE) {
        let seen = store.versions_seen(connection, mapping, slice).await?;
        let open = store.with_open_job(connection, mapping, slice).await?;
        missed.extend(slice.iter().filter(|record| {
            let newer = seen
                .get(*record)
                .is_none_or(|seen| *seen < changed[*record]);
            newer && !open.contains(record)
        }));
    }
    Ok(missed.into_iter().cloned().collect())
}

/// The records that the mapping saw before and that a complete walk did not meet. One that is younger than `until` may have
/// come behind the walk.
async fn absent(
    store: &Store,
    connection: &ConnectionName,
    mapping: &MappingName,
    walk: &Walk,
    (started, until): (Timestamp, Timestamp),
) -> Result<Vec<RecordId>, Problem> {
    let met: Vec<RecordId> = store
        .deletions_of(connection, mapping)
        .await?
        .into_iter()
        .filter(|record| walk.seen().contains(record))
        .collect();
    // One that was announced meanwhile may have been met before.
    store
        .withdraw_deletions(connection, mapping, &met, started)
        .await?;
    let until = until.as_microsecond();
    let mut absent = Vec::new();
    let mut after: Option<RecordId> = None;
    loop {
        let page = store
            .records_seen(connection, mapping, after.as_ref(), SLICE as u32)
            .await?;
        let Some((last, _)) = page.last() else {
            return Ok(absent);
        };
        after = Some(last.clone());
        let unmet = page
            .into_iter()
            .filter(|(record, version)| *version < until && !walk.seen().contains(record))
            .map(|(record, _)| record);
        absent.extend(unmet);
    }
}
