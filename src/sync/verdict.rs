//! What an API error means for a job (sync.md, error classes).

use super::backoff;
use super::ended::Ended;
use super::job::Desk;
use crate::http::ApiError;
use crate::model::call::Api;
use crate::model::view::Outcome;
use crate::model::{ErrorClass, Problem, WaitReason};
use crate::store::Claim;
use jiff::Timestamp;
use std::time::Duration;

/// How long a job waits for a token that is refused everywhere, before the account is asked again.
const DEAD_TOKEN: Duration = Duration::from_secs(60);
/// How long to stay away where a rate limit was met and no time was told.
const RATE_LIMITED: Duration = Duration::from_secs(60);

impl Desk {
    /// How an attempt ends with an API error.
    pub async fn verdict(&self, claim: &Claim, error: ApiError) -> Ended {
        let token_is_dead = error.class == ErrorClass::Auth && !self.answers(error.api).await;
        let (request, response) = (Some(error.request.clone()), error.response.clone());
        let (class, retry_after) = (error.class, error.retry_after);
        Ended {
            request,
            response,
            ..judge(
                Problem::from(error),
                class,
                retry_after,
                token_is_dead,
                claim.tries,
            )
        }
    }

    /// True if the account's token opens anything at all.
    async fn answers(&self, api: Api) -> bool {
        match api {
            Api::HighLevel => self.account.highlevel.probe().await.is_ok(),
            Api::ActiveCampaign => self.account.activecampaign.me().await.is_ok(),
        }
    }
}

/// What a problem means for a job that was tried `tries` times before: waiting for what passes by itself, else failed.
/// A refused token concerns the whole account and no job in particular; waiting for it uses no attempt.
pub fn judge(
    problem: Problem,
    class: ErrorClass,
    retry_after: Option<Duration>,
    token_is_dead: bool,
    tries: u32,
) -> Ended {
    let (reason, wait, uses_attempt) = match class {
        ErrorClass::Throttled => (
            WaitReason::RateLimited,
            retry_after.unwrap_or(RATE_LIMITED),
            false,
        ),
        ErrorClass::Transient | ErrorClass::Unknown if tries + 1 < backoff::MAX_ATTEMPTS => {
            (WaitReason::Scheduled, backoff::next(tries + 1), true)
        }
        ErrorClass::Auth if token_is_dead => (WaitReason::Scheduled, DEAD_TOKEN, false),
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

    fn judged(class: ErrorClass, token_is_dead: bool, tries: u32) -> Ended {
        judge(Problem::new(class, "no"), class, None, token_is_dead, tries)
    }

    #[test]
    fn what_passes_by_itself_is_waited_for_and_only_failures_use_attempts() {
        let transient = judged(ErrorClass::Transient, false, 0);
        assert_eq!(
            (transient.outcome, transient.uses_attempt),
            (Outcome::Waiting, true)
        );
        let last = judged(ErrorClass::Transient, false, backoff::MAX_ATTEMPTS - 1);
        assert_eq!(last.outcome, Outcome::Failed);
        let throttled = judged(ErrorClass::Throttled, false, 40);
        assert!(throttled.outcome == Outcome::Waiting && !throttled.uses_attempt);
    }

    #[test]
    fn a_dead_token_is_waited_for_and_a_refusal_of_one_call_fails_the_job() {
        let dead = judged(ErrorClass::Auth, true, 40);
        assert!(dead.outcome == Outcome::Waiting && !dead.uses_attempt);
        assert!(dead.error.is_some());
        let one = judged(ErrorClass::Auth, false, 0);
        assert!(one.outcome == Outcome::Failed && one.uses_attempt && one.waiting.is_none());
    }
}
