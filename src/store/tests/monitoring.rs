//! The numbers that monitoring shows, and jobs that are given back.

use super::*;
use crate::store::ClassFigure;
use std::time::Duration;

async fn fail(store: &Store, record: &str, class: ErrorClass) {
    store
        .enqueue(&new_job(record, Trigger::Webhook))
        .await
        .unwrap();
    let claim = claim_one(store).await;
    let failed = Settlement {
        error: Some(Problem::new(class, "no")),
        ..settlement(store, Outcome::Failed, JobState::Failed)
    };
    store
        .settle(&claim.job, claim.epoch, &failed)
        .await
        .unwrap();
}

/// Jobs with an error by state and class, those of which there are none left out.
async fn classes(store: &Store) -> Vec<(JobState, ErrorClass, u64)> {
    let figures = store.class_figures().await.unwrap();
    let some = figures.into_iter().filter(|figure| figure.number > 0);
    some.map(|figure: ClassFigure| (figure.state, figure.class, figure.number))
        .collect()
}

#[tokio::test]
async fn jobs_with_an_error_are_counted_through_all_their_changes() {
    let (store, clock) = store().await;
    for (record, class) in [
        ("r1", ErrorClass::Invalid),
        ("r2", ErrorClass::Invalid),
        ("r3", ErrorClass::Missing),
    ] {
        fail(&store, record, class).await;
    }
    let failed = |invalid| {
        vec![
            (JobState::Failed, ErrorClass::Invalid, invalid),
            (JobState::Failed, ErrorClass::Missing, 1),
        ]
    };
    assert_eq!(classes(&store).await, failed(2));
    // The same error again, another one, and none.
    fail(&store, "r1", ErrorClass::Invalid).await;
    assert_eq!(classes(&store).await, failed(2));
    fail(&store, "r1", ErrorClass::Missing).await;
    fail(&store, "r3", ErrorClass::Invalid).await;
    assert_eq!(classes(&store).await, failed(2));
    store
        .enqueue(&new_job("r2", Trigger::Webhook))
        .await
        .unwrap();
    let claim = claim_one(&store).await;
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    store.settle(&claim.job, claim.epoch, &done).await.unwrap();
    assert_eq!(classes(&store).await, failed(1));
    clock.advance(10);
    let jobs = store.job_figures().await.unwrap();
    let count = |state| {
        let figure = jobs.iter().find(|figure| figure.state == state);
        figure.map_or(0, |figure| figure.number)
    };
    assert_eq!((count(JobState::Failed), count(JobState::Done)), (2, 1));
}

#[tokio::test]
async fn the_age_of_the_oldest_job_is_that_of_its_state() {
    let (store, clock) = store().await;
    store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    clock.advance(30);
    store
        .enqueue(&new_job("r2", Trigger::Webhook))
        .await
        .unwrap();
    clock.advance(5);
    let oldest = async || {
        let figures = store.job_figures().await.unwrap();
        let ready = figures
            .into_iter()
            .find(|figure| figure.state == JobState::Ready);
        ready.unwrap().oldest
    };
    assert_eq!(oldest().await, Some(Duration::from_secs(35)));
    let claim = claim_one(&store).await;
    assert_eq!(claim.job.record.as_str(), "r1");
    let waited = claim.job.updated_at.duration_since(claim.ready_since);
    assert_eq!(waited.as_secs(), 35);
    assert_eq!(oldest().await, Some(Duration::from_secs(5)));
    claim_one(&store).await;
    assert_eq!(oldest().await, Some(Duration::ZERO));
}

#[tokio::test]
async fn a_job_is_given_back_at_once_or_once_nothing_can_be_on_its_way() {
    let (store, clock) = store().await;
    store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let first = claim_one(&store).await;
    store
        .give_back(&first.job.id, first.epoch, None)
        .await
        .unwrap();
    let second = claim_one(&store).await;
    assert!(second.epoch > first.epoch);
    // The first one's holder has no say any more.
    store
        .give_back(&first.job.id, first.epoch, None)
        .await
        .unwrap();
    assert_eq!(state_of(&store, &first.job.id).await, JobState::Running);
    let until = store.now() + Duration::from_secs(10);
    store
        .give_back(&second.job.id, second.epoch, Some(until))
        .await
        .unwrap();
    clock.advance(9);
    let none = store.claim("other", &[connection()], 1).await.unwrap();
    assert!(none.is_empty());
    clock.advance(2);
    let third = store.claim("other", &[connection()], 1).await.unwrap();
    assert_eq!(third.len(), 1);
}
