//! Imports whose worker died while they were queued at ActiveCampaign, or did not hear whether they were taken: their
//! contacts are busy until it is known that nothing of them can arrive any more (sync.md, promise 6). Then the newest state of
//! their records is sent.

use super::super::import::{GIVEN_UP, LATEST_LOOK};
use super::super::{Account, Engine, worker};
use crate::activecampaign::{BatchId, ImportState};
use crate::http::REQUEST_TIMEOUT;
use crate::model::{ErrorClass, PauseKind};
use crate::store::{Flight, StoreError};
use std::time::Duration;

/// How often flights are looked for that nobody looks after.
const LOOK: Duration = Duration::from_secs(1);

/// Looks after what other workers left, for as long as the engine runs.
pub async fn watch(engine: Engine) {
    let mut here = engine.store().changes();
    let mut elsewhere = engine.store().changes_elsewhere();
    loop {
        here.mark_unchanged();
        elsewhere.mark_unchanged();
        let any = look(&engine).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "imports on their way could not be looked after");
            true
        });
        let next = async {
            // Where there are none, somebody has to write of one first.
            if !any {
                tokio::select! {
                    _ = here.changed() => {}
                    _ = elsewhere.changed() => {}
                }
            }
            tokio::time::sleep(LOOK).await;
        };
        tokio::select! {
            () = engine.inner.stop.cancelled() => return,
            () = next => {}
        }
    }
}

/// True if any import is on its way.
async fn look(engine: &Engine) -> Result<bool, StoreError> {
    let (store, owner) = (engine.store(), &engine.inner.owner);
    let settings = engine.settings();
    let flights = store.flights().await?;
    let any = !flights.is_empty();
    for flight in flights {
        let Some(account) = settings.accounts.get(&flight.connection) else {
            continue;
        };
        if !flight.is_left && !worker::is_dead(&flight.owner) {
            continue;
        }
        let age = store.now().duration_since(flight.sent_at);
        let age = Duration::try_from(age).unwrap_or_default();
        let broken =
            store.pauses().await?.iter().any(|pause| {
                pause.connection == flight.connection && pause.kind == PauseKind::Breaker
            });
        // A dead token learns nothing, and must not be asked.
        if (broken && age < GIVEN_UP) || !store.take_flight(&flight, owner).await? {
            continue;
        }
        if age >= GIVEN_UP || has_landed(account, &flight, age).await {
            tracing::info!(import = flight.import, connection = %flight.connection,
                "an import that was left alone is over; its contacts are free");
            store.flight_ended(flight.id).await?;
            engine.wake();
        } else {
            let wait = (age / 4).clamp(LOOK, LATEST_LOOK);
            let again = store.now().checked_add(wait).unwrap_or(store.now());
            store.leave_flights(&[flight.id], again).await?;
        }
    }
    Ok(any)
}

/// True if nothing of an import can arrive any more.
async fn has_landed(account: &Account, flight: &Flight, age: Duration) -> bool {
    let client = &account.activecampaign;
    let Some(import) = &flight.import else {
        // Its answer was not heard. Once the request cannot be on its way any more, an account in which no import is
        // outstanding has not taken it, or is done with it.
        return age > REQUEST_TIMEOUT && matches!(client.outstanding_imports().await, Ok(0));
    };
    match client.import_info(&BatchId::new(import)).await {
        Ok(info) => matches!(
            info.state,
            ImportState::Completed | ImportState::Failed | ImportState::Interrupted
        ),
        // It is not known any more.
        Err(error) => matches!(error.class, ErrorClass::Invalid | ErrorClass::Missing),
    }
}
