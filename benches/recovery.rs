//! A worker is killed with a job in its hands: how long until another one has finished it.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use serde_json::json;
use std::time::{Duration, Instant};
use support::sandbox::Sandbox;
use support::worker::{PETS, Worker, event, records};
use support::{Against, figure, percentile};

/// How long a job is a worker's unless it says that it lives.
const LEASE: f64 = 30.0;
/// Workers that are killed, one after the other.
const KILLS: usize = 3;
const WRITE: &str = "/api/3/contact/sync";

fn main() {
    // A second installation is refused, which only means that somebody was here before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut taken = runtime.block_on(async {
        let sandbox = Sandbox::start(20, false, 100);
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let records = records(&http, &sandbox).await;
        let mut taken = Vec::new();
        for record in &records {
            if taken.len() == KILLS {
                break;
            }
            taken.extend(killed(&sandbox, &http, record, taken.len()).await);
        }
        taken
    });
    figure(
        "SIGKILL of a worker to its job done by another one",
        percentile(&mut taken, 1.0),
        "s",
        Against::Most(LEASE + 1.0),
        "the slowest of 3: the lease and a second",
    );
}

/// Seconds from the kill until the contact is written; `None` for a record that is never written.
async fn killed(
    sandbox: &Sandbox,
    http: &reqwest::Client,
    record: &str,
    number: usize,
) -> Option<f64> {
    let faults = format!("{}/_sandbox/faults", sandbox.highlevel());
    let fault = json!({"api": "activecampaign", "route": WRITE, "kind": "stall"}).to_string();
    let set = http.post(&faults).body(fault).send().await.expect("set");
    assert!(set.status().is_success(), "{set:?}");
    let url = format!("{}/_sandbox/records/{PETS}/{record}", sandbox.highlevel());
    let change = json!({ "name": format!("Killed {number} {record}") }).to_string();
    http.patch(url).body(change).send().await.expect("changed");
    sandbox.clear_log(http).await;
    let worker = Worker::start(sandbox);
    worker.sender().send(http, &event(record, number)).await;
    let begin = Instant::now();
    while writes(sandbox, http).await == 0 {
        if begin.elapsed() > Duration::from_secs(3) {
            http.delete(&faults).send().await.expect("cleared");
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Its request is on its way; nobody will answer it.
    drop(worker);
    let dead = Instant::now();
    http.delete(&faults).send().await.expect("cleared");
    sandbox.clear_log(http).await;
    let _heir = Worker::start(sandbox);
    while writes(sandbox, http).await == 0 {
        assert!(dead.elapsed() < Duration::from_secs(90), "the job is lost");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Some(dead.elapsed().as_secs_f64())
}

async fn writes(sandbox: &Sandbox, http: &reqwest::Client) -> usize {
    let log = sandbox.log(http).await;
    log.iter().filter(|entry| entry["path"] == WRITE).count()
}
