//! How fast the queue moves, and what is still to go.

use super::*;

async fn end(store: &Store, record: &str, state: JobState) {
    store
        .enqueue(&new_job(record, Trigger::Webhook))
        .await
        .unwrap();
    let claim = claim_one(store).await;
    let end = match state {
        JobState::Done => settlement(store, Outcome::Synced, state),
        _ => Settlement {
            error: Some(Problem::new(ErrorClass::Invalid, "no")),
            ..settlement(store, Outcome::Failed, state)
        },
    };
    store.settle(&claim.job, claim.epoch, &end).await.unwrap();
}

fn numbers(settled: &[(Timestamp, u64)]) -> Vec<u64> {
    settled.iter().map(|(_, number)| *number).collect()
}

#[tokio::test]
async fn what_is_settled_is_counted_second_by_second() {
    let (store, clock) = store().await;
    let start = store.now();
    end(&store, "r1", JobState::Done).await;
    end(&store, "r2", JobState::Failed).await;
    clock.advance(3);
    end(&store, "r3", JobState::Done).await;
    let settled = store.settled_since(&connection(), start).await.unwrap();
    assert_eq!(numbers(&settled), [2, 1]);
    assert_eq!(settled[1].0.duration_since(settled[0].0).as_secs(), 3);
    // From a later moment on, and of another connection.
    let later = store.settled_since(&connection(), store.now()).await;
    assert_eq!(numbers(&later.unwrap()), [1]);
    let other = store.settled_since(&"other".into(), start).await.unwrap();
    assert_eq!(other, []);
    // What is retried is not settled any more, and what waits never was.
    let filter = Filter::parse("state:failed").unwrap();
    let failed = store.list(&filter, Sort::LATEST, None, 1).await;
    let failed = failed.unwrap().remove(0);
    let ids = Selection::Ids(vec![failed.id]);
    store.apply(BulkAction::Retry, &ids, "jo").await.unwrap();
    let settled = store.settled_since(&connection(), start).await.unwrap();
    assert_eq!(numbers(&settled), [1, 1]);
}

#[tokio::test]
async fn to_go_is_what_a_worker_could_be_at() {
    let (store, clock) = store().await;
    for record in ["r1", "r2", "r3"] {
        let job = new_job(record, Trigger::Webhook);
        store.enqueue(&job).await.unwrap();
    }
    let to_go = || async { store.to_go(&connection()).await.unwrap() };
    assert_eq!(to_go().await, 3);
    // One runs, one waits for a time that is not there yet.
    let claim = claim_one(&store).await;
    assert_eq!(to_go().await, 3);
    let later = Settlement {
        waiting: Some(Waiting {
            reason: WaitReason::Scheduled,
            until: Some(store.now() + jiff::SignedDuration::from_secs(60)),
            by: "backoff".into(),
        }),
        ..settlement(&store, Outcome::Waiting, JobState::Waiting)
    };
    let settled = store.settle(&claim.job, claim.epoch, &later).await;
    assert!(settled.unwrap());
    assert_eq!(to_go().await, 2);
    clock.advance(61);
    assert_eq!(to_go().await, 3, "its time has come");
    assert_eq!(store.to_go(&"other".into()).await.unwrap(), 0);
    let pause = NewPause {
        connection: connection(),
        mapping: Some(mapping()),
        reason: "a look".into(),
        by: "jo".into(),
        until: None,
    };
    store.pause(&pause).await.unwrap();
    assert_eq!(to_go().await, 0, "a pause stops all of them");
}

#[tokio::test]
async fn counts_groups_and_runs_of_one_connection_are_its_own() {
    let (store, _) = store().await;
    end(&store, "r1", JobState::Failed).await;
    let (own, other) = (connection(), "other".into());
    assert_eq!(store.counts_of(Some(&own)).await.unwrap().failed, 1);
    assert_eq!(store.counts_of(Some(&other)).await.unwrap().total(), 0);
    assert_eq!(store.groups_of(9, Some(&own)).await.unwrap().len(), 1);
    assert_eq!(store.groups_of(9, Some(&other)).await.unwrap(), []);
}

#[tokio::test]
async fn a_text_is_amended_in_one_step_or_not_at_all() {
    let (store, _) = store().await;
    let own = connection();
    let append = |old: Option<&str>| -> std::result::Result<String, String> {
        Ok(format!("{}x", old.unwrap_or_default()))
    };
    // Both look at the text and change it: neither may lose the other's.
    let (one, two) = tokio::join!(
        store.amend(&own, "k", append),
        store.amend(&own, "k", append)
    );
    assert!(one.unwrap().is_ok() && two.unwrap().is_ok());
    assert_eq!(store.get(&own, "k").await.unwrap().as_deref(), Some("xx"));
    let refuse = |_: Option<&str>| -> std::result::Result<String, String> { Err("no".into()) };
    let refused = store.amend(&own, "k", refuse).await.unwrap();
    assert_eq!(refused, Err("no".into()));
    assert_eq!(store.get(&own, "k").await.unwrap().as_deref(), Some("xx"));
}

#[tokio::test]
async fn open_actions_are_those_that_are_not_over() {
    let (store, _) = store().await;
    end(&store, "r1", JobState::Failed).await;
    let all = Selection::Filter(Filter::default());
    let wait = std::time::Duration::from_secs(60);
    let id = store
        .begin_bulk(BulkAction::Retry, &all, "jo", wait, None)
        .await
        .unwrap();
    let open = store.open_bulks().await.unwrap();
    assert_eq!(open.iter().map(|bulk| &bulk.id).collect::<Vec<_>>(), [&id]);
    assert!(store.cancel_bulk(&id).await.unwrap());
    assert_eq!(store.open_bulks().await.unwrap(), []);
}
