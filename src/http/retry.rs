//! Whether and when a call is tried again (sync.md, error classes).

use super::backoff::backoff;
use super::error::ApiError;
use super::request::Request;
use super::transport::{Failure, Transport};
use crate::model::ErrorClass;
use crate::model::call::Api;
use std::time::Duration;

/// Further tries of a read after a transient error.
const READ_RETRIES: u32 = 3;
/// Further tries after an ActiveCampaign 403, which is at times false (fact sheet §1.2).
const FORBIDDEN_RETRIES: u32 = 2;
/// A 503 without Retry-After is taken for a rate-limit answer at most so often in one call.
const UNAVAILABLE_RETRIES: u32 = 3;

/// What one call has tried so far.
#[derive(Default)]
pub(super) struct Tries {
    transient: u32,
    forbidden: u32,
    unavailable: u32,
    /// Asked for by rate-limit answers, in sum.
    waited: Duration,
    refreshed: bool,
}

impl Transport {
    /// Decides whether and when to try again; `None` is no.
    pub(super) async fn again(
        &self,
        request: &Request,
        failure: &Failure,
        tries: &mut Tries,
    ) -> Result<Option<Duration>, ApiError> {
        let error = &failure.error;
        match (error.class, error.status) {
            (ErrorClass::Throttled, Some(status)) => {
                let import = status == 400;
                if status == 503 && error.retry_after.is_none() {
                    tries.unavailable += 1;
                    if tries.unavailable > UNAVAILABLE_RETRIES {
                        let mut error = error.clone();
                        error.class = ErrorClass::Transient;
                        error.ambiguous = request.write;
                        return Err(error);
                    }
                }
                let (slot, also) = failure.slots;
                let wait = match (&request.also, also) {
                    (Some(imports), Some(slot)) if import => {
                        imports.refused(slot, error.retry_after).await
                    }
                    _ => self.budget.refused(slot, error.retry_after).await,
                };
                tries.waited += wait;
                if tries.waited > self.patience {
                    let mut error = error.clone();
                    error.retry_after = Some(wait);
                    return Err(error);
                }
                // The next permit waits for the budget, so no further sleep is needed.
                Ok(Some(Duration::ZERO))
            }
            (ErrorClass::Auth, Some(401 | 403)) => {
                if !tries.refreshed
                    && let Some(refused) = &failure.token
                {
                    tries.refreshed = true;
                    if self
                        .token
                        .refresh(refused)
                        .await
                        .map_err(|problem| ApiError::before_sending(self.api, problem))?
                    {
                        return Ok(Some(Duration::ZERO));
                    }
                }
                let doubtful = self.api == Api::ActiveCampaign
                    && error.status == Some(403)
                    && request.doubt_forbidden
                    && tries.forbidden < FORBIDDEN_RETRIES;
                if !doubtful {
                    return Ok(None);
                }
                tries.forbidden += 1;
                Ok(Some(Duration::from_millis(
                    u64::from(tries.forbidden) * 200 + fastrand::u64(0..200),
                )))
            }
            (ErrorClass::Transient, _) if !request.write && tries.transient < READ_RETRIES => {
                let jitter = backoff(
                    tries.transient,
                    Duration::from_millis(250),
                    Duration::from_secs(5),
                    &mut fastrand::Rng::new(),
                );
                tries.transient += 1;
                Ok(Some(error.retry_after.map_or(jitter, |asked| {
                    asked.min(Duration::from_secs(30)).max(jitter)
                })))
            }
            _ => Ok(None),
        }
    }
}
