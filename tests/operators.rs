//! What an operator does to the queue, from the command line to the wire: pause, edit, retry by group, look who did it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use support::{House, PETS, eventually, freeze, signal};
use tramline::config::Config;
use tramline::model::Trigger;
use tramline::model::bulk::BulkAction;
use tramline::operations::queue::Chosen;
use tramline::operations::{OpenOptions, Operations};
use tramline::sandbox::{Entry, Fault, Kind};
use tramline::store::{NewJob, Store, SystemClock};

const SYNC: &str = "POST /api/3/contact/sync";
const SCHEMA: &str = "GET /objects/custom_objects.pets?";

/// Records that can be synced, each with an address of its own.
fn syncable(house: &House, number: usize) -> Vec<String> {
    let mut found = Vec::new();
    for record in house.control.records(PETS) {
        if found.len() == number {
            break;
        }
        let ran = house.run(&["--json", "sync", "pets", &record.id, "--dry-run"]);
        if ran.code == Some(0) {
            let address = format!("owner{}@example.org", found.len());
            assert!(
                house
                    .control
                    .set_property(PETS, &record.id, "owner_email", json!(address))
            );
            found.push(record.id);
        }
    }
    assert_eq!(found.len(), number);
    found
}

fn jobs(house: &House, filter: &str) -> Vec<Value> {
    house
        .expect(0, &["--json", "queue", "list", "--filter", filter])
        .lines()
}

fn job_of(house: &House, record: &str) -> Value {
    jobs(house, &format!("record:{record}")).remove(0)
}

fn id(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

/// Lets the record fail for its address; its job.
fn fail(house: &House, record: &str) -> Value {
    house
        .control
        .set_property(PETS, record, "owner_email", json!("not an address"));
    house.expect(3, &["sync", "pets", record]);
    let job = job_of(house, record);
    assert_eq!(job["state"], "failed");
    job
}

fn why(house: &House, job: &Value) -> String {
    house.expect(0, &["queue", "why", id(job)]).stdout
}

#[test]
fn a_pause_stops_what_is_due_and_says_so_until_a_person_resumes() {
    let house = House::new(30);
    let records = syncable(&house, 1);
    for scope in [
        &["--mapping", "pets"][..],
        &["--connection", "default"],
        &[],
    ] {
        let mut pause = vec!["--json", "queue", "pause", "--reason", "the account moves"];
        pause.extend(scope);
        let pauses = house.expect(0, &pause).lines();
        assert_eq!(pauses[0]["kind"], "person");
        let since = house.now();
        let ran = house.expect(3, &["--json", "sync", "pets", &records[0]]);
        assert_eq!(ran.lines()[0]["outcome"], "waiting");
        assert!(house.writes_since(since).is_empty());
        let job = job_of(&house, &records[0]);
        assert_eq!(job["state"], "waiting");
        assert_eq!(job["waiting"]["reason"], "paused");
        assert_eq!(jobs(&house, "reason:paused").len(), 1);
        assert_eq!(jobs(&house, "state:ready").len(), 0);
        let sentence = why(&house, &job);
        assert!(sentence.contains("the account moves"), "{sentence}");
        assert!(sentence.contains("no worker is alive"), "{sentence}");
        let mut resume = vec!["--json", "queue", "resume"];
        resume.extend(scope);
        assert_eq!(house.expect(0, &resume).lines().len(), 1);
        assert_eq!(job_of(&house, &records[0])["state"], "ready");
        house.expect(0, &["worker", "--until-idle"]);
        assert_eq!(job_of(&house, &records[0])["state"], "done");
    }
    // It ends by itself, and wants a reason and a time to come.
    house.expect(0, &["queue", "pause", "--reason", "lunch", "--until", "1s"]);
    std::thread::sleep(Duration::from_millis(1_100));
    house.expect(0, &["sync", "pets", &records[0]]);
    house.expect(2, &["queue", "pause"]);
    house.expect(2, &["queue", "pause", "--reason", " "]);
    house.expect(2, &["queue", "pause", "--reason", "x", "--until", "soon"]);
    house.expect(
        2,
        &[
            "queue",
            "pause",
            "--reason",
            "x",
            "--until",
            "2020-01-01T00:00:00Z",
        ],
    );
    house.expect(
        2,
        &["queue", "pause", "--reason", "x", "--mapping", "nobody"],
    );
    house.expect(2, &["--read-only", "queue", "pause", "--reason", "x"]);
}

#[test]
fn the_end_of_a_pause_is_said_with_its_zone() {
    let house = House::new(1);
    let pause = ["queue", "pause", "--reason", "night", "--until"];
    let until = "2099-11-27T19:20:00Z";
    let paused = house.expect(0, &[&pause[..], &[until]].concat());
    let end = "2099-11-27 19:20:00 UTC";
    assert!(paused.stdout.contains(end), "{paused:#?}");
    let listed = house.expect(0, &["queue", "list"]);
    let said = format!(" until {end}: night");
    assert!(listed.stderr.contains(&said), "{listed:#?}");
    assert!(listed.stderr.contains(" UTC until "), "{listed:#?}");
}

#[test]
fn a_dead_credential_stops_its_account_at_once_and_a_good_one_lets_it_go_on() {
    let house = House::new(30);
    let records = syncable(&house, 2);
    for route in [SYNC, "/users/me"] {
        house.control.fault(Fault {
            api: "activecampaign".into(),
            ..Fault::once(Kind::Status(401), route).times(1_000)
        });
    }
    house.expect(3, &["sync", "pets", &records[0]]);
    let job = job_of(&house, &records[0]);
    assert_eq!(job["attempts"], 0);
    assert_eq!(job["waiting"]["reason"], "breaker_open");
    assert_eq!(job["error"]["class"], "auth");
    // The next one is not even tried; the account is asked once, because this process has read the token anew.
    let since = house.now();
    house.expect(3, &["sync", "pets", &records[1]]);
    assert!(house.writes_since(since).is_empty());
    assert_eq!(jobs(&house, "reason:breaker_open").len(), 2);
    let sentence = why(&house, &job);
    assert!(
        sentence.contains("ActiveCampaign refuses the token"),
        "{sentence}"
    );

    house.control.clear_faults();
    let mut worker = house.start("worker", &["worker"]);
    eventually("both jobs are done", || {
        jobs(&house, "state:done").len() == 2
    });
    signal(worker.id(), "TERM");
    worker.wait().unwrap();
    house.assert_no_violation();
}

#[test]
fn an_edit_is_checked_sent_and_over_when_the_record_changes() {
    let house = House::new(30);
    let records = syncable(&house, 1);
    let job = fail(&house, &records[0]);
    let refused = house.expect(
        1,
        &[
            "--json",
            "queue",
            "edit",
            id(&job),
            "--set",
            "email=nonsense",
        ],
    );
    assert!(refused.stderr.contains("no e-mail address"), "{refused:#?}");
    let unknown = house.expect(2, &["queue", "edit", id(&job), "--set", "nosuch=1"]);
    assert!(unknown.stderr.contains("nosuch"), "{unknown:#?}");
    house.expect(2, &["queue", "edit", id(&job), "--set", "novalue"]);
    assert_eq!(job_of(&house, &records[0])["state"], "failed");

    let edit = [
        "queue",
        "edit",
        id(&job),
        "--set",
        "email=mended@example.org",
    ];
    house.expect(0, &edit);
    house.expect(0, &["worker", "--until-idle"]);
    assert_eq!(job_of(&house, &records[0])["state"], "done");
    assert!(house.control.contact("mended@example.org").is_some());
    let shown = house
        .expect(0, &["--json", "queue", "show", id(&job)])
        .json();
    assert_eq!(
        shown["edits"][0]["properties"]["owner_email"],
        "mended@example.org"
    );
    assert_eq!(shown["history"][1]["edit"], 1);
    assert!(shown["history"][0].get("edit").is_none());
    // Over: neither edited nor run again.
    house.expect(2, &edit);

    let job = fail(&house, &records[0]);
    house.write(
        "edit.json",
        r#"{"owner_email":"again@example.org","name":"Rexina"}"#,
    );
    house.expect(0, &["queue", "edit", id(&job), "--data", "edit.json"]);
    house
        .control
        .set_property(PETS, &records[0], "name", json!("Changed"));
    house.expect(0, &["worker", "--until-idle"]);
    assert_eq!(job_of(&house, &records[0])["state"], "failed");
    assert!(house.control.contact("again@example.org").is_none());
    let shown = house
        .expect(0, &["--json", "queue", "show", id(&job)])
        .json();
    assert_eq!(shown["edits"][0]["ended_why"], "the record changed");
}

#[test]
fn a_group_is_retried_by_its_name_and_everything_is_in_the_audit() {
    let house = House::new(30);
    let records = syncable(&house, 3);
    for record in &records {
        fail(&house, record);
    }
    let groups = house.expect(0, &["--json", "queue", "groups"]).lines();
    assert_eq!((groups.len(), &groups[0]["count"]), (1, &json!(3)));
    assert_eq!(groups[0]["class"], "invalid");
    let group = groups[0]["group"].as_str().unwrap();
    assert_eq!(jobs(&house, &format!("group:{group}")).len(), 3);
    for (number, record) in records.iter().enumerate() {
        let address = format!("mended{number}@example.org");
        house
            .control
            .set_property(PETS, record, "owner_email", json!(address));
    }
    let dry = house
        .expect(
            0,
            &["--json", "queue", "retry", "--group", group, "--dry-run"],
        )
        .json();
    assert_eq!((&dry["matched"], &dry["changed"]), (&json!(3), &json!(0)));
    house.expect(2, &["queue", "retry", "--group", group]);
    let done = house
        .expect(0, &["--json", "queue", "retry", "--group", group, "--yes"])
        .json();
    assert_eq!(done["changed"], 3);
    house.expect(0, &["worker", "--until-idle"]);
    assert_eq!(jobs(&house, "state:done").len(), 3);
    assert!(
        house
            .expect(0, &["--json", "queue", "groups"])
            .lines()
            .is_empty()
    );
    let batches = house.expect(0, &["--json", "queue", "batches"]).lines();
    assert_eq!(
        (&batches[0]["state"], &batches[0]["changed"]),
        (&json!("done"), &json!(3))
    );

    house.expect(0, &["queue", "pause", "--reason", "the account moves"]);
    house.expect(0, &["queue", "resume"]);
    house.expect(
        0,
        &[
            "records",
            "update",
            "pets",
            &records[0],
            "--set",
            "name=Rex",
        ],
    );
    house.expect(
        3,
        &[
            "records",
            "update",
            "pets",
            "nosuchrecord",
            "--set",
            "name=Rex",
        ],
    );
    let audit = house
        .expect(0, &["--json", "audit", "--limit", "5"])
        .lines();
    let told: Vec<(&str, &Value)> = audit
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), &entry["count"]))
        .collect();
    let (none, one, three) = (Value::Null, json!(1), json!(3));
    assert_eq!(
        told,
        [
            ("record update", &none),
            ("record update", &one),
            ("resume", &one),
            ("pause", &none),
            ("retry", &three),
        ]
    );
    assert_eq!(audit[3]["reason"], "the account moves");
    assert!(
        audit[0]["outcome"].as_str().unwrap().contains("404"),
        "{}",
        audit[0]
    );
    assert!(audit.iter().all(|entry| entry["who"] != ""));
}

/// An export works on records, and yet its lines are found by the job that it leaves.
#[test]
fn the_activity_of_a_job_that_failed_in_an_export_is_the_exports() {
    let house = House::new(30);
    let records = syncable(&house, 2);
    house
        .control
        .set_property(PETS, &records[0], "owner_email", json!("not an address"));
    house.run(&["export", "pets"]);
    let job = job_of(&house, &records[0]);
    for arguments in [["--job", id(&job)], ["--record", &records[0]]] {
        let lines = house
            .expect(0, &[&["--json", "activity"], &arguments[..]].concat())
            .lines();
        let failed = lines.iter().find(|line| line["outcome"] == "failed");
        let failed = failed.unwrap_or_else(|| panic!("{arguments:?}: {lines:#?}"));
        assert_eq!(failed["record"], records[0].as_str());
        assert!(failed["run"].is_string() && failed["error"].is_string());
        let all = format!("{lines:?}");
        assert!(!all.contains(&records[1]), "{all}");
    }
}

/// Records of one address, where none may win: each of them fails, and a dry run says so of each.
#[test]
fn records_that_share_an_address_are_told_of_in_the_log_and_in_a_dry_run() {
    let house = House::new(30);
    let records = syncable(&house, 3);
    for record in &records {
        assert!(house.control.set_property(
            PETS,
            record,
            "owner_email",
            json!("shared@example.org")
        ));
    }
    house.edit_config("[mappings.pets]", "[mappings.pets]\nconflict = \"fail\"");
    let rehearsed = house.expect(3, &["--json", "export", "pets", "--dry-run"]);
    let rehearsed = rehearsed.lines();
    for record in &records {
        let told = rehearsed
            .iter()
            .filter(|line| line["record"] == record.as_str());
        let told: Vec<&Value> = told.collect();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0]["outcome"], "failed", "{told:#?}");
    }

    house.expect(3, &["export", "pets"]);
    for record in &records {
        let job = job_of(&house, record);
        assert_eq!(job["error"]["field"], "email", "{job}");
        let lines = house
            .expect(0, &["--json", "activity", "--job", id(&job)])
            .lines();
        let failed = lines.iter().filter(|line| line["outcome"] == "failed");
        let failed: Vec<&Value> = failed.collect();
        assert_eq!(failed.len(), 1, "{lines:#?}");
        assert_eq!(failed[0]["level"], "WARN");
        assert!(
            failed[0]["error"]
                .as_str()
                .unwrap()
                .contains("shared@example.org")
        );
    }
    // A failure that was taken up again is no longer the run's: what is shown of the run says so.
    let run = house.expect(0, &["--json", "exports", "list", "--limit", "2"]);
    let run = run.lines().remove(0)["id"].clone();
    let show = ["exports", "show", run.as_str().unwrap()];
    let shown = house.expect(0, &[&["--json"], &show[..]].concat()).json();
    let failed = shown["counts"]["failed"].as_u64().unwrap();
    assert_eq!(shown["still_failed"], failed, "{shown}");
    let shown = house.expect(0, &show).stdout;
    assert!(!shown.contains("since"), "{shown}");
    let job = job_of(&house, &records[0]);
    house.expect(0, &["queue", "discard", id(&job)]);
    let shown = house.expect(0, &show).stdout;
    let told =
        format!("of {failed} failed record(s), 1 were retried, synced again or given up since");
    assert!(shown.contains(&told), "{shown}");
}

#[test]
fn the_activity_shows_calls_and_settlements_by_job_and_request() {
    let house = House::new(30);
    let records = syncable(&house, 1);
    house.expect(0, &["sync", "pets", &records[0]]);
    let job = job_of(&house, &records[0]);
    let settled = house
        .expect(0, &["--json", "activity", "--job", id(&job)])
        .lines();
    assert!(
        settled
            .iter()
            .any(|line| line["message"] == "job settled" && line["outcome"] == "synced"),
        "{settled:#?}"
    );
    let calls = house
        .expect(0, &["--json", "activity", "--limit", "10000"])
        .lines();
    let call = calls
        .iter()
        .find(|line| line["message"] == "call" && line["request_id"].is_string())
        .unwrap_or_else(|| panic!("{calls:#?}"));
    let request = call["request_id"].as_str().unwrap();
    let found = house
        .expect(0, &["--json", "activity", "--request", request])
        .lines();
    assert!(!found.is_empty() && found.iter().all(|line| line["request_id"] == request));
    assert!(
        house
            .expect(0, &["--json", "activity", "--level", "error"])
            .lines()
            .is_empty()
    );
    house.expect(2, &["activity", "--level", "loud"]);

    let mut follow = house.start(
        "follow",
        &[
            "--json", "activity", "--follow", "--limit", "0", "--job", "0",
        ],
    );
    house
        .control
        .set_property(PETS, &records[0], "name", json!("Rexina"));
    let told = || house.read("follow.stdout").lines().count();
    // It may begin late; every sync writes another line.
    eventually("a followed line", || {
        house.expect(0, &["sync", "pets", &records[0]]);
        told() > 0
    });
    signal(follow.id(), "TERM");
    assert_eq!(follow.wait().unwrap().code(), Some(143));
}

#[test]
fn two_workers_share_a_queue_and_nothing_is_sent_twice() {
    let house = House::new(120);
    let records = syncable(&house, 30);
    for record in &records {
        house
            .control
            .set_property(PETS, record, "owner_email", json!("not an address"));
    }
    let mut all = vec!["sync", "pets"];
    all.extend(records.iter().map(String::as_str));
    house.expect(3, &all);
    for (number, record) in records.iter().enumerate() {
        let address = format!("mended{number}@example.org");
        house
            .control
            .set_property(PETS, record, "owner_email", json!(address));
    }
    house.expect(0, &["queue", "pause", "--reason", "until both are there"]);
    let mut workers = [
        house.start("one", &["worker"]),
        house.start("two", &["worker"]),
    ];
    house.expect(0, &["queue", "retry", "--filter", "state:failed", "--yes"]);
    let since = house.now();
    house.expect(0, &["queue", "resume"]);
    eventually("all jobs are done", || {
        jobs(&house, "state:done").len() == 30
    });
    for worker in &mut workers {
        signal(worker.id(), "TERM");
        worker.wait().unwrap();
    }
    let mut sent: HashMap<String, u32> = HashMap::new();
    for entry in house.writes_since(since) {
        *sent.entry(entry.body.unwrap_or_default()).or_default() += 1;
    }
    assert_eq!(sent.len(), 30);
    assert!(sent.values().all(|times| *times == 1), "{sent:#?}");
    house.assert_no_violation();
}

#[test]
fn a_worker_that_stalls_past_its_lease_changes_nothing_and_the_newest_state_is_the_last() {
    let house = House::new(30);
    let record = syncable(&house, 1).remove(0);
    let job = fail(&house, &record);
    house
        .control
        .set_property(PETS, &record, "owner_email", json!("jo@example.org"));
    house
        .control
        .set_property(PETS, &record, "name", json!("Older"));
    house.expect(0, &["queue", "retry", id(&job)]);
    // Its write takes effect late: after another worker has written what is newer.
    house.control.fault(Fault {
        ms: Some(4_000),
        ..Fault::once(Kind::Slow, SYNC)
    });
    let since = house.now();
    let mut stalled = house.start("stalled", &["worker", "--lease", "1500"]);
    let looked = || {
        house
            .control
            .log_since(since)
            .iter()
            .any(|entry| entry.method == "GET" && entry.path.contains("/contacts?"))
    };
    eventually("the worker is about to write", looked);
    std::thread::sleep(Duration::from_millis(400));
    freeze(&house, stalled.id());
    house
        .control
        .set_property(PETS, &record, "name", json!("Newer"));
    let mut other = house.start("other", &["worker", "--lease", "1500"]);
    let name = || {
        house
            .control
            .contact("jo@example.org")
            .map(|contact| contact.fields["PET_NAME"].clone())
    };
    eventually("the other worker writes", || {
        name().as_deref() == Some("Newer")
    });
    eventually("the older write arrives", || {
        name().as_deref() == Some("Older")
    });
    signal(stalled.id(), "CONT");
    eventually("the newest state is the last", || {
        name().as_deref() == Some("Newer") && jobs(&house, "state:ready,running,waiting").is_empty()
    });
    for worker in [&mut stalled, &mut other] {
        signal(worker.id(), "TERM");
        worker.wait().unwrap();
    }
    let shown = house
        .expect(0, &["--json", "queue", "show", id(&job)])
        .json();
    let outcomes: Vec<&Value> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| &attempt["outcome"])
        .collect();
    assert_eq!(outcomes, ["failed", "synced"]);
    let by = shown["history"][1]["worker"].as_str().unwrap();
    assert!(by.contains(&format!("/{}/", other.id())), "{by}");
}

#[test]
fn a_worker_that_wakes_between_its_reading_and_its_sending_sends_nothing() {
    let house = House::new(30);
    let record = syncable(&house, 1).remove(0);
    let job = fail(&house, &record);
    house
        .control
        .set_property(PETS, &record, "owner_email", json!("jo@example.org"));
    house
        .control
        .set_property(PETS, &record, "name", json!("Older"));
    house.expect(0, &["queue", "retry", id(&job)]);
    // It has read the record and its contact is what it asks for last.
    house.control.fault(Fault {
        ms: Some(2_500),
        ..Fault::once(Kind::Slow, "GET /api/3/contacts")
    });
    let since = house.now();
    let mut stalled = house.start("stalled", &["worker", "--lease", "1500"]);
    let reading = || {
        let log = house.control.log_since(since);
        let read = |entry: &Entry| entry.path.contains(&record) && entry.status == 200;
        log.iter().any(read)
    };
    eventually("the worker has read the record", reading);
    std::thread::sleep(Duration::from_millis(500));
    freeze(&house, stalled.id());
    house
        .control
        .set_property(PETS, &record, "name", json!("Newer"));
    let mut other = house.start("other", &["worker", "--lease", "1500"]);
    eventually("the other worker is done", || {
        job_of(&house, &record)["state"] == "done"
    });
    let asked = || {
        let log = house.control.log_since(since);
        let slow = |entry: &Entry| entry.fault.as_deref() == Some("slow");
        log.iter().any(slow)
    };
    eventually("the answer waits for the one that stalls", asked);
    let woken = house.now();
    signal(stalled.id(), "CONT");
    let says_so = || house.read("tramline.log").contains("the lease was lost");
    eventually("it notices", says_so);
    for worker in [&mut stalled, &mut other] {
        signal(worker.id(), "TERM");
        worker.wait().unwrap();
    }
    let late: Vec<Entry> = house.writes_since(woken);
    assert!(late.is_empty(), "{late:#?}");
    let contact = house.control.contact("jo@example.org").unwrap();
    assert_eq!(contact.fields["PET_NAME"], "Newer");
    // Nothing left, so nothing is due once more.
    assert!(jobs(&house, "state:ready,running,waiting").is_empty());
}

#[test]
fn an_action_on_many_waits_a_moment_in_which_it_can_be_taken_back() {
    let house = House::new(30);
    let record = syncable(&house, 1).remove(0);
    fail(&house, &record);
    let config = Config::read(&house.path("config.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failed = Chosen::Filter("state:failed".into());
    let later = |operations: Operations, millis: u64| {
        let failed = failed.clone();
        async move {
            operations
                .bulk_later(BulkAction::Discard, &failed, Duration::from_millis(millis))
                .await
                .unwrap()
        }
    };
    runtime.block_on(async {
        let operations = Operations::open(config.clone(), OpenOptions::default())
            .await
            .unwrap();
        let id = later(operations.clone(), 300).await;
        let told = async || {
            let audit = operations.audit(9, None).await.unwrap();
            let of = audit.into_iter().find(|entry| entry.action == "discard");
            of.map(|entry| (entry.outcome, entry.count)).unwrap()
        };
        assert_eq!(told().await, (None, None));
        assert!(operations.cancel_bulk(&id).await.unwrap());
        assert_eq!(told().await, (Some("undone".into()), Some(0)));
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(operations.job_counts().await.unwrap().failed, 1);
        // Not taken back, and begun by a process that ends before its time: a worker does it.
        later(operations.clone(), 700).await;
        operations.close().await;
    });
    assert_eq!(job_of(&house, &record)["state"], "failed");
    let mut worker = house.start("worker", &["worker"]);
    eventually("the job is discarded", || {
        job_of(&house, &record)["state"] == "discarded"
    });
    signal(worker.id(), "TERM");
    worker.wait().unwrap();
    let audit = house.expect(0, &["--json", "audit"]).lines();
    let of = |outcome: &str| {
        let found = audit.iter().find(|entry| entry["outcome"] == outcome);
        found.unwrap_or_else(|| panic!("{audit:#?}"))["count"].clone()
    };
    assert_eq!((of("done"), of("undone")), (json!(1), json!(0)));
}

#[test]
fn a_retry_of_many_asks_for_schemas_anew_and_wakes_the_worker_when_its_moment_is_over() {
    let house = House::new(30);
    let record = syncable(&house, 1).remove(0);
    fail(&house, &record);
    house
        .control
        .set_property(PETS, &record, "owner_email", json!("jo@example.org"));
    let schemas = || house.requests(SCHEMA).len();
    let config = Config::read(&house.path("config.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let operations = Operations::open(config, OpenOptions::default())
            .await
            .unwrap();
        operations.work().unwrap();
        let preview = async || {
            let (mapping, record) = ("pets".into(), record.as_str().into());
            operations.preview(&mapping, &record).await.unwrap();
        };
        preview().await;
        let known = schemas();
        preview().await;
        assert_eq!(schemas(), known, "a schema is asked for once");
        let failed = Chosen::Filter("state:failed".into());
        operations
            .bulk_later(BulkAction::Retry, &failed, Duration::from_millis(300))
            .await
            .unwrap();
        let begun = std::time::Instant::now();
        while operations.job_counts().await.unwrap().done == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "not retried");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(
            schemas() > known,
            "whoever retries may have mended a schema"
        );
        operations.close().await;
    });
    assert!(house.control.contact("jo@example.org").is_some());
}

/// Number of jobs that an action is about: so many slices that a kill meets it in the middle.
const MANY: usize = 12_000;

#[test]
fn an_action_on_many_that_is_killed_is_completed_once_by_the_next_worker() {
    let house = House::new(5);
    house.expect(0, &["queue", "pause", "--reason", "nothing is to run"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let new = |at: usize| NewJob {
        connection: "default".into(),
        mapping: "pets".into(),
        object: PETS.into(),
        record: format!("record{at}").as_str().into(),
        trigger: Trigger::Webhook,
        not_before: None,
    };
    runtime.block_on(async {
        let store = Store::open(&house.path("tramline.db"), Arc::new(SystemClock))
            .await
            .unwrap();
        let all: Vec<NewJob> = (0..MANY).map(new).collect();
        store.enqueue_many(&all).await.unwrap();
        store.close().await.unwrap();
    });
    for (action, from, to) in [
        ("discard", "ready", "discarded"),
        ("retry", "failed", "ready"),
    ] {
        runtime.block_on(async {
            let options =
                sqlx::sqlite::SqliteConnectOptions::new().filename(house.path("tramline.db"));
            let mut store = sqlx::ConnectOptions::connect(&options).await.unwrap();
            let state = sqlx::AssertSqlSafe(format!("UPDATE jobs SET state = '{from}'"));
            sqlx::query(state).execute(&mut store).await.unwrap();
            let mut child = house.start(
                "killed",
                &["queue", action, "--filter", "mapping:pets", "--yes"],
            );
            let progress = "SELECT changed FROM bulk_actions WHERE action = $1 AND state = 'open'";
            loop {
                let changed: Option<i64> = sqlx::query_scalar(progress)
                    .bind(action)
                    .fetch_optional(&mut store)
                    .await
                    .unwrap();
                if changed.is_some_and(|changed| changed > 0) {
                    break;
                }
                let ended = child.try_wait().unwrap();
                assert!(
                    ended.is_none(),
                    "{action} {ended:?}: {}{}",
                    house.read("killed.stderr"),
                    house.read("killed.stdout")
                );
            }
            signal(child.id(), "KILL");
            child.wait().unwrap();
            let left: Option<i64> = sqlx::query_scalar(progress)
                .bind(action)
                .fetch_optional(&mut store)
                .await
                .unwrap();
            let changed = left.expect("killed in the middle");
            assert!((1..MANY as i64).contains(&changed), "{action}: {changed}");
            // What comes to that state later is not meant.
            let late = "UPDATE jobs SET state = $1, updated_at = updated_at + 3600000000
                 WHERE seq = (SELECT max(seq) FROM jobs)";
            sqlx::query(late)
                .bind(from)
                .execute(&mut store)
                .await
                .unwrap();

            let mut worker = house.start("worker", &["worker"]);
            let mut ended = (0_i64, String::new());
            while ended.1 != "done" {
                tokio::time::sleep(Duration::from_millis(20)).await;
                ended = sqlx::query_as("SELECT changed, state FROM bulk_actions WHERE action = $1")
                    .bind(action)
                    .fetch_one(&mut store)
                    .await
                    .unwrap();
            }
            signal(worker.id(), "TERM");
            worker.wait().unwrap();
            assert_eq!(ended.0, MANY as i64 - 1, "{action}");
            let reached: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE state = $1")
                .bind(to)
                .fetch_one(&mut store)
                .await
                .unwrap();
            assert_eq!(reached, MANY as i64 - 1, "{action}");
            // Who began it can look up what came of it, whoever ended it.
            let told: (Option<String>, Option<i64>) =
                sqlx::query_as("SELECT outcome, number FROM audit WHERE action = $1")
                    .bind(action)
                    .fetch_one(&mut store)
                    .await
                    .unwrap();
            assert_eq!(told, (Some("done".to_owned()), Some(MANY as i64 - 1)));
            sqlx::Connection::close(store).await.unwrap();
        });
    }
}
