//! Weighing the conditions, and delivering what came of it.

use super::channel::{Channel, Notice, PATIENCE};
use super::condition::{Condition, Key, Limits, next};
use crate::http::backoff::backoff;
use crate::metrics;
use crate::model::call::Api;
use crate::model::export::RunState;
use crate::model::{ConnectionName, JobState, MappingName, Pause, PauseKind};
use crate::store::{Alert, AlertMessage, Result, Store};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Failed jobs are counted up to here: beyond, the number tells nothing more.
const MOST: u64 = 10_000;
/// An export that failed longer ago than this is no news.
const NEWS: Duration = Duration::from_secs(86_400);
/// The waits between deliveries of one message.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A message that cannot be delivered for so long is given up.
const GIVEN_UP: Duration = Duration::from_secs(86_400);

/// Weighs the conditions, look after look.
#[derive(Default)]
pub struct Watch {
    /// Since when each mapping's queue could have moved: this process works it, and nothing is paused.
    open: BTreeMap<(ConnectionName, MappingName), Timestamp>,
}

impl Watch {
    /// Weighs every condition by what the store says now, and notes what changed. Messages that come of it wait in the
    /// store for [`deliver`].
    ///
    /// # Errors
    /// The store failed.
    pub async fn weigh(
        &mut self,
        store: &Store,
        limits: &Limits,
        connections: &[ConnectionName],
        now: Timestamp,
    ) -> Result<()> {
        let known: BTreeMap<Key, Alert> = store
            .alerts()
            .await?
            .into_iter()
            .map(|alert| (Key::of(&alert), alert))
            .collect();
        let mut seen = BTreeMap::new();
        let failed = store.failed_within(limits.within, MOST).await?;
        let failed = (failed >= limits.failed).then_some(Condition::Failed {
            number: failed,
            within: limits.within,
        });
        seen.insert(Key::failed(), failed);
        let pauses = store.pauses().await?;
        for connection in connections {
            let breaker = breaker(&pauses, connection);
            for api in [Some(Api::HighLevel), Some(Api::ActiveCampaign), None] {
                let key = Key::credential(connection, api);
                // What an older version told without the API holds for as long as the breaker is open.
                let told = api.is_none() && known.get(&key).is_some_and(|alert| alert.firing);
                let dead = breaker.filter(|pause| told || pause.refused_by() == api);
                let dead = dead.map(|pause| Condition::Credential {
                    connection: connection.clone(),
                    api,
                    reason: pause.reason.clone(),
                });
                seen.insert(key, dead);
            }
        }
        self.stalled(store, limits, connections, &pauses, now, &mut seen)
            .await?;
        exports(store, &known, now, &mut seen).await?;
        for (key, condition) in seen {
            let breaker = breaker(&pauses, &key.connection);
            let text = condition
                .as_ref()
                .map_or_else(|| key.over(breaker), Condition::text);
            let holds = condition.is_some();
            note(store, limits, known.get(&key), &key, holds, text, now).await?;
        }
        Ok(())
    }

    /// A queue stands still only if it could have moved for the whole time: not right after the start of the only worker,
    /// nor after a pause.
    async fn stalled(
        &mut self,
        store: &Store,
        limits: &Limits,
        connections: &[ConnectionName],
        pauses: &[Pause],
        now: Timestamp,
        seen: &mut BTreeMap<Key, Option<Condition>>,
    ) -> Result<()> {
        let figures = store.job_figures().await?;
        for connection in connections {
            let mut moving = Vec::new();
            for figure in figures.iter().filter(|figure| {
                figure.connection == *connection && figure.state == JobState::Ready
            }) {
                let mapping = &figure.mapping;
                let key = (connection.clone(), mapping.clone());
                if pauses
                    .iter()
                    .any(|pause| pause.stops(connection.as_str(), mapping.as_str()))
                {
                    self.open.remove(&key);
                    continue;
                }
                let open = *self.open.entry(key).or_insert(now);
                if now.duration_since(open).unsigned_abs() >= limits.stalled {
                    moving.push(mapping.clone());
                }
            }
            let stalled = store.stalled(connection, &moving, limits.stalled).await?;
            let stalled = stalled.map(|number| Condition::Stalled {
                connection: connection.clone(),
                number,
                time: limits.stalled,
            });
            seen.insert(Key::stalled(connection), stalled);
        }
        Ok(())
    }
}

/// The last export of each mapping. While one is at work or paused, what was said of the one before stands.
async fn exports(
    store: &Store,
    known: &BTreeMap<Key, Alert>,
    now: Timestamp,
    seen: &mut BTreeMap<Key, Option<Condition>>,
) -> Result<()> {
    for run in store.last_runs().await? {
        let key = Key::export(&run.connection, &run.mapping);
        let fires = known.get(&key).is_some_and(|alert| alert.firing);
        match run.state {
            RunState::Running | RunState::Paused => {}
            RunState::Completed | RunState::Cancelled => {
                seen.insert(key, None);
            }
            RunState::Failed => {
                let ended = run.ended_at.unwrap_or(run.updated_at);
                if fires || now.duration_since(ended).unsigned_abs() < NEWS {
                    seen.insert(key, Some(Condition::Export(Box::new(run))));
                }
            }
        }
    }
    Ok(())
}

/// What stops a whole connection whose credential is refused.
fn breaker<'a>(pauses: &'a [Pause], connection: &ConnectionName) -> Option<&'a Pause> {
    pauses
        .iter()
        .find(|pause| pause.connection == *connection && pause.kind == PauseKind::Breaker)
}

/// Notes whether a condition holds; `text` is what people are told if that is news.
async fn note(
    store: &Store,
    limits: &Limits,
    known: Option<&Alert>,
    key: &Key,
    holds: bool,
    text: String,
    now: Timestamp,
) -> Result<()> {
    let cooldown = limits.cooldown;
    // Without the write lock first: as a rule nothing changes.
    if next(known, key, holds, cooldown, now).is_none() {
        return Ok(());
    }
    store
        .weigh_alert(&key.connection, &key.name, |before, now| {
            let (after, tell) = next(before.as_ref(), key, holds, cooldown, now)?;
            if after.firing != before.is_some_and(|before| before.firing) {
                tracing::warn!(condition = key.name, connection = %key.connection, holds, text, "alert condition");
            }
            Some((after, tell.then_some(text)))
        })
        .await
}

/// Delivers what is due, one message after the other; answers when nothing more is.
///
/// # Errors
/// The store failed. A delivery that fails is logged and tried again later.
pub async fn deliver(
    store: &Store,
    channel: &Channel,
    folder: &Path,
    environment: &str,
) -> Result<()> {
    // Held beyond the longest delivery, so that nobody else takes it meanwhile.
    while let Some(message) = store.take_alert_message(PATIENCE * 2).await? {
        let notice = notice(&message, environment);
        let again = match channel.send(&notice, folder).await {
            Ok(()) => {
                metrics::alert_delivery(true);
                tracing::info!(condition = message.condition, connection = %message.connection,
                    state = notice.state, "alert delivered");
                None
            }
            Err(problem) => {
                metrics::alert_delivery(false);
                let age = Timestamp::now()
                    .duration_since(message.created_at)
                    .unsigned_abs();
                let again = (age < GIVEN_UP).then(|| wait(message.tries));
                tracing::warn!(condition = message.condition, connection = %message.connection, %problem,
                    given_up = again.is_none(), "alert not delivered");
                again
            }
        };
        store.settle_alert_message(message.id, again).await?;
    }
    Ok(())
}

fn wait(tries: u32) -> Duration {
    backoff(tries, FIRST_WAIT, LONGEST_WAIT, &mut fastrand::Rng::new())
}

fn notice(message: &AlertMessage, environment: &str) -> Notice {
    let place = if environment.is_empty() {
        "Tramline".to_owned()
    } else {
        format!("Tramline ({environment})")
    };
    Notice {
        text: format!("{place}: {}", message.text),
        condition: message.condition.clone(),
        connection: message.connection.to_string(),
        state: if message.recovered {
            "recovered"
        } else {
            "firing"
        },
        environment: environment.to_owned(),
        at: message.created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pause::refusal;
    use crate::model::view::Outcome;
    use crate::model::{ErrorClass, Problem, Trigger};
    use crate::store::{Clock, NewJob, Settlement};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct TestClock(AtomicI64);

    impl TestClock {
        fn advance(&self, seconds: i64) {
            self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    const LIMITS: Limits = Limits {
        failed: 2,
        within: Duration::from_secs(600),
        stalled: Duration::from_secs(600),
        cooldown: Duration::from_secs(3_600),
    };

    async fn store() -> (Store, Arc<TestClock>) {
        let clock = Arc::new(TestClock(AtomicI64::new(Timestamp::now().as_microsecond())));
        (Store::memory_at(clock.clone()).await.unwrap(), clock)
    }

    async fn enqueue(store: &Store, record: &str) {
        let job = NewJob {
            connection: "default".into(),
            mapping: "pets".into(),
            object: "custom_objects.pets".into(),
            record: record.into(),
            trigger: Trigger::Webhook,
            not_before: None,
        };
        store.enqueue(&job).await.unwrap();
    }

    async fn fail_one(store: &Store, record: &str) {
        enqueue(store, record).await;
        let claim = store
            .claim("test", &["default".into()], 1)
            .await
            .unwrap()
            .remove(0);
        let settlement = Settlement {
            error: Some(Problem::new(
                ErrorClass::Invalid,
                "canary@example.org is no e-mail",
            )),
            ..Settlement::new(Outcome::Failed, JobState::Failed)
        };
        store
            .settle(&claim.job, claim.epoch, &settlement)
            .await
            .unwrap();
    }

    async fn weigh(watch: &mut Watch, store: &Store, clock: &TestClock) {
        watch
            .weigh(store, &LIMITS, &["default".into()], clock.now())
            .await
            .unwrap();
    }

    async fn told(store: &Store) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(message) = store.take_alert_message(PATIENCE).await.unwrap() {
            store.settle_alert_message(message.id, None).await.unwrap();
            told.push(message.text);
        }
        told
    }

    #[tokio::test]
    async fn failures_are_told_once_by_all_workers_together_and_without_what_they_say() {
        let (store, clock) = store().await;
        let mut watch = Watch::default();
        fail_one(&store, "r1").await;
        weigh(&mut watch, &store, &clock).await;
        assert!(told(&store).await.is_empty());
        fail_one(&store, "r2").await;
        let mut workers: Vec<Watch> = (0..8).map(|_| Watch::default()).collect();
        let all = workers.iter_mut().map(|watch| weigh(watch, &store, &clock));
        futures_util::future::join_all(all).await;
        let first = told(&store).await;
        assert_eq!(first.len(), 1, "{first:?}");
        assert!(
            first[0].starts_with("2 jobs failed within 10 min"),
            "{first:?}"
        );
        assert!(!first[0].contains("canary"));
        clock.advance(601);
        for _ in 0..2 {
            weigh(&mut watch, &store, &clock).await;
        }
        let over = told(&store).await;
        assert_eq!(over.len(), 1, "{over:?}");
        assert!(over[0].starts_with("over:"));
    }

    #[tokio::test]
    async fn a_queue_that_stands_still_is_told_and_one_that_moves_is_not() {
        let (store, clock) = store().await;
        let mut watch = Watch::default();
        enqueue(&store, "r1").await;
        weigh(&mut watch, &store, &clock).await;
        clock.advance(599);
        weigh(&mut watch, &store, &clock).await;
        assert!(told(&store).await.is_empty());
        clock.advance(2);
        // A worker that has just begun could not have moved it yet.
        weigh(&mut Watch::default(), &store, &clock).await;
        assert!(told(&store).await.is_empty());
        weigh(&mut watch, &store, &clock).await;
        let stands = told(&store).await;
        assert_eq!(stands.len(), 1, "{stands:?}");
        assert!(stands[0].contains("stands still"), "{stands:?}");
        fail_one(&store, "r1").await;
        weigh(&mut watch, &store, &clock).await;
        assert_eq!(told(&store).await, ["over: the queue of default goes on"]);
    }

    #[tokio::test]
    async fn a_dead_credential_is_told_and_its_queue_does_not_stand_still() {
        let (store, clock) = store().await;
        let mut watch = Watch::default();
        enqueue(&store, "r1").await;
        weigh(&mut watch, &store, &clock).await;
        let refused = |api| refusal(api, "401 the token is refused");
        let reason = refused(Api::HighLevel);
        store
            .open_breaker(&"default".into(), &reason, "test")
            .await
            .unwrap();
        clock.advance(601);
        weigh(&mut watch, &store, &clock).await;
        let dead = told(&store).await;
        assert_eq!(dead.len(), 1, "{dead:?}");
        assert!(dead[0].contains("401 the token is refused"), "{dead:?}");
        store.close_breaker(&"default".into()).await.unwrap();
        // Nothing was attempted yet, but nothing could have been.
        weigh(&mut watch, &store, &clock).await;
        let over = told(&store).await;
        assert_eq!(over.len(), 1, "{over:?}");
        assert!(over[0].starts_with("over: the credential"), "{over:?}");
        assert!(over[0].contains("by HighLevel"), "{over:?}");

        // The other API's credential is another matter, which no cooldown keeps quiet.
        let reason = refused(Api::ActiveCampaign);
        store
            .open_breaker(&"default".into(), &reason, "test")
            .await
            .unwrap();
        weigh(&mut watch, &store, &clock).await;
        let dead = told(&store).await;
        assert_eq!(dead.len(), 1, "{dead:?}");
        assert!(
            dead[0].contains("its ActiveCampaign credential"),
            "{dead:?}"
        );
        // That one is mended, and now the first is refused again: it was told less than a cooldown ago.
        assert!(
            store
                .turn_breaker(&"default".into(), &refused(Api::HighLevel), "test")
                .await
                .unwrap()
        );
        weigh(&mut watch, &store, &clock).await;
        let over = told(&store).await;
        assert_eq!(over.len(), 1, "{over:?}");
        assert!(over[0].contains("by ActiveCampaign"), "{over:?}");
        assert!(
            over[0].ends_with("its jobs wait for its HighLevel credential"),
            "{over:?}"
        );
    }

    #[tokio::test]
    async fn what_an_older_version_told_of_a_credential_is_over_with_its_breaker() {
        let (store, clock) = store().await;
        let (mut watch, connection) = (Watch::default(), ConnectionName::from("default"));
        // Neither the condition nor the breaker's reason said which API it is.
        store
            .open_breaker(&connection, "401 the token is refused", "test")
            .await
            .unwrap();
        store
            .weigh_alert(&connection, "credential", |before, now| {
                let key = Key::credential(&connection, None);
                next(before.as_ref(), &key, true, LIMITS.cooldown, now)
                    .map(|(after, _)| (after, None))
            })
            .await
            .unwrap();
        weigh(&mut watch, &store, &clock).await;
        assert!(told(&store).await.is_empty());
        store.close_breaker(&connection).await.unwrap();
        for _ in 0..2 {
            weigh(&mut watch, &store, &clock).await;
        }
        assert_eq!(
            told(&store).await,
            ["over: the credential of default is accepted, its jobs go on"]
        );
    }

    #[tokio::test]
    async fn messages_of_a_condition_keep_their_order_and_are_tried_again() {
        let (store, clock) = store().await;
        let mut watch = Watch::default();
        fail_one(&store, "r1").await;
        fail_one(&store, "r2").await;
        weigh(&mut watch, &store, &clock).await;
        clock.advance(601);
        weigh(&mut watch, &store, &clock).await;
        let first = store.take_alert_message(PATIENCE).await.unwrap().unwrap();
        assert!(!first.recovered);
        // The second waits for the first, and nobody else gets that one meanwhile.
        assert_eq!(store.take_alert_message(PATIENCE).await.unwrap(), None);
        store
            .settle_alert_message(first.id, Some(Duration::from_secs(60)))
            .await
            .unwrap();
        assert_eq!(store.take_alert_message(PATIENCE).await.unwrap(), None);
        clock.advance(60);
        let again = store.take_alert_message(PATIENCE).await.unwrap().unwrap();
        assert_eq!((again.id, again.tries), (first.id, 1));
        store.settle_alert_message(again.id, None).await.unwrap();
        let second = store.take_alert_message(PATIENCE).await.unwrap().unwrap();
        assert!(second.recovered);
    }
}
