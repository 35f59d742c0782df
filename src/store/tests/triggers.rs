//! The inbox, deletions and timers.

use super::*;

fn event(key: &str, seconds: Option<i64>) -> NewEvent {
    NewEvent {
        connection: connection(),
        key: key.to_owned(),
        kind: "RecordUpdate".to_owned(),
        happened_at: seconds.map(|at| Timestamp::from_second(at).unwrap()),
        body: format!("{{\"key\":\"{key}\"}}"),
    }
}

fn settled(event: &Event, jobs: Vec<NewJob>, deleted: bool) -> SettledEvent {
    SettledEvent {
        seq: event.seq,
        note: None,
        jobs,
        deleted,
        happened_at: event.happened_at,
        changed_at: event.happened_at,
    }
}

#[tokio::test]
async fn a_webhook_is_kept_once_and_worked_off_in_the_order_of_its_time() {
    let (store, _) = store().await;
    let events = [
        event("a", Some(1_800_000_020)),
        event("b", Some(1_800_000_010)),
        event("a", Some(1)),
    ];
    assert_eq!(
        store.keep_events(&events).await.unwrap(),
        [true, true, false]
    );
    assert_eq!(
        store.keep_events(&[event("b", None)]).await.unwrap(),
        [false]
    );
    // The same key of another connection is another webhook.
    let other = NewEvent {
        connection: "second".into(),
        ..event("a", Some(1_800_000_000))
    };
    assert_eq!(store.keep_events(&[other]).await.unwrap(), [true]);
    let due = store.due_events(10).await.unwrap();
    let order: Vec<(&str, &str)> = due
        .iter()
        .map(|event| (event.connection.as_str(), event.body.as_str()))
        .collect();
    assert_eq!(
        order,
        [
            ("second", "{\"key\":\"a\"}"),
            ("default", "{\"key\":\"b\"}"),
            ("default", "{\"key\":\"a\"}")
        ]
    );
}

#[tokio::test]
async fn of_two_processes_one_makes_the_jobs_of_a_webhook() {
    let (store, _) = store().await;
    store.keep_events(&[event("a", None)]).await.unwrap();
    let seen_by_both = store.due_events(10).await.unwrap();
    let settle = async || {
        let jobs = vec![new_job("r1", Trigger::Webhook)];
        store
            .settle_events(&[settled(&seen_by_both[0], jobs, false)])
            .await
            .unwrap()
    };
    assert_eq!(settle().await.len(), 1);
    let claim = claim_one(&store).await;
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(store.settle(&claim.job, claim.epoch, &done).await.unwrap());
    assert_eq!(settle().await.len(), 0);
    assert_eq!(store.waiting_events().await.unwrap(), 0);
    assert_eq!(store.counts().await.unwrap().ready, 0);
}

#[tokio::test]
async fn what_is_put_off_comes_again_and_only_what_is_worked_off_is_pruned() {
    let (store, clock) = store().await;
    store
        .keep_events(&[event("a", None), event("b", None)])
        .await
        .unwrap();
    let due = store.due_events(10).await.unwrap();
    let later = store
        .now()
        .checked_add(jiff::SignedDuration::from_secs(60))
        .unwrap();
    store
        .put_off_event(due[0].seq, later, "no answer")
        .await
        .unwrap();
    store
        .settle_events(&[settled(&due[1], Vec::new(), false)])
        .await
        .unwrap();
    assert!(store.due_events(10).await.unwrap().is_empty());
    assert_eq!(store.next_event_due().await.unwrap(), Some(later));
    clock.advance(61);
    assert_eq!(store.due_events(10).await.unwrap()[0].tries, 1);
    clock.advance(8 * 86_400);
    assert_eq!(store.prune_events(store.now()).await.unwrap(), 1);
    assert_eq!(store.waiting_events().await.unwrap(), 1);
}

#[tokio::test]
async fn a_deletion_is_withdrawn_by_later_news_only() {
    let (store, _) = store().await;
    let evidence = async || {
        store
            .deletion(&connection(), &mapping(), &"r1".into())
            .await
            .unwrap()
    };
    let tell = async |key: &str, at: i64, deleted: bool| {
        store.keep_events(&[event(key, Some(at))]).await.unwrap();
        let due = store.due_events(10).await.unwrap();
        let jobs = vec![new_job("r1", Trigger::Webhook)];
        store
            .settle_events(&[settled(&due[0], jobs, deleted)])
            .await
            .unwrap();
    };
    tell("deleted", 1_800_000_100, true).await;
    assert_eq!(evidence().await, Some(Evidence::Event));
    // An older change that comes late.
    tell("older", 1_800_000_050, false).await;
    assert_eq!(evidence().await, Some(Evidence::Event));
    tell("newer", 1_800_000_150, false).await;
    assert_eq!(evidence().await, None);
    store
        .enqueue_absent(&[new_job("r1", Trigger::Poll)])
        .await
        .unwrap();
    assert_eq!(evidence().await, Some(Evidence::Walk));
    // Met by the next walk.
    store
        .withdraw_deletions(
            &connection(),
            &mapping(),
            &["r1".into()],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap();
    assert_eq!(evidence().await, Some(Evidence::Walk));
    store
        .withdraw_deletions(&connection(), &mapping(), &["r1".into()], Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(evidence().await, None);
}

#[tokio::test]
async fn a_record_whose_deletion_was_settled_is_no_longer_looked_for() {
    let (store, _) = store().await;
    let seen = |record: &str| RecordSeen {
        record: record.into(),
        email: Some(address("jo@example.org")),
        version: 5,
        outcome: Outcome::Synced,
        superseded_by: None,
        competes: true,
    };
    for record in ["r1", "r2"] {
        store
            .see_record(&connection(), &mapping(), &seen(record))
            .await
            .unwrap();
    }
    let known = async || {
        let page = store
            .records_seen(&connection(), &mapping(), None, 10)
            .await
            .unwrap();
        page.into_iter()
            .map(|(record, _)| record.to_string())
            .collect::<Vec<_>>()
    };
    store
        .enqueue_absent(&[new_job("r1", Trigger::Poll)])
        .await
        .unwrap();
    assert_eq!(known().await, ["r1", "r2"]);
    let claim = claim_one(&store).await;
    let gone = Settlement {
        gone: true,
        ..settlement(&store, Outcome::Skipped, JobState::Done)
    };
    assert!(store.settle(&claim.job, claim.epoch, &gone).await.unwrap());
    assert_eq!(known().await, ["r2"]);
    let evidence = async || {
        store
            .deletion(&connection(), &mapping(), &"r1".into())
            .await
            .unwrap()
    };
    // What was found to be so is not undone by news that may be late, only by the record itself.
    store
        .keep_events(&[event("late", Some(4_000_000_000))])
        .await
        .unwrap();
    let due = store.due_events(10).await.unwrap();
    let jobs = vec![new_job("r1", Trigger::Webhook)];
    store
        .settle_events(&[settled(&due[0], jobs, false)])
        .await
        .unwrap();
    assert_eq!(evidence().await, Some(Evidence::Walk));
    store
        .see_record(&connection(), &mapping(), &seen("r1"))
        .await
        .unwrap();
    assert_eq!(evidence().await, None);
}

fn timer_key() -> TimerKey {
    TimerKey {
        connection: connection(),
        mapping: mapping(),
        duty: Duty::Schedule,
    }
}

#[tokio::test]
async fn a_time_that_passed_is_due_once_and_for_one_process() {
    let (store, clock) = store().await;
    let key = timer_key();
    let later = |seconds: i64| {
        store
            .now()
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .unwrap()
    };
    store.set_timer(&key, "hourly", later(3600)).await.unwrap();
    assert_eq!(store.claim_timer(&key, "a", None).await.unwrap(), None);
    // Hours pass while nobody runs.
    clock.advance(10 * 3600);
    // What is set already stays.
    store.set_timer(&key, "hourly", later(3600)).await.unwrap();
    assert!(store.claim_timer(&key, "a", None).await.unwrap().is_some());
    assert_eq!(store.claim_timer(&key, "b", None).await.unwrap(), None);
    assert!(!store.settle_timer(&key, "b", later(1), true).await.unwrap());
    assert!(
        store
            .settle_timer(&key, "a", later(3600), true)
            .await
            .unwrap()
    );
    assert_eq!(store.claim_timer(&key, "b", None).await.unwrap(), None);
    let timers = store.timers().await.unwrap();
    assert_eq!(timers[0].done_at, Some(store.now()));
}

#[tokio::test]
async fn a_time_whose_process_died_is_still_due() {
    let (store, clock) = store().await;
    let key = timer_key();
    store.set_timer(&key, "hourly", store.now()).await.unwrap();
    assert!(store.claim_timer(&key, "a", None).await.unwrap().is_some());
    // Known to be dead, at once; else when the lease ends.
    assert_eq!(store.claim_timer(&key, "b", Some("c")).await.unwrap(), None);
    assert!(
        store
            .claim_timer(&key, "b", Some("a"))
            .await
            .unwrap()
            .is_some()
    );
    assert!(!store.keep_timer(&key, "a").await.unwrap());
    clock.advance(50);
    assert!(store.keep_timer(&key, "b").await.unwrap());
    clock.advance(50);
    assert_eq!(store.claim_timer(&key, "c", None).await.unwrap(), None);
    clock.advance(11);
    assert!(store.claim_timer(&key, "c", None).await.unwrap().is_some());
}

#[tokio::test]
async fn another_schedule_starts_afresh() {
    let (store, clock) = store().await;
    let key = timer_key();
    store.set_timer(&key, "hourly", store.now()).await.unwrap();
    clock.advance(10);
    let first = store
        .now()
        .checked_add(jiff::SignedDuration::from_secs(60))
        .unwrap();
    store.set_timer(&key, "daily", first).await.unwrap();
    assert_eq!(store.claim_timer(&key, "a", None).await.unwrap(), None);
    store.drop_timer(&key).await.unwrap();
    assert!(store.timers().await.unwrap().is_empty());
}
