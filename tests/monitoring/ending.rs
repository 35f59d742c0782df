//! How a worker ends, and what its log says of each job.

use super::{Worker, fail, good_records, retry};
use crate::support::{House, eventually, signal};
use serde_json::Value;
use tramline::sandbox::{ACTIVECAMPAIGN_TOKEN, Fault, HIGHLEVEL_TOKEN, Kind};

fn jobs(house: &House) -> Vec<Value> {
    house.expect(0, &["--json", "queue", "list"]).lines()
}

/// A worker that waits for an answer about a record that never comes.
fn stuck(house: &House) -> Worker {
    let records = good_records(house, 1);
    fail(house, &records);
    house.control.fault(Fault {
        api: "highlevel".into(),
        ..Fault::once(Kind::Stall, &format!("records/{}", records[0])).times(1_000)
    });
    let worker = Worker::start(house, "worker");
    retry(house);
    eventually("the job's start", || jobs(house)[0]["state"] == "running");
    worker
}

#[test]
fn work_that_does_not_end_is_given_back() {
    let house = House::new(40);
    let mut worker = stuck(&house);
    assert_eq!(worker.terminate(), Some(143));
    let job = &jobs(&house)[0];
    assert_eq!(
        (&job["state"], &job["attempts"]),
        (&"ready".into(), &1.into()),
        "{job}"
    );
    // Not a lease that ran out: another worker has it at once.
    house.control.clear_faults();
    house.expect(0, &["worker", "--until-idle"]);
    assert_eq!(jobs(&house)[0]["state"], "done");
    assert!(!house.read("tramline.log").contains("leases ran out"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let house = House::new(40);
    let mut worker = stuck(&house);
    signal(worker.child.id(), "TERM");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(worker.child.try_wait().unwrap(), None);
    assert_eq!(worker.terminate(), Some(143));
    // Left as a crash leaves it.
    assert_eq!(jobs(&house)[0]["state"], "running");
}

#[test]
fn every_line_about_a_job_names_it_with_its_record_and_trace() {
    let house = House::new(40);
    let (summary, _) = house.export(&["--dry-run"]);
    let first = house.read("tramline.log");
    let mut calls = first.lines().filter(|line| line.contains("records/search"));
    assert!(
        calls
            .next()
            .unwrap()
            .contains(summary["run"].as_str().unwrap())
    );
    let records = good_records(&house, 2);
    fail(&house, &records);
    let mut worker = Worker::start(&house, "worker");
    let before = house.read("tramline.log").lines().count();
    retry(&house);
    eventually("the jobs", || {
        jobs(&house).iter().all(|job| job["state"] == "done")
    });
    assert_eq!(worker.terminate(), Some(143));
    let log = house.read("tramline.log");
    let lines: Vec<Value> = log
        .lines()
        .skip(before)
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let mut traces = Vec::new();
    for record in &records {
        let about: Vec<&Value> = lines
            .iter()
            .filter(|line| line.to_string().contains(record.as_str()))
            .collect();
        let calls = about
            .iter()
            .filter(|line| line["message"] == "call")
            .count();
        assert!(calls > 0, "{about:#?}");
        let settled = about
            .iter()
            .find(|line| line["message"] == "job settled")
            .unwrap();
        for line in &about {
            for key in ["job", "record", "mapping", "connection", "trace"] {
                assert_eq!(line[key], settled[key], "{key} of {line}");
            }
        }
        traces.push(settled["trace"].as_str().unwrap().to_owned());
    }
    assert_ne!(traces[0], traces[1]);
    assert!(!log.contains(HIGHLEVEL_TOKEN) && !log.contains(ACTIVECAMPAIGN_TOKEN));
    // The answer's id is named where there is one.
    let answered = lines.iter().filter(|line| line["api"] == "activecampaign");
    assert!(
        answered.clone().count() > 0 && answered.clone().all(|line| line["request_id"].is_string())
    );
}
