//! What working on a job needs, and how one ends for which that cannot be had.

use crate::http::Lane;
use crate::model::call::Api;
use crate::model::{ErrorClass, Job, Problem};
use crate::store::{Claim, NewAttempt, Settlement, StoreError};
use crate::sync::account::Account;
use crate::sync::breaker::{self, Probed};
use crate::sync::ended::Ended;
use crate::sync::job::{Desk, tell_settled};
use crate::sync::sent::Sent;
use crate::sync::{Engine, verdict};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A rate limit that is met lets a job wait in the queue, where it is seen to wait, if it takes longer than this.
const MOMENT: Duration = Duration::from_secs(5);

/// What working on a job needs; or why it cannot be had, and what the account said of its token.
pub async fn desk(
    engine: &Engine,
    job: &Job,
    lane: Lane,
    sent: Arc<Sent>,
) -> Result<Desk, (Problem, Probed)> {
    let settings = engine.settings();
    let mut probed = Probed::Alive;
    let problem = match settings.mappings.get(&job.mapping) {
        None => Problem::new(
            ErrorClass::Config,
            format!("config.toml has no mapping `{}` any more", job.mapping),
        )
        .remedy("bring it back, or discard the job"),
        Some((connection, _)) if *connection != job.connection => Problem::new(
            ErrorClass::Config,
            format!(
                "the mapping `{}` belongs to another connection now",
                job.mapping
            ),
        )
        .remedy("discard the job"),
        Some((connection, spec)) => match settings.accounts.get(connection) {
            None => Problem::new(
                ErrorClass::Config,
                format!("config.toml has no connection `{connection}` any more"),
            )
            .remedy("bring it back, or discard the job"),
            Some(account) => {
                let account = account.lane(lane).patience(MOMENT);
                match account.mapping(&job.mapping, spec).await {
                    Ok(mapping) => {
                        return Ok(Desk {
                            store: engine.store().clone(),
                            account,
                            mapping,
                            worker: engine.inner.owner.clone(),
                            deleting: settings.deleting(connection),
                            sent,
                        });
                    }
                    Err(problem) => {
                        // A mapping that is at fault itself can be compiled; a token that cannot be had is met before.
                        let token = problem.class == ErrorClass::Auth
                            || problem.class == ErrorClass::Config
                                && account.compile(&job.mapping, spec).await.is_err();
                        if token {
                            probed = refused(engine, &account, &problem).await;
                        }
                        problem
                    }
                }
            }
        },
    };
    Err((problem, probed))
}

/// Settles a job that could not be begun.
pub async fn undone(
    engine: &Engine,
    claim: &Claim,
    started: Timestamp,
    problem: Problem,
    probed: Probed,
) -> Result<Ended, StoreError> {
    let (job, settings) = (&claim.job, engine.settings());
    let (class, tries) = (problem.class, claim.tries);
    let now = Timestamp::now();
    let account = settings.accounts.get(&job.connection);
    let closed = account.and_then(Account::blocked_until);
    let closed = closed.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
    let ended = verdict::judge(problem, class, closed, probed, tries);
    let settlement = Settlement {
        attempt: ended.uses_attempt.then(|| NewAttempt {
            started_at: started,
            ended_at: Some(now),
            worker: engine.inner.owner.clone(),
            request: None,
            response: None,
            warning: None,
            mapping_hash: settings
                .mappings
                .get(&job.mapping)
                .map(|(_, spec)| spec.hash().as_str().to_owned())
                .unwrap_or_default(),
        }),
        ..ended.settlement(&engine.inner.owner)
    };
    let mine = engine.store().settle(job, claim.epoch, &settlement).await?;
    tell_settled(job, &ended, mine);
    Ok(ended)
}

/// The schemas are refused: one of the two tokens is dead for every job of the account, or lacks a scope.
async fn refused(engine: &Engine, account: &Account, problem: &Problem) -> Probed {
    for api in [Api::HighLevel, Api::ActiveCampaign] {
        match breaker::probe(account, api).await {
            Probed::Alive => {}
            Probed::Silent => return Probed::Silent,
            Probed::Dead => {
                let (store, owner) = (engine.store(), &engine.inner.owner);
                breaker::open(store, &account.name, api, problem, owner).await;
                return Probed::Dead;
            }
        }
    }
    Probed::Alive
}
