//! Exit codes, JSON shapes and tables, held by snapshots.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "cli/connections.rs"]
mod connections;
#[allow(dead_code, reason = "the room's tests use the rest of it")]
#[path = "terminal/pty.rs"]
mod pty;
#[path = "cli/words.rs"]
mod words;

use serde_json::{Value, json};
use support::{House, PETS, Ran, VISITS, eventually, finish, redact, tramline};
use tramline::sandbox::{Fault, Kind};

/// The JSON lines of a command's stdout, whose exit code stands above them.
fn shape(ran: &Ran) -> String {
    format!("exit {}\n{}", ran.code.unwrap(), redact::json(&ran.lines()))
}

/// The same, where the house's folder stands in it.
fn shape_at_home(house: &House, ran: Ran) -> String {
    let folder = house.folder.path().display().to_string();
    shape(&Ran {
        stdout: ran.stdout.replace(&folder, "[folder]"),
        ..ran
    })
}

/// What a command printed, below its exit code.
fn plain(house: &House, ran: &Ran) -> String {
    let folder = house.folder.path().display().to_string();
    let text = format!("exit {}\n{}{}", ran.code.unwrap(), ran.stdout, ran.stderr);
    redact::text(&text.replace(&folder, "[folder]"))
}

/// A record by its chip: which one is newest depends on the moment.
fn record(house: &House, nth: usize) -> String {
    let chip = format!("{:015}", 985_000_000_000_000 + nth as u64);
    let records = house.control.records(PETS);
    let found = records
        .into_iter()
        .find(|record| record.properties.get("chip") == Some(&json!(chip)));
    found.unwrap().id
}

#[test]
fn the_version_names_the_build() {
    let house = House::new(0);
    let ran = house.expect(0, &["--version"]);
    // A release build names its commit; this one may be of anything.
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(ran.stdout, format!("tramline {version} (debug)\n"));
}

#[test]
fn locate_says_where_everything_is() {
    let house = House::new(10);
    insta::assert_snapshot!("locate", plain(&house, &house.run(&["locate"])));
    // The store and the log are opened by what needs them, not by asking where they are.
    assert!(!house.path("tramline.db").exists());
    house.edit_config(
        "token = { file = \"highlevel.token\" }",
        "oauth = { client_id = \"app\", client_secret = { file = \"highlevel.token\" } }",
    );
    house.run(&["queue", "list"]);
    let located = house.run(&["--json", "locate"]);
    insta::assert_snapshot!("locate_json", shape_at_home(&house, located));
    // A file that cannot be read is the one that is looked for.
    house.write("config.toml", "nonsense = [\n");
    let broken = house.expect(2, &["locate"]);
    assert!(broken.stdout.contains("config.toml"), "{broken:#?}");
    assert!(broken.stderr.contains("config.toml"), "{broken:#?}");
}

#[test]
fn check() {
    let house = House::new(20);
    insta::assert_snapshot!(
        "check_json",
        shape_at_home(&house, house.run(&["--json", "check"]))
    );
    house.control.remove_scope("associations.readonly");
    insta::assert_snapshot!(
        "check_missing_scope",
        shape_at_home(&house, house.run(&["--json", "check"]))
    );
}

#[test]
fn schemas_and_fields() {
    let house = House::new(20);
    insta::assert_snapshot!(
        "schemas_list",
        plain(&house, &house.run(&["schemas", "list"]))
    );
    insta::assert_snapshot!(
        "schemas_list_json",
        shape(&house.run(&["--json", "schemas", "list"]))
    );
    insta::assert_snapshot!(
        "schemas_show",
        plain(&house, &house.run(&["schemas", "show", "pets"]))
    );
    insta::assert_snapshot!(
        "schemas_show_json",
        shape(&house.run(&["--json", "schemas", "show", "visits"]))
    );
    insta::assert_snapshot!(
        "schemas_show_unknown",
        plain(&house, &house.run(&["schemas", "show", "pest"]))
    );
    insta::assert_snapshot!(
        "fields_list",
        plain(&house, &house.run(&["fields", "list"]))
    );
    let fields = house.run(&["--json", "fields", "list"]);
    insta::assert_snapshot!("fields_list_json", redact::json(&fields.lines()[..6]));
}

#[test]
fn records_list_in_every_format() {
    let house = House::new(20);
    let one = "985000000000011";
    for format in ["table", "json", "jsonl", "csv"] {
        let ran = house.run(&[
            "records", "list", "pets", "--query", one, "--format", format,
        ]);
        insta::assert_snapshot!(format!("records_list_{format}"), plain(&house, &ran));
    }
    let all = house.expect(0, &["--json", "records", "list", "pets"]);
    assert_eq!(all.lines().len(), 20);
    let some = house.expect(
        0,
        &[
            "--json",
            "records",
            "list",
            "custom_objects.pets",
            "--limit",
            "7",
        ],
    );
    assert_eq!(some.lines().len(), 7);
    let id = record(&house, 11);
    insta::assert_snapshot!(
        "records_get",
        plain(&house, &house.run(&["records", "get", "pets", &id]))
    );
    insta::assert_snapshot!(
        "records_get_json",
        shape(&house.run(&["--json", "records", "get", "pets", &id]))
    );
    let ran = house.run(&[
        "--json",
        "records",
        "get",
        "pets",
        "000000000000000000000000",
    ]);
    assert_eq!(ran.code, Some(1));
    insta::assert_snapshot!("records_get_missing", redact::text(&ran.stderr));
    house.assert_no_violation();
}

#[test]
fn records_are_written_from_every_kind_of_input() {
    let house = House::new(20);
    let before = house.control.records(PETS).len();
    let ran = house.run(&[
        "--json",
        "records",
        "create",
        "pets",
        "--set",
        "name=Set",
        "--set",
        "weight=12.40",
        "--set",
        "temperament=[\"calm\",\"shy\"]",
        "--set",
        "owner_email=set@example.com",
    ]);
    insta::assert_snapshot!("records_create", shape(&ran));
    let id = ran.lines()[0]["record"].as_str().unwrap().to_owned();
    let made = house.control.record(PETS, &id).unwrap();
    assert_eq!(
        made.properties["weight"].to_string(),
        "12.40",
        "digits are kept"
    );
    assert_eq!(made.properties["temperament"], json!(["calm", "shy"]));
    let inputs = [
        r#"[{"name":"Array 1"},{"name":"Array 2"}]"#.to_owned(),
        "{\"name\":\"Line 1\"}\n{\"name\":\"Line 2\"}\n".to_owned(),
        r#"{"records":[{"data":{"name":"Data 1"}},{"data":{"name":"Data 2"}}]}"#.to_owned(),
    ];
    for input in &inputs {
        let ran = house.run_with(
            &["--json", "records", "create", "pets", "--data", "-"],
            input,
        );
        assert_eq!((ran.code, ran.lines().len()), (Some(0), 2), "{ran:#?}");
        assert!(
            ran.lines().iter().all(|line| line["outcome"] == "created"),
            "{ran:#?}"
        );
    }
    assert_eq!(house.control.records(PETS).len(), before + 7);
    let names: Vec<Value> = house
        .control
        .records(PETS)
        .iter()
        .map(|record| record.properties["name"].clone())
        .collect();
    for name in ["Array 1", "Array 2", "Line 1", "Line 2", "Data 1", "Data 2"] {
        assert!(names.contains(&json!(name)), "{name}");
    }
    // One of two fails: the other is written all the same.
    let input = format!(r#"[{{"id":"{id}","name":"Renamed"}},{{"id":"{id}","weight":"heavy"}}]"#);
    let ran = house.run_with(
        &["--json", "records", "update", "pets", "--data", "-"],
        &input,
    );
    insta::assert_snapshot!("records_update_partly", shape(&ran));
    let now = house.control.record(PETS, &id).unwrap();
    assert_eq!(now.properties["name"], "Renamed");
    assert_eq!(
        now.properties["owner_email"], "set@example.com",
        "the others stay"
    );
    house.expect(
        0,
        &["records", "update", "pets", &id, "--set", "name=Again"],
    );
    assert_eq!(
        house.control.record(PETS, &id).unwrap().properties["name"],
        "Again"
    );
    let ran = house.run(&[
        "--json",
        "records",
        "delete",
        "pets",
        &id,
        "000000000000000000000000",
        "--yes",
    ]);
    insta::assert_snapshot!("records_delete", shape(&ran));
    assert!(house.control.record(PETS, &id).is_none());
    for bad in ["", "[]", "7", "[1]", "{\"name\":"] {
        let ran = house.run_with(&["records", "create", "pets", "--data", "-"], bad);
        assert_eq!(ran.code, Some(2), "{bad:?}: {ran:#?}");
    }
    let seq = house.now();
    let ran = house.run(&[
        "--read-only",
        "records",
        "create",
        "pets",
        "--set",
        "name=No",
    ]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    let (some, other) = (record(&house, 1), record(&house, 2));
    let ran = house.expect(
        2,
        &["--read-only", "records", "delete", "pets", &some, "--yes"],
    );
    assert_eq!(ran.stdout, "", "{ran:#?}");
    // The command did what it was told, and a record failed.
    house.expect(2, &["records", "update", "pets", "--set", "name=Whose"]);
    let input = r#"[{"weight":"heavy"}]"#;
    let ran = house.run_with(&["records", "update", "pets", &other, "--data", "-"], input);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    house.expect(
        3,
        &[
            "records",
            "delete",
            "pets",
            "000000000000000000000000",
            "--yes",
        ],
    );
    assert!(
        house
            .control
            .log_since(seq)
            .iter()
            .all(|entry| entry.method == "GET" || entry.path.contains("000000000000000000000000"))
    );
}

/// What a record holds may act on no terminal, in any format; in a file it is as it was.
#[test]
fn hostile_records_reach_neither_terminal_nor_meaning() {
    const HOSTILE: &str = "a\u{1b}]52;c;Zm9v\u{7}\u{9b}31m\u{202e}b";
    let house = House::new(20);
    let id = record(&house, 0);
    assert!(
        house
            .control
            .set_property(PETS, &id, "name", json!(HOSTILE))
    );
    let path = format!("/objects/custom_objects.pets/records/{id}");
    let csv = ["records", "list", "pets", "--format", "csv"];
    for arguments in [
        &csv[..],
        &["records", "list", "pets"],
        &["records", "list", "pets", "--format", "json"],
        &["--json", "records", "list", "pets"],
        &["--json", "records", "get", "pets", &id],
        &["api", "highlevel", "GET", &path],
        &["--json", "api", "highlevel", "GET", &path],
    ] {
        let mut command = pty::tramline(house.folder.path());
        command.arg("--config");
        command.arg(house.path("config.toml"));
        command.args(arguments);
        let mut terminal = pty::Terminal::start(command, 200, 60);
        assert!(terminal.ended().success(), "{arguments:?}");
        // What was written last may still be on its way to the reader.
        let text = || String::from_utf8(terminal.bytes()).unwrap();
        eventually("the record on the terminal", || text().contains("Zm9v"));
        let text = text();
        for bad in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}'] {
            assert!(!text.contains(bad), "{arguments:?}: {bad:?} in {text:?}");
        }
        if arguments.contains(&"--json") {
            let ran = house.expect(0, arguments);
            assert!(!ran.stdout.contains('\u{9b}'), "{ran:#?}");
            assert!(
                ran.lines()
                    .iter()
                    .any(|line| line.to_string().contains('\u{9b}'))
            );
        }
    }
    assert!(house.expect(0, &csv).stdout.contains(HOSTILE));
}

#[test]
fn what_lists_and_questions_say_in_json() {
    let house = House::new(40);
    house.export(&[]);
    let failed = house
        .expect(0, &["--json", "queue", "list", "--filter", "state:failed"])
        .lines();
    let id = failed[0]["id"].as_str().unwrap();
    let why = house.expect(0, &["--json", "queue", "why", id]).json();
    assert_eq!(why["id"], id, "{why}");
    assert!(why["why"].as_str().unwrap().contains("person"), "{why}");
    // A mapping has its e-mail: what is suggested can be written into its fields.
    let pairs = house
        .expect(0, &["--json", "mappings", "suggest", "pets"])
        .lines();
    assert!(
        pairs.iter().all(|pair| pair["field"] != "email"),
        "{pairs:#?}"
    );
    // Objects whose records cannot be counted are listed, with the reason.
    house.control.remove_scope("objects/record.readonly");
    let list = house.expect(0, &["--json", "schemas", "list"]).lines();
    let pets = list
        .iter()
        .find(|line| line["schema"]["key"] == PETS)
        .unwrap();
    assert_eq!(pets["problem"]["class"], "auth", "{pets}");
    let ran = house.expect(0, &["schemas", "list"]);
    assert!(ran.stderr.contains("objects/record.readonly"), "{ran:#?}");
}

#[test]
fn mappings() {
    let house = House::new(20);
    for name in ["list", "show", "check", "suggest"] {
        let mut arguments = vec!["--json", "mappings", name];
        if name == "show" || name == "suggest" {
            arguments.push("visits");
        }
        insta::assert_snapshot!(format!("mappings_{name}"), shape(&house.run(&arguments)));
    }
    insta::assert_snapshot!(
        "mappings_show_table",
        plain(&house, &house.run(&["mappings", "show", "pets"]))
    );
    let seq = house.now();
    let id = record(&house, 1);
    insta::assert_snapshot!(
        "mappings_preview",
        plain(&house, &house.run(&["mappings", "preview", "pets", &id]))
    );
    insta::assert_snapshot!(
        "mappings_preview_json",
        shape(&house.run(&["--json", "mappings", "preview", "pets", &id]))
    );
    assert!(
        house
            .control
            .log_since(seq)
            .iter()
            .all(|entry| entry.method == "GET"),
        "a preview writes nothing"
    );
}

#[test]
fn sync_says_what_became_of_each_record() {
    let house = House::new(40);
    // Ordinary; without e-mail; bad e-mail; the e-mail of the pet before in capitals.
    let [plain_one, without, bad] = [1, 2, 4].map(|nth| record(&house, nth));
    let ran = house.run(&["--json", "sync", "pets", &plain_one, &without, &bad]);
    insta::assert_snapshot!("sync", shape(&ran));
    let ran = house.run(&["--json", "sync", "pets", &plain_one]);
    assert_eq!(
        (ran.code, &ran.summary()["outcome"]),
        (Some(0), &json!("unchanged")),
        "{ran:#?}"
    );
    let seq = house.now();
    house
        .control
        .set_property(PETS, &plain_one, "name", json!("Rehearsed"));
    let ran = house.run(&["--json", "sync", "pets", &plain_one, "--dry-run"]);
    assert_eq!(house.writes_since(seq).len(), 0);
    insta::assert_snapshot!("sync_dry_run", shape(&ran));
    let ran = house.run(&["--json", "sync", "pets", "000000000000000000000000"]);
    insta::assert_snapshot!("sync_missing_record", shape(&ran));
    let visit = house.control.records(VISITS)[0].id.clone();
    house.expect(0, &["sync", "visits", &visit]);
    house.assert_no_violation();
}

#[test]
fn the_queue_from_failure_to_retry() {
    let house = House::new(40);
    house.export(&[]);
    let bad = record(&house, 4);
    let list = house.expect(
        0,
        &[
            "--json",
            "queue",
            "list",
            "--filter",
            &format!("record:{bad}"),
        ],
    );
    insta::assert_snapshot!("queue_list", shape(&list));
    let all = house
        .expect(0, &["--json", "queue", "list", "--filter", "state:failed"])
        .lines();
    assert_eq!(all.len(), 3, "{all:#?}");
    let job = list.lines()[0]["id"].as_str().unwrap().to_owned();
    insta::assert_snapshot!(
        "queue_show",
        shape(&house.run(&["--json", "queue", "show", &job]))
    );
    let ran = house.run(&["queue", "list", "--filter", "state:failed colour:red"]);
    insta::assert_snapshot!("queue_filter_unknown_key", plain(&house, &ran));
    // Still bad: it fails again, and says so.
    let ran = house.run(&["--json", "queue", "retry", &job, "--wait"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(ran.json()["results"][0]["state"], "failed", "{ran:#?}");
    // Mended.
    house.expect(
        0,
        &[
            "records",
            "update",
            "pets",
            &bad,
            "--set",
            "owner_email=mended@example.com",
        ],
    );
    let ran = house.run(&["--json", "queue", "retry", &job, "--wait"]);
    insta::assert_snapshot!("queue_retry", shape(&ran));
    assert!(house.control.contact("mended@example.com").is_some());
    let dry = house
        .expect(
            0,
            &[
                "--json",
                "queue",
                "discard",
                "--filter",
                "state:failed",
                "--dry-run",
            ],
        )
        .json();
    assert_eq!(dry, json!({"matched": 2, "changed": 0}));
    let ran = house.run(&["queue", "discard", "--filter", "state:failed"]);
    assert_eq!(
        ran.code,
        Some(2),
        "without a terminal nobody can say yes: {ran:#?}"
    );
    let done = house
        .expect(
            0,
            &[
                "--json",
                "queue",
                "discard",
                "--filter",
                "state:failed",
                "--yes",
            ],
        )
        .json();
    assert_eq!(done, json!({"matched": 2, "changed": 2}));
    assert_eq!(
        house
            .expect(0, &["--json", "queue", "list", "--filter", "state:failed"])
            .stdout,
        ""
    );
    let ran = house.run(&["queue", "show", "nosuchjob"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
}

#[test]
fn runs_of_exports() {
    let house = House::new(40);
    assert_eq!(house.expect(0, &["--json", "exports", "list"]).stdout, "");
    house.export(&[]);
    let list = house.run(&["--json", "exports", "list"]);
    insta::assert_snapshot!("exports_list", shape(&list));
    let run = list.lines()[0]["id"].as_str().unwrap().to_owned();
    let mut shown = house.run(&["--json", "exports", "show", &run]).json();
    let still_failed = shown.as_object_mut().unwrap().remove("still_failed");
    assert_eq!([&shown], [&list.lines()[0]]);
    assert_eq!(still_failed.unwrap(), shown["counts"]["failed"]);
    for action in ["pause", "cancel", "resume"] {
        let ran = house.run(&["exports", action, &run]);
        assert_eq!(ran.code, Some(2), "{action}: {ran:#?}");
    }
}

#[test]
fn one_request_by_hand() {
    let house = House::new(20);
    let ran = house.expect(0, &["api", "activecampaign", "GET", "/tags?limit=2"]);
    assert_eq!(ran.json()["tags"].as_array().unwrap().len(), 2);
    let ran = house.expect(
        0,
        &[
            "api",
            "highlevel",
            "GET",
            "/objects/?locationId=ve9EPM428h8vShlRW1KT",
        ],
    );
    assert!(ran.json()["objects"].is_array(), "{ran:#?}");
    let ran = house.run(&["api", "activecampaign", "GET", "/nosuchthing"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for elsewhere in ["https://example.com/x", "//example.com/x"] {
        let ran = house.run(&["api", "activecampaign", "GET", elsewhere]);
        assert_eq!(ran.code, Some(2), "{elsewhere}: {ran:#?}");
    }
    let seq = house.now();
    let body = r#"{"tag":{"tag":"x","tagType":"contact","description":""}}"#;
    let ran = finish(
        house.command(&[
            "--read-only",
            "api",
            "activecampaign",
            "POST",
            "/tags",
            "--data",
            "-",
        ]),
        Some(body),
    );
    assert_ne!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(house.writes_since(seq).len(), 0);
    house
        .control
        .fault(Fault::once(Kind::Status(422), "POST /api/3/tags"));
    let ran = house.run_with(
        &["api", "activecampaign", "POST", "/tags", "--data", "-"],
        body,
    );
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    house.run_with(
        &["api", "activecampaign", "POST", "/tags", "--data", "-"],
        body,
    );
    assert_eq!(house.requests("POST /api/3/tags").len(), 2);
}

#[test]
fn help_completions_and_manual() {
    let house = House::new(1);
    insta::assert_snapshot!("help", plain(&house, &house.run(&["--help"])));
    for command in ["export", "records", "queue", "mappings", "segments", "sync"] {
        insta::assert_snapshot!(
            format!("help_{command}"),
            plain(&house, &house.run(&[command, "--help"]))
        );
    }
    let mut bare = tramline(house.folder.path());
    bare.args(["completions", "bash"]);
    let ran = finish(bare, None);
    assert!(
        ran.code == Some(0) && ran.stdout.contains("_tramline"),
        "{ran:#?}"
    );
    let mut bare = tramline(house.folder.path());
    bare.arg("man");
    let ran = finish(bare, None);
    assert!(
        ran.code == Some(0) && ran.stdout.contains(".TH"),
        "{ran:#?}"
    );
    for wrong in [
        &["nosuchcommand"][..],
        &["export"],
        &["export", "pets", "--limit", "many"],
        &["records", "list"],
    ] {
        let ran = house.run(wrong);
        assert_eq!(ran.code, Some(2), "{wrong:?}: {ran:#?}");
    }
}
