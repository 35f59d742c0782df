//! config.toml and tokens, read again by a worker that goes on working.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use std::process::Child;
use std::sync::Arc;
use support::{House, PETS, eventually, signal};
use tramline::config::Config;
use tramline::sandbox::LOCATION_ID;
use tramline::store::{Store, SystemClock};

const OWNER: &str = "reload@example.org";

/// A worker, killed when its test ends.
struct Worker<'a> {
    house: &'a House,
    child: Child,
}

impl<'a> Worker<'a> {
    fn start(house: &'a House) -> Self {
        let child = house.start("worker", &["worker"]);
        let worker = Self { house, child };
        worker.says("worker started");
        worker
    }

    fn said(&self) -> String {
        self.house.read("worker.stderr")
    }

    /// Waits until it said something on its standard error.
    fn says(&self, text: &str) {
        eventually(text, || self.said().contains(text));
    }

    fn hang_up(&self) {
        signal(self.child.id(), "HUP");
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        signal(self.child.id(), "KILL");
        let _ = self.child.wait();
    }
}

/// A record whose job failed for want of an address, and could be done now. No worker has seen that yet.
fn mended(house: &House) -> String {
    mended_for(house, OWNER)
}

fn mended_for(house: &House, owner: &str) -> String {
    let record = house
        .control
        .records(PETS)
        .into_iter()
        .map(|record| record.id)
        // One that was made ready before is owned by now.
        .filter(|id| {
            house.control.record(PETS, id).unwrap().properties["owner_email"] != json!(OWNER)
        })
        .find(|id| house.run(&["sync", "pets", id, "--dry-run"]).code == Some(0))
        .unwrap();
    let address = |to: &str| {
        assert!(
            house
                .control
                .set_property(PETS, &record, "owner_email", json!(to))
        );
    };
    address("not an address");
    house.expect(3, &["sync", "pets", &record]);
    address(owner);
    record
}

fn retry(house: &House) {
    retry_some(house, "mapping:pets");
}

fn retry_some(house: &House, filter: &str) {
    house.expect(0, &["queue", "retry", "--filter", filter, "--yes"]);
}

/// The hash of the mapping of pets that workers go by.
fn version_in_force(house: &House) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&house.path("tramline.db"), Arc::new(SystemClock)).await;
        let version = store
            .unwrap()
            .mapping_version(&"default".into(), &"pets".into())
            .await;
        version.unwrap().unwrap().hash
    })
}

fn first_name(house: &House) -> String {
    house
        .control
        .contact(OWNER)
        .map(|contact| contact.first_name)
        .unwrap_or_default()
}

#[test]
fn a_changed_mapping_is_used_without_a_restart() {
    let house = House::new(40);
    mended(&house);
    let worker = Worker::start(&house);
    house.edit_config(
        "first_name = \"owner_first_name\"",
        "first_name = \"Dear {{ owner_first_name }}\"",
    );
    worker.says("mapping pets changed");
    // A worker that still has the old version leaves the jobs alone from now on.
    let new = Config::read(&house.path("config.toml")).unwrap().mappings[&"pets".into()].hash();
    assert_eq!(version_in_force(&house), new.as_str());
    retry(&house);
    eventually("the new mapping", || {
        first_name(&house).starts_with("Dear ")
    });
    house.assert_no_violation();
}

#[test]
fn a_file_that_cannot_be_used_keeps_the_old_configuration_and_is_told() {
    let house = House::new(40);
    mended(&house);
    let good = house.read("config.toml");
    let worker = Worker::start(&house);
    for (bad, why) in [
        ("nonsense = [\n".to_owned(), "config.toml:1"),
        (
            good.replace("[mappings.pets]", "[mappings.pets]\nobjekt = \"x\""),
            "objekt",
        ),
        (
            good.replace("[highlevel]", "[highlevel]\nversion = \"a\\u0000b\""),
            "version",
        ),
    ] {
        house.write("config.toml", &bad);
        eventually(why, || {
            let said = worker.said();
            said.lines()
                .any(|line| line.contains(why) && line.contains("stays as it was"))
        });
    }
    // A command started now is refused, the worker goes on by what it has.
    assert_eq!(house.run(&["queue", "list"]).code, Some(2));
    house.write(
        "config.toml",
        &(good + "\n[metrics]\nlisten = \"127.0.0.1:1\"\n"),
    );
    worker.says("restart to use metrics.listen");
    retry(&house);
    eventually("the old mapping", || !first_name(&house).is_empty());
    let log = house.read("tramline.log");
    assert!(log.contains("config.toml cannot be used"), "{log}");
}

#[test]
fn a_connection_that_is_added_is_worked_and_one_that_is_removed_is_named() {
    let house = House::new(40);
    let config = house.read("config.toml");
    let start = config.find("[highlevel]").unwrap();
    let end = config.find("[mappings.pets]").unwrap();
    let second = config[start..end]
        .replace("[highlevel]", "[connections.second.highlevel]")
        .replace("[activecampaign]", "[connections.second.activecampaign]");
    let worker = Worker::start(&house);
    house.write("config.toml", &format!("{config}\n{second}"));
    worker.says("connection second changed");
    house.write("config.toml", &config);
    eventually("its removal", || {
        worker.said().matches("connection second changed").count() == 2
    });
}

#[test]
fn after_a_rotation_sighup_lets_waiting_work_go_on_at_once() {
    let house = House::new(40);
    mended(&house);
    let worker = Worker::start(&house);
    house.control.set_activecampaign_token("rotated-token-4711");
    retry(&house);
    let waiting = || {
        let jobs = house.expect(0, &["--json", "queue", "list"]).lines();
        jobs[0]["state"] == "waiting" && jobs[0]["error"]["class"] == "auth"
    };
    eventually("the wait for a token", waiting);
    house.write("activecampaign.token", "rotated-token-4711\n");
    worker.hang_up();
    let start = std::time::Instant::now();
    eventually("the sync", || !first_name(&house).is_empty());
    // A refused token is waited for a minute; the signal made that moot.
    assert!(start.elapsed().as_secs() < 40, "{:?}", start.elapsed());
    worker.says("config.toml was read again");
    let everything = worker.said() + &house.read("tramline.log");
    assert!(!everything.contains("rotated-token"), "{everything}");
}

#[test]
fn a_token_that_cannot_be_read_on_sighup_stays_as_it_was() {
    let house = House::new(40);
    let (first, second) = (mended(&house), mended_for(&house, "second@example.org"));
    assert_ne!(first, second);
    let worker = Worker::start(&house);
    retry_some(&house, &format!("record:{first}"));
    eventually("the first sync", || !first_name(&house).is_empty());
    std::fs::rename(
        house.path("activecampaign.token"),
        house.path("elsewhere.token"),
    )
    .unwrap();
    worker.hang_up();
    worker.says("the old token stays");
    assert!(worker.said().contains("activecampaign.token"));
    retry_some(&house, &format!("record:{second}"));
    eventually("the second sync", || {
        house.control.contact("second@example.org").is_some()
    });
}

#[test]
fn what_is_kept_goes_by_the_new_configuration_at_once() {
    let house = House::new(20);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    let rex = json!({"name": "Rex", "owner_email": OWNER});
    let rex = house.control.create_record(PETS, rex.as_object().unwrap());
    let event = json!({"type": "RecordCreate", "webhookId": "w1", "locationId": LOCATION_ID, "id": rex, "objectKey": PETS,
        "timestamp": jiff::Timestamp::now().to_string()});
    assert_eq!(house.announce(&worker, &event).status, 200);
    eventually("the job", || {
        let jobs = house.jobs();
        jobs.first().is_some_and(|job| job["state"] == "done")
    });
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    house.edit_config(
        "[store]",
        "[store]\nretention = { done = \"1s\", attempts = \"1s\", events = \"1s\" }",
    );
    eventually("the job and its webhook are gone", || {
        house.jobs().is_empty() && house.read("tramline.log").contains("\"events\":1")
    });
}
