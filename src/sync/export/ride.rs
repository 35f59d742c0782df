//! Effects in an export: those that an import can carry go along with the values, records with others go one by one.

use super::run::{Halt, Work};
use crate::activecampaign::Rides;
use crate::model::call::Api;
use crate::model::{ContactId, Email, ErrorClass};
use crate::store::{EffectPlan, OutboxRow};
use crate::sync::backoff;
use crate::sync::breaker::{self, Probed};
use crate::sync::effects::{Actor, Trouble, TroubleKind};
use crate::sync::import;
use crate::sync::job::Stop;
use std::time::Duration;

/// Attempts at the effects of one record before its job goes on with them.
const ATTEMPTS: u32 = 6;
/// The longest wait between two of them.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the rules that fire want to go along in an import; `None` if something of it cannot.
pub async fn rides(work: &Work, email: &Email, plan: &EffectPlan) -> Result<Option<Rides>, Halt> {
    let (store, account, mapping) = (work.store(), &work.account, &work.mapping);
    work.persist(|| import::rides(store, account, mapping, email, plan))
        .await
}

/// Brings the open effects of a record to their end, whose contact was just written. The answer is the trouble that keeps
/// its job open.
///
/// # Errors
/// `Asked` if the run halts meanwhile, `Failed` if the store failed.
pub async fn act(
    work: &Work,
    row: &OutboxRow,
    contact: &ContactId,
) -> Result<Option<Trouble>, Halt> {
    let store = work.store();
    let mut tries = 0;
    loop {
        let open = store
            .open_effects(work.connection(), work.name(), &row.record)
            .await?;
        if open.is_empty() {
            return Ok(None);
        }
        store.confirm_row_state(&work.id, row).await?;
        let actor = Actor {
            store,
            account: &work.account,
            mapping: &work.mapping,
            contact,
            email: &row.email,
            job: None,
        };
        tries += 1;
        let mut trouble = match actor.act(&open).await {
            Ok(None) => return Ok(None),
            Ok(Some(trouble)) => trouble,
            // Somebody else has taken an effect up: what became of it is read anew.
            Err(Stop::Lost | Stop::Overtaken(_)) if tries < ATTEMPTS => continue,
            Err(Stop::Lost | Stop::Overtaken(_)) => return Err(Halt::Asked),
            Err(Stop::Api(error)) => return Err(error.into()),
            Err(Stop::Store(error)) => return Err(error.into()),
        };
        let wait = match trouble.kind {
            TroubleKind::Failed | TroubleKind::Unknown => return Ok(Some(trouble)),
            TroubleKind::Passing {
                probe: Probed::Dead,
                ..
            } => {
                let (store, owner) = (work.store(), &work.engine.inner.owner);
                let (account, api) = (work.connection(), Api::ActiveCampaign);
                breaker::open(store, account, api, &trouble.problem, owner).await;
                work.mended().await?;
                tries = 0;
                Duration::ZERO
            }
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
