//! What an export and the backlog of the queue both do with imports: send one, understand a refusal, know a contact that
//! holds what was sent, look up what may go along.

use super::account::Account;
use super::effects::last_list_effect;
use crate::activecampaign::{ActiveCampaign, ImportError, QueuedImport, Rides};
use crate::http::ApiError;
use crate::mapping::Mapping;
use crate::model::{Action, Builtin, Contact, ContactWrite, Email, ErrorClass, TargetField};
use crate::store::{EffectPlan, Store};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::time::Duration;

/// Fewer contacts than this are written faster one by one: an import takes a call of its own for its result.
pub const WORTH_AN_IMPORT: usize = 3;
/// How often one import is sent before its contacts go one by one.
pub const SENDINGS: u32 = 3;
/// The first import's result is asked for after this time: sooner the API may answer `false` (fact sheet §3.4).
pub const FIRST_LOOK: Duration = Duration::from_millis(1_100);
pub const SOONEST_LOOK: Duration = Duration::from_millis(50);
pub const LATEST_LOOK: Duration = Duration::from_secs(10);
/// An import without a result after this time is read back (sync.md, promise 6).
pub const GIVEN_UP: Duration = Duration::from_secs(600);
/// More contacts of unknown id than this are found by a walk instead of one by one.
pub const WALK_FROM: usize = 20;
/// The server's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(120);

/// The numbers of rows that a refusal names, as the API counts them.
pub type Hints = Vec<usize>;

/// Sends an import; the inner error is a refusal with the row numbers it names.
///
/// # Errors
/// As every call.
pub async fn send(
    client: &ActiveCampaign,
    rows: &[String],
    exclude: bool,
) -> Result<Result<QueuedImport, Hints>, ApiError> {
    match client.bulk_import_rows(rows, exclude).await {
        Ok(queued) => Ok(Ok(queued)),
        Err(ImportError::Refused { hints, .. }) => {
            let numbers = hints.into_iter().filter_map(|hint| hint.index);
            Ok(Err(numbers.collect()))
        }
        // Refused without a word on the rows: the halves will tell.
        Err(ImportError::Api(error)) if error.class == ErrorClass::Invalid => Ok(Err(Hints::new())),
        Err(ImportError::Api(error)) => Err(error),
    }
}

/// The places of the rows that a refusal names. Whether it counts from 0 or from 1 is not known (fact sheet §3.3), so both
/// neighbours go.
pub fn named(hints: &[usize]) -> HashSet<usize> {
    hints
        .iter()
        .flat_map(|index| [Some(*index), index.checked_sub(1)])
        .flatten()
        .collect()
}

/// The addresses that an import's result names as failed.
pub fn addresses(failed: &[String]) -> HashSet<Email> {
    failed
        .iter()
        .filter_map(|text| Email::parse(text).ok())
        .collect()
}

/// When contacts were written that an import of then wrote: the walk's filter may know whole days only (fact sheet §2.2).
pub fn walked_from(sent_at: Timestamp) -> Timestamp {
    sent_at
        .checked_sub(Duration::from_secs(86_400))
        .unwrap_or(sent_at)
}

/// True if a contact came to be with an import that was sent then. One that was there before is named as changed by some
/// answers, and by others not at all (fact sheet §3.4). `skew`: by how much the server's clock is ahead.
pub fn made_since(contact: &Contact, sent_at: Timestamp, skew: Option<SignedDuration>) -> bool {
    // Its times have whole seconds. In doubt it was there: whom others made must not be deleted.
    let floor = (sent_at + skew.unwrap_or_default()).as_second();
    contact.created_at.is_some_and(|at| at.as_second() >= floor)
}

/// True if a contact holds what was sent; without its values, or with tags and lists that went along (`rode`), if it was
/// written since.
pub fn holds(
    mapping: &Mapping,
    contact: &Contact,
    write: &ContactWrite,
    rode: bool,
    sent_at: Timestamp,
) -> bool {
    let floor = sent_at.checked_sub(CLOCK_SKEW).unwrap_or(sent_at);
    let written_since = contact.updated_at.is_some_and(|at| at >= floor);
    // The values may be what they were before; tags and lists that went along came with a write.
    if rode && !written_since {
        return false;
    }
    let custom = |(target, _): &(TargetField, String)| matches!(target, TargetField::Custom(_));
    if contact.values.is_none() && write.values.iter().any(custom) {
        return written_since && builtins_match(mapping, contact, &write.values);
    }
    write
        .values
        .iter()
        .all(|(target, sent)| mapping.same(target, sent, contact.value(target).unwrap_or_default()))
}

fn builtins_match(mapping: &Mapping, contact: &Contact, values: &[(TargetField, String)]) -> bool {
    let builtins = Builtin::ALL.into_iter().map(TargetField::Builtin);
    builtins.into_iter().all(|target| {
        let sent = values.iter().find(|(known, _)| *known == target);
        sent.is_none_or(|(target, sent)| {
            mapping.same(target, sent, contact.value(target).unwrap_or_default())
        })
    })
}

/// What the rules that fire want to go along in an import; `None` if something of it cannot. Names are looked up first: an
/// import makes every tag that is missing. A question that is refused lets the record go one by one, which tells the reason;
/// so does who is to come back to a list that a rule put it off: an import brings nobody back.
///
/// # Errors
/// As every call.
pub async fn rides(
    store: &Store,
    account: &Account,
    mapping: &Mapping,
    email: &Email,
    plan: &EffectPlan,
) -> Result<Option<Rides>, ApiError> {
    match looked_up(store, account, mapping, email, plan).await {
        Err(error) if error.class == ErrorClass::Invalid => Ok(None),
        rides => rides,
    }
}

async fn looked_up(
    store: &Store,
    account: &Account,
    mapping: &Mapping,
    email: &Email,
    plan: &EffectPlan,
) -> Result<Option<Rides>, ApiError> {
    let client = &account.activecampaign;
    let creates_tags = mapping.spec().create_tags;
    let mut rides = Rides::default();
    for act in plan.fires.iter().flat_map(|turn| &turn.acts) {
        let name = act.target.as_str();
        if !act.action.rides() {
            return Ok(None);
        }
        if act.action == Action::AddTag {
            match client.tag_named(name).await? {
                Some(tag) => rides.tags.push(tag.name),
                None if creates_tags && !name.contains(',') => rides.tags.push(name.to_owned()),
                None => return Ok(None),
            }
            continue;
        }
        let Some(list) = client.list_named(name).await? else {
            return Ok(None);
        };
        let last = last_list_effect(store, account, email, name).await?;
        if last.is_some_and(|last| last.action == Action::Unsubscribe) {
            return Ok(None);
        }
        rides.subscribe.push(list.id);
    }
    Ok(Some(rides))
}
