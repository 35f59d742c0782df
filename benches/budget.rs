//! The rate limiter on its real ledger, the store: how much of a limit is used, and what a permit costs.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use futures_util::future::BoxFuture;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Against, figure, open_store};
use tramline::http::{
    Budget, Lane, Ledger, LedgerError, LedgerRow, Limit, PATIENCE, RowUpdate, ServerSays,
    SystemClock,
};
use tramline::store::Store;

/// ActiveCampaign's limit.
const REQUESTS: u32 = 5;
const SECONDS: u32 = 6;

/// Names the store, the round trip and the end to a process that works beside others.
const BESIDE: &str = "TRAMLINE_BENCH_BESIDE";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Ok(what) = std::env::var(BESIDE) {
        runtime.block_on(beside(&what));
        return;
    }
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.db");
        let store = open_store(&path).await;
        for (rtt, least) in [(20, 97.0), (100, 88.0)] {
            let end = micros() + i64::from(SECONDS) * 1_000_000;
            figure(
                &format!("budget of 5/s used at a round trip of {rtt} ms, one process"),
                share(granted(&store, rtt, end).await),
                "%",
                Against::Least(least),
                "while there is work",
            );
            figure(
                &format!("budget of 5/s used at a round trip of {rtt} ms, four processes"),
                share(four(&path, rtt)),
                "%",
                Against::Least(least),
                "on one store",
            );
        }
        figure(
            "a permit where the limit is lifted (100,000/s)",
            lifted(&store).await,
            "us",
            Against::Most(50.0),
            "half a percent of a page's 10 ms at 10,000 records/s",
        );
        store.close().await.expect("closed");
    });
}

/// Microseconds since the Unix epoch: processes compare them.
fn micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// When four processes on one store were granted permits.
fn four(path: &Path, rtt: u64) -> Vec<i64> {
    // Starting takes a while.
    let end = micros() + i64::from(SECONDS + 1) * 1_000_000;
    let what = format!("{} {rtt} {end}", path.display());
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut child = Command::new(std::env::current_exe().expect("this bench"));
            child.env(BESIDE, &what).stdout(Stdio::piped());
            child.spawn().expect("it starts")
        })
        .collect();
    let told = children.into_iter().flat_map(|child| {
        let out = child.wait_with_output().expect("it ends").stdout;
        let out = String::from_utf8(out).expect("numbers");
        let times: Vec<i64> = out
            .lines()
            .map(|line| line.parse().expect("a number"))
            .collect();
        times
    });
    told.collect()
}

/// One of several processes: tells when it was granted permits.
async fn beside(what: &str) {
    let parts: Vec<&str> = what.rsplitn(3, ' ').collect();
    let [end, rtt, path] = parts.as_slice() else {
        panic!("{what}");
    };
    let store = open_store(Path::new(path)).await;
    let rtt = rtt.parse().expect("a number");
    for at in granted(&store, rtt, end.parse().expect("a number")).await {
        println!("{at}");
    }
    store.close().await.expect("closed");
}

fn budget(store: &Store, key: &str, requests: u32) -> Budget {
    Budget::new(
        key,
        key,
        Limit::new(requests, Duration::from_secs(1)),
        Duration::from_secs(10),
        Arc::new(StoreLedger(store.clone())),
        Arc::new(SystemClock),
    )
}

/// When eight callers were granted permits, until the end.
async fn granted(store: &Store, rtt: u64, end: i64) -> Vec<i64> {
    let budget = budget(store, &format!("rtt {rtt}"), REQUESTS);
    let granted = Arc::new(Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (budget, granted) = (budget.clone(), granted.clone());
            tokio::spawn(async move {
                while let Ok(permit) = budget.acquire(Lane::Bulk, PATIENCE).await {
                    let now = micros();
                    if now >= end {
                        // Else others would wait for its answer.
                        permit.answered(ServerSays::default());
                        return;
                    }
                    granted.lock().expect("no caller panics").push(now);
                    tokio::time::sleep(Duration::from_millis(rtt)).await;
                    permit.answered(ServerSays::default());
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("it ends");
    }
    budget.close().await.expect("told");
    granted.lock().expect("no caller panics").clone()
}

/// Share of the limit, in percent, that was used.
fn share(mut granted: Vec<i64>) -> f64 {
    granted.sort_unstable();
    // What is granted repeats from window to window: whole windows are measured, wherever the first begins.
    let window = REQUESTS as usize;
    let whole = (granted.len() - 1) / window * window;
    let seconds = (granted[whole] - granted[0]) as f64 / 1e6;
    whole as f64 * 100.0 / (seconds * f64::from(REQUESTS))
}

/// Microseconds that a permit takes where nobody has to wait.
async fn lifted(store: &Store) -> f64 {
    const PERMITS: u32 = 5_000;
    let budget = budget(store, "lifted", 100_000);
    let start = Instant::now();
    for _ in 0..PERMITS {
        let permit = budget
            .acquire(Lane::Bulk, PATIENCE)
            .await
            .expect("a permit");
        permit.answered(ServerSays::default());
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(PERMITS)
}

/// As the product keeps its budgets.
struct StoreLedger(Store);

impl Ledger for StoreLedger {
    fn update<'a>(
        &'a self,
        key: &'a str,
        change: RowUpdate,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async move {
            let updated = self.0.ledger_update(key, |text| {
                let mut row = LedgerRow::from_json(text);
                change(&mut row);
                *text = row.to_json();
            });
            updated
                .await
                .map_err(|error| LedgerError(error.to_string()))
        })
    }
}
