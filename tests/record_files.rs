//! Records into a file: whole or not at all, for its owner's eyes, and safe in a spreadsheet.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use support::{House, PETS};
use tramline::config::Config;
use tramline::model::{ErrorClass, Problem, Record};
use tramline::operations::records::RecordSearch;
use tramline::operations::records::csv::Column;
use tramline::operations::records::file::{Filed, Format, PATH, Progress, RecordFile, Rows};
use tramline::operations::{OpenOptions, Operations};
use tramline::sandbox::{Fault, Kind};

const SEARCH: &str = "POST /objects/custom_objects.pets/records/search";

fn all(house: &House, name: &str) -> RecordFile {
    RecordFile {
        object: PETS.into(),
        rows: Rows::All { query: None },
        format: Format::Csv,
        columns: vec![
            Column::Property("weight".into()),
            Column::Property("name".into()),
            Column::Id,
        ],
        path: house.path(name).to_string_lossy().into_owned(),
        overwrite: false,
        progress: Progress::default(),
    }
}

/// Does something with the operations of a house.
fn within<T>(house: &House, work: impl AsyncFnOnce(&Operations) -> T) -> T {
    let config = Config::read(&house.path("config.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let operations = Operations::open(config, OpenOptions::default())
            .await
            .unwrap();
        let result = work(&operations).await;
        operations.close().await;
        result
    })
}

fn write(house: &House, file: &RecordFile) -> Result<Filed, Problem> {
    within(house, async |operations| {
        operations.records_into_file(&"default".into(), file).await
    })
}

fn written(house: &House, file: &RecordFile) -> u64 {
    match write(house, file).unwrap() {
        Filed::Written { records, .. } => records,
        other => panic!("{other:?}"),
    }
}

fn audit(house: &House) -> Vec<Value> {
    let rows = house.expect(0, &["--json", "audit"]).lines();
    let mine = rows.into_iter();
    mine.filter(|row| row["action"] == "records export")
        .collect()
}

/// Files in the house that were not there at first.
fn parts(house: &House) -> Vec<String> {
    let files = std::fs::read_dir(house.folder.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.contains(".part") || name.ends_with("csv") || name.ends_with("jsonl"))
        .collect()
}

#[test]
fn all_records_of_a_search_go_into_one_file_that_only_its_owner_reads() {
    let house = House::new(250);
    let dangerous = house.control.records(PETS)[3].id.clone();
    let formula = json!("=HYPERLINK(\"http://evil.example\",\"Rex\")");
    assert!(
        house
            .control
            .set_property(PETS, &dangerous, "name", formula)
    );
    let file = all(&house, "pets.csv");
    assert_eq!(written(&house, &file), 250);
    assert_eq!(
        (file.progress.done(), file.progress.total()),
        (250, Some(250))
    );

    let text = house.read("pets.csv");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("weight,name,id"));
    let ids: BTreeSet<String> = lines
        .map(|line| line.rsplit(',').next().unwrap().to_owned())
        .collect();
    let wanted = house.control.records(PETS).into_iter();
    assert_eq!(ids, wanted.map(|record| record.id.to_string()).collect());
    let evil = text
        .lines()
        .find(|line| line.ends_with(&*dangerous))
        .unwrap();
    assert!(evil.contains(",\"'=HYPERLINK("), "{evil}");
    assert!(!text.contains("-inf") && !text.contains(",=HYPERLINK"));

    let mode = std::fs::metadata(house.path("pets.csv"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(parts(&house), ["pets.csv"]);
    let audit = audit(&house);
    assert_eq!(
        (&audit[0]["count"], &audit[0]["outcome"]),
        (&json!(250), &json!("done"))
    );
    assert!(
        audit[0]["target"]
            .as_str()
            .unwrap()
            .contains("custom_objects.pets to /")
    );
    house.assert_no_violation();
}

/// What the screen writes of its columns is what the command of the same view prints.
#[test]
fn the_command_prints_what_the_screen_writes() {
    let house = House::new(30);
    let file = all(&house, "pets.csv");
    assert_eq!(written(&house, &file), 30);
    let list = ["records", "list", "pets"];
    let columns = ["--format", "csv", "--columns", "weight,name,id"];
    let ran = house.expect(0, &[&list[..], &columns[..]].concat());
    assert_eq!(ran.stdout, house.read("pets.csv"));
    let whole = RecordFile {
        format: Format::JsonLines,
        ..all(&house, "pets.jsonl")
    };
    assert_eq!(written(&house, &whole), 30);
    let ran = house.expect(0, &[&list[..], &["--format", "jsonl"][..]].concat());
    assert_eq!(ran.stdout, house.read("pets.jsonl"));
    let oldest = house.expect(
        0,
        &["--json", "records", "list", "pets", "--order", "oldest"],
    );
    let times: Vec<String> = oldest
        .lines()
        .iter()
        .map(|record| record["updated_at"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        times.is_sorted() && times.first() < times.last(),
        "{times:?}"
    );
    for wrong in [
        &["--columns", "wieght", "--format", "csv"][..],
        &["--columns", "weight", "--format", "jsonl"],
    ] {
        house.expect(2, &[&list[..], wrong].concat());
    }
}

#[test]
fn records_at_hand_are_written_as_they_stand_without_a_call() {
    let house = House::new(30);
    let (records, calls) = within(&house, async |operations| {
        let search = RecordSearch::default();
        let page = operations
            .records(&"default".into(), &PETS.into(), &search, None, 20)
            .await
            .unwrap();
        let mut records: Vec<Record> = page.records;
        records.reverse();
        let calls = house.requests(SEARCH).len();
        let file = RecordFile {
            rows: Rows::These(Arc::new(records.clone())),
            columns: vec![Column::Id],
            ..all(&house, "pets.csv")
        };
        operations
            .records_into_file(&"default".into(), &file)
            .await
            .unwrap();
        (records, calls)
    });
    assert_eq!(house.requests(SEARCH).len(), calls);
    let text = house.read("pets.csv");
    let ids: Vec<&str> = text.lines().skip(1).collect();
    let wanted: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, wanted);
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_told() {
    let house = House::new(20);
    house.write("pets.csv", "mine\n");
    let calls = house.requests(SEARCH).len();
    let file = all(&house, "pets.csv");
    assert!(matches!(write(&house, &file), Ok(Filed::Exists(path)) if path.ends_with("pets.csv")));
    assert_eq!(house.read("pets.csv"), "mine\n");
    assert_eq!(
        house.requests(SEARCH).len(),
        calls,
        "nothing is read for it"
    );
    assert!(audit(&house).is_empty(), "nothing was done");
    let file = RecordFile {
        overwrite: true,
        ..file
    };
    assert_eq!(written(&house, &file), 20);
    assert_eq!(house.read("pets.csv").lines().count(), 21);
    let mode = std::fs::metadata(house.path("pets.csv"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_stopped_leaves_nothing_and_what_was_there_stays() {
    let house = House::new(350);
    house.write("pets.csv", "mine\n");
    // The third page never comes.
    house.control.fault(Fault {
        skip: 2,
        ..Fault::once(Kind::Stall, SEARCH)
    });
    let file = RecordFile {
        overwrite: true,
        ..all(&house, "pets.csv")
    };
    let result = within(&house, async |operations| {
        let connection = "default".into();
        let stop = async {
            while file.progress.done() < 200 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(file.progress.total(), Some(350));
            file.progress.stop();
        };
        tokio::join!(operations.records_into_file(&connection, &file), stop).0
    });
    assert_eq!(result.unwrap(), Filed::Stopped(200));
    assert_eq!(parts(&house), ["pets.csv"]);
    assert_eq!(house.read("pets.csv"), "mine\n");
    let outcome = audit(&house)[0]["outcome"].clone();
    assert!(
        outcome
            .as_str()
            .unwrap()
            .contains("stopped after 200 records"),
        "{outcome}"
    );
}

#[test]
fn a_page_that_fails_leaves_no_half_file() {
    let house = House::new(250);
    house.control.fault(Fault {
        skip: 1,
        ..Fault::once(Kind::Status(403), SEARCH)
    });
    let problem = write(&house, &all(&house, "pets.csv")).unwrap_err();
    assert_eq!(problem.class, ErrorClass::Auth);
    assert!(parts(&house).is_empty());
    let outcome = audit(&house)[0]["outcome"].clone();
    assert!(outcome.as_str().unwrap().contains("403"), "{outcome}");
}

#[test]
fn a_path_that_cannot_be_used_is_named_with_a_remedy() {
    let house = House::new(20);
    for (name, said) in [
        ("no/such/folder/pets.csv", "No such file"),
        (".", "is a folder"),
    ] {
        let problem = write(&house, &all(&house, name)).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some(PATH));
        assert!(problem.message.contains(said), "{problem}");
        assert!(problem.remedy.is_some());
    }
    assert_eq!(house.requests(SEARCH).len(), 0, "nothing is read for it");
}
