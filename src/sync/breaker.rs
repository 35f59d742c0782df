//! The breaker of an account whose credential is dead: opened by whoever finds that out, closed by itself once a probe
//! succeeds (sync.md, error classes).

use super::Engine;
use super::account::Account;
use crate::http::ApiError;
use crate::model::call::Api;
use crate::model::pause::refusal;
use crate::model::{ConnectionName, ErrorClass, Pause, Problem};
use crate::store::Store;
use jiff::Timestamp;
use std::time::Duration;

/// How often another process's breakers are looked for.
const LOOK: Duration = Duration::from_secs(10);

/// What an account says to the harmless question whether it knows its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The token opens something.
    Alive,
    /// It is refused everywhere, or cannot be had.
    Dead,
    /// No answer that says which.
    Silent,
}

/// Asks one API of an account (`GET /objects/`, `GET /users/me`).
pub async fn probe(account: &Account, api: Api) -> Probed {
    said(&asked(account, api).await)
}

async fn asked(account: &Account, api: Api) -> Result<(), ApiError> {
    match api {
        Api::HighLevel => account.highlevel.probe().await,
        Api::ActiveCampaign => account.activecampaign.me().await.map(drop),
    }
}

fn said(answer: &Result<(), ApiError>) -> Probed {
    match answer.as_ref().map_err(|error| error.class) {
        Ok(()) => Probed::Alive,
        Err(ErrorClass::Auth | ErrorClass::Config) => Probed::Dead,
        Err(_) => Probed::Silent,
    }
}

/// Stops an account at once; the first to do so tells of it.
pub async fn open(
    store: &Store,
    connection: &ConnectionName,
    api: Api,
    problem: &Problem,
    worker: &str,
) {
    let reason = refusal(api, problem);
    match store.open_breaker(connection, &reason, worker).await {
        Ok(true) => {
            tracing::error!(%connection, %problem, "breaker opened: the account is paused until its credential is accepted")
        }
        Ok(false) => {}
        Err(error) => tracing::error!(%connection, %error, "the breaker could not be opened"),
    }
}

/// Asks broken accounts again, one worker at a time and ever more rarely; all of them at once whenever credentials may have
/// changed, and so at the start. Lasts as long as the engine.
pub async fn watch(engine: Engine) {
    let mut changed = true;
    loop {
        let connections: Vec<ConnectionName> = engine.settings().accounts.keys().cloned().collect();
        ask(&engine, &connections, changed).await;
        let next = engine.store().next_probe(&connections).await.ok().flatten();
        let wait = next.map_or(LOOK, |at| {
            let left = at.duration_since(Timestamp::now());
            Duration::try_from(left).unwrap_or(Duration::ZERO).min(LOOK)
        });
        changed = tokio::select! {
            () = engine.inner.stop.cancelled() => return,
            () = engine.inner.credentials.notified() => true,
            () = tokio::time::sleep(wait.max(Duration::from_millis(100))) => false,
        };
    }
}

/// Asks those of some accounts that are broken and whose time has come; all of them `at_once` where somebody waits.
pub async fn ask(engine: &Engine, connections: &[ConnectionName], at_once: bool) {
    let settings = engine.settings();
    match engine.store().take_probes(connections, at_once).await {
        Ok(broken) => {
            for connection in broken {
                if let Some(account) = settings.accounts.get(&connection) {
                    try_again(engine, account).await;
                }
            }
        }
        Err(error) => tracing::warn!(%error, "breakers could not be read"),
    }
}

async fn try_again(engine: &Engine, account: &Account) {
    for api in [Api::HighLevel, Api::ActiveCampaign] {
        let answer = asked(account, api).await;
        if let Err(error) = &answer {
            tracing::info!(connection = %account.name, api = api.name(), "the credential is still refused");
            if said(&answer) == Probed::Dead {
                turn(engine, account, api, &error.into()).await;
            }
            return;
        }
    }
    match engine.store().close_breaker(&account.name).await {
        Ok(true) => {
            tracing::info!(connection = %account.name, "breaker closed: the credential is accepted again");
            engine.wake();
        }
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "the breaker could not be closed"),
    }
}

/// An API refuses the credential of a broken account. Where the breaker tells of the other one, and that accepts its own by
/// now, it tells of this one from here on: people are to know which to replace.
async fn turn(engine: &Engine, account: &Account, api: Api, problem: &Problem) {
    let (store, owner) = (engine.store(), &engine.inner.owner);
    let pauses = match store.pauses().await {
        Ok(pauses) => pauses,
        Err(error) => {
            tracing::warn!(%error, "breakers could not be read");
            return;
        }
    };
    let told = pauses
        .iter()
        .filter(|pause| pause.connection == account.name)
        .find_map(Pause::refused_by);
    let Some(told) = told.filter(|told| *told != api) else {
        return;
    };
    if probe(account, told).await != Probed::Alive {
        return;
    }
    let reason = refusal(api, problem);
    match store.turn_breaker(&account.name, &reason, owner).await {
        Ok(true) => {
            tracing::error!(connection = %account.name, api = api.name(), %problem, "the breaker stays open: another credential is refused")
        }
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "the breaker could not be turned"),
    }
}
