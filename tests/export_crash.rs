//! An export that is killed, stopped, paused or cancelled loses nothing and repeats next to nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::Value;
use std::process::Child;
use std::time::Duration;
use support::{House, PETS, count, eventually, expectation, options, signal};
use tramline::sandbox::{Entry, Options};

const RECORDS: usize = 1_500;

fn house() -> House {
    House::with(Options {
        import_delay: Duration::from_millis(1_500),
        ..options(RECORDS)
    })
}

/// Searches that HighLevel answered.
fn pages(house: &House) -> Vec<Entry> {
    house.requests("POST /objects/custom_objects.pets/records/search")
}

fn summary(house: &House, name: &str) -> Value {
    let text = house.read(&format!("{name}.stdout"));
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| {
        panic!("{error}: {text}\n{}", house.read(&format!("{name}.stderr")))
    })
}

fn assert_complete(house: &House, summary: &Value, expected: &expectation::Expected) {
    assert_eq!(summary["state"], "completed", "{summary}");
    assert_eq!(count(summary, "read"), RECORDS as u64, "{summary}");
    // What an earlier life of the run sent counts as synced; a kill behind the run's end leaves all unchanged.
    let (synced, unchanged) = (count(summary, "synced"), count(summary, "unchanged"));
    assert!(synced == 0 || unchanged == 0, "{summary}");
    assert_eq!(synced + unchanged, expected.winners, "{summary}");
    assert_eq!(
        count(summary, "superseded"),
        expected.superseded,
        "{summary}"
    );
    assert_eq!(count(summary, "skipped"), expected.skipped, "{summary}");
    assert_eq!(count(summary, "failed"), expected.failed, "{summary}");
    assert_contacts(house, expected);
}

fn assert_contacts(house: &House, expected: &expectation::Expected) {
    let found = expectation::contacts(&house.control);
    for (email, person) in &expected.contacts {
        assert_eq!(found.get(email), Some(person), "contact {email}");
    }
    assert_eq!(found.len(), expected.contacts.len());
}

fn expected(house: &House) -> expectation::Expected {
    expectation::pets(&house.control, &expectation::contacts(&house.control))
}

fn start(house: &House, name: &str) -> Child {
    house.start(name, &["--json", "export", "pets"])
}

/// Starts an export and kills it `after` its start, again and again; then lets it end. The summary and the number of kills
/// that hit.
fn kill_again_and_again(
    house: &House,
    kills: usize,
    mut after: impl FnMut(usize) -> Duration,
) -> (Value, usize) {
    let mut hits = 0;
    for round in 0..kills {
        let mut child = start(house, "killed");
        std::thread::sleep(after(round));
        if child.try_wait().unwrap().is_some() {
            return (summary(house, "killed"), hits);
        }
        signal(child.id(), "KILL");
        child.wait().unwrap();
        hits += 1;
        // It may have come to its end and not have said so.
        if let Some(run) = house
            .expect(0, &["--json", "exports", "list"])
            .lines()
            .first()
            && run["state"] == "completed"
        {
            let mut summary = run["counts"].clone();
            summary["state"] = run["state"].clone();
            return (summary, hits);
        }
    }
    let mut last = start(house, "last");
    assert_eq!(
        last.wait().unwrap().code(),
        Some(3),
        "{}",
        house.read("last.stderr")
    );
    (summary(house, "last"), hits)
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_stood() {
    let house = house();
    let expected = expected(&house);
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    // A start takes some 30 ms before the first page; later kills meet the imports and their results.
    let (summary, hits) = kill_again_and_again(&house, 16, |round| {
        Duration::from_millis(25 + rng.u64(0..60 + 20 * round as u64))
    });
    assert!(hits >= 6, "only {hits} kills hit; seed {seed}");
    assert_complete(&house, &summary, &expected);
    house.assert_no_violation();
    // A whole walk is 15 pages and the head once more; a kill costs one page more at most.
    let read = pages(&house).len();
    assert!(
        read <= 16 + hits,
        "{read} pages after {hits} kills; seed {seed}"
    );
    // And the run has no heir: the next one finds everything in place.
    let seq = house.now();
    let (again, _) = house.export(&[]);
    assert_eq!(count(&again, "unchanged"), expected.winners, "{again}");
    assert_eq!(house.writes_since(seq).len(), 0);
}

#[test]
fn killed_beside_changing_records_it_never_brings_an_older_state_back() {
    let house = house();
    let ids: Vec<String> = house
        .control
        .records(PETS)
        .into_iter()
        .filter(|record| record.properties.get("chip").is_some())
        .map(|record| record.id)
        .collect();
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut summary, hits) = kill_again_and_again(&house, 10, |round| {
        for nth in 0..5 {
            let id = &ids[rng.usize(..ids.len())];
            let breed = format!("Breed {round}-{nth}");
            assert!(house.control.set_property(PETS, id, "breed", breed.into()));
        }
        Duration::from_millis(40 + rng.u64(0..300))
    });
    assert!(hits >= 6, "only {hits} kills hit");
    // What changed behind the walk comes with the next run.
    for _ in 0..2 {
        summary = house.export(&[]).0;
    }
    assert_eq!(count(&summary, "synced"), 0, "{summary}");
    assert_contacts(&house, &expected(&house));
}

/// Waits until imports are under way.
fn under_way(house: &House) {
    eventually("an import", || !house.requests("bulk_import").is_empty());
}

fn slow() -> House {
    House::with(Options {
        import_delay: Duration::from_secs(3),
        ..options(RECORDS)
    })
}

#[test]
fn interrupted_it_says_how_to_go_on_and_goes_on() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let house = slow();
        let expected = expected(&house);
        let mut child = start(&house, "stopped");
        under_way(&house);
        signal(child.id(), name);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let note = house.read("stopped.stderr");
        assert!(note.contains("tramline export pets"), "{note}");
        let (summary, ran) = house.export(&[]);
        assert!(ran.stderr.contains("going on with run"), "{ran:#?}");
        assert_complete(&house, &summary, &expected);
        assert!(pages(&house).len() <= 17, "{}", pages(&house).len());
    }
}

fn run_id(house: &House) -> String {
    let run = house.expect(0, &["--json", "exports", "list"]).summary();
    run["id"].as_str().unwrap().to_owned()
}

fn state(house: &House, run: &str) -> Value {
    house.expect(0, &["--json", "exports", "show", run]).json()["state"].clone()
}

#[test]
fn paused_from_another_process_it_rests_until_it_is_resumed() {
    let house = slow();
    let expected = expected(&house);
    let mut child = start(&house, "paused");
    under_way(&house);
    let run = run_id(&house);
    house.expect(0, &["exports", "pause", &run]);
    child.wait().unwrap();
    assert_eq!(state(&house, &run), "paused");
    let refused = house.expect(1, &["export", "pets"]);
    assert!(
        refused.stderr.contains("paused") && refused.stderr.contains("resume"),
        "{refused:#?}"
    );
    let resumed = house.run(&["--json", "exports", "resume", &run]);
    assert_eq!(resumed.code, Some(3), "{resumed:#?}");
    assert_complete(&house, &resumed.summary(), &expected);
    assert_eq!(state(&house, &run), "completed");
}

#[test]
fn cancelled_from_another_process_it_ends_and_a_new_one_does_the_rest() {
    let house = slow();
    let expected = expected(&house);
    let mut child = start(&house, "cancelled");
    under_way(&house);
    let run = run_id(&house);
    house.expect(0, &["exports", "cancel", &run]);
    child.wait().unwrap();
    assert_eq!(state(&house, &run), "cancelled");
    assert_ne!(house.run(&["exports", "resume", &run]).code, Some(0));
    let (summary, _) = house.export(&[]);
    assert_ne!(summary["run"], run.as_str());
    assert_eq!(
        count(&summary, "synced") + count(&summary, "unchanged"),
        expected.winners,
        "{summary}"
    );
    assert_contacts(&house, &expected);
}
