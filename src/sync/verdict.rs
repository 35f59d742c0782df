//! What an API error means for a job (sync.md, error classes).

use super::backoff;
use super::breaker::{self, Probed, probe};
use super::ended::Ended;
use super::job::Desk;
use crate::http::ApiError;
use crate::model::call::Api;
use crate::model::view::Outcome;
use crate::model::{ErrorClass, Problem, WaitReason};
use crate::store::Claim;
use jiff::Timestamp;
use std::time::Duration;

/// How long a refused job waits where the account could not be asked whether it still accepts the token.
const SILENT: Duration = Duration::from_secs(10);
/// How often a refused call is made again while the account says that its token is good: HighLevel refuses at times for a
/// moment. ActiveCampaign's doubtful answers are asked again where they are heard.
const REFUSALS: u32 = 2;
/// How long to stay away where a rate limit was met and no time was told.
const RATE_LIMITED: Duration = Duration::from_secs(60);

impl Desk {
    /// How an attempt ends with an API error.
    pub async fn verdict(&self, claim: &Claim, error: ApiError) -> Ended {
        let probed = self.probed(&error).await;
        judged(claim, error, probed)
    }

    /// What the account says of the token that an API error puts in doubt; a dead one stops the account.
    pub async fn probed(&self, error: &ApiError) -> Probed {
        let probe = match error.class {
            // A token that cannot be had, or used, is as dead as one that is refused.
            ErrorClass::Auth | ErrorClass::Config => probe(&self.account, error.api).await,
            _ => Probed::Alive,
        };
        if probe == Probed::Dead {
            breaker::open(
                &self.store,
                &self.account.name,
                error.api,
                &Problem::from(error),
                &self.worker,
            )
            .await;
        }
        probe
    }
}

/// How an attempt ends with an API error, once the token was asked about.
pub fn judged(claim: &Claim, error: ApiError, probed: Probed) -> Ended {
    let (request, response) = (Some(error.request.clone()), error.response.clone());
    let retry_after = error.retry_after;
    let doubtful =
        error.api == Api::HighLevel && error.status == Some(401) && probed == Probed::Alive;
    let class = match error.class {
        ErrorClass::Auth if doubtful && claim.tries < REFUSALS => ErrorClass::Transient,
        class => class,
    };
    // Whoever waits for the job sees that it is tried again; the last refusal is told as what it is.
    let problem = Problem {
        class,
        ..Problem::from(error)
    };
    Ended {
        request,
        response,
        ..judge(problem, class, retry_after, probed, claim.tries)
    }
}

/// What a problem means for a job that was tried `tries` times before: waiting for what passes by itself, else failed.
/// A refused token concerns the whole account and no job in particular; waiting for it uses no attempt, and lasts as long
/// as the account's breaker is open.
pub fn judge(
    problem: Problem,
    class: ErrorClass,
    retry_after: Option<Duration>,
    probe: Probed,
    tries: u32,
) -> Ended {
    let (reason, wait, uses_attempt) = match class {
        _ if probe == Probed::Dead => (WaitReason::BreakerOpen, Duration::ZERO, false),
        // Whether the token is dead could not be found out; it will be with the next attempt.
        _ if probe == Probed::Silent => (WaitReason::Scheduled, SILENT, false),
        ErrorClass::Throttled => (
            WaitReason::RateLimited,
            retry_after.unwrap_or(RATE_LIMITED),
            false,
        ),
        ErrorClass::Transient | ErrorClass::Unknown if tries + 1 < backoff::MAX_ATTEMPTS => {
            (WaitReason::Scheduled, backoff::next(tries + 1), true)
        }
        _ => return Ended::failed(problem),
    };
    Ended {
        outcome: Outcome::Waiting,
        waiting: Some((reason, Timestamp::now() + wait)),
        uses_attempt,
        ..Ended::failed(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(class: ErrorClass, probe: Probed, tries: u32) -> Ended {
        judge(Problem::new(class, "no"), class, None, probe, tries)
    }

    #[test]
    fn what_passes_by_itself_is_waited_for_and_only_failures_use_attempts() {
        let transient = ended(ErrorClass::Transient, Probed::Alive, 0);
        assert_eq!(
            (transient.outcome, transient.uses_attempt),
            (Outcome::Waiting, true)
        );
        let last = ended(
            ErrorClass::Transient,
            Probed::Alive,
            backoff::MAX_ATTEMPTS - 1,
        );
        assert_eq!(last.outcome, Outcome::Failed);
        let throttled = ended(ErrorClass::Throttled, Probed::Alive, 40);
        assert!(throttled.outcome == Outcome::Waiting && !throttled.uses_attempt);
    }

    #[test]
    fn a_dead_token_is_waited_for_and_a_refusal_of_one_call_fails_the_job() {
        for class in [ErrorClass::Auth, ErrorClass::Config] {
            let dead = ended(class, Probed::Dead, 40);
            assert!(dead.outcome == Outcome::Waiting && !dead.uses_attempt);
            assert!(dead.error.is_some());
            assert_eq!(
                dead.waiting.map(|(reason, _)| reason),
                Some(WaitReason::BreakerOpen)
            );
        }
        let silent = ended(ErrorClass::Auth, Probed::Silent, 40);
        assert!(silent.outcome == Outcome::Waiting && !silent.uses_attempt);
        let one = ended(ErrorClass::Auth, Probed::Alive, 0);
        assert!(one.outcome == Outcome::Failed && one.uses_attempt && one.waiting.is_none());
    }
}
