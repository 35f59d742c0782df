use super::*;
use crate::model::{Job, JobId, PauseKind};
use jiff::SignedDuration;

fn of(connection: &str, mapping: Option<&str>) -> NewPause {
    NewPause {
        connection: connection.into(),
        mapping: mapping.map(Into::into),
        reason: "the account moves".into(),
        by: "jo".into(),
        until: None,
    }
}

/// Two jobs of each of two mappings of two connections.
async fn eight_jobs(store: &Store) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for (connection, mapping) in [
        ("a", "pets"),
        ("a", "visits"),
        ("b", "pets"),
        ("b", "visits"),
    ] {
        for n in 0..2 {
            jobs.push(NewJob {
                connection: connection.into(),
                mapping: mapping.into(),
                ..new_job(&format!("{connection}{mapping}{n}"), Trigger::Webhook)
            });
        }
    }
    store.enqueue_many(&jobs).await.unwrap()
}

async fn claimed(store: &Store) -> Vec<String> {
    let both = ["a".into(), "b".into()];
    let claims = store.claim("test", &both, 99).await.unwrap();
    let mut names: Vec<String> = claims
        .into_iter()
        .map(|claim| claim.job.record.to_string())
        .collect();
    names.sort();
    names
}

async fn found(store: &Store, filter: &str) -> Vec<Job> {
    let filter = Filter::parse(filter).unwrap();
    let jobs = store.list(&filter, Sort::NEWEST, None, 99).await.unwrap();
    let count = store.count(&filter).await.unwrap();
    assert_eq!((count.number, count.exact), (jobs.len() as u64, true));
    for job in &jobs {
        assert!(filter.matches(job, store.now()), "{filter:?} {job:?}");
    }
    jobs
}

#[tokio::test]
async fn claims_pass_over_what_is_paused_and_nothing_of_it_is_due() {
    let (store, _) = store().await;
    eight_jobs(&store).await;
    store.pause(&of("a", None)).await.unwrap();
    store.pause(&of("b", Some("pets"))).await.unwrap();
    assert_eq!(claimed(&store).await, ["bvisits0", "bvisits1"]);
    assert_eq!(claimed(&store).await, [""; 0]);
    let both = ["a".into(), "b".into()];
    // The end of the two leases, not now.
    assert!(store.next_due(&both).await.unwrap().unwrap() > store.now());

    assert_eq!(store.resume(&"b".into(), None).await.unwrap(), []);
    let ended = store
        .resume(&"b".into(), Some(&"pets".into()))
        .await
        .unwrap();
    assert_eq!((ended.len(), ended[0].by.as_str()), (1, "jo"));
    assert_eq!(claimed(&store).await, ["bpets0", "bpets1"]);
    store.resume(&"a".into(), None).await.unwrap();
    assert_eq!(claimed(&store).await.len(), 4);
}

#[tokio::test]
async fn a_pause_ends_by_itself() {
    let (store, clock) = store().await;
    store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let until = store.now() + SignedDuration::from_secs(60);
    let pause = NewPause {
        until: Some(until),
        ..of("default", None)
    };
    store.pause(&pause).await.unwrap();
    assert_eq!(store.next_due(&[connection()]).await.unwrap(), Some(until));
    assert!(
        store
            .claim("test", &[connection()], 1)
            .await
            .unwrap()
            .is_empty()
    );
    clock.advance(60);
    assert_eq!(store.pauses().await.unwrap(), []);
    claim_one(&store).await;
}

#[tokio::test]
async fn jobs_under_a_pause_say_so_and_are_found_and_counted_as_waiting() {
    let (store, _) = store().await;
    let ids = eight_jobs(&store).await;
    store.pause(&of("a", Some("pets"))).await.unwrap();
    store
        .open_breaker(&"b".into(), "refused", "w1")
        .await
        .unwrap();
    let shown = store.job(&ids[0]).await.unwrap().unwrap();
    let waiting = shown.waiting.unwrap();
    assert_eq!(
        (shown.state, waiting.reason),
        (JobState::Waiting, WaitReason::Paused)
    );
    assert_eq!(waiting.by, "jo");
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.ready, counts.waiting), (2, 6));
    for (filter, number) in [
        ("state:waiting", 6),
        ("state:ready", 2),
        ("state:ready,waiting", 8),
        ("-state:waiting", 2),
        ("reason:paused", 2),
        ("reason:breaker_open", 4),
        ("reason:paused,breaker_open mapping:pets", 4),
        ("-reason:paused", 6),
        ("state:waiting connection:a", 2),
        ("reason:scheduled", 0),
    ] {
        assert_eq!(found(&store, filter).await.len(), number, "{filter}");
    }
    // A person's pause is what is told, where both stand.
    store.pause(&of("b", None)).await.unwrap();
    assert_eq!(found(&store, "reason:paused").await.len(), 6);
    assert_eq!(found(&store, "reason:breaker_open").await.len(), 0);
    // What is shown as waiting can be discarded, and is ready: there is nothing to retry.
    let paused = Selection::Filter(Filter::parse("state:waiting").unwrap());
    assert_eq!(
        store
            .count_selected(BulkAction::Retry, &paused)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .apply(BulkAction::Discard, &paused, "jo")
            .await
            .unwrap(),
        6
    );
}

#[tokio::test]
async fn one_worker_at_a_time_asks_a_broken_account_ever_more_rarely() {
    let (store, clock) = store().await;
    let (a, both) = (ConnectionName::from("a"), ["a".into(), "b".into()]);
    assert!(store.open_breaker(&a, "refused", "w1").await.unwrap());
    assert!(!store.open_breaker(&a, "refused", "w2").await.unwrap());
    let mut waits = Vec::new();
    for _ in 0..6 {
        let next = store.next_probe(&both).await.unwrap().unwrap();
        waits.push(next.duration_since(store.now()).as_secs());
        clock.advance(next.duration_since(store.now()).as_secs() - 1);
        assert!(store.take_probes(&both, false).await.unwrap().is_empty());
        clock.advance(1);
        assert!(
            store
                .take_probes(&["b".into()], false)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            store.take_probes(&both, false).await.unwrap(),
            std::slice::from_ref(&a)
        );
        assert!(store.take_probes(&both, false).await.unwrap().is_empty());
    }
    assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
    // Credentials changed: no waiting.
    assert_eq!(
        store.take_probes(&both, true).await.unwrap(),
        std::slice::from_ref(&a)
    );
    let pauses = store.pauses().await.unwrap();
    assert_eq!((pauses.len(), pauses[0].kind), (1, PauseKind::Breaker));
    assert!(store.close_breaker(&a).await.unwrap());
    assert!(!store.close_breaker(&a).await.unwrap());
    assert_eq!(store.next_probe(&both).await.unwrap(), None);
}
