//! The same faults on the calls of a single sync: it waits, tries again, and says how it ended.

use super::side_by_side;
use super::support::{House, PETS, eventually};
use serde_json::json;
use tramline::sandbox::{Fault, Kind};

const READ: &str = "GET /objects/custom_objects.pets/records/";
const SYNC: &str = "POST /api/3/contact/sync";
const OWNER: &str = "owner@example.org";

/// A house with a pet whose contact is in step.
fn house() -> (House, String) {
    let house = House::new(3);
    let pet = json!({"name": "Rex", "owner_email": OWNER});
    let pet = house.control.create_record(PETS, pet.as_object().unwrap());
    let pet = pet.unwrap();
    house.expect(0, &["sync", "pets", &pet]);
    (house, pet)
}

/// A sync of a changed record meets a fault so many times; how it says it ended.
fn through(house: &House, pet: &str, number: usize, fault: Fault) {
    let what = format!(
        "{} on {}, {:?}",
        fault.kind.name(),
        fault.route,
        fault.retry_after
    );
    let name = format!("Rex {number}");
    house
        .control
        .set_property(PETS, pet, "name", name.as_str().into());
    let start = house.now();
    house.control.fault(fault.clone());
    let ran = house.expect(0, &["--json", "sync", "pets", pet]);
    let log = house.control.log_since(start);
    let route = |path: &str, method: &str| format!("{method} {path}").contains(&fault.route);
    let calls: Vec<_> = log
        .iter()
        .filter(|entry| route(&entry.path, &entry.method))
        .collect();
    let struck = calls.iter().filter(|entry| entry.fault.is_some()).count();
    assert_eq!(struck, fault.times, "{what}");
    // What took effect without saying so is found in place.
    let took_effect = matches!(
        fault.kind,
        Kind::LostAck | Kind::HalfBody | Kind::TruncatedJson | Kind::StallBody
    );
    let (outcome, asked_again) = if fault.route == SYNC && took_effect {
        ("unchanged", 0)
    } else {
        ("synced", 1)
    };
    assert_eq!(ran.summary()["outcome"], outcome, "{what}: {ran:#?}");
    assert_eq!(calls.len(), fault.times + asked_again, "{what}: {log:#?}");
    let contact = house.control.contact(OWNER).unwrap();
    assert_eq!(contact.fields["PET_NAME"], name, "{what}");
    if let Some(seconds) = fault.retry_after {
        for pair in calls.windows(2) {
            let waited = pair[1].at - pair[0].at;
            assert!(
                waited >= i64::try_from(seconds).unwrap() * 1_000_000,
                "{what}: asked again after {waited} µs"
            );
        }
    }
}

#[test]
fn each_call_of_a_single_sync_survives_each_fault() {
    const SHORT: [&str; 10] = [
        "500",
        "502",
        "503",
        "511",
        "429",
        "html",
        "empty_200",
        "reset",
        "half_body",
        "truncated_json",
    ];
    let mut stories: Vec<Vec<Fault>> = Vec::new();
    for route in [READ, SYNC] {
        let fault = |name: &str| Fault::once(Kind::from_name(name).unwrap(), route);
        stories.push(SHORT[..5].iter().map(|name| fault(name)).collect());
        stories.push(SHORT[5..].iter().map(|name| fault(name)).collect());
        let told = |name: &str, times| Fault {
            retry_after: Some(1),
            ..fault(name).times(times)
        };
        stories.push(vec![told("429", 2), told("503", 1)]);
        stories.push(vec![fault("stall")]);
        stories.push(vec![fault("stall_body")]);
    }
    stories.push(vec![
        Fault::once(Kind::LostAck, SYNC),
        // At times false (fact sheet §1.2).
        Fault::once(Kind::Status(403), SYNC).times(2),
    ]);
    side_by_side(stories, |faults| {
        let (house, pet) = house();
        for (number, fault) in faults.into_iter().enumerate() {
            through(&house, &pet, number, fault);
        }
        house.assert_no_violation();
    });
}

/// A worker goes by the fingerprint of what was confirmed: what was refused or not heard of must leave none.
#[test]
fn a_worker_sends_again_what_was_not_confirmed() {
    let (house, pet) = house();
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    for (number, kind) in ["500", "reset", "empty_200"].into_iter().enumerate() {
        let name = format!("Rex {number}");
        let kind = Kind::from_name(kind).unwrap();
        house.control.fault(Fault::once(kind, SYNC));
        house
            .control
            .set_property(PETS, &pet, "name", name.as_str().into());
        eventually("an end of its job", || {
            let jobs = house.jobs();
            jobs.len() == number + 2 && jobs.iter().all(|job| job["state"] == "done")
        });
        let contact = house.control.contact(OWNER).unwrap();
        assert_eq!(contact.fields["PET_NAME"], name, "{kind:?}");
    }
}

/// The token is another one from one moment to the next, between two calls of a worker: one 401, and the sync goes on.
#[test]
fn a_token_that_is_rotated_under_a_worker_costs_one_refusal() {
    let (house, pet) = house();
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    let named = |name: &str| {
        house
            .control
            .contact(OWNER)
            .is_some_and(|contact| contact.fields["PET_NAME"] == name)
    };
    house.control.set_property(PETS, &pet, "name", json!("one"));
    eventually("a sync by the first token", || named("one"));
    let start = house.now();
    house.control.set_highlevel_token("another-token-0815");
    house.write("highlevel.token", "another-token-0815\n");
    house.control.set_property(PETS, &pet, "name", json!("two"));
    eventually("a sync by the second token", || named("two"));
    eventually("its end", || {
        house.jobs().iter().all(|job| job["state"] == "done")
    });
    let log = house.control.log_since(start);
    let refused = log.iter().filter(|entry| entry.status == 401).count();
    assert_eq!(refused, 1, "{log:#?}");
    let tried = house.jobs().into_iter().map(|job| job["attempts"].clone());
    assert!(tried.into_iter().all(|attempts| attempts == 1));
}
