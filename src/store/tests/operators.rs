use super::*;
use crate::model::JobId;
use crate::model::bulk::BulkState;
use std::time::Duration;

async fn failed(store: &Store, record: &str, message: &str) -> JobId {
    let id = store
        .enqueue(&new_job(record, Trigger::Webhook))
        .await
        .unwrap();
    let claim = claim_one(store).await;
    let failed = Settlement {
        error: Some(Problem::new(ErrorClass::Invalid, message).field("%AGE%")),
        ..settlement(store, Outcome::Failed, JobState::Failed)
    };
    assert!(
        store
            .settle(&claim.job, claim.epoch, &failed)
            .await
            .unwrap()
    );
    id
}

fn filter(text: &str) -> Selection {
    Selection::Filter(Filter::parse(text).unwrap())
}

#[tokio::test]
async fn groups_are_kept_with_every_change_of_a_job() {
    let (store, clock) = store().await;
    let first = store.now();
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(failed(&store, &format!("r{n}"), &format!("{n} is too old")).await);
        clock.advance(60);
    }
    failed(&store, "other", "no such option").await;
    let groups = store.groups(9).await.unwrap();
    let counts: Vec<u64> = groups.iter().map(|group| group.count).collect();
    assert_eq!(counts, [4, 1]);
    let group = &groups[0];
    assert_eq!((group.first_seen, &group.sample), (first, &ids[3]));
    assert_eq!(group.message, "3 is too old");
    assert_eq!(group.field.as_deref(), Some("%AGE%"));
    assert_eq!(store.same_error(&ids[0]).await.unwrap(), 4);

    // Whoever leaves is no sample any more; an empty group is not shown, and remembered.
    let named = |from: usize, to: usize| Selection::Ids(ids[from..to].to_vec());
    store
        .apply(BulkAction::Discard, &named(3, 4), "jo")
        .await
        .unwrap();
    store
        .apply(BulkAction::Retry, &named(2, 3), "jo")
        .await
        .unwrap();
    let group = store.groups(9).await.unwrap().remove(0);
    assert_eq!((group.count, &group.sample), (2, &ids[1]));
    store
        .apply(BulkAction::Retry, &named(0, 2), "jo")
        .await
        .unwrap();
    let groups = store.groups(9).await.unwrap();
    assert_eq!(
        (groups.len(), groups[0].message.as_str()),
        (1, "no such option")
    );
    clock.advance(60);
    failed(&store, "r0", "9 is too old").await;
    let groups = store.groups(9).await.unwrap();
    let group = groups
        .iter()
        .find(|group| group.message == "9 is too old")
        .unwrap();
    assert_eq!((group.first_seen, group.count), (first, 1));
    // The same error elsewhere is a group of its own.
    assert!(groups.iter().all(|group| group.connection == connection()));
}

#[tokio::test]
async fn a_bulk_action_that_is_broken_off_goes_on_where_it_stood() {
    let (store, clock) = store().await;
    let jobs: Vec<NewJob> = (0..1_201)
        .map(|n| new_job(&format!("r{n}"), Trigger::Webhook))
        .collect();
    store.enqueue_many(&jobs).await.unwrap();
    clock.advance(1);
    let id = store
        .begin_bulk(
            BulkAction::Discard,
            &filter("state:ready"),
            "jo",
            Duration::ZERO,
            None,
        )
        .await
        .unwrap();
    // What comes later is not meant.
    clock.advance(1);
    store
        .enqueue(&new_job("late", Trigger::Webhook))
        .await
        .unwrap();
    let bulk = store.bulk_slice(&id).await.unwrap();
    assert_eq!((bulk.state, bulk.changed), (BulkState::Open, 500));
    assert_eq!(store.counts().await.unwrap().discarded, 500);
    // The process dies; the next one finds it in the same file.
    let path = store.path().to_owned();
    let again = Store::open(&path, clock.clone()).await.unwrap();
    assert_eq!(again.due_bulks().await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(again.run_bulk(&id).await.unwrap(), 1_201);
    assert_eq!(store.run_bulk(&id).await.unwrap(), 1_201);
    let counts = again.counts().await.unwrap();
    assert_eq!((counts.discarded, counts.ready), (1_201, 1));
    let bulk = again.bulks(1).await.unwrap().remove(0);
    assert_eq!(
        (bulk.by.as_str(), bulk.changed, bulk.state),
        ("jo", 1_201, BulkState::Done)
    );
    assert!(again.due_bulks().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_fails_again_meanwhile_is_not_met_twice_and_many_names_come_in_slices() {
    let (store, clock) = store().await;
    let id = failed(&store, "r1", "12 is too old").await;
    clock.advance(1);
    let bulk = store
        .begin_bulk(
            BulkAction::Retry,
            &filter("state:failed"),
            "jo",
            Duration::ZERO,
            None,
        )
        .await
        .unwrap();
    clock.advance(1);
    store
        .apply(BulkAction::Retry, &Selection::Ids(vec![id.clone()]), "mia")
        .await
        .unwrap();
    failed(&store, "r1", "12 is too old").await;
    assert_eq!(store.run_bulk(&bulk).await.unwrap(), 0);
    assert_eq!(state_of(&store, &id).await, JobState::Failed);

    let jobs: Vec<NewJob> = (0..700)
        .map(|n| new_job(&format!("n{n}"), Trigger::Webhook))
        .collect();
    let ids = store.enqueue_many(&jobs).await.unwrap();
    let named = Selection::Ids(ids);
    assert_eq!(
        store
            .count_selected(BulkAction::Discard, &named)
            .await
            .unwrap(),
        700
    );
    assert_eq!(
        store
            .apply(BulkAction::Discard, &named, "jo")
            .await
            .unwrap(),
        700
    );
}

#[tokio::test]
async fn an_action_can_be_taken_back_until_its_time() {
    let (store, clock) = store().await;
    let job = failed(&store, "r1", "12 is too old").await;
    let all = filter("state:failed");
    let soon = Duration::from_secs(5);
    let begin = || store.begin_bulk(BulkAction::Discard, &all, "jo", soon, None);
    let id = begin().await.unwrap();
    assert!(store.due_bulks().await.unwrap().is_empty());
    assert!(store.cancel_bulk(&id).await.unwrap());
    assert!(!store.cancel_bulk(&id).await.unwrap());
    clock.advance(6);
    assert!(store.due_bulks().await.unwrap().is_empty());
    assert_eq!(store.run_bulk(&id).await.unwrap(), 0);
    assert_eq!(state_of(&store, &job).await, JobState::Failed);
    let id = begin().await.unwrap();
    clock.advance(6);
    assert_eq!(store.due_bulks().await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(store.run_bulk(&id).await.unwrap(), 1);
    assert!(!store.cancel_bulk(&id).await.unwrap());
}

#[tokio::test]
async fn many_that_a_filter_found_go_behind_webhooks_and_a_named_one_first() {
    let (store, clock) = store().await;
    failed(&store, "found", "12 is too old").await;
    let named = failed(&store, "named", "no such option").await;
    clock.advance(1);
    store
        .enqueue(&new_job("hook", Trigger::Webhook))
        .await
        .unwrap();
    store
        .apply(BulkAction::Retry, &filter("\"too old\""), "jo")
        .await
        .unwrap();
    store
        .apply(BulkAction::Retry, &Selection::Ids(vec![named]), "jo")
        .await
        .unwrap();
    let claims = store.claim("test", &[connection()], 9).await.unwrap();
    let records: Vec<&str> = claims
        .iter()
        .map(|claim| claim.job.record.as_str())
        .collect();
    assert_eq!(records, ["named", "hook", "found"]);
}

#[tokio::test]
async fn an_edit_holds_for_one_version_of_the_record_and_is_never_forgotten() {
    let (store, _) = store().await;
    let id = failed(&store, "r1", "12 is too old").await;
    let edit = |value: i64| NewEdit {
        properties: [("age".to_owned(), value.into())].into_iter().collect(),
        version: 7,
        by: "jo".into(),
    };
    assert_eq!(store.edit_job(&id, &edit(3)).await.unwrap(), Some(1));
    assert_eq!(store.edit_job(&id, &edit(4)).await.unwrap(), Some(2));
    let claim = claim_one(&store).await;
    assert_eq!((&claim.job.id, claim.tries), (&id, 0));
    // It runs: too late for another one.
    assert_eq!(store.edit_job(&id, &edit(5)).await.unwrap(), None);
    let (connection, mapping, record) = (&claim.job.connection, &claim.job.mapping, "r1".into());
    let in_force = async || store.edits_in_force(connection, mapping).await.unwrap();
    let held = in_force().await.remove(&record).unwrap();
    assert_eq!(
        (held.edit.number, &held.edit.properties["age"], held.version),
        (2, &4.into(), 7)
    );
    let failure = settlement(&store, Outcome::Failed, JobState::Failed);
    store
        .settle(&claim.job, claim.epoch, &failure)
        .await
        .unwrap();
    let attempts = store.attempts(&id).await.unwrap();
    let with: Vec<Option<u32>> = attempts.iter().map(|attempt| attempt.edit).collect();
    assert_eq!(with, [None, Some(2)]);

    // It outlives its job.
    store
        .apply(BulkAction::Discard, &Selection::Ids(vec![id.clone()]), "jo")
        .await
        .unwrap();
    assert_eq!(in_force().await.len(), 1);
    store
        .end_edit(connection, mapping, &record, 2)
        .await
        .unwrap();
    assert!(in_force().await.is_empty());
    let edits = store.edits(connection, mapping, &record).await.unwrap();
    let ends: Vec<Option<&str>> = edits.iter().map(|edit| edit.ended_why.as_deref()).collect();
    assert_eq!(
        ends,
        [Some("replaced by another edit"), Some("the record changed")]
    );
}

#[tokio::test]
async fn a_worker_leaves_mappings_alone_of_which_another_version_is_in_force() {
    let (store, clock) = store().await;
    let mut visits = new_job("v1", Trigger::Webhook);
    visits.mapping = "visits".into();
    store
        .enqueue_many(&[new_job("r1", Trigger::Webhook), visits])
        .await
        .unwrap();
    let versions = |pets: &str, visits: Option<&str>| {
        let mut all = Versions::new();
        all.insert((connection(), mapping()), pets.to_owned());
        if let Some(hash) = visits {
            all.insert((connection(), "visits".into()), hash.to_owned());
        }
        all
    };
    let mine = [connection()];
    store
        .worker_began("w1", &mine, &versions("p1", Some("v1")))
        .await
        .unwrap();
    let newer = Store::open(store.path(), clock.clone()).await.unwrap();
    newer
        .worker_began("w2", &mine, &versions("p2", Some("v1")))
        .await
        .unwrap();

    let others = store.other_versions().await.unwrap();
    assert_eq!((others.len(), others[0].by.as_str()), (1, "w2"));
    assert_eq!(others[0].mapping, mapping());
    let claims = store.claim("w1", &mine, 9).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].job.record.as_str(), "v1");
    // Nothing is due for it but the end of the lease.
    assert!(store.next_due(&mine).await.unwrap().unwrap() > store.now());
    assert_eq!(newer.claim("w2", &mine, 9).await.unwrap().len(), 1);

    // It reads the same configuration; a mapping that is gone from it has no version any more.
    store
        .worker_began("w1", &mine, &versions("p2", None))
        .await
        .unwrap();
    assert!(store.other_versions().await.unwrap().is_empty());
    let gone = store
        .mapping_version(&connection(), &"visits".into())
        .await
        .unwrap();
    assert_eq!(gone, None);
    let workers = store.workers().await.unwrap();
    assert_eq!(workers.len(), 2);
    let version = store
        .mapping_version(&connection(), &mapping())
        .await
        .unwrap()
        .unwrap();
    assert!(workers.iter().all(|worker| worker.follows(&version)));
    store.worker_ended("w2").await.unwrap();
    assert_eq!(store.workers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn that_a_worker_was_killed_is_told_though_nobody_writes_it() {
    let (store, clock) = store().await;
    let none = Versions::new();
    store.worker_began("w1", &[], &none).await.unwrap();
    let mut elsewhere = store.changes_elsewhere();
    elsewhere.changed().await.unwrap();
    clock.advance(31);
    let told = tokio::time::timeout(Duration::from_secs(30), elsewhere.changed());
    told.await.expect("it is told").unwrap();
}

#[tokio::test]
async fn a_worker_that_misses_three_beats_is_none_until_it_beats_again() {
    let (store, clock) = store().await;
    let none = Versions::new();
    for worker in ["here/1/1", "elsewhere/1/1"] {
        store.worker_began(worker, &[], &none).await.unwrap();
    }
    clock.advance(29);
    assert_eq!(store.workers().await.unwrap().len(), 2);
    store.worker_beats("here/1/1").await.unwrap();
    clock.advance(2);
    let workers = store.workers().await.unwrap();
    assert_eq!((workers.len(), workers[0].owner.as_str()), (1, "here/1/1"));
    // It was only stopped.
    store.worker_beats("elsewhere/1/1").await.unwrap();
    assert_eq!(store.workers().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_change_that_was_announced_to_a_worker_that_died_lends_its_urgency() {
    let (store, clock) = store().await;
    store
        .enqueue(&new_job("r1", Trigger::Schedule))
        .await
        .unwrap();
    claim_one(&store).await;
    store
        .enqueue(&new_job("r1", Trigger::Manual))
        .await
        .unwrap();
    store
        .enqueue(&new_job("r2", Trigger::Webhook))
        .await
        .unwrap();
    clock.advance(31);
    let claim = claim_one(&store).await;
    assert_eq!(claim.job.record.as_str(), "r1");
    assert_eq!(claim.job.trigger, Trigger::Manual);
}

#[tokio::test]
async fn the_standing_of_a_job_tells_who_goes_first_and_who_has_it() {
    let (store, _) = store().await;
    let mut jobs = vec![new_job("export", Trigger::Export("run".into()))];
    jobs.extend((0..3).map(|n| new_job(&format!("hook{n}"), Trigger::Webhook)));
    jobs.push(new_job("person", Trigger::Manual));
    let ids = store.enqueue_many(&jobs).await.unwrap();
    let mut ahead = Vec::new();
    for id in &ids {
        ahead.push(store.standing(id).await.unwrap().unwrap().ahead);
    }
    assert_eq!(
        ahead,
        [(4, true), (1, true), (2, true), (3, true), (0, true)]
    );
    let claim = claim_one(&store).await;
    let holder = store
        .standing(&claim.job.id)
        .await
        .unwrap()
        .unwrap()
        .holder
        .unwrap();
    assert_eq!(
        (holder.worker.as_str(), holder.until),
        ("test", claim.lease_until)
    );
}

#[tokio::test]
async fn the_audit_keeps_what_was_begun_and_how_it_ended() {
    let (store, _) = store().await;
    let entry = |action: &str| NewAudit {
        who: "jo from 192.0.2.7".into(),
        action: action.into(),
        target: "state:failed".into(),
        ..NewAudit::default()
    };
    let seq = store.audit_begins(&entry("retry")).await.unwrap();
    store.audit_begins(&entry("discard")).await.unwrap();
    store.audit_ends(seq, "done", Some(17), None).await.unwrap();
    let entries = store.audit(9).await.unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action.as_str(), entry.outcome.as_deref(), entry.count))
        .collect();
    assert_eq!(
        told,
        [("discard", None, None), ("retry", Some("done"), Some(17))]
    );
}
