//! A clock that is set back or forward.

use super::*;
use jiff::SignedDuration;

const HOUR: i64 = 3600;

async fn begins(store: &Store, worker: &str) {
    store
        .worker_began(worker, &[connection()], &Versions::new())
        .await
        .unwrap();
}

async fn claims(store: &Store, worker: &str) -> Vec<Claim> {
    store.claim(worker, &[connection()], 9).await.unwrap()
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_a_dead_workers_job_no_longer_than_a_lease() {
    let (store, clock) = store().await;
    begins(&store, "dead").await;
    store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let held = claim_one(&store).await;
    clock.advance(-HOUR);
    begins(&store, "heir").await;
    assert!(claims(&store, "heir").await.is_empty());
    let due = store.next_due(&[connection()]).await.unwrap().unwrap();
    assert_eq!(due.duration_since(store.now()).as_secs(), 30);
    clock.advance(30);
    let taken = claims(&store, "heir").await;
    assert_eq!((taken.len(), taken[0].epoch), (1, held.epoch + 2));
}

#[tokio::test]
async fn a_living_worker_loses_nothing_to_a_clock_that_is_set_back() {
    let (store, clock) = store().await;
    begins(&store, "alive").await;
    store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let held = claim_one(&store).await;
    let lease = [(held.job.id.clone(), held.epoch)];
    for step in [-HOUR, -HOUR, -3] {
        clock.advance(step);
        // Another worker notices first, and then looks for work for as long as the living one may be silent.
        store.worker_beats("other").await.unwrap();
        clock.advance(29);
        assert!(claims(&store, "other").await.is_empty());
        store.worker_beats("alive").await.unwrap();
        assert!(store.heartbeat(&lease).await.unwrap().is_empty());
    }
    assert_eq!(store.workers().await.unwrap().len(), 1);
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(store.settle(&held.job, held.epoch, &done).await.unwrap());
}

#[tokio::test]
async fn waits_move_back_with_the_clock() {
    let (store, clock) = store().await;
    begins(&store, "test").await;
    let in_seconds = |seconds| store.now() + SignedDuration::from_secs(seconds);
    store
        .enqueue(&NewJob {
            not_before: Some(in_seconds(20)),
            ..new_job("r1", Trigger::Webhook)
        })
        .await
        .unwrap();
    let event = NewEvent {
        connection: connection(),
        key: "a".to_owned(),
        kind: "RecordUpdate".to_owned(),
        happened_at: None,
        body: String::new(),
    };
    store.keep_events(&[event]).await.unwrap();
    store
        .open_breaker(&"b".into(), "refused", "w")
        .await
        .unwrap();
    // What a person set is a time on the wall.
    let noon = in_seconds(600);
    store
        .pause(&NewPause {
            connection: "c".into(),
            mapping: None,
            reason: "night".into(),
            by: "jo".into(),
            until: Some(noon),
        })
        .await
        .unwrap();
    clock.advance(5);
    store.worker_beats("test").await.unwrap();
    clock.advance(-HOUR);
    store.worker_beats("test").await.unwrap();
    assert_eq!(store.due_events(9).await.unwrap().len(), 1);
    let due = store.next_due(&[connection()]).await.unwrap().unwrap();
    assert_eq!(due.duration_since(store.now()).as_secs(), 15);
    let probe = store.next_probe(&["b".into()]).await.unwrap().unwrap();
    assert!(probe.duration_since(store.now()).as_secs() <= 300);
    let paused = store.pauses().await.unwrap();
    let until: Vec<_> = paused
        .iter()
        .filter(|pause| pause.by == "jo")
        .map(|pause| pause.until)
        .collect();
    assert_eq!(until, [Some(noon)]);
    clock.advance(15);
    assert_eq!(claims(&store, "test").await.len(), 1);
}

#[tokio::test]
async fn what_others_left_behind_is_taken_over_in_time_though_the_clock_was_set_back() {
    let (store, clock) = store().await;
    begins(&store, "dead").await;
    let new = NewRun {
        connection: connection(),
        mapping: mapping(),
        object: "custom_objects.pets".into(),
        options: Default::default(),
        mapping_hash: "m1".into(),
        owner: "dead".into(),
    };
    let Started::Run(run) = store.start_run(&new).await.unwrap() else {
        panic!("no other run is there");
    };
    let key = TimerKey {
        connection: connection(),
        mapping: mapping(),
        duty: Duty::Poll,
    };
    store.set_timer(&key, "1s", store.now()).await.unwrap();
    store.claim_timer(&key, "dead", None).await.unwrap();
    let contact = address("jo@example.org");
    store
        .flight_begins(&connection(), "dead", [&contact])
        .await
        .unwrap();
    clock.advance(-HOUR);
    store.worker_beats("heir").await.unwrap();
    // No longer than the longest of the leases.
    clock.advance(60);
    assert!(store.adopt_run(&run.id, "heir").await.unwrap().is_some());
    store.bring_timer_forward(&key, store.now()).await.unwrap();
    let timer = store.claim_timer(&key, "heir", None).await.unwrap();
    assert!(timer.is_some());
    let flight = store.flights().await.unwrap().remove(0);
    assert!(flight.is_left);
    assert_eq!(store.now().duration_since(flight.sent_at).as_secs(), 60);
}

#[tokio::test]
async fn a_clock_that_is_set_forward_costs_a_worker_its_leases_once() {
    let (store, clock) = store().await;
    begins(&store, "alive").await;
    store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let held = claim_one(&store).await;
    clock.advance(HOUR);
    store.worker_beats("alive").await.unwrap();
    let again = claims(&store, "other").await.remove(0);
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(!store.settle(&held.job, held.epoch, &done).await.unwrap());
    assert!(store.settle(&again.job, again.epoch, &done).await.unwrap());
    // It goes on with the next.
    assert_eq!(store.workers().await.unwrap().len(), 1);
    store
        .enqueue(&new_job("r2", Trigger::Webhook))
        .await
        .unwrap();
    let next = claims(&store, "alive").await.remove(0);
    assert!(store.settle(&next.job, next.epoch, &done).await.unwrap());
}
