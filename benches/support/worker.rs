//! A worker that receives webhooks, and what sends them to it.

use super::sandbox::Sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tramline::sandbox::LOCATION_ID;

/// The object whose records change.
pub const PETS: &str = "custom_objects.pets";

/// The release binary, receiving; ends when this is dropped.
pub struct Worker {
    child: Child,
    to: Sender,
}

/// Signs and sends.
#[derive(Clone)]
pub struct Sender {
    url: String,
    key: SigningKey,
}

impl Worker {
    pub fn start(sandbox: &Sandbox) -> Self {
        let key = SigningKey::from_bytes(&[42; 32]);
        let public = STANDARD.encode(key.verifying_key().to_bytes());
        let mut child = sandbox
            .tramline(&["worker", "--listen", "127.0.0.1:0"])
            .env("WEBHOOK_KEY", public)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let told = BufReader::new(child.stderr.take().expect("piped"));
        let address = told
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("received at ")?.1.trim().to_owned()))
            .expect("it says where it listens");
        Self {
            child,
            to: Sender {
                url: format!("{address}/webhooks/highlevel"),
                key,
            },
        }
    }

    /// What sends to it, from any task.
    pub fn sender(&self) -> Sender {
        self.to.clone()
    }
}

impl Sender {
    /// Sends a signed event and waits for the 200.
    pub async fn send(&self, http: &reqwest::Client, event: &str) {
        let signature = STANDARD.encode(self.key.sign(event.as_bytes()).to_bytes());
        let answer = http
            .post(&self.url)
            .header("X-GHL-Signature", signature)
            .body(event.to_owned())
            .send()
            .await
            .expect("answered");
        assert_eq!(answer.status().as_u16(), 200);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The event of a changed record; the number tells repeats apart.
pub fn event(record: &str, number: usize) -> String {
    json!({"type": "RecordUpdate", "locationId": LOCATION_ID, "id": record, "objectKey": PETS,
        "webhookId": format!("bench-{number}"), "timestamp": jiff::Timestamp::now().to_string(), "properties": []})
    .to_string()
}

/// The ids of all records.
pub async fn records(http: &reqwest::Client, sandbox: &Sandbox) -> Vec<String> {
    let url = format!("{}/_sandbox/records/{PETS}", sandbox.highlevel());
    let answer = http.get(url).send().await.expect("the records");
    let body = answer.bytes().await.expect("the records");
    let rows: Vec<Value> = serde_json::from_slice(&body).expect("JSON");
    rows.iter()
        .filter_map(|row| row["id"].as_str().map(str::to_owned))
        .collect()
}
