//! A record that is deleted: who takes over its contact, and what `on_delete` does with one that nobody takes over.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::worker::Worker;
use support::{House, PETS, eventually, side_by_side};
use tramline::sandbox::{Fault, Kind, LOCATION_ID};

const REX: &str = "rex@example.org";
const LUNA: &str = "luna@example.org";

fn pet(house: &House, name: &str, email: &str) -> String {
    let pet = json!({"name": name, "owner_email": email});
    house
        .control
        .create_record(PETS, pet.as_object().unwrap())
        .unwrap()
}

fn house(on_delete: &str, more: &str) -> House {
    furnished(House::new(10), on_delete, more)
}

fn furnished(house: House, on_delete: &str, more: &str) -> House {
    house.edit_config(
        "email = \"owner_email\"",
        &format!("email = \"owner_email\"\non_delete = \"{on_delete}\""),
    );
    let mut config = house.read("config.toml");
    config.push_str(more);
    house.write("config.toml", &config);
    house.receive_webhooks("");
    house
}

/// The record's job, once it is over.
fn ended(house: &House, record: &str, state: &str) -> Value {
    let mut found = Value::Null;
    eventually("the end of the record's job", || {
        let jobs = house.jobs();
        let open = jobs.iter().any(|job| {
            ["ready", "running", "waiting"]
                .iter()
                .any(|open| job["state"] == *open)
        });
        found = jobs
            .into_iter()
            .find(|job| job["record"] == record)
            .unwrap_or_default();
        !open && !found.is_null()
    });
    assert_eq!(found["state"], state, "{found}");
    found
}

/// A worker that hears of every change, and a pet whose contact Tramline made.
fn with_rex(house: &House) -> (Worker, String) {
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    let rex = pet(house, "Rex", REX);
    eventually("the contact", || house.control.contact(REX).is_some());
    ended(house, &rex, "done");
    (worker, rex)
}

#[test]
fn by_default_the_contact_stays() {
    let house = house("keep", "");
    let (_worker, rex) = with_rex(&house);
    let writes = house.now();
    house.control.delete_record(PETS, &rex);
    eventually("its look for the record", || house.jobs().len() == 2);
    let job = ended(&house, &rex, "done");
    assert_eq!(job["ended"]["outcome"], "skipped", "{job}");
    let why = job["ended"]["why"].as_str().unwrap();
    assert!(why.contains("on_delete = \"keep\""), "{why}");
    assert!(house.control.contact(REX).is_some());
    assert!(house.writes_since(writes).is_empty());
}

#[test]
fn the_next_in_line_takes_over_before_on_delete_is_asked() {
    let house = house("delete", "");
    let (_worker, rex) = with_rex(&house);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let luna = pet(&house, "Luna", REX);
    let name = || {
        house
            .control
            .contact(REX)
            .map(|contact| contact.fields["PET_NAME"].clone())
    };
    eventually("the newer pet", || name().as_deref() == Some("Luna"));
    ended(&house, &luna, "done");
    house.control.delete_record(PETS, &luna);
    eventually("the older one again", || name().as_deref() == Some("Rex"));
    ended(&house, &luna, "done");
    // The last one goes, and the contact with it.
    house.control.delete_record(PETS, &rex);
    eventually("no contact", || house.control.contact(REX).is_none());
}

#[test]
fn a_tag_is_put_on_it() {
    let house = house("tag:Pet Gone", "");
    house.write(
        "tag.json",
        r#"{"tag":{"tag":"pet gone","tagType":"contact","description":""}}"#,
    );
    house.expect(
        0,
        &[
            "api",
            "activecampaign",
            "POST",
            "/tags",
            "--data",
            "tag.json",
        ],
    );
    let (_worker, rex) = with_rex(&house);
    house.control.delete_record(PETS, &rex);
    eventually("the tag", || {
        house.control.contact(REX).unwrap().tags == ["pet gone"]
    });
    ended(&house, &rex, "done");
    house.assert_no_violation();
}

#[test]
fn a_tag_that_is_not_there_is_an_error_that_names_it() {
    let house = house("tag:Pet Gone", "");
    let (_worker, rex) = with_rex(&house);
    house.control.delete_record(PETS, &rex);
    eventually("a failed job", || {
        house.jobs().iter().any(|job| job["state"] == "failed")
    });
    let job = ended(&house, &rex, "failed");
    assert_eq!(job["error"]["field"], "on_delete");
    assert!(
        job["error"]["message"]
            .as_str()
            .unwrap()
            .contains("Pet Gone"),
        "{job}"
    );
}

#[test]
fn it_leaves_the_lists_that_the_mapping_names() {
    let rule = "\n[[mappings.pets.rules]]\nname = \"adopted\"\nwhen = \"status == 'adopted'\"\nsubscribe = [\" master contact list\"]\n";
    let house = house("unsubscribe", rule);
    let (_worker, rex) = with_rex(&house);
    let contact = house.control.contact(REX).unwrap().id;
    house.write(
        "list.json",
        &json!({"contactList": {"list": 1, "contact": contact, "status": 1}}).to_string(),
    );
    house.expect(
        0,
        &[
            "api",
            "activecampaign",
            "POST",
            "/contactLists",
            "--data",
            "list.json",
        ],
    );
    let lists = house.control.contact(REX).unwrap().lists;
    let name = lists.keys().next().unwrap().clone();
    assert_eq!(
        (name.to_lowercase().as_str(), lists[&name]),
        ("master contact list", 1)
    );
    house.control.delete_record(PETS, &rex);
    eventually("the end of the subscription", || {
        house.control.contact(REX).unwrap().lists[&name] == 2
    });
    ended(&house, &rex, "done");
    house.assert_no_violation();
}

#[test]
fn only_a_contact_that_tramline_made_is_deleted() {
    let house = house("delete", "");
    house.write(
        "contact.json",
        &json!({"contact": {"email": REX, "firstName": "Jo"}}).to_string(),
    );
    house.expect(
        0,
        &[
            "api",
            "activecampaign",
            "POST",
            "/contact/sync",
            "--data",
            "contact.json",
        ],
    );
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let (_worker, rex) = with_rex(&house);
    house.control.delete_record(PETS, &rex);
    eventually("a failed job", || {
        house.jobs().iter().any(|job| job["state"] == "failed")
    });
    let job = ended(&house, &rex, "failed");
    assert!(
        job["error"]["message"]
            .as_str()
            .unwrap()
            .contains("did not create"),
        "{job}"
    );
    assert!(house.control.contact(REX).is_some());
}

/// An import's result that leaves a row out names the ids of contacts that were there before like those it made.
#[test]
fn a_contact_that_an_import_found_is_not_taken_for_its_own() {
    side_by_side(["export", "backlog"], |by| {
        let quirky = House::quirky(20, |quirks| quirks.exclusions_are_named = false);
        quirky.edit_config("{ from = \"chip\", empty = \"clear\" }", "\"chip\"");
        let house = furnished(quirky, "delete", "");
        house.write(
            "contact.json",
            &json!({"contact": {"email": REX, "firstName": "Jo"}}).to_string(),
        );
        let sync = ["api", "activecampaign", "POST", "/contact/sync"];
        house.expect(0, &[&sync[..], &["--data", "contact.json"]].concat());
        // Times of contacts have whole seconds, and an import may begin a moment before its answer comes.
        std::thread::sleep(std::time::Duration::from_millis(3_100));
        house.control.exclude("milo@example.org");
        let worker = house.worker("worker");
        let pets = || {
            pet(&house, "Milo", "milo@example.org");
            [("Rex", REX), ("Luna", LUNA)].map(|(name, email)| pet(&house, name, email))
        };
        let [rex, luna] = if by == "export" {
            let pets = pets();
            house.run(&["export", "pets"]);
            house.subscribe(&worker, |_| {});
            pets
        } else {
            // So many at once go by an import as well.
            house.subscribe(&worker, |_| {});
            house.expect(0, &["queue", "pause", "--reason", "a backlog"]);
            let pets = pets();
            for number in 0..37 {
                pet(&house, "Bello", &format!("bello{number}@example.org"));
            }
            eventually("a backlog", || house.jobs().len() == 40);
            house.expect(0, &["queue", "resume"]);
            ended(&house, &pets[0], "done");
            pets
        };
        assert!(!house.requests("bulk_import").is_empty(), "{by}");
        house.control.delete_record(PETS, &luna);
        eventually("the end of a contact that the import made", || {
            house.control.contact(LUNA).is_none()
        });
        house.control.delete_record(PETS, &rex);
        eventually("what comes of the deletion", || {
            let failed = |job: &Value| job["record"] == *rex && job["state"] == "failed";
            house.jobs().iter().any(failed) || house.control.contact(REX).is_none()
        });
        let job = ended(&house, &rex, "failed");
        let message = job["error"]["message"].as_str().unwrap();
        assert!(message.contains("did not create"), "{by}: {job}");
        assert!(house.control.contact(REX).is_some(), "{by}");
    });
}

/// What stands between may answer with a page of its own, and any status: it knows nothing of the record.
#[test]
fn a_web_page_does_not_say_that_a_record_is_gone() {
    let house = house("delete", "");
    let (worker, rex) = with_rex(&house);
    let read = format!("GET /objects/{PETS}/records/{rex}");
    house.control.fault(Fault::once(Kind::Html(404), &read));
    let event = json!({"type": "RecordDelete", "id": rex, "objectKey": PETS, "webhookId": "w-page",
        "locationId": LOCATION_ID});
    assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
    // The record is there: what was announced is not so.
    ended(&house, &rex, "done");
    assert!(house.control.contact(REX).is_some());
    let log = house.control.log();
    assert!(
        log.iter()
            .filter(|entry| entry.path.ends_with(&rex))
            .count()
            >= 2,
        "the record was not asked for again"
    );
}

#[test]
fn a_contact_that_another_mapping_links_is_not_deleted() {
    let other = "\n[mappings.other]\nobject = \"custom_objects.pets\"\nemail = \"owner_email\"\n[mappings.other.fields]\n\"%BREED%\" = \"breed\"\n";
    let house = house("delete", other);
    let (_worker, rex) = with_rex(&house);
    house.control.delete_record(PETS, &rex);
    eventually("a failed job", || {
        house.jobs().iter().any(|job| job["state"] == "failed")
    });
    let jobs = house.jobs();
    let failed = jobs.iter().find(|job| job["state"] == "failed").unwrap();
    assert_eq!(failed["mapping"], "pets");
    assert!(
        failed["error"]["message"]
            .as_str()
            .unwrap()
            .contains("mapping other"),
        "{failed}"
    );
    assert!(house.control.contact(REX).is_some());
}

#[test]
fn a_deletion_is_believed_only_with_its_announcement_and_a_readable_object() {
    let house = house("delete", "");
    let worker = house.worker("worker");
    let rex = pet(&house, "Rex", REX);
    house.expect(0, &["sync", "pets", &rex]);
    let event = |webhook: &str| {
        json!({"type": "RecordDelete", "locationId": LOCATION_ID, "id": rex, "webhookId": webhook,
            "timestamp": jiff::Timestamp::now().to_string(), "properties": []})
    };
    // Announced, and still there: the record is read, and nothing happens.
    assert_eq!(
        house.announce(&worker, &event("d1")).body["status"],
        "accepted"
    );
    eventually("its job", || house.jobs().len() == 2);
    ended(&house, &rex, "done");
    assert!(house.control.contact(REX).is_some());
    // It is said to be there again, then goes without a word: a person's sync finds it gone.
    let update = json!({"type": "RecordUpdate", "locationId": LOCATION_ID, "id": rex, "objectKey": PETS, "webhookId": "u1",
        "timestamp": jiff::Timestamp::now().to_string()});
    assert_eq!(house.announce(&worker, &update).body["status"], "accepted");
    eventually("its job", || house.jobs().len() == 3);
    ended(&house, &rex, "done");
    house.control.delete_record(PETS, &rex);
    house.expect(3, &["sync", "pets", &rex]);
    assert!(house.control.contact(REX).is_some());
    // Announced and gone, but the object cannot be read either: the token or the location is at fault.
    house.control.fault(Fault {
        times: 1_000_000,
        ..Fault::once(Kind::Status(404), "GET /objects/custom_objects.pets")
    });
    assert_eq!(
        house.announce(&worker, &event("d2")).body["status"],
        "accepted"
    );
    eventually("a look", || {
        house
            .requests("GET /objects/custom_objects.pets?")
            .iter()
            .any(|entry| entry.status == 404)
    });
    ended(&house, &rex, "failed");
    assert!(house.control.contact(REX).is_some());
    // With both, it goes.
    house.control.clear_faults();
    assert_eq!(
        house.announce(&worker, &event("d3")).body["status"],
        "accepted"
    );
    eventually("no contact", || house.control.contact(REX).is_none());
    ended(&house, &rex, "done");
}

/// Events come in any order: one about a record that is gone is a failure only where nobody said that it was deleted.
#[test]
fn news_that_come_after_a_deletion_are_no_failure() {
    let house = house("keep", "");
    let worker = house.worker("worker");
    for announced in [true, false] {
        let record = pet(&house, "Rex", &format!("{announced}@example.org"));
        let jobs_before = house.jobs().len();
        house.expect(0, &["sync", "pets", &record]);
        house.control.delete_record(PETS, &record);
        let tell = |kind: &str, jobs: usize| {
            let event = json!({"type": kind, "locationId": LOCATION_ID, "id": record, "objectKey": PETS,
                "webhookId": format!("{kind} {record}"), "timestamp": jiff::Timestamp::now().to_string(), "properties": []});
            assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
            eventually("its job", || house.jobs().len() == jobs_before + jobs);
        };
        if announced {
            tell("RecordDelete", 2);
            ended(&house, &record, "done");
            tell("RecordUpdate", 3);
            ended(&house, &record, "done");
        } else {
            tell("RecordUpdate", 2);
            let failed = ended(&house, &record, "failed");
            assert_eq!(failed["error"]["class"], "missing", "{failed}");
        }
    }
}

#[test]
fn of_two_mappings_that_delete_the_last_one_does() {
    let other = "\n[mappings.other]\nobject = \"custom_objects.pets\"\nemail = \"owner_email\"\non_delete = \"delete\"\n[mappings.other.fields]\n\"%BREED%\" = \"breed\"\n";
    let house = house("delete", other);
    let (_worker, rex) = with_rex(&house);
    eventually("both jobs", || house.jobs().len() == 2);
    house.control.delete_record(PETS, &rex);
    eventually("no contact", || house.control.contact(REX).is_none());
    eventually("four jobs that are done", || {
        let jobs = house.jobs();
        jobs.len() == 4 && jobs.iter().all(|job| job["state"] == "done")
    });
    assert_eq!(house.requests("DELETE /api/3/contacts/").len(), 1);
}
