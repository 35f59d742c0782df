use super::*;
use crate::store::{Asked, BACKLOG, RecordSeen, SettledEvent};
use jiff::Timestamp;

async fn enqueue(store: &Store, prefix: &str, number: usize, trigger: &Trigger) {
    let job = |number| new_job(&format!("{prefix}{number}"), trigger.clone());
    let jobs: Vec<NewJob> = (0..number).map(job).collect();
    store.enqueue_many(&jobs).await.unwrap();
}

async fn together(store: &Store, limit: u32) -> Vec<Claim> {
    let connections = [connection()];
    let claimed = store.claim_together("test", &connections, limit).await;
    claimed.unwrap()
}

async fn singly(store: &Store) -> Vec<Claim> {
    let claimed = store.claim_singly("test", &[connection()], 100).await;
    claimed.unwrap()
}

#[tokio::test]
async fn a_backlog_is_claimed_together_and_persons_jobs_are_not() {
    let store = Store::memory().await.unwrap();
    let few = BACKLOG as usize - 1;
    enqueue(&store, "w", few, &Trigger::Webhook).await;
    enqueue(&store, "p", 5, &Trigger::Manual).await;
    assert_eq!(together(&store, 250).await, []);
    enqueue(&store, "e", 30, &Trigger::Export("run".into())).await;
    // A tenth comes from the lowest class, the rest by urgency.
    let claims = together(&store, 20).await;
    let of = |kind: &Trigger| {
        let jobs = claims.iter().filter(|claim| claim.job.trigger == *kind);
        jobs.count()
    };
    assert_eq!((of(&Trigger::Webhook), claims.len()), (few, 20));
    assert!(claims.iter().all(|claim| claim.epoch == 1));
    // What is left is still a backlog: only the persons' jobs are claimed singly.
    let claims = singly(&store).await;
    assert!(
        claims
            .iter()
            .all(|claim| claim.job.trigger == Trigger::Manual)
    );
    assert_eq!(claims.len(), 5);
    let due = store.next_due_singly(&[connection()]).await.unwrap();
    assert!(due.is_none_or(|due| due > store.now()));
    assert_eq!(together(&store, 250).await.len(), few + 30 - 20);
}

#[tokio::test]
async fn the_class_of_persons_is_the_highest() {
    assert_eq!(Trigger::Manual.priority(), super::super::claim::PERSON);
    assert_eq!(Trigger::Retry.priority(), super::super::claim::PERSON);
    assert!(Trigger::Webhook.priority() < super::super::claim::PERSON);
}

#[tokio::test]
async fn the_newest_announced_change_goes_with_the_claim_until_a_trigger_gives_no_time() {
    let store = Store::memory().await.unwrap();
    let tell = async |at: Option<i64>| {
        let event = crate::store::NewEvent {
            connection: connection(),
            key: format!("{at:?}"),
            kind: "RecordUpdate".into(),
            happened_at: None,
            body: "{}".into(),
        };
        store.keep_events(&[event]).await.unwrap();
        let seq = store.waiting_events().await.unwrap();
        assert_eq!(seq, 1);
        let event = store.due_events(1).await.unwrap().pop().unwrap();
        let settled = SettledEvent {
            seq: event.seq,
            note: None,
            jobs: vec![new_job("r1", Trigger::Webhook)],
            deleted: false,
            happened_at: None,
            changed_at: at.map(|at| Timestamp::from_second(at).unwrap()),
        };
        store.settle_events(&[settled]).await.unwrap();
    };
    tell(Some(50)).await;
    tell(Some(40)).await;
    let claim = claim_one(&store).await;
    let change = claim.change.unwrap();
    assert_eq!(change.happened_at.unwrap().as_second(), 50);
    // A change while the job runs belongs to its follow-up.
    tell(Some(60)).await;
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(store.settle(&claim.job, claim.epoch, &done).await.unwrap());
    let claim = claim_one(&store).await;
    assert_eq!(claim.change.unwrap().happened_at.unwrap().as_second(), 60);
    assert!(store.settle(&claim.job, claim.epoch, &done).await.unwrap());
    tell(Some(70)).await;
    tell(None).await;
    tell(Some(80)).await;
    assert_eq!(claim_one(&store).await.change, None);
}

#[tokio::test]
async fn contacts_of_many_jobs_are_held_at_once_and_settled_at_once() {
    let store = Store::memory().await.unwrap();
    enqueue(&store, "w", 12, &Trigger::Webhook).await;
    let claims = together(&store, 250).await;
    assert_eq!(claims.len(), 12);
    // Every two want the same contact; the last one's claim is stale.
    let emails: Vec<Email> = (0..12)
        .map(|number| address(&format!("c{}@example.org", number / 2)))
        .collect();
    let seen: Vec<RecordSeen> = claims
        .iter()
        .zip(&emails)
        .map(|(claim, email)| RecordSeen {
            record: claim.job.record.clone(),
            email: Some(email.clone()),
            version: 7,
            outcome: Outcome::Waiting,
            superseded_by: None,
            competes: true,
        })
        .collect();
    let asked: Vec<Asked<'_>> = claims
        .iter()
        .zip(&emails)
        .zip(&seen)
        .enumerate()
        .map(|(at, ((claim, contact), seen))| Asked {
            job: &claim.job,
            epoch: if at == 11 { 0 } else { claim.epoch },
            contact,
            arrives: staying(seen),
            takes: true,
        })
        .collect();
    let held = store
        .hold_contacts(&connection(), &mapping(), &asked, 9)
        .await
        .unwrap();
    assert_eq!(held[11], Held::Lost);
    for held in &held[..10] {
        assert!(
            matches!(held, Held::Mine(candidates) if candidates.len() == 2),
            "{held:?}"
        );
    }
    let busy = store.contacts_of_running_jobs(&connection()).await.unwrap();
    assert_eq!(busy.len(), 6);
    // Another job meets them busy.
    store
        .enqueue(&new_job("late", Trigger::Manual))
        .await
        .unwrap();
    let late = claim_one(&store).await;
    let other = store
        .hold_contact(&late.job, late.epoch, &emails[0], None, 9)
        .await
        .unwrap();
    assert_eq!(other, Held::ByJob);
    let done = settlement(&store, Outcome::Unchanged, JobState::Done);
    let jobs: Vec<_> = asked
        .iter()
        .map(|one| (one.job, one.epoch, &done))
        .collect();
    let settled = store.settle_many(&jobs).await.unwrap();
    assert_eq!(settled.iter().filter(|mine| **mine).count(), 11);
    assert!(!settled[11]);
    let busy = store.contacts_of_running_jobs(&connection()).await.unwrap();
    assert!(busy.is_empty(), "{busy:?}");
}

#[tokio::test]
async fn of_many_settled_jobs_those_before_a_failure_are_settled_and_named() {
    let store = Store::memory().await.unwrap();
    enqueue(&store, "w", 40, &Trigger::Webhook).await;
    store
        .sabotage(
            "CREATE TRIGGER broken BEFORE UPDATE OF state ON jobs WHEN new.record_id = 'w20' AND new.state = 'done'
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .await;
    let claims = together(&store, 40).await;
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    let jobs: Vec<_> = claims
        .iter()
        .map(|claim| (&claim.job, claim.epoch, &done))
        .collect();
    let partly = store.settle_many(&jobs).await.unwrap_err();
    assert!(partly.error.to_string().contains("broken"), "{partly}");
    assert_eq!(partly.settled, [true; 16]);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.done, counts.running), (16, 24));
}
