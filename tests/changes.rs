//! What a person is told of a change: other addresses, other spellings, values put in place of a record's.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{House, PETS, count, eventually};
use tramline::sandbox::LOCATION_ID;

const OLD: &str = "rex.was@example.org";
const NEW: &str = "rex.is@example.org";

fn pet(house: &House, name: &str, email: &str) -> String {
    let pet = json!({"name": name, "owner_email": email});
    house
        .control
        .create_record(PETS, pet.as_object().unwrap())
        .unwrap()
}

fn change(house: &House, id: &str, key: &str, value: &str) {
    assert!(house.control.set_property(PETS, id, key, json!(value)));
}

fn sync(house: &House, id: &str) -> Value {
    let mut lines = house.expect(0, &["--json", "sync", "pets", id]).lines();
    lines.remove(0)
}

fn field<'a>(line: &'a Value, name: &str) -> &'a Value {
    let fields = line["fields"].as_array().unwrap();
    let found = fields.iter().find(|field| field["field"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn a_new_contact_at_a_new_address_is_warned_of_once_and_everywhere() {
    let house = House::new(20);
    let rex = pet(&house, "Rex", OLD);
    assert!(sync(&house, &rex).get("warning").is_none());
    change(&house, &rex, "owner_email", NEW);
    let told = |line: &Value| {
        let warning = line["warning"].as_str().unwrap_or_default();
        assert!(warning.contains(OLD) && warning.contains(NEW), "{line}");
    };
    told(
        &house
            .expect(0, &["--json", "mappings", "preview", "pets", &rex])
            .json(),
    );
    let rehearsed = house.expect(0, &["--json", "sync", "pets", &rex, "--dry-run"]);
    told(&rehearsed.lines()[0]);
    let shown = house.expect(0, &["mappings", "preview", "pets", &rex]);
    assert!(
        shown.stdout.contains("warning: the address changed"),
        "{shown:#?}"
    );

    told(&sync(&house, &rex));
    let job = house
        .jobs()
        .into_iter()
        .find(|job| job["record"] == rex.as_str() && job["contact"]["email"] == NEW)
        .unwrap();
    let job = job["id"].as_str().unwrap();
    let detail = house.expect(0, &["--json", "queue", "show", job]).json();
    told(&detail["history"][0]);
    assert!(
        house
            .read("tramline.log")
            .contains("the address changed from")
    );
    // It is there by now.
    change(&house, &rex, "name", "Rex II");
    assert!(sync(&house, &rex).get("warning").is_none());
    assert!(house.control.contact(OLD).is_some());
}

#[test]
fn an_export_warns_of_a_new_address_as_a_single_sync_does() {
    let house = House::new(20);
    let rex = pet(&house, "Rex", OLD);
    let warned = || {
        house
            .read("tramline.log")
            .matches("the address changed")
            .count()
    };
    house.export(&[]);
    change(&house, &rex, "owner_email", NEW);
    let (_, rehearsed) = house.export(&["--dry-run"]);
    let told: Vec<Value> = rehearsed
        .lines()
        .into_iter()
        .filter(|line| line.get("warning").is_some())
        .collect();
    assert_eq!(told.len(), 1, "{rehearsed:#?}");
    let warning = told[0]["warning"].as_str().unwrap();
    assert!(warning.contains(OLD) && warning.contains(NEW), "{warning}");
    assert_eq!((told[0]["record"].as_str(), warned()), (Some(&*rex), 0));

    let (summary, _) = house.export(&[]);
    assert_eq!((count(&summary, "synced"), warned()), (1, 1), "{summary}");
    // It is there by now.
    change(&house, &rex, "name", "Rex II");
    let (summary, _) = house.export(&[]);
    assert_eq!((count(&summary, "synced"), warned()), (1, 1), "{summary}");
}

#[test]
fn the_next_in_line_takes_over_a_contact_that_an_export_of_the_newest_found_left() {
    let house = House::new(20);
    house.receive_webhooks("");
    let tom = pet(&house, "Tom", OLD);
    let rex = pet(&house, "Rex", OLD);
    house.export(&[]);
    change(&house, &rex, "owner_email", NEW);
    let (summary, _) = house.export(&["--limit", "1"]);
    assert_eq!(count(&summary, "read"), 1, "{summary}");
    assert!(house.control.contact(NEW).is_some());
    // The run does not come to Tom.
    handed_on_to_tom(&house, &tom);
}

/// A worker brings the contact that another record left to Tom, whose job was made with that.
fn handed_on_to_tom(house: &House, tom: &str) {
    let asked = house.jobs().into_iter().find(|job| job["record"] == tom);
    assert_ne!(asked.expect("a job of Tom's")["state"], "waiting");
    let _worker = house.worker("worker");
    eventually("Tom has the contact", || {
        let contact = house.control.contact(OLD).unwrap();
        format!("{contact:?}").contains("Tom")
    });
}

#[test]
fn a_contact_that_its_record_leaves_for_nothing_or_before_its_first_write_is_handed_on() {
    for (property, to, unconfirmed) in [
        ("owner_email", NEW, true),
        ("owner_email", "no address", false),
    ] {
        let house = House::new(20);
        house.receive_webhooks("");
        let tom = pet(&house, "Tom", OLD);
        let rex = pet(&house, "Rex", OLD);
        house.export(&[]);
        if unconfirmed {
            house.sql(&format!("DELETE FROM links WHERE record_id = '{rex}'"));
        }
        change(&house, &rex, property, to);
        let ran = house.run(&["--json", "export", "pets", "--limit", "1"]);
        assert_eq!(count(&ran.summary(), "read"), 1, "{ran:#?}");
        handed_on_to_tom(&house, &tom);
    }
}

#[test]
fn a_contact_that_is_not_renamed_because_others_want_it_is_handed_on() {
    let house = House::new(20);
    house.receive_webhooks("");
    house.edit_config(
        "[mappings.pets]\n",
        "[mappings.pets]\non_email_change = \"rename\"\n",
    );
    let tom = pet(&house, "Tom", OLD);
    let rex = pet(&house, "Rex", OLD);
    house.export(&[]);
    change(&house, &rex, "owner_email", NEW);
    house.export(&["--limit", "1"]);
    handed_on_to_tom(&house, &tom);
}

#[test]
fn a_rename_shows_what_the_contact_held() {
    let house = House::new(20);
    house.edit_config(
        "[mappings.pets]\n",
        "[mappings.pets]\non_email_change = \"rename\"\n",
    );
    let rex = pet(&house, "Rex", OLD);
    let contact = sync(&house, &rex)["contact_id"].clone();
    change(&house, &rex, "owner_email", NEW);
    change(&house, &rex, "name", "Rex II");
    for arguments in [&["--dry-run"][..], &[]] {
        let all = [&["--json", "sync", "pets", &rex], arguments].concat();
        let line = house.expect(0, &all).lines().remove(0);
        assert_eq!(line["outcome"], "synced", "{line}");
        assert_eq!(line["contact_id"], contact, "{line}");
        assert!(line.get("warning").is_none(), "{line}");
        let email = field(&line, "email");
        assert_eq!((&email["old"], &email["new"]), (&json!(OLD), &json!(NEW)));
        let name = field(&line, "%PET_NAME%");
        assert_eq!(
            (&name["old"], &name["new"]),
            (&json!("Rex"), &json!("Rex II"))
        );
    }
    assert!(house.control.contact(OLD).is_none());
    assert_eq!(sync(&house, &rex)["outcome"], "unchanged");
}

#[test]
fn another_spelling_of_the_same_moment_is_no_change() {
    let house = House::new(20);
    house.edit_config(
        "\"%VISITED_AT%\" = \"vet_visit\"",
        "\"%VISITED_AT%\" = \"{{ '2024-07-31T14:05:00+02:00' }}\"",
    );
    let rex = pet(&house, "Rex", OLD);
    sync(&house, &rex);
    // The account keeps it in its own time zone (fact sheet §2.3).
    let kept = house.control.contact(OLD).unwrap().fields["VISITED_AT"].clone();
    assert_ne!(kept, "2024-07-31T14:05:00+02:00");
    change(&house, &rex, "name", "Rex II");
    let ran = house.expect(0, &["sync", "pets", &rex, "--dry-run"]);
    assert!(ran.stdout.contains("%PET_NAME%: Rex → Rex II"), "{ran:#?}");
    assert!(!ran.stdout.contains("VISITED_AT"), "{ran:#?}");
    let line = sync(&house, &rex);
    assert_eq!(field(&line, "%VISITED_AT%")["changes"], false, "{line}");
    assert_eq!(field(&line, "%PET_NAME%")["changes"], true, "{line}");
    assert_eq!(sync(&house, &rex)["outcome"], "unchanged");
}

/// The store knows a version that HighLevel no longer answers.
#[test]
fn a_state_that_is_older_than_a_known_one_is_sent_for_a_person_only() {
    let house = House::new(0);
    let rex = pet(&house, "Rex", OLD);
    assert_eq!(sync(&house, &rex)["outcome"], "synced");
    house.sql(
        "UPDATE records SET version = version + 3600000000; UPDATE links SET version = version + 3600000000",
    );
    change(&house, &rex, "name", "Max");
    house.receive_webhooks("");
    let worker = house.worker("worker");
    let event = json!({"type": "RecordUpdate", "webhookId": "w", "locationId": LOCATION_ID,
        "timestamp": jiff::Timestamp::now().to_string(), "id": rex, "objectKey": PETS, "schemaKey": PETS});
    assert_eq!(house.announce(&worker, &event).status, 200);
    let told = || {
        house
            .jobs()
            .into_iter()
            .find(|job| job["trigger"] == "webhook")
    };
    eventually("an attempt", || {
        told().is_some_and(|job| job["attempts"].as_u64() >= Some(1))
    });
    let job = told().unwrap();
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.contains("an older state of the record"), "{job}");
    let name = || house.control.contact(OLD).unwrap().fields["PET_NAME"].clone();
    assert_eq!(name(), "Rex");
    drop(worker);
    let id = job["id"].as_str().unwrap();
    house.expect(0, &["queue", "retry", id, "--wait"]);
    assert_eq!(name(), "Max");
    assert_eq!(sync(&house, &rex)["outcome"], "unchanged");
}

#[test]
fn an_edit_lasts_through_exports_and_backlogs_until_the_record_changes() {
    let house = House::new(20);
    // Clears go by themselves, and this is about imports.
    house.edit_config("{ from = \"chip\", empty = \"clear\" }", "\"chip\"");
    let pets: Vec<String> = (0..14)
        .map(|number| {
            pet(
                &house,
                &format!("Pet {number}"),
                &format!("pet{number}@example.org"),
            )
        })
        .collect();
    change(&house, &pets[0], "owner_email", "no address");
    house.expect(3, &["sync", "pets", &pets[0]]);
    let failed = house.jobs().remove(0);
    let id = failed["id"].as_str().unwrap();
    let mended = "pet0@example.org";
    house.expect(
        0,
        &["queue", "edit", id, "--set", &format!("email={mended}")],
    );
    house.expect(
        0,
        &[
            "queue",
            "edit",
            id,
            "--set",
            &format!("email={mended}"),
            "--set",
            "name=Pia",
        ],
    );
    house.expect(0, &["worker", "--until-idle"]);
    let name = || {
        house
            .control
            .contact(mended)
            .map(|contact| contact.fields["PET_NAME"].clone())
    };
    assert_eq!(name().as_deref(), Some("Pia"));

    // An export goes by it, and finds nothing to send.
    let since = house.now();
    house.expect(3, &["--json", "export", "pets"]);
    assert_eq!(name().as_deref(), Some("Pia"));
    let wrote = house.writes_since(since);
    assert!(
        wrote
            .iter()
            .all(|entry| !format!("{entry:?}").contains(mended))
    );
    let (full, _) = house.export(&["--full"]);
    assert_eq!(full["state"], "completed");
    assert_eq!(name().as_deref(), Some("Pia"));
    let failed = house.expect(0, &["--json", "queue", "list", "--filter", "state:failed"]);
    assert!(
        failed
            .lines()
            .iter()
            .all(|job| job["record"] != pets[0].as_str())
    );
    // A backlog does.
    house.receive_webhooks("");
    house.edit_config("\"owner_first_name\"", "\"Dear {{ owner_first_name }}\"");
    let worker = house.worker("worker");
    house.expect(0, &["queue", "pause", "--reason", "many at once"]);
    let since = house.now();
    for pet in &pets {
        let event = json!({"type": "RecordUpdate", "webhookId": format!("w-{pet}"), "locationId": LOCATION_ID,
            "timestamp": jiff::Timestamp::now().to_string(), "id": pet, "objectKey": PETS, "schemaKey": PETS});
        assert_eq!(house.announce(&worker, &event).status, 200);
    }
    // What was announced becomes a job a moment later.
    eventually("a job for each", || {
        let told = ["--json", "queue", "list", "--filter", "trigger:webhook"];
        house.expect(0, &told).lines().len() == pets.len()
    });
    house.expect(0, &["queue", "resume"]);
    eventually("all are synced", || {
        let open = house.expect(
            0,
            &[
                "--json",
                "queue",
                "list",
                "--filter",
                "state:ready,running,waiting",
            ],
        );
        open.lines().is_empty()
    });
    drop(worker);
    let wrote = house.writes_since(since);
    assert!(
        wrote.iter().any(|entry| entry.path.contains("bulk_import")),
        "{wrote:#?}"
    );
    assert_eq!(name().as_deref(), Some("Pia"));
    let job = house
        .jobs()
        .into_iter()
        .find(|job| job["record"] == pets[0].as_str())
        .unwrap();
    assert_eq!(job["state"], "done", "{job}");
    let shown = house.expect(0, &["mappings", "preview", "pets", &pets[0]]);
    assert!(shown.stdout.contains("edited by"), "{shown:#?}");
    let detail = house
        .expect(0, &["--json", "queue", "show", job["id"].as_str().unwrap()])
        .json();
    assert_eq!(detail["edits"][1]["properties"]["name"], "Pia", "{detail}");
    assert!(detail["edits"][1]["ended_why"].is_null(), "{detail}");

    // The record changes: what it says counts again.
    change(&house, &pets[0], "owner_email", mended);
    house.expect(0, &["--json", "sync", "pets", &pets[0]]);
    assert_eq!(name().as_deref(), Some("Pet 0"));
    let detail = house
        .expect(0, &["--json", "queue", "show", job["id"].as_str().unwrap()])
        .json();
    assert_eq!(
        detail["edits"][1]["ended_why"], "the record changed",
        "{detail}"
    );
}
