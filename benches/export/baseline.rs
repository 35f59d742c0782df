//! What a script without bulk import does: pages of records, and one `contact/sync` a record, many at a time.

use crate::support::sandbox::Sandbox;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::time::Instant;

const RECORDS: usize = 10_000;
const AT_ONCE: usize = 32;

/// Records a second, against a sandbox of its own without limits.
pub async fn rate(http: &reqwest::Client) -> f64 {
    let sandbox = Sandbox::start(RECORDS, false, 100);
    let config = std::fs::read_to_string(sandbox.config()).expect("written before");
    let config: toml::Table = toml::from_str(&config).expect("it is a configuration");
    let text = |table: &str, key: &str| config[table][key].as_str().unwrap_or_default().to_owned();
    let base = text("highlevel", "base_url");
    let location = text("highlevel", "location_id");
    let sync = format!("{}/api/3/contact/sync", text("activecampaign", "url"));
    let start = Instant::now();
    let mut sent = 0;
    for page in 1..=RECORDS / 100 {
        let answer = http
            .post(format!("{base}/objects/custom_objects.pets/records/search"))
            .bearer_auth(sandbox.token("GHL_TOKEN"))
            .header("version", "2021-07-28")
            .header("content-type", "application/json")
            .body(json!({ "locationId": location, "page": page, "pageLimit": 100 }).to_string())
            .send()
            .await
            .expect("a page");
        let page: Value =
            serde_json::from_slice(&answer.bytes().await.expect("a page")).expect("JSON");
        let records = page["records"].as_array().expect("records");
        sent += stream::iter(records)
            .map(|record| one(http, &sync, sandbox.token("ACTIVECAMPAIGN_TOKEN"), record))
            .buffer_unordered(AT_ONCE)
            .filter(|done| std::future::ready(*done))
            .count()
            .await;
    }
    assert!(sent > RECORDS / 2, "the baseline wrote {sent} contacts");
    RECORDS as f64 / start.elapsed().as_secs_f64()
}

async fn one(http: &reqwest::Client, url: &str, token: &str, record: &Value) -> bool {
    let properties = &record["properties"];
    let text = |key: &str| match &properties[key] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let fields = [
        "name", "weight", "price", "status", "species", "born", "breed",
    ];
    let values: Vec<Value> = fields
        .iter()
        .enumerate()
        .map(|(place, key)| json!({ "field": (place + 1).to_string(), "value": text(key) }))
        .collect();
    let body = json!({ "contact": {
        "email": text("owner_email"),
        "firstName": text("owner_first_name"),
        "lastName": text("owner_last_name"),
        "phone": text("owner_phone"),
        "fieldValues": values,
    }});
    let answer = http
        .post(url)
        .header("api-token", token)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await;
    match answer {
        Ok(answer) => {
            let good = answer.status().is_success();
            // Read whole, so that the connection is used again.
            answer.bytes().await.is_ok() && good
        }
        Err(_) => false,
    }
}
