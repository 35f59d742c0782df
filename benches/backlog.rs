//! A backlog under the real limits: 10,000 changed records arrive as webhooks, at one worker process and at four on one store.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use serde_json::Value;
use std::time::{Duration, Instant};
use support::sandbox::Sandbox;
use support::worker::{PETS, Worker, event, records};
use support::{Against, figure, left_out};

/// Records that change.
const RECORDS: usize = 10_000;
/// Webhooks that arrive in a second.
const RATE: u64 = 1_000;
/// ActiveCampaign's limit a second, and the contacts of an import.
const CALLS: f64 = 5.0;
const ROWS: usize = 250;

fn main() {
    // A second installation is refused, which only means that somebody was here before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (part, workers) in [("one", 1), ("four", 4)] {
        if !left_out(part) {
            runtime.block_on(arriving(workers));
        }
    }
}

/// Lets the webhooks arrive and looks at what ActiveCampaign was asked.
async fn arriving(workers: usize) {
    let sandbox = Sandbox::start(RECORDS, true, 100);
    without_rules(&sandbox);
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let records = records(&http, &sandbox).await;
    let workers: Vec<Worker> = (0..workers).map(|_| Worker::start(&sandbox)).collect();
    sandbox.clear_log(&http).await;
    let begin = Instant::now();
    let began = jiff::Timestamp::now().as_microsecond();
    let mut sends = Vec::with_capacity(records.len());
    for (number, record) in records.iter().enumerate() {
        let due = begin + Duration::from_micros(number as u64 * 1_000_000 / RATE);
        let event = event(record, number);
        let url = format!("{}/_sandbox/records/{PETS}/{record}", sandbox.highlevel());
        let body = format!("{{\"name\":\"Benchmark {number}\"}}");
        let (http, to) = (http.clone(), workers[number % workers.len()].sender());
        sends.push(tokio::spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            // Changed in truth: pages are read from the latest change on.
            http.patch(url).body(body).send().await.expect("changed");
            to.send(&http, &event).await;
        }));
    }
    for send in sends {
        send.await.expect("answered");
    }
    while open_jobs(&sandbox) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let log = sandbox.log(&http).await;
    let at = calls(&log);
    let refused = log.iter().filter(|call| call["status"] == 429).count();
    let (first, last) = (at[0], at[at.len() - 1]);
    let seconds = |from: i64, to: i64| (to - from) as f64 / 1e6;
    let name = |what: &str| format!("backlog, {} worker(s): {what}", workers.len());
    let contacts = records.len() as f64;
    figure(
        &name("ActiveCampaign calls a contact"),
        at.len() as f64 / contacts,
        "",
        Against::Most(0.05),
        "",
    );
    // An import and a look at it for each batch; the limit lets a second's worth go at once.
    let needed = (records.len().div_ceil(ROWS) * 2) as f64;
    let limit = (needed - CALLS) / CALLS;
    figure(
        &name("from the first webhook to the last call"),
        seconds(began, last),
        "s",
        Against::Most(1.2 * limit),
        "1.2 times what the limit dictates",
    );
    figure(
        &name("share of the limit used meanwhile"),
        100.0 * (at.len() as f64 - CALLS) / (CALLS * seconds(first, last)),
        "%",
        Against::Nothing,
        "",
    );
    figure(
        &name("rate-limit answers"),
        refused as f64,
        "",
        Against::Most(0.0),
        "",
    );
}

/// True while jobs are left that no person has to look at.
fn open_jobs(sandbox: &Sandbox) -> bool {
    let filter = "state:ready,waiting,running";
    let mut list = sandbox.tramline(&[
        "queue", "list", "--filter", filter, "--limit", "1", "--json",
    ]);
    !list.output().expect("the queue").stdout.is_empty()
}

/// When ActiveCampaign was called, in microseconds.
fn calls(log: &[Value]) -> Vec<i64> {
    let calls = log.iter().filter(|call| {
        let path = call["path"].as_str();
        path.is_some_and(|path| path.starts_with("/api/3/"))
    });
    let mut at: Vec<i64> = calls.filter_map(|call| call["at"].as_i64()).collect();
    at.sort_unstable();
    at
}

/// Takes the rules out of the configuration that the sandbox offers.
fn without_rules(sandbox: &Sandbox) {
    let text = std::fs::read_to_string(sandbox.config()).expect("the configuration");
    let mut config: toml::Table = toml::from_str(&text).expect("TOML");
    let mappings = config["mappings"].as_table_mut().expect("mappings");
    for (_, mapping) in mappings.iter_mut() {
        mapping.as_table_mut().expect("a mapping").remove("rules");
    }
    std::fs::write(sandbox.config(), config.to_string()).expect("written");
}
