//! The wire, tried with a plain HTTP client.

mod activecampaign;
mod faults;
mod highlevel;
mod segments;
mod webhooks;

use super::{
    ACTIVECAMPAIGN_TOKEN, EVENT_ACCOUNT, EVENT_KEY, HIGHLEVEL_TOKEN, LOCATION_ID, Options, Quirks,
    Sandbox,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

/// A sandbox and a client that knows its tokens.
struct Wire {
    sandbox: Sandbox,
    client: reqwest::Client,
}

struct Got {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

async fn start(options: Options) -> Wire {
    // Fails only when another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    Wire {
        sandbox: Sandbox::start(options).await.unwrap(),
        client,
    }
}

fn small() -> Options {
    Options {
        records: 250,
        limits: false,
        import_delay: Duration::ZERO,
        ..Options::default()
    }
}

async fn with_quirks(quirks: Quirks) -> Wire {
    start(Options { quirks, ..small() }).await
}

impl Wire {
    fn highlevel(&self, method: &str, path: &str) -> RequestBuilder {
        self.client
            .request(
                method.parse::<Method>().unwrap(),
                format!("{}{path}", self.sandbox.highlevel_url),
            )
            .bearer_auth(HIGHLEVEL_TOKEN)
            .header("Version", "2021-07-28")
    }

    fn activecampaign(&self, method: &str, path: &str) -> RequestBuilder {
        self.client
            .request(
                method.parse::<Method>().unwrap(),
                format!("{}/api/3{path}", self.sandbox.activecampaign_url),
            )
            .header("Api-Token", ACTIVECAMPAIGN_TOKEN)
    }

    async fn ghl(&self, method: &str, path: &str, body: Value) -> Got {
        got(self.highlevel(method, path), body).await
    }

    async fn ac(&self, method: &str, path: &str, body: Value) -> Got {
        got(self.activecampaign(method, path), body).await
    }

    /// A page of pets.
    async fn search(&self, extra: Value) -> Got {
        let mut body = json!({"locationId": LOCATION_ID, "page": 1, "pageLimit": 100});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
            if value.is_null() {
                body.as_object_mut().unwrap().shift_remove(key);
            }
        }
        self.ghl("POST", "/objects/custom_objects.pets/records/search", body)
            .await
    }
}

/// Sends a request, with a body unless it is null.
async fn got(request: RequestBuilder, body: Value) -> Got {
    let request = match body {
        Value::Null => request,
        body => request
            .header("Content-Type", "application/json")
            .body(body.to_string()),
    };
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    Got {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

fn list<'a>(body: &'a Value, name: &str) -> &'a Vec<Value> {
    body[name]
        .as_array()
        .unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[tokio::test]
async fn the_same_seed_gives_the_same_data_and_stop_closes_both_ports() {
    let (one, other) = (start(small()).await, start(small()).await);
    let ids = |wire: &Wire| {
        let mut ids: Vec<_> = wire
            .sandbox
            .control()
            .records("custom_objects.pets")
            .into_iter()
            .map(|pet| (pet.id, pet.properties))
            .collect();
        ids.sort_by(|one, other| one.0.cmp(&other.0));
        ids
    };
    assert_eq!(ids(&one), ids(&other));
    let address = one
        .sandbox
        .highlevel_url
        .trim_start_matches("http://")
        .to_owned();
    one.ghl("GET", "/", Value::Null).await;
    one.sandbox.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn control_works_over_http() {
    let wire = start(small()).await;
    let pet = wire.sandbox.control().records("custom_objects.pets")[0]
        .id
        .clone();
    let control = |method: &str, path: &str| {
        wire.client.request(
            method.parse().unwrap(),
            format!("{}/_sandbox/{path}", wire.sandbox.activecampaign_url),
        )
    };
    let patched = got(
        control("PATCH", &format!("records/custom_objects.pets/{pet}")),
        json!({"name": "Rex", "chip": null}),
    )
    .await;
    assert_eq!(patched.body["properties"]["name"], "Rex");
    assert_eq!(patched.body["properties"].get("chip"), None);
    wire.ac("GET", "/users/me", Value::Null).await;
    wire.ac("GET", "/nonsense", Value::Null).await;
    let log = got(control("GET", "log?since=1"), Value::Null).await.body;
    assert_eq!(log.as_array().unwrap().len(), 1);
    assert_eq!(
        (&log[0]["path"], &log[0]["status"]),
        (&json!("/api/3/nonsense"), &json!(404))
    );
    let stats = got(control("GET", "stats"), Value::Null).await.body;
    assert_eq!(
        stats,
        json!({"highlevel": 0, "activecampaign": 2, "throttled": 0, "violations": 1})
    );
    let email = wire.sandbox.control().contacts()[0].email.clone();
    let contact = got(
        control("GET", &format!("contacts?email={email}")),
        Value::Null,
    )
    .await
    .body;
    assert_eq!(contact["email"], email);
    got(
        control("POST", "contacts/unsubscribe"),
        json!({"email": email, "list": "Master Contact List"}),
    )
    .await;
    assert_eq!(
        wire.sandbox.control().contact(&email).unwrap().lists["Master Contact List"],
        2
    );
    let refused = got(
        control("POST", "faults"),
        json!({"route": "x", "kind": "nonsense"}),
    )
    .await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn the_config_is_toml_with_token_references() {
    let wire = start(small()).await;
    let text = wire
        .sandbox
        .config_toml("/tmp/a \"b\"".as_ref(), "/tmp/c".as_ref());
    let config: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(
        config["highlevel"]["token"]["file"].as_str(),
        Some("/tmp/a \"b\"")
    );
    assert_eq!(
        config["activecampaign"]["url"].as_str(),
        Some(wire.sandbox.activecampaign_url.as_str())
    );
    assert!(
        config["mappings"]["pets"]["fields"]
            .as_table()
            .unwrap()
            .len()
            >= 12
    );
    let banner = super::banner(&wire.sandbox);
    assert!(banner.contains(HIGHLEVEL_TOKEN) && banner.contains(&wire.sandbox.highlevel_url));
}
