//! An export under a pause: a dead token's, a person's. It waits, says so, and goes on by itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::process::Child;
use std::time::Duration;
use support::{House, PETS, assert_outcome, eventually, expectation, freeze, side_by_side, signal};
use tramline::sandbox::{Fault, Kind};

const SEARCH: &str = "/records/search";
const IMPORT: &str = "POST /api/3/import/bulk_import";

fn runs(house: &House) -> Vec<Value> {
    house.expect(0, &["--json", "exports", "list"]).lines()
}

fn waits(house: &House) -> Value {
    runs(house).first().map_or(Value::Null, |run| {
        assert_eq!(run["state"], "running", "{run}");
        run["waiting"]["reason"].clone()
    })
}

fn ended(house: &House, name: &str, mut child: Child) -> (Option<i32>, Value) {
    let code = child.wait().unwrap().code();
    let told = house.read(&format!("{name}.stdout"));
    let summary = told.lines().last().unwrap_or_default();
    (code, serde_json::from_str(summary).unwrap())
}

#[test]
fn an_export_that_meets_a_dead_token_waits_for_a_good_one() {
    for (api, skip) in [("activecampaign", 2), ("highlevel", 4)] {
        let house = House::new(600);
        let before = expectation::contacts(&house.control);
        let expected = expectation::pets(&house.control, &before);
        // Something is read, and of ActiveCampaign an import is taken, before it begins.
        house.control.fault(Fault {
            api: api.to_owned(),
            skip,
            ..Fault::once(Kind::Status(401), "").times(10_000)
        });
        let export = house.start("export", &["--json", "export", "pets"]);
        eventually("the export waits", || waits(&house) == "breaker_open");
        // Nothing is asked any more, and no record is to blame.
        let since = house.now();
        std::thread::sleep(Duration::from_millis(1_500));
        let asked = house.control.log_since(since);
        assert!(asked.len() <= 2, "{api}: {asked:#?}");
        let jobs = house.jobs();
        assert!(
            jobs.iter().all(|job| job["error"]["class"] != "auth"),
            "{jobs:#?}"
        );
        let run = house.expect(
            0,
            &["exports", "show", runs(&house)[0]["id"].as_str().unwrap()],
        );
        assert!(run.stdout.contains("a token is refused"), "{run:#?}");

        house.control.clear_faults();
        // A worker that starts asks at once; alone, the export asks again within half a minute.
        let mut worker = house.start("worker", &["worker"]);
        let (code, summary) = ended(&house, "export", export);
        assert_eq!(code, Some(3), "{summary}");
        assert_outcome(&house, &summary, &expected, api);
        let told = house.read("export.stderr");
        assert_eq!(told.matches("a token is refused").count(), 1, "{told}");
        let opened = house.read("tramline.log").matches("breaker opened").count();
        assert_eq!(opened, 1, "{api}");
        signal(worker.id(), "TERM");
        worker.wait().unwrap();
    }
}

#[test]
fn a_paused_account_sends_nothing_and_its_export_goes_on_when_it_is_resumed() {
    let scopes = [&["--mapping", "pets"][..], &["--connection", "default"]];
    side_by_side(scopes, |scope| {
        let house = House::new(900);
        let before = expectation::contacts(&house.control);
        let expected = expectation::pets(&house.control, &before);
        // A page a second: the pause comes in the middle.
        house.edit_config(
            "rate = { requests = 100000, per = \"1s\" }",
            "rate = { requests = 1, per = \"1s\" }",
        );
        let export = house.start("export", &["--json", "export", "pets"]);
        eventually("an import", || !house.requests(IMPORT).is_empty());
        let mut pause = vec!["queue", "pause", "--reason", "the account moves"];
        pause.extend(scope);
        house.expect(0, &pause);
        eventually("the export waits", || waits(&house) == "paused");
        // What was begun before may still end.
        std::thread::sleep(Duration::from_millis(1_500));
        let since = house.now();
        std::thread::sleep(Duration::from_millis(2_500));
        assert!(house.writes_since(since).is_empty());
        let searches = house.requests(SEARCH);
        assert!(searches.iter().all(|entry| entry.seq <= since));
        let elapsed = runs(&house)[0]["elapsed_ms"].clone();
        let mut resume = vec!["queue", "resume"];
        resume.extend(scope);
        house.expect(0, &resume);
        let (code, summary) = ended(&house, "export", export);
        assert_eq!(code, Some(3), "{summary}");
        assert_outcome(&house, &summary, &expected, "paused");
        assert!(elapsed.as_u64().unwrap() < summary["elapsed_ms"].as_u64().unwrap());
        let told = house.read("export.stderr");
        assert!(told.contains("waits: paused by"), "{told}");
    });
}

/// What a pause finds taken and not sent is free for others until the run goes on.
#[test]
fn a_batch_that_was_taken_when_the_pause_came_is_given_back() {
    let house = House::new(0);
    // Clears go by themselves, and this is about imports.
    house.edit_config("{ from = \"chip\", empty = \"clear\" }", "\"chip\"");
    let other = "\n[mappings.other]\nobject = \"custom_objects.pets\"\nemail = \"owner_email\"\n[mappings.other.fields]\n\"%BREED%\" = \"breed\"\n";
    house.write("config.toml", &(house.read("config.toml") + other));
    let email = |number: usize| format!("pet{number}@example.org");
    let pets: Vec<String> = (0..520)
        .map(|number| {
            let pet = json!({"name": "Rex", "breed": "Beagle", "owner_email": email(number)});
            house
                .control
                .create_record(PETS, pet.as_object().unwrap())
                .unwrap()
        })
        .collect();
    house.control.fault(Fault {
        ms: Some(4_000),
        ..Fault::once(Kind::Slow, IMPORT)
    });
    let export = house.start("export", &["--json", "export", "pets"]);
    eventually("the first import", || house.control.has_struck());
    eventually("the next one is taken meanwhile", || {
        house.number("SELECT count(*) FROM batches WHERE state = 'sending'") == 2
    });
    freeze(&house, export.id());
    let scope = ["--mapping", "pets"];
    let pause = ["queue", "pause", "--reason", "new fields"];
    house.expect(0, &[&pause[..], &scope].concat());
    signal(export.id(), "CONT");
    eventually("the export waits", || waits(&house) == "paused");
    eventually("the first import's answer", || {
        !house.requests(IMPORT).is_empty()
    });
    // The newest come first: this one belongs to the second import.
    assert!(house.control.contact(&email(260)).is_none());
    house.expect(0, &["sync", "other", &pets[260]]);
    let contact = house.control.contact(&email(260)).unwrap();
    assert!(contact.fields.contains_key("BREED"), "{contact:?}");
    house.expect(0, &[&["queue", "resume"][..], &scope].concat());
    let (code, summary) = ended(&house, "export", export);
    assert_eq!((code, &summary["synced"]), (Some(0), &json!(520)));
}
