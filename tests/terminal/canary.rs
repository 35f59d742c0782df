//! A distinctive text in every credential is found on no screen, in no output and in no file but its own.

use super::open;
use super::support::{House, eventually, signal};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use tramline::sandbox::{Fault, Kind, OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET};

const SCOPES: &str = "objects/schema.readonly objects/record.readonly objects/record.write associations.readonly \
                      associations/relation.readonly contacts.readonly locations/customFields.readonly";

/// File and key of each credential that config.toml may name.
const CREDENTIALS: [&str; 6] = [
    "highlevel.token",
    "activecampaign.token",
    "event.key",
    "webhook.bearer",
    "webhook.key",
    "alert.url",
];

fn canary(name: &str) -> String {
    let plain = name.replace('.', "-");
    match name {
        "alert.url" => format!("http://127.0.0.1:9/canary-{plain}-7f3a9c"),
        _ => format!("canary-{plain}-7f3a9c"),
    }
}

fn plant(house: &House) {
    for name in CREDENTIALS {
        house.write(name, &canary(name));
    }
    house
        .control
        .set_highlevel_token(&canary("highlevel.token"));
    house
        .control
        .set_activecampaign_token(&canary("activecampaign.token"));
    house.edit_config(
        "[activecampaign]",
        "[activecampaign]\nevents = { account_id = \"25\", key = { file = \"event.key\" }, url = \"http://127.0.0.1:9/event\" }",
    );
    house.edit_config(
        "[store]",
        "[webhooks]\ntoken = { file = \"webhook.bearer\" }\n[alerts]\nwebhook = { file = \"alert.url\" }\n[store]",
    );
}

#[test]
fn no_credential_is_shown_said_or_written() {
    let house = House::new(60);
    plant(&house);
    let mut said = Vec::new();
    let mut run = |arguments: &[&str]| {
        let ran = house.run(arguments);
        said.extend(ran.stdout.into_bytes());
        said.extend(ran.stderr.into_bytes());
    };
    let id = house.control.records("custom_objects.pets")[0].id.clone();
    let failures = || {
        for (kind, route) in [
            (Kind::Status(401), "records/search"),
            (Kind::Status(403), "contact/sync"),
            (Kind::Status(422), "contact/sync"),
            (Kind::Html(200), "bulk_import"),
        ] {
            house.control.fault(Fault::once(kind, route));
        }
    };
    failures();
    run(&["-vv", "--json", "check"]);
    run(&["-vv", "--json", "export", "pets"]);
    run(&["-vv", "sync", "pets", &id]);
    run(&["-vv", "--json", "queue", "list"]);
    run(&["-vv", "api", "highlevel", "GET", "/objects/"]);
    run(&["-vv", "api", "activecampaign", "GET", "/users/me"]);

    failures();
    let mut worker = house.start("worker", &["-vv", "worker"]);
    eventually("the worker", || {
        house.read("worker.stderr").contains("worker started")
    });
    signal(worker.id(), "HUP");
    eventually("the signal", || {
        house.read("worker.stderr").contains("read again")
    });
    let mut terminal = open(&house);
    terminal.press("2", "of 60");
    terminal.press("5", "pets");
    terminal.press("3", "PET_NAME");
    terminal.press("4", "failed");
    terminal.keys("\r");
    // Every credential is another one now: what is refused is shown, too.
    house.control.set_highlevel_token("another-token");
    house.control.set_activecampaign_token("another-token");
    terminal.press("6", "objects");
    terminal.press("1\x12", "401");
    terminal.keys("q");
    terminal.ended();
    signal(worker.id(), "TERM");
    worker.wait().unwrap();
    run(&["-vv", "check"]);
    run(&["-vv", "--json", "sync", "pets", &id]);
    said.extend(terminal.bytes());
    assert!(said.len() > 10_000, "{}", said.len());

    for name in CREDENTIALS {
        assert_hidden(&house, name, &canary(name), &said, &CREDENTIALS);
    }
}

/// A credential is neither in what was said nor in any file but those that hold it.
fn assert_hidden(house: &House, name: &str, secret: &str, said: &[u8], own: &[&str]) {
    let inside = |bytes: &[u8]| {
        bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes())
    };
    assert!(!inside(said), "{name} was shown or said");
    for entry in std::fs::read_dir(house.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() && !own.contains(&file.as_str()) {
            assert!(
                !inside(&std::fs::read(&path).unwrap()),
                "{name} is in {file}"
            );
        }
    }
}

/// Where the tokens of the app are kept.
const TOKENS: &str = "tramline.default.oauth.json";

/// The tokens of the app as they are now.
fn tokens(house: &House) -> Vec<String> {
    let kept: serde_json::Value = serde_json::from_str(&house.read(TOKENS)).unwrap();
    let text = |key: &str| kept[key].as_str().unwrap().to_owned();
    vec![text("access_token"), text("refresh_token")]
}

fn script(house: &House, name: &str, lines: &str) {
    let path = house.write(name, &format!("#!/bin/sh\n{lines}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// The status of an HTTP request, and all that was answered.
fn ask(address: &str, request: &str, more: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    write!(stream, "{head}{more}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// Where the worker said it listens, behind these words.
fn told_address(house: &House, behind: &str) -> String {
    let mut address = String::new();
    eventually(behind, || {
        let told = house.read("worker.stderr");
        let found = told
            .lines()
            .find_map(|line| Some(line.split_once(behind)?.1.trim()));
        address = found.map_or_else(String::new, |found| {
            found.split('/').next().unwrap_or_default().to_owned()
        });
        !address.is_empty()
    });
    address
}

const KEY: &str = "canary-command-output-7f3a9c";
const BEARER: &str = "canary-bearer-7f3a9c";
const ALERT: &str = "canary-alert-command-7f3a9c";
const PASSWORD: &str = "canary-store-password-7f3a9c";

/// An app in place of a token, a command in place of a file, a program to tell, and all that a worker answers.
#[test]
fn no_credential_of_an_app_or_a_command_is_shown_said_or_written() {
    let house = House::new(60);
    house.control.set_activecampaign_token(KEY);
    house.write("client.secret", OAUTH_CLIENT_SECRET);
    house.write("webhook.bearer", BEARER);
    // What a program says beside its purpose is its own affair.
    script(
        &house,
        "key.sh",
        &format!("echo {KEY} >&2; test -e locked && {{ echo {KEY}; exit 9; }}; echo {KEY}"),
    );
    script(
        &house,
        "tell.sh",
        &format!("cat > told; echo {ALERT}; echo {ALERT} >&2; exit 9"),
    );
    house.edit_config(
        "token = { file = \"highlevel.token\" }",
        &format!(
            "oauth = {{ client_id = \"{OAUTH_CLIENT_ID}\", client_secret = {{ file = \"client.secret\" }}, \
             redirect_uri = \"https://app.example/back\" }}"
        ),
    );
    let script_path = house.path("key.sh");
    house.edit_config(
        "token = { file = \"activecampaign.token\" }",
        &format!("token = {{ command = [{:?}] }}", script_path.display()),
    );
    house.edit_config(
        "[store]",
        &format!(
            "[webhooks]\nlisten = \"127.0.0.1:0\"\ntoken = {{ file = \"webhook.bearer\" }}\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n\
             [alerts]\ncommand = [{:?}, {ALERT:?}]\nfailed = {{ count = 1, within = \"1h\" }}\n[store]",
            house.path("tell.sh").display()
        ),
    );
    let mut said = Vec::new();
    let mut run = |arguments: &[&str]| {
        let mut all = vec!["-vv"];
        all.extend(arguments);
        let ran = house.run(&all);
        said.extend(ran.stdout.as_bytes());
        said.extend(ran.stderr.as_bytes());
        ran
    };
    let code = house.control.consent("https://app.example/back", SCOPES);
    assert_eq!(run(&["login", "highlevel", "--code", &code]).code, Some(0));
    let mut secrets = tokens(&house);

    // Failures that leave jobs, attempts, groups and an alert behind.
    let ids: Vec<String> = house
        .control
        .records("custom_objects.pets")
        .into_iter()
        .map(|record| record.id)
        .collect();
    house.control.expire_access_tokens();
    assert_eq!(run(&["--json", "export", "pets"]).code, Some(3));
    secrets.extend(tokens(&house));
    let synced = ids
        .iter()
        .find(|id| run(&["--json", "sync", "pets", id.as_str()]).code == Some(0))
        .unwrap();
    house
        .control
        .set_property("custom_objects.pets", synced, "name", "another name".into());
    for kind in [Kind::Html(200), Kind::Status(422)] {
        house.control.fault(Fault::once(kind, "contact/sync"));
    }
    let failed = run(&["--json", "sync", "pets", synced]);
    assert_eq!(failed.code, Some(3), "{failed:#?}");

    let mut worker = house.start("worker", &["-vv", "worker"]);
    let webhooks = told_address(&house, "received at http://");
    let metrics = told_address(&house, "metrics at http://");
    let mut answers = String::new();
    for (bearer, expected) in [(BEARER, 202), ("wrong", 401)] {
        let body = format!("{{\"id\":\"{synced}\"}}");
        let head = format!(
            "Authorization: Bearer {bearer}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, answer) = ask(&webhooks, "POST /hooks/pets", &head);
        assert_eq!(status, expected, "{answer}");
        answers.push_str(&answer);
    }
    eventually("the alert", || house.path("told").exists());
    eventually("its failure", || {
        house.read("tramline.log").contains("alert not delivered")
    });
    for path in ["/metrics", "/healthz", "/readyz"] {
        let (status, answer) = ask(&metrics, &format!("GET {path}"), "\r\n");
        assert!(status == 200 || status == 503, "{answer}");
        answers.push_str(&answer);
    }
    signal(worker.id(), "TERM");
    worker.wait().unwrap();

    let job = house.jobs()[0]["id"].as_str().unwrap().to_owned();
    let email = house.control.contacts()[0].email.clone();
    for arguments in [
        &["check"][..],
        &["alerts", "list"],
        &["alerts", "test"],
        &["queue", "show", &job],
        &["queue", "why", &job],
        &["queue", "groups"],
        &["queue", "retry", &job, "--yes"],
        &["queue", "batches"],
        &["queue", "pause", "--reason", "night"],
        &["queue", "resume"],
        &["exports", "list"],
        &["contacts", "show", &email],
        &["segments", "list"],
        &["fields", "list"],
        &["mappings", "preview", "pets", synced],
        &["records", "get", "custom_objects.pets", synced],
        &["api", "activecampaign", "GET", "/users/me"],
        &["activity"],
        &["audit"],
    ] {
        for json in [true, false] {
            let mut all = arguments.to_vec();
            all.extend(json.then_some("--json"));
            run(&all);
        }
    }
    let audit = run(&["--json", "audit"]);
    assert!(audit.stdout.contains("night"), "{audit:#?}");
    let mut terminal = open(&house);
    terminal.press("5", "pets");
    terminal.press("4", "Queue");
    terminal.press("6", "f follow");
    terminal.keys("q");
    terminal.ended();

    // The command gives no key any more, the app is turned out, and the store's address is one that is not known.
    house.write("locked", "");
    house.control.revoke_app();
    house.control.expire_access_tokens();
    let refused = run(&["--json", "check"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stdout.contains("key.sh"), "{refused:#?}");
    run(&["--json", "sync", "pets", synced]);
    let config = house.read("config.toml");
    let url = format!("postgres://tramline:{PASSWORD}@db.example/tramline");
    house.edit_config("sqlite:tramline.db", &url);
    let unknown = run(&["--json", "check"]);
    assert_eq!(unknown.code, Some(2), "{unknown:#?}");
    house.write("config.toml", &config);

    said.extend(answers.into_bytes());
    said.extend(terminal.bytes());
    assert!(said.len() > 20_000, "{}", said.len());
    secrets.extend([KEY, OAUTH_CLIENT_SECRET, BEARER, PASSWORD].map(String::from));
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() >= 7, "the tokens were not renewed");
    let own = [TOKENS, "client.secret", "webhook.bearer", "key.sh"];
    for secret in &secrets {
        assert_hidden(&house, secret, secret, &said, &own);
    }
    // Whoever writes it into config.toml has it there.
    let own = ["config.toml", "tell.sh"];
    assert_hidden(&house, "the alert's command", ALERT, &said, &own);
}
