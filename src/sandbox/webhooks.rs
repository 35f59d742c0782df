//! Webhooks for changes of records and relations, sent on request and signed as HighLevel signs its own (HighLevel fact
//! sheet §5), with the ways in which they go wrong.

use super::highlevel::location::Record;
use super::highlevel::relations::Relation;
use super::{LOCATION_ID, chance, instant, lock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Changes that wait to be sent; further ones are lost, as they are when a real receiver is down for long.
const WAITING: usize = 100_000;
/// Deliveries under way at the same time.
const AT_ONCE: usize = 64;
/// Further attempts after a delivery that was not answered 2xx.
const RETRIES: u32 = 12;
/// The wait before the first of them; it doubles, up to two seconds, so that nobody waits for hours in a rehearsal.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const KEPT: usize = 100_000;

/// The app that the webhooks are said to belong to.
pub const APP_ID: &str = "6878cec452e7c8d29d4dd3d9";

/// Where webhooks go, and what goes wrong on the way.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// An `http://` address.
    pub url: String,
    /// How often each one is delivered.
    #[serde(default = "one")]
    pub copies: u32,
    /// Every one comes so many milliseconds late.
    #[serde(default)]
    pub delay_ms: u64,
    /// Neighbours swap places: the second is delivered before the first.
    #[serde(default)]
    pub reorder: bool,
    /// Every so manieth is never delivered; 0 for none.
    #[serde(default)]
    pub drop_every: u64,
    /// Whether record events name their object, which no documentation says (fact sheet §5.2).
    #[serde(default = "yes")]
    pub object_key: bool,
    /// Whether the event is nested under `data`, as in the guide's sample code.
    #[serde(default)]
    pub nested: bool,
    /// Whether events carry a `webhookId`.
    #[serde(default = "yes")]
    pub webhook_id: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

impl Subscription {
    /// Every webhook once, at once, in order.
    #[must_use]
    pub fn to(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            copies: 1,
            delay_ms: 0,
            reorder: false,
            drop_every: 0,
            object_key: true,
            nested: false,
            webhook_id: true,
        }
    }
}

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// `RecordUpdate`, …
    pub kind: String,
    /// The record's or the relation's id.
    pub id: String,
    /// Status answered; 0 where no answer came.
    pub status: u16,
}

/// A webhook to be delivered.
struct Webhook {
    kind: &'static str,
    id: String,
    event: Map<String, Value>,
}

/// The sending side.
pub(super) struct Webhooks {
    key: SigningKey,
    subscription: Mutex<Option<Subscription>>,
    queue: mpsc::Sender<Webhook>,
    receiver: Mutex<Option<mpsc::Receiver<Webhook>>>,
    deliveries: Mutex<Vec<Delivery>>,
}

impl Webhooks {
    /// Nobody is subscribed. The key pair is made from a fresh number: nobody outside this process can sign.
    pub(super) fn new() -> Self {
        let seed: [u8; 32] = Sha256::digest(uuid::Uuid::now_v7().as_bytes()).into();
        let (queue, receiver) = mpsc::channel(WAITING);
        Self {
            key: SigningKey::from_bytes(&seed),
            subscription: Mutex::default(),
            queue,
            receiver: Mutex::new(Some(receiver)),
            deliveries: Mutex::default(),
        }
    }

    /// The public key as base64 of its DER form: the text between the lines of a PEM block.
    pub(super) fn public_key(&self) -> String {
        let prefix = [
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        let der: Vec<u8> = prefix
            .into_iter()
            .chain(self.key.verifying_key().to_bytes())
            .collect();
        STANDARD.encode(der)
    }

    /// The value of `X-GHL-Signature` for a body.
    pub(super) fn sign(&self, body: &[u8]) -> String {
        STANDARD.encode(self.key.sign(body).to_bytes())
    }

    pub(super) fn subscribe(&self, subscription: Option<Subscription>) {
        *lock(&self.subscription) = subscription;
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.deliveries).clone()
    }

    /// A record changed.
    pub(super) fn record(&self, kind: &'static str, object: &str, record: &Record) {
        let properties: Vec<Value> = record
            .parsed()
            .into_iter()
            .map(|(key, value)| {
                let text = match value {
                    Value::String(text) => text,
                    value => value.to_string(),
                };
                json!({ "key": key, "valueString": text })
            })
            .collect();
        self.announce(
            kind,
            &record.id,
            json!({"id": &*record.id, "objectKey": object, "owners": record.owner, "followers": record.followers,
                "properties": properties}),
        );
    }

    /// A relation came or went.
    pub(super) fn relation(&self, kind: &'static str, relation: &Relation) {
        self.announce(
            kind,
            &relation.id,
            json!({"id": &*relation.id, "firstObjectKey": relation.first.0, "firstRecordId": &*relation.first.1,
                "secondObjectKey": relation.second.0, "secondRecordId": &*relation.second.1,
                "associationId": &*relation.association}),
        );
    }

    fn announce(&self, kind: &'static str, id: &str, event: Value) {
        let Value::Object(mut event) = event else {
            return;
        };
        if lock(&self.subscription).is_none() {
            return;
        }
        event.insert("timestamp".into(), instant::utc(instant::now()).into());
        let webhook = Webhook {
            kind,
            id: id.to_owned(),
            event,
        };
        // A queue that is full loses it: see `WAITING`.
        let _ = self.queue.try_send(webhook);
    }

    /// Delivers until the sandbox stops.
    pub(super) async fn deliver(self: Arc<Self>, stop: CancellationToken) {
        let Some(mut queue) = lock(&self.receiver).take() else {
            return;
        };
        let Some(client) = client() else { return };
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut held: Option<Webhook> = None;
        let mut number = 0_u64;
        loop {
            let patience = if held.is_some() {
                Duration::from_millis(20)
            } else {
                Duration::from_secs(3600)
            };
            let next = tokio::select! {
                () = stop.cancelled() => return,
                next = queue.recv() => next,
                () = tokio::time::sleep(patience) => held.take(),
            };
            let Some(webhook) = next else { continue };
            let Some(subscription) = lock(&self.subscription).clone() else {
                continue;
            };
            let in_order = if !subscription.reorder {
                [Some(webhook), None]
            } else if let Some(first) = held.take() {
                [Some(webhook), Some(first)]
            } else {
                held = Some(webhook);
                continue;
            };
            for webhook in in_order.into_iter().flatten() {
                number += 1;
                if subscription.drop_every > 0 && number.is_multiple_of(subscription.drop_every) {
                    continue;
                }
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                    return;
                };
                let (webhooks, client, subscription, stop) = (
                    Arc::clone(&self),
                    client.clone(),
                    subscription.clone(),
                    stop.clone(),
                );
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = webhooks.post(&client, &subscription, webhook) => {}
                    }
                    drop(permit);
                });
            }
        }
    }

    async fn post(&self, client: &reqwest::Client, to: &Subscription, webhook: Webhook) {
        tokio::time::sleep(Duration::from_millis(to.delay_ms)).await;
        let body = envelope(to, &webhook).to_string();
        for _ in 0..to.copies.max(1) {
            let mut wait = FIRST_WAIT;
            for _ in 0..=RETRIES {
                let sent = client
                    .post(&to.url)
                    .header("content-type", "application/json")
                    .header("x-ghl-signature", self.sign(body.as_bytes()))
                    .header("x-wh-signature", "N/A")
                    .body(body.clone())
                    .send()
                    .await;
                let status = sent.map_or(0, |answer| answer.status().as_u16());
                self.note(&webhook, status);
                if (200..300).contains(&status) {
                    break;
                }
                tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }

    fn note(&self, webhook: &Webhook, status: u16) {
        let mut deliveries = lock(&self.deliveries);
        if deliveries.len() < KEPT {
            deliveries.push(Delivery {
                kind: webhook.kind.to_owned(),
                id: webhook.id.clone(),
                status,
            });
        }
    }
}

/// The body of a webhook, as the subscription wants it.
fn envelope(to: &Subscription, webhook: &Webhook) -> Value {
    let mut event = webhook.event.clone();
    if !to.object_key {
        event.shift_remove("objectKey");
    }
    let mut body = Map::new();
    body.insert("type".into(), webhook.kind.into());
    body.insert("locationId".into(), LOCATION_ID.into());
    body.insert("versionId".into(), APP_ID.into());
    body.insert("appId".into(), APP_ID.into());
    if to.nested {
        body.insert("data".into(), Value::Object(event));
    } else {
        body.extend(event);
    }
    if to.webhook_id {
        body.insert("webhookId".into(), chance::uuid().into());
    }
    Value::Object(body)
}

fn client() -> Option<reqwest::Client> {
    // A second installation is refused, which only means that somebody was here before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .build()
        .ok()
}
