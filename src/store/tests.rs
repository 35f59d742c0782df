//! The store's promises, on real files.

mod backlog;
mod disk;
mod effects;
mod export;
mod holds;
mod lists;
mod model;
mod monitoring;
mod opening;
mod operators;
mod pace;
mod pauses;
mod queue;
mod steps;
mod triggers;

use super::*;
use crate::model::bulk::BulkAction;
use crate::model::filter::Filter;
use crate::model::view::Outcome;
use crate::model::{
    ConnectionName, Email, ErrorClass, Fingerprint, JobState, MappingName, Problem, RecordId,
    Trigger, WaitReason, Waiting,
};
use std::sync::atomic::{AtomicI64, Ordering};

impl Store {
    /// Changes the store behind its back: a trigger that makes a write fail, or undoes it.
    pub(crate) async fn sabotage(&self, sql: &'static str) {
        let mut writer = self.writer().await;
        let connection = writer.alone().await.unwrap();
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }
}

/// A clock that a test moves by hand.
struct TestClock(AtomicI64);

impl TestClock {
    fn at_start() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000_000)))
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

async fn store() -> (Store, Arc<TestClock>) {
    let clock = TestClock::at_start();
    (Store::memory_at(clock.clone()).await.unwrap(), clock)
}

fn connection() -> ConnectionName {
    "default".into()
}

fn mapping() -> MappingName {
    "pets".into()
}

fn address(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn new_job(record: &str, trigger: Trigger) -> NewJob {
    NewJob {
        connection: connection(),
        mapping: mapping(),
        object: "custom_objects.pets".into(),
        record: record.into(),
        trigger,
        not_before: None,
    }
}

/// A record that leaves no contact.
fn staying(seen: &RecordSeen) -> Arrives<'_> {
    Arrives {
        seen,
        leaves: &[],
        heir: Heir::Newest,
    }
}

fn attempt(store: &Store) -> NewAttempt {
    NewAttempt {
        started_at: store.now(),
        ended_at: Some(store.now()),
        worker: "test".into(),
        request: Some("é".repeat(3000)),
        response: None,
        warning: None,
        mapping_hash: "m1".into(),
    }
}

fn settlement(store: &Store, outcome: Outcome, state: JobState) -> Settlement {
    Settlement {
        attempt: Some(attempt(store)),
        uses_attempt: true,
        ..Settlement::new(outcome, state)
    }
}

async fn claim_one(store: &Store) -> Claim {
    let mut claims = store.claim("test", &[connection()], 1).await.unwrap();
    claims.pop().expect("a job is due")
}

async fn state_of(store: &Store, id: &crate::model::JobId) -> JobState {
    store.job(id).await.unwrap().unwrap().state
}
