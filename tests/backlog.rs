//! Many due jobs at once: they are read from search pages and written by imports, what must not go that way does not, and
//! nothing is lost, stale or kept waiting by it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use support::worker::Worker;
use support::{House, PETS, VISITS, eventually, freeze, options, side_by_side, signal};
use tramline::sandbox::{Fault, Kind, LOCATION_ID, Sort};

/// A house whose mapping clears nothing, with a worker that is told of webhooks and holds back what they lead to.
fn paused(house: House, more: &str) -> (House, Worker) {
    house.edit_config("{ from = \"chip\", empty = \"clear\" }", "\"chip\"");
    let config = house.read("config.toml");
    house.write("config.toml", &format!("{config}\n{more}"));
    house.receive_webhooks("");
    let worker = house.worker("worker");
    pause(&house);
    house.subscribe(&worker, |_| {});
    (house, worker)
}

fn pause(house: &House) {
    house.expect(
        0,
        &["queue", "pause", "--mapping", "pets", "--reason", "test"],
    );
}

fn resume(house: &House) {
    house.expect(0, &["queue", "resume", "--mapping", "pets"]);
}

fn email(number: usize) -> String {
    format!("owner{number}@example.org")
}

/// Makes pets of owners of their own; their ids.
fn pets(house: &House, number: usize) -> Vec<String> {
    let pet = |number: usize| {
        let pet = json!({"name": format!("Pet {number}"), "owner_email": email(number)});
        create(house, &pet)
    };
    (0..number).map(pet).collect()
}

fn create(house: &House, pet: &Value) -> String {
    let pet: Map<String, Value> = pet.as_object().unwrap().clone();
    house.control.create_record(PETS, &pet).unwrap()
}

fn list(house: &House, filter: &str) -> Vec<Value> {
    let mut arguments = vec!["--json", "queue", "list", "--limit", "5000"];
    if !filter.is_empty() {
        arguments.extend(["--filter", filter]);
    }
    house.expect(0, &arguments).lines()
}

/// Waits until so many jobs are held back.
fn held_back(house: &House, number: usize) {
    eventually("the jobs", || list(house, "reason:paused").len() == number);
}

fn at_rest(house: &House) {
    eventually("a queue at rest", || {
        list(house, "state:ready,running,waiting").is_empty()
    });
}

fn names(house: &House) -> BTreeMap<String, String> {
    let contacts = house.control.contacts().into_iter();
    contacts
        .filter_map(|contact| Some((contact.email, contact.fields.get("PET_NAME")?.clone())))
        .collect()
}

fn assert_names(house: &House, number: usize, name: impl Fn(usize) -> String) {
    let names = names(house);
    for number in 0..number {
        assert_eq!(names.get(&email(number)), Some(&name(number)), "{number}");
    }
}

/// The number of requests since `seq` whose `METHOD path` contains a text.
fn count(house: &House, seq: u64, route: &str) -> usize {
    let log = house.control.log_since(seq);
    let of_route = log
        .iter()
        .filter(|entry| format!("{} {}", entry.method, entry.path).contains(route));
    of_route.count()
}

fn calls(house: &House, seq: u64, api: &str) -> usize {
    let log = house.control.log_since(seq);
    log.iter().filter(|entry| entry.api == api).count()
}

const READ: &str = "GET /objects/custom_objects.pets/records/";
const SEARCH: &str = "POST /objects/custom_objects.pets/records/search";
const IMPORT: &str = "POST /api/3/import/bulk_import";
const SYNC: &str = "POST /api/3/contact/sync";

#[test]
fn a_thousand_changes_cost_pages_and_imports() {
    let (house, _worker) = paused(House::new(5), "");
    let ids = pets(&house, 1_000);
    held_back(&house, 1_000);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 1_000, |number| format!("Pet {number}"));
    let written = calls(&house, start, "activecampaign");
    assert!(written <= 50, "{written} calls at ActiveCampaign");
    let read = calls(&house, start, "highlevel");
    assert!(read <= 40, "{read} calls at HighLevel");
    assert_eq!(list(&house, "state:done").len(), 1_000);

    // Two changes each, of which the last one counts; and one record that has another owner now.
    pause(&house);
    let start = house.now();
    for name in ["second", "third"] {
        for id in &ids {
            house.control.set_property(PETS, id, "name", json!(name));
        }
    }
    held_back(&house, 1_000);
    // The last webhooks may still be on their way to jobs that are there.
    eventually("the webhooks", || {
        let sent = house.control.deliveries();
        sent.iter().filter(|sent| sent.status == 200).count() == 3_000
    });
    std::thread::sleep(Duration::from_millis(500));
    resume(&house);
    at_rest(&house);
    assert_names(&house, 1_000, |_| "third".to_owned());
    let written = calls(&house, start, "activecampaign");
    assert!(written <= 50, "{written} calls at ActiveCampaign");
    let read = calls(&house, start, "highlevel");
    assert!(read <= 40, "{read} calls at HighLevel");

    // What is in step costs no call.
    pause(&house);
    let start = house.now();
    for id in &ids[..20] {
        house.control.set_property(PETS, id, "name", json!("third"));
    }
    held_back(&house, 20);
    resume(&house);
    at_rest(&house);
    assert_eq!(house.writes_since(start).len(), 0);
    house.assert_no_violation();
}

#[test]
fn a_few_jobs_stay_single() {
    let (house, _worker) = paused(House::new(5), "");
    pets(&house, 9);
    held_back(&house, 9);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 9, |number| format!("Pet {number}"));
    assert_eq!(count(&house, start, IMPORT), 0);
    assert_eq!(count(&house, start, SYNC), 9);
}

/// It would give them back when it ends, and they would lie until what it may have sent has arrived.
#[test]
fn a_command_that_syncs_a_record_leaves_a_backlog_to_workers() {
    let (house, worker) = paused(House::new(5), "");
    pets(&house, 40);
    held_back(&house, 40);
    drop(worker);
    let mine = create(
        &house,
        &json!({"name": "Mine", "owner_email": "mine@example.org"}),
    );
    resume(&house);
    house.expect(0, &["sync", "pets", &mine]);
    assert_eq!(list(&house, "state:ready,waiting").len(), 40);
    let calls = house.control.log();
    assert!(
        calls
            .iter()
            .all(|call| !call.path.ends_with("/bulk_import"))
    );
    let _worker = house.worker("worker");
    at_rest(&house);
    assert_eq!(list(&house, "state:done").len(), 41);
}

#[test]
fn what_an_import_refuses_goes_by_itself_and_tells_the_reason() {
    let (house, _worker) = paused(House::new(5), "");
    let ids = pets(&house, 30);
    house.control.exclude(&email(7));
    house.control.fault(Fault::once(Kind::Status(422), SYNC));
    held_back(&house, 30);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_eq!(count(&house, start, IMPORT), 1);
    let failed = list(&house, "state:failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["record"], json!(ids[7]));
    assert_eq!(failed[0]["error"]["status"], json!(422));
    assert_eq!(list(&house, "state:done").len(), 29);
    assert_eq!(names(&house).get(&email(7)), None);
}

#[test]
fn what_an_import_must_not_carry_does_not_ride() {
    let rules = r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
on_first_sync = true
add_tags = ["PET-Adopted"]

[[mappings.pets.rules]]
name = "pending"
when = "status == 'pending'"
on_first_sync = true
start_automation = "adoption welcome"
"#;
    let (house, _worker) = paused(House::new(5), rules);
    let status = ["adopted", "pending", "available"];
    for number in 0..30 {
        let pet = json!({"name": format!("Pet {number}"), "owner_email": email(number), "status": status[number % 3]});
        create(&house, &pet);
    }
    held_back(&house, 30);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_eq!(list(&house, "state:done").len(), 30);
    assert_eq!(count(&house, start, IMPORT), 1);
    assert_eq!(count(&house, start, SYNC), 10);
    assert_eq!(count(&house, start, "POST /api/3/contactTags"), 0);
    for number in 0..30 {
        let contact = house.control.contact(&email(number)).unwrap();
        let tagged = contact
            .tags
            .iter()
            .any(|tag| tag == "PET-Adopted" || tag == "pet-adopted");
        assert_eq!(tagged, number % 3 == 0, "{contact:?}");
        assert_eq!(
            contact.enrolled.len(),
            usize::from(number % 3 == 1),
            "{contact:?}"
        );
    }
    house.assert_no_violation();
}

#[test]
fn clears_go_by_themselves() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    pause(&house);
    house.subscribe(&worker, |_| {});
    for number in 0..24 {
        let mut pet = json!({"name": format!("Pet {number}"), "owner_email": email(number)});
        if number % 2 == 0 {
            pet["chip"] = json!("985112345678900");
        }
        create(&house, &pet);
    }
    held_back(&house, 24);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 24, |number| format!("Pet {number}"));
    assert_eq!(count(&house, start, IMPORT), 1);
    assert_eq!(count(&house, start, SYNC), 12);
    assert_eq!(count(&house, start, READ), 0);
}

#[test]
fn of_two_records_of_one_contact_in_a_bulk_the_newer_wins() {
    let (house, _worker) = paused(House::new(5), "");
    for round in ["older", "newer"] {
        for number in 0..20 {
            create(
                &house,
                &json!({"name": round, "owner_email": email(number)}),
            );
        }
        // The next ones are to be newer by more than a millisecond.
        std::thread::sleep(Duration::from_millis(10));
    }
    held_back(&house, 40);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 20, |_| "newer".to_owned());
    assert_eq!(list(&house, "state:done").len(), 40);
    assert_eq!(house.writes_since(start).len(), 1);
}

#[test]
fn a_record_that_the_search_shows_too_old_is_read_by_id() {
    let (house, worker) = paused(House::new(5), "");
    assert!(house.control.subscribe(None));
    let ids = pets(&house, 30);
    for (number, id) in ids.iter().enumerate() {
        let told = jiff::Timestamp::now();
        // Of the last ten the event is of a later state than the search knows.
        let happened = if number < 20 {
            told
        } else {
            told + Duration::from_secs(3_000)
        };
        let event = json!({"type": "RecordUpdate", "locationId": LOCATION_ID, "id": id, "objectKey": PETS,
            "webhookId": format!("w{number}"), "timestamp": happened.to_string(), "properties": []});
        assert_eq!(house.announce(&worker, &event).status, 200);
    }
    held_back(&house, 30);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 30, |number| format!("Pet {number}"));
    // Events told more than the lag after the record was made are of a later state as well.
    let by_id = count(&house, start, READ);
    assert!((10..30).contains(&by_id), "{by_id} reads by id");
    assert!(count(&house, start, SEARCH) <= 4);
    assert_eq!(count(&house, start, IMPORT), 1);
}

/// A workflow runs some time after the change that it is about: no row of the search is ever as new as it says.
#[test]
fn four_hundred_webhooks_of_workflows_cost_pages_and_imports() {
    let house = House::new(5);
    house.edit_config("{ from = \"chip\", empty = \"clear\" }", "\"chip\"");
    house.write("hook.token", "workflow-secret");
    house.receive_webhooks("token = { file = \"hook.token\" }");
    let worker = house.worker("worker");
    pause(&house);
    let ids = pets(&house, 400);
    for ids in ids.chunks(100) {
        let body = json!({"records": ids}).to_string();
        let token = [("Authorization", "Bearer workflow-secret")];
        let answer = worker.post("/hooks/pets", &token, body.as_bytes());
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    held_back(&house, 400);
    // As if that had been some time ago: the index of the search has caught up.
    house.sql("UPDATE jobs SET told_at = told_at - 20000000");
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 400, |number| format!("Pet {number}"));
    assert_eq!(list(&house, "state:done").len(), 400);
    let (read, written) = (
        calls(&house, start, "highlevel"),
        calls(&house, start, "activecampaign"),
    );
    assert!(read <= 40, "{read} calls at HighLevel");
    assert!(written <= 25, "{written} calls at ActiveCampaign");
    assert!(count(&house, start, READ) <= 12);
    house.assert_no_violation();
}

#[test]
fn records_that_an_export_was_faster_with_are_read_again() {
    let (house, _worker) = paused(House::new(5), "");
    let ids = pets(&house, 20);
    held_back(&house, 20);
    assert!(house.control.subscribe(None));
    let start = house.now();
    house.control.fault(Fault {
        ms: Some(4_000),
        ..Fault::once(Kind::LateAnswer, SEARCH)
    });
    resume(&house);
    eventually("the search", || house.control.has_struck());
    std::thread::sleep(Duration::from_millis(10));
    for id in &ids {
        assert!(house.control.set_property(PETS, id, "name", json!("Newer")));
    }
    house.run(&["export", "pets"]);
    assert_names(&house, 20, |_| "Newer".into());
    at_rest(&house);
    assert_names(&house, 20, |_| "Newer".into());
    assert_eq!(count(&house, start, READ), 20);
    house.assert_no_violation();
}

#[test]
fn a_person_overtakes_a_backlog() {
    let mut slow = options(5);
    slow.import_delay = Duration::from_secs(3);
    let (house, worker) = paused(House::with(slow), "");
    let fault = Fault::once(Kind::Status(422), SYNC);
    house.control.fault(fault);
    let failing = create(
        &house,
        &json!({"name": "Rex", "owner_email": "rex@example.org"}),
    );
    held_back(&house, 1);
    resume(&house);
    eventually("a failure", || list(&house, "state:failed").len() == 1);
    pause(&house);
    pets(&house, 1_500);
    held_back(&house, 1_500);
    let start = house.now();
    resume(&house);
    eventually("imports", || count(&house, start, IMPORT) >= 2);
    let failed = list(&house, "state:failed");
    assert_eq!(failed[0]["record"], json!(failing));
    house.expect(
        0,
        &["queue", "retry", failed[0]["id"].as_str().unwrap(), "--yes"],
    );
    at_rest(&house);
    assert_names(&house, 1_500, |number| format!("Pet {number}"));
    let log = house.control.log_since(start);
    let of_person = log
        .iter()
        .position(|entry| entry.path.contains("contact/sync"));
    let last = log
        .iter()
        .rposition(|entry| entry.path.contains("bulk_import"));
    assert!(
        of_person.unwrap() < last.unwrap(),
        "the person's job came last"
    );
    drop(worker);
}

#[test]
fn two_workers_share_a_backlog() {
    let (house, _worker) = paused(House::new(5), "");
    let _other = house.worker("other");
    pets(&house, 900);
    held_back(&house, 900);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 900, |number| format!("Pet {number}"));
    let written = calls(&house, start, "activecampaign");
    assert!(written <= 45, "{written} calls at ActiveCampaign");
    assert!(
        list(&house, "state:done")
            .iter()
            .all(|job| job["attempts"] == json!(1))
    );
}

#[test]
fn a_worker_that_is_killed_leaves_its_bulk_to_the_next_one() {
    let mut slow = options(5);
    slow.import_delay = Duration::from_secs(2);
    let (house, worker) = paused(House::with(slow), "");
    let ids = pets(&house, 300);
    held_back(&house, 300);
    // Nothing of it comes to its end before the kill, however late that is.
    house.control.fault(Fault {
        times: usize::MAX,
        ..Fault::once(Kind::Stall, "GET /api/3/import/info")
    });
    let start = house.now();
    resume(&house);
    eventually("an import", || count(&house, start, IMPORT) >= 1);
    worker.kill();
    house.control.clear_faults();
    house.end_leases();
    for id in &ids[..100] {
        house.control.set_property(PETS, id, "name", json!("later"));
    }
    let _next = house.worker("next");
    at_rest(&house);
    assert_names(&house, 300, |number| match number {
        0..100 => "later".to_owned(),
        _ => format!("Pet {number}"),
    });
    assert_eq!(list(&house, "state:done").len(), 300);
}

#[test]
fn an_import_that_its_worker_left_at_activecampaign_lands_before_anything_newer_is_sent() {
    let mut slow = options(5);
    slow.import_delay = Duration::from_secs(6);
    let (house, worker) = paused(House::with(slow), "");
    let ids = pets(&house, 12);
    held_back(&house, 12);
    drop(worker);
    let start = house.now();
    resume(&house);
    let mut worker = house.start("first", &["worker", "--lease", "1500"]);
    eventually("an import", || count(&house, start, IMPORT) >= 1);
    signal(worker.id(), "KILL");
    worker.wait().unwrap();
    assert!(
        house.control.contact(&email(0)).is_none(),
        "it landed too soon for this test"
    );
    // A person's sync, which does not go by imports, would overtake it.
    house
        .control
        .set_property(PETS, &ids[0], "name", json!("later"));
    house.expect(0, &["sync", "pets", &ids[0]]);
    let mut last = house.start("last", &["worker", "--lease", "1500"]);
    at_rest(&house);
    assert_names(&house, 12, |number| match number {
        0 => "later".to_owned(),
        _ => format!("Pet {number}"),
    });
    // Nothing of it arrived after the newer state.
    std::thread::sleep(Duration::from_secs(1));
    let contact = house.control.contact(&email(0)).unwrap();
    assert_eq!(contact.fields["PET_NAME"], "later");
    signal(last.id(), "TERM");
    last.wait().unwrap();
    house.assert_no_violation();
}

#[test]
fn an_import_whose_answer_was_lost_lands_before_anything_newer_is_sent() {
    let mut slow = options(5);
    slow.import_delay = Duration::from_secs(6);
    let (house, _worker) = paused(House::with(slow), "");
    let ids = pets(&house, 12);
    held_back(&house, 12);
    house.control.fault(Fault::once(Kind::LostAck, IMPORT));
    let start = house.now();
    resume(&house);
    eventually("an import", || count(&house, start, IMPORT) >= 1);
    // A person's sync, which does not go by imports, would overtake it.
    house
        .control
        .set_property(PETS, &ids[0], "name", json!("later"));
    house.expect(0, &["sync", "pets", &ids[0]]);
    at_rest(&house);
    assert_names(&house, 12, |number| match number {
        0 => "later".to_owned(),
        _ => format!("Pet {number}"),
    });
    // All of it had arrived before the newer state left.
    let log = house.control.log_since(start);
    let sent = |route: &str, text: &str| {
        let entry = log.iter().find(|entry| {
            entry.path.contains(route)
                && entry.body.as_ref().is_some_and(|body| body.contains(text))
        });
        entry.map(|entry| entry.at)
    };
    let (import, newer) = (sent("bulk_import", "Pet 0"), sent("contact/sync", "later"));
    let newer = newer.or_else(|| sent("bulk_import", "later")).unwrap();
    assert!(newer - import.unwrap() >= 6_000_000, "{log:#?}");
    std::thread::sleep(Duration::from_secs(1));
    let contact = house.control.contact(&email(0)).unwrap();
    assert_eq!(contact.fields["PET_NAME"], "later");
}

#[test]
fn a_bulk_whose_leases_ran_out_sends_its_import_no_second_time() {
    let (house, first) = paused(House::new(5), "");
    let ids = pets(&house, 12);
    held_back(&house, 12);
    first.kill();
    // The import comes to nothing, and the answer that says so is late.
    house.control.fault(Fault::once(Kind::ImportFailed, IMPORT));
    house.control.fault(Fault {
        ms: Some(2_500),
        ..Fault::once(Kind::Slow, "GET /api/3/import/info")
    });
    resume(&house);
    let start = house.now();
    let mut stalled = house.start("stalled", &["worker", "--lease", "1500"]);
    eventually("an import", || count(&house, start, IMPORT) == 1);
    // The result is asked for 1.1 s later.
    std::thread::sleep(Duration::from_millis(2_000));
    freeze(&house, stalled.id());
    for id in &ids {
        house.control.set_property(PETS, id, "name", json!("newer"));
    }
    std::thread::sleep(Duration::from_millis(1_500));
    house.end_leases();
    let mut other = house.start("other", &["worker", "--lease", "1500"]);
    eventually("the newer state", || {
        names(&house)
            .values()
            .filter(|name| *name == "newer")
            .count()
            == 12
            && list(&house, "state:ready,running,waiting").is_empty()
    });
    eventually("the late answer", || {
        count(&house, start, "GET /api/3/import/info") >= 2
    });
    std::thread::sleep(Duration::from_millis(500));
    let woken = house.now();
    signal(stalled.id(), "CONT");
    eventually("the lost leases", || {
        house.read("tramline.log").contains("leases were lost")
    });
    // It has nothing else to do: it ends at once.
    signal(stalled.id(), "TERM");
    stalled.wait().unwrap();
    at_rest(&house);
    let late = house.writes_since(woken);
    let older = late.iter().filter_map(|entry| entry.body.as_deref());
    for body in older {
        assert!(!body.contains("Pet "), "{body}");
    }
    assert_names(&house, 12, |_| "newer".to_owned());
    signal(other.id(), "TERM");
    other.wait().unwrap();
}

/// Thirty due jobs go through faults: nothing is lost, and no job needs a person.
fn through(name: &str, route: &str, times: usize, house: House) {
    let (house, _worker) = paused(house, "");
    pets(&house, 30);
    held_back(&house, 30);
    house.control.fault(Fault {
        retry_after: (name == "429").then_some(1),
        ..Fault::once(Kind::from_name(name).unwrap(), route).times(times)
    });
    let start = house.now();
    resume(&house);
    at_rest(&house);
    let failed = list(&house, "state:failed,unknown");
    assert!(failed.is_empty(), "{name} on {route}: {:#}", failed[0]);
    assert_names(&house, 30, |number| format!("Pet {number}"));
    assert_eq!(list(&house, "state:done").len(), 30, "{name} on {route}");
    let log = house.control.log_since(start);
    let struck = log.iter().filter(|entry| entry.fault.is_some()).count();
    assert_eq!(struck, times, "{name} on {route}");
}

#[test]
fn faults_on_every_call_of_a_bulk_pass() {
    let info = "GET /api/3/import/info";
    let stories = [
        (
            SEARCH,
            1,
            &[
                "500",
                "511",
                "429",
                "401",
                "html",
                "empty_200",
                "half_body",
                "reset",
            ][..],
        ),
        // As often as a call is tried.
        (SEARCH, 4, &["503"]),
        (
            IMPORT,
            1,
            &[
                "500",
                "503",
                "429",
                "403",
                "html",
                "empty_200",
                "reset",
                "lost_ack",
                "half_body",
                "truncated_json",
            ],
        ),
        (IMPORT, 1, &["import_failed", "import_interrupted"]),
        (IMPORT, 3, &["import_failed"]),
        (
            info,
            2,
            &["500", "511", "html", "empty_200", "half_body", "reset"],
        ),
    ];
    let all: Vec<(&str, usize, &str)> = stories
        .iter()
        .flat_map(|(route, times, kinds)| kinds.iter().map(|name| (*route, *times, *name)))
        .collect();
    side_by_side(all, |(route, times, name)| {
        through(name, route, times, House::new(5));
    });
}

/// The limit of imports has a window of its own, a minute if not configured, and so has the wait: nothing is sent meanwhile that
/// would be refused again.
#[test]
fn a_bulk_above_the_limit_of_imports_waits_its_window() {
    let house = House::new(5);
    let limit = |window: &str| format!("import_rate = {{ requests = 100000, per = \"{window}\" }}");
    house.edit_config(&limit("1s"), &limit("8s"));
    let (house, _worker) = paused(house, "");
    pets(&house, 30);
    held_back(&house, 30);
    house.control.fault(Fault::once(Kind::ImportLimit, IMPORT));
    let start = house.now();
    resume(&house);
    at_rest(&house);
    assert_names(&house, 30, |number| format!("Pet {number}"));
    let log = house.control.log_since(start);
    let imports: Vec<_> = log
        .iter()
        .filter(|entry| entry.path.contains("bulk_import") && entry.method == "POST")
        .collect();
    assert_eq!(imports.len(), 2, "{imports:#?}");
    assert_eq!(imports[0].status, 400);
    assert!(imports[1].at - imports[0].at >= 8_000_000, "{imports:#?}");
    // It was no attempt.
    let tried = list(&house, "state:done");
    assert!(tried.iter().all(|job| job["attempts"] == 1), "{tried:#?}");
}

/// Right after an import was taken its status is `false` (fact sheet §3.4): neither an end nor an error.
#[test]
fn a_status_of_false_right_after_an_import_is_waited_out() {
    let mut slow = options(5);
    // `false` for a quarter of it, which is longer than the wait before the first look.
    slow.import_delay = Duration::from_secs(8);
    let (house, _worker) = paused(House::with(slow), "");
    pets(&house, 30);
    held_back(&house, 30);
    let start = house.now();
    resume(&house);
    at_rest(&house);
    let log = house.control.log_since(start);
    let at = |route: &str| -> Vec<i64> {
        log.iter()
            .filter(|entry| format!("{} {}", entry.method, entry.path).contains(route))
            .map(|entry| entry.at)
            .collect()
    };
    let (imports, looks) = (at(IMPORT), at("GET /api/3/import/info"));
    assert_eq!(imports.len(), 1, "{log:#?}");
    assert!(looks[0] - imports[0] < 2_000_000, "no look came too soon");
    assert_eq!(at(SYNC).len(), 0, "{log:#?}");
    assert_names(&house, 30, |number| format!("Pet {number}"));
    assert_eq!(list(&house, "state:done").len(), 30);
}

#[test]
fn a_bulk_is_read_by_id_where_the_search_refuses_its_order() {
    for sort in [Sort::Reject, Sort::Ignore] {
        let house = House::quirky(5, |quirks| quirks.sort = sort);
        let (house, _worker) = paused(house, "");
        pets(&house, 30);
        held_back(&house, 30);
        let start = house.now();
        resume(&house);
        at_rest(&house);
        assert_names(&house, 30, |number| format!("Pet {number}"));
        assert_eq!(count(&house, start, IMPORT), 1, "{sort:?}");
        assert_eq!(list(&house, "state:done").len(), 30, "{sort:?}");
    }
}

#[test]
fn a_bulk_whose_contacts_come_by_association_finds_each() {
    for inside in [true, false] {
        let house = House::quirky(80, |quirks| quirks.relations_in_records = inside);
        house.receive_webhooks("");
        let worker = house.worker("worker");
        let pause = ["queue", "pause", "--mapping", "visits", "--reason", "test"];
        house.expect(0, &pause);
        house.subscribe(&worker, |_| {});
        let contacts: Vec<(String, String)> = house
            .control
            .highlevel_contacts()
            .into_iter()
            .filter_map(|(id, email)| Some((id, email?)))
            .take(24)
            .collect();
        assert!(contacts.len() >= 12, "{}", contacts.len());
        for (number, (contact, _)) in contacts.iter().enumerate() {
            let visit = json!({"clinic": format!("Clinic {number}")});
            let visit = house
                .control
                .create_record(VISITS, visit.as_object().unwrap())
                .unwrap();
            assert!(house.control.relate(&visit, contact));
        }
        held_back(&house, contacts.len());
        let start = house.now();
        house.expect(0, &["queue", "resume", "--mapping", "visits"]);
        at_rest(&house);
        assert_eq!(list(&house, "state:done").len(), contacts.len());
        for (number, (_, email)) in contacts.iter().enumerate() {
            let contact = house.control.contact(email).unwrap();
            assert_eq!(
                contact.fields["CLINIC"],
                format!("Clinic {number}"),
                "{email}"
            );
        }
        assert!(
            count(&house, start, IMPORT) >= 1,
            "relations inside: {inside}"
        );
        house.assert_no_violation();
    }
}
