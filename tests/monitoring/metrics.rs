//! What `/metrics`, `/healthz` and `/readyz` say of a worker at work.

use super::{Worker, fail, good_records, retry};
use crate::support::{House, eventually, signal};
use serde_json::Value;
use tramline::sandbox::{ACTIVECAMPAIGN_TOKEN, Fault, HIGHLEVEL_TOKEN, Kind};

#[test]
fn a_scrape_can_be_read_moves_with_the_work_and_names_nobody() {
    let house = House::new(40);
    let records = good_records(&house, 3);
    fail(&house, &records);
    let worker = Worker::start(&house, "worker");
    let before = worker.scrape();
    assert_eq!(
        before.sum("tramline_jobs", &[("state", "failed"), ("mapping", "pets")]),
        3.0
    );
    let invalid = [("state", "failed"), ("class", "invalid")];
    assert_eq!(before.sum("tramline_jobs_with_error", &invalid), 3.0);
    assert_eq!(before.sum("tramline_attempts_total", &[]), 0.0);
    retry(&house);
    let synced = [
        ("outcome", "synced"),
        ("connection", "default"),
        ("mapping", "pets"),
    ];
    eventually("the retries", || {
        worker.scrape().sum("tramline_attempts_total", &synced) == 3.0
    });
    let after = worker.scrape();
    assert_eq!(after.sum("tramline_jobs", &[("state", "done")]), 3.0);
    assert_eq!(after.sum("tramline_jobs_with_error", &[]), 0.0);
    assert_eq!(after.sum("tramline_job_run_seconds_count", &[]), 3.0);
    assert_eq!(after.sum("tramline_job_wait_seconds_count", &[]), 3.0);
    // The requests are those that the sandbox saw.
    let sync = [
        ("api", "activecampaign"),
        ("route", "/contact/sync"),
        ("method", "POST"),
    ];
    let seen = house.requests("POST /api/3/contact/sync").len() as f64;
    assert_eq!(after.sum("tramline_requests_total", &sync), seen);
    let read = [
        ("api", "highlevel"),
        ("route", "/objects/{key}/records/{id}"),
        ("status", "200"),
    ];
    assert!(after.sum("tramline_requests_total", &read) >= 3.0);
    for gauge in [
        "tramline_budget_size",
        "tramline_workers",
        "tramline_store_bytes",
        "tramline_build_info",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(after.sum(gauge, &[]) > 0.0, "{gauge}");
    }
    let (_, text) = worker.get("/metrics");
    for secret in [HIGHLEVEL_TOKEN, ACTIVECAMPAIGN_TOKEN] {
        assert!(!text.contains(secret));
    }
    for (label, value) in &after.labels {
        assert!(!value.contains('@') && value.len() < 60, "{label}={value}");
        assert!(
            !records.iter().any(|record| value.contains(record)),
            "{label}={value}"
        );
    }
    // Whatever is asked of the APIs, the routes stay the same few.
    for number in 0..5 {
        house.run(&["api", "activecampaign", "GET", &format!("/odd/{number}")]);
    }
    assert_eq!(worker.scrape().labels.len(), after.labels.len());
}

#[test]
fn exports_are_shown_and_a_port_in_use_is_an_error_only_if_asked_for() {
    let house = House::new(30);
    house.export(&[]);
    let worker = Worker::start(&house, "worker");
    let scrape = worker.scrape();
    let completed = [("mapping", "pets"), ("state", "completed")];
    assert_eq!(scrape.sum("tramline_exports", &completed), 1.0);
    assert!(scrape.sum("tramline_export_timestamp_seconds", &completed) > 1.7e9);
    assert_eq!(
        scrape.sum("tramline_export_records", &[("outcome", "read")]),
        30.0
    );
    let refused = house.expect(2, &["worker", "--metrics", &worker.address]);
    assert!(refused.stderr.contains("for metrics"), "{refused:#?}");
    assert_eq!(worker.get("/healthz"), (200, "alive\n".to_owned()));
    assert_eq!(worker.get("/anything").0, 404);
}

fn ready(worker: &Worker) -> (u16, Value) {
    let (status, body) = worker.get("/readyz");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["ready"], status == 200, "{body}");
    (status, body)
}

#[test]
fn readiness_goes_with_a_token_that_dies_and_comes_back_with_it() {
    let house = House::new(40);
    let records = good_records(&house, 1);
    fail(&house, &records);
    let worker = Worker::start(&house, "worker");
    eventually("readiness", || ready(&worker).0 == 200);
    let refused = Fault {
        api: "activecampaign".into(),
        ..Fault::once(Kind::Status(401), "").times(100_000)
    };
    house.control.fault(refused);
    retry(&house);
    eventually("the end of readiness", || ready(&worker).0 == 503);
    let (_, body) = ready(&worker);
    let bad: Vec<&Value> = body["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["level"] == "error")
        .collect();
    assert_eq!(bad.len(), 1, "{body}");
    assert_eq!(bad[0]["item"], "default activecampaign", "{body}");
    assert!(!body.to_string().contains(ACTIVECAMPAIGN_TOKEN));
    let good = [("api", "activecampaign")];
    assert_eq!(worker.scrape().sum("tramline_credential_good", &good), 0.0);
    // Asking whether it is ready costs no call.
    let asked = house.requests("").len();
    for _ in 0..20 {
        ready(&worker);
    }
    assert!(house.requests("").len() < asked + 10);
    // Only the breaker asks, half a minute later.
    eventually("an open breaker", || {
        worker.scrape().sum("tramline_pauses", &[]) == 1.0
    });
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let asked = house.requests("").len();
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(house.requests("").len(), asked);
    house.control.clear_faults();
    signal(worker.child.id(), "HUP");
    eventually("readiness again", || ready(&worker).0 == 200);
    assert_eq!(worker.scrape().sum("tramline_credential_good", &good), 1.0);
    eventually("the job", || {
        worker.scrape().sum("tramline_jobs", &[("state", "done")]) == 1.0
    });
}
