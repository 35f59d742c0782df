//! What a person is told of jobs that were retried: what became of them, not only that they are ready again.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use support::{House, PETS};
use tramline::config::Config;
use tramline::operations::queue::Chosen;
use tramline::operations::retried::AfterRetry;
use tramline::operations::{OpenOptions, Operations};

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
        assert_eq!(before, AfterRetry::default(), "none was retried yet");
        let failed = Chosen::Filter("state:failed".to_owned());
        assert_eq!(operations.retry(&failed).await.unwrap(), 3);
        let ended = async {
            loop {
                let now = operations.after_retry(&connection, since).await.unwrap();
                assert_eq!(now.done + now.failed + now.to_go, 3, "{now:?}");
                if now.to_go == 0 {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        let other = operations.after_retry(&"other".into(), since).await;
        assert_eq!(
            other.unwrap(),
            AfterRetry::default(),
            "another connection's"
        );
        operations.close().await;
        ended.unwrap()
    });
    let wanted = AfterRetry {
        done: 1,
        failed: 2,
        to_go: 0,
    };
    assert_eq!(ended, wanted);
}
