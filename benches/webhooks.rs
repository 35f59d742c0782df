//! Webhooks: how soon they are answered under load, and how soon a change is in its contact on an idle system.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use support::sandbox::Sandbox;
use support::worker::{PETS, Worker, event, records};
use support::{Against, figure, left_out, percentile};
use tramline::sandbox::LOCATION_ID;

/// Webhooks a second, and for how long.
const RATE: u64 = 500;
const SECONDS: u64 = 10;
/// Changes followed one by one on an idle system.
const CHANGES: usize = 100;

fn main() {
    // A second installation is refused, which only means that somebody was here before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let sandbox = Sandbox::start(usize::try_from(RATE * SECONDS).expect("small"), false, 100);
        let worker = Worker::start(&sandbox);
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let records = records(&http, &sandbox).await;
        let fsync = fsync_p99(sandbox.config().parent().expect("a folder"));
        figure("fsync of 4 KiB, p99", fsync, "ms", Against::Nothing, "");
        if !left_out("idle") {
            idle(&http, &sandbox, &worker, &records, fsync).await;
        }
        if !left_out("load") {
            load(&http, &worker, &records, fsync).await;
        }
    });
}

/// Webhook accepted to contact written, one change at a time.
async fn idle(
    http: &reqwest::Client,
    sandbox: &Sandbox,
    worker: &Worker,
    records: &[String],
    fsync: f64,
) {
    let trip = round_trip(http, sandbox).await;
    let mut taken = Vec::with_capacity(CHANGES);
    for (number, record) in records.iter().enumerate() {
        if taken.len() == CHANGES {
            break;
        }
        let url = format!("{}/_sandbox/records/{PETS}/{record}", sandbox.highlevel());
        let body = json!({ "name": format!("Benchmark {number}") }).to_string();
        http.patch(url).body(body).send().await.expect("changed");
        sandbox.clear_log(http).await;
        worker.sender().send(http, &event(record, number)).await;
        let accepted = jiff::Timestamp::now().as_microsecond();
        // Some of the sample records cannot be synced, and some share a contact with a newer one: those are passed over.
        let patience = Instant::now();
        let written = loop {
            let log = sandbox.log(http).await;
            let write = log
                .iter()
                .find(|entry| entry["path"] == "/api/3/contact/sync");
            if let Some(at) = write.and_then(|write| write["at"].as_i64()) {
                break Some(at);
            }
            if patience.elapsed() > Duration::from_millis(500) {
                break None;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        if let Some(written) = written {
            taken.push((written - accepted) as f64 / 1000.0);
        }
    }
    figure(
        "webhook accepted to contact written, idle, p99",
        percentile(&mut taken, 0.99),
        "ms",
        Against::Most(2.0 * trip + 5.0 * fsync),
        "two API round trips + 5 fsyncs (p99)",
    );
}

/// Accepted under load: webhooks leave at their times, whether or not the ones before were answered.
async fn load(http: &reqwest::Client, worker: &Worker, records: &[String], fsync: f64) {
    let start = Instant::now();
    let sends: Vec<_> = (0..RATE * SECONDS)
        .map(|number| {
            let place = usize::try_from(number).expect("small") % records.len();
            let event = event(
                &records[place],
                1_000_000 + usize::try_from(number).expect("small"),
            );
            let (http, to) = (http.clone(), worker.sender());
            let due = start + Duration::from_micros(number * 1_000_000 / RATE);
            tokio::spawn(async move {
                tokio::time::sleep_until(due.into()).await;
                to.send(&http, &event).await;
                due.elapsed().as_secs_f64() * 1000.0
            })
        })
        .collect();
    let mut taken = Vec::with_capacity(sends.len());
    for send in sends {
        taken.push(send.await.expect("answered"));
    }
    figure(
        &format!("webhook answered at {RATE}/s, p99"),
        percentile(&mut taken, 0.99),
        "ms",
        Against::Most(5.0 * fsync),
        "5 fsyncs (p99)",
    );
}

/// A call to the API, median, in milliseconds.
async fn round_trip(http: &reqwest::Client, sandbox: &Sandbox) -> f64 {
    let url = format!("{}/objects/?locationId={LOCATION_ID}", sandbox.highlevel());
    let mut taken = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let answer = http
            .get(&url)
            .bearer_auth(sandbox.token("GHL_TOKEN"))
            .header("Version", "2021-07-28")
            .send()
            .await
            .expect("answered");
        answer.bytes().await.expect("read");
        taken.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    percentile(&mut taken, 0.5)
}

/// What the disk takes to keep 4 KiB, p99, in milliseconds.
fn fsync_p99(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("fsync")).expect("a file");
    let mut taken: Vec<f64> = (0..500)
        .map(|_| {
            file.write_all(&[7; 4096]).expect("written");
            let start = Instant::now();
            file.sync_data().expect("on disk");
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    percentile(&mut taken, 0.99)
}
