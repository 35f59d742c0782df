use super::*;
use crate::model::RunId;
use crate::model::export::{ExportOptions, RequestCounts, Run, RunState};
use std::time::Duration;

const OWNER: &str = "host:1";

pub(super) async fn started(store: &Store) -> Run {
    match start(store, false).await {
        Started::Run(run) => run,
        Started::Already(run) => panic!("{} is at work", run.id),
    }
}

async fn start(store: &Store, dry_run: bool) -> Started {
    let new = NewRun {
        connection: connection(),
        mapping: mapping(),
        object: "custom_objects.pets".into(),
        options: ExportOptions {
            dry_run,
            ..ExportOptions::default()
        },
        mapping_hash: "m1".into(),
        owner: OWNER.into(),
    };
    store.start_run(&new).await.unwrap()
}

pub(super) fn send(n: usize, version: i64) -> PlannedRow {
    row(
        &format!("r{n}"),
        Some(&format!("o{n}@example.org")),
        version,
        write(&format!("{n}/{version}")),
    )
}

fn write(text: &str) -> Planned {
    Planned::Send {
        write_json: format!("{{\"v\":\"{text}\"}}"),
        properties_json: None,
        rides_json: None,
        fingerprint: Fingerprint::of(text.as_bytes()),
        size: 100,
        single: false,
    }
}

fn row(record: &str, email: Option<&str>, version: i64, plan: Planned) -> PlannedRow {
    PlannedRow {
        record: record.into(),
        email: email.map(address),
        version,
        plan,
    }
}

pub(super) fn page(rows: Vec<PlannedRow>) -> PagePlan {
    PagePlan {
        cursor_json: Some("{\"page\":2}".into()),
        checkpoint: Some("page 2".into()),
        total: Some(1000),
        rows,
        met: true,
        spent: Spent {
            requests: RequestCounts {
                highlevel: 1,
                activecampaign: 0,
            },
            throttled: 1,
        },
        ..PagePlan::default()
    }
}

fn all_confirmed() -> BatchResult {
    BatchResult {
        confirmed: Confirmed::Rest,
        known: Vec::new(),
        failed: Vec::new(),
        again: Vec::new(),
        spent: Spent::default(),
    }
}

async fn import(store: &Store, run: &Run) -> Option<Batch> {
    store
        .take_batch(&run.id, BatchKind::Import, 250, 400_000)
        .await
        .unwrap()
}

async fn counts(store: &Store, run: &Run) -> [u64; 6] {
    let counts = store.run(&run.id).await.unwrap().unwrap().counts;
    [
        counts.read,
        counts.unchanged,
        counts.synced,
        counts.superseded,
        counts.skipped,
        counts.failed,
    ]
}

fn problem(store: &Store) -> Planned {
    Planned::Failed {
        problem: Problem::new(ErrorClass::Invalid, "no option Nope").field("%SIZE%"),
        contact_id: None,
        attempt: attempt(store),
    }
}

#[tokio::test]
async fn a_mapping_has_one_run_at_work() {
    let (store, clock) = store().await;
    let run = started(&store).await;
    assert!(matches!(start(&store, false).await, Started::Already(open) if open.id == run.id));
    let dry = start(&store, true).await;
    assert!(matches!(&dry, Started::Run(run) if run.options.dry_run));
    assert_eq!(store.adopt_run(&run.id, "host:2").await.unwrap(), None);
    clock.advance(10);
    let state = store
        .run_heartbeat(&run.id, OWNER, Spent::default())
        .await
        .unwrap();
    assert_eq!(state, Some(RunState::Running));
    clock.advance(31);
    let adopted = store.adopt_run(&run.id, "host:2").await.unwrap().unwrap();
    assert_eq!(
        (adopted.id.clone(), adopted.elapsed_ms),
        (run.id.clone(), 10_000)
    );
    assert_eq!(
        store
            .run_heartbeat(&run.id, OWNER, Spent::default())
            .await
            .unwrap(),
        None
    );
    assert!(
        store
            .set_run_state(&run.id, RunState::Paused, None)
            .await
            .unwrap()
    );
    assert!(matches!(start(&store, false).await, Started::Already(_)));
    clock.advance(100);
    assert!(
        store
            .set_run_state(&run.id, RunState::Running, None)
            .await
            .unwrap()
    );
    clock.advance(5);
    let finished = store
        .finish_run(&run.id, Spent::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (finished.state, finished.elapsed_ms),
        (RunState::Completed, 15_000)
    );
    assert!(
        !store
            .set_run_state(&run.id, RunState::Running, None)
            .await
            .unwrap()
    );
    let next = started(&store).await;
    let runs = store.runs(10, None).await.unwrap();
    assert_eq!(runs.first().map(|run| &run.id), Some(&next.id));
    assert_eq!(store.runs(10, Some(&next.id)).await.unwrap().len(), 2);
    let short = crate::model::RunId::from(&next.id.as_str()[..next.id.as_str().len() - 1]);
    let found = store.run(&short).await.unwrap();
    assert!(found.is_none_or(|found| found.id == next.id));
}

#[tokio::test]
async fn a_page_is_counted_once_and_its_writes_become_links() {
    let (store, _) = store().await;
    let run = started(&store).await;
    let mut rows: Vec<PlannedRow> = (0..130).map(|n| send(n, 10)).collect();
    rows.push(row("u", Some("u@example.org"), 3, Planned::Unchanged));
    rows.push(row(
        "s",
        Some("o1@example.org"),
        3,
        Planned::Superseded { by: "r1".into() },
    ));
    rows.push(row("k", None, 3, Planned::Skipped));
    rows.push(row("f", Some("f@example.org"), 3, problem(&store)));
    store
        .page_planned(&run.id, &page(rows.clone()))
        .await
        .unwrap();
    assert_eq!(counts(&store, &run).await, [134, 1, 0, 1, 1, 1]);
    // The same page once more, as after a crash just behind the commit.
    store.page_planned(&run.id, &page(rows)).await.unwrap();
    assert_eq!(counts(&store, &run).await, [134, 1, 0, 1, 1, 1]);
    let ids: Vec<RecordId> = ["r5", "f", "new"].map(RecordId::from).into();
    let seen = store.seen_in_run(&run.id, &ids).await.unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen[&ids[0]].sent && !seen[&ids[1]].sent);
    assert_eq!(
        store.outbox_len(&run.id, BatchKind::Import).await.unwrap(),
        130
    );
    let context = store.run_context(&run.id).await.unwrap().unwrap();
    assert_eq!(context.cursor_json.as_deref(), Some("{\"page\":2}"));
    let of_record = Filter::parse("record:f").unwrap();
    let job = &store.list(&of_record, Sort::LATEST, None, 1).await.unwrap()[0];
    assert_eq!(
        (job.state, job.trigger.clone()),
        (JobState::Failed, Trigger::Export(run.id.clone()))
    );

    let batch = store
        .take_batch(&run.id, BatchKind::Import, 250, 5_050)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(batch.rows.len(), 50);
    store
        .batch_queued(batch.id, "imp-1", store.now())
        .await
        .unwrap();
    let open = store.open_batches(&run.id).await.unwrap();
    assert_eq!(
        (open[0].state, open[0].import_id.as_deref()),
        (BatchState::Queued, Some("imp-1"))
    );
    assert_eq!(store.run(&run.id).await.unwrap().unwrap().sent, 50);
    let result = BatchResult {
        known: vec![KnownContact {
            email: address("o3@example.org"),
            contact_id: "77".into(),
            created: true,
        }],
        ..all_confirmed()
    };
    assert_eq!(store.settle_batch(batch.id, &result).await.unwrap(), None);
    let link = store
        .link(&connection(), &mapping(), &address("o3@example.org"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (link.contact_id, link.created_by_us, link.version),
        (Some("77".into()), true, 10)
    );
    assert_eq!(link.fingerprint, Fingerprint::of(b"3/10"));
    assert_eq!(counts(&store, &run).await[2], 50);
    assert_eq!(
        store.finish_run(&run.id, Spent::default()).await.unwrap(),
        None
    );
    let rest = import(&store, &run).await.unwrap();
    assert_eq!(rest.rows.len(), 80);
    store.settle_batch(rest.id, &all_confirmed()).await.unwrap();
    let finished = store
        .finish_run(&run.id, Spent::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(finished.counts.read, finished.counts.settled());
    assert_eq!((finished.requests.highlevel, finished.throttled), (2, 2));
    let emails: Vec<Email> = (0..130)
        .map(|n| address(&format!("o{n}@example.org")))
        .collect();
    let links = store
        .links(&connection(), &mapping(), &emails)
        .await
        .unwrap();
    assert_eq!(links.len(), 130);
}

#[tokio::test]
async fn a_partly_confirmed_batch_keeps_the_rest() {
    let (store, _) = store().await;
    let run = started(&store).await;
    store
        .page_planned(&run.id, &page((0..10).map(|n| send(n, 1)).collect()))
        .await
        .unwrap();
    let batch = import(&store, &run).await.unwrap();
    let email = |n: usize| address(&format!("o{n}@example.org"));
    let result = BatchResult {
        confirmed: Confirmed::These((0..5).map(email).collect()),
        failed: vec![FailedRow {
            email: email(5),
            problem: Problem::new(ErrorClass::Invalid, "refused"),
            attempt: attempt(&store),
        }],
        again: vec![email(6)],
        ..all_confirmed()
    };
    let left = store
        .settle_batch(batch.id, &result)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.state, BatchState::Confirming);
    let names: Vec<Email> = left.rows.iter().map(|row| row.email.clone()).collect();
    assert_eq!(names, (7..10).map(email).collect::<Vec<_>>());
    assert_eq!(counts(&store, &run).await, [10, 0, 5, 0, 0, 1]);
    assert!(store.contact_busy(&connection(), &email(8)).await.unwrap());
    assert!(!store.contact_busy(&connection(), &email(1)).await.unwrap());

    let single = store
        .take_batch(&run.id, BatchKind::Single, 5, 1000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(single.rows[0].email, email(6));
    store
        .settle_batch(single.id, &all_confirmed())
        .await
        .unwrap();
    let apart = store.split_batch(left.id, 1).await.unwrap().unwrap();
    assert_eq!((apart.state, apart.rows.len()), (BatchState::Sending, 2));
    assert_eq!(store.batch(left.id).await.unwrap().unwrap().rows.len(), 1);
    for id in [left.id, apart.id] {
        assert_eq!(
            store.settle_batch(id, &all_confirmed()).await.unwrap(),
            None
        );
    }
    assert_eq!(counts(&store, &run).await, [10, 0, 9, 0, 0, 1]);
    assert!(
        store
            .finish_run(&run.id, Spent::default())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_newer_write_waits_for_the_one_under_way() {
    let (store, _) = store().await;
    let run = started(&store).await;
    store
        .page_planned(&run.id, &page(vec![send(1, 1), send(2, 1)]))
        .await
        .unwrap();
    let batch = import(&store, &run).await.unwrap();
    // Both are read again, newer; one of them twice before it is taken.
    store
        .page_planned(&run.id, &page(vec![send(1, 2), send(2, 2)]))
        .await
        .unwrap();
    store
        .page_planned(&run.id, &page(vec![send(1, 3)]))
        .await
        .unwrap();
    assert_eq!(import(&store, &run).await, None);
    assert_eq!(counts(&store, &run).await[0], 2);
    // An import that refuses a row does not bring the old state behind the new one.
    let refused = BatchResult {
        again: vec![address("o1@example.org")],
        ..all_confirmed()
    };
    assert_eq!(store.settle_batch(batch.id, &refused).await.unwrap(), None);
    assert_eq!(
        store.outbox_len(&run.id, BatchKind::Single).await.unwrap(),
        0
    );
    let next = import(&store, &run).await.unwrap();
    let versions: Vec<i64> = next.rows.iter().map(|row| row.version).collect();
    assert_eq!(versions, [2, 3]);
    store.settle_batch(next.id, &all_confirmed()).await.unwrap();
    assert_eq!(counts(&store, &run).await, [2, 0, 2, 0, 0, 0]);
}

#[tokio::test]
async fn a_better_record_takes_the_planned_write() {
    let (store, _) = store().await;
    let run = started(&store).await;
    let email = Some("o@example.org");
    store
        .page_planned(&run.id, &page(vec![row("a", email, 1, write("a"))]))
        .await
        .unwrap();
    let better = vec![
        row("b", email, 2, write("b")),
        row("a", email, 1, Planned::Superseded { by: "b".into() }),
    ];
    store.page_planned(&run.id, &page(better)).await.unwrap();
    let batch = import(&store, &run).await.unwrap();
    assert_eq!(batch.rows.len(), 1);
    assert_eq!(batch.rows[0].record.as_str(), "b");
    store
        .settle_batch(batch.id, &all_confirmed())
        .await
        .unwrap();
    assert_eq!(counts(&store, &run).await, [2, 0, 1, 1, 0, 0]);
}

#[tokio::test]
async fn a_write_that_a_single_sync_has_overtaken_is_not_sent() {
    let (store, _) = store().await;
    let run = started(&store).await;
    store
        .page_planned(&run.id, &page(vec![send(1, 10), send(2, 10)]))
        .await
        .unwrap();
    let newer = newer_write("r1");
    store
        .put_link(&connection(), &mapping(), &newer)
        .await
        .unwrap();
    let batch = import(&store, &run).await.unwrap();
    assert_eq!(batch.rows.len(), 1);
    assert_eq!(batch.rows[0].record.as_str(), "r2");
    assert_eq!(counts(&store, &run).await, [2, 0, 1, 0, 0, 0]);
}

/// What a single sync of this record wrote to the first contact meanwhile.
fn newer_write(record: &str) -> LinkWrite {
    LinkWrite {
        email: address("o1@example.org"),
        contact_id: None,
        record: record.into(),
        version: 11,
        fingerprint: Fingerprint::of(b"newer"),
        write_json: "{}".into(),
        properties_json: None,
        created_by_us: false,
    }
}

/// The import may have arrived behind the single sync: the newest state must be the last.
#[tokio::test]
async fn what_was_written_while_a_batch_was_on_its_way_is_written_once_more() {
    let (store, clock) = store().await;
    let run = started(&store).await;
    store
        .page_planned(&run.id, &page(vec![send(1, 10), send(2, 10)]))
        .await
        .unwrap();
    let batch = import(&store, &run).await.unwrap();
    clock.advance(1);
    let newer = newer_write("other");
    store
        .put_link(&connection(), &mapping(), &newer)
        .await
        .unwrap();
    store
        .settle_batch(batch.id, &all_confirmed())
        .await
        .unwrap();
    let again = store.claim("test", &[connection()], 9).await.unwrap();
    let records: Vec<&str> = again
        .iter()
        .map(|claim| claim.job.record.as_str())
        .collect();
    assert_eq!(records, ["other"]);
}

#[tokio::test]
async fn a_run_resolves_the_failures_it_mends() {
    let (store, clock) = store().await;
    let first = started(&store).await;
    let failed: Vec<PlannedRow> = (0..3)
        .map(|n| {
            row(
                &format!("r{n}"),
                Some(&format!("o{n}@example.org")),
                1,
                problem(&store),
            )
        })
        .collect();
    store.page_planned(&first.id, &page(failed)).await.unwrap();
    store
        .finish_run(&first.id, Spent::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(store.counts().await.unwrap().failed, 3);
    clock.advance(5);
    let second = started(&store).await;
    let rows = vec![
        send(0, 2),
        row("r1", Some("o1@example.org"), 2, Planned::Unchanged),
        send(2, 2),
    ];
    store.page_planned(&second.id, &page(rows)).await.unwrap();
    assert_eq!(store.counts().await.unwrap().failed, 2);
    let batch = import(&store, &second).await.unwrap();
    let result = BatchResult {
        confirmed: Confirmed::These(vec![address("o0@example.org")]),
        ..all_confirmed()
    };
    store.settle_batch(batch.id, &result).await.unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.failed, counts.done), (1, 2));
}

#[tokio::test]
async fn an_export_leaves_a_running_job_to_its_worker() {
    let (store, _) = store().await;
    let id = store
        .enqueue(&new_job("r1", Trigger::Webhook))
        .await
        .unwrap();
    claim_one(&store).await;
    let run = started(&store).await;
    let rows = vec![row("r1", Some("o1@example.org"), 1, problem(&store))];
    store.page_planned(&run.id, &page(rows)).await.unwrap();
    assert_eq!(state_of(&store, &id).await, JobState::Running);
    assert!(store.attempts(&id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dry_run_only_counts() {
    let (store, _) = store().await;
    let Started::Run(run) = start(&store, true).await else {
        panic!("a dry run was refused");
    };
    let rows = vec![send(1, 1), row("f", None, 1, problem(&store))];
    store.page_planned(&run.id, &page(rows)).await.unwrap();
    assert_eq!(counts(&store, &run).await, [2, 0, 1, 0, 0, 1]);
    assert_eq!(store.counts().await.unwrap().total(), 0);
    assert_eq!(
        store.outbox_len(&run.id, BatchKind::Import).await.unwrap(),
        0
    );
    let winners = store
        .winners(
            &connection(),
            &mapping(),
            &[address("o1@example.org")],
            Heir::Newest,
        )
        .await
        .unwrap();
    assert!(winners.is_empty());
}

#[tokio::test]
async fn a_paused_run_gives_no_batch_and_a_cancelled_one_forgets_its_plans() {
    let (store, _) = store().await;
    let run = started(&store).await;
    store
        .page_planned(&run.id, &page((0..4).map(|n| send(n, 1)).collect()))
        .await
        .unwrap();
    let under_way = store
        .take_batch(&run.id, BatchKind::Import, 1, 1000)
        .await
        .unwrap()
        .unwrap();
    assert!(
        store
            .set_run_state(&run.id, RunState::Paused, None)
            .await
            .unwrap()
    );
    assert_eq!(import(&store, &run).await, None);
    assert!(
        store
            .set_run_state(&run.id, RunState::Cancelled, None)
            .await
            .unwrap()
    );
    assert_eq!(
        store.outbox_len(&run.id, BatchKind::Import).await.unwrap(),
        0
    );
    store
        .settle_batch(under_way.id, &all_confirmed())
        .await
        .unwrap();
    assert_eq!(counts(&store, &run).await[2], 1);
    assert!(store.open_batches(&run.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_displaced_record_is_superseded_even_if_nobody_says_so() {
    let (store, _) = store().await;
    let run = started(&store).await;
    let email = Some("o@example.org");
    for (record, version) in [("a", 1), ("b", 2), ("c", 3)] {
        let rows = vec![row(record, email, version, write(record))];
        store.page_planned(&run.id, &page(rows)).await.unwrap();
        if record == "b" {
            // b is under way when c comes; an import that refuses b does not send it after c.
            let batch = import(&store, &run).await.unwrap();
            assert_eq!(batch.rows[0].record.as_str(), "b");
        }
    }
    let batch = &store.open_batches(&run.id).await.unwrap()[0];
    let refused = BatchResult {
        again: vec![address("o@example.org")],
        ..all_confirmed()
    };
    assert_eq!(store.settle_batch(batch.id, &refused).await.unwrap(), None);
    let last = import(&store, &run).await.unwrap();
    assert_eq!(last.rows[0].record.as_str(), "c");
    store.settle_batch(last.id, &all_confirmed()).await.unwrap();
    assert_eq!(counts(&store, &run).await, [3, 0, 1, 2, 0, 0]);
}

#[tokio::test]
async fn a_confirmed_record_that_is_read_again_is_counted_once() {
    let (store, _) = store().await;
    let run = started(&store).await;
    for (version, expected) in [(1, 1), (2, 1), (3, 1)] {
        let rows = vec![send(1, version)];
        store.page_planned(&run.id, &page(rows)).await.unwrap();
        assert_eq!(counts(&store, &run).await[2], 0);
        let batch = import(&store, &run).await.unwrap();
        store
            .settle_batch(batch.id, &all_confirmed())
            .await
            .unwrap();
        assert_eq!(counts(&store, &run).await, [1, 0, expected, 0, 0, 0]);
    }
    store
        .page_planned(&run.id, &page(vec![row("r1", None, 4, Planned::Skipped)]))
        .await
        .unwrap();
    assert_eq!(counts(&store, &run).await, [1, 0, 0, 0, 1, 0]);
}

/// One write in flight per contact, whoever writes (sync.md, promise 6): in each direction, alone and together.
#[tokio::test]
async fn jobs_bulks_and_exports_leave_each_others_contacts_alone() {
    let (store, _) = store().await;
    for record in ["job", "bulk1", "bulk2"] {
        store
            .enqueue(&new_job(record, Trigger::Webhook))
            .await
            .unwrap();
    }
    let claims = store.claim("test", &[connection()], 3).await.unwrap();
    let (job, bulk) = (&claims[0], &claims[1..]);
    let mine = address("o1@example.org");
    let held = store
        .hold_contact(&job.job, job.epoch, &mine, None, 9)
        .await
        .unwrap();
    assert!(matches!(held, Held::Mine(_)), "{held:?}");
    // The export takes what the job does not have.
    let run = started(&store).await;
    let page = page(vec![send(1, 5), send(2, 5)]);
    store.page_planned(&run.id, &page).await.unwrap();
    let taken = import(&store, &run).await.unwrap();
    let contacts: Vec<&str> = taken.rows.iter().map(|row| row.email.as_str()).collect();
    assert_eq!(contacts, ["o2@example.org"]);
    // And the job does not get what the export has taken.
    let held = store
        .hold_contact(&job.job, job.epoch, &taken.rows[0].email, None, 9)
        .await
        .unwrap();
    assert_eq!(held, Held::ByExport(BatchKind::Import));
    // A bulk meets both.
    let contacts = [mine.clone(), taken.rows[0].email.clone()];
    let seen: Vec<RecordSeen> = bulk
        .iter()
        .zip(&contacts)
        .map(|(claim, contact)| RecordSeen {
            record: claim.job.record.clone(),
            email: Some(contact.clone()),
            version: 9,
            outcome: Outcome::Waiting,
            superseded_by: None,
            competes: true,
        })
        .collect();
    let asked: Vec<Asked<'_>> = bulk
        .iter()
        .zip(&contacts)
        .zip(&seen)
        .map(|((claim, contact), seen)| Asked {
            job: &claim.job,
            epoch: claim.epoch,
            contact,
            arrives: staying(seen),
            takes: true,
        })
        .collect();
    let (connection, mapping) = (connection(), mapping());
    let ask = || store.hold_contacts(&connection, &mapping, &asked, 9);
    assert_eq!(
        ask().await.unwrap(),
        [Held::ByJob, Held::ByExport(BatchKind::Import)]
    );
    // Both end, and both contacts are free.
    let done = settlement(&store, Outcome::Synced, JobState::Done);
    assert!(store.settle(&job.job, job.epoch, &done).await.unwrap());
    assert_eq!(
        store
            .settle_batch(taken.id, &all_confirmed())
            .await
            .unwrap(),
        None
    );
    let held = ask().await.unwrap();
    assert!(
        held.iter().all(|held| matches!(held, Held::Mine(_))),
        "{held:?}"
    );
    // What the export still has to write waits for the bulk now.
    assert_eq!(import(&store, &run).await, None);
}

/// An import of the backlog that may still arrive has its contacts for itself, whoever asks, until it is over.
#[tokio::test]
async fn an_import_on_its_way_keeps_its_contacts_from_everybody() {
    let (store, _) = store().await;
    let contact = address("o1@example.org");
    let flight = store
        .flight_begins(&connection(), "left", [&contact])
        .await
        .unwrap();
    store.leave_flights(&[flight], store.now()).await.unwrap();
    for record in ["job", "bulk"] {
        store
            .enqueue(&new_job(record, Trigger::Webhook))
            .await
            .unwrap();
    }
    let claims = store.claim("test", &[connection()], 2).await.unwrap();
    let alone = async || {
        store
            .hold_contact(&claims[0].job, claims[0].epoch, &contact, None, 9)
            .await
            .unwrap()
    };
    let together = async || {
        let seen = RecordSeen {
            record: "bulk".into(),
            email: Some(contact.clone()),
            version: 9,
            outcome: Outcome::Waiting,
            superseded_by: None,
            competes: true,
        };
        let asked = Asked {
            job: &claims[1].job,
            epoch: claims[1].epoch,
            contact: &contact,
            arrives: staying(&seen),
            takes: true,
        };
        store
            .hold_contacts(&connection(), &mapping(), &[asked], 9)
            .await
            .unwrap()
            .remove(0)
    };
    let run = started(&store).await;
    let page = page(vec![send(1, 5)]);
    store.page_planned(&run.id, &page).await.unwrap();
    assert_eq!(alone().await, Held::ByExport(BatchKind::Import));
    assert_eq!(together().await, Held::ByJob);
    assert_eq!(import(&store, &run).await, None);
    store.flight_ended(flight).await.unwrap();
    assert!(import(&store, &run).await.is_some());
}

#[tokio::test]
async fn a_planned_write_gives_way_to_the_record_that_has_the_contact() {
    let (store, _) = store().await;
    let run = started(&store).await;
    let rows = page(vec![send(1, 5), send(2, 5)]);
    store.page_planned(&run.id, &rows).await.unwrap();
    let batch = import(&store, &run).await.unwrap();
    let way = [(address("o1@example.org"), "other".into())];
    let rest = store.give_way(batch.id, &way).await.unwrap().unwrap();
    assert_eq!(rest.rows.len(), 1);
    assert_eq!(rest.rows[0].email, address("o2@example.org"));
    assert_eq!(counts(&store, &run).await, [2, 0, 0, 1, 0, 0]);
    store.settle_batch(rest.id, &all_confirmed()).await.unwrap();
    assert_eq!(counts(&store, &run).await, [2, 0, 1, 1, 0, 0]);
    let known = store
        .link(&connection(), &mapping(), &address("o1@example.org"))
        .await
        .unwrap();
    assert_eq!(known, None);
}

#[tokio::test]
async fn a_batch_that_was_not_sent_is_put_back() {
    let (store, _) = store().await;
    let run = started(&store).await;
    let rows = (0..3).map(|n| send(n, 1)).collect();
    store.page_planned(&run.id, &page(rows)).await.unwrap();
    let batch = import(&store, &run).await.unwrap();
    let email = batch.rows[1].email.clone();
    assert!(store.contact_busy(&connection(), &email).await.unwrap());

    store.untake_batch(batch.id).await.unwrap();
    assert_eq!(store.batch(batch.id).await.unwrap(), None);
    assert!(!store.contact_busy(&connection(), &email).await.unwrap());
    let again = import(&store, &run).await.unwrap();
    assert_eq!(again.rows, batch.rows);
    assert!(
        store
            .settle_batch(again.id, &all_confirmed())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(counts(&store, &run).await, [3, 0, 3, 0, 0, 0]);
}

fn ahead(place: u64) -> PageAhead {
    PageAhead {
        place,
        position_json: format!("{{\"place\":{place}}}"),
        text: format!("{{\"records\":[\n{place}]}}"),
    }
}

/// The page that leaves a contact and the job of who is next in line for it are on disk together, or neither is.
#[tokio::test]
async fn who_is_next_in_line_is_asked_with_the_page_that_leaves_its_contact() {
    for newer_in_page in [false, true] {
        let (store, _) = store().await;
        let run = started(&store).await.id;
        let by = Planned::Superseded { by: "a".into() };
        let contact = Some("shared@example.org");
        let first = page(vec![
            row("a", contact, 9, write("a/9")),
            row("b", contact, 5, by.clone()),
        ]);
        store.page_planned(&run, &first).await.unwrap();
        let mut rows = vec![row("a", Some("own@example.org"), 10, write("a/10"))];
        if newer_in_page {
            rows.push(row("c", contact, 7, write("c/7")));
        }
        let second = PagePlan {
            leaves: vec![address("shared@example.org")],
            ..page(rows)
        };
        store
            .sabotage("CREATE TRIGGER broken BEFORE UPDATE OF position ON runs BEGIN SELECT RAISE(ABORT, 'broken'); END")
            .await;
        assert!(store.page_planned(&run, &second).await.is_err());
        assert_eq!(store.counts().await.unwrap().ready, 0);
        store.sabotage("DROP TRIGGER broken").await;
        store.page_planned(&run, &second).await.unwrap();
        if newer_in_page {
            // It is sent anyway.
            assert_eq!(store.counts().await.unwrap().ready, 0);
        } else {
            let job = claim_one(&store).await.job;
            assert_eq!(job.record, RecordId::from("b"));
            assert_eq!(job.trigger, Trigger::Export(run));
        }
    }
}

#[tokio::test]
async fn pages_are_kept_until_they_are_planned_and_go_with_their_run() {
    let (store, _) = store().await;
    let run = started(&store).await.id;
    for place in 1..=3 {
        store.keep_page(&run, ahead(place)).await;
    }
    let kept = store.kept_pages(&run, 1).await;
    assert_eq!(kept, (1..=3).map(ahead).collect::<Vec<_>>());
    // Without the first one nobody knows where the others belong.
    assert_eq!(store.kept_pages(&run, 0).await, Vec::new());

    let plan = PagePlan {
        place: 3,
        ..page(Vec::new())
    };
    store.page_planned(&run, &plan).await.unwrap();
    assert_eq!(store.kept_pages(&run, 1).await, Vec::new());
    assert_eq!(store.kept_pages(&run, 3).await, [ahead(3)]);

    let mut folder = store.path().as_os_str().to_owned();
    folder.push("-pages");
    let folder = std::path::PathBuf::from(folder);
    assert!(folder.is_dir());
    let cancelled = store.set_run_state(&run, RunState::Cancelled, None).await;
    assert!(cancelled.unwrap());
    assert_eq!(store.kept_pages(&run, 3).await, Vec::new());
    assert!(!folder.exists(), "nothing is left of the last run");
}

/// Whoever ends a run removes the folder around it while nothing lies there, though another one begins to read.
#[tokio::test]
async fn a_page_is_kept_though_the_folder_around_it_goes_at_the_same_time() {
    let (store, _) = store().await;
    let mut folder = store.path().as_os_str().to_owned();
    folder.push("-pages");
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let removing = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::remove_dir(&folder);
                // As often as no number of processes would.
                std::thread::sleep(Duration::from_micros(20));
            }
        }
    });
    let mut kept = 0;
    for _ in 0..500 {
        let run = RunId::fresh();
        store.keep_page(&run, ahead(1)).await;
        kept += store.kept_pages(&run, 1).await.len();
        store.forget_run(&run).await;
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    removing.join().unwrap();
    assert_eq!(kept, 500);
}

#[tokio::test]
async fn pages_of_runs_that_are_over_are_pruned() {
    let (store, _) = store().await;
    let open = started(&store).await.id;
    let gone = RunId::fresh();
    for run in [&open, &gone] {
        store.keep_page(run, ahead(1)).await;
    }
    let old = Retention {
        done_before: store.now(),
        attempts_before: store.now(),
    };
    store.prune(old).await.unwrap();
    assert_eq!(store.kept_pages(&open, 1).await, [ahead(1)]);
    assert_eq!(store.kept_pages(&gone, 1).await, Vec::new());
}

#[tokio::test]
async fn what_an_export_wrote_is_folded_into_the_file_meanwhile() {
    let (store, _) = store().await;
    let run = started(&store).await.id;
    let size = || std::fs::metadata(store.path()).unwrap().len();
    let before = size();
    for first in (0..8_000).step_by(400) {
        let rows = (first..first + 400).map(|n| send(n, 1)).collect();
        store.page_planned(&run, &page(rows)).await.unwrap();
    }
    // SQLite itself would begin far later.
    let folded = async {
        while size() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), folded)
        .await
        .unwrap();
}
