//! A model of the queue: random stories of enqueueing, claiming, settling, dying and pausing, held after each step against an
//! oracle in memory that knows the rules of sync.md and nothing of SQL. A step may die after any of its statements; the
//! store is then opened anew, and must stand either before the step or behind it.

use super::*;
use crate::model::view;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::Row;
use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

const SECOND: i64 = 1_000_000;
const LEASE: i64 = 30 * SECOND;
/// How a story ended: what went wrong.
type Told = std::result::Result<(), String>;

const RECORDS: [&str; 4] = ["r0", "r1", "r2", "r3"];

/// Two records belong to each of two mappings.
fn mapping_of(record: usize) -> &'static str {
    ["pets", "visits"][record % 2]
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Done,
    Failed,
    /// Waits so many seconds.
    Waits(u8),
    GivenBack,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enqueue {
        record: usize,
        priority: i64,
        delay: u8,
    },
    Claim {
        limit: u32,
    },
    /// The claim of that place among those that were ever handed out; `sent` if a write left.
    Settle {
        claim: usize,
        outcome: Outcome,
        sent: bool,
    },
    Heartbeat {
        claim: usize,
    },
    Advance {
        seconds: u8,
    },
    Pause {
        mapping: Option<usize>,
    },
    Resume {
        mapping: Option<usize>,
    },
    Retry {
        record: usize,
    },
    Discard {
        record: usize,
    },
}

/// A step, and after how many looks at it the process dies.
type Deed = (Step, Option<u8>);

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let record = 0..RECORDS.len();
    let outcome = prop_oneof![
        4 => Just(Outcome::Done),
        2 => Just(Outcome::Failed),
        2 => (1..60_u8).prop_map(Outcome::Waits),
        1 => Just(Outcome::GivenBack),
    ];
    let mapping = prop::option::of(0..2_usize);
    let step = prop_oneof![
        8 => (record.clone(), 0..4_i64, prop_oneof![3 => Just(0_u8), 1 => 1..40_u8])
            .prop_map(|(record, priority, delay)| Step::Enqueue { record, priority, delay }),
        8 => (1..4_u32).prop_map(|limit| Step::Claim { limit }),
        8 => (0..6_usize, outcome, any::<bool>())
            .prop_map(|(claim, outcome, sent)| Step::Settle { claim, outcome, sent }),
        2 => (0..6_usize).prop_map(|claim| Step::Heartbeat { claim }),
        5 => (1..45_u8).prop_map(|seconds| Step::Advance { seconds }),
        1 => mapping.clone().prop_map(|mapping| Step::Pause { mapping }),
        2 => mapping.prop_map(|mapping| Step::Resume { mapping }),
        2 => record.clone().prop_map(|record| Step::Retry { record }),
        1 => record.prop_map(|record| Step::Discard { record }),
    ];
    let death = prop_oneof![3 => Just(None), 2 => (0..14_u8).prop_map(Some)];
    prop::collection::vec((step, death), 1..40)
}

/// What the table holds of a job.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    record: usize,
    state: JobState,
    priority: i64,
    tries: i64,
    epoch: i64,
    lease: Option<i64>,
    wait: Option<i64>,
    follow: Option<i64>,
}

impl Line {
    fn is_open(&self) -> bool {
        !matches!(self.state, JobState::Done | JobState::Discarded)
    }
}

/// A claim as its worker has it.
#[derive(Clone, Debug)]
struct Held {
    claim: Claim,
    record: usize,
    /// Its place among the oracle's lines: a record has other jobs after this one.
    line: usize,
}

/// The rules.
#[derive(Clone, Debug, Default, PartialEq)]
struct Oracle {
    /// In the order of their making.
    lines: Vec<Line>,
    now: i64,
    /// The account, and each of its mappings.
    paused: [bool; 3],
    /// Claims so far of the process that lives.
    claims: u64,
    /// Counts changes and claims; when each record last changed and was last taken up or given up.
    moment: u64,
    changed: [u64; 4],
    answered: [u64; 4],
}

impl Oracle {
    fn enqueue(&mut self, record: usize, priority: i64, delay: u8) {
        self.moment += 1;
        self.changed[record] = self.moment;
        self.wake_or_make(record, priority, delay);
    }

    fn wake_or_make(&mut self, record: usize, priority: i64, delay: u8) {
        let due = (delay > 0).then(|| self.now + i64::from(delay) * SECOND);
        let Some(line) = self
            .lines
            .iter_mut()
            .find(|line| line.record == record && line.is_open())
        else {
            self.lines.push(Line {
                record,
                state: if due.is_some() {
                    JobState::Waiting
                } else {
                    JobState::Ready
                },
                priority,
                tries: 0,
                epoch: 0,
                lease: None,
                wait: due,
                follow: None,
            });
            return;
        };
        match line.state {
            // It runs with what it read before: one more is due afterwards, as urgent as the most urgent change.
            JobState::Running => line.follow = line.follow.max(Some(priority)),
            JobState::Ready => line.priority = line.priority.max(priority),
            state => {
                if matches!(state, JobState::Failed | JobState::Unknown) {
                    line.tries = 0;
                }
                line.priority = line.priority.max(priority);
                line.state = if due.is_some() {
                    JobState::Waiting
                } else {
                    JobState::Ready
                };
                line.wait = due.map(|due| line.wait.map_or(due, |wait| wait.min(due)));
            }
        }
    }

    fn stopped(&self, record: usize) -> bool {
        self.paused[0] || self.paused[1 + record % 2]
    }

    fn is_anything_due(&self) -> bool {
        self.lines.iter().any(|line| match line.state {
            JobState::Ready => !self.stopped(line.record),
            JobState::Running => line.lease.is_some_and(|end| end <= self.now),
            JobState::Waiting => line.wait.is_some_and(|end| end <= self.now),
            _ => false,
        })
    }

    /// The records of the jobs that a claim takes, in its order.
    fn claim(&mut self, limit: u32) -> Vec<usize> {
        if !self.is_anything_due() {
            return Vec::new();
        }
        let now = self.now;
        let mut followed = Vec::new();
        for line in &mut self.lines {
            if line.state == JobState::Running && line.lease.is_some_and(|end| end <= now) {
                line.state = JobState::Ready;
                line.epoch += 1;
                line.lease = None;
                followed.extend(line.follow.take().map(|priority| (line.record, priority)));
            }
            if line.state == JobState::Waiting && line.wait.is_some_and(|end| end <= now) {
                line.state = JobState::Ready;
                line.wait = None;
            }
        }
        for (record, priority) in followed {
            self.wake_or_make(record, priority, 0);
        }
        let mut ready: Vec<usize> = (0..self.lines.len())
            .filter(|at| {
                let line = &self.lines[*at];
                line.state == JobState::Ready && !self.stopped(line.record)
            })
            .collect();
        let mut taken = Vec::new();
        while taken.len() < limit as usize && !ready.is_empty() {
            let tenth = (self.claims + taken.len() as u64) % 10 == 9;
            let key = |at: &usize| {
                let priority = self.lines[*at].priority;
                (if tenth { priority } else { -priority }, *at)
            };
            let next = *ready.iter().min_by_key(|at| key(at)).unwrap();
            ready.retain(|at| *at != next);
            taken.push(next);
        }
        self.claims += taken.len() as u64;
        let mut records = Vec::new();
        for at in taken {
            let line = &mut self.lines[at];
            line.state = JobState::Running;
            line.epoch += 1;
            line.lease = Some(now + LEASE);
            records.push(line.record);
            self.moment += 1;
            self.answered[line.record] = self.moment;
        }
        records
    }

    /// The line of a claim, while it is its worker's.
    fn held(&mut self, held: &Held) -> Option<&mut Line> {
        let line = self.lines.get_mut(held.line)?;
        (line.state == JobState::Running && line.epoch == held.claim.epoch).then_some(line)
    }

    /// A claim that was just handed out: a record has one job at work at most.
    fn handed_out(&self, claim: Claim, record: usize) -> Held {
        let at_work = |line: &Line| line.record == record && line.state == JobState::Running;
        let line = self.lines.iter().position(at_work).unwrap();
        Held {
            claim,
            record,
            line,
        }
    }

    fn settle(&mut self, held: &Held, outcome: Outcome, sent: bool) -> bool {
        let now = self.now;
        let Some(line) = self.held(held) else {
            if sent {
                // An older state may have arrived after a newer one: the newest goes out once more.
                self.wake_or_make(held.record, 3, 0);
            }
            return false;
        };
        line.lease = None;
        line.state = match outcome {
            Outcome::Done => JobState::Done,
            Outcome::Failed => JobState::Failed,
            Outcome::Waits(_) => JobState::Waiting,
            Outcome::GivenBack => JobState::Ready,
        };
        if let Outcome::Waits(seconds) = outcome {
            line.wait = Some(now + i64::from(seconds) * SECOND);
        }
        if matches!(outcome, Outcome::Done | Outcome::Failed) {
            line.tries += 1;
        }
        if let Some(priority) = line.follow.take() {
            self.wake_or_make(held.record, priority, 0);
        }
        true
    }

    fn apply(&mut self, step: Step, held: &[Held]) -> Vec<usize> {
        match step {
            Step::Enqueue {
                record,
                priority,
                delay,
            } => self.enqueue(record, priority, delay),
            Step::Claim { limit } => return self.claim(limit),
            Step::Settle {
                claim,
                outcome,
                sent,
            } => {
                if let Some(held) = held.get(claim) {
                    self.settle(held, outcome, sent);
                }
            }
            Step::Heartbeat { claim } => {
                let now = self.now;
                if let Some(line) = held.get(claim).and_then(|held| self.held(held)) {
                    line.lease = Some(now + LEASE);
                }
            }
            Step::Advance { seconds } => self.now += i64::from(seconds) * SECOND,
            Step::Pause { mapping } => self.paused[mapping.map_or(0, |at| at + 1)] = true,
            Step::Resume { mapping } => self.paused[mapping.map_or(0, |at| at + 1)] = false,
            Step::Retry { record } => {
                for line in self.lines.iter_mut().filter(|line| line.record == record) {
                    if matches!(line.state, JobState::Failed | JobState::Waiting) {
                        line.state = JobState::Ready;
                        line.wait = None;
                        line.priority = 3;
                        line.tries = 0;
                    }
                }
            }
            Step::Discard { record } => {
                self.moment += 1;
                for line in self.lines.iter_mut().filter(|line| line.record == record) {
                    if line.is_open() && line.state != JobState::Running {
                        line.state = JobState::Discarded;
                        line.wait = None;
                        self.answered[record] = self.moment;
                    }
                }
            }
        }
        Vec::new()
    }
}

/// Dies after a number of looks: what it has begun by then is dropped where it stands.
struct Mortal<'a, T> {
    work: Pin<Box<dyn Future<Output = T> + 'a>>,
    looks: Option<u8>,
}

impl<T> Future for Mortal<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if self.looks == Some(0) {
            return Poll::Ready(None);
        }
        self.looks = self.looks.map(|looks| looks - 1);
        self.work.as_mut().poll(context).map(Some)
    }
}

fn trigger(priority: i64) -> Trigger {
    match priority {
        0 => Trigger::Export("run".into()),
        1 => Trigger::Schedule,
        2 => Trigger::Webhook,
        _ => Trigger::Manual,
    }
}

/// One step at the store; the claims it handed out.
async fn perform(store: &Store, step: Step, held: &[Held]) -> Vec<Claim> {
    let scope = |mapping: Option<usize>| mapping.map(|at| MappingName::from(mapping_of(at)));
    match step {
        Step::Enqueue {
            record,
            priority,
            delay,
        } => {
            let job = NewJob {
                mapping: mapping_of(record).into(),
                not_before: (delay > 0)
                    .then(|| store.now() + jiff::SignedDuration::from_secs(delay.into())),
                ..new_job(RECORDS[record], trigger(priority))
            };
            store.enqueue(&job).await.unwrap();
        }
        Step::Claim { limit } => return store.claim("w", &[connection()], limit).await.unwrap(),
        Step::Settle {
            claim,
            outcome,
            sent,
        } => {
            let Some(held) = held.get(claim) else {
                return Vec::new();
            };
            let (told, state) = match outcome {
                Outcome::Done => (view::Outcome::Synced, JobState::Done),
                Outcome::Failed => (view::Outcome::Failed, JobState::Failed),
                Outcome::Waits(_) => (view::Outcome::Waiting, JobState::Waiting),
                Outcome::GivenBack => (view::Outcome::Waiting, JobState::Ready),
            };
            let waiting = match outcome {
                Outcome::Waits(seconds) => Some(Waiting {
                    reason: WaitReason::Scheduled,
                    until: Some(store.now() + jiff::SignedDuration::from_secs(seconds.into())),
                    by: "w".into(),
                }),
                _ => None,
            };
            let failed = matches!(outcome, Outcome::Failed);
            let settlement = Settlement {
                waiting,
                error: failed.then(|| Problem::new(ErrorClass::Invalid, "12 is too old")),
                uses_attempt: matches!(outcome, Outcome::Done | Outcome::Failed),
                sent,
                ..Settlement::new(told, state)
            };
            let (job, epoch) = (&held.claim.job, held.claim.epoch);
            store.settle(job, epoch, &settlement).await.unwrap();
        }
        Step::Heartbeat { claim } => {
            if let Some(held) = held.get(claim) {
                let lease = (held.claim.job.id.clone(), held.claim.epoch);
                store.heartbeat(&[lease]).await.unwrap();
            }
        }
        Step::Advance { .. } => {}
        Step::Pause { mapping } => {
            let pause = NewPause {
                connection: connection(),
                mapping: scope(mapping),
                reason: "a test".into(),
                by: "jo".into(),
                until: None,
            };
            store.pause(&pause).await.unwrap();
        }
        Step::Resume { mapping } => {
            let mapping = scope(mapping);
            store.resume(&connection(), mapping.as_ref()).await.unwrap();
        }
        Step::Retry { record } | Step::Discard { record } => {
            let name: MappingName = mapping_of(record).into();
            let of_record =
                Filter::parse(&format!("record:{} mapping:{name}", RECORDS[record])).unwrap();
            let jobs = store
                .list(&of_record, Sort::LATEST, None, 99)
                .await
                .unwrap();
            let named = Selection::Ids(jobs.into_iter().map(|job| job.id).collect());
            if matches!(step, Step::Retry { .. }) {
                store.apply(BulkAction::Retry, &named, "jo").await.unwrap();
            } else {
                store
                    .apply(BulkAction::Discard, &named, "jo")
                    .await
                    .unwrap();
            }
        }
    }
    Vec::new()
}

async fn lines(store: &Store) -> Vec<Line> {
    let rows = sqlx::query(
        "SELECT record_id, state, priority, tries, epoch, lease_until, wait_until, follow_priority FROM jobs ORDER BY seq",
    )
    .fetch_all(store.readers())
    .await
    .unwrap();
    rows.iter()
        .map(|row| Line {
            record: RECORDS
                .iter()
                .position(|name| *name == row.get::<&str, _>(0))
                .unwrap(),
            state: JobState::from_name(row.get(1)).unwrap(),
            priority: row.get(2),
            tries: row.get(3),
            epoch: row.get(4),
            lease: row.get(5),
            wait: row.get(6),
            follow: row.get(7),
        })
        .collect()
}

async fn stands(store: &Store, oracle: &Oracle) -> bool {
    let paused = |mapping: Option<&str>, pauses: &[crate::model::Pause]| {
        pauses
            .iter()
            .any(|pause| pause.mapping.as_ref().map(MappingName::as_str) == mapping)
    };
    let pauses = store.pauses().await.unwrap();
    let found = [
        paused(None, &pauses),
        paused(Some("pets"), &pauses),
        paused(Some("visits"), &pauses),
    ];
    found == oracle.paused && lines(store).await == oracle.lines
}

/// What is kept beside the rows says the same as the rows.
async fn counts_agree(store: &Store) -> Told {
    let mut by_state: BTreeMap<JobState, u64> = BTreeMap::new();
    for line in lines(store).await {
        *by_state.entry(line.state).or_default() += 1;
    }
    let kept: i64 = sqlx::query_scalar("SELECT coalesce(sum(number), 0) FROM error_groups")
        .fetch_one(store.readers())
        .await
        .unwrap();
    let failed = by_state.get(&JobState::Failed).copied().unwrap_or(0);
    if kept.unsigned_abs() != failed {
        return Err(format!("groups of {kept} jobs where {failed} failed"));
    }
    let raw = sqlx::query("SELECT state, sum(number) FROM job_counts GROUP BY state")
        .fetch_all(store.readers())
        .await
        .unwrap();
    for row in &raw {
        let state = JobState::from_name(row.get(0)).unwrap();
        let number: i64 = row.get(1);
        let rows = by_state.get(&state).copied().unwrap_or(0);
        if rows != number.unsigned_abs() {
            return Err(format!(
                "{number} jobs are counted as {state:?}, and {rows} are"
            ));
        }
    }
    Ok(())
}

/// Lives through a story; `sabotage` is SQL that switches a guarantee off.
async fn story(path: &Path, deeds: &[Deed], sabotage: Option<&'static str>) -> Told {
    let clock = TestClock::at_start();
    let mut store = Store::open(path, clock.clone()).await.unwrap();
    if let Some(sql) = sabotage {
        let mut writer = store.writer().await;
        sqlx::raw_sql(sql)
            .execute(writer.connection().unwrap())
            .await
            .unwrap();
    }
    let mut oracle = Oracle {
        now: store.now_micros(),
        ..Oracle::default()
    };
    let mut held: Vec<Held> = Vec::new();
    for (number, (step, death)) in deeds.iter().enumerate() {
        let mut after = oracle.clone();
        let records = after.apply(*step, &held);
        if let Step::Advance { seconds } = step {
            clock.advance(i64::from(*seconds));
        }
        let claims = Mortal {
            work: Box::pin(perform(&store, *step, &held)),
            looks: *death,
        }
        .await;
        match claims {
            Some(claims) => {
                let taken: Vec<usize> = claims
                    .iter()
                    .map(|claim| {
                        RECORDS
                            .iter()
                            .position(|name| *name == claim.job.record.as_str())
                            .unwrap()
                    })
                    .collect();
                if taken != records {
                    return Err(format!(
                        "step {number}: {step:?} took {taken:?}, not {records:?}"
                    ));
                }
                oracle = after;
                for (claim, record) in claims.into_iter().zip(records) {
                    held.insert(0, oracle.handed_out(claim, record));
                }
            }
            None => {
                drop(store);
                store = Store::open(path, clock.clone()).await.unwrap();
                // A process that starts counts its claims anew.
                let (mut before, mut behind) = (oracle.clone(), after);
                before.claims = 0;
                behind.claims = 0;
                before.now = store.now_micros();
                oracle = if stands(&store, &behind).await {
                    behind
                } else {
                    before
                };
            }
        }
        if !stands(&store, &oracle).await {
            return Err(format!(
                "step {number}: {step:?}, death {death:?}\nexpected {:#?}\nfound {:#?}",
                oracle.lines,
                lines(&store).await
            ));
        }
    }
    counts_agree(&store).await?;
    drain(&store, &clock, &mut oracle).await
}

/// Everything that was announced is taken up in the end, after its announcement.
async fn drain(store: &Store, clock: &TestClock, oracle: &mut Oracle) -> Told {
    for mapping in [None, Some(0), Some(1)] {
        let step = Step::Resume { mapping };
        perform(store, step, &[]).await;
        oracle.apply(step, &[]);
    }
    for _ in 0..20 {
        let step = Step::Claim { limit: 4 };
        let claims = perform(store, step, &[]).await;
        let records = oracle.apply(step, &[]);
        if claims.len() != records.len() {
            return Err(format!("{} claims, not {}", claims.len(), records.len()));
        }
        for (claim, record) in claims.into_iter().zip(records) {
            let held = [oracle.handed_out(claim, record)];
            let step = Step::Settle {
                claim: 0,
                outcome: Outcome::Done,
                sent: false,
            };
            perform(store, step, &held).await;
            oracle.apply(step, &held);
        }
        clock.advance(61);
        oracle.now += 61 * SECOND;
    }
    for line in lines(store).await {
        if !matches!(
            line.state,
            JobState::Done | JobState::Discarded | JobState::Failed
        ) {
            return Err(format!("{line:?} is left over"));
        }
    }
    for (record, changed) in oracle.changed.iter().enumerate() {
        if oracle.answered[record] < *changed {
            return Err(format!(
                "a change of {} was never taken up",
                RECORDS[record]
            ));
        }
    }
    Ok(())
}

/// Random stories, as many as `cases`; the first that ends badly, shortened by `shrink` tries.
fn tell(cases: u32, shrink: u32, sabotage: Option<&'static str>) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: shrink,
        ..Config::default()
    });
    let told = runner.run(&deeds(), |deeds| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tramline.db");
        runtime
            .block_on(story(&path, &deeds, sabotage))
            .map_err(TestCaseError::fail)
    });
    told.map_err(|error| error.to_string())
}

#[test]
fn the_queue_does_what_its_model_does_whenever_it_dies() {
    tell(40, 200, None).unwrap();
}

/// Guarantees, each switched off by a trigger that undoes it: the model must notice.
const SABOTAGE: [(&str, &str); 6] = [
    (
        "fencing: a late worker has the epoch of its successor",
        "CREATE TRIGGER broken AFTER UPDATE OF epoch ON jobs WHEN new.epoch > 1 BEGIN
             UPDATE jobs SET epoch = 1 WHERE seq = new.seq; END",
    ),
    (
        "rescue: a lease never ends",
        "CREATE TRIGGER broken AFTER UPDATE OF lease_until ON jobs WHEN new.state = 'running' BEGIN
             UPDATE jobs SET lease_until = new.lease_until + 3600000000 WHERE seq = new.seq; END",
    ),
    (
        "follow-up: a change while a job runs is forgotten",
        "CREATE TRIGGER broken AFTER UPDATE OF follow_up ON jobs WHEN new.follow_up IS NOT NULL BEGIN
             UPDATE jobs SET follow_up = NULL, follow_priority = NULL WHERE seq = new.seq; END",
    ),
    (
        "pause: a pause is not kept",
        "CREATE TRIGGER broken AFTER INSERT ON pauses BEGIN DELETE FROM pauses; END",
    ),
    (
        "waiting: a wait has no end",
        "CREATE TRIGGER broken AFTER UPDATE OF wait_until ON jobs WHEN new.wait_until IS NOT NULL BEGIN
             UPDATE jobs SET wait_until = NULL WHERE seq = new.seq; END",
    ),
    (
        "urgency: the less urgent trigger counts",
        "CREATE TRIGGER broken AFTER UPDATE OF priority ON jobs WHEN new.priority > old.priority BEGIN
             UPDATE jobs SET priority = old.priority WHERE seq = new.seq; END",
    ),
];

#[test]
fn each_guarantee_switched_off_is_noticed() {
    for (guarantee, sql) in SABOTAGE {
        // The first story that goes wrong ends the search; few of them come to each guarantee.
        assert!(
            tell(400, 0, Some(sql)).is_err(),
            "nobody misses {guarantee}"
        );
    }
}
