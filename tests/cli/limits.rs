//! The rate limits as commands leave them to each other.

use super::support::{House, options};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tramline::http::{Budget, Clock, Ledger, LedgerRow, Limit, MemoryLedger, SystemClock};
use tramline::sandbox::Options;
use tramline::store::{self, Store};

/// Three seconds ahead: a window after what was answered, long before what was not counts as lost.
struct Later;

impl Clock for Later {
    fn now_micros(&self) -> i64 {
        SystemClock.now_micros() + 3_000_000
    }

    fn sleep_until(&self, _: i64) -> BoxFuture<'_, ()> {
        unreachable!("no permit is asked for")
    }
}

#[test]
fn a_command_that_ended_leaves_the_rate_limit_to_the_next() {
    let house = House::with(Options {
        limits: true,
        ..options(0)
    });
    house.expect(0, &["segments", "list"]);
    let key = format!("activecampaign {}/api/3", house.activecampaign_url);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (row, left) = runtime.block_on(async {
        let path = house.path("tramline.db");
        let store = Store::open(&path, Arc::new(store::SystemClock));
        let row = store.await.unwrap();
        let row = row.ledger_update(&key, |text| LedgerRow::from_json(text));
        let row = row.await.unwrap();
        let ledger = MemoryLedger::default();
        let known = row.clone();
        let keep = ledger.update(&key, Box::new(|kept| *kept = known));
        keep.await.unwrap();
        let budget = Budget::new(
            "activecampaign",
            key.as_str(),
            Limit::new(5, Duration::from_secs(1)),
            Duration::from_secs(10),
            Arc::new(ledger),
            Arc::new(Later),
        );
        (row, budget.refresh().await.unwrap().left)
    });
    assert_ne!(row, LedgerRow::default(), "it asked ActiveCampaign");
    assert_eq!(left, 5, "{row:?}");
}
