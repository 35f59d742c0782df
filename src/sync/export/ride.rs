//! Effects in an export: those that an import can carry go along with the values, records with others go one by one.

use super::run::{Halt, Work};
use crate::activecampaign::Rides;
use crate::http::ApiError;
use crate::model::contact::Named;
use crate::model::{Action, ContactId, Email, ErrorClass, RecordId};
use crate::store::EffectPlan;
use crate::sync::backoff;
use crate::sync::breaker::Probed;
use crate::sync::effects::{Actor, Trouble, TroubleKind};
use crate::sync::job::Stop;
use std::future::Future;
use std::time::Duration;

/// Attempts at the effects of one record before its job goes on with them.
const ATTEMPTS: u32 = 6;
/// The longest wait between two of them.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the rules that fire want to go along in an import; `None` if something of it cannot. Names are looked up first: an
/// import makes every tag that is missing.
pub async fn rides(work: &Work, plan: &EffectPlan) -> Result<Option<Rides>, Halt> {
    let client = &work.account.activecampaign;
    let creates = work.mapping.spec().create_tags;
    let mut rides = Rides::default();
    for act in plan.fires.iter().flat_map(|turn| &turn.acts) {
        let name = act.target.as_str();
        if !act.action.rides() {
            return Ok(None);
        }
        if act.action == Action::AddTag {
            let Some(tag) = looked_up(work, || client.tag_named(name)).await? else {
                return Ok(None);
            };
            match tag {
                Some(tag) => rides.tags.push(tag.name),
                None if creates && !name.contains(',') => rides.tags.push(name.to_owned()),
                None => return Ok(None),
            }
            continue;
        }
        let Some(Some(list)) = looked_up(work, || client.list_named(name)).await? else {
            return Ok(None);
        };
        if act.action == Action::Subscribe {
            rides.subscribe.push(list.id);
        } else {
            rides.unsubscribe.push(list.id);
        }
    }
    Ok(Some(rides))
}

/// A definition, or `None` if the question is refused: the record then goes one by one, which tells the reason.
async fn looked_up<F: Future<Output = Result<Option<Named>, ApiError>>>(
    work: &Work,
    ask: impl Fn() -> F,
) -> Result<Option<Option<Named>>, Halt> {
    match work.persist(ask).await {
        Ok(found) => Ok(Some(found)),
        Err(Halt::Failed(problem)) if problem.class == ErrorClass::Invalid => Ok(None),
        Err(halt) => Err(halt),
    }
}

/// Brings the open effects of a record to their end, whose contact was just written. The answer is the trouble that keeps
/// its job open.
///
/// # Errors
/// `Asked` if the run halts meanwhile, `Failed` if the token is dead or the store failed.
pub async fn act(
    work: &Work,
    record: &RecordId,
    contact: &ContactId,
    email: &Email,
) -> Result<Option<Trouble>, Halt> {
    let store = work.store();
    let mut tries = 0;
    loop {
        let open = store
            .open_effects(work.connection(), work.name(), record)
            .await?;
        if open.is_empty() {
            return Ok(None);
        }
        let actor = Actor {
            store,
            account: &work.account,
            mapping: &work.mapping,
            contact,
            email,
            job: None,
        };
        tries += 1;
        let mut trouble = match actor.act(&open).await {
            Ok(None) => return Ok(None),
            Ok(Some(trouble)) => trouble,
            // Somebody else has taken an effect up: what became of it is read anew.
            Err(Stop::Lost) if tries < ATTEMPTS => continue,
            Err(Stop::Lost) => return Err(Halt::Asked),
            Err(Stop::Api(error)) => return Err(error.into()),
            Err(Stop::Store(error)) => return Err(error.into()),
        };
        let wait = match trouble.kind {
            TroubleKind::Failed | TroubleKind::Unknown => return Ok(Some(trouble)),
            TroubleKind::Passing {
                probe: Probed::Dead,
                ..
            } => return Err(Halt::Failed(trouble.problem)),
            TroubleKind::TooSoon(rest) => rest,
            TroubleKind::Passing { ambiguous, .. } if tries >= ATTEMPTS => {
                if ambiguous {
                    trouble.problem.class = ErrorClass::Unknown;
                }
                return Ok(Some(trouble));
            }
            TroubleKind::Passing {
                class: ErrorClass::Throttled,
                retry_after,
                ..
            } => retry_after.unwrap_or(LONGEST_WAIT),
            TroubleKind::Passing { .. } => backoff::next(tries).min(LONGEST_WAIT),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = work.halt.cancelled() => return Err(Halt::Asked),
        }
    }
}
