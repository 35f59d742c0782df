//! The rate limiter on its real ledger, the store: how much of a limit is used, and what a permit costs.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Against, figure};
use tramline::http::{
    Budget, Lane, Ledger, LedgerError, LedgerRow, Limit, PATIENCE, RowUpdate, ServerSays,
    SystemClock,
};
use tramline::store::{self, Store};

/// ActiveCampaign's limit.
const REQUESTS: u32 = 5;
const SECONDS: u32 = 6;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("t.db"), Arc::new(store::SystemClock))
            .await
            .expect("a store");
        for (rtt, least) in [(20, 97.0), (100, 88.0)] {
            figure(
                &format!("budget of 5/s used at a round trip of {rtt} ms"),
                used(&store, rtt).await,
                "%",
                Against::Least(least),
                "while there is work, one process",
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

/// Share of the limit, in percent, that eight callers in one process use.
async fn used(store: &Store, rtt: u64) -> f64 {
    let budget = budget(store, &format!("rtt {rtt}"), REQUESTS);
    let granted = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let end = start + Duration::from_secs(u64::from(SECONDS));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (budget, granted) = (budget.clone(), granted.clone());
            tokio::spawn(async move {
                while let Ok(permit) = budget.acquire(Lane::Bulk, PATIENCE).await {
                    let now = Instant::now();
                    if now >= end {
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
    let mut granted = granted.lock().expect("no caller panics").clone();
    granted.sort();
    // Permits come in bursts of a whole window: whole periods are measured, from the first burst to the last.
    let whole = granted.len() - REQUESTS as usize;
    let seconds = (granted[whole] - granted[0]).as_secs_f64();
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
