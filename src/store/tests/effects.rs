use super::*;
use crate::model::{Act, Action, ContactId, EffectState, Job};

fn act(action: Action, target: &str) -> Act {
    Act {
        action,
        target: target.into(),
    }
}

fn turn(from: i64, acts: &[Act]) -> TurnPlan {
    TurnPlan {
        rule: "adopted".into(),
        from: TurnedFrom {
            version: from,
            properties_json: Some("{}".into()),
        },
        acts: acts.to_vec(),
    }
}

fn plan(version: i64, fires: Vec<TurnPlan>, open: Vec<TurnPlan>) -> EffectPlan {
    EffectPlan {
        record: "r1".into(),
        version,
        fires,
        open,
    }
}

fn both() -> [Act; 2] {
    [act(Action::AddTag, "a"), act(Action::StartAutomation, "b")]
}

async fn claimed(store: &Store) -> Claim {
    store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    claim_one(store).await
}

async fn planned(store: &Store, claim: &Claim, plan: &EffectPlan) -> Vec<OpenEffect> {
    let planned = store.plan_effects(&claim.job, claim.epoch, plan).await;
    planned.unwrap().expect("the job is this worker's")
}

async fn states(store: &Store, job: &Job) -> Vec<(String, EffectState)> {
    let effects = store.effects_of_job(job).await.unwrap();
    effects
        .into_iter()
        .map(|effect| (effect.act.target, effect.state))
        .collect()
}

async fn sent(store: &Store, claim: &Claim, effect: &OpenEffect) -> Option<Timestamp> {
    let contact = ContactId::from("7");
    let job = Some((&claim.job, claim.epoch));
    store
        .effect_sending(effect, job, &contact, &["1".to_owned()])
        .await
        .unwrap()
}

fn ended(state: EffectState) -> EffectEnd {
    EffectEnd {
        state,
        error: None,
        request: None,
        response: None,
    }
}

#[tokio::test]
async fn one_turn_is_one_row_whatever_versions_are_read() {
    let (store, _) = store().await;
    let claim = claimed(&store).await;
    let acts = both();
    planned(&store, &claim, &plan(5, vec![turn(4, &acts)], Vec::new())).await;
    let again = plan(6, vec![turn(4, &acts)], vec![turn(4, &acts)]);
    let open = planned(&store, &claim, &again).await;
    assert_eq!(open.len(), 2);
    assert_eq!(open[0].version, 5);
    // The next state was confirmed: a new turn.
    let next = plan(9, vec![turn(8, &acts)], vec![turn(4, &acts)]);
    assert_eq!(planned(&store, &claim, &next).await.len(), 4);
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_obsolete_and_may_be_wanted_again_until_it_was_sent() {
    let (store, _) = store().await;
    let claim = claimed(&store).await;
    let acts = both();
    let fires = plan(5, vec![turn(4, &acts)], Vec::new());
    planned(&store, &claim, &fires).await;
    let nothing = plan(6, Vec::new(), Vec::new());
    assert!(planned(&store, &claim, &nothing).await.is_empty());
    let open = planned(&store, &claim, &fires).await;
    assert_eq!(open.len(), 2);
    // Once its request has left, only its end counts.
    assert!(sent(&store, &claim, &open[1]).await.is_some());
    let open = planned(&store, &claim, &nothing).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].state, EffectState::Sending);
    assert_eq!(open[0].known, ["1"]);
}

#[tokio::test]
async fn an_effect_is_sent_by_one_worker_that_has_the_job() {
    let (store, clock) = store().await;
    let claim = claimed(&store).await;
    let fires = plan(5, vec![turn(4, &both())], Vec::new());
    let open = planned(&store, &claim, &fires).await;
    let first = sent(&store, &claim, &open[0]).await;
    assert!(first.is_some());
    assert_eq!(sent(&store, &claim, &open[0]).await, None);
    // The lease ran out and another worker has the job.
    clock.advance(31);
    let later = claim_one(&store).await;
    assert_eq!(sent(&store, &claim, &open[1]).await, None);
    let stale = store.plan_effects(&claim.job, claim.epoch, &fires).await;
    assert_eq!(stale.unwrap(), None);
    // A late answer to a request that was given up ends nothing.
    let sending = &planned(&store, &later, &fires).await[0];
    let back = ended(EffectState::Planned);
    store
        .effect_ended(sending.id, sending.sent_at, &back)
        .await
        .unwrap();
    let planned = &planned(&store, &later, &fires).await[0];
    clock.advance(1);
    let second = sent(&store, &later, planned).await;
    store
        .effect_ended(open[0].id, first, &ended(EffectState::Failed))
        .await
        .unwrap();
    assert_eq!(states(&store, &later.job).await[0].1, EffectState::Sending);
    store
        .effect_ended(open[0].id, second, &ended(EffectState::Done))
        .await
        .unwrap();
    assert_eq!(states(&store, &later.job).await[0].1, EffectState::Done);
}

#[tokio::test]
async fn a_job_is_done_when_all_its_effects_are_over() {
    let (store, _) = store().await;
    let claim = claimed(&store).await;
    let fires = plan(5, vec![turn(4, &both())], Vec::new());
    planned(&store, &claim, &fires).await;
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    store.settle(&claim.job, claim.epoch, &done).await.unwrap();
    assert_eq!(state_of(&store, &claim.job.id).await, JobState::Unknown);

    // A record that lost its contact gives up what was not sent.
    let selection = Selection::Ids(vec![claim.job.id.clone()]);
    store
        .apply(BulkAction::Retry, &selection, "test")
        .await
        .unwrap();
    let claim = claim_one(&store).await;
    let lost = settlement(&store, Outcome::Superseded, JobState::Done);
    store.settle(&claim.job, claim.epoch, &lost).await.unwrap();
    assert_eq!(state_of(&store, &claim.job.id).await, JobState::Done);
    let obsolete = |(_, state): &(String, EffectState)| *state == EffectState::Obsolete;
    assert!(states(&store, &claim.job).await.iter().all(obsolete));
}

#[tokio::test]
async fn only_a_person_decides_on_what_is_unknown() {
    let (store, _) = store().await;
    let claim = claimed(&store).await;
    let fires = plan(5, vec![turn(4, &both())], Vec::new());
    for effect in planned(&store, &claim, &fires).await {
        let at = sent(&store, &claim, &effect).await;
        let end = ended(EffectState::Unknown);
        store.effect_ended(effect.id, at, &end).await.unwrap();
    }
    let unknown = settlement(&store, Outcome::Unknown, JobState::Unknown);
    store
        .settle(&claim.job, claim.epoch, &unknown)
        .await
        .unwrap();
    // A change of the record wakes the job, and decides nothing.
    let claim = claimed(&store).await;
    let is = |wanted: EffectState| move |(_, state): &(String, EffectState)| *state == wanted;
    let all = states(&store, &claim.job).await;
    assert!(all.iter().all(is(EffectState::Unknown)), "{all:?}");
    store
        .settle(&claim.job, claim.epoch, &unknown)
        .await
        .unwrap();
    let selection = Selection::Ids(vec![claim.job.id.clone()]);
    store
        .apply(BulkAction::Retry, &selection, "test")
        .await
        .unwrap();
    let all = states(&store, &claim.job).await;
    assert!(all.iter().all(is(EffectState::Planned)), "{all:?}");
    store
        .apply(BulkAction::Discard, &selection, "test")
        .await
        .unwrap();
    let all = states(&store, &claim.job).await;
    assert!(all.iter().all(is(EffectState::Obsolete)), "{all:?}");
}

#[tokio::test]
async fn a_done_effect_is_remembered_until_a_later_state_is_confirmed() {
    let (store, clock) = store().await;
    let claim = claimed(&store).await;
    let fires = plan(5, vec![turn(4, &both())], Vec::new());
    for effect in planned(&store, &claim, &fires).await {
        let at = sent(&store, &claim, &effect).await;
        let end = ended(EffectState::Done);
        store.effect_ended(effect.id, at, &end).await.unwrap();
    }
    clock.advance(100);
    let retention = Retention {
        done_before: store.now(),
        attempts_before: store.now(),
    };
    store.prune(retention).await.unwrap();
    assert!(planned(&store, &claim, &fires).await.is_empty());
    let link = LinkWrite {
        email: address("a@example.org"),
        contact_id: None,
        record: "r1".into(),
        version: 5,
        fingerprint: Fingerprint::of(b"x"),
        write_json: "{}".into(),
        properties_json: Some("{\"status\":\"adopted\"}".into()),
        created_by_us: false,
    };
    store
        .put_link(&connection(), &mapping(), &link)
        .await
        .unwrap();
    let ids = [RecordId::from("r1")];
    let kept = store
        .confirmed_states(&connection(), &mapping(), &ids)
        .await
        .unwrap();
    assert_eq!(kept[&ids[0]].version, 5);
    store.prune(retention).await.unwrap();
    assert!(states(&store, &claim.job).await.is_empty());
}

/// A request that was lost may be found long afterwards to have come to something: that may be somebody else's doing.
#[tokio::test]
async fn what_is_read_back_late_is_ours_for_no_longer_than_a_request_lasts() {
    let (store, clock) = store().await;
    let claim = claimed(&store).await;
    let leaves = act(Action::Unsubscribe, "News");
    let open = planned(&store, &claim, &plan(2, vec![turn(1, &[leaves])], vec![])).await;
    let sent_at = sent(&store, &claim, &open[0]).await.unwrap();
    clock.advance(7_200);
    store
        .effect_ended(open[0].id, Some(sent_at), &ended(EffectState::Done))
        .await
        .unwrap();
    let mut done = settlement(&store, Outcome::Synced, JobState::Done);
    done.contact.email = Some(address("a@x.org"));
    assert!(store.settle(&claim.job, claim.epoch, &done).await.unwrap());
    let last = store
        .last_list_effect(&connection(), &address("a@x.org"), "news")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last.action, Action::Unsubscribe);
    assert_eq!(last.ended_at, sent_at + jiff::SignedDuration::from_mins(1));
}
