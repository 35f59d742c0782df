//! What happens by itself at times: polls, scheduled exports, the daily reconcile.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::sync::Arc;
use support::{House, PETS, eventually};
use tramline::model::{ConnectionName, MappingName, Trigger};
use tramline::sandbox::Sort;
use tramline::store::{Duty, NewJob, Store, SystemClock, TimerKey};
use tramline::triggers::Reconciled;

const HOUR: i64 = 3_600_000;

fn pet(house: &House, name: &str, email: &str) -> String {
    let pet = json!({"name": name, "owner_email": email});
    house
        .control
        .create_record(PETS, pet.as_object().unwrap())
        .unwrap()
}

fn pet_name(house: &House, email: &str) -> Option<String> {
    house
        .control
        .contact(email)?
        .fields
        .get("PET_NAME")
        .cloned()
}

fn with(house: &House, line: &str) {
    house.edit_config(
        "[mappings.pets]\nobject = \"custom_objects.pets\"",
        &format!("[mappings.pets]\n{line}\nobject = \"custom_objects.pets\""),
    );
    house.receive_webhooks("");
}

fn runs(house: &House) -> Vec<Value> {
    house.expect(0, &["--json", "exports", "list"]).lines()
}

/// Does something with the store while no process of the product has it open.
fn in_store<T>(house: &House, act: impl AsyncFnOnce(&Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(&house.path("tramline.db"), Arc::new(SystemClock))
            .await
            .unwrap();
        let result = act(&store).await;
        store.close().await.unwrap();
        result
    })
}

fn timer(duty: Duty) -> TimerKey {
    TimerKey {
        connection: ConnectionName::from("default"),
        mapping: MappingName::from("pets"),
        duty,
    }
}

/// Makes a duty three days overdue.
fn overdue(house: &House, duty: Duty, spec: &str) {
    in_store(house, async |store| {
        let then = store
            .now()
            .checked_sub(jiff::SignedDuration::from_hours(72))
            .unwrap();
        store.drop_timer(&timer(duty)).await.unwrap();
        store.set_timer(&timer(duty), spec, then).await.unwrap();
    });
}

#[test]
fn polling_finds_what_changed_whatever_the_server_makes_of_sort() {
    for sort in [Sort::Honour, Sort::Ignore, Sort::Reject] {
        let house = House::quirky(250, |quirks| quirks.sort = sort);
        with(&house, "poll = \"1s\"");
        let _worker = house.worker("worker");
        let rex = pet(&house, "Rex", "rex@example.org");
        eventually("the new pet's contact", || {
            pet_name(&house, "rex@example.org").as_deref() == Some("Rex")
        });
        // The oldest record of all, far behind the first page in any order but the last change's.
        let old = house.control.records(PETS).last().unwrap().id.clone();
        house
            .control
            .set_property(PETS, &old, "owner_email", json!("old@example.org"));
        house
            .control
            .set_property(PETS, &old, "name", json!("Methuselah"));
        eventually("the old pet's contact", || {
            pet_name(&house, "old@example.org").as_deref() == Some("Methuselah")
        });
        house
            .control
            .set_property(PETS, &rex, "name", json!("Rex II"));
        eventually("the change", || {
            pet_name(&house, "rex@example.org").as_deref() == Some("Rex II")
        });
        let start = house.now();
        let searches = || {
            let log = house.control.log_since(start);
            log.iter()
                .filter(|entry| entry.path.contains("/search"))
                .count()
        };
        eventually("some polls more", || searches() > 9);
        // What was found once is not found again, though it lies within the overlap.
        let jobs = house.jobs();
        assert!(
            jobs.iter()
                .all(|job| job["trigger"] == "poll" && job["state"] == "done"),
            "{sort:?} {jobs:#?}"
        );
        let reads = house
            .requests(&format!("GET /objects/{PETS}/records/{rex}"))
            .len();
        assert!((2..=3).contains(&reads), "{sort:?}: {reads} reads");
        // Only the 422 of a refused sort is a violation in the sandbox's book.
        if sort != Sort::Reject {
            house.assert_no_violation();
        }
    }
}

#[test]
fn polling_never_infers_a_deletion() {
    let house = House::new(20);
    with(&house, "poll = \"1s\"\non_delete = \"delete\"");
    let _worker = house.worker("worker");
    let rex = pet(&house, "Rex", "rex@example.org");
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
    house.control.delete_record(PETS, &rex);
    let start = house.now();
    eventually("some polls more", || {
        let log = house.control.log_since(start);
        log.iter()
            .filter(|entry| entry.path.contains("/search"))
            .count()
            > 9
    });
    assert!(pet_name(&house, "rex@example.org").is_some());
    assert_eq!(house.jobs().len(), 1);
}

#[test]
fn many_changes_are_read_in_pages() {
    let house = House::new(10);
    with(&house, "poll = \"1s\"");
    for at in 0..150 {
        pet(
            &house,
            &format!("Pet {at}"),
            &format!("owner{at}@example.org"),
        );
    }
    let _worker = house.worker("worker");
    eventually("every contact", || {
        (0..150).all(|at| pet_name(&house, &format!("owner{at}@example.org")).is_some())
    });
    assert_eq!(
        house
            .requests(&format!("GET /objects/{PETS}/records/"))
            .len(),
        0
    );
    eventually("the run's end", || {
        let runs = runs(&house);
        runs.len() == 1
            && runs[0]["state"] == "completed"
            && runs[0]["options"]["trigger"] == "poll"
    });
    house.assert_no_violation();
}

#[test]
fn times_that_a_clock_set_back_has_left_ahead_come_in_their_turn() {
    let house = House::new(3);
    with(
        &house,
        "poll = \"1s\"\nschedule = \"* * * * * *\"\njitter = \"1s\"",
    );
    in_store(&house, async |store| {
        let ahead = store.now() + jiff::SignedDuration::from_hours(24 * 365);
        for (duty, spec) in [
            (Duty::Poll, "1s"),
            (Duty::Schedule, "* * * * * * in America/Chicago"),
            (Duty::Reconcile, "daily"),
        ] {
            store.set_timer(&timer(duty), spec, ahead).await.unwrap();
        }
    });
    let worker = house.worker("worker");
    eventually("a scheduled export", || !runs(&house).is_empty());
    pet(&house, "Rex", "rex@example.org");
    eventually("what a poll or an export brings", || {
        pet_name(&house, "rex@example.org").is_some()
    });
    worker.kill();
    in_store(&house, async |store| {
        let timers = store.timers().await.unwrap();
        let ahead = timers
            .iter()
            .filter(|timer| timer.due_at.duration_since(store.now()).as_hours() >= 24);
        assert_eq!(ahead.count(), 0, "{timers:?}");
    });
}

#[test]
fn exports_start_by_schedule() {
    let house = House::new(10);
    with(&house, "schedule = \"* * * * * *\"");
    let _worker = house.worker("worker");
    eventually("two runs that are over", || {
        let runs = runs(&house);
        let over = runs.iter().filter(|run| run["state"] == "completed");
        over.filter(|run| run["options"]["trigger"] == "schedule")
            .count()
            >= 2
    });
}

#[test]
fn a_missed_run_is_caught_up_once_by_one_of_two_workers() {
    let house = House::new(10);
    with(&house, "schedule = \"0 0 1 1 *\"\njitter = \"1h\"");
    overdue(&house, Duty::Schedule, "0 0 1 1 * in America/Chicago");
    let workers = [house.worker("one"), house.worker("two")];
    eventually("a run that is over", || {
        let runs = runs(&house);
        runs.first().is_some_and(|run| run["state"] == "completed")
    });
    let next = in_store(&house, async |store| {
        let timers = store.timers().await.unwrap();
        timers
            .into_iter()
            .find(|known| known.key == timer(Duty::Schedule))
            .unwrap()
    });
    assert!(
        next.due_at > jiff::Timestamp::now() && next.done_at.is_some(),
        "{next:?}"
    );
    drop(workers);
    assert_eq!(runs(&house).len(), 1);
    // Nothing is due at the next start.
    let _again = house.worker("three");
    eventually("its other duties", || {
        in_store(&house, async |store| {
            store.timers().await.unwrap().len() >= 2
        })
    });
    assert_eq!(runs(&house).len(), 1);
}

#[test]
fn the_daily_reconcile_tells_and_mends_what_nobody_announced() {
    let house = House::new(20);
    with(&house, "on_delete = \"delete\"");
    let now = jiff::Timestamp::now().as_millisecond();
    let pets = ["rex", "luna", "milo"].map(|name| {
        let id = pet(&house, name, &format!("{name}@example.org"));
        house.control.set_updated(PETS, &id, now - 3 * HOUR);
        house.expect(0, &["sync", "pets", &id]);
        id
    });
    // A webhook for one of them: this mapping is kept in step by webhooks.
    let worker = house.worker("first");
    let event = json!({"type": "RecordUpdate", "id": pets[2], "objectKey": PETS, "webhookId": "w1",
        "locationId": tramline::sandbox::LOCATION_ID});
    assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
    eventually("its job", || {
        let jobs = house.jobs();
        jobs.iter()
            .any(|job| job["trigger"] == "webhook" && job["state"] == "done")
    });
    drop(worker);
    // Nobody tells of these: one changed an hour ago, one is deleted, one changed just now and may be on its way.
    house
        .control
        .set_property(PETS, &pets[0], "name", json!("rex the second"));
    house.control.set_updated(PETS, &pets[0], now - HOUR);
    house.control.delete_record(PETS, &pets[1]);
    house
        .control
        .set_property(PETS, &pets[2], "name", json!("milo the second"));
    overdue(&house, Duty::Reconcile, "daily");
    let worker = house.worker("second");
    eventually("the missed change", || {
        pet_name(&house, "rex@example.org").as_deref() == Some("rex the second")
    });
    eventually("the missed deletion", || {
        house.control.contact("luna@example.org").is_none()
    });
    drop(worker);
    let report: Reconciled = in_store(&house, async |store| {
        let kept = store
            .get(&ConnectionName::from("default"), "reconcile.pets")
            .await
            .unwrap();
        serde_json::from_str(&kept.unwrap()).unwrap()
    });
    assert_eq!(
        (report.unannounced, report.absent, report.complete),
        (1, 1, true),
        "{report:?}"
    );
    assert_eq!((report.records, report.enqueued), (22, 2));
    assert_eq!(
        pet_name(&house, "milo@example.org").as_deref(),
        Some("milo")
    );
}

/// The webhooks stopped long ago, so that nothing that is kept tells of them, and the change was too young for the reconcile
/// before.
#[test]
fn a_reconcile_finds_what_the_one_before_left_and_needs_no_webhook_for_it() {
    let house = House::new(20);
    with(&house, "");
    let minute = HOUR / 60;
    let now = jiff::Timestamp::now().as_millisecond();
    let id = pet(&house, "rex", "rex@example.org");
    house.control.set_updated(PETS, &id, now - 3 * HOUR);
    let job = NewJob {
        connection: "default".into(),
        mapping: "pets".into(),
        object: PETS.into(),
        record: "another".into(),
        trigger: Trigger::Webhook,
        not_before: None,
    };
    in_store(&house, async move |store| {
        store.enqueue(&job).await.unwrap();
    });
    house.expect(0, &["sync", "pets", &id]);
    let reconcile = || {
        let ran = house.expect(0, &["--json", "reconcile", "pets"]);
        let report = ran.lines().remove(0);
        (report["unannounced"].clone(), report["enqueued"].clone())
    };
    reconcile();
    let before = jiff::Timestamp::from_millisecond(now - 20 * minute).unwrap();
    house.sql(&format!(
        "DELETE FROM jobs; DELETE FROM events;
         UPDATE meta SET value = json_set(value, '$.at', '{before}') WHERE key = 'reconcile.pets'"
    ));
    house
        .control
        .set_property(PETS, &id, "name", json!("rex the second"));
    house.control.set_updated(PETS, &id, now - 25 * minute);
    assert_eq!(reconcile(), (json!(1), json!(1)));
}

#[test]
fn a_schedule_under_a_pause_starts_nothing_and_is_caught_up_once() {
    let house = House::new(30);
    with(&house, "schedule = \"0 0 1 1 *\"");
    let scope = ["--mapping", "pets"];
    let pause = ["queue", "pause", "--reason", "new fields"];
    house.expect(0, &[&pause[..], &scope].concat());
    overdue(&house, Duty::Schedule, "0 0 1 1 * in America/Chicago");
    let _worker = house.worker("worker");
    // What is due is looked at as soon as the worker listens.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert!(runs(&house).is_empty());
    house.expect(0, &[&["queue", "resume"][..], &scope].concat());
    eventually("the missed run", || {
        let runs = runs(&house);
        runs.first().is_some_and(|run| run["state"] == "completed")
    });
    assert_eq!(runs(&house).len(), 1);
}

#[test]
fn a_reconcile_by_hand_reports_and_enqueues_what_was_missed() {
    let house = House::new(20);
    with(&house, "poll = \"1h\"");
    let now = jiff::Timestamp::now().as_millisecond();
    let pets = ["rex", "luna"].map(|name| {
        let id = pet(&house, name, &format!("{name}@example.org"));
        house.control.set_updated(PETS, &id, now - 3 * HOUR);
        house.expect(0, &["sync", "pets", &id]);
        id
    });
    house
        .control
        .set_property(PETS, &pets[0], "name", json!("rex the second"));
    house.control.set_updated(PETS, &pets[0], now - HOUR);
    house.control.delete_record(PETS, &pets[1]);
    house.expect(2, &["--read-only", "reconcile", "pets"]);
    house.expect(2, &["reconcile", "nobody"]);
    let report = house
        .expect(0, &["--json", "reconcile", "pets"])
        .lines()
        .remove(0);
    assert_eq!(report["mapping"], "pets");
    assert_eq!(
        (&report["absent"], &report["complete"]),
        (&json!(1), &json!(true))
    );
    assert!(report["unannounced"].as_u64().unwrap() >= 1, "{report}");
    let open = house.jobs();
    let is_open = |id: &String| {
        open.iter()
            .any(|job| job["record"] == id.as_str() && job["state"] == "ready")
    };
    assert!(pets.iter().all(is_open), "{open:#?}");
    let again = house.expect(0, &["reconcile"]);
    assert!(
        again.stdout.contains("NOT ANNOUNCED") && again.stdout.contains("visits"),
        "{again:#?}"
    );
    let audit = house
        .expect(0, &["--json", "audit", "--limit", "1"])
        .lines();
    assert_eq!(
        (&audit[0]["action"], &audit[0]["connection"]),
        (&json!("reconcile"), &json!("default"))
    );
}
