//! What goes wrong on the wire passes, or stops the export with a message and nothing lost.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "faults/single.rs"]
mod single;
mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{
    House, PETS, assert_export, assert_outcome, count, eventually, expectation, options,
};
use tramline::sandbox::{Fault, Kind, Options};

const SEARCH: &str = "POST /objects/custom_objects.pets/records/search";
const IMPORT: &str = "POST /api/3/import/bulk_import";
const INFO: &str = "GET /api/3/import/info";

fn fault(kind: Kind, route: &str, skip: usize, times: usize) -> Fault {
    Fault {
        skip,
        ..Fault::once(kind, route).times(times)
    }
}

/// Most of each story is waiting, so that they are told at the same time.
fn side_by_side<T: Send>(items: impl IntoIterator<Item = T>, story: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for item in items {
            let story = &story;
            scope.spawn(move || story(item));
        }
    });
}

/// One export through faults of each kind on a route.
fn through(route: &str, skip: usize, times: usize, kinds: &[&str]) {
    side_by_side(kinds, |name| {
        let house = House::new(260);
        house
            .control
            .fault(fault(Kind::from_name(name).unwrap(), route, skip, times));
        let what = format!("{name} on {route}");
        assert_export(&house, &what);
        let struck = house
            .control
            .log()
            .iter()
            .filter(|entry| entry.fault.is_some())
            .count();
        assert_eq!(struck, times, "{what}");
    });
}

#[test]
fn a_search_that_fails_and_passes() {
    through(
        SEARCH,
        1,
        2,
        &[
            "500",
            "503",
            "502",
            "511",
            "html",
            "empty_200",
            "reset",
            "half_body",
            "truncated_json",
        ],
    );
}

#[test]
fn an_import_that_fails_before_it_takes_effect() {
    through(IMPORT, 0, 1, &["500", "503", "html", "empty_200", "reset"]);
}

#[test]
fn an_import_that_takes_effect_and_does_not_say_so() {
    through(IMPORT, 0, 1, &["lost_ack", "half_body", "truncated_json"]);
}

#[test]
fn an_import_that_activecampaign_gives_up() {
    through(IMPORT, 0, 1, &["import_failed", "import_interrupted"]);
    // Given up for good: its contacts go one by one.
    let house = House::new(60);
    house.control.fault(fault(Kind::ImportFailed, IMPORT, 0, 3));
    assert_export(&house, "every import fails");
}

/// The limit of imports is by the minute, and so is the wait.
#[test]
fn an_import_above_the_limit_of_imports_waits_its_minute() {
    through(IMPORT, 0, 1, &["import_limit"]);
}

#[test]
fn a_result_that_is_hard_to_get() {
    through(
        INFO,
        0,
        2,
        &[
            "500",
            "html",
            "empty_200",
            "reset",
            "half_body",
            "truncated_json",
        ],
    );
}

/// Right after an import was taken its status is `false` (fact sheet §3.4): neither an end nor an error.
#[test]
fn a_status_of_false_right_after_an_import_is_waited_out() {
    let house = House::with(Options {
        // `false` for a quarter of it, which is longer than the wait before the first look.
        import_delay: Duration::from_secs(8),
        ..options(60)
    });
    assert_export(&house, "false");
    let (imports, looks) = (house.requests(IMPORT), house.requests(INFO));
    assert_eq!(imports.len(), 1, "{imports:#?}");
    let soonest = looks[0].at - imports[0].at;
    assert!(soonest < 2_000_000, "no look came too soon: {soonest} µs");
    assert!(house.requests("POST /api/3/contact/sync").is_empty());
}

#[test]
fn start_up_calls_that_fail_and_pass() {
    through(
        "GET /objects/custom_objects.pets",
        0,
        1,
        &["500", "429", "reset"],
    );
    through("GET /api/3/fields", 0, 1, &["500", "429", "html"]);
}

#[test]
fn bursts_of_429_with_and_without_retry_after() {
    let all = [
        (SEARCH, Some(1)),
        (SEARCH, None),
        (IMPORT, Some(1)),
        (IMPORT, None),
    ];
    side_by_side(all, |(route, retry_after)| {
        let house = House::new(260);
        house.control.fault(Fault {
            retry_after,
            ..Fault::once(Kind::Status(429), route).times(3)
        });
        let start = Instant::now();
        let summary = assert_export(&house, &format!("429 on {route}, {retry_after:?}"));
        assert_eq!(count(&summary, "throttled"), 3, "{summary}");
        if retry_after.is_some() {
            assert!(
                start.elapsed() >= Duration::from_secs(3),
                "Retry-After was not heeded"
            );
        }
    });
}

const ATTEMPTS: &str = "SELECT count(*) FROM attempts";

/// A limit is met again and again by many jobs: before anything was sent, that is no attempt worth a row.
#[test]
fn a_wait_for_a_rate_limit_leaves_no_attempt() {
    let house = House::new(20);
    let pet = json!({"name": "Rex", "owner_email": "rex@example.org"});
    let pet = pet.as_object().unwrap();
    let record = house.control.create_record(PETS, pet).unwrap();
    // A person's sync looks at the contact first.
    let limited = fault(Kind::Status(429), "GET /api/3/contacts", 0, 1_000);
    house.control.fault(limited);
    let mut child = house.start("sync", &["sync", "pets", &record]);
    let waits = || {
        let jobs = house.jobs();
        jobs.first()
            .is_some_and(|job| job["waiting"]["reason"] == "rate_limited")
    };
    eventually("a job that waits", waits);
    assert_eq!(house.number(ATTEMPTS), 0);
    house.control.clear_faults();
    let ended = child.wait().unwrap();
    assert!(ended.success(), "{}", house.read("sync.stderr"));
    assert_eq!(house.number(ATTEMPTS), 1);
    house.assert_no_violation();
}

#[test]
fn a_rate_limit_that_lasts_is_asked_about_ever_more_rarely_and_its_job_is_seen_to_wait() {
    let house = House::new(20);
    house.receive_webhooks("");
    let worker = house.worker("worker");
    house.subscribe(&worker, |_| {});
    let limited = fault(Kind::Status(429), "/api/3/", 0, 1_000);
    house.control.fault(limited);
    let pet = json!({"name": "Rex", "owner_email": "rex@example.org"});
    let pet = pet.as_object().unwrap();
    house.control.create_record(PETS, pet).unwrap();
    let job = || house.jobs().remove(0);
    eventually("a job that waits", || {
        !house.jobs().is_empty() && job()["state"] == "waiting"
    });
    let waits = job();
    assert_eq!(waits["waiting"]["reason"], "rate_limited", "{waits}");
    assert!(waits["waiting"]["until"].is_string(), "{waits}");
    assert_eq!(waits["error"]["class"], "throttled", "{waits}");
    let why = house.expect(0, &["queue", "why", waits["id"].as_str().unwrap()]);
    assert!(why.stdout.contains("rate limit"), "{why:#?}");
    assert_eq!(house.number(ATTEMPTS), 0, "nothing was tried yet");
    let log = house.control.log();
    let refused: Vec<i64> = log
        .iter()
        .filter(|entry| entry.status == 429)
        .map(|entry| entry.at / 1_000)
        .collect();
    let pauses = refused.windows(2).map(|two| two[1] - two[0]);
    // Requests that left together are refused together.
    let pauses: Vec<i64> = pauses.filter(|pause| *pause > 300).collect();
    assert!(pauses.len() >= 2, "{pauses:?}");
    // A second, then up to twice as long each time and at least half of that: in milliseconds.
    for (pause, least) in pauses.iter().zip([950, 950, 1_900, 3_800, 7_600]) {
        assert!(*pause >= least, "{pauses:?}");
    }

    house.control.clear_faults();
    eventually("the contact", || {
        house.control.contact("rex@example.org").is_some()
    });
    eventually("its end", || job()["state"] == "done");
    assert_eq!(job()["attempts"], 1, "{}", job());
    house.assert_no_violation();
}

#[test]
fn a_server_that_never_answers_is_asked_again_after_the_timeout() {
    let house = House::new(60);
    house.control.fault(Fault::once(Kind::Stall, SEARCH));
    house.control.fault(Fault::once(Kind::StallBody, IMPORT));
    let start = Instant::now();
    assert_export(&house, "stall");
    assert!(
        start.elapsed() >= Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn records_that_come_by_association_survive_faults_too() {
    let kinds = ["500", "reset", "html", "429"];
    let expected = House::new(300);
    expected.expect(0, &["export", "visits"]);
    let reasons = |house: &House| {
        let mut reasons: Vec<_> = expectation::contacts(&house.control)
            .into_iter()
            .filter_map(|(email, person)| Some((email, person.fields.get("VISIT_REASON")?.clone())))
            .collect();
        reasons.sort();
        reasons
    };
    let wanted = reasons(&expected);
    side_by_side(kinds, |kind| {
        let house = House::quirky(300, |quirks| quirks.relations_in_records = false);
        let kind = Kind::from_name(kind).unwrap();
        house
            .control
            .fault(Fault::once(kind, "POST /contacts/search"));
        house
            .control
            .fault(fault(kind, "GET /associations/relations/", 3, 2));
        let ran = house.run(&["--json", "export", "visits"]);
        assert_eq!(ran.code, Some(0), "{kind:?}: {ran:#?}");
        assert_eq!(reasons(&house), wanted, "{kind:?}");
    });
}

#[test]
fn a_false_403_and_a_rotated_token_are_no_reason_to_stop() {
    let house = House::new(260);
    house.control.fault(fault(Kind::Status(403), IMPORT, 0, 2));
    assert_export(&house, "403");
    let house = House::new(260);
    house.control.fault(fault(Kind::Status(401), SEARCH, 1, 1));
    assert_export(&house, "401");
}

/// A token may lack one permission and be good for everything else (fact sheet §1.2).
#[test]
fn a_route_that_is_refused_to_a_good_token_is_gone_round() {
    // Imports are refused: the contacts are written one by one.
    let house = House::new(40);
    house
        .control
        .fault(fault(Kind::Status(403), IMPORT, 0, 10_000));
    assert_export(&house, "imports refused");
    assert!(!house.requests("POST /api/3/contact/sync").is_empty());

    // Contacts cannot be read back, so that what an import did not name is written once more.
    let house = House::quirky(40, |quirks| quirks.success_names_updated = false);
    house.export(&[]);
    house
        .control
        .fault(fault(Kind::Status(403), "GET /api/3/contacts", 0, 10_000));
    let (full, _) = house.export(&["--full"]);
    assert_eq!(full["state"], "completed", "{full}");
    assert!(count(&full, "synced") > 20, "{full}");
}

/// The account is asked first: its token is good for the rest, so this is no matter of waiting.
#[test]
fn a_refused_search_stops_the_export_where_it_stands_and_resume_goes_on() {
    let house = House::new(600);
    let before = expectation::contacts(&house.control);
    let expected = expectation::pets(&house.control, &before);
    house.control.fault(Fault {
        api: "highlevel".to_owned(),
        ..fault(Kind::Status(401), SEARCH, 2, 10_000)
    });
    let (summary, ran) = house.export(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(summary["state"], "failed", "{ran:#?}");
    let error: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["class"], "auth", "{error}");
    assert_eq!(error["error"]["status"], 401, "{error}");
    assert!(error["error"]["remedy"].is_string(), "{error}");
    house.control.clear_faults();
    let resumed = house.run(&[
        "--json",
        "exports",
        "resume",
        summary["run"].as_str().unwrap(),
    ]);
    assert_eq!(resumed.code, Some(3), "{resumed:#?}");
    assert_outcome(&house, &resumed.summary(), &expected, SEARCH);
}
