//! People are told once, whatever the number of workers, and once that it is over.

use super::{Inbox, Worker, fail, good_records, retry};
use crate::support::{House, eventually};
use serde_json::Value;
use tramline::sandbox::{Fault, Kind};

const PATH: &str = "/services/T000/canary-3391";

fn alert_to(house: &House, inbox: &Inbox) {
    house.write("alert.url", &inbox.url);
    let config = house.read("config.toml");
    house.write(
        "config.toml",
        &format!(
            "{config}\n[alerts]\nwebhook = {{ file = \"alert.url\" }}\nfailed = {{ count = 2, within = \"1h\" }}\n"
        ),
    );
}

fn conditions(house: &House) -> Vec<Value> {
    house.expect(0, &["--json", "alerts", "list"]).lines()
}

#[test]
fn two_workers_tell_of_failures_once_and_once_that_they_are_over() {
    let house = House::new(40);
    let inbox = Inbox::open(PATH, &[500]);
    alert_to(&house, &inbox);
    let records = good_records(&house, 2);
    let mut workers = [
        Worker::start(&house, "first"),
        Worker::start(&house, "second"),
    ];
    fail(&house, &records);
    // The first delivery is refused and made again.
    eventually("the alert", || !inbox.texts().is_empty());
    assert!(
        inbox.texts()[0].contains("2 jobs failed within 60 min"),
        "{:?}",
        inbox.texts()
    );
    retry(&house);
    eventually("the recovery", || inbox.texts().len() > 1);
    assert!(inbox.texts()[1].contains("over:"), "{:?}", inbox.texts());
    // It comes again within the cooldown: noted, and not told.
    fail(&house, &records);
    eventually("the condition", || conditions(&house)[0]["firing"] == true);
    assert_eq!(conditions(&house)[0]["told"], false);
    for worker in &mut workers {
        assert_eq!(worker.terminate(), Some(143));
    }
    assert_eq!(inbox.texts().len(), 2, "{:?}", inbox.texts());
    let log = house.read("tramline.log");
    assert!(log.contains("alert not delivered") && log.contains("alert delivered"));
    let told = house.expect(0, &["check"]);
    for text in [
        &log,
        &told.stdout,
        &told.stderr,
        &house.read("first.stderr"),
    ] {
        assert!(
            !text.contains("canary-3391") && !text.contains("T000"),
            "{text}"
        );
    }
}

#[test]
fn an_export_that_stops_is_told_and_that_it_went_on() {
    let house = House::new(30);
    let inbox = Inbox::open(PATH, &[]);
    alert_to(&house, &inbox);
    house.control.fault(Fault {
        api: "highlevel".into(),
        ..Fault::once(Kind::Status(401), "records/search").times(1_000)
    });
    house.export(&[]);
    let _worker = Worker::start(&house, "worker");
    eventually("the alert", || !inbox.texts().is_empty());
    assert!(
        inbox.texts()[0].contains("the export of pets stopped: 401"),
        "{:?}",
        inbox.texts()
    );
    house.control.clear_faults();
    house.export(&[]);
    // Records that cannot be mapped are told of as well.
    let over = |text: &String| text.contains("over: the export of pets");
    eventually("the recovery", || inbox.texts().iter().any(over));
}

#[test]
fn a_token_that_dies_is_told_once_by_two_workers_and_that_it_is_good_again() {
    let house = House::new(40);
    let inbox = Inbox::open(PATH, &[]);
    alert_to(&house, &inbox);
    let records = good_records(&house, 1);
    fail(&house, &records);
    let _workers = [
        Worker::start(&house, "first"),
        Worker::start(&house, "second"),
    ];
    house.control.fault(Fault {
        api: "highlevel".into(),
        ..Fault::once(Kind::Status(401), "").times(100_000)
    });
    retry(&house);
    eventually("the alert", || !inbox.texts().is_empty());
    let text = inbox.texts()[0].clone();
    assert!(
        text.contains("default is paused") && text.contains("401"),
        "{text}"
    );
    house.control.clear_faults();
    eventually("the recovery", || inbox.texts().len() > 1);
    let jobs = || house.expect(0, &["--json", "queue", "list"]).lines();
    eventually("the job", || jobs()[0]["state"] == "done");
    let texts = inbox.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[1].contains("over: the credential"), "{texts:?}");
}

#[test]
fn a_command_is_tested_and_what_cannot_work_is_found_by_check() {
    let house = House::new(1);
    let config = house.read("config.toml");
    let with =
        |alerts: &str| house.write("config.toml", &format!("{config}\n[alerts]\n{alerts}\n"));
    let none = house.expect(2, &["alerts", "test"]);
    assert!(
        none.stderr.contains("neither webhook nor command"),
        "{none:#?}"
    );
    with("command = [\"tee\", \"alert.json\"]");
    house.expect(0, &["alerts", "test"]);
    let json: Value = serde_json::from_str(&house.read("alert.json")).unwrap();
    assert_eq!(json["condition"], "test");
    assert!(json["text"].as_str().unwrap().contains("this is a test"));
    with("command = [\"no-such-program-here\"]");
    let checked = house.expect(1, &["check"]);
    assert!(
        checked.stdout.contains("no-such-program-here is not there"),
        "{checked:#?}"
    );
    with("webhook = { file = \"nowhere\" }");
    let checked = house.expect(1, &["check"]);
    assert!(
        checked.stdout.contains("file nowhere cannot be read"),
        "{checked:#?}"
    );
}
