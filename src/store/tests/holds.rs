use super::*;

const CONTACT: &str = "jo@example.org";

fn candidate(record: &str, version: i64) -> RecordSeen {
    RecordSeen {
        record: record.into(),
        email: Some(address(CONTACT)),
        version,
        outcome: Outcome::Waiting,
        superseded_by: None,
        competes: true,
    }
}

async fn hold(store: &Store, claim: &Claim, version: i64) -> Held {
    let seen = candidate(claim.job.record.as_str(), version);
    store
        .hold_contact(
            &claim.job,
            claim.epoch,
            &address(CONTACT),
            Some(staying(&seen)),
            9,
        )
        .await
        .unwrap()
}

async fn two_claims(store: &Store) -> (Claim, Claim) {
    for record in ["r1", "r2"] {
        store
            .enqueue(&new_job(record, Trigger::Manual))
            .await
            .unwrap();
    }
    let mut claims = store.claim("test", &[connection()], 2).await.unwrap();
    let second = claims.pop().unwrap();
    (claims.pop().unwrap(), second)
}

fn link_of(record: &str, version: i64) -> LinkWrite {
    LinkWrite {
        email: address(CONTACT),
        contact_id: None,
        record: record.into(),
        version,
        fingerprint: Fingerprint::stored(format!("{record} {version}")),
        write_json: "{}".into(),
        properties_json: None,
        created_by_us: false,
    }
}

async fn kept(store: &Store, record: &str) -> (String, Option<String>, i64) {
    let mut reader = store.readers().acquire().await.unwrap();
    sqlx::query_as("SELECT outcome, superseded_by, competes FROM records WHERE record_id = $1")
        .bind(record)
        .fetch_one(&mut *reader)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_contact_has_one_running_job_and_knows_who_else_wants_it() {
    let (store, _) = store().await;
    let (first, second) = two_claims(&store).await;
    let Held::Mine(alone) = hold(&store, &first, 1).await else {
        panic!("a free contact is given");
    };
    assert_eq!(alone.len(), 1);
    assert_eq!(hold(&store, &second, 2).await, Held::ByJob);
    // Asking again changes nothing, and the other record is known by now.
    let Held::Mine(both) = hold(&store, &first, 1).await else {
        panic!("it is held already");
    };
    assert_eq!(both[0].record, RecordId::from("r2"));
    assert_eq!(
        store
            .contacts_of_running_jobs(&connection())
            .await
            .unwrap()
            .len(),
        1
    );

    let mut done = settlement(&store, Outcome::Synced, JobState::Done);
    done.link = Some(link_of("r1", 1));
    done.record = Some(RecordSeen {
        outcome: Outcome::Synced,
        ..candidate("r1", 1)
    });
    assert!(store.settle(&first.job, first.epoch, &done).await.unwrap());
    assert!(matches!(hold(&store, &second, 2).await, Held::Mine(_)));
    done.link = Some(link_of("r2", 2));
    done.record = Some(RecordSeen {
        outcome: Outcome::Synced,
        ..candidate("r2", 2)
    });
    let second_settled = store.settle(&second.job, second.epoch, &done).await;
    assert!(second_settled.unwrap());
    assert_eq!(
        kept(&store, "r1").await,
        ("superseded".into(), Some("r2".into()), 1)
    );
    assert_eq!(kept(&store, "r2").await, ("synced".into(), None, 1));
    assert!(
        store
            .contacts_of_running_jobs(&connection())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_older_than_a_known_version_takes_no_contact() {
    let (store, _) = store().await;
    let (first, _) = two_claims(&store).await;
    let known = candidate("r1", 9);
    store
        .see_record(&connection(), &mapping(), &known)
        .await
        .unwrap();
    assert_eq!(hold(&store, &first, 8).await, Held::Overtaken(9));
    let seen = candidate("r1", 8);
    let contact = address(CONTACT);
    let asked = [Asked {
        job: &first.job,
        epoch: first.epoch,
        contact: &contact,
        arrives: staying(&seen),
        takes: true,
    }];
    let together = store
        .hold_contacts(&connection(), &mapping(), &asked, 9)
        .await;
    assert_eq!(together.unwrap(), [Held::Overtaken(9)]);
    let busy = store.contacts_of_running_jobs(&connection()).await.unwrap();
    assert!(busy.is_empty(), "{busy:?}");
    // Unless that is the newest state all the same.
    store
        .turn_back(&connection(), &mapping(), &"r1".into(), 8)
        .await
        .unwrap();
    assert!(matches!(hold(&store, &first, 8).await, Held::Mine(_)));
    assert!(matches!(hold(&store, &first, 9).await, Held::Mine(_)));
}

#[tokio::test]
async fn a_contact_is_free_once_the_lease_of_its_job_has_ended() {
    let (store, clock) = store().await;
    let (first, second) = two_claims(&store).await;
    assert!(matches!(hold(&store, &first, 1).await, Held::Mine(_)));
    clock.advance(20);
    let held = [(second.job.id.clone(), second.epoch)];
    assert!(store.heartbeat(&held).await.unwrap().is_empty());
    assert_eq!(hold(&store, &second, 2).await, Held::ByJob);
    clock.advance(11);
    assert!(matches!(hold(&store, &second, 2).await, Held::Mine(_)));
    assert_eq!(hold(&store, &first, 1).await, Held::Lost);
}

#[tokio::test]
async fn a_record_that_is_gone_competes_no_more_and_its_successor_follows_at_once() {
    let (store, _) = store().await;
    let (first, second) = two_claims(&store).await;
    hold(&store, &first, 9).await;
    let contacts = store
        .contacts_of_record(&connection(), &mapping(), &"r1".into())
        .await
        .unwrap();
    assert_eq!(contacts, [address(CONTACT)]);
    hold(&store, &second, 5).await;
    let done = settlement(&store, Outcome::Superseded, JobState::Done);
    let second_settled = store.settle(&second.job, second.epoch, &done).await;
    assert!(second_settled.unwrap());

    let mut gone = settlement(&store, Outcome::Failed, JobState::Failed);
    gone.gone = true;
    gone.leaves = Some(Heir::Newest);
    // A settlement that comes too late makes no job either.
    assert!(!store.settle(&first.job, 0, &gone).await.unwrap());
    assert_eq!(store.counts().await.unwrap().ready, 0);
    assert!(store.settle(&first.job, first.epoch, &gone).await.unwrap());
    assert_eq!(kept(&store, "r1").await, ("failed".into(), None, 0));
    assert_eq!(claim_one(&store).await.job.record, RecordId::from("r2"));
}

/// From the moment that a record is seen elsewhere nothing else tells of the contact that it stood for.
#[tokio::test]
async fn a_contact_that_is_left_goes_to_the_next_in_line_with_the_hold_that_leaves_it() {
    for (heir, next) in [
        (Heir::Newest, Some("r3")),
        (Heir::Oldest, Some("r2")),
        (Heir::Only, None),
    ] {
        let (store, _) = store().await;
        let (first, second) = two_claims(&store).await;
        hold(&store, &first, 9).await;
        hold(&store, &second, 5).await;
        let done = settlement(&store, Outcome::Superseded, JobState::Done);
        let settled = store.settle(&second.job, second.epoch, &done).await;
        assert!(settled.unwrap());
        let third = candidate("r3", 7);
        store
            .see_record(&connection(), &mapping(), &third)
            .await
            .unwrap();

        let seen = RecordSeen {
            email: Some(address("elsewhere@example.org")),
            ..candidate("r1", 10)
        };
        let leaves = [address(CONTACT)];
        let arrives = Arrives {
            seen: &seen,
            leaves: &leaves,
            heir,
        };
        let there = address("elsewhere@example.org");
        let held = store.hold_contact(&first.job, first.epoch, &there, Some(arrives), 9);
        assert!(matches!(held.await.unwrap(), Held::Mine(_)));
        let ready = store.claim("other", &[connection()], 9).await.unwrap();
        let ready: Vec<&str> = ready
            .iter()
            .map(|claim| claim.job.record.as_str())
            .collect();
        assert_eq!(ready, Vec::from_iter(next), "{heir:?}");
    }
}

/// A record that comes to the contact just before the leaver is settled gives way to it, and is asked all the same.
#[tokio::test]
async fn who_gave_way_to_a_record_that_leaves_is_asked_in_the_settlement_that_leaves() {
    let (store, _) = store().await;
    let (first, second) = two_claims(&store).await;
    hold(&store, &first, 9).await;
    // Nobody else is known yet by when the leaver's end is decided.
    let mut leaves = settlement(&store, Outcome::Skipped, JobState::Done);
    leaves.leaves = Some(Heir::Newest);
    leaves.record = Some(RecordSeen {
        email: None,
        outcome: Outcome::Skipped,
        competes: false,
        ..candidate("r1", 9)
    });
    hold(&store, &second, 5).await;
    let mut gives_way = settlement(&store, Outcome::Superseded, JobState::Done);
    gives_way.record = Some(RecordSeen {
        outcome: Outcome::Superseded,
        superseded_by: Some("r1".into()),
        ..candidate("r2", 5)
    });
    // In whatever order they are settled, and though it is together.
    let both = [
        (&first.job, first.epoch, &leaves),
        (&second.job, second.epoch, &gives_way),
    ];
    assert_eq!(store.settle_many(&both).await.unwrap(), [true, true]);
    let next = claim_one(&store).await;
    assert_eq!(next.job.record, RecordId::from("r2"));
    assert_eq!(next.job.trigger, Trigger::Manual);
}

/// An heir that waits to be tried again, or failed, is not woken by each try of the one that left.
#[tokio::test]
async fn a_contact_is_left_once_however_often_the_leaver_is_tried() {
    let (of, by) = (connection(), mapping());
    for together in [true, false] {
        let (store, _) = store().await;
        let (mut first, second) = two_claims(&store).await;
        hold(&store, &first, 9).await;
        hold(&store, &second, 5).await;
        let failed = settlement(&store, Outcome::Failed, JobState::Failed);
        let settled = store.settle(&second.job, second.epoch, &failed).await;
        assert!(settled.unwrap());
        let link = link_of("r1", 9);
        let linked = store.put_link(&connection(), &mapping(), &link).await;
        linked.unwrap();

        let there = address("elsewhere@example.org");
        let seen = RecordSeen {
            email: Some(there.clone()),
            ..candidate("r1", 10)
        };
        for again in [false, true] {
            let leaves = store.contacts_of_record(&of, &by, &seen.record).await;
            let mut leaves = leaves.unwrap();
            leaves.retain(|contact| *contact != there);
            assert_eq!(leaves, [address(CONTACT)], "what it left stays its own");
            let arrives = Arrives {
                seen: &seen,
                leaves: &leaves,
                heir: Heir::Newest,
            };
            let held = if together {
                let asked = Asked {
                    job: &first.job,
                    epoch: first.epoch,
                    contact: &there,
                    arrives,
                    takes: true,
                };
                let all = store.hold_contacts(&of, &by, &[asked], 9).await;
                all.unwrap().remove(0)
            } else {
                let one = store.hold_contact(&first.job, first.epoch, &there, Some(arrives), 9);
                one.await.unwrap()
            };
            assert!(matches!(held, Held::Mine(_)), "{held:?}");
            let heirs = store.claim("other", &[connection()], 9).await.unwrap();
            assert_eq!(heirs.len(), usize::from(!again), "together: {together}");
            for heir in heirs {
                assert_eq!(heir.job.record, RecordId::from("r2"));
                let settled = store.settle(&heir.job, heir.epoch, &failed).await;
                assert!(settled.unwrap());
            }
            // The leaver is given back, and tried once more.
            let back = Settlement::new(Outcome::Waiting, JobState::Ready);
            assert!(store.settle(&first.job, first.epoch, &back).await.unwrap());
            first = claim_one(&store).await;
        }

        // So it is where it has no address any more, or its values are refused.
        let mut ends = failed.clone();
        ends.leaves = Some(Heir::Newest);
        ends.record = Some(RecordSeen {
            email: None,
            outcome: Outcome::Failed,
            competes: false,
            ..candidate("r1", 11)
        });
        for again in [false, true] {
            assert!(store.settle(&first.job, first.epoch, &ends).await.unwrap());
            let heirs = store.claim("other", &[connection()], 9).await.unwrap();
            assert_eq!(heirs.len(), usize::from(!again));
            for heir in heirs {
                let settled = store.settle(&heir.job, heir.epoch, &failed).await;
                assert!(settled.unwrap());
            }
            store
                .enqueue(&new_job("r1", Trigger::Manual))
                .await
                .unwrap();
            first = claim_one(&store).await;
        }
    }
}

#[tokio::test]
async fn a_renamed_contact_leaves_its_old_link_unless_another_record_has_it() {
    let (store, _) = store().await;
    let (first, second) = two_claims(&store).await;
    for (record, contact) in [("r1", "old@example.org"), ("other", "others@example.org")] {
        let link = LinkWrite {
            email: address(contact),
            ..link_of(record, 1)
        };
        store
            .put_link(&connection(), &mapping(), &link)
            .await
            .unwrap();
    }
    let mut done = settlement(&store, Outcome::Synced, JobState::Done);
    done.link = Some(link_of("r1", 2));
    done.moved_from = Some(address("old@example.org"));
    assert!(store.settle(&first.job, first.epoch, &done).await.unwrap());
    done.link = None;
    done.moved_from = Some(address("others@example.org"));
    let second_settled = store.settle(&second.job, second.epoch, &done).await;
    assert!(second_settled.unwrap());
    let mut left = Vec::new();
    for contact in ["old@example.org", "others@example.org", CONTACT] {
        let email = address(contact);
        let link = store.link(&connection(), &mapping(), &email).await.unwrap();
        left.extend(link.map(|link| link.record.to_string()));
    }
    assert_eq!(left, ["other", "r1"]);
    assert_eq!(
        store
            .other_mappings_of(&connection(), &"visits".into(), &address(CONTACT))
            .await
            .unwrap(),
        [mapping()]
    );
    assert!(
        store
            .other_mappings_of(&connection(), &mapping(), &address(CONTACT))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_late_settlement_makes_the_record_due_again_if_something_was_sent() {
    let (store, clock) = store().await;
    let id = store
        .enqueue(&new_job("r1", Trigger::Manual))
        .await
        .unwrap();
    let late = claim_one(&store).await;
    clock.advance(31);
    let rescued = claim_one(&store).await;
    let mut done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(
        store
            .settle(&rescued.job, rescued.epoch, &done)
            .await
            .unwrap()
    );
    assert!(!store.settle(&late.job, late.epoch, &done).await.unwrap());
    assert_eq!(store.counts().await.unwrap().ready, 0);
    done.sent = true;
    assert!(!store.settle(&late.job, late.epoch, &done).await.unwrap());
    let again = claim_one(&store).await;
    assert_ne!(again.job.id, id);
    assert_eq!(
        (again.job.record.as_str(), again.job.trigger),
        // It compares with the contact itself, whatever is confirmed of it; and it is no retry of what is unknown.
        ("r1", Trigger::Manual)
    );
}
