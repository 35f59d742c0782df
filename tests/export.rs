//! The bulk export, from the command line to the contacts.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::expectation::{self, Person};
use support::{House, PETS, count, eventually, options};
use tramline::sandbox::{Fault, Kind, Options};

/// Every contact is as the mapping says; the summary tells the same story.
fn assert_expected(house: &House, summary: &Value, expected: &expectation::Expected) {
    assert_eq!(summary["state"], "completed", "{summary}");
    assert_eq!(
        count(summary, "synced") + count(summary, "unchanged"),
        expected.winners,
        "{summary}"
    );
    assert_eq!(
        count(summary, "superseded"),
        expected.superseded,
        "{summary}"
    );
    assert_eq!(count(summary, "skipped"), expected.skipped, "{summary}");
    assert_eq!(count(summary, "failed"), expected.failed, "{summary}");
    assert_same(&expectation::contacts(&house.control), &expected.contacts);
}

fn assert_same(
    found: &std::collections::BTreeMap<String, Person>,
    expected: &std::collections::BTreeMap<String, Person>,
) {
    for (email, person) in expected {
        assert_eq!(found.get(email), Some(person), "contact {email}");
    }
    assert_eq!(found.len(), expected.len());
}

fn assert_sums_up(summary: &Value) {
    let parts = ["unchanged", "synced", "superseded", "skipped", "failed"];
    let sum: u64 = parts.iter().map(|key| count(summary, key)).sum();
    assert_eq!(count(summary, "read"), sum, "{summary}");
}

#[test]
fn every_contact_is_as_the_mapping_says_and_a_second_run_writes_nothing() {
    let house = House::new(1_200);
    let before = expectation::contacts(&house.control);
    let expected = expectation::pets(&house.control, &before);
    assert!(expected.failed >= 3 && expected.skipped >= 1 && expected.superseded >= 1);

    let (summary, ran) = house.export(&[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let keys: Vec<&String> = summary.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "run",
            "mapping",
            "state",
            "read",
            "unchanged",
            "synced",
            "superseded",
            "skipped",
            "failed",
            "requests",
            "throttled",
            "elapsed_ms"
        ]
    );
    assert_eq!(summary["mapping"], "pets");
    assert_eq!(count(&summary, "read"), 1_200);
    assert_eq!(count(&summary, "throttled"), 0);
    assert_eq!(count(&summary, "unchanged"), 0);
    assert_sums_up(&summary);
    assert_expected(&house, &summary, &expected);
    house.assert_no_violation();
    // What the summary counts is what the APIs saw, but for the two schemas that the mapping was held against first.
    let stats = house.control.stats();
    let schemas = ["GET /objects/custom_objects.pets?", "GET /api/3/fields?"]
        .map(|route| house.requests(route).len() as u64);
    assert_eq!(
        summary["requests"],
        json!({"highlevel": stats.highlevel - schemas[0], "activecampaign": stats.activecampaign - schemas[1]})
    );

    let seq = house.now();
    let (again, ran) = house.export(&[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(count(&again, "unchanged"), expected.winners, "{again}");
    assert_eq!(count(&again, "synced"), 0, "{again}");
    assert_sums_up(&again);
    assert_eq!(
        house.writes_since(seq).len(),
        0,
        "{:#?}",
        house.writes_since(seq)
    );

    // One record changes: it alone is sent.
    let record = winner(&house);
    assert!(
        house
            .control
            .set_property(PETS, &record.0, "name", json!("Sir Barks"))
    );
    let seq = house.now();
    let (one, _) = house.export(&[]);
    assert_eq!(count(&one, "synced"), 1, "{one}");
    assert_eq!(count(&one, "unchanged"), expected.winners - 1, "{one}");
    assert_eq!(
        house.writes_since(seq).len(),
        1,
        "{:#?}",
        house.writes_since(seq)
    );
    let contact = house.control.contact(&record.1).unwrap();
    assert_eq!(contact.fields["PET_NAME"], "Sir Barks");

    // Everything again, because a person wants so.
    let (full, _) = house.export(&["--full"]);
    assert_eq!(count(&full, "synced"), expected.winners, "{full}");
    assert_eq!(count(&full, "unchanged"), 0, "{full}");
    house.assert_no_violation();
}

/// Id and e-mail of a record that leads for its contact and can be coerced.
fn winner(house: &House) -> (String, String) {
    house
        .control
        .records(PETS)
        .into_iter()
        .find_map(|record| {
            let email = record.properties.get("owner_email")?.as_str()?.to_owned();
            let contact = house.control.contact(&email)?;
            let name = record.properties.get("name")?.as_str()?;
            (contact.fields.get("PET_NAME")? == name && email == email.to_lowercase())
                .then_some((record.id, email))
        })
        .unwrap()
}

#[test]
fn the_newest_record_of_a_contact_wins_whatever_the_case_of_its_address() {
    let house = House::new(20);
    let pet = |name: &str, email: &str| {
        let properties = json!({"name": name, "owner_email": email, "owner_first_name": "Nell"});
        let id = house
            .control
            .create_record(PETS, properties.as_object().unwrap())
            .unwrap();
        std::thread::sleep(Duration::from_millis(3));
        id
    };
    let first = pet("First", "Twice@Example.COM");
    let second = pet("Second", "twice@example.com");
    let third = pet("Third", " TWICE@example.com ");
    let (summary, _) = house.export(&[]);
    let contact = house.control.contact("twice@example.com").unwrap();
    assert_eq!(contact.fields["PET_NAME"], "Third");
    assert!(count(&summary, "superseded") >= 2, "{summary}");
    // An older one that changes becomes the newest.
    assert!(
        house
            .control
            .set_property(PETS, &first, "name", json!("First again"))
    );
    house.export(&[]);
    let contact = house.control.contact("twice@example.com").unwrap();
    assert_eq!(contact.fields["PET_NAME"], "First again");
    // Told by the sync of one record, too.
    for loser in [&second, &third] {
        let ran = house.expect(0, &["--json", "sync", "pets", loser]);
        assert_eq!(ran.summary()["outcome"], "superseded", "{ran:#?}");
    }
    assert_eq!(
        house.control.contact("twice@example.com").unwrap().fields["PET_NAME"],
        "First again"
    );
    house.assert_no_violation();
}

#[test]
fn a_value_that_is_gone_is_cleared_only_where_the_mapping_says_so() {
    let house = House::new(20);
    house.export(&[]);
    let (id, email) = winner(&house);
    let before = house.control.contact(&email).unwrap();
    assert!(before.fields.contains_key("CHIP") && before.fields.contains_key("BREED"));
    for key in ["chip", "breed"] {
        assert!(house.control.remove_property(PETS, &id, key));
    }
    let (summary, _) = house.export(&[]);
    assert_eq!(count(&summary, "synced"), 1, "{summary}");
    let after = house.control.contact(&email).unwrap();
    assert!(!after.fields.contains_key("CHIP"), "empty = \"clear\"");
    assert_eq!(
        after.fields["BREED"], before.fields["BREED"],
        "empty = \"ignore\""
    );
    house.assert_no_violation();
}

#[test]
fn a_dry_run_writes_nothing_and_tells_what_an_export_would_do() {
    let house = House::new(300);
    let before = expectation::contacts(&house.control);
    let expected = expectation::pets(&house.control, &before);
    let (dry, ran) = house.export(&["--dry-run"]);
    assert_eq!(ran.code, Some(3), "some records would fail: {ran:#?}");
    assert_eq!(
        house.writes_since(0).len(),
        0,
        "{:#?}",
        house.writes_since(0)
    );
    assert_eq!(expectation::contacts(&house.control), before);
    assert_eq!(count(&dry, "synced"), expected.winners, "{dry}");
    assert_eq!(count(&dry, "failed"), expected.failed, "{dry}");
    assert_eq!(count(&dry, "superseded"), expected.superseded, "{dry}");
    assert_sums_up(&dry);
    let lines = ran.lines();
    let outcomes = |outcome: &str| {
        lines
            .iter()
            .filter(|line| line["outcome"] == outcome)
            .count() as u64
    };
    assert_eq!(outcomes("synced"), expected.winners);
    assert_eq!(outcomes("failed"), expected.failed);
    // Nothing is left in the queue, and the export afterwards does all of it.
    assert_eq!(house.expect(0, &["--json", "queue", "list"]).stdout, "");
    let (summary, _) = house.export(&[]);
    assert_expected(&house, &summary, &expected);
    let (dry, _) = house.export(&["--dry-run"]);
    assert_eq!(count(&dry, "synced"), 0, "{dry}");
    assert_eq!(count(&dry, "unchanged"), expected.winners, "{dry}");
}

/// Contacts that were there before Tramline knew them are shown as they are, whichever way they are read.
#[test]
fn a_dry_run_tells_what_contacts_hold_that_it_never_wrote() {
    let house = House::new(400);
    house.export(&[]);
    assert!(house.control.contacts().len() > 200);
    for file in ["tramline.db", "tramline.db-wal", "tramline.db-shm"] {
        let _ = std::fs::remove_file(house.path(file));
    }
    let (record, email) = winner(&house);
    let contact = house.control.contact(&email).unwrap();
    // The record changed last comes first.
    let name = json!("Renamed meanwhile");
    assert!(house.control.set_property(PETS, &record, "name", name));
    for (arguments, walks) in [
        (&["--dry-run", "--limit", "1"][..], false),
        (&["--dry-run"][..], true),
    ] {
        let seq = house.now();
        let (_, ran) = house.export(arguments);
        let lines = ran.lines();
        let told = lines.iter().find(|line| line["record"] == record.as_str());
        let told = told.unwrap_or_else(|| panic!("{ran:#?}"));
        assert_eq!(told["contact_id"], contact.id.to_string(), "{told}");
        let fields = told["fields"].as_array().unwrap();
        assert_eq!(fields.len(), 1, "{told}");
        assert_eq!(fields[0]["field"], "%PET_NAME%", "{told}");
        assert_eq!(fields[0]["old"], contact.fields["PET_NAME"], "{told}");
        let log = house.control.log_since(seq);
        let walked = log.iter().any(|entry| entry.path.contains("id_greater"));
        assert_eq!(walked, walks, "{arguments:?}");
        assert_eq!(house.writes_since(seq).len(), 0);
    }
}

#[test]
fn a_dry_run_that_was_killed_does_not_run_for_ever() {
    let house = House::new(300);
    house
        .control
        .fault(Fault::once(Kind::Stall, "records/search").times(100));
    let mut dry = house.start("dry", &["export", "pets", "--dry-run"]);
    let list = || house.run(&["--json", "exports", "list"]).lines();
    eventually("the dry run", || !list().is_empty());
    dry.kill().unwrap();
    dry.wait().unwrap();
    house.control.clear_faults();
    house.export(&["--dry-run"]);
    let runs = list();
    assert_eq!(runs.len(), 2, "{runs:#?}");
    assert_eq!(runs[1]["state"], "failed", "{runs:#?}");
}

#[test]
fn limit_and_since_read_a_part() {
    let house = House::new(500);
    let (limited, _) = house.export(&["--limit", "120"]);
    assert_eq!(count(&limited, "read"), 120, "{limited}");
    assert_sums_up(&limited);
    let records = house.control.records(PETS);
    let since = records[199].updated_at;
    let newer = records
        .iter()
        .filter(|record| record.updated_at >= since)
        .count() as u64;
    let time = jiff::Timestamp::from_millisecond(since)
        .unwrap()
        .to_string();
    let (part, _) = house.export(&["--since", &time]);
    assert_eq!(count(&part, "read"), newer, "{part}");
    assert!(count(&part, "unchanged") > 100, "{part}");
    assert_sums_up(&part);
    let (none, ran) = house.export(&["--since", "1s"]);
    assert_eq!((count(&none, "read"), ran.code), (0, Some(0)), "{none}");
    let ran = house.expect(2, &["export", "pets", "--since", "yesterday"]);
    assert!(ran.stderr.contains("`yesterday` is no time"), "{ran:#?}");
    house.assert_no_violation();
}

#[test]
fn read_only_refuses_an_export_and_allows_a_dry_run() {
    let house = House::new(20);
    let ran = house.expect(2, &["--read-only", "export", "pets"]);
    assert!(ran.stderr.contains("read-only"), "{ran:#?}");
    assert_eq!(house.control.log().len(), 0);
    let ran = house.run(&["--read-only", "--json", "export", "pets", "--dry-run"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(house.writes_since(0).len(), 0);
}

#[test]
fn one_export_of_a_mapping_runs_at_a_time() {
    let house = House::with(Options {
        import_delay: Duration::from_secs(4),
        ..options(400)
    });
    let mut first = house.start("first", &["--json", "export", "pets"]);
    eventually("an import", || !house.requests("bulk_import").is_empty());
    let second = house.expect(1, &["export", "pets"]);
    let run = house.expect(0, &["--json", "exports", "list"]).summary()["id"].clone();
    assert!(second.stderr.contains(run.as_str().unwrap()), "{second:#?}");
    // Another mapping's is not in its way.
    house.expect(0, &["--json", "export", "visits", "--limit", "5"]);
    assert_eq!(first.wait().unwrap().code(), Some(3));
    let summary: Value = serde_json::from_str(&house.read("first.stdout")).unwrap();
    assert_eq!(summary["run"], run);
    assert_eq!(count(&summary, "read"), 400);
}

#[test]
fn under_the_real_limits_no_rate_limit_answer_comes() {
    let house = House::with(Options {
        limits: true,
        ..options(300)
    });
    let (summary, ran) = house.export(&[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(count(&summary, "throttled"), 0, "{summary}");
    assert_eq!(house.control.stats().throttled, 0);
    house.assert_no_violation();
}

#[test]
fn a_row_that_an_import_refuses_goes_alone_and_its_reason_is_kept_for_a_retry() {
    let house = House::new(60);
    let victim = house
        .control
        .records(PETS)
        .into_iter()
        .find(|record| record.properties["chip"] == "985000000000001")
        .unwrap();
    let email = victim.properties["owner_email"].as_str().unwrap();
    house.control.exclude(email);
    house
        .control
        .fault(Fault::once(Kind::Status(422), "POST /api/3/contact/sync"));
    let before = expectation::contacts(&house.control);
    let expected = expectation::pets(&house.control, &before);
    let (summary, _) = house.export(&[]);
    assert_eq!(count(&summary, "failed"), expected.failed + 1, "{summary}");
    assert_sums_up(&summary);
    let filter = format!("record:{}", victim.id);
    let job = house
        .expect(0, &["--json", "queue", "list", "--filter", &filter])
        .summary();
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["error"]["status"], 422, "{job}");
    assert_eq!(job["error"]["message"], "Simulated failure", "{job}");
    // The reason is gone: a retry brings the contact to where the mapping wants it.
    let id = job["id"].as_str().unwrap();
    let retried = house
        .expect(0, &["--json", "queue", "retry", id, "--wait"])
        .json();
    assert_eq!(retried["results"][0]["state"], "done", "{retried}");
    assert_same(&expectation::contacts(&house.control), &expected.contacts);
}

/// A single sync gives a contact to a record that changed, while an export that has planned the other one still reads.
#[test]
fn what_lost_its_contact_after_it_was_planned_is_not_sent_after_the_winner() {
    let house = House::with(Options {
        logged_body: 1 << 20,
        ..options(0)
    });
    let pet = |name: &str, email: &str| {
        let pet = json!({"name": name, "owner_email": email, "chip": "985112345678900"});
        let pet = pet.as_object().unwrap();
        house.control.create_record(PETS, pet).unwrap()
    };
    let winner = pet("Winner", "shared@example.org");
    for number in 0..320 {
        pet("Any", &format!("owner{number}@example.org"));
    }
    pet("Loser", "shared@example.org");
    // The first page holds the loser; the import that it fills up leaves behind the third.
    house.control.fault(Fault {
        skip: 1,
        ms: Some(4_000),
        ..Fault::once(Kind::Slow, "/records/search")
    });
    let mut export = house.start("export", &["--json", "export", "pets"]);
    eventually("the first page", || {
        !house.requests("/records/search").is_empty()
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    house
        .control
        .set_property(PETS, &winner, "name", json!("Winner II"));
    let synced = house.expect(0, &["--json", "sync", "pets", &winner]);
    assert_eq!(synced.summary()["outcome"], "synced");
    let since = house.now();
    assert_eq!(export.wait().unwrap().code(), Some(0));
    assert!(!house.writes_since(since).is_empty());
    for entry in house.writes_since(since) {
        let body = entry.body.unwrap_or_default();
        assert!(!body.contains("Loser"), "{body}");
    }
    let contact = house.control.contact("shared@example.org").unwrap();
    assert_eq!(contact.fields["PET_NAME"], "Winner II");
    let summary: Value = serde_json::from_str(house.read("export.stdout").trim()).unwrap();
    assert_eq!(count(&summary, "superseded"), 1, "{summary}");
    house.assert_no_violation();
}
