//! One record's way, from the command line to its contact.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{House, PETS, VISITS, eventually, options, signal};
use tramline::sandbox::{Fault, Kind, Options};

const SHARED: &str = "shared@example.org";

/// Two records that can be synced, made to share one contact; the one that was changed last comes second.
fn two_of_one_contact(house: &House) -> (String, String) {
    let mut pair = Vec::new();
    for record in house.control.records(PETS) {
        let ran = house.run(&["--json", "sync", "pets", &record.id, "--dry-run"]);
        if ran.code == Some(0) {
            pair.push(record.id);
        }
        if pair.len() == 2 {
            break;
        }
    }
    for id in &pair {
        assert!(
            house
                .control
                .set_property(PETS, id, "owner_email", json!(SHARED))
        );
        // Versions are milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let newer = pair.pop().unwrap();
    (pair.pop().unwrap(), newer)
}

fn name(house: &House, id: &str) -> Value {
    house.control.record(PETS, id).unwrap().properties["name"].clone()
}

fn pet_name_of_contact(house: &House) -> Value {
    let contact = house.control.contact(SHARED).unwrap();
    json!(contact.fields["PET_NAME"])
}

fn outcomes(lines: &[Value]) -> Vec<(&str, &str)> {
    lines
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap();
            (text("record"), text("outcome"))
        })
        .collect()
}

#[test]
fn of_two_records_of_one_contact_that_are_synced_together_the_newest_wins() {
    let house = House::new(40);
    let (older, newer) = two_of_one_contact(&house);
    let ran = house.expect(0, &["--json", "sync", "pets", &older, &newer]);
    let lines = ran.lines();
    let found = outcomes(&lines);
    assert!(found.contains(&(newer.as_str(), "synced")), "{found:?}");
    assert_eq!(pet_name_of_contact(&house), name(&house, &newer));
    // Whoever was first, the older one is known as superseded and a further sync of both changes nothing.
    let ran = house.expect(0, &["--json", "sync", "pets", &older, &newer]);
    let lines = ran.lines();
    let mut found = outcomes(&lines);
    found.sort_unstable();
    let mut expected = [
        (older.as_str(), "superseded"),
        (newer.as_str(), "unchanged"),
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Between taking its contact and sending, a sync hears of who else wants it.
#[test]
fn a_record_that_hears_of_a_newer_one_just_before_it_is_sent_gives_way() {
    let house = House::new(40);
    let (older, newer) = two_of_one_contact(&house);
    // The older one has taken the contact, and looks for long what is there.
    house.control.fault(Fault {
        ms: Some(3_000),
        ..Fault::once(Kind::Slow, "GET /api/3/contacts")
    });
    let start = house.now();
    let mut first = house.start("first", &["--json", "sync", "pets", &older]);
    eventually("the older record is read", || {
        let log = house.control.log_since(start);
        log.iter().any(|entry| entry.path.contains(&older))
    });
    std::thread::sleep(Duration::from_millis(500));
    let second = house.expect(0, &["--json", "sync", "pets", &newer]);
    assert_eq!(second.summary()["outcome"], "synced");
    assert_eq!(first.wait().unwrap().code(), Some(0));
    let told: Value = serde_json::from_str(house.read("first.stdout").trim()).unwrap();
    assert_eq!(told["outcome"], "superseded", "{told}");
    assert_eq!(told["superseded_by"], newer);
    let writes = house.writes_since(start);
    assert_eq!(writes.len(), 1, "{writes:#?}");
    assert_eq!(pet_name_of_contact(&house), name(&house, &newer));
}

/// Between reading and sending, an export brings a newer state of the same record.
#[test]
fn a_record_that_an_export_was_faster_with_is_read_again() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    house.control.fault(Fault {
        ms: Some(4_000),
        ..Fault::once(Kind::LateAnswer, &format!("/records/{record}"))
    });
    let mut sync = house.start("sync", &["--json", "sync", "pets", &record]);
    eventually("the record is read", || house.control.has_struck());
    std::thread::sleep(Duration::from_millis(10));
    assert!(
        house
            .control
            .set_property(PETS, &record, "name", json!("Newer"))
    );
    let exported = house.run(&["--json", "export", "pets"]);
    assert_eq!(pet_name_of_contact(&house), "Newer", "{exported:?}");
    assert_eq!(sync.wait().unwrap().code(), Some(0));
    let told: Value = serde_json::from_str(house.read("sync.stdout").trim()).unwrap();
    assert_eq!(told["outcome"], "unchanged", "{told}");
    assert_eq!(pet_name_of_contact(&house), "Newer");
}

#[test]
fn the_contact_of_a_record_that_is_gone_or_skipped_goes_to_the_next_in_line() {
    let house = House::new(40);
    let (older, newer) = two_of_one_contact(&house);
    house.expect(0, &["sync", "pets", &newer]);
    let ran = house.expect(0, &["--json", "sync", "pets", &older]);
    assert_eq!(outcomes(&ran.lines()), [(older.as_str(), "superseded")]);
    assert_eq!(ran.lines()[0]["superseded_by"], newer.as_str(), "{ran:#?}");
    // No e-mail any more: the record fails or is skipped, as the mapping says.
    house.control.remove_property(PETS, &newer, "owner_email");
    house.run(&["sync", "pets", &newer]);
    house.expect(0, &["worker", "--until-idle"]);
    assert_eq!(pet_name_of_contact(&house), name(&house, &older));

    house
        .control
        .set_property(PETS, &newer, "owner_email", json!(SHARED));
    house.expect(0, &["sync", "pets", &newer]);
    assert_eq!(pet_name_of_contact(&house), name(&house, &newer));
    assert!(house.control.delete_record(PETS, &newer));
    house.expect(3, &["sync", "pets", &newer]);
    house.expect(0, &["worker", "--until-idle"]);
    assert_eq!(pet_name_of_contact(&house), name(&house, &older));
    house.assert_no_violation();
}

#[test]
fn a_dry_run_and_a_preview_know_who_wins_the_contact() {
    let house = House::new(40);
    let (older, newer) = two_of_one_contact(&house);
    // The older record has the contact so far: the newer one will take it all the same.
    house.expect(0, &["sync", "pets", &older]);
    let preview = |record: &str| {
        let ran = house.expect(0, &["--json", "mappings", "preview", "pets", record]);
        ran.json()["superseded_by"].clone()
    };
    let rehearsed = |record: &str| {
        let ran = house.expect(0, &["--json", "sync", "pets", record, "--dry-run"]);
        ran.lines().remove(0)
    };
    assert_eq!(preview(&newer), Value::Null);
    assert_eq!(rehearsed(&newer)["outcome"], "synced");
    house.expect(0, &["sync", "pets", &newer]);
    assert_eq!(preview(&older), newer.as_str());
    let line = rehearsed(&older);
    assert_eq!(line["outcome"], "superseded", "{line}");
    assert_eq!(line["superseded_by"], newer.as_str(), "{line}");
    assert_eq!(preview(&newer), Value::Null);
    // The real sync comes to the same, and names the winner wherever it is asked for.
    let ran = house.expect(0, &["sync", "pets", &older]);
    let said = format!("superseded by record {newer}");
    assert!(ran.stdout.contains(&said), "{ran:#?}");
    let filter = format!("record:{older}");
    let ran = house.expect(0, &["--json", "queue", "list", "--filter", &filter]);
    let job = ran.lines()[0]["id"].as_str().unwrap().to_owned();
    let why = house.expect(0, &["queue", "why", &job]);
    assert!(why.stdout.contains(&newer), "{why:#?}");
    let show = house.expect(0, &["queue", "show", &job]);
    assert!(show.stdout.contains(&newer), "{show:#?}");
}

#[test]
fn an_option_that_was_added_helps_a_worker_at_once() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    house.expect(
        0,
        &[
            "fields", "create", "Nick", "--tag", "NICK", "--kind", "dropdown", "--option", "Rex",
        ],
    );
    house.edit_config(
        "[mappings.pets.fields]",
        "[mappings.pets.fields]\n\"%NICK%\" = \"name\"",
    );
    house
        .control
        .set_property(PETS, &record, "name", json!("Zed"));
    house.expect(3, &["sync", "pets", &record]);
    let job = || {
        let filter = format!("record:{record}");
        let ran = house.expect(0, &["--json", "queue", "list", "--filter", &filter]);
        ran.lines().remove(0)
    };
    let id = job()["id"].as_str().unwrap().to_owned();
    let mut worker = house.start("worker", &["worker"]);
    let attempts = job()["attempts"].as_u64().unwrap();
    house.expect(0, &["queue", "retry", &id]);
    eventually("the worker's own failure", || {
        let job = job();
        job["state"] == "failed" && job["attempts"].as_u64().unwrap() > attempts
    });
    let fields = house.expect(0, &["--json", "fields", "list"]).lines();
    let field = fields.iter().find(|field| field["tag"] == "NICK").unwrap();
    let options = json!({ "fieldOptions": [{
        "field": field["id"], "label": "Zed", "value": "Zed", "orderid": 2, "isdefault": false,
    }] });
    house.run_with(
        &[
            "api",
            "activecampaign",
            "POST",
            "/fieldOption/bulk",
            "--data",
            "-",
        ],
        &options.to_string(),
    );
    let start = Instant::now();
    while job()["state"] != "done" {
        assert!(start.elapsed().as_secs() < 30, "{}", job());
        house.expect(0, &["queue", "retry", &id]);
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    signal(worker.id(), "TERM");
    worker.wait().unwrap();
    let contact = house.control.contact(SHARED).unwrap();
    assert_eq!(contact.fields["NICK"], "Zed");
}

#[test]
fn a_job_that_is_under_way_already_is_waited_for() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    // Its answer takes so long that the process ends first: the job is left ready.
    house.control.fault(Fault {
        ms: Some(4_000),
        ..Fault::once(Kind::Slow, &format!("/records/{record}"))
    });
    let mut sync = house.start("sync", &["sync", "pets", &record]);
    let filter = format!("record:{record}");
    let list = || {
        house
            .run(&["--json", "queue", "list", "--filter", &filter])
            .stdout
    };
    eventually("the job", || list().contains("running"));
    sync.kill().unwrap();
    sync.wait().unwrap();
    // Its lease would last half a minute.
    let soon = jiff::Timestamp::now().as_microsecond() + 2_000_000;
    house.sql(&format!(
        "UPDATE jobs SET lease_until = {soon} WHERE state = 'running'"
    ));
    let ran = house.expect(0, &["--json", "queue", "list", "--filter", &filter]);
    let id = ran.lines()[0]["id"].as_str().unwrap().to_owned();
    let ran = house.expect(0, &["--json", "queue", "retry", &id, "--wait"]);
    assert_eq!(ran.json()["results"][0]["state"], "done", "{ran:#?}");
}

#[test]
fn a_transient_error_costs_a_waiting_person_only_time() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    house
        .control
        .fault(Fault::once(Kind::Status(500), "POST /api/3/contact/sync"));
    let start = Instant::now();
    let ran = house.expect(0, &["--json", "sync", "pets", &record]);
    assert_eq!(outcomes(&ran.lines()), [(record.as_str(), "synced")]);
    assert!(start.elapsed().as_secs() < 10);
    assert_eq!(pet_name_of_contact(&house), name(&house, &record));
}

#[test]
fn a_retry_that_is_waited_for_ends_with_its_jobs() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    house
        .control
        .set_property(PETS, &record, "owner_email", json!("not an address"));
    house.expect(3, &["sync", "pets", &record]);
    house
        .control
        .set_property(PETS, &record, "owner_email", json!(SHARED));
    house
        .control
        .fault(Fault::once(Kind::Status(500), "POST /api/3/contact/sync"));
    let arguments = ["queue", "retry", "--filter", "state:failed", "--yes"];
    let mut all = vec!["--json"];
    all.extend(arguments);
    all.push("--wait");
    let done = house.expect(0, &all).json();
    assert_eq!((&done["matched"], &done["changed"]), (&json!(1), &json!(1)));
    assert_eq!(done["results"][0]["state"], "done");
    assert_eq!(pet_name_of_contact(&house), name(&house, &record));
    // Jobs that are done are no jobs to retry.
    let none = house
        .expect(
            0,
            &[
                "--json",
                "queue",
                "retry",
                "--filter",
                "state:done",
                "--dry-run",
            ],
        )
        .json();
    assert_eq!(none["matched"], 0);
}

#[test]
fn a_refusal_that_passes_while_the_token_is_good_fails_no_job() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    let read = format!("GET /objects/{PETS}/records/");
    let refused = Fault::once(Kind::Status(401), &read);
    house.control.fault(refused.clone());
    let ran = house.expect(0, &["--json", "sync", "pets", &record]);
    assert_eq!(outcomes(&ran.lines()), [(record.as_str(), "synced")]);

    // One that does not pass is the job's own trouble after a few times.
    house.control.fault(refused.times(1_000));
    let since = house.requests(&read).len();
    let ran = house.expect(3, &["--json", "sync", "pets", &record]);
    assert_eq!(outcomes(&ran.lines()), [(record.as_str(), "failed")]);
    assert_eq!(ran.lines()[0]["error"]["class"], "auth", "{ran:#?}");
    assert_eq!(house.requests(&read).len(), since + 3);
}

#[test]
fn a_token_that_is_refused_fails_no_job() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    let refused = Fault {
        api: "activecampaign".into(),
        ..Fault::once(Kind::Status(401), "").times(1_000)
    };
    // The schemas can still be read; what writes or asks who one is is refused.
    for route in ["POST /api/3/contact/sync", "/users/me"] {
        house.control.fault(Fault {
            route: route.into(),
            ..refused.clone()
        });
    }
    let ran = house.expect(3, &["--json", "sync", "pets", &record]);
    assert_eq!(outcomes(&ran.lines()), [(record.as_str(), "waiting")]);
    let jobs = house.expect(0, &["--json", "queue", "list"]).lines();
    assert_eq!(jobs[0]["state"], "waiting");
    assert_eq!(jobs[0]["attempts"], 0);
    assert_eq!(jobs[0]["error"]["class"], "auth");

    // One call that is refused, while the token opens others, is this job's own trouble.
    house.control.clear_faults();
    house.control.fault(Fault {
        route: "POST /api/3/contact/sync".into(),
        ..refused
    });
    let ran = house.expect(3, &["--json", "sync", "pets", &record]);
    assert_eq!(outcomes(&ran.lines()), [(record.as_str(), "failed")]);
}

#[test]
fn a_store_of_other_accounts_is_refused_and_left_as_it_is() {
    let house = House::new(40);
    let (_, record) = two_of_one_contact(&house);
    let config = house.read("config.toml");
    let place = config.find("location_id = \"").unwrap() + "location_id = \"".len();
    let location = config[place..].split('"').next().unwrap();
    // Nothing was synced yet: a slip in the configuration may be mended.
    house.edit_config(location, "elsewhere");
    house.expect(0, &["queue", "list"]);
    house.edit_config("elsewhere", location);
    house.expect(0, &["sync", "pets", &record]);
    house.edit_config(location, "elsewhere");
    let refused = house.expect(2, &["queue", "list"]);
    assert!(refused.stderr.contains("elsewhere"), "{refused:#?}");
    assert!(refused.stderr.contains("[store]"), "{refused:#?}");
    house.edit_config("elsewhere", location);
    let ran = house.expect(0, &["--json", "sync", "pets", &record]);
    assert_eq!(outcomes(&ran.lines()), [(record.as_str(), "unchanged")]);
}

#[test]
fn records_beyond_one_page_are_listed_once_each() {
    let house = House::with(Options {
        records: 270,
        ..options(0)
    });
    for (limit, expected) in [("150", 150), ("250", 250), ("7", 7), ("10000", 270)] {
        let ran = house.expect(0, &["--json", "records", "list", "pets", "--limit", limit]);
        let ids: std::collections::HashSet<String> = ran
            .lines()
            .iter()
            .map(|record| record["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!((ran.lines().len(), ids.len()), (expected, expected));
    }
}

#[test]
fn a_renamed_contact_keeps_its_id_unless_another_mapping_has_it_too() {
    let house = House::new(40);
    house.edit_config(
        "[mappings.pets]",
        "[mappings.pets]\non_email_change = \"rename\"",
    );
    let (_, record) = two_of_one_contact(&house);
    house.expect(0, &["sync", "pets", &record]);
    let id = house.control.contact(SHARED).unwrap().id;
    let address = |to: &str| {
        assert!(
            house
                .control
                .set_property(PETS, &record, "owner_email", json!(to))
        );
        house.expect(0, &["--json", "sync", "pets", &record])
    };
    address("moved@example.org");
    assert!(house.control.contact(SHARED).is_none());
    assert_eq!(house.control.contact("moved@example.org").unwrap().id, id);
    // Back again: the old link is gone, so this is a rename like the first.
    address(SHARED);
    assert_eq!(house.control.contact(SHARED).unwrap().id, id);

    // The same values by a second mapping: the contact stays where it is, a new one is made.
    let config = house.read("config.toml");
    let start = config.find("[mappings.pets]").unwrap();
    let end = config[start..].find("[mappings.visits]").unwrap() + start;
    let second = config[start..end].replace("mappings.pets", "mappings.second");
    house.edit_config("[mappings.visits]", &format!("{second}\n[mappings.visits]"));
    house.expect(0, &["sync", "second", &record]);
    address("elsewhere@example.org");
    assert_eq!(house.control.contact(SHARED).unwrap().id, id);
    assert_ne!(
        house.control.contact("elsewhere@example.org").unwrap().id,
        id
    );
}

#[test]
fn a_highlevel_contact_that_is_refused_is_not_taken_for_gone() {
    let house = House::new(60);
    let record = house
        .control
        .records(VISITS)
        .into_iter()
        .map(|record| record.id)
        .find(|id| {
            let ran = house.run(&["--json", "sync", "visits", id, "--dry-run"]);
            ran.code == Some(0) && ran.lines()[0]["outcome"] == "synced"
        })
        .unwrap();
    house.control.fault(Fault {
        api: "highlevel".into(),
        ..Fault::once(Kind::Status(422), "GET /contacts/").times(100)
    });
    // The mapping skips records without a contact: a refusal that says nothing of the kind must not look like one.
    let ran = house.expect(3, &["--json", "sync", "visits", &record]);
    let line = ran.lines().remove(0);
    assert_eq!(line["outcome"], "failed", "{ran:#?}");
    assert_eq!(line["error"]["status"], 422, "{ran:#?}");
    house.control.clear_faults();
    let ran = house.expect(0, &["--json", "sync", "visits", &record]);
    assert_eq!(ran.lines()[0]["outcome"], "synced", "{ran:#?}");
}

#[test]
fn a_worker_removes_what_is_older_than_the_retention() {
    let house = House::new(40);
    house.edit_config(
        "[store]",
        "[store]\nretention = { done = \"1s\", attempts = \"1s\" }",
    );
    let (_, record) = two_of_one_contact(&house);
    house.expect(0, &["sync", "pets", &record]);
    assert_eq!(
        house.expect(0, &["--json", "queue", "list"]).lines().len(),
        1
    );
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let mut worker = house.start("worker", &["worker"]);
    eventually("pruning", || {
        house
            .expect(0, &["--json", "queue", "list"])
            .stdout
            .trim()
            .is_empty()
    });
    signal(worker.id(), "TERM");
    worker.wait().unwrap();
}
