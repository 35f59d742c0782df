//! What commands say of what they did, would do, or leave alone.

use super::pty;
use super::support::{House, PETS, eventually, finish, signal, tramline};
use serde_json::{Value, json};

const RULE: &str = r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = "pet-adopted"
subscribe = "Adopters"
"#;

fn add(house: &House, text: &str) {
    let config = house.read("config.toml");
    house.write("config.toml", &format!("{config}\n{text}"));
}

/// Pets that can be synced, available and with addresses of their own.
fn pets(house: &House, number: usize) -> Vec<String> {
    let all = house.control.records(PETS).into_iter();
    let good = all.filter(|record| {
        let ran = house.run(&["--json", "sync", "pets", &record.id, "--dry-run"]);
        ran.code == Some(0) && ran.lines()[0]["outcome"] == "synced"
    });
    let found: Vec<String> = good.take(number).map(|record| record.id).collect();
    for (at, pet) in found.iter().enumerate() {
        set(house, pet, "owner_email", &format!("owner{at}@example.org"));
        set(house, pet, "status", "available");
    }
    found
}

fn set(house: &House, pet: &str, key: &str, value: &str) {
    assert!(house.control.set_property(PETS, pet, key, json!(value)));
}

#[test]
fn a_list_that_is_cut_says_so_and_how_to_get_all() {
    let house = House::new(120);
    let list = [
        "records",
        "list",
        "pets",
        "--format",
        "csv",
        "--columns",
        "name",
    ];
    let cut = house.expect(0, &list);
    assert_eq!(cut.stdout.lines().count(), 101, "{cut:#?}");
    let told = "100 of 120 records: --all prints all, --limit N so many\n";
    assert_eq!(cut.stderr, told);
    let all = house.expect(0, &[&list[..], &["--all"]].concat());
    assert_eq!((all.stdout.lines().count(), all.stderr.as_str()), (121, ""));
    let some = house.expect(0, &[&list[..], &["--limit", "7"]].concat());
    assert_eq!((some.stdout.lines().count(), some.stderr.as_str()), (8, ""));
    house.expect(2, &[&list[..], &["--limit", "7", "--all"]].concat());
    let json = house.expect(0, &["--json", "records", "list", "pets"]);
    assert_eq!((json.lines().len(), json.stderr.as_str()), (100, told));

    house.expect(
        0,
        &[
            "queue",
            "pause",
            "--mapping",
            "pets",
            "--reason",
            "counting",
        ],
    );
    let pets: Vec<String> = house
        .control
        .records(PETS)
        .into_iter()
        .map(|pet| pet.id)
        .collect();
    let mut sync = vec!["sync", "pets"];
    sync.extend(pets.iter().map(String::as_str));
    house.expect(3, &sync);
    let cut = house.expect(0, &["--json", "queue", "list"]);
    let told = "100 of 120 jobs: --all prints all, --limit N so many\n";
    assert_eq!((cut.lines().len(), cut.stderr.as_str()), (100, told));
    let all = house.expect(0, &["--json", "queue", "list", "--all"]);
    assert_eq!((all.lines().len(), all.stderr.as_str()), (120, ""));
}

#[test]
fn a_sync_names_the_rules_that_fired_and_a_dry_run_what_would_be() {
    let house = House::new(20);
    add(&house, RULE);
    let pet = pets(&house, 1).remove(0);
    let dry = house.expect(0, &["sync", "pets", &pet, "--dry-run"]);
    assert!(dry.stdout.contains("  would be synced"), "{dry:#?}");
    let first = house.expect(0, &["--json", "sync", "pets", &pet]);
    assert!(first.lines()[0]["rules"].is_null(), "{first:#?}");
    let dry = house.expect(0, &["sync", "pets", &pet, "--dry-run"]);
    assert!(dry.stdout.contains("  would stay unchanged"), "{dry:#?}");
    set(&house, &pet, "status", "adopted");
    let dry = house.expect(0, &["sync", "pets", &pet, "--dry-run"]);
    let would = "    rule adopted would fire: tag pet-adopted, list \"Adopters\"";
    assert!(dry.stdout.contains(would), "{dry:#?}");
    let ran = house.expect(0, &["sync", "pets", &pet]);
    let fired = "    rule adopted fired: tag pet-adopted, list \"Adopters\"";
    assert!(ran.stdout.contains(fired), "{ran:#?}");
    // It fired once: the next sync has nothing of it to tell.
    let ran = house.expect(0, &["--json", "sync", "pets", &pet]);
    assert!(ran.lines()[0]["rules"].is_null(), "{ran:#?}");
    set(&house, &pet, "status", "available");
    house.expect(0, &["sync", "pets", &pet]);
    set(&house, &pet, "status", "adopted");
    let ran = house.expect(0, &["--json", "sync", "pets", &pet]);
    let rules = json!([{"rule": "adopted", "actions": ["tag pet-adopted", "list \"Adopters\""]}]);
    assert_eq!(ran.lines()[0]["rules"], rules, "{ran:#?}");
}

#[test]
fn a_sync_of_a_paused_mapping_says_what_it_waits_for_and_the_audit_does_too() {
    let house = House::new(20);
    let pet = pets(&house, 1).remove(0);
    let pause = [
        "queue",
        "pause",
        "--mapping",
        "pets",
        "--reason",
        "new fields",
    ];
    house.expect(0, &pause);
    let ran = house.expect(3, &["sync", "pets", &pet]);
    let waits = ran.stdout.contains("  waiting  It is paused");
    assert!(
        waits && ran.stdout.contains("(mapping pets: new fields)"),
        "{ran:#?}"
    );
    let ran = house.expect(3, &["--json", "sync", "pets", &pet]);
    let why = ran.lines()[0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("new fields"), "{ran:#?}");
    let synced = || {
        let audit = house.expect(0, &["--json", "audit"]).lines();
        let mut syncs = audit.iter().filter(|entry| entry["action"] == "sync");
        let last = syncs.next().unwrap();
        (last["outcome"].clone(), last["count"].clone())
    };
    assert_eq!(synced(), (json!("1 waiting"), json!(0)));

    let resumed = house.expect(0, &["queue", "resume", "--mapping", "pets"]);
    let said = resumed
        .stdout
        .starts_with("mapping pets resumed: it was paused (person) by ");
    assert!(
        said && resumed.stdout.contains(": new fields"),
        "{resumed:#?}"
    );
    let again = house.expect(0, &["queue", "resume", "--mapping", "pets"]);
    assert_eq!(again.stdout, "nothing was paused\n");
    let ran = house.expect(0, &["--json", "sync", "pets", &pet]);
    assert!(ran.lines()[0]["why"].is_null(), "{ran:#?}");
    assert_eq!(synced(), (json!("done"), json!(1)));
}

#[test]
fn the_log_shows_the_level_that_its_filter_goes_by() {
    let house = House::new(20);
    house.expect(1, &["records", "get", "pets", "000000000000000000000000"]);
    let ran = house.expect(0, &["activity", "--level", "warn"]);
    let calls: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.contains("status=404"))
        .collect();
    assert!(
        !calls.is_empty()
            && calls
                .iter()
                .all(|line| line[20..].starts_with("WARN  call")),
        "{ran:#?}"
    );
    assert!(!ran.stdout.contains(" INFO "), "{ran:#?}");
}

#[test]
fn what_is_printed_for_the_sandbox_is_one_file_with_a_store_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tramline(folder.path());
    command.args(["sandbox", "--records", "10"]);
    command.args([
        "--highlevel",
        "127.0.0.1:0",
        "--activecampaign",
        "127.0.0.1:0",
    ]);
    let out = std::fs::File::create(folder.path().join("config.toml")).unwrap();
    let mut sandbox = command.stdout(out).spawn().unwrap();
    let text = || std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
    eventually("a whole file", || text().contains("%CLINIC%"));
    let text = text();
    let mut check = tramline(folder.path());
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("# export "))
    {
        let (name, value) = line.split_once('=').unwrap();
        check.env(name, value);
    }
    check.arg("--config").arg(folder.path().join("config.toml"));
    let checked = finish(
        {
            check.arg("check");
            check
        },
        None,
    );
    super::support::signal(sandbox.id(), "TERM");
    sandbox.wait().unwrap();
    assert_eq!(checked.code, Some(0), "{checked:#?}\n{text}");
    let read: toml::Table = text.parse().unwrap();
    assert_eq!(read["store"]["url"].as_str(), Some("sqlite:sandbox.db"));
    assert!(folder.path().join("sandbox.db").exists());
}

#[test]
fn what_fails_prints_no_heading_and_all_headings_look_the_same() {
    let house = House::new(20);
    let ran = house.expect(2, &["reconcile", "nope"]);
    assert_eq!(ran.stdout, "", "{ran:#?}");
    assert!(ran.stderr.contains("nope"), "{ran:#?}");
    let ran = house.expect(0, &["reconcile", "pets"]);
    assert!(ran.stdout.starts_with("MAPPING "), "{ran:#?}");
    let ran = house.expect(0, &["alerts", "list"]);
    assert_eq!(ran.stdout, "CONDITION  CONNECTION  STATE  SINCE  TOLD\n");
}

#[test]
fn a_job_that_is_left_as_it_is_says_why() {
    let house = House::new(40);
    house.export(&[]);
    let failed = house
        .expect(0, &["--json", "queue", "list", "--filter", "state:failed"])
        .lines();
    let [one, other] = [&failed[0], &failed[1]].map(|job| job["id"].as_str().unwrap());
    house.expect(0, &["queue", "discard", one]);
    let ran = house.expect(0, &["queue", "discard", one, other, "--dry-run"]);
    assert!(
        ran.stdout.starts_with("would discard 1 job(s)\n"),
        "{ran:#?}"
    );
    let ran = house.expect(0, &["queue", "discard", one, other]);
    let told: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(told[0], "discard: 1 of 2 job(s)");
    let why = format!("{one}  left as it is: A person gave it up at ");
    assert!(told.len() == 2 && told[1].starts_with(&why), "{ran:#?}");
    let ran = house.expect(0, &["--json", "queue", "discard", one]).json();
    assert_eq!((&ran["matched"], &ran["changed"]), (&json!(0), &json!(0)));
    assert_eq!(ran["left"][0]["job"], one, "{ran}");
}

#[test]
fn a_record_that_a_mapping_skips_is_no_problem_of_its_preview() {
    let house = House::new(40);
    let pet = pets(&house, 1).remove(0);
    set(&house, &pet, "owner_email", "");
    let preview = house.expect(0, &["mappings", "preview", "pets", &pet]);
    let said = "skipped: the record has no e-mail address, and the mapping skips such records";
    assert!(preview.stdout.contains(said), "{preview:#?}");
    assert!(!preview.stdout.contains("on_missing_email"), "{preview:#?}");
    let json = house
        .expect(0, &["--json", "mappings", "preview", "pets", &pet])
        .json();
    assert_eq!(
        (&json["skips"], &json["problem"]),
        (&json!(true), &Value::Null)
    );
    for dry in [&["--dry-run"][..], &[]] {
        let ran = house.expect(0, &[&["--json", "sync", "pets", &pet], dry].concat());
        let line = ran.lines().remove(0);
        let dry_run = (!dry.is_empty()).then_some(true);
        assert_eq!(line["outcome"], "skipped", "{ran:#?}");
        assert_eq!(line["dry_run"], json!(dry_run), "{ran:#?}");
        assert_eq!(line["why"], said["skipped: ".len()..], "{ran:#?}");
    }
    // The job that came of it is done, and says why though nothing was sent.
    let why = &said["skipped: ".len()..];
    let job = house
        .expect(0, &["--json", "queue", "list"])
        .lines()
        .remove(0);
    let end = json!({"outcome": "skipped", "why": why});
    assert_eq!((&job["state"], &job["ended"]), (&json!("done"), &end));
    let id = job["id"].as_str().unwrap();
    let list = house.expect(0, &["queue", "list"]).stdout;
    assert!(
        list.contains("done: skipped") && list.contains(why),
        "{list}"
    );
    let shown = house.expect(0, &["queue", "show", id]).stdout;
    assert!(
        shown.contains(&format!("It is done (skipped): {why}")),
        "{shown}"
    );
    house.edit_config("on_missing_email = \"skip\"", "on_missing_email = \"fail\"");
    let preview = house.expect(3, &["mappings", "preview", "pets", &pet]);
    assert!(preview.stdout.contains("on_missing_email"), "{preview:#?}");
}

/// Nothing was sent, whatever the word for it in a run's counts.
#[test]
fn a_dry_run_of_an_export_says_what_would_be() {
    let house = House::new(40);
    let synced = house.export(&["--dry-run"]).0;
    assert_eq!(synced["dry_run"], true);
    let (number, failed) = (&synced["synced"], &synced["failed"]);
    let list = house.expect(0, &["exports", "list"]).stdout;
    for would in [
        format!("would send {number} "),
        format!("would fail {failed} "),
    ] {
        assert!(list.contains(&would), "{list}");
    }
    let log = house.expect(0, &["activity", "--limit", "500"]).stdout;
    assert!(log.contains(&format!("would_send={number}")), "{log}");
    assert!(!log.contains(&format!(" synced={number}")), "{log}");
    let (real, _) = house.export(&[]);
    assert!(real.get("dry_run").is_none(), "{real}");
    let list = house.expect(0, &["exports", "list"]).stdout;
    assert_eq!(list.matches("would send").count(), 1, "{list}");
}

/// Who reads the audit later learns what was made, of which records it was, and what was left half-way.
#[test]
fn the_audit_names_what_was_made_and_what_was_not_waited_for() {
    let house = House::new(60);
    let made = house.expect(
        0,
        &["--json", "records", "create", "pets", "--set", "name=Rex"],
    );
    let made = made.lines().remove(0)["record"].clone();
    let all: Vec<String> = house
        .control
        .records(PETS)
        .into_iter()
        .map(|pet| pet.id)
        .collect();
    let many: Vec<&str> = all.iter().take(25).map(String::as_str).collect();
    let fault = tramline::sandbox::Fault {
        retry_after: Some(60),
        ..tramline::sandbox::Fault::once(
            tramline::sandbox::Kind::Status(429),
            "GET /api/3/contacts",
        )
    };
    house.control.fault(fault.times(1_000));
    let mut child = house.start("sync", &[&["sync", "pets"], &many[..]].concat());
    eventually("jobs that wait", || {
        let jobs = house.expect(0, &["--json", "queue", "list"]).lines();
        jobs.iter()
            .any(|job| job["waiting"]["reason"] == "rate_limited")
    });
    signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));

    let audit = house.expect(0, &["--json", "audit"]).lines();
    let of = |action: &str| {
        audit
            .iter()
            .find(|entry| entry["action"] == action)
            .unwrap()
    };
    let created = of("record create");
    let object = "custom_objects.pets";
    assert_eq!(
        created["target"],
        format!("{object} {}", made.as_str().unwrap())
    );
    assert_eq!(
        (&created["outcome"], &created["count"]),
        (&json!("done"), &json!(1))
    );
    let synced = of("sync");
    let target = synced["target"].as_str().unwrap();
    assert!(
        target.ends_with(&format!("{} and 5 more", many[19])),
        "{target}"
    );
    assert_eq!(synced["outcome"], "its process ended before it did");
    // A long text widens no line but its own.
    let table = house.expect(0, &["audit"]).stdout;
    let short: Vec<&str> = table
        .lines()
        .filter(|line| !line.contains("more"))
        .collect();
    assert!(
        short.len() >= 2 && short.iter().all(|line| line.len() < 250),
        "{table}"
    );
}

#[test]
fn wrong_keys_are_told_with_their_line_by_every_command() {
    let house = House::new(20);
    let config = house.read("config.toml");
    let line = config.lines().count() + 3;
    for (keys, said) in [
        (
            "retri = \"z\"",
            "tui.keys.retri: there is no action \"retri\" (did you mean \"retry\"?)",
        ),
        (
            "retry = [\"q\"]",
            "tui.keys.retry: \"q\" stands for quit as well (give one of them another key",
        ),
        (
            "retry = \"ctrl-\"",
            "tui.keys.retry: \"ctrl-\" is no key (keys look like",
        ),
    ] {
        house.write("config.toml", &format!("{config}\n[tui.keys]\n{keys}\n"));
        // The control room asks for a terminal first.
        for command in ["check", "keys", "worker"] {
            let ran = house.expect(2, &[command]);
            let what = format!("config.toml:{line}: {said}");
            assert!(ran.stderr.contains(&what), "{what}: {ran:#?}");
        }
    }
    house.write(
        "config.toml",
        &format!("{config}\n[tui.keys]\nretry = \"z\"\n"),
    );
    let keys = house.expect(0, &["--json", "keys"]).lines();
    let retry = keys.iter().find(|line| line["action"] == "retry").unwrap();
    assert_eq!(
        (&retry["screen"], &retry["keys"]),
        (&json!("Queue"), &json!(["z"]))
    );
    let mut bare = tramline(house.folder.path());
    bare.env_remove("TRAMLINE_CONFIG").arg("keys");
    let ran = finish(bare, None);
    let said = ran
        .stdout
        .lines()
        .any(|line| line.starts_with("quit ") && line.contains("every"));
    assert!(ran.code == Some(0) && said, "{ran:#?}");
}

#[test]
fn a_property_is_mapped_whichever_way_a_line_reads_it() {
    let house = House::new(20);
    add(
        &house,
        "[mappings.more]\nobject = \"custom_objects.pets\"\nemail = \"owner_email\"\nenabled = false\n\
        [mappings.more.fields]\n\"%CLINIC%\" = \"{% if price.value %}{{ chip | upper }} {{ record.id }}{% endif %}\"\n\
        last_name = \"custom_objects.pets.breed\"",
    );
    let show = house.expect(0, &["schemas", "show", "pets"]).stdout;
    let mapped = |key: &str| {
        let line = show
            .lines()
            .find(|line| line.starts_with(&format!("{key} ")))
            .unwrap();
        line.rsplit("  ").next().unwrap().to_owned()
    };
    assert_eq!(mapped("notes"), "%FEEDING_NOTES%");
    assert!(mapped("price").contains("%CLINIC%"), "{show}");
    assert!(mapped("chip").contains("%CLINIC%"), "{show}");
    assert!(mapped("breed").contains("last_name"), "{show}");
    assert!(
        mapped("weight").contains("%WEIGHT_KG%"),
        "a template: {show}"
    );
    // What its members hold is in the table.
    let id = house.control.records(PETS)[0].id.clone();
    set(&house, &id, "notes.kitchen", "twice a day");
    let table = house.expect(0, &["records", "list", "pets", "--columns", "id,notes"]);
    assert!(table.stdout.contains("twice a day"), "{table:#?}");
    let usual = house.expect(0, &["records", "list", "pets"]).stdout;
    if usual.lines().next().unwrap().contains("NOTES") {
        assert!(usual.contains("twice a day"), "{usual}");
    }
}

#[test]
fn a_standard_object_whose_records_are_not_given_is_said_to_be_one() {
    let house = House::new(20);
    let ran = house.expect(1, &["records", "list", "business"]);
    assert!(
        ran.stderr.contains("business is a standard object"),
        "{ran:#?}"
    );
    assert!(!ran.stderr.contains("check the object's key"), "{ran:#?}");
    let ran = house.run(&["records", "list", "custom_objects.nope"]);
    assert!(!ran.stderr.contains("standard object"), "{ran:#?}");
}

/// A mapping keeps the states of records only while it has rules, and nothing of that is silent.
#[test]
fn the_first_rule_says_that_states_are_not_known_and_an_export_notes_them() {
    let house = House::new(60);
    let pets = pets(&house, 2);
    house.export(&[]);
    add(&house, RULE);
    let [told, noted] = [&pets[0], &pets[1]];
    let preview = house.expect(0, &["mappings", "preview", "pets", told]);
    for said in [
        "rule adopted does not fire: tag pet-adopted, list \"Adopters\" — the condition is false; the record's state at its \
         last sync is not known",
        "`tramline export pets` notes the state of every record and fires nothing",
    ] {
        assert!(preview.stdout.contains(said), "{said}: {preview:#?}");
    }
    assert!(!preview.stdout.contains("first sync"), "{preview:#?}");
    for command in [&["mappings", "check", "pets"][..], &["check"]] {
        let check = house.expect(0, command);
        let said = "were last synced before the mapping had rules";
        assert!(check.stdout.contains(said), "{check:#?}");
    }
    // The transition is missed, and the sync says so.
    set(&house, told, "status", "adopted");
    let ran = house.expect(0, &["sync", "pets", told]);
    assert!(
        ran.stdout
            .contains("warning: the mapping had no rules when"),
        "{ran:#?}"
    );
    assert!(!ran.stdout.contains("fired"), "{ran:#?}");
    let ran = house.expect(0, &["sync", "pets", told]);
    assert!(!ran.stdout.contains("warning"), "once: {ran:#?}");

    // An export notes the others' without a write.
    let seq = house.now();
    let (summary, ran) = house.export(&[]);
    assert_eq!(summary["synced"], 0, "{ran:#?}");
    assert_eq!(house.writes_since(seq).len(), 0);
    let check = house.expect(0, &["mappings", "check", "pets"]);
    assert!(
        !check.stdout.contains("before the mapping had rules"),
        "{check:#?}"
    );
    let preview = house.expect(0, &["mappings", "preview", "pets", noted]);
    assert!(!preview.stdout.contains("not known"), "{preview:#?}");
    set(&house, noted, "status", "adopted");
    let ran = house.expect(0, &["sync", "pets", noted]);
    assert!(
        ran.stdout.contains("rule adopted fired: tag pet-adopted"),
        "{ran:#?}"
    );
    let contact = house.control.contact("owner1@example.org").unwrap();
    assert!(
        contact.tags.iter().any(|tag| tag == "pet-adopted"),
        "{:?}",
        contact.tags
    );
}

#[test]
fn a_dumb_terminal_is_named_as_the_reason() {
    let house = House::new(10);
    let mut dumb = pty::tramline(house.folder.path());
    dumb.env("TERM", "dumb");
    dumb.arg("--config");
    dumb.arg(house.path("config.toml"));
    let mut terminal = pty::Terminal::start(dumb, 200, 24);
    assert_eq!(terminal.ended().exit_code(), 2);
    eventually("the message", || terminal.text().contains("TERM is dumb"));
    assert!(
        !terminal.text().contains("needs a terminal"),
        "{}",
        terminal.text()
    );
}
