//! Webhooks: from a change in HighLevel to the contact, and everything that must not come through.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Map, Value, json};
use std::io::Write;
use support::worker::{Worker, answer};
use support::{House, PETS, VISITS, eventually};
use tramline::sandbox::{Fault, Kind, LOCATION_ID};

fn properties(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A pet of an owner of its own.
fn pet(house: &House, name: &str, email: &str) -> String {
    let pet = properties(json!({"name": name, "owner_email": email}));
    house.control.create_record(PETS, &pet).unwrap()
}

fn pet_name(house: &House, email: &str) -> Option<String> {
    let contact = house.control.contact(email)?;
    contact.fields.get("PET_NAME").cloned()
}

fn record_event(id: &str, webhook: &str) -> Value {
    json!({"type": "RecordUpdate", "locationId": LOCATION_ID, "id": id, "objectKey": PETS, "webhookId": webhook,
        "timestamp": jiff::Timestamp::now().to_string(), "properties": []})
}

fn reads_of(house: &House, id: &str) -> usize {
    house
        .requests(&format!("GET /objects/{PETS}/records/{id}"))
        .len()
}

/// Waits until the queue has come to rest.
fn at_rest(house: &House) {
    eventually("a queue at rest", || {
        let jobs = house.jobs();
        jobs.iter()
            .all(|job| job["state"] != "ready" && job["state"] != "running")
    });
}

#[test]
fn a_change_in_highlevel_comes_to_its_contact() {
    let house = House::new(20);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    let start = house.now();
    let rex = pet(&house, "Rex", "rex@example.org");
    eventually("the new contact", || {
        pet_name(&house, "rex@example.org").as_deref() == Some("Rex")
    });
    house
        .control
        .set_property(PETS, &rex, "name", json!("Rex II"));
    eventually("the change", || {
        pet_name(&house, "rex@example.org").as_deref() == Some("Rex II")
    });
    at_rest(&house);
    // One read and one write for each change.
    assert_eq!(reads_of(&house, &rex), 2);
    assert_eq!(house.writes_since(start).len(), 2);
    assert!(house.jobs().iter().all(|job| job["trigger"] == "webhook"));
    assert!(
        house
            .control
            .deliveries()
            .iter()
            .all(|sent| sent.status == 200)
    );
    house.assert_no_violation();
}

#[test]
fn only_what_highlevel_signed_is_believed() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    let id = pet(&house, "Rex", "rex@example.org");
    let body = record_event(&id, "w1").to_string();
    let good = house.control.sign(&body);
    let other = House::new(1).control.sign(&body);
    let changed = body.replace("RecordUpdate", "RecordDelete");
    let path = "/webhooks/highlevel";
    for (headers, body, status) in [
        (vec![], &body, "unsigned"),
        (vec![("X-GHL-Signature", "N/A")], &body, "unsigned"),
        (vec![("X-GHL-Signature", "AAAA")], &body, "forged"),
        (vec![("X-GHL-Signature", other.as_str())], &body, "forged"),
        (vec![("X-GHL-Signature", good.as_str())], &changed, "forged"),
        (vec![("X-WH-Signature", good.as_str())], &body, "unsigned"),
        (
            vec![
                ("X-GHL-Signature", good.as_str()),
                ("X-GHL-Signature", other.as_str()),
            ],
            &body,
            "forged",
        ),
    ] {
        let refused = worker.post(path, &headers, body.as_bytes());
        assert_eq!(
            (refused.status, &refused.body["status"]),
            (401, &json!(status)),
            "{headers:?}"
        );
    }
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..50 {
        let body: Vec<u8> = (0..random.usize(0..400)).map(|_| random.u8(..)).collect();
        let refused = worker.post(path, &[("X-GHL-Signature", &good)], &body);
        assert_eq!(refused.status, 401);
    }
    assert_eq!(house.jobs(), Vec::<Value>::new());
    // The same server still takes the real one.
    let taken = worker.post(path, &[("X-GHL-Signature", &good)], body.as_bytes());
    assert_eq!(
        (taken.status, &taken.body["status"]),
        (200, &json!("accepted"))
    );
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
}

#[test]
fn repeats_replays_and_strangers_make_no_work() {
    let house = House::new(5);
    house.receive_webhooks("app_id = \"6878cec452e7c8d29d4dd3d9\"\nmax_age = \"1h\"");
    let worker = house.worker("worker");
    let id = pet(&house, "Rex", "rex@example.org");
    let event = record_event(&id, "w1");
    assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
    at_rest(&house);
    // Replayed as it was, and with everything changed but its id.
    for repeat in [event.clone(), record_event(&id, "w1")] {
        let repeated = house.announce(&worker, &repeat);
        assert_eq!(
            (repeated.status, &repeated.body["status"]),
            (200, &json!("duplicate"))
        );
    }
    // Without a webhookId, by type, id and time.
    let mut unnamed = record_event(&id, "w1");
    unnamed.as_object_mut().unwrap().shift_remove("webhookId");
    assert_eq!(house.announce(&worker, &unnamed).body["status"], "accepted");
    assert_eq!(
        house.announce(&worker, &unnamed).body["status"],
        "duplicate"
    );
    eventually("its read", || reads_of(&house, &id) == 2);

    let with = |key: &str, value: Value| {
        let mut event = record_event(&id, "w2");
        event[key] = value;
        event
    };
    let old = json!("2025-02-10T08:26:05.961Z");
    for (event, status) in [
        (with("locationId", json!("eHy2cOSZxMQzQ6Yyvl8P")), "foreign"),
        (with("appId", json!("665c6bb13d4e5364bdec0e2f")), "foreign"),
        (with("type", json!("ContactUpdate")), "ignored"),
        (with("timestamp", old), "stale"),
    ] {
        let dropped = house.announce(&worker, &event);
        assert_eq!(
            (dropped.status, &dropped.body["status"]),
            (200, &json!(status)),
            "{event}"
        );
    }
    // Of an object that no mapping is about: stored, and nothing follows.
    let business = with("objectKey", json!("business"));
    assert_eq!(
        house.announce(&worker, &business).body["status"],
        "accepted"
    );
    at_rest(&house);
    assert_eq!(reads_of(&house, &id), 2);
    assert_eq!(house.jobs().len(), 2);
}

#[test]
fn what_is_too_large_too_strange_or_half_is_refused() {
    let house = House::new(1);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    let path = "/webhooks/highlevel";
    let large = format!("{{\"x\":\"{}\"}}", "a".repeat(2 * 1024 * 1024));
    let refused = worker.post(path, &[("X-GHL-Signature", "AAAA")], large.as_bytes());
    assert_eq!(refused.status, 413);
    // Signed, and no object.
    let signature = house.control.sign("[1]");
    assert_eq!(
        worker
            .post(path, &[("X-GHL-Signature", &signature)], b"[1]")
            .status,
        400
    );
    let header = "x".repeat(64 * 1024);
    assert_eq!(worker.post(path, &[("X-Long", &header)], b"{}").status, 431);
    assert_eq!(worker.post("/webhooks/other", &[], b"{}").status, 404);
    let mut get = worker.connect();
    get.write_all(b"GET /webhooks/highlevel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert_eq!(answer(get).status, 405);
    let mut nonsense = worker.connect();
    nonsense
        .write_all(b"\x16\x03\x01\x02\x00nonsense\r\n\r\n")
        .unwrap();
    assert_eq!(answer(nonsense).status, 400);
    // Connections that never finish their request do not keep others out.
    let _stalled: Vec<_> = (0..60)
        .map(|_| {
            let mut stream = worker.connect();
            stream
                .write_all(b"POST /webhooks/highlevel HTTP/1.1\r\nHo")
                .unwrap();
            stream
        })
        .collect();
    assert_eq!(worker.post(path, &[], b"{}").status, 401);
}

#[test]
fn a_webhook_is_on_disk_before_it_is_answered() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("first");
    let id = pet(&house, "Rex", "rex@example.org");
    // Without an object key, and with a HighLevel that does not answer, nothing can follow from it yet.
    house.control.fault(Fault {
        times: 1_000_000,
        ..Fault::once(Kind::Status(500), "GET /objects/custom_objects")
    });
    let mut event = record_event(&id, "w1");
    event.as_object_mut().unwrap().shift_remove("objectKey");
    assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
    worker.kill();
    assert_eq!(house.jobs(), Vec::<Value>::new());
    house.control.clear_faults();
    let worker = house.worker("second");
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
    assert_eq!(house.announce(&worker, &event).body["status"], "duplicate");
}

#[test]
fn a_page_in_place_of_a_record_does_not_say_that_it_is_of_another_object() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    let id = pet(&house, "Rex", "rex@example.org");
    // As often as one read is tried.
    house.control.fault(Fault {
        times: 4,
        ..Fault::once(Kind::Html(422), "GET /objects/custom_objects")
    });
    let mut event = record_event(&id, "w1");
    event.as_object_mut().unwrap().shift_remove("objectKey");
    assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
}

#[test]
fn the_object_of_a_record_is_found_where_the_webhook_does_not_name_it() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |to| {
        to.object_key = false;
        to.nested = true;
    });
    let id = pet(&house, "Rex", "rex@example.org");
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
    at_rest(&house);
    // Asked for once, then read by the job.
    assert_eq!(reads_of(&house, &id), 2);
    house
        .control
        .set_property(PETS, &id, "name", json!("Rex II"));
    eventually("the change", || {
        pet_name(&house, "rex@example.org").as_deref() == Some("Rex II")
    });
    at_rest(&house);
    // Known by now.
    assert_eq!(reads_of(&house, &id), 3);
    // A record of no mapped object makes no job.
    let mut stranger = record_event("ffffffffffffffffffffffff", "w9");
    stranger.as_object_mut().unwrap().shift_remove("objectKey");
    assert_eq!(
        house.announce(&worker, &stranger).body["status"],
        "accepted"
    );
    eventually("a look for it", || {
        house
            .requests("GET /objects/custom_objects.visits/records/ffffffffffffffffffffffff")
            .len()
            == 1
    });
    at_rest(&house);
    assert_eq!(house.jobs().len(), 2);
}

#[test]
fn whatever_the_order_the_last_state_stays() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |to| {
        to.reorder = true;
        to.copies = 2;
        to.delay_ms = 15;
    });
    let email = |pet: usize| format!("owner{pet}@example.org");
    let pets: Vec<String> = (0..12).map(|at| pet(&house, "first", &email(at))).collect();
    for round in 0..4 {
        for id in &pets {
            house
                .control
                .set_property(PETS, id, "name", json!(format!("round {round}")));
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    eventually("every delivery", || {
        house.control.deliveries().len() == pets.len() * 5 * 2
    });
    eventually("the last state everywhere", || {
        (0..pets.len()).all(|at| pet_name(&house, &email(at)).as_deref() == Some("round 3"))
    });
    at_rest(&house);
    for at in 0..pets.len() {
        assert_eq!(pet_name(&house, &email(at)).as_deref(), Some("round 3"));
    }
    house.assert_no_violation();
}

#[test]
fn a_relation_ends_the_wait_for_a_contact() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    let visit = properties(json!({"clinic": "Harbour Clinic"}));
    let visit = house.control.create_record(VISITS, &visit).unwrap();
    let job = || {
        let jobs = house.jobs();
        jobs.into_iter().find(|job| job["record"] == visit.as_str())
    };
    eventually("a job that waits for a contact", || {
        job().is_some_and(|job| job["waiting"]["reason"] == "no_contact_yet")
    });
    let until = job().unwrap()["waiting"]["until"].clone();
    let (contact, email) = house
        .control
        .highlevel_contacts()
        .into_iter()
        .find_map(|(id, email)| Some((id, email?)))
        .unwrap();
    assert!(house.control.relate(&visit, &contact));
    eventually("a job that is done", || {
        job().is_some_and(|job| job["state"] == "done")
    });
    // Before its time: both are times in UTC of the same form.
    let done = job().unwrap()["updated_at"].clone();
    let time = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time(&done) < time(&until), "{done} is not before {until}");
    let contact = house.control.contact(&email).unwrap();
    assert_eq!(contact.fields["CLINIC"], "Harbour Clinic");
}

#[test]
fn a_changed_object_is_read_again() {
    let house = House::new(5);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    let schemas = || house.requests("GET /objects/custom_objects.pets?").len();
    let rex = pet(&house, "Rex", "rex@example.org");
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
    house
        .control
        .set_property(PETS, &rex, "name", json!("Rex II"));
    eventually("the change", || {
        pet_name(&house, "rex@example.org").as_deref() == Some("Rex II")
    });
    assert_eq!(schemas(), 1);
    let event = json!({"type": "ObjectSchemaUpdate", "locationId": LOCATION_ID, "key": PETS, "webhookId": "s1"});
    assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
    // The order of working off is that of receipt, so the next change finds the schema forgotten.
    house
        .control
        .set_property(PETS, &rex, "name", json!("Rex III"));
    eventually("the change", || {
        pet_name(&house, "rex@example.org").as_deref() == Some("Rex III")
    });
    assert_eq!(schemas(), 2);
}

#[test]
fn changes_that_come_at_once_read_every_catalogue_once() {
    let house = House::new(5);
    house.receive_webhooks("");
    let config = house.read("config.toml");
    let rule = "[[mappings.pets.rules]]\nname = \"new\"\nwhen = \"true\"\non_first_sync = true\n\
                add_tags = \"Donor\"\nsubscribe = \"Adopters\"\n";
    house.write("config.toml", &format!("{config}\n{rule}"));
    let owner = |number: usize| format!("owner{number}@example.org");
    let pets: Vec<String> = (0..8).map(|n| pet(&house, "Rex", &owner(n))).collect();
    let worker = house.worker("worker");
    // While the first one reads, the others come to want the same.
    let catalogues = [
        "GET /objects/custom_objects.pets?",
        "GET /api/3/fields",
        "GET /api/3/tags",
        "GET /api/3/lists",
    ];
    for route in catalogues {
        house.control.fault(Fault {
            ms: Some(400),
            ..Fault::once(Kind::Slow, route)
        });
    }
    for (number, pet) in pets.iter().enumerate() {
        let event = record_event(pet, &format!("w{number}"));
        assert_eq!(house.announce(&worker, &event).body["status"], "accepted");
    }
    eventually("all on the list", || {
        (0..8).all(|number| {
            let contact = house.control.contact(&owner(number));
            contact.is_some_and(|contact| contact.lists.contains_key("Adopters"))
        })
    });
    for route in catalogues {
        let pages = house.requests(route);
        let mut paths: Vec<&str> = pages.iter().map(|page| page.path.as_str()).collect();
        assert!(!paths.is_empty(), "{route}");
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), pages.len(), "{route}: {pages:#?}");
    }
}

fn hook(
    worker: &Worker,
    mapping: &str,
    token: Option<&str>,
    body: Value,
) -> support::worker::Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer
        .iter()
        .map(|bearer| ("Authorization", bearer.as_str()))
        .collect();
    worker.post(
        &format!("/hooks/{mapping}"),
        &headers,
        body.to_string().as_bytes(),
    )
}

#[test]
fn a_workflow_names_records_with_its_token() {
    let house = House::new(5);
    house.write("hook.token", "workflow-secret");
    house.receive_webhooks("token = { file = \"hook.token\" }");
    let worker = house.worker("worker");
    let rex = pet(&house, "Rex", "rex@example.org");
    let luna = pet(&house, "Luna", "luna@example.org");
    let token = Some("workflow-secret");
    for wrong in [None, Some("wrong"), Some(""), Some("workflow-secret2")] {
        assert_eq!(hook(&worker, "pets", wrong, json!({"id": rex})).status, 401);
        assert_eq!(
            hook(&worker, "nobody", wrong, json!({"id": rex})).status,
            401
        );
    }
    assert_eq!(
        hook(&worker, "nobody", token, json!({"id": rex})).status,
        404
    );
    assert_eq!(
        hook(
            &worker,
            "pets",
            token,
            json!({"id": rex, "schemaKey": VISITS})
        )
        .status,
        422
    );
    assert_eq!(
        hook(&worker, "pets", token, json!({"name": "Rex"})).status,
        422
    );
    assert_eq!(hook(&worker, "pets", token, json!([])).status, 400);
    assert_eq!(house.jobs(), Vec::<Value>::new());
    let taken = hook(
        &worker,
        "pets",
        token,
        json!({"recordId": rex, "records": [{"id": luna, "objectKey": PETS}]}),
    );
    assert_eq!(taken.status, 202);
    let ids = taken.body["jobs"].as_array().unwrap().clone();
    eventually("both contacts", || {
        pet_name(&house, "rex@example.org").is_some()
            && pet_name(&house, "luna@example.org").is_some()
    });
    let jobs = house.jobs();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| jobs.iter().any(|job| job["id"] == *id)));
    // A token that was changed is read again.
    house.write("hook.token", "another-secret");
    eventually("the new token", || {
        hook(&worker, "pets", Some("another-secret"), json!({"id": rex})).status != 401
    });
    assert_eq!(hook(&worker, "pets", token, json!({"id": rex})).status, 401);
    let log = house.read("tramline.log") + &house.read("worker.stderr");
    assert!(!log.contains("workflow-secret") && !log.contains("another-secret"));
}

#[test]
fn a_changed_address_takes_its_contact_along() {
    let house = House::new(5);
    house.edit_config(
        "email = \"owner_email\"",
        "email = \"owner_email\"\non_email_change = \"rename\"",
    );
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    let rex = pet(&house, "Rex", "rex@example.org");
    eventually("the contact", || {
        house.control.contact("rex@example.org").is_some()
    });
    at_rest(&house);
    let id = house.control.contact("rex@example.org").unwrap().id;
    house
        .control
        .set_property(PETS, &rex, "owner_email", json!("rex.new@example.org"));
    eventually("the new address", || {
        house.control.contact("rex.new@example.org").is_some()
    });
    assert_eq!(house.control.contact("rex.new@example.org").unwrap().id, id);
    assert!(house.control.contact("rex@example.org").is_none());
}

#[test]
fn a_second_worker_takes_the_address_over_when_the_first_is_gone() {
    let house = House::new(5);
    house.receive_webhooks("");
    let first = house.worker("first");
    let address = first.address.clone();
    // Asked for by name, it is an error.
    let refused = house.expect(2, &["worker", "--listen", &address]);
    assert!(refused.stderr.contains("cannot listen on"), "{refused:?}");
    house.edit_config(
        "listen = \"127.0.0.1:0\"",
        &format!("listen = \"{address}\""),
    );
    let mut second = house.start("second", &["worker"]);
    eventually("a worker that stands by", || {
        house.read("second.stderr").contains("is in use")
    });
    first.kill();
    let id = pet(&house, "Rex", "rex@example.org");
    let event = record_event(&id, "w1");
    eventually("the second one at the address", || {
        let stream = std::net::TcpStream::connect(&address);
        stream.is_ok_and(|stream| {
            let body = event.to_string();
            let signature = house.control.sign(&body);
            support::worker::send(
                stream,
                "/webhooks/highlevel",
                &[("X-GHL-Signature", &signature)],
                body.as_bytes(),
            )
            .status
                == 200
        })
    });
    eventually("the contact", || {
        pet_name(&house, "rex@example.org").is_some()
    });
    second.kill().unwrap();
    second.wait().unwrap();
}

#[test]
fn what_config_says_of_webhooks_is_checked() {
    let house = House::new(5);
    house.write("hook.token", "workflow-secret");
    house.receive_webhooks("token = { file = \"hook.token\" }");
    let fine = house.expect(0, &["--json", "check"]);
    assert!(fine.stdout.contains("webhooks public_key"), "{fine:?}");
    assert!(!fine.stdout.contains("workflow-secret"));
    house.write("webhook.key", "no key at all");
    let bad = house.expect(1, &["check"]);
    assert!(bad.stdout.contains("no Ed25519 public key"), "{bad:?}");
    let refused = house.expect(2, &["worker"]);
    assert!(
        refused.stderr.contains("no Ed25519 public key") && refused.stderr.contains("webhook.key"),
        "{refused:?}"
    );
    house.edit_config("[webhooks]", "[webhooks]\nmax_age = \"soon\"");
    let refused = house.expect(2, &["worker"]);
    assert!(refused.stderr.contains("is no age"), "{refused:?}");
}
