//! HighLevel opened by OAuth: login, renewal by many processes at once, lost answers, revocation.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;
use support::{House, PETS, Ran, eventually, finish, signal};
use tramline::sandbox::{Fault, Kind, OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET};

const REDIRECT: &str = "https://app.example/back";
const SCOPES: &str = "objects/schema.readonly objects/record.readonly objects/record.write associations.readonly \
                      associations/relation.readonly contacts.readonly locations/customFields.readonly";
const TOKENS: &str = "tramline.default.oauth.json";

/// A house whose HighLevel is opened by an app; nobody has logged in.
fn house(records: usize) -> House {
    let house = House::new(records);
    house.write("client.secret", OAUTH_CLIENT_SECRET);
    let oauth = format!(
        "oauth = {{ client_id = \"{OAUTH_CLIENT_ID}\", client_secret = {{ file = \"client.secret\" }}, \
         redirect_uri = \"{REDIRECT}\", consent_url = \"{}/v2/oauth/chooselocation\" }}",
        house.highlevel_url
    );
    house.edit_config("token = { file = \"highlevel.token\" }", &oauth);
    std::fs::remove_file(house.path("highlevel.token")).unwrap();
    house
}

fn login(house: &House) -> Ran {
    let code = house.control.consent(REDIRECT, SCOPES);
    house.run(&["--json", "login", "highlevel", "--code", &code])
}

/// Somebody has logged in.
fn open(records: usize) -> House {
    let house = house(records);
    let ran = login(&house);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    house
}

/// A record that can be synced.
fn record(house: &House) -> String {
    house
        .control
        .records(PETS)
        .into_iter()
        .map(|record| record.id)
        .find(|id| house.run(&["sync", "pets", id, "--dry-run"]).code == Some(0))
        .unwrap()
}

/// How often new tokens were asked for with a refresh token.
fn renewals(house: &House) -> usize {
    let asked = house.requests("POST /oauth/token");
    let with = "grant_type=refresh_token";
    asked
        .iter()
        .filter(|entry| entry.body.as_deref().unwrap_or_default().contains(with))
        .count()
}

/// The address that a browser is sent to from another.
fn redirected(url: &str) -> String {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let location = answer
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    location
        .unwrap_or_else(|| panic!("no redirect: {answer}"))
        .to_owned()
}

#[test]
fn a_consent_in_the_browser_becomes_a_login() {
    let house = house(40);
    let before = house.run(&["check"]);
    assert_eq!(before.code, Some(1), "{before:#?}");
    assert!(before.stdout.contains("tramline login highlevel"));

    let mut child = house
        .command(&["login", "highlevel"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut url = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut url).unwrap();
    let back = redirected(url.trim());
    assert!(back.starts_with(&format!("{REDIRECT}?code=")), "{back}");
    writeln!(child.stdin.take().unwrap(), "{back}").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(
        rest.contains("logged in to location") && !rest.contains("not granted"),
        "{rest}"
    );
    let mode = std::fs::metadata(house.path(TOKENS)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);

    let check = house.expect(0, &["--json", "check"]);
    for scope in SCOPES.split_whitespace() {
        let item = format!("highlevel scope {scope}");
        let lines = check.lines();
        let found = lines.iter().find(|line| line["item"] == *item);
        assert_eq!(found.unwrap()["level"], "ok", "{scope}: {check:#?}");
    }
    let id = record(&house);
    house.expect(0, &["sync", "pets", &id]);
    assert_eq!(renewals(&house), 0);
    house.assert_no_violation();
}

#[test]
fn a_scope_that_was_not_granted_is_named() {
    let house = house(10);
    house.control.remove_scope("contacts.readonly");
    let ran = login(&house);
    assert_eq!(ran.json()["missing"][0], "contacts.readonly", "{ran:#?}");
    let check = house.run(&["--json", "check"]);
    assert_eq!(check.code, Some(1));
    let line = check
        .lines()
        .into_iter()
        .find(|line| line["item"] == "highlevel scope contacts.readonly")
        .unwrap();
    assert_eq!(line["level"], "error");
    assert!(
        line["remedy"].as_str().unwrap().contains("log in again"),
        "{line}"
    );
}

#[test]
fn codes_and_locations_that_do_not_fit_are_refused() {
    let house = house(10);
    let ran = house.run(&["login", "highlevel", "--code", "stale"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("refuses the code"), "{ran:#?}");
    house.control.set_consent_location("AnotherLocation00001");
    let ran = login(&house);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("AnotherLocation00001"), "{ran:#?}");
    assert!(!house.path(TOKENS).exists());
    let ran = house.run(&[
        "login",
        "highlevel",
        "--code",
        "https://app.example/back?error=access_denied",
    ]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("access_denied"), "{ran:#?}");
    // With a token there is nothing to log in to.
    let plain = House::new(1);
    let ran = plain.expect(2, &["login", "highlevel", "--code", "x"]);
    assert!(ran.stderr.contains("nothing to log in to"), "{ran:#?}");
}

#[test]
fn many_processes_renew_once() {
    let house = open(40);
    let id = record(&house);
    for _ in 0..2 {
        let before = renewals(&house);
        house.control.expire_access_tokens();
        // Long enough for all of them to be refused meanwhile.
        house.control.fault(Fault {
            ms: Some(700),
            ..Fault::once(Kind::Slow, "POST /oauth/token")
        });
        let dry = ["sync", "pets", id.as_str(), "--dry-run"];
        let started: Vec<_> = (0..4)
            .map(|n| house.start(&format!("p{n}"), &dry))
            .collect();
        for (n, mut child) in started.into_iter().enumerate() {
            let status = child.wait().unwrap();
            assert!(status.success(), "{}", house.read(&format!("p{n}.stderr")));
        }
        assert_eq!(renewals(&house) - before, 1);
    }
}

#[test]
fn a_token_that_is_about_to_end_is_renewed_before_it_is_refused() {
    let house = house(40);
    house.control.set_access_life(3);
    assert_eq!(login(&house).code, Some(0));
    house.control.set_access_life(86_399);
    std::thread::sleep(Duration::from_millis(2_900));
    let before = house.now();
    let dry = ["--json", "check"];
    house.expect(0, &dry);
    house.expect(0, &dry);
    assert_eq!(renewals(&house), 1);
    let refused = house.control.log_since(before);
    assert!(refused.iter().all(|entry| entry.status != 401));
}

#[test]
fn killed_at_any_moment_of_a_renewal_nothing_is_lost() {
    let house = open(40);
    let id = record(&house);
    let dry = ["sync", "pets", id.as_str(), "--dry-run"];
    for round in 0..12_u64 {
        house.control.expire_access_tokens();
        if round % 3 == 0 {
            // Killed while the answer is on its way, too.
            house.control.fault(Fault {
                ms: Some(40),
                ..Fault::once(Kind::Slow, "POST /oauth/token")
            });
        }
        let before = house.requests("POST /oauth/token").len();
        let mut child = house.start("victim", &dry);
        eventually("the renewal", || {
            house.requests("POST /oauth/token").len() > before
                || child.try_wait().unwrap().is_some()
        });
        std::thread::sleep(Duration::from_millis(round % 4 * 3));
        signal(child.id(), "KILL");
        child.wait().unwrap();
        house.control.clear_faults();
        let ran = house.run(&dry);
        assert_eq!(ran.code, Some(0), "round {round}: {ran:#?}");
    }
}

#[test]
fn new_tokens_are_on_disk_before_they_are_used() {
    let house = open(40);
    let id = record(&house);
    // Without the grace, a refresh token that was used is void: all depends on the file.
    house.control.set_refresh_grace(false);
    for _ in 0..5 {
        house.control.expire_access_tokens();
        let before = house.now();
        // The first call with the new token never ends.
        house.control.fault(Fault {
            skip: 1,
            api: "highlevel".into(),
            ..Fault::once(Kind::Stall, "GET /objects/")
        });
        let mut child = house.start("victim", &["sync", "pets", &id, "--dry-run"]);
        let renewed = || {
            let log = house.control.log_since(before);
            let token = log
                .iter()
                .position(|entry| entry.path == "/oauth/token" && entry.status == 200);
            token.is_some_and(|at| {
                // Faults show in the log when they strike.
                log[at..].iter().any(|entry| entry.fault.is_some()) || log.len() > at + 1
            })
        };
        eventually("the use of a new token", renewed);
        signal(child.id(), "KILL");
        child.wait().unwrap();
        house.control.clear_faults();
        house.expect(0, &["sync", "pets", &id, "--dry-run"]);
    }
}

#[test]
fn a_lost_answer_costs_nothing_but_time() {
    let house = open(40);
    let id = record(&house);
    for kind in [
        Kind::LostAck,
        Kind::TruncatedJson,
        Kind::HalfBody,
        Kind::Status(503),
    ] {
        house.control.expire_access_tokens();
        house.control.fault(Fault::once(kind, "POST /oauth/token"));
        let ran = house.run(&["sync", "pets", &id, "--dry-run"]);
        assert_eq!(ran.code, Some(0), "{kind:?}: {ran:#?}");
    }
}

#[test]
fn an_app_that_was_uninstalled_needs_a_login_and_a_worker_goes_on_after_it() {
    let house = open(40);
    let id = record(&house);
    let address = |to: &str| {
        assert!(
            house
                .control
                .set_property(PETS, &id, "owner_email", json!(to))
        );
    };
    address("not an address");
    house.expect(3, &["sync", "pets", &id]);
    address("again@example.org");
    let mut worker = house.start("worker", &["worker"]);
    eventually("the worker", || {
        house.read("worker.stderr").contains("worker started")
    });
    house.control.revoke_app();
    house.expect(0, &["queue", "retry", "--filter", "state:failed", "--yes"]);
    let job = || {
        house
            .expect(0, &["--json", "queue", "list"])
            .lines()
            .remove(0)
    };
    eventually("the wait for a login", || job()["state"] == "waiting");
    let said = job()["error"].to_string();
    assert!(said.contains("tramline login highlevel"), "{said}");
    // What a person asks for says so at once.
    let ran = house.run(&["sync", "pets", &id]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("tramline login highlevel"), "{ran:#?}");
    assert_eq!(login(&house).code, Some(0));
    signal(worker.id(), "HUP");
    eventually("the sync", || job()["state"] == "done");
    signal(worker.id(), "TERM");
    worker.wait().unwrap();
}

#[test]
fn nothing_but_the_token_file_holds_a_token() {
    let house = open(60);
    let id = record(&house);
    let mut said = String::new();
    let mut secrets = vec![OAUTH_CLIENT_SECRET.to_owned()];
    let mut note = |house: &House| {
        let kept: serde_json::Value = serde_json::from_str(&house.read(TOKENS)).unwrap();
        for key in ["access_token", "refresh_token"] {
            secrets.push(kept[key].as_str().unwrap().to_owned());
        }
    };
    note(&house);
    house.control.expire_access_tokens();
    house
        .control
        .fault(Fault::once(Kind::Status(500), "POST /oauth/token"));
    for arguments in [
        &["-vv", "--json", "check"][..],
        &["-vv", "sync", "pets", &id],
        &["-vv", "--json", "export", "pets"],
    ] {
        let ran = house.run(arguments);
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    note(&house);
    house.control.revoke_app();
    for arguments in [
        &["-vv", "check"][..],
        &["-vv", "--json", "sync", "pets", &id],
        &["-vv", "--json", "queue", "list"],
        &[
            "-vv",
            "--json",
            "login",
            "highlevel",
            "--code",
            "wrong-code-canary",
        ],
    ] {
        let ran = finish(house.command(arguments), None);
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    assert_eq!(secrets.len(), 5);
    for secret in &secrets {
        assert!(!said.contains(secret), "printed: {secret}");
        for entry in std::fs::read_dir(house.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == TOKENS || name == "client.secret" {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}
