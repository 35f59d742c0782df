//! Where a run stands still: while its account or mapping is paused nothing new is begun, and while the account's credential is
//! refused nothing is asked at all. What is under way when a person pauses is still confirmed.

use super::run::{Halt, Work};
use crate::http::ApiError;
use crate::model::{Pause, PauseKind};
use crate::sync::breaker::{self, Probed};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How often another process's end of a pause is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// For how long a run that was seen free goes on without another look.
const TRUST: Duration = Duration::from_millis(200);

impl Work {
    /// Returns once neither a person nor a breaker stops the run, or once it is to halt.
    ///
    /// # Errors
    /// The store failed.
    pub async fn stand_by(&self) -> Result<(), Halt> {
        if !self.was_free() {
            self.wait_while(|_| true).await?;
            self.note_free(Some(Instant::now()));
        }
        Ok(())
    }

    /// True if the run's account or mapping is paused.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_paused(&self) -> Result<bool, Halt> {
        if self.was_free() {
            return Ok(false);
        }
        let pauses = self.store().pauses_on(self.connection(), self.name());
        Ok(!pauses.await?.is_empty())
    }

    /// True if nothing paused the run a moment ago.
    fn was_free(&self) -> bool {
        let seen = *self.free.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|at| at.elapsed() < TRUST)
    }

    fn note_free(&self, seen: Option<Instant>) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Returns once the account's credential is not known to be refused, or once the run is to halt.
    ///
    /// # Errors
    /// The store failed.
    pub async fn mended(&self) -> Result<(), Halt> {
        if self.was_free() {
            return Ok(());
        }
        self.wait_while(|pause| pause.kind == PauseKind::Breaker)
            .await
    }

    async fn wait_while(&self, stops: impl Fn(&Pause) -> bool) -> Result<(), Halt> {
        // A dry run sends nothing, and whoever started it waits for it.
        if self.options.dry_run {
            return Ok(());
        }
        let mut changes = self.store().changes();
        let mut told = false;
        while !self.halt.is_cancelled() {
            changes.mark_unchanged();
            let pauses = self.store().pauses_on(self.connection(), self.name());
            let Some(pause) = pauses.await?.into_iter().find(&stops) else {
                break;
            };
            if !told {
                tracing::warn!(run = %self.id, by = pause.by, reason = pause.reason, "the export waits: it is paused");
                told = true;
            }
            if pause.kind == PauseKind::Breaker {
                // Not every process that exports has a worker to ask.
                breaker::ask(&self.engine, std::slice::from_ref(self.connection()), false).await;
            }
            tokio::select! {
                () = self.halt.cancelled() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        if told {
            tracing::info!(run = %self.id, "the export goes on");
        }
        Ok(())
    }

    /// What the account says of the token that an error puts in doubt. A dead one stops the account, as a job's would.
    pub async fn probed(&self, error: &ApiError) -> Probed {
        let probed = breaker::probe(&self.account, error.api).await;
        if probed == Probed::Dead {
            let (store, owner) = (self.store(), &self.engine.inner.owner);
            let problem = error.clone().into();
            breaker::open(store, self.connection(), error.api, &problem, owner).await;
            self.note_free(None);
        }
        probed
    }
}
