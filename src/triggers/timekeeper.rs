//! What is due at times: polls, scheduled exports, the daily reconcile. Times are rows in the store, by its clock; of several
//! processes the one that claims a row does the work, and a time that passed while no process ran is caught up, once.

use super::{polling, reconcile, schedule};
use crate::mapping::MappingSpec;
use crate::model::{ErrorClass, Pause, PauseKind, Problem};
use crate::store::{Duty, StoreError, Timer, TimerKey};
use crate::sync::{Engine, is_dead};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Configuration may change and other processes may die: a look now and then.
const LOOK: Duration = Duration::from_secs(10);
/// A claim lasts 60 s; a third of it leaves room for two missed beats.
const BEAT: Duration = Duration::from_secs(20);
/// When a scheduled export that could not be started is tried again.
const TRY_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// What webhooks are kept for is looked at so often.
const SWEEP: Duration = Duration::from_secs(3600);

/// Keeps the times of this process's mappings.
#[derive(Clone)]
pub struct Timekeeper {
    pub engine: Engine,
    pub tracker: TaskTracker,
    pub stop: CancellationToken,
    /// A time was moved on.
    pub moved: Arc<Notify>,
}

/// Something a mapping has to do at times.
struct Task {
    key: TimerKey,
    mapping: MappingSpec,
    spec: String,
}

impl Timekeeper {
    /// Keeps times until it is told to stop.
    pub async fn run(self) {
        loop {
            let wait = match self.look().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "what is due could not be looked up");
                    LOOK
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.moved.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Removes webhooks that were worked off as long ago as the settings say.
    pub async fn prune(self) {
        let mut settings = self.engine.settings_changes();
        loop {
            settings.mark_unchanged();
            let keep = self.engine.retention().events;
            let now = self.engine.store().now();
            // A period beyond the calendar keeps everything.
            let before = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
            match self.engine.store().prune_events(before).await {
                Ok(0) => {}
                Ok(events) => tracing::info!(events, "pruned"),
                Err(error) => tracing::error!(%error, "old webhooks could not be pruned"),
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
                // The engine, and with it the other end, outlives this.
                _ = settings.changed() => {}
            }
        }
    }

    /// Starts what is due; how long nothing else will be.
    async fn look(&self) -> Result<Duration, StoreError> {
        let store = self.engine.store();
        // Where another version of a mapping is in force, its times are left to workers that have it.
        let others = store.other_versions().await?;
        let is_others = |key: &TimerKey| {
            others.iter().any(|version| {
                version.mapping == key.mapping && version.connection == key.connection
            })
        };
        let mut tasks = self.tasks();
        tasks.retain(|task| !is_others(&task.key));
        let known = store.timers().await?;
        for timer in &known {
            if !is_others(&timer.key) && !tasks.iter().any(|task| task.key == timer.key) {
                store.drop_timer(&timer.key).await?;
            }
        }
        let pauses = store.pauses().await?;
        let mut next = LOOK;
        for task in tasks {
            let timer = known.iter().find(|timer| timer.key == task.key);
            let due = match timer {
                Some(timer) if timer.spec == task.spec => {
                    self.not_beyond(&task, timer.due_at).await?
                }
                _ => {
                    let Some(first) = task.first(store.now()) else {
                        continue;
                    };
                    store.set_timer(&task.key, &task.spec, first).await?;
                    first
                }
            };
            let now = store.now();
            if due > now {
                let wait = Duration::try_from(due.duration_since(now)).unwrap_or(LOOK);
                next = next.min(wait);
                continue;
            }
            // It stays due, and is caught up once when the pause is lifted.
            if pauses.iter().any(|pause| task.waits_for(pause)) {
                continue;
            }
            let owner = timer.and_then(|timer| timer.owner.as_deref());
            let dead = owner.filter(|owner| is_dead(owner));
            let claimed = store
                .claim_timer(&task.key, self.engine.owner(), dead)
                .await?;
            if let Some(timer) = claimed {
                let keeper = self.clone();
                self.tracker
                    .spawn(async move { keeper.do_it(task, timer).await });
            }
        }
        Ok(next.max(Duration::from_millis(20)))
    }

    /// When a task is due. One that is due later than its next time was put there by a clock that has been set back since:
    /// it is due at its next time instead, be it for the second time.
    async fn not_beyond(&self, task: &Task, due: Timestamp) -> Result<Timestamp, StoreError> {
        let store = self.engine.store();
        let now = store.now();
        if task.latest(now).is_none_or(|latest| due <= latest) {
            return Ok(due);
        }
        let Some(next) = task.next(now) else {
            return Ok(due);
        };
        store.bring_timer_forward(&task.key, next).await?;
        Ok(next)
    }

    /// What the enabled mappings have to do at times.
    fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for (mapping, connection, spec) in self.engine.enabled_mappings() {
            let duties = [
                (Duty::Poll, spec.poll.map(|period| period.to_string())),
                (Duty::Schedule, schedule::spec(&spec)),
                (Duty::Reconcile, Some("daily".to_owned())),
            ];
            for (duty, text) in duties {
                if let Some(text) = text {
                    tasks.push(Task {
                        key: TimerKey {
                            connection: connection.clone(),
                            mapping: mapping.clone(),
                            duty,
                        },
                        mapping: spec.clone(),
                        spec: text,
                    });
                }
            }
        }
        tasks
    }

    /// Does what is due, keeping the claim meanwhile, and moves the time on.
    async fn do_it(&self, task: Task, timer: Timer) {
        let store = self.engine.store();
        let owner = self.engine.owner();
        let (connection, mapping) = (&task.key.connection, &task.key.mapping);
        let (next, done) = tokio::select! {
            result = self.work(&task, timer.done_at) => self.afterwards(&task, result),
            () = self.keep(&task.key) => {
                tracing::warn!(%mapping, duty = task.key.duty.name(), "the claim was lost; another process goes on");
                return;
            }
            // Still due: another process, or the next start, does it.
            () = self.stop.cancelled() => (timer.due_at, false),
        };
        if let Err(error) = store.settle_timer(&task.key, owner, next, done).await {
            tracing::error!(%connection, %mapping, %error, "a time could not be moved on; its claim will expire");
        }
        self.moved.notify_one();
    }

    /// `since` is when it was last done.
    async fn work(&self, task: &Task, since: Option<Timestamp>) -> Result<(), Problem> {
        let (connection, mapping) = (&task.key.connection, &task.key.mapping);
        match task.key.duty {
            Duty::Poll => polling::poll(&self.engine, connection, mapping, &task.mapping)
                .await
                .map(drop),
            Duty::Schedule => {
                schedule::start(&self.engine, connection, mapping, &task.mapping).await
            }
            Duty::Reconcile => {
                reconcile::reconcile(&self.engine, connection, mapping, &task.mapping, since)
                    .await
                    .map(drop)
            }
        }
    }

    /// The next time, and whether the work was done.
    fn afterwards(&self, task: &Task, result: Result<(), Problem>) -> (Timestamp, bool) {
        let now = self.engine.store().now();
        let (mapping, duty) = (&task.key.mapping, task.key.duty.name());
        let next = task.next(now).unwrap_or(Timestamp::MAX);
        match result {
            Ok(()) => (next, true),
            Err(problem) if problem.class == ErrorClass::Config => {
                tracing::error!(%mapping, duty, %problem, "what was due cannot be done");
                (next, false)
            }
            Err(problem) => {
                tracing::warn!(%mapping, duty, %problem, "what was due could not be done; it is tried again");
                let again = now.checked_add(TRY_AGAIN).unwrap_or(next);
                // A poll comes again by itself, soon.
                (next.min(again), false)
            }
        }
    }

    /// Prolongs the claim until it is another's.
    async fn keep(&self, key: &TimerKey) {
        loop {
            tokio::time::sleep(BEAT).await;
            match self
                .engine
                .store()
                .keep_timer(key, self.engine.owner())
                .await
            {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "a claim could not be prolonged"),
            }
        }
    }
}

impl Task {
    /// True if a pause keeps it from being done: a dead credential can read nothing, and a person's pause sends nothing. What
    /// polls and reconciles find under one waits in the queue.
    fn waits_for(&self, pause: &Pause) -> bool {
        let (connection, mapping) = (self.key.connection.as_str(), self.key.mapping.as_str());
        pause.stops(connection, mapping)
            && (pause.kind == PauseKind::Breaker || self.key.duty == Duty::Schedule)
    }

    /// When it is due for the first time.
    fn first(&self, now: Timestamp) -> Option<Timestamp> {
        match self.key.duty {
            Duty::Poll => Some(now),
            Duty::Schedule | Duty::Reconcile => self.next(now),
        }
    }

    /// When it is due after having been done now.
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match self.key.duty {
            Duty::Poll => {
                let period = self.mapping.poll?.duration().max(Duration::from_secs(1));
                now.checked_add(period).ok()
            }
            Duty::Schedule => schedule::next(&self.mapping, now, &mut fastrand::Rng::new()),
            Duty::Reconcile => now.checked_add(SignedDuration::from_hours(24)).ok(),
        }
    }

    /// The latest moment that [`Task::next`] answers.
    fn latest(&self, now: Timestamp) -> Option<Timestamp> {
        match self.key.duty {
            Duty::Schedule => schedule::latest(&self.mapping, now),
            Duty::Poll | Duty::Reconcile => self.next(now),
        }
    }
}
