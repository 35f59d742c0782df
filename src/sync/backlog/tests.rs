//! Bulks at a small server: what they read, and what they tell of.

use super::*;
use crate::http::testing::{Asked, Server, Told, told};
use crate::model::ContactWrite;
use crate::model::export::ExportOptions;
use crate::model::view::Outcome;
use crate::model::{JobId, JobState, MappingName, RecordId};
use crate::store::{Clock, NewJob, NewRun, PagePlan, Planned, PlannedRow, Started, Store};
use crate::sync::testing::{account, pets, spec};
use crate::sync::worker::give_back;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};

const JOBS: usize = 40;

#[derive(Default)]
struct Heard(Mutex<Vec<JobId>>);

impl Listener for Heard {
    fn settled(&self, claim: &Claim, result: Option<SyncResult>) {
        assert_eq!(result.unwrap().outcome, Outcome::Unchanged);
        lock(&self.0).push(claim.job.id.clone());
    }
}

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// What a bulk needs, with jobs of workflows that ran some time after the changes they are about.
struct Bench {
    server: Server,
    clock: Arc<TestClock>,
    desk: Desk,
    backlog: Backlog,
    heard: Heard,
    stop: CancellationToken,
    claims: Vec<Claim>,
}

impl Bench {
    async fn new(answer: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static) -> Self {
        Self::told_of(answer, |_| None).await
    }

    /// With what is told of the time of each change.
    async fn told_of(
        answer: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static,
        changed: impl Fn(usize) -> Option<Timestamp>,
    ) -> Self {
        let server =
            Server::start(move |asked, _| answer(asked).unwrap_or_else(|| pets(&asked.path))).await;
        let account = account(&server.url);
        let clock = Arc::new(TestClock(AtomicI64::new(1_800_000_000_000_000)));
        let store = Store::memory_at(clock.clone()).await.unwrap();
        let name = MappingName::from("pets");
        let job = |number| NewJob {
            connection: account.name.clone(),
            mapping: name.clone(),
            object: "custom_objects.pets".into(),
            record: format!("r{number}").as_str().into(),
            trigger: Trigger::Webhook,
            not_before: None,
        };
        let jobs: Vec<_> = (0..JOBS)
            .map(|number| (job(number), changed(number)))
            .collect();
        store.enqueue_changed(&jobs).await.unwrap();
        let connections = [account.name.clone()];
        let claims = store.claim_together("test", &connections, BULK).await;
        let desk = Desk {
            mapping: account.mapping(&name, &spec()).await.unwrap(),
            store,
            account,
            worker: "test".to_owned(),
            deleting: Default::default(),
            sent: Arc::default(),
        };
        Self {
            server,
            clock,
            desk,
            backlog: Backlog::default(),
            heard: Heard::default(),
            stop: CancellationToken::new(),
            claims: claims.unwrap(),
        }
    }

    fn bulk(&self) -> Bulk<'_, Heard> {
        Bulk {
            desk: &self.desk,
            backlog: &self.backlog,
            stop: &self.stop,
            listener: &self.heard,
            started: Timestamp::now(),
        }
    }

    /// The names of the records that a bulk reads, this many seconds after it was told of them.
    async fn read(&self, seconds: i64) -> Vec<String> {
        self.clock
            .0
            .fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        let object = ObjectKey::from("custom_objects.pets");
        let shelf = self.backlog.shelf(&self.desk.account.name, &object);
        let (bulk, claims) = (self.bulk(), self.claims.clone());
        let read = bulk.read(&shelf, &object, claims, JOBS as u64);
        let Read {
            records: read,
            late,
        } = read.await.unwrap();
        assert!(late.is_empty(), "none is there at once");
        let name = |(_, record): &(Claim, Record)| record.properties.get("name").cloned();
        let mut names: Vec<String> = read
            .iter()
            .map(|one| name(one).unwrap().as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    fn asked(&self, of: &str) -> usize {
        let lines = self.server.lines().into_iter();
        lines.filter(|line| line.starts_with(of)).count()
    }
}

const SEARCH: &str = "POST /objects/custom_objects.pets/records/search";
const READ: &str = "GET /objects/custom_objects.pets/records/";

/// A search whose index shows all records as they were, and reads that answer each as `newer` has it.
fn index(newer: impl Fn(&str) -> bool + Send + Sync) -> impl Fn(&Asked) -> Option<Told> {
    let record = |id: &str, name: &str, second: usize| {
        json!({"id": id, "properties": {"name": name}, "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": format!("2026-01-01T00:{:02}:{:02}.000Z", second / 60, second % 60)})
    };
    move |asked| {
        if asked.path.contains("/records/search") {
            let rows: Vec<Value> = (0..JOBS)
                .map(|number| record(&format!("r{number}"), "indexed", JOBS - number))
                .collect();
            return Some(told(200, json!({"records": rows, "total": JOBS})));
        }
        let id = asked
            .path
            .strip_prefix("/objects/custom_objects.pets/records/")?;
        let number: usize = id[1..].parse().unwrap();
        let found = if newer(id) {
            record(id, "newest", JOBS + number)
        } else {
            record(id, "indexed", JOBS - number)
        };
        Some(told(200, json!({"record": found})))
    }
}

#[tokio::test]
async fn records_of_late_announcements_are_read_from_pages_once_the_index_has_caught_up() {
    let bench = Bench::new(index(|_| false)).await;
    assert_eq!(bench.read(16).await, vec!["indexed"; JOBS]);
    assert!(bench.asked(SEARCH) <= 2, "{:?}", bench.server.lines());
    // Those by which the index is checked.
    assert_eq!(bench.asked(READ), 3);
}

/// The announcement may be of the very change that the index lacks for one record and has for all others.
#[tokio::test]
async fn a_row_that_shows_no_change_is_not_believed() {
    let bench = Bench::new(index(|_| false)).await;
    let store = &bench.desk.store;
    let run = NewRun {
        connection: bench.desk.account.name.clone(),
        mapping: bench.desk.mapping.name().clone(),
        object: "custom_objects.pets".into(),
        options: ExportOptions::default(),
        mapping_hash: String::new(),
        owner: "test".to_owned(),
    };
    let Started::Run(run) = store.start_run(&run).await.unwrap() else {
        panic!("the first run");
    };
    // Seen as the index shows them: r0 is the newest.
    let newest: Timestamp = "2026-01-01T00:00:40Z".parse().unwrap();
    let row = |number: i64| PlannedRow {
        record: format!("r{number}").as_str().into(),
        email: None,
        version: newest.as_microsecond() - number * 1_000_000,
        plan: Planned::Skipped,
    };
    let page = PagePlan {
        rows: (0..10).map(row).collect(),
        ..PagePlan::default()
    };
    store.page_planned(&run.id, &page).await.unwrap();
    assert_eq!(bench.read(16).await, vec!["indexed"; JOBS]);
    assert!(bench.asked(SEARCH) <= 2, "{:?}", bench.server.lines());
    assert_eq!(bench.asked(READ), 10 + 3);
}

#[tokio::test]
async fn records_of_late_announcements_are_read_by_id_before_the_index_has_caught_up() {
    let bench = Bench::new(index(|_| true)).await;
    assert_eq!(bench.read(1).await, vec!["newest"; JOBS]);
    assert_eq!(bench.asked(READ), JOBS);
}

#[tokio::test]
async fn no_row_counts_where_the_index_lags_behind_longer_than_it_should() {
    let bench = Bench::new(index(|_| true)).await;
    assert_eq!(bench.read(16).await, vec!["newest"; JOBS]);
    assert_eq!(bench.asked(READ), JOBS);
}

/// Hears how often records had been read by id when a job ended.
struct Reads<'a> {
    server: &'a Server,
    heard: Mutex<Vec<(RecordId, usize)>>,
}

impl Listener for Reads<'_> {
    fn settled(&self, claim: &Claim, _: Option<SyncResult>) {
        let lines = self.server.lines().into_iter();
        let reads = lines.filter(|line| line.starts_with(READ)).count();
        lock(&self.heard).push((claim.job.record.clone(), reads));
    }
}

#[tokio::test]
async fn records_that_are_there_at_once_do_not_wait_for_late_announcements() {
    const FRESH: usize = 10;
    let told = |number: usize| {
        let second = JOBS - number;
        let at = format!("2026-01-01T00:00:{second:02}Z");
        (number < FRESH).then(|| at.parse().unwrap())
    };
    let bench = Bench::told_of(index(|_| false), told).await;
    // A second before the index has surely caught up.
    bench.clock.0.fetch_add(14_000_000, Ordering::Relaxed);
    let reads = Reads {
        server: &bench.server,
        heard: Mutex::default(),
    };
    let bulk = Bulk {
        desk: &bench.desk,
        backlog: &bench.backlog,
        stop: &bench.stop,
        listener: &reads,
        started: Timestamp::now(),
    };
    bulk.work(bench.claims.clone()).await.unwrap();
    let heard = lock(&reads.heard).clone();
    assert_eq!(heard.len(), JOBS);
    for (record, reads) in heard {
        let number: usize = record.as_str()[1..].parse().unwrap();
        // The late ones are checked by id before any of them is believed.
        assert_eq!(number < FRESH, reads == 0, "{record}: {reads}");
    }
}

/// What was settled before a failure is done, and is told as done: nobody may take it for work that is left.
#[tokio::test]
async fn jobs_that_were_settled_before_a_failure_are_told_of() {
    let bench = Bench::new(|_| None).await;
    let store = &bench.desk.store;
    store
        .sabotage(
            "CREATE TRIGGER broken BEFORE UPDATE OF state ON jobs WHEN new.record_id = 'r20' AND new.state = 'done'
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .await;
    let ended = bench.claims.iter().cloned();
    let ended = ended.map(|claim| (claim, Ended::new(Outcome::Unchanged)));
    assert!(bench.bulk().settle(ended.collect()).await.is_err());
    let heard = lock(&bench.heard.0).clone();
    assert_eq!(heard.len(), 16);
    for id in &heard {
        let job = store.job(id).await.unwrap().unwrap();
        assert_eq!(job.state, JobState::Done);
    }
    assert_eq!(store.counts().await.unwrap().running, 24);
}

/// Of the jobs of one bulk, those whose import may be on its way are another worker's only once that has arrived; the others are
/// at once.
#[tokio::test]
async fn jobs_that_sent_nothing_are_given_back_at_once_though_others_of_their_bulk_have_sent() {
    const SENT: usize = 25;
    let bench = Bench::new(|asked| {
        let import = asked.path.ends_with("/import/bulk_import");
        import.then(|| told(500, json!({"message": "down"})))
    })
    .await;
    let row = |claim: &Claim| sending::Row {
        job: claim.job.id.clone(),
        epoch: claim.epoch,
        write: ContactWrite {
            email: Email::parse(&format!("{}@example.org", claim.job.record)).unwrap(),
            values: Vec::new(),
        },
        rides: Rides::default(),
        json: "{}".to_owned(),
        contact: None,
    };
    let (desk, rows) = (
        &bench.desk,
        bench.claims.iter().take(SENT).map(row).collect(),
    );
    let fates = sending::deliver(desk, &bench.backlog.pace, rows).await;
    let failed = |fate: &sending::Fate| matches!(fate, sending::Fate::Failed(_));
    assert_eq!(
        fates.unwrap().iter().filter(|fate| failed(fate)).count(),
        SENT
    );

    give_back(&desk.store, &bench.claims, &desk.sent).await;
    let counts = desk.store.counts().await.unwrap();
    assert_eq!(
        (counts.running, counts.ready),
        (SENT as u64, (JOBS - SENT) as u64)
    );
    for (place, claim) in bench.claims.iter().enumerate() {
        let ended = Ended::new(Outcome::Unchanged);
        let settlement = desk.settlement(&claim.job, &ended, Timestamp::now());
        assert_eq!(settlement.sent, place < SENT);
    }
}
