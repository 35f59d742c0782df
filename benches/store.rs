//! The store on a real file: lists over a queue of 1,000,000 jobs, the writes of an export, claim and settle.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use sqlx::Connection;
use std::path::Path;
use std::time::Instant;
use support::{Against, figure, open_store, past_store, percentile};
use tramline::model::bulk::BulkAction;
use tramline::model::filter::Filter;
use tramline::model::view::Outcome;
use tramline::model::{Email, Fingerprint, JobState, Trigger};
use tramline::store::{
    BatchKind, BatchResult, Confirmed, Cursor, NewJob, NewPause, NewRun, PagePlan, Planned,
    PlannedRow, Selection, Settlement, Sort, SortBy, Spent, Started, Store,
};

const JOBS: u32 = 1_000_000;
/// Where the jobs' times begin, in microseconds.
const FIRST: i64 = 1_780_000_000_000_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        export(&folder.path().join("export.db")).await;
        queue(&folder.path().join("queue.db")).await;
    });
}

/// The transactions of an export: pages planned, batches taken and settled.
async fn export(path: &Path) {
    const PAGES: usize = 300;
    let store = open_store(path).await;
    let new = NewRun {
        connection: "default".into(),
        mapping: "pets".into(),
        object: "custom_objects.pets".into(),
        options: Default::default(),
        mapping_hash: "m1".into(),
        owner: "bench".into(),
    };
    let Started::Run(run) = store.start_run(&new).await.expect("a run") else {
        panic!("a run is open in an empty store");
    };
    let mut planned = Vec::with_capacity(PAGES);
    for page in 0..PAGES {
        let plan = PagePlan {
            cursor_json: Some(format!("{{\"page\":{page}}}")),
            checkpoint: Some(format!("page {page}")),
            total: Some((PAGES * 100) as u64),
            rows: (0..100).map(|row| planned_row(page * 100 + row)).collect(),
            met: false,
            spent: Spent::default(),
            ..PagePlan::default()
        };
        let start = Instant::now();
        store.page_planned(&run.id, &plan).await.expect("planned");
        planned.push(millis(start));
    }
    let (mut taken, mut settled) = (Vec::new(), Vec::new());
    loop {
        let start = Instant::now();
        let batch = store
            .take_batch(&run.id, BatchKind::Import, 250, 400_000)
            .await
            .expect("taken");
        let Some(batch) = batch else { break };
        taken.push(millis(start));
        let result = BatchResult {
            confirmed: Confirmed::Rest,
            known: Vec::new(),
            failed: Vec::new(),
            again: Vec::new(),
            spent: Spent::default(),
        };
        let start = Instant::now();
        store
            .settle_batch(batch.id, &result)
            .await
            .expect("settled");
        settled.push(millis(start));
    }
    // At 10,000 records/s a page has 10 ms and a batch 25 ms, of which the store may take half.
    let what = "half of the time at 10,000 records/s";
    let median = |measured: &mut Vec<f64>| percentile(measured, 0.5);
    figure(
        "page_planned, 100 writes: median",
        median(&mut planned),
        "ms",
        Against::Most(5.0),
        what,
    );
    figure(
        "take_batch, 250 writes: median",
        median(&mut taken),
        "ms",
        Against::Most(6.0),
        what,
    );
    figure(
        "settle_batch, 250 writes: median",
        median(&mut settled),
        "ms",
        Against::Most(6.5),
        what,
    );
    store.close().await.expect("closed");
}

fn planned_row(number: usize) -> PlannedRow {
    let write = format!(
        "{{\"email\":\"owner{number}@example.org\",\"values\":[[\"first_name\",\"Jo\"],[\"1\",\"Rex {number}\"],\
         [\"2\",\"12.5\"],[\"3\",\"2024-05-01\"],[\"4\",\"||Calm||Wild||\"],[\"5\",\"A story of some length, as people write.\"]]}}"
    );
    PlannedRow {
        record: format!("66b1f2a4c9e77{number:011}").into(),
        email: Email::parse(&format!("owner{number}@example.org")).ok(),
        version: FIRST - number as i64,
        plan: Planned::Send {
            fingerprint: Fingerprint::of(write.as_bytes()),
            size: write.len() as u32,
            write_json: write,
            properties_json: None,
            rides_json: None,
            single: false,
        },
    }
}

/// Lists, counts and the worker's transactions over a full queue.
async fn queue(path: &Path) {
    open_store(path).await.close().await.expect("closed");
    let start = Instant::now();
    fill(path).await;
    println!(
        "  a queue of {JOBS} jobs, filled in {:.0} s",
        start.elapsed().as_secs_f64()
    );
    let store = open_store(path).await;
    for (name, filter) in [
        ("all", String::new()),
        ("by state", "state:failed".to_owned()),
        ("by mapping", "mapping:visits".to_owned()),
        (
            "by mapping and state",
            "mapping:visits state:failed".to_owned(),
        ),
        ("by error class", "class:invalid".to_owned()),
        ("by record", format!("record:{}", record(777_777))),
        ("by text", format!("owner{}", 765_432)),
    ] {
        let filter = Filter::parse(&filter).expect("a filter");
        let mut measured = pages(&store, &filter).await;
        figure(
            &format!("queue page of 50 over 1,000,000 jobs, {name}: p99"),
            percentile(&mut measured, 0.99),
            "ms",
            Against::Most(15.0),
            "half a frame at 30 fps",
        );
    }
    let mut counted = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        store.counts().await.expect("counts");
        counted.push(millis(start));
    }
    figure(
        "counts of all states: p99",
        percentile(&mut counted, 0.99),
        "ms",
        Against::Most(2.0),
        "kept, never counted",
    );
    let mut measured = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        assert!(!store.groups(50).await.expect("groups").is_empty());
        measured.push(millis(start));
    }
    figure(
        "failure groups of 1,000,000 jobs: p99",
        percentile(&mut measured, 0.99),
        "ms",
        Against::Most(5.0),
        "kept, never counted",
    );
    work(&store).await;
    paused(&store).await;
    store.close().await.expect("closed");
}

/// Tens of thousands of jobs of one mapping are due and paused; one of another is claimed all the same.
async fn paused(store: &Store) {
    let everything = Selection::Filter(Filter::parse("mapping:pets").expect("a filter"));
    store
        .apply(BulkAction::Retry, &everything, "bench")
        .await
        .expect("retried");
    let pause = NewPause {
        connection: "default".into(),
        mapping: Some("pets".into()),
        reason: "a bench".into(),
        by: "bench".into(),
        until: None,
    };
    store.pause(&pause).await.expect("paused");
    let mut measured = Vec::new();
    for number in 0..100 {
        let job = NewJob {
            connection: "default".into(),
            mapping: "visits".into(),
            object: "custom_objects.visits".into(),
            record: format!("visit{number}").into(),
            trigger: Trigger::Manual,
            not_before: None,
        };
        store.enqueue(&job).await.expect("enqueued");
        let start = Instant::now();
        let claims = store
            .claim("bench", &["default".into()], 1)
            .await
            .expect("claims");
        assert_eq!(claims.len(), 1);
        measured.push(millis(start));
    }
    let mut listed = pages(store, &Filter::parse("reason:paused").expect("a filter")).await;
    store
        .resume(&"default".into(), Some(&"pets".into()))
        .await
        .expect("resumed");
    figure(
        "claim beside a paused mapping with all its failed and waiting jobs due: p99",
        percentile(&mut measured, 0.99),
        "ms",
        Against::Most(20.0),
        "two commits to the disk",
    );
    figure(
        "queue page of 50 over the jobs under a pause: p99",
        percentile(&mut listed, 0.99),
        "ms",
        Against::Most(15.0),
        "half a frame at 30 fps",
    );
}

/// Times of pages: from the top down, in both orders.
async fn pages(store: &Store, filter: &Filter) -> Vec<f64> {
    let mut measured = Vec::new();
    for (by, ascending) in [
        (SortBy::Created, false),
        (SortBy::Updated, false),
        (SortBy::Created, true),
    ] {
        let sort = Sort { by, ascending };
        let mut after: Option<Cursor> = None;
        for _ in 0..60 {
            let start = Instant::now();
            let jobs = store
                .list(filter, sort, after.as_ref(), 50)
                .await
                .expect("a page");
            measured.push(millis(start));
            after = jobs.last().map(|job| Cursor::behind(job, sort));
        }
    }
    measured
}

/// A worker's share: jobs come, are claimed, and are settled.
async fn work(store: &Store) {
    const NEW: usize = 500;
    let jobs: Vec<NewJob> = (0..NEW)
        .map(|number| NewJob {
            connection: "default".into(),
            mapping: "pets".into(),
            object: "custom_objects.pets".into(),
            record: format!("new{number}").into(),
            trigger: Trigger::Manual,
            not_before: None,
        })
        .collect();
    let start = Instant::now();
    store.enqueue_many(&jobs).await.expect("enqueued");
    figure(
        "enqueue of 500 jobs at once",
        NEW as f64 / start.elapsed().as_secs_f64(),
        "jobs/s",
        Against::Least(1_000.0),
        "a burst of webhooks",
    );
    let settlement = Settlement {
        uses_attempt: true,
        ..Settlement::new(Outcome::Synced, JobState::Done)
    };
    let start = Instant::now();
    let mut done = 0;
    while done < NEW {
        let claims = store
            .claim("bench", &["default".into()], 8)
            .await
            .expect("claims");
        assert!(!claims.is_empty(), "{done} of {NEW} jobs were claimed");
        // Each by itself and all side by side, as a worker's eight slots do.
        let settled = claims
            .iter()
            .map(|claim| store.settle(&claim.job, claim.epoch, &settlement));
        for mine in futures_util::future::join_all(settled).await {
            assert!(mine.expect("settled"), "the epoch is current");
            done += 1;
        }
    }
    figure(
        "claim 8 at once and settle each by itself, side by side",
        done as f64 / start.elapsed().as_secs_f64(),
        "jobs/s",
        Against::Least(1_000.0),
        "each on disk",
    );
    work_together(store).await;
}

/// A backlog: many jobs are claimed and settled at once, as a bulk does with an instant API.
async fn work_together(store: &Store) {
    const NEW: usize = 5_000;
    let jobs: Vec<NewJob> = (0..NEW)
        .map(|number| NewJob {
            connection: "default".into(),
            mapping: "pets".into(),
            object: "custom_objects.pets".into(),
            record: format!("many{number}").into(),
            trigger: Trigger::Webhook,
            not_before: None,
        })
        .collect();
    for slice in jobs.chunks(500) {
        store.enqueue_many(slice).await.expect("enqueued");
    }
    let settlement = Settlement {
        uses_attempt: true,
        ..Settlement::new(Outcome::Synced, JobState::Done)
    };
    let start = Instant::now();
    let mut done = 0;
    while done < NEW {
        let claims = store
            .claim_together("bench", &["default".into()], 250)
            .await
            .expect("claims");
        assert!(!claims.is_empty(), "{done} of {NEW} jobs were claimed");
        let jobs: Vec<_> = claims
            .iter()
            .map(|claim| (&claim.job, claim.epoch, &settlement))
            .collect();
        let settled = store.settle_many(&jobs).await.expect("settled");
        assert!(settled.iter().all(|mine| *mine), "the epochs are current");
        done += claims.len();
    }
    figure(
        "claim and settle together (250 at once)",
        done as f64 / start.elapsed().as_secs_f64(),
        "jobs/s",
        Against::Least(5_000.0),
        "each on disk",
    );
}

fn record(number: u32) -> String {
    format!("66b1f2a4c9e77{number:011}")
}

/// A million jobs of two mappings: mostly done, some failed for one of twenty reasons, some waiting. None is ready.
async fn fill(path: &Path) {
    let mut connection = past_store(path).await;
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         INSERT INTO jobs (id, connection, mapping, object, record_id, contact_id, email, state, wait_reason, wait_until,
             wait_by, trigger_kind, priority, attempts, error_class, error_field, error_message, error_group,
             search_ids, search_error, created_at, updated_at)
         SELECT printf('0198f000-0000-7000-8000-%012d', i), 'default',
             CASE i % 4 WHEN 0 THEN 'visits' ELSE 'pets' END,
             CASE i % 4 WHEN 0 THEN 'custom_objects.visits' ELSE 'custom_objects.pets' END,
             printf('66b1f2a4c9e77%011d', i), i, 'owner' || i || '@example.org',
             CASE WHEN i % 20 = 7 THEN 'failed' WHEN i % 50 = 3 THEN 'waiting' ELSE 'done' END,
             CASE WHEN i % 20 <> 7 AND i % 50 = 3 THEN 'scheduled' END,
             CASE WHEN i % 20 <> 7 AND i % 50 = 3 THEN 4000000000000000 END,
             CASE WHEN i % 20 <> 7 AND i % 50 = 3 THEN 'trigger' END,
             'webhook', 2, 1,
             CASE WHEN i % 20 = 7 THEN CASE i % 3 WHEN 0 THEN 'transient' ELSE 'invalid' END END,
             CASE WHEN i % 20 = 7 THEN '%SIZE%' END,
             CASE WHEN i % 20 = 7 THEN 'gigantic is no option of SIZE' END,
             CASE WHEN i % 20 = 7 THEN 'group' || (i % 19) END,
             printf('66b1f2a4c9e77%011d %d owner%d@example.org', i, i, i),
             CASE WHEN i % 20 = 7 THEN 'gigantic is no option of size' ELSE '' END,
             $2 + i * 1000, $2 + i * 1000 + (i * 7919 % 1000000) * 1000
         FROM n",
    )
    .bind(JOBS)
    .bind(FIRST)
    .execute(&mut connection)
    .await
    .expect("filled");
    connection.close().await.expect("closed");
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
