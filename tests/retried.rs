//! What a person is told of jobs that were retried: what became of them, not only that they are ready again.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use support::{House, PETS};
use tramline::config::Config;
use tramline::operations::queue::Chosen;
use tramline::operations::retried::{AfterRetry, Count};
use tramline::operations::{OpenOptions, Operations};

fn became(done: u64, failed: u64) -> AfterRetry {
    AfterRetry {
        done: Count::exactly(done),
        failed: Count::exactly(failed),
        to_go: Count::exactly(0),
    }
}

#[test]
fn retried_jobs_are_counted_by_how_they_ended() {
    let house = House::new(3);
    let records = house.control.records(PETS);
    for record in &records {
        house
            .control
            .set_property(PETS, &record.id, "owner_email", json!("no address"));
        house.expect(3, &["sync", "pets", &record.id]);
    }
    // One is mended in HighLevel; the others will fail again.
    let mended = &records[0].id;
    let email = json!("jo@example.org");
    house
        .control
        .set_property(PETS, mended, "owner_email", email);

    let config = Config::read(&house.path("config.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let options = OpenOptions {
            worker: true,
            ..OpenOptions::default()
        };
        let operations = Operations::open(config, options).await.unwrap();
        let connection = "default".into();
        let since = Timestamp::now();
        let before = operations.after_retry(&connection, since).await.unwrap();
        assert_eq!(before, became(0, 0), "none was retried yet");
        let failed = Chosen::Filter("state:failed".to_owned());
        assert_eq!(operations.retry(&failed).await.unwrap(), 3);
        let ended = async {
            loop {
                let now = operations.after_retry(&connection, since).await.unwrap();
                // One that moves between two counts is counted twice.
                assert!(now.all() >= 3, "{now:?}");
                if now.to_go.number == 0 {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        let other = operations.after_retry(&"other".into(), since).await;
        assert_eq!(other.unwrap(), became(0, 0), "another connection's");
        operations.close().await;
        ended.unwrap()
    });
    assert_eq!(ended, became(1, 2));
}

/// More jobs than a list counts, as a large run leaves them behind.
fn many_jobs(house: &House, state: &str, trigger: &str, run: &str) {
    house.sql(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY})
         INSERT INTO jobs (id, connection, mapping, object, record_id, state, trigger_kind, run_id, priority, search_ids, created_at,
             updated_at)
         SELECT 'many' || n, 'default', 'pets', '{PETS}', 'many' || n, '{state}', '{trigger}', {run}, 1, '', {now}, {now} FROM n",
        now = Timestamp::now().as_microsecond()
    ));
}

const MANY: u64 = 10_050;

#[test]
fn more_failures_than_a_list_counts_are_all_counted() {
    let house = House::new(3);
    house.run(&["export", "pets"]);
    let listed = house.expect(0, &["--json", "exports", "list"]).lines();
    let run = listed[0]["id"].as_str().unwrap();
    let before = listed[0]["counts"]["failed"].as_u64().unwrap();
    many_jobs(&house, "failed", "export", &format!("'{run}'"));
    house.sql(&format!("UPDATE runs SET failed = failed + {MANY}"));
    let shown = house.expect(0, &["--json", "exports", "show", run]).json();
    assert_eq!(shown["counts"]["failed"], before + MANY);
    assert_eq!(shown["still_failed"], before + MANY);
    let shown = house.expect(0, &["exports", "show", run]).stdout;
    assert!(!shown.contains("since"), "none was retried: {shown}");
}

#[test]
fn more_retried_jobs_than_are_counted_are_not_told_as_just_so_many() {
    let house = House::new(1);
    house.expect(0, &["queue", "list"]);
    let since = Timestamp::now();
    many_jobs(&house, "done", "retry", "NULL");
    let config = Config::read(&house.path("config.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let became = runtime.block_on(async {
        let opening = Operations::open(config, OpenOptions::default());
        let operations = opening.await.unwrap();
        let became = operations.after_retry(&"default".into(), since).await;
        operations.close().await;
        became.unwrap()
    });
    assert_eq!((became.done.number, became.done.exact), (10_000, false));
    assert!(!became.is_exact() && became.to_go.exact);
}
