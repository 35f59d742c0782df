//! The control room at work: memory and filter over a million jobs, changes of the store on the screen, keys while an export or a
//! stream of events goes by, and what all that sends to the terminal.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::process::memory_of_id;
use support::room::{Room, prepare};
use support::sandbox::Sandbox;
use support::{Against, figure, left_out, open_store, percentile};
use tramline::model::Trigger;
use tramline::store::{NewJob, Store};

const JOBS: u32 = 1_000_000;
/// Records of the export that is watched.
const RECORDS: usize = 150_000;
const SECOND: Duration = Duration::from_secs(1);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if !left_out("million") || !left_out("change") || !left_out("events") {
        let folder = tempfile::tempdir().expect("a folder");
        runtime.block_on(prepare(folder.path(), JOBS));
        if !left_out("million") {
            million(folder.path());
        }
        if !left_out("change") {
            runtime.block_on(changes(folder.path()));
        }
        if !left_out("events") {
            runtime.block_on(events(folder.path(), false));
            runtime.block_on(events(folder.path(), true));
        }
    }
    if !left_out("export") {
        export(false);
        export(true);
    }
}

/// Memory after a walk through the list, and the filter as it is typed.
fn million(folder: &Path) {
    let mut room = queue(folder, (200, 60), &[]);
    for _ in 0..50 {
        room.keys("\x1b[6~");
        std::thread::sleep(Duration::from_millis(20));
    }
    room.keys("g");
    room.shows("1 of 1,000,000");

    let (mut echoes, mut found) = (Vec::new(), Vec::new());
    for number in (0..20).map(|at| 777_777 - at * 31_313) {
        room.keys("/");
        room.shows("state:");
        let filter = format!("record:66b1f2a4c9e77{number:011}");
        // What follows stands in no row.
        let begin = "record:66b".len();
        room.keys(&filter[..begin - 1]);
        for end in begin..filter.len() {
            echoes.push(room.answers(&filter[end - 1..end], &filter[..end], |text| {
                text.contains(&filter[..end])
            }));
            std::thread::sleep(Duration::from_millis(10));
        }
        let row = format!("owner{number}@");
        let last = &filter[filter.len() - 1..];
        found.push(room.answers(last, &row, |text| text.contains(&row)));
        clear(&mut room);
    }
    for number in (0..20).map(|at| 777_777 - at * 31_313) {
        room.keys("/");
        room.shows("state:");
        let row = format!("owner{number}@");
        let text = format!("owner{number}");
        found.push(room.answers(&text, &row, |text| text.contains(&row)));
        clear(&mut room);
    }
    figure(
        "filter over 1,000,000 jobs: last key to its rows, slowest of 40",
        percentile(&mut found, 1.0),
        "ms",
        Against::Most(100.0),
        "half of them by record, half by text",
    );
    figure(
        "filter over 1,000,000 jobs: key to its echo, p99",
        percentile(&mut echoes, 0.99),
        "ms",
        Against::Most(16.0),
        "each key is filtered for",
    );
    std::thread::sleep(2 * SECOND);
    figure(
        "memory with 1,000,000 jobs",
        memory_of_id(room.id()),
        "MiB",
        Against::Most(40.0),
        "resident, after all of the above",
    );
    room.quit();
}

/// A room that shows all jobs of a folder's store.
fn queue(folder: &Path, size: (u16, u16), arguments: &[&str]) -> Room {
    let mut room = Room::open(folder, size, arguments);
    room.shows("Activity");
    room.keys("4");
    room.until("the queue", |text| text.contains("▶ "));
    room.rest(SECOND);
    // It opens with what failed.
    room.until_tab(" of 1,0");
    room
}

/// Leaves the filter.
fn clear(room: &mut Room) {
    room.keys("\x1b");
    room.until("an end of the prompt", |text| !text.contains("state:"));
    room.keys("\x1b");
    room.shows(" of 1,000,0");
}

/// From a change of the store to its row, nothing else going on.
async fn changes(folder: &Path) {
    let mut room = queue(folder, (120, 40), &["--no-worker"]);
    let store = open_store(&folder.join("tramline.db")).await;
    let mut other = Vec::new();
    for number in 0..100 {
        // The cursor stays on its job, so new ones would leave the screen.
        room.keys("g");
        room.rest(Duration::from_millis(300));
        let enqueued = enqueue(&store, number..number + 1).await;
        let shown = room.shows(&format!("bbbbbb…{number:06}"));
        other.push(shown.saturating_duration_since(enqueued).as_secs_f64() * 1000.0);
    }
    let mut same = Vec::new();
    room.until_tab(" of 50,000");
    for _ in 0..100 {
        room.rest(Duration::from_millis(300));
        let row = room.text();
        let row = row.lines().find(|line| line.contains('▶'));
        let record = row.and_then(|row| row.split_whitespace().find(|word| word.contains('…')));
        let record = record.expect("a job").to_owned();
        same.push(room.answers("r", "another job", |text| !text.contains(&record)));
    }
    for (who, taken, most) in [
        ("another process's", &mut other, 250.0),
        ("its own", &mut same, 50.0),
    ] {
        figure(
            &format!("{who} change of the store to the screen, quiet, p99"),
            percentile(taken, 0.99),
            "ms",
            Against::Most(most),
            "the slowest but one of 100",
        );
    }
    store.close().await.expect("closed");
    room.quit();
}

/// New jobs of numbered records. Answers when they are on disk.
async fn enqueue(store: &Store, numbers: std::ops::Range<u32>) -> Instant {
    let jobs: Vec<NewJob> = numbers
        .map(|number| NewJob {
            connection: "default".into(),
            mapping: "pets".into(),
            object: "custom_objects.pets".into(),
            record: format!("bbbbbb{number:018}").into(),
            trigger: Trigger::Manual,
            not_before: None,
        })
        .collect();
    store.enqueue_many(&jobs).await.expect("enqueued");
    Instant::now()
}

/// A thousand new jobs a second stream through the list.
async fn events(folder: &Path, low_bandwidth: bool) {
    const SECONDS: u32 = 15;
    let (arguments, most, how) = if low_bandwidth {
        (
            &["--no-worker", "--low-bandwidth"][..],
            4.0,
            "low bandwidth",
        )
    } else {
        (&["--no-worker"][..], 16.0, "120x40")
    };
    let mut room = queue(folder, (120, 40), arguments);
    let store = open_store(&folder.join("tramline.db")).await;
    let first = if low_bandwidth { 600_000 } else { 500_000 };
    let stop = Arc::new(AtomicBool::new(false));
    let stream = {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let begin = Instant::now();
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                enqueue(&store, first + sent..first + sent + 50).await;
                sent += 50;
                let due = begin + Duration::from_millis(u64::from(sent));
                tokio::time::sleep_until(due.into()).await;
            }
            f64::from(sent) / begin.elapsed().as_secs_f64()
        })
    };
    tokio::task::block_in_place(|| {
        std::thread::sleep(2 * SECOND);
        let bytes = room.bytes();
        std::thread::sleep(SECOND * SECONDS);
        let rate = (room.bytes() - bytes) as f64 / f64::from(SECONDS) / 1000.0;
        figure(
            &format!("1,000 queue events/s, {how}: to the terminal"),
            rate,
            "kB/s",
            Against::Most(most),
            "nothing is typed",
        );
        let mut taken = keys(&mut room, "On Queue", 100);
        figure(
            &format!("1,000 queue events/s, {how}: key to bytes, p99"),
            percentile(&mut taken, 0.99),
            "ms",
            Against::Most(16.0),
            "the slowest but one of 100",
        );
    });
    stop.store(true, Ordering::Relaxed);
    let rate = stream.await.expect("it ends");
    figure("  events in truth", rate, "a second", Against::Nothing, "");
    store.close().await.expect("closed");
    room.quit();
}

/// Milliseconds that opening help takes, so often; `title` is what it then shows.
fn keys(room: &mut Room, title: &str, times: usize) -> Vec<f64> {
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        taken.push(room.answers("?", title, |text| text.contains(title)));
        std::thread::sleep(Duration::from_millis(20));
        room.keys("\x1b");
        room.until("an end of help", |text| !text.contains(title));
        std::thread::sleep(Duration::from_millis(20));
    }
    taken
}

/// An export at full speed in the room's own process.
fn export(low_bandwidth: bool) {
    const SECONDS: u32 = 4;
    let (arguments, most, how) = if low_bandwidth {
        (&["--low-bandwidth"][..], 0.5, "low bandwidth")
    } else {
        (&[][..], 2.0, "120x40")
    };
    let sandbox = Sandbox::start(RECORDS, false, 100);
    let mut room = sandbox.room((120, 40), arguments);
    room.shows("Activity");
    room.keys("5");
    room.shows("no export yet");
    room.keys("a");
    room.shows("Dry run: write nothing");
    room.keys("\t\x1b[D");
    room.shows("● no  ○ yes");
    room.keys("\r");
    room.shows("confirmed");
    std::thread::sleep(2 * SECOND);
    let bytes = room.bytes();
    std::thread::sleep(SECOND * SECONDS);
    let rate = (room.bytes() - bytes) as f64 / f64::from(SECONDS) / 1000.0;
    figure(
        &format!("watching an export at full speed, {how}: to the terminal"),
        rate,
        "kB/s",
        Against::Most(most),
        "nothing is typed",
    );
    let mut taken = keys(&mut room, "On Exports", 60);
    room.until("an export still at work", |text| {
        !text.contains("✓ completed")
    });
    figure(
        &format!("an export at full speed, {how}: key to bytes, p99"),
        percentile(&mut taken, 0.99),
        "ms",
        Against::Most(16.0),
        "the slowest of 60",
    );
}
