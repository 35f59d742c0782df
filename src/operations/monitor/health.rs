//! Whether the credentials open their accounts. The accounts are asked now and then, and at once when a call was refused;
//! whoever wants to know is told what was found last, and causes no call. An account whose breaker is open is asked by the
//! breaker alone: one worker of all, ever more rarely.

use super::Operations;
use crate::http::backoff::ceiling;
use crate::http::{ApiError, Lane, Observer};
use crate::model::call::{Api, Call};
use crate::model::{ConnectionName, ErrorClass, Finding, Pause, PauseKind, Problem};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a good credential is believed: a call of each API in five minutes.
const BELIEVED: Duration = Duration::from_secs(300);
/// How long a bad one is, if no call succeeds meanwhile: at first, and at most.
const DOUBTED: Duration = Duration::from_secs(2);
const DOUBTED_MOST: Duration = Duration::from_secs(60);
/// The shortest time between two questions to one account.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of each account. Clones share it.
#[derive(Clone, Default)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    known: Mutex<BTreeMap<(ConnectionName, Api), Known>>,
    /// The connections whose breaker is open, with its reason.
    broken: Mutex<BTreeMap<ConnectionName, String>>,
    doubt: Notify,
}

#[derive(Default)]
struct Known {
    /// `None` before the first answer that tells.
    state: Option<Result<(), Problem>>,
    /// Why the last question told nothing.
    unheard: Option<Problem>,
    asked: Option<Instant>,
    /// Answers in a row that were not good.
    bad: u32,
    /// A call since then was refused, or went through against expectation.
    doubt: bool,
}

impl Known {
    fn is_due(&self) -> bool {
        let age = self.asked.map(|asked| asked.elapsed());
        let believed = match &self.state {
            Some(Ok(())) if self.unheard.is_none() => BELIEVED,
            _ => ceiling(self.bad.saturating_sub(1), DOUBTED, DOUBTED_MOST),
        };
        age.is_none_or(|age| age >= believed || (self.doubt && age >= PAUSE))
    }

    /// Takes an answer in; true if the credential is good again.
    fn take(&mut self, answer: Result<(), ApiError>) -> bool {
        let again = answer.is_ok() && matches!(self.state, Some(Err(_)));
        self.asked = Some(Instant::now());
        self.doubt = false;
        self.unheard = None;
        self.bad = match answer {
            Ok(()) => 0,
            Err(_) => self.bad.saturating_add(1),
        };
        match answer {
            Ok(()) => self.state = Some(Ok(())),
            // A credential that cannot even be read is as bad as one that is refused.
            Err(error) if matches!(error.class, ErrorClass::Auth | ErrorClass::Config) => {
                self.state = Some(Err(error.into()));
            }
            // Of the credential this says nothing.
            Err(error) => self.unheard = Some(error.into()),
        }
        again
    }
}

impl Health {
    /// Hears of the calls of a connection's accounts on their way to another observer, which is told whose they are.
    pub fn observer(&self, connection: &ConnectionName, then: Observer) -> Observer {
        let (health, connection) = (self.clone(), connection.clone());
        Arc::new(move |call| {
            crate::metrics::request(&connection, call);
            health.heard(&connection, call);
            then(&Call {
                connection: Some(connection.clone()),
                ..call.clone()
            });
        })
    }

    fn heard(&self, connection: &ConnectionName, call: &Call) {
        let refused = call.class == Some(ErrorClass::Auth);
        let mut known = self.known();
        let Some(known) = known.get_mut(&(connection.clone(), call.api)) else {
            return;
        };
        let surprise = match &known.state {
            Some(Ok(())) => refused,
            Some(Err(_)) => call.class.is_none(),
            None => {
                // Whatever went through was let in.
                if call.class.is_none() {
                    known.state = Some(Ok(()));
                }
                false
            }
        };
        if surprise && !known.doubt {
            known.doubt = true;
            self.inner.doubt.notify_one();
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(ConnectionName, Api), Known>> {
        self.inner
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self) -> MutexGuard<'_, BTreeMap<ConnectionName, String>> {
        self.inner
            .broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in whose breaker is open. What that breaker found is known here, too; once it has closed the account is asked.
    fn take_breakers(&self, pauses: Vec<Pause>) {
        let open: BTreeMap<ConnectionName, String> = pauses
            .into_iter()
            .filter(|pause| pause.kind == PauseKind::Breaker)
            .map(|pause| (pause.connection, pause.reason))
            .collect();
        let mut known = self.known();
        for ((connection, api), known) in known.iter_mut() {
            let named = open
                .get(connection)
                .filter(|reason| reason.starts_with(api.title()));
            if let Some(reason) = named
                && !matches!(known.state, Some(Err(_)))
            {
                known.state = Some(Err(Problem::new(ErrorClass::Auth, reason.clone())));
            }
        }
        let mut broken = self.broken();
        for ((connection, _), known) in known.iter_mut() {
            if broken.contains_key(connection) && !open.contains_key(connection) {
                known.doubt = true;
            }
        }
        *broken = open;
    }

    /// The accounts that are to be asked now.
    fn due(&self, connections: &[ConnectionName]) -> Vec<(ConnectionName, Api)> {
        let mut known = self.known();
        known.retain(|(connection, _), _| connections.contains(connection));
        for connection in connections {
            for api in [Api::HighLevel, Api::ActiveCampaign] {
                known.entry((connection.clone(), api)).or_default();
            }
        }
        let broken = self.broken();
        known
            .iter()
            .filter(|((connection, _), known)| known.is_due() && !broken.contains_key(connection))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// What is known of each account, a line each.
    pub fn findings(&self) -> Vec<Finding> {
        self.known()
            .iter()
            .map(|((connection, api), known)| {
                let item = format!("{connection} {}", api.name());
                let problem = match (&known.state, &known.unheard) {
                    (Some(Ok(())), None) => {
                        return Finding::ok(item, "the credential opens the account");
                    }
                    (Some(Ok(())), Some(problem)) => {
                        let message = format!("the credential was good; now: {problem}");
                        return Finding::warning(item, message);
                    }
                    (Some(Err(problem)), _) | (None, Some(problem)) => problem,
                    (None, None) => return Finding::error(item, "not asked yet"),
                };
                let mut finding = Finding::error(item, problem.message.clone());
                finding.remedy.clone_from(&problem.remedy);
                finding
            })
            .collect()
    }

    /// Whether each account's credential is good, as far as that is known.
    pub fn verdicts(&self) -> Vec<(ConnectionName, Api, bool)> {
        self.known()
            .iter()
            .filter_map(|((connection, api), known)| {
                let good = known.state.as_ref()?.is_ok();
                Some((connection.clone(), *api, good))
            })
            .collect()
    }
}

impl Operations {
    /// Asks the accounts whenever it is time to.
    pub(super) async fn watch_credentials(&self) {
        let health = &self.inner.health;
        loop {
            match self.inner.store.pauses().await {
                Ok(pauses) => health.take_breakers(pauses),
                Err(error) => tracing::warn!(%error, "breakers could not be read"),
            }
            let due = health.due(&self.connections());
            // Side by side: an account that does not answer keeps no other waiting.
            join_all(due.into_iter().map(|key| self.ask(key))).await;
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = health.inner.doubt.notified() => {}
            }
        }
    }

    async fn ask(&self, (connection, api): (ConnectionName, Api)) {
        let state = self.state();
        let Some(opened) = state.accounts.get(&connection) else {
            return;
        };
        let account = opened.account.lane(Lane::Bulk);
        let answer = match api {
            Api::HighLevel => account.highlevel.probe().await.map(drop),
            Api::ActiveCampaign => account.activecampaign.me().await.map(drop),
        };
        let again = self
            .inner
            .health
            .known()
            .get_mut(&(connection, api))
            .is_some_and(|known| known.take(answer));
        // What waits for it need not wait for the breaker's own question.
        if again && let Err(problem) = self.inner.engine.credentials_changed().await {
            tracing::warn!(%problem, "what waits for the token could not be woken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    fn error(class: ErrorClass) -> ApiError {
        ApiError::new(Api::HighLevel, class, "no")
    }

    fn levels(health: &Health) -> Vec<Level> {
        health
            .findings()
            .iter()
            .map(|finding| finding.level)
            .collect()
    }

    #[test]
    fn an_account_whose_breaker_is_open_is_not_asked_here() {
        let health = Health::default();
        let connections = ["default".into(), "other".into()];
        assert_eq!(health.due(&connections).len(), 4);
        let breaker = Pause {
            connection: "default".into(),
            mapping: None,
            kind: PauseKind::Breaker,
            reason: "ActiveCampaign refuses the token: no".into(),
            by: "host/1/1".into(),
            since: jiff::Timestamp::UNIX_EPOCH,
            until: None,
        };
        health.take_breakers(vec![breaker]);
        let due = health.due(&connections);
        assert!(
            due.iter()
                .all(|(connection, _)| *connection == connections[1])
        );
        let verdict = ("default".into(), Api::ActiveCampaign, false);
        assert_eq!(health.verdicts(), [verdict]);
        health.take_breakers(Vec::new());
        assert_eq!(health.due(&connections).len(), 4);
    }

    #[test]
    fn an_outage_says_nothing_of_a_credential_and_a_refusal_does() {
        let health = Health::default();
        let connections = ["default".into()];
        assert_eq!(health.due(&connections).len(), 2);
        assert_eq!(levels(&health), [Level::Error, Level::Error]);
        let take = |answer: fn() -> Result<(), ApiError>| {
            for known in health.known().values_mut() {
                known.take(answer());
            }
            levels(&health)
        };
        assert_eq!(
            take(|| Err(error(ErrorClass::Transient))),
            [Level::Error; 2]
        );
        assert_eq!(take(|| Ok(())), [Level::Ok; 2]);
        assert!(health.due(&connections).is_empty());
        assert_eq!(
            take(|| Err(error(ErrorClass::Transient))),
            [Level::Warning; 2]
        );
        assert_eq!(take(|| Err(error(ErrorClass::Auth))), [Level::Error; 2]);
        // Still bad while nothing better is known.
        assert_eq!(
            take(|| Err(error(ErrorClass::Throttled))),
            [Level::Error; 2]
        );
        assert!(health.due(&[]).is_empty() && health.findings().is_empty());
    }
}
