use super::row::{Decision, Done, LedgerRow, Limit};
use super::*;
use crate::http::clock::SystemClock;
use std::time::Instant;

const TIMEOUT: Duration = Duration::from_secs(10);

fn budget(limit: Limit, ledger: &Arc<MemoryLedger>) -> Budget {
    Budget::new(
        "highlevel",
        "key",
        limit,
        TIMEOUT,
        ledger.clone(),
        Arc::new(SystemClock),
    )
}

fn fresh(requests: u32, millis: u64) -> Budget {
    budget(
        Limit::new(requests, Duration::from_millis(millis)),
        &Arc::default(),
    )
}

#[tokio::test]
async fn the_next_permit_waits_for_the_window() {
    let budget = fresh(2, 80);
    let started = Instant::now();
    for _ in 0..4 {
        let permit = budget.acquire(Lane::Bulk, PATIENCE).await.unwrap();
        permit.answered(ServerSays::default());
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(80), "{took:?}");
    assert!(took < Duration::from_millis(400), "{took:?}");
    assert_eq!(budget.view().size, 2);
}

#[tokio::test]
async fn a_process_that_ends_leaves_the_budget_to_others() {
    // A limit whose permits come in leases, and one of single permits.
    for requests in [100, 5] {
        let ledger = Arc::default();
        let limit = Limit::new(requests, Duration::from_secs(1));
        let ending = budget(limit, &ledger);
        let permit = ending.acquire(Lane::Bulk, PATIENCE).await.unwrap();
        permit.answered(ServerSays::default());
        ending.close().await.unwrap();
        let in_use = Arc::new(Mutex::new(0));
        let seen = in_use.clone();
        let look = move |row: &mut LedgerRow| {
            let until = row.slots.iter().map(|slot| slot.free_at);
            *seen.lock().unwrap() = until.max().unwrap();
        };
        ledger.update("key", Box::new(look)).await.unwrap();
        let left = *in_use.lock().unwrap() - SystemClock.now_micros();
        assert!(left < 2_000_000, "{requests}: {left}");
    }
}

#[tokio::test]
async fn a_person_goes_first() {
    let budget = fresh(1, 60);
    budget
        .acquire(Lane::Bulk, PATIENCE)
        .await
        .unwrap()
        .answered(ServerSays::default());
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for lane in [Lane::Bulk, Lane::Bulk, Lane::Person] {
        let (budget, order) = (budget.clone(), order.clone());
        tasks.push(tokio::spawn(async move {
            let permit = budget.acquire(lane, PATIENCE).await.unwrap();
            order.lock().unwrap().push(lane);
            permit.answered(ServerSays::default());
        }));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        *order.lock().unwrap(),
        [Lane::Person, Lane::Bulk, Lane::Bulk]
    );
}

#[test]
fn a_person_holds_bulk_work_of_other_processes_off() {
    let limit = Limit::new(1, Duration::from_secs(10));
    let mut row = LedgerRow::default();
    assert!(matches!(
        row.lease(&limit, false, 0, 1_000),
        Decision::Granted { .. }
    ));
    assert!(matches!(
        row.lease(&limit, true, 0, 2_000),
        Decision::Wait { .. }
    ));
    row.settle(
        &limit,
        &[Done {
            slot: 1,
            permits: 1,
            answered: None,
            says: ServerSays::default(),
            used: 1,
        }],
        3_000,
    );
    let Decision::Wait { until } = row.lease(&limit, false, 0, 4_000) else {
        panic!("bulk work took the person's permit");
    };
    assert!(until <= 1_004_000);
    assert!(matches!(
        row.lease(&limit, true, 0, 5_000),
        Decision::Granted { .. }
    ));
}

#[tokio::test]
async fn two_processes_share_one_row() {
    let ledger = Arc::new(MemoryLedger::default());
    let limit = Limit::new(6, Duration::from_millis(100));
    let times = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let one = budget(limit, &ledger);
        for _ in 0..3 {
            let (one, times) = (one.clone(), times.clone());
            tasks.push(tokio::spawn(async move {
                for _ in 0..6 {
                    let permit = one.acquire(Lane::Bulk, PATIENCE).await.unwrap();
                    times.lock().unwrap().push(SystemClock.now_micros());
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    permit.answered(ServerSays::default());
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut times = times.lock().unwrap().clone();
    times.sort_unstable();
    assert_eq!(times.len(), 36);
    for pair in times.windows(7) {
        assert!(
            pair[6] - pair[0] >= 100_000,
            "seven in {} µs",
            pair[6] - pair[0]
        );
    }
}

#[tokio::test]
async fn other_processes_soon_see_what_ended() {
    let ledger = Arc::new(MemoryLedger::default());
    let limit = Limit::new(1, Duration::from_millis(50));
    let (one, two) = (budget(limit, &ledger), budget(limit, &ledger));
    one.acquire(Lane::Bulk, PATIENCE)
        .await
        .unwrap()
        .answered(ServerSays::default());
    let started = Instant::now();
    two.acquire(Lane::Bulk, PATIENCE)
        .await
        .unwrap()
        .answered(ServerSays::default());
    // Not the eleven seconds after which an unanswered lease lapses.
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_drained_budget_waits_and_says_so() {
    let budget = fresh(10, 1000);
    budget.refused(0, Some(Duration::from_millis(120))).await;
    assert!(budget.view().blocked_until.is_some());
    assert_eq!(budget.view().left, 0);
    let started = Instant::now();
    budget
        .acquire(Lane::Person, PATIENCE)
        .await
        .unwrap()
        .unused();
    assert!(started.elapsed() >= Duration::from_millis(115));
    assert!(budget.refresh().await.unwrap().left == 10);

    budget.refused(0, Some(Duration::from_secs(3600))).await;
    assert!(matches!(
        budget.acquire(Lane::Person, PATIENCE).await,
        Err(BudgetError::Blocked { .. })
    ));
}

#[tokio::test]
async fn a_spent_day_is_an_error() {
    let mut limit = Limit::new(10, Duration::from_secs(1));
    limit.daily = Some(2);
    let one = budget(limit, &Arc::default());
    for _ in 0..2 {
        one.acquire(Lane::Bulk, PATIENCE).await.unwrap().unused();
    }
    assert_eq!(one.view().daily_left, Some(0));
    assert!(matches!(
        one.acquire(Lane::Bulk, PATIENCE).await,
        Err(BudgetError::Spent { .. })
    ));

    let two = fresh(10, 1000);
    two.acquire(Lane::Bulk, PATIENCE)
        .await
        .unwrap()
        .answered(ServerSays {
            daily_left: Some(0),
            ..ServerSays::default()
        });
    assert!(matches!(
        two.acquire(Lane::Bulk, PATIENCE).await,
        Err(BudgetError::Spent { .. })
    ));
}

#[tokio::test]
async fn a_ledger_that_fails_loses_no_answer() {
    struct Broken(Mutex<bool>, MemoryLedger);
    impl Ledger for Broken {
        fn update<'a>(
            &'a self,
            key: &'a str,
            change: RowUpdate,
        ) -> futures_util::future::BoxFuture<'a, Result<(), LedgerError>> {
            if *self.0.lock().unwrap() {
                return Box::pin(async { Err(LedgerError("disk full".to_owned())) });
            }
            self.1.update(key, change)
        }
    }
    let ledger = Arc::new(Broken(Mutex::new(false), MemoryLedger::default()));
    let limit = Limit::new(1, Duration::from_millis(40));
    let budget = Budget::new(
        "x",
        "x",
        limit,
        TIMEOUT,
        ledger.clone(),
        Arc::new(SystemClock),
    );
    let permit = budget.acquire(Lane::Bulk, PATIENCE).await.unwrap();
    *ledger.0.lock().unwrap() = true;
    permit.answered(ServerSays::default());
    assert!(matches!(
        budget.acquire(Lane::Bulk, PATIENCE).await,
        Err(BudgetError::Ledger(_))
    ));
    *ledger.0.lock().unwrap() = false;
    let again =
        tokio::time::timeout(Duration::from_secs(2), budget.acquire(Lane::Bulk, PATIENCE)).await;
    again.unwrap().unwrap().unused();
}

#[test]
fn a_smaller_limit_of_the_server_is_believed() {
    let limit = Limit::new(100, Duration::from_secs(10));
    let says = |max, millis: Option<u64>| {
        let mut row = LedgerRow::default();
        let done = Done {
            slot: 1,
            permits: 1,
            answered: Some(5),
            says: ServerSays {
                max: Some(max),
                interval: millis.map(Duration::from_millis),
                ..ServerSays::default()
            },
            used: 1,
        };
        row.settle(&limit, &[done], 5);
        let window = row.window(&limit);
        (window.permits, window.micros / 1000)
    };
    assert_eq!(says(50, Some(10_000)), (50, 10_000));
    assert_eq!(says(100, Some(10_000)), (100, 10_000));
    assert_eq!(says(1000, Some(10_000)), (100, 10_000));
    // Smaller bursts at a higher rate: the configured rate stays.
    assert_eq!(says(20, Some(1_000)), (20, 2_000));
    // The same rate over a longer window.
    assert_eq!(says(200, Some(20_000)), (100, 10_000));
    assert_eq!(says(50, None), (50, 10_000));
}

#[test]
fn what_others_spend_slows_us() {
    let limit = Limit::new(5, Duration::from_secs(1));
    let mut row = LedgerRow::default();
    let Decision::Granted { slot, used, .. } = row.lease(&limit, false, 0, 1_000) else {
        panic!("an empty row grants");
    };
    let done = Done {
        slot,
        permits: 1,
        answered: Some(21_000),
        says: ServerSays {
            max: Some(5),
            remaining: Some(1),
            ..ServerSays::default()
        },
        used,
    };
    // Four of five are spent, one of them by us.
    row.settle(&limit, &[done], 22_000);
    assert_eq!(row.left(&limit, 22_000), 1);
    assert_eq!(row.left(&limit, 1_030_000), 5);
}

#[test]
fn our_own_requests_are_not_taken_for_those_of_others() {
    let limit = Limit::new(5, Duration::from_secs(1));
    let mut row = LedgerRow::default();
    let mut done = Vec::new();
    for sent in 0..5u32 {
        let Decision::Granted { slot, used, .. } = row.lease(&limit, false, 0, 1_000) else {
            panic!("permit {sent} of 5 was not granted");
        };
        done.push(Done {
            slot,
            permits: 1,
            answered: Some(20_000 + i64::from(sent)),
            says: ServerSays {
                max: Some(5),
                // Counted by the server in another order.
                remaining: Some(sent),
                ..ServerSays::default()
            },
            used,
        });
    }
    row.settle(&limit, &done, 30_000);
    assert_eq!(row.left(&limit, 30_000), 0);
    assert_eq!(row.left(&limit, 1_030_000), 5);
}

#[test]
fn a_clock_that_was_set_back_does_not_close_the_budget() {
    let limit = Limit::new(1, Duration::from_secs(1));
    let mut row = LedgerRow::default();
    let hour = 3_600_000_000;
    assert!(matches!(
        row.lease(&limit, false, 0, hour),
        Decision::Granted { .. }
    ));
    let Decision::Wait { until } = row.lease(&limit, false, 0, 0) else {
        panic!("the limit is one");
    };
    assert!(until < 5_000_000, "{until}");
    assert!(matches!(
        row.lease(&limit, false, 0, 5_000_000),
        Decision::Granted { .. }
    ));
}

#[test]
fn a_clock_that_was_set_back_closes_the_budget_for_no_longer_than_the_answer_said() {
    let limit = Limit::new(9, Duration::from_secs(1));
    let mut row = LedgerRow::default();
    let (hour, second) = (3_600_000_000, 1_000_000);
    row.refuse(&limit, (1, Some(30 * second)), 0.0, hour);
    assert!(row.blocked_until(hour).is_some());
    assert_eq!(row.blocked_until(0), None);
    let blocked = |row: &mut LedgerRow, now| row.lease(&limit, false, 0, now);
    let until = 30 * second;
    assert_eq!(blocked(&mut row, 0), Decision::Blocked { until });
    assert_eq!(blocked(&mut row, 29 * second), Decision::Blocked { until });
    assert!(matches!(blocked(&mut row, until), Decision::Granted { .. }));
}

#[test]
fn a_row_is_small_and_survives_its_text() {
    let limit = Limit::new(100, Duration::from_secs(10));
    let mut row = LedgerRow::default();
    let now = 1_800_000_000_000_000;
    let mut granted = 0;
    while let Decision::Granted { .. } =
        row.lease(&limit, false, 10_000_000, now + granted * 77_777)
    {
        granted += 1;
    }
    row.refuse(&limit, (1, Some(5)), 0.0, now);
    assert_eq!(granted, 100);
    let text = row.to_json();
    assert!(text.len() <= 2048, "{}", text.len());
    assert_eq!(LedgerRow::from_json(&text), row);
    assert_eq!(LedgerRow::from_json("nonsense"), LedgerRow::default());
}

#[test]
fn a_large_limit_is_leased_in_blocks() {
    let row = LedgerRow::default();
    let block = |n, seconds| {
        row.window(&Limit::new(n, Duration::from_secs(seconds)))
            .block
    };
    assert_eq!(block(5, 1), 1);
    assert_eq!(block(100, 10), 1);
    assert_eq!(block(100, 60), 1);
    assert_eq!(block(200, 1), 4);
    assert_eq!(block(100_000, 1), 2000);
    assert_eq!(block(1000, 60), 10);
}

#[tokio::test]
async fn lifted_limits_cost_next_to_nothing() {
    let budget = fresh(1_000_000, 1000);
    let started = Instant::now();
    for _ in 0..100_000 {
        let permit = budget.acquire(Lane::Bulk, PATIENCE).await.unwrap();
        permit.answered(ServerSays::default());
    }
    let each = started.elapsed() / 100_000;
    println!("a permit takes {each:?}");
    assert!(each < Duration::from_micros(20), "{each:?}");
}

#[test]
fn pauses_grow_while_a_rate_limit_lasts_and_one_request_asks_whether_it_has_passed() {
    let limit = Limit::new(5, Duration::from_secs(1));
    let lease = |row: &mut LedgerRow, now| row.lease(&limit, false, 1_000_000, now);
    let granted = |decision| match decision {
        Decision::Granted { slot, .. } => slot,
        other => panic!("{other:?}"),
    };
    let pauses = |jitter: f64| {
        let mut row = LedgerRow::default();
        let (one, other) = (granted(lease(&mut row, 0)), granted(lease(&mut row, 0)));
        // Answers to requests that left together are one refusal.
        let mut until = row.refuse(&limit, (one, None), jitter, 0);
        assert_eq!(row.refuse(&limit, (other, None), jitter, 0), until);
        let mut pauses = vec![until];
        for _ in 0..7 {
            let now = until;
            assert_eq!(lease(&mut row, now - 1), Decision::Blocked { until });
            let probe = granted(lease(&mut row, now));
            assert!(matches!(lease(&mut row, now), Decision::Wait { .. }));
            until = row.refuse(&limit, (probe, None), jitter, now);
            pauses.push(until - now);
        }
        (pauses, row, until)
    };
    let seconds =
        |pauses: &[i64]| -> Vec<f64> { pauses.iter().map(|pause| *pause as f64 / 1e6).collect() };
    let (longest, mut row, until) = pauses(0.0);
    assert_eq!(
        seconds(&longest),
        [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    );
    let (shortest, ..) = pauses(1.0);
    assert_eq!(
        seconds(&shortest),
        [1.0, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    );

    // Other processes know as much from the row.
    row = LedgerRow::from_json(&row.to_json());
    let probe = granted(lease(&mut row, until));
    // An answer to what left before the refusal says nothing.
    row.accept(probe - 1);
    assert!(matches!(lease(&mut row, until), Decision::Wait { .. }));
    row.accept(probe);
    for _ in 0..4 {
        granted(lease(&mut row, until));
    }
    // It begins anew.
    let last = granted(lease(&mut row, until + 5_000_000));
    assert_eq!(
        row.refuse(&limit, (last, None), 0.0, until + 5_000_000),
        until + 6_000_000
    );
}
