//! Bad input: a clear error that names what is wrong and what to do, and nothing lost.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{House, PETS, Ran, eventually, finish, options, signal, tramline};
use tramline::sandbox::{BadTokenBody, Fault, Kind, Options};

/// The error message holds every one of these texts.
fn says(ran: &Ran, texts: &[&str]) {
    for text in texts {
        assert!(ran.stderr.contains(text), "{text:?} is missing in {ran:#?}");
    }
}

#[test]
fn a_missing_configuration_names_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tramline(folder.path());
    command.arg("check");
    let ran = finish(command, None);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    says(&ran, &["tramline/config.toml", "tramline init"]);
}

#[test]
fn a_broken_configuration_names_line_key_and_remedy() {
    let cases = [
        (
            "environment = \"sandbox\"",
            "enviroment = \"sandbox\"",
            "enviroment",
            "environment",
        ),
        ("base_url", "base_ulr", "base_ulr", "base_url"),
        (
            "on_missing_email = \"skip\"",
            "on_missing_email = \"explode\"",
            "explode",
            "fail",
        ),
        (
            "[mappings.pets.fields]",
            "[mappings.pets.feilds]",
            "feilds",
            "fields",
        ),
        (
            "time_zone = \"America/Chicago\"",
            "time_zone = \"America/Chicagoo\"",
            "Chicagoo",
            "time_zone",
        ),
        (
            "object = \"custom_objects.pets\"",
            "object = 7",
            "line",
            "object",
        ),
        (
            "url = \"sqlite:tramline.db\"",
            "url = \"sqlite:tramline.db",
            "line",
            "config.toml",
        ),
    ];
    for (from, to, first, second) in cases {
        let house = House::new(1);
        house.edit_config(from, to);
        let line = house
            .read("config.toml")
            .lines()
            .position(|line| line.contains(to.lines().next().unwrap()))
            .unwrap()
            + 1;
        let ran = house.expect(2, &["check"]);
        says(&ran, &[first, second, "config.toml"]);
        assert!(
            ran.stderr.contains(&format!("line {line}"))
                || ran.stderr.contains(&format!(":{line}")),
            "line {line} is not named: {ran:#?}"
        );
        assert_eq!(house.control.log().len(), 0, "{from}");
    }
}

#[test]
fn an_inline_token_is_refused_and_not_repeated() {
    let house = House::new(1);
    house.edit_config(
        "token = { file = \"highlevel.token\" }",
        "token = \"pit-0123456789-secret\"",
    );
    let ran = house.expect(2, &["check"]);
    says(&ran, &["token", "env"]);
    assert!(!ran.stderr.contains("0123456789"), "{ran:#?}");
}

#[test]
fn a_token_that_cannot_be_had_names_its_source() {
    let token = "token = { file = \"highlevel.token\" }";
    let cases = [
        ("token = { env = \"NO_SUCH_TOKEN\" }", "NO_SUCH_TOKEN"),
        ("token = { file = \"no-such-file\" }", "no-such-file"),
        ("token = { command = [\"false\"] }", "false"),
        (
            "token = { command = [\"no-such-program\"] }",
            "no-such-program",
        ),
        ("token = { command = [\"echo\"] }", "echo"),
        ("token = { command = [\"echo\", \"two words\"] }", "token"),
    ];
    for (reference, text) in cases {
        let house = House::new(1);
        house.edit_config(token, reference);
        for command in [&["schemas", "list"][..], &["export", "pets"]] {
            let ran = house.run(command);
            assert_eq!(ran.code, Some(2), "{reference}: {ran:#?}");
            says(&ran, &[text]);
        }
        assert_eq!(house.expect(1, &["check"]).code, Some(1));
    }
}

#[test]
fn a_token_command_that_hangs_is_given_up_after_ten_seconds() {
    let house = House::new(1);
    house.edit_config(
        "token = { file = \"highlevel.token\" }",
        "token = { command = [\"sleep\", \"60\"] }",
    );
    let start = Instant::now();
    let ran = house.expect(2, &["schemas", "list"]);
    says(&ran, &["sleep", "10 s"]);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_wrong_token_names_the_account_and_the_remedy() {
    let house = House::new(1);
    house.write("highlevel.token", "wrong-token");
    let ran = house.expect(1, &["schemas", "list"]);
    says(&ran, &["401", "token"]);
    let check = house.expect(1, &["check"]);
    assert!(check.stdout.contains("highlevel"), "{check:#?}");
    for body in [BadTokenBody::Json, BadTokenBody::Empty, BadTokenBody::Html] {
        let house = House::quirky(1, |quirks| quirks.bad_token_body = body);
        house.write("activecampaign.token", "wrong-token");
        let ran = house.expect(1, &["fields", "list"]);
        says(&ran, &["403", "token"]);
        assert!(!ran.stderr.contains("<html"), "{ran:#?}");
    }
}

#[test]
fn a_missing_scope_and_another_location_are_named() {
    let house = House::new(1);
    house.control.remove_scope("objects/record.readonly");
    let check = house.expect(1, &["check"]);
    assert!(
        check.stdout.contains("objects/record.readonly"),
        "{check:#?}"
    );
    let ran = house.expect(1, &["export", "pets"]);
    says(&ran, &["scope"]);
    let house = House::new(1);
    house.edit_config("ve9EPM428h8vShlRW1KT", "AnotherLocation00001");
    let ran = house.expect(1, &["schemas", "list"]);
    says(&ran, &["location"]);
}

#[test]
fn a_mapping_that_names_what_is_not_there_says_what_and_where() {
    let cases = [
        (
            "object = \"custom_objects.pets\"",
            "object = \"custom_objects.pest\"",
            &["pest"][..],
        ),
        (
            "\"%PET_NAME%\" = \"name\"",
            "\"%PET_NAME%\" = \"nmae\"",
            &["nmae", "PET_NAME"],
        ),
        (
            "\"%PET_NAME%\" = \"name\"",
            "\"%PET_NMAE%\" = \"name\"",
            &["PET_NMAE"],
        ),
        (
            "\"%PET_NAME%\" = \"name\"",
            "\"Nickname\" = \"name\"",
            &["Nickname"],
        ),
        (
            "\"%PET_NAME%\" = \"name\"",
            "\"%PET_NAME%\" = \"{{ name | nosuchfilter }}\"",
            &["nosuchfilter", "PET_NAME"],
        ),
        (
            "\"%PET_NAME%\" = \"name\"",
            "\"%PET_NAME%\" = \"{{ name \"",
            &["PET_NAME"],
        ),
        (
            "email = \"owner_email\"",
            "email = \"owner_mail\"",
            &["owner_mail"],
        ),
        (
            "email = { association = \"visit_owner\" }",
            "email = { association = \"visit_ower\" }",
            &["visit_ower"],
        ),
    ];
    for (from, to, texts) in cases {
        let house = House::new(5);
        house.edit_config(from, to);
        let mapping = if to.contains("association") {
            "visits"
        } else {
            "pets"
        };
        let check = house.run(&["mappings", "check", mapping]);
        let export = house.run(&["export", mapping]);
        // A check that finds an error fails; an export is refused for its configuration, or by the API.
        let refused = if to.contains("pest") { 1 } else { 2 };
        for (ran, code) in [(&check, 1), (&export, refused)] {
            assert_eq!(ran.code, Some(code), "{to}: {ran:#?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            for text in texts {
                assert!(
                    said.contains(text),
                    "{text:?} is missing for {to}: {ran:#?}"
                );
            }
        }
        assert_eq!(house.writes_since(0).len(), 0, "{to}");
    }
    let house = House::new(5);
    let ran = house.run(&["export", "nosuchmapping"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    says(&ran, &["nosuchmapping", "pets"]);
}

#[test]
fn two_fields_of_one_title_are_told_apart_by_their_tags() {
    let house = House::new(20);
    house.edit_config("\"%PET_NAME%\" = \"name\"", "\"%NICKNAME_2%\" = \"name\"");
    house.expect(0, &["mappings", "check", "pets"]);
    house.export(&[]);
    let contacts = house.control.contacts();
    assert!(
        contacts
            .iter()
            .any(|contact| contact.fields.contains_key("NICKNAME_2"))
    );
    assert!(
        contacts
            .iter()
            .all(|contact| !contact.fields.contains_key("NICKNAME"))
    );
}

#[test]
fn a_template_that_fails_on_a_record_and_a_record_without_email_are_failed_jobs() {
    let house = House::new(20);
    house.edit_config(
        "\"%PET_NAME%\" = \"name\"",
        "\"%PET_NAME%\" = \"{{ 7 / (kennel - kennel) }}{{ name }}\"",
    );
    house.edit_config("on_missing_email = \"skip\"", "on_missing_email = \"fail\"");
    let (summary, ran) = house.export(&[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert_eq!(summary["failed"], 20, "{summary}");
    let jobs = house.expect(0, &["--json", "queue", "list"]).lines();
    assert_eq!(jobs.len(), 20);
    let fields: Vec<_> = jobs
        .iter()
        .map(|job| job["error"]["field"].to_string())
        .collect();
    assert!(
        fields.iter().any(|field| field.contains("PET_NAME")),
        "{fields:?}"
    );
    assert!(
        fields.iter().any(|field| field.contains("email")),
        "{fields:?}"
    );
    assert!(
        jobs.iter()
            .all(|job| job["state"] == "failed" && job["error"]["class"] == "invalid"),
        "{jobs:#?}"
    );
}

#[test]
fn a_server_that_answers_nonsense_or_nothing_gives_one_clear_line() {
    let mut house = House::new(5);
    for kind in [
        "html",
        "empty_200",
        "half_body",
        "truncated_json",
        "reset",
        "511",
    ] {
        house
            .control
            .fault(Fault::once(Kind::from_name(kind).unwrap(), "GET /objects/").times(50));
        let ran = house.expect(1, &["schemas", "list"]);
        house.control.clear_faults();
        assert_eq!(ran.stderr.lines().count(), 1, "{kind}: {ran:#?}");
        says(&ran, &["HighLevel"]);
    }
    house.close_sandbox();
    let ran = house.expect(1, &["schemas", "list"]);
    says(&ran, &["HighLevel"]);
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
}

#[test]
fn a_store_that_is_damaged_newer_or_no_database_is_refused_and_left_as_it_is() {
    let house = House::new(5);
    house.write(
        "tramline.db",
        "this is no database, but it is long enough to look like a file of its own",
    );
    let before = house.read("tramline.db");
    let ran = house.run(&["queue", "list"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    says(&ran, &["tramline.db"]);
    assert_eq!(house.read("tramline.db"), before);

    // A newer version has migrations that this one does not know.
    let house = House::new(5);
    house.expect(0, &["queue", "list"]);
    let path = house.path("tramline.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        use sqlx::{Connection, Executor};
        let url = format!("sqlite:{}", path.display());
        let mut store = sqlx::SqliteConnection::connect(&url).await.unwrap();
        store
            .execute("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99999999999999, 'later', 1, x'00', 0)")
            .await
            .unwrap();
        store.close().await.unwrap();
    });
    let ran = house.run(&["queue", "list"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    says(&ran, &["newer"]);
}

#[test]
fn a_store_that_another_program_locks_is_named() {
    let house = House::new(5);
    house.expect(0, &["queue", "list"]);
    let path = house.path("tramline.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lock = runtime.block_on(async {
        use sqlx::{Connection, Executor};
        let url = format!("sqlite:{}", path.display());
        let mut store = sqlx::SqliteConnection::connect(&url).await.unwrap();
        store.execute("BEGIN EXCLUSIVE").await.unwrap();
        store
    });
    let ran = house.run(&["export", "pets"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    says(&ran, &["locked"]);
    // What only reads waits for nobody who writes.
    for reads in [["queue", "list"], ["queue", "groups"], ["exports", "list"]] {
        house.expect(0, &reads);
    }
    drop(lock);
    assert_eq!(house.export(&[]).1.code, Some(3));
}

#[test]
fn without_a_terminal_the_control_room_says_so() {
    let house = House::new(1);
    let ran = house.run(&["tui"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    says(&ran, &["terminal"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let house = House::new(3_000);
    let mut child = house
        .command(&["--json", "records", "list", "pets", "--limit", "3000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with('{'), "{line}");
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panic") && stderr.is_empty(), "{stderr}");
}

#[test]
fn control_c_ends_a_sync_at_once_and_the_job_is_kept() {
    let house = House::with(Options { ..options(20) });
    house
        .control
        .fault(Fault::once(Kind::Stall, "GET /objects/custom_objects.pets/records/").times(50));
    let id = house.control.records(PETS)[0].id.clone();
    let mut child = house.start("sync", &["sync", "pets", &id]);
    eventually("the read", || {
        !house.requests(&format!("records/{id}")).is_empty() || child_ended(&house)
    });
    signal(child.id(), "INT");
    let start = Instant::now();
    assert_eq!(
        child.wait().unwrap().code(),
        Some(130),
        "{}",
        house.read("sync.stderr")
    );
    assert!(
        start.elapsed() < Duration::from_secs(11),
        "{:?}",
        start.elapsed()
    );
    let jobs = house.expect(0, &["--json", "queue", "list"]).lines();
    assert_eq!(jobs.len(), 1, "{jobs:#?}");
    assert_eq!(jobs[0]["record"], id.as_str());
}

/// A stalled request is logged at once: its status is 0.
fn child_ended(house: &House) -> bool {
    house
        .control
        .log()
        .iter()
        .any(|entry| entry.fault.is_some())
}

#[test]
fn the_example_configuration_is_known_to_its_last_key_commented_or_not() {
    let example =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml"))
            .unwrap();
    let house = House::new(1);
    let parse = |text: &str| {
        house.write("example.toml", &format!("{text}\n"));
        let mut command = tramline(house.folder.path());
        command
            .env("GHL_TOKEN", "x")
            .env("ACTIVECAMPAIGN_TOKEN", "x")
            .arg("--config")
            .arg(house.path("example.toml"))
            .args(["--json", "mappings", "list"]);
        finish(command, None)
    };
    let ran = parse(&example);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.summary()["name"], "pets");
    // Every commented key is accepted in its place, one at a time.
    let mut tried = 0;
    let lines: Vec<&str> = example.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(key) = line.strip_prefix("# ").filter(|text| {
            text.split_once(" =")
                .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        }) else {
            continue;
        };
        // OAuth stands in place of a token; a command in place of a webhook.
        if key.starts_with("oauth") {
            continue;
        }
        let mut text: Vec<&str> = lines.clone();
        text[at] = key;
        // A table that is commented out comes along with its key, and the other half of a connection with it.
        let header = (0..at)
            .rev()
            .find(|&at| lines[at].starts_with('[') || lines[at].starts_with("# ["));
        let header = header.unwrap_or(0);
        if lines[header].starts_with("# [connections") {
            continue;
        }
        text[header] = lines[header].trim_start_matches("# ");
        let ran = parse(&text.join("\n"));
        // What is set already cannot be set twice.
        assert!(
            ran.code == Some(0) || ran.stderr.contains("duplicate"),
            "{key}: {ran:#?}"
        );
        tried += 1;
    }
    assert!(tried >= 20, "{tried}");
    // The second connection, whole.
    let second: Vec<&str> = lines
        .iter()
        .skip_while(|line| !line.starts_with("# [connections"))
        .take_while(|line| line.starts_with("# "))
        .map(|line| line.trim_start_matches("# "))
        .collect();
    assert_eq!(second.len(), 6, "{second:#?}");
    let ran = parse(&format!("{example}\n{}", second.join("\n")));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let ran = parse(&example.replace("# concurrency = 8", "concurency = 8"));
    assert_eq!(ran.code, Some(2), "{ran:#?}");
}

#[test]
fn a_token_is_found_nowhere() {
    let house = House::new(60);
    house.export(&[]);
    house
        .control
        .fault(Fault::once(Kind::Status(422), "contact/sync"));
    let id = house.control.records(PETS)[0].id.clone();
    house
        .control
        .set_property(PETS, &id, "name", json!("Canary"));
    let mut said = String::new();
    for arguments in [
        &["-vv", "--json", "check"][..],
        &["-vv", "sync", "pets", &id],
        &["-vv", "--json", "export", "pets", "--full"],
        &["-vv", "--json", "queue", "list"],
        &["-vv", "api", "highlevel", "GET", "/objects/"],
        &["-vv", "api", "activecampaign", "GET", "/users/me"],
    ] {
        let ran = house.run(arguments);
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    for job in house.run(&["--json", "queue", "list"]).lines() {
        said.push_str(
            &house
                .run(&["--json", "queue", "show", job["id"].as_str().unwrap()])
                .stdout,
        );
    }
    // Wrong tokens are tokens too.
    for name in ["highlevel.token", "activecampaign.token"] {
        house.write(name, "canary-token-4711");
    }
    for arguments in [
        &["-vv", "check"][..],
        &["-vv", "sync", "pets", &id],
        &["-vv", "export", "pets"],
    ] {
        let ran = house.run(arguments);
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    assert!(said.len() > 10_000, "{}", said.len());
    let secrets = [
        "canary-token-4711",
        tramline::sandbox::HIGHLEVEL_TOKEN,
        tramline::sandbox::ACTIVECAMPAIGN_TOKEN,
    ];
    for secret in secrets {
        assert!(!said.contains(secret), "printed: {secret}");
        for entry in std::fs::read_dir(house.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "token")
            {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}
