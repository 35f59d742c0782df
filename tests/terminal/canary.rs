//! A distinctive text in every credential is found on no screen, in no output and in no file but its own.

use super::open;
use super::support::{House, eventually, signal};
use tramline::sandbox::{Fault, Kind};

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
            (Kind::Html, "bulk_import"),
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
        let secret = canary(name);
        let inside = |bytes: &[u8]| {
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        assert!(!inside(&said), "{name} was shown or said");
        for entry in std::fs::read_dir(house.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_file() && !CREDENTIALS.contains(&file.as_str()) {
                assert!(
                    !inside(&std::fs::read(&path).unwrap()),
                    "{name} is in {file}"
                );
            }
        }
    }
}
