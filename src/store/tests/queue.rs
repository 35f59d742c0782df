use super::*;

fn failure(message: &str) -> Problem {
    Problem::new(ErrorClass::Invalid, message).field("%AGE%")
}

#[tokio::test]
async fn changes_of_a_record_coalesce_into_its_open_job() {
    let (store, _) = store().await;
    let first = store
        .enqueue(&new_job("r1", Trigger::Schedule))
        .await
        .unwrap();
    let again = store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let less = store.enqueue(&new_job("r1", Trigger::Poll)).await.unwrap();
    assert_eq!((&first, &first), (&again, &less));
    let job = store.job(&first).await.unwrap().unwrap();
    assert_eq!(
        (job.state, job.trigger),
        (JobState::Ready, Trigger::Webhook)
    );
    assert_eq!(store.counts().await.unwrap().total(), 1);
}

#[tokio::test]
async fn a_change_while_running_makes_exactly_one_follow_up() {
    let (store, _) = store().await;
    let first = store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let claim = claim_one(&store).await;
    for trigger in [Trigger::Poll, Trigger::Manual, Trigger::Webhook] {
        assert_eq!(store.enqueue(&new_job("r1", trigger)).await.unwrap(), first);
    }
    assert_eq!(state_of(&store, &first).await, JobState::Running);
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(store.settle(&claim.job, claim.epoch, &done).await.unwrap());
    let next = claim_one(&store).await;
    assert_ne!(next.job.id, first);
    assert_eq!(next.job.trigger, Trigger::Manual);
    assert!(store.settle(&next.job, next.epoch, &done).await.unwrap());
    assert_eq!(store.next_due(&[connection()]).await.unwrap(), None);

    // A job that stays open is itself the follow-up.
    let open = store
        .enqueue(&new_job("r2", Trigger::Webhook))
        .await
        .unwrap();
    let claim = claim_one(&store).await;
    store
        .enqueue(&new_job("r2", Trigger::Webhook))
        .await
        .unwrap();
    let mut failed = settlement(&store, Outcome::Failed, JobState::Failed);
    failed.error = Some(failure("12 is too old"));
    assert!(
        store
            .settle(&claim.job, claim.epoch, &failed)
            .await
            .unwrap()
    );
    assert_eq!(state_of(&store, &open).await, JobState::Ready);
}

#[tokio::test]
async fn a_record_that_another_job_asks_for_is_due_again_though_both_are_settled_together() {
    let (store, _) = store().await;
    for record in ["r1", "r2"] {
        let job = new_job(record, Trigger::Webhook);
        store.enqueue(&job).await.unwrap();
    }
    let claims = store.claim("w", &[connection()], 2).await.unwrap();
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    // Each of them stands for the same contact; the first is gone.
    for claim in &claims {
        let seen = RecordSeen {
            record: claim.job.record.clone(),
            email: Some(address("jo@example.org")),
            version: 1,
            outcome: Outcome::Waiting,
            superseded_by: None,
            competes: true,
        };
        let seen = store.see_record(&connection(), &mapping(), &seen).await;
        seen.unwrap();
    }
    let mut asks = done.clone();
    asks.gone = true;
    asks.leaves = Some(Heir::Newest);
    let both = [
        (&claims[0].job, claims[0].epoch, &asks),
        (&claims[1].job, claims[1].epoch, &done),
    ];
    assert_eq!(store.settle_many(&both).await.unwrap(), [true, true]);
    let next = claim_one(&store).await;
    assert_eq!(next.job.record, claims[1].job.record);
    assert_eq!(next.job.trigger, Trigger::Webhook);
    // Neither is this worker's any more.
    assert_eq!(store.settle_many(&both).await.unwrap(), [false, false]);
}

#[tokio::test]
async fn a_stale_epoch_changes_nothing() {
    let (store, clock) = store().await;
    let id = store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let late = claim_one(&store).await;
    let held = [(id.clone(), late.epoch)];
    clock.advance(20);
    assert_eq!(store.heartbeat(&held).await.unwrap(), []);
    clock.advance(20);
    assert!(
        store
            .claim("other", &[connection()], 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.lease(&id, late.epoch).await.unwrap().is_some());
    clock.advance(11);
    let rescued = claim_one(&store).await;
    assert_eq!(rescued.job.id, id);
    assert!(rescued.epoch > late.epoch);
    assert_eq!(
        store.heartbeat(&held).await.unwrap(),
        std::slice::from_ref(&id)
    );
    assert_eq!(store.lease(&id, late.epoch).await.unwrap(), None);
    let mut done = settlement(&store, Outcome::Synced, JobState::Done);
    done.link = Some(link("jo@example.org", "r1", 1));
    assert!(!store.settle(&late.job, late.epoch, &done).await.unwrap());
    assert!(store.attempts(&id).await.unwrap().is_empty());
    let kept = store
        .link(&connection(), &mapping(), &address("jo@example.org"))
        .await
        .unwrap();
    assert_eq!(kept, None);
    assert!(
        store
            .settle(&rescued.job, rescued.epoch, &done)
            .await
            .unwrap()
    );
    assert_eq!(state_of(&store, &id).await, JobState::Done);
}

#[tokio::test]
async fn urgency_goes_first_and_every_tenth_claim_is_patient() {
    let (store, _) = store().await;
    let run = crate::model::RunId::from("run");
    let mut jobs: Vec<NewJob> = (0..5)
        .map(|n| new_job(&format!("export{n}"), Trigger::Export(run.clone())))
        .collect();
    jobs.extend((0..20).map(|n| new_job(&format!("hook{n}"), Trigger::Webhook)));
    jobs.push(new_job("person", Trigger::Manual));
    store.enqueue_many(&jobs).await.unwrap();
    let claims = store.claim("test", &[connection()], 20).await.unwrap();
    let names: Vec<&str> = claims
        .iter()
        .map(|claim| claim.job.record.as_str())
        .collect();
    assert_eq!(names.len(), 20);
    assert_eq!(&names[..3], ["person", "hook0", "hook1"]);
    assert_eq!((names[9], names[19]), ("export0", "export1"));
}

#[tokio::test]
async fn connections_take_turns() {
    let (store, _) = store().await;
    let mut jobs = Vec::new();
    for name in ["a", "b"] {
        for n in 0..30 {
            let mut job = new_job(&format!("{name}{n}"), Trigger::Webhook);
            job.connection = name.into();
            jobs.push(job);
        }
    }
    store.enqueue_many(&jobs).await.unwrap();
    let both = ["a".into(), "b".into()];
    let claims = store.claim("test", &both, 8).await.unwrap();
    let of_a = claims
        .iter()
        .filter(|claim| claim.job.connection.as_str() == "a");
    assert_eq!((claims.len(), of_a.count()), (8, 4));
    let only = store.claim("test", &both[1..], 3).await.unwrap();
    assert!(
        only.iter()
            .all(|claim| claim.job.connection.as_str() == "b")
    );
    assert_eq!(only.len(), 3);
}

#[tokio::test]
async fn waiting_uses_no_attempt_and_ends_in_time() {
    let (store, clock) = store().await;
    let id = store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    let claim = claim_one(&store).await;
    let until = store.now() + jiff::SignedDuration::from_secs(60);
    let mut wait = settlement(&store, Outcome::Waiting, JobState::Waiting);
    wait.uses_attempt = false;
    wait.attempt = None;
    wait.waiting = Some(Waiting {
        reason: WaitReason::RateLimited,
        until: Some(until),
        by: "activecampaign".into(),
    });
    assert!(store.settle(&claim.job, claim.epoch, &wait).await.unwrap());
    let job = store.job(&id).await.unwrap().unwrap();
    assert_eq!((job.attempts, job.waiting), (0, wait.waiting));
    assert_eq!(store.next_due(&[connection()]).await.unwrap(), Some(until));
    assert!(
        store
            .claim("test", &[connection()], 1)
            .await
            .unwrap()
            .is_empty()
    );
    clock.advance(61);
    assert_eq!(claim_one(&store).await.job.id, id);

    let mut later = new_job("r2", Trigger::Schedule);
    later.not_before = Some(store.now() + jiff::SignedDuration::from_secs(5));
    let id = store.enqueue(&later).await.unwrap();
    assert_eq!(state_of(&store, &id).await, JobState::Waiting);
    later.not_before = Some(store.now() + jiff::SignedDuration::from_secs(500));
    store.enqueue(&later).await.unwrap();
    clock.advance(6);
    assert_eq!(claim_one(&store).await.job.id, id);
}

#[tokio::test]
async fn a_failure_keeps_its_reason_and_a_retry_is_a_persons() {
    let (store, clock) = store().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let job = new_job(&format!("r{n}"), Trigger::Webhook);
        ids.push(store.enqueue(&job).await.unwrap());
        let claim = claim_one(&store).await;
        let mut failed = settlement(&store, Outcome::Failed, JobState::Failed);
        failed.error = Some(failure(&format!("{n} is too old")));
        failed.contact.email = Some(address("jo@example.org"));
        assert!(
            store
                .settle(&claim.job, claim.epoch, &failed)
                .await
                .unwrap()
        );
    }
    let groups = store.groups(10).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0].count, groups[0].class), (3, ErrorClass::Invalid));
    let attempts = store.attempts(&ids[0]).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].number), (1, 1));
    assert_eq!(attempts[0].outcome, "failed");
    assert_eq!(attempts[0].error, Some(failure("0 is too old")));
    assert_eq!(attempts[0].request.as_ref().map(String::len), Some(4096));

    clock.advance(1);
    let group = crate::model::filter::Filter::parse(&format!("group:{}", groups[0].group)).unwrap();
    let all = Selection::Filter(group);
    assert_eq!(
        store.count_selected(BulkAction::Retry, &all).await.unwrap(),
        3
    );
    assert_eq!(state_of(&store, &ids[2]).await, JobState::Failed);
    assert_eq!(
        store
            .apply(BulkAction::Retry, &Selection::Ids(ids[2..].to_vec()), "jo")
            .await
            .unwrap(),
        1
    );
    let claim = claim_one(&store).await;
    assert_eq!(
        (&claim.job.id, claim.job.trigger.clone()),
        (&ids[2], Trigger::Retry)
    );
    assert_eq!((claim.job.attempts, claim.tries), (1, 0));
    assert!(claim.job.error.is_some());
    assert_eq!(store.apply(BulkAction::Retry, &all, "jo").await.unwrap(), 2);
    assert_eq!(
        store
            .apply(BulkAction::Discard, &Selection::Ids(ids.clone()), "jo")
            .await
            .unwrap(),
        2
    );
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(store.settle(&claim.job, claim.epoch, &done).await.unwrap());
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.done, counts.discarded, counts.total()), (1, 2, 3));
    assert_eq!(store.job(&ids[2]).await.unwrap().unwrap().error, None);
}

#[tokio::test]
async fn retention_removes_what_is_over() {
    let (store, clock) = store().await;
    for n in 0..3 {
        store
            .enqueue(&new_job(&format!("r{n}"), Trigger::Webhook))
            .await
            .unwrap();
    }
    let claim = claim_one(&store).await;
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    store.settle(&claim.job, claim.epoch, &done).await.unwrap();
    clock.advance(1);
    let retention = Retention {
        done_before: store.now(),
        attempts_before: store.now() - jiff::SignedDuration::from_secs(100),
    };
    let pruned = store.prune(retention).await.unwrap();
    assert_eq!((pruned.jobs, pruned.attempts), (1, 0));
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.ready, counts.done), (2, 0));
    assert!(store.attempts(&claim.job.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_older_version_of_a_record_replaces_nothing() {
    let (store, _) = store().await;
    let (connection, mapping, email) = (connection(), mapping(), address("jo@example.org"));
    let mut newer = link("jo@example.org", "r1", 20);
    newer.contact_id = Some("7".into());
    newer.created_by_us = true;
    store.put_link(&connection, &mapping, &newer).await.unwrap();
    store
        .put_link(&connection, &mapping, &link("jo@example.org", "r1", 10))
        .await
        .unwrap();
    let kept = store
        .link(&connection, &mapping, &email)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.version, 20);
    // Another record may take the contact with an older version: its rival moved away.
    store
        .put_link(&connection, &mapping, &link("jo@example.org", "r2", 5))
        .await
        .unwrap();
    let kept = store
        .link(&connection, &mapping, &email)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.record.as_str(), kept.version), ("r2", 5));
    assert_eq!(kept.contact_id, Some("7".into()));
    assert!(kept.created_by_us);
    let of_record = store
        .links_of_record(&connection, &mapping, &"r2".into())
        .await
        .unwrap();
    let of_contact = store
        .links_of_contact(&connection, &"7".into())
        .await
        .unwrap();
    assert_eq!((of_record.len(), of_contact.len()), (1, 1));
    store
        .remove_link(&connection, &mapping, &email)
        .await
        .unwrap();
    let link = store.link(&connection, &mapping, &email).await.unwrap();
    assert!(link.is_none());
}

#[tokio::test]
async fn candidates_stand_newest_first() {
    let (store, _) = store().await;
    let email = address("jo@example.org");
    for (record, version, competes) in [
        ("a", 5, true),
        ("c", 9, true),
        ("b", 9, true),
        ("z", 99, false),
    ] {
        let seen = RecordSeen {
            record: record.into(),
            email: Some(email.clone()),
            version,
            outcome: Outcome::Synced,
            superseded_by: None,
            competes,
        };
        store
            .see_record(&connection(), &mapping(), &seen)
            .await
            .unwrap();
    }
    let all = store
        .candidates(&connection(), &mapping(), &email, 10)
        .await
        .unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.record.as_str()).collect();
    assert_eq!(names, ["c", "b", "a"]);
    let (of, by, leaver) = (connection(), mapping(), RecordId::from("c"));
    for (heir, winner, next) in [
        (Heir::Newest, Some("c"), Some("b")),
        (Heir::Oldest, Some("a"), Some("a")),
        (Heir::Only, None, None),
    ] {
        let wanted = [email.clone(), address("nobody@example.org")];
        let winners = store.winners(&of, &by, &wanted, heir).await.unwrap();
        let named = winners.get(&email).map(|one| one.record.as_str());
        assert_eq!((named, winners.len()), (winner, named.iter().count()));
        let left = store.next_in_line(&of, &by, &email, (heir, &leaver)).await;
        let left = left.unwrap();
        assert_eq!(left.as_ref().map(RecordId::as_str), next);
    }
}

fn link(email: &str, record: &str, version: i64) -> LinkWrite {
    LinkWrite {
        email: address(email),
        contact_id: None,
        record: record.into(),
        version,
        fingerprint: Fingerprint::of(record.as_bytes()),
        write_json: "{}".into(),
        properties_json: None,
        created_by_us: false,
    }
}
