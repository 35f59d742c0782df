//! What is refused, and with which words.

use super::*;

const BASE: &str = r#"
[highlevel]
location_id = "loc"
token = { env = "A" }

[activecampaign]
url = "https://acme.api-us1.com"
token = { env = "B" }
"#;

fn error(text: &str) -> ConfigError {
    Config::parse(text, Path::new("config.toml")).unwrap_err()
}

#[test]
fn the_smallest_file_is_enough() {
    let config = Config::parse(BASE, Path::new("/etc/x/config.toml")).unwrap();
    assert_eq!(config.connections.len(), 1);
    assert_eq!(config.folder(), Path::new("/etc/x"));
    assert_eq!(config.worker.concurrency, 8);
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest() {
    let error = error(&format!("{BASE}[worker]\nconcurency = 3\n"));
    assert_eq!(error.line, Some(10));
    assert_eq!(error.remedy.as_deref(), Some("did you mean `concurrency`?"));
}

#[test]
fn an_inline_token_is_refused_and_not_repeated() {
    let error = error(&BASE.replace("{ env = \"A\" }", "\"pit-canary\""));
    assert!(
        error.to_string().contains("must not stand in this file"),
        "{error}"
    );
    assert!(!error.to_string().contains("canary"), "{error}");
    assert_eq!(error.line, Some(4));
}

#[test]
fn a_token_in_place_of_a_variables_name_is_refused_and_not_repeated() {
    let error = error(&BASE.replace("{ env = \"A\" }", "{ env = \"pit-canary\" }"));
    assert!(
        error.to_string().contains("token: env is not the name"),
        "{error}"
    );
    assert!(!error.to_string().contains("canary"), "{error}");
    assert_eq!(error.line, Some(4));
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let error = error(&BASE.replace("https://acme.api-us1.com", "http://acme.api-us1.com"));
    assert_eq!(
        (error.line, error.key.as_deref()),
        (Some(7), Some("activecampaign.url"))
    );
    for local in ["http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9"] {
        Config::parse(
            &BASE.replace("https://acme.api-us1.com", local),
            Path::new("c"),
        )
        .unwrap();
    }
}

#[test]
fn events_have_their_own_key_and_a_safe_address() {
    let events = |url: &str| {
        format!(
            "{BASE}events = {{ account_id = \"1\", key = {{ env = \"K\" }}, url = \"{url}\" }}\n"
        )
    };
    Config::parse(&events("https://trackcmp.net/event"), Path::new("c")).unwrap();
    Config::parse(&events("http://127.0.0.1:9/event"), Path::new("c")).unwrap();
    let plain = error(&events("http://trackcmp.net/event"));
    assert_eq!(plain.key.as_deref(), Some("activecampaign.events.url"));
    let inline = error(&format!(
        "{BASE}events = {{ account_id = \"1\", key = \"canary\" }}\n"
    ));
    assert!(!inline.to_string().contains("canary"), "{inline}");
}

#[test]
fn what_a_mapping_refers_to_is_checked() {
    let mapping =
        |line: &str| format!("{BASE}[mappings.pets]\nobject = \"pets\"\nemail = \"e\"\n{line}\n");
    assert_eq!(
        error(&mapping("connection = \"x\"")).key.as_deref(),
        Some("mappings.pets.connection")
    );
    assert_eq!(error(&mapping("schedule = \"never\"")).line, Some(12));
    assert_eq!(error(&mapping("time_zone = \"Mars/Base\"")).line, Some(12));
    Config::parse(
        &mapping("schedule = \"*/15 * * * *\"\ntime_zone = \"Europe/Berlin\""),
        Path::new("c"),
    )
    .unwrap();
}

#[test]
fn an_app_stands_in_place_of_a_token() {
    let token = "token = { env = \"A\" }\n\n[active";
    let oauth = |more: &str| {
        let app =
            format!("oauth = {{ client_id = \"c\", client_secret = {{ env = \"S\" }}{more} }}");
        BASE.replace(token, &format!("{app}\n\n[active"))
    };
    let config = Config::parse(&oauth(""), Path::new("c")).unwrap();
    let highlevel = &config.connections.values().next().unwrap().highlevel;
    let app = highlevel.oauth.as_ref().unwrap();
    assert!(
        app.consent_url
            .starts_with("https://marketplace.gohighlevel.com/")
    );
    for (wrong, told) in [
        (
            oauth("").replace("oauth = ", "token = { env = \"A\" }\noauth = "),
            "exclude each other",
        ),
        (BASE.replacen("token = { env = \"A\" }", "", 1), "or oauth"),
        (oauth(", consent_url = \"http://evil.example\""), "https://"),
        (oauth(", redirect_uri = \"nowhere\""), "redirect_uri"),
        (
            oauth("").replace("{ env = \"S\" }", "\"canary\""),
            "must not stand in this file",
        ),
    ] {
        let error = error(&wrong).to_string();
        assert!(error.contains(told) && !error.contains("canary"), "{error}");
    }
}

#[test]
fn alerts_that_make_no_sense_are_refused() {
    let alerts = |lines: &str| error(&format!("{BASE}[alerts]\n{lines}\n"));
    for (lines, key) in [
        ("webhook = { env = 'A' }\ncommand = ['a']", "alerts.command"),
        ("command = []", "alerts.command"),
        ("failed = { count = 0, within = '1m' }", "alerts.failed"),
        ("stalled = '0s'", "alerts.stalled"),
    ] {
        assert_eq!(alerts(lines).key.as_deref(), Some(key), "{lines}");
    }
    assert!(
        !alerts("webhook = 'https://canary'")
            .to_string()
            .contains("canary")
    );
    let port = error(&format!("{BASE}[metrics]\nlisten = '127.0.0.1:8787'\n"));
    assert_eq!(port.key.as_deref(), Some("metrics.listen"));
    let config = Config::parse(BASE, Path::new("c")).unwrap();
    assert_eq!(config.alerts.failed.count, 20);
}

#[test]
fn a_missing_half_is_named() {
    assert!(
        error("[highlevel]\nlocation_id = 'x'\ntoken = { env = 'A' }\n")
            .to_string()
            .contains("[activecampaign] is missing")
    );
    assert!(error("").to_string().contains("are missing"));
    assert!(error("[highlevel").line.is_some());
}
