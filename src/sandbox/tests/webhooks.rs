use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use std::sync::{Arc, Mutex};

type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A receiver that refuses the first webhook once; its address, and signature and body of everything it got.
async fn receiver() -> (String, Received) {
    let received = Received::default();
    let log = Arc::clone(&received);
    let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let log = Arc::clone(&log);
        async move {
            let (parts, body) = request.into_parts();
            let signature = parts.headers["x-ghl-signature"]
                .to_str()
                .unwrap()
                .to_owned();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let mut log = log.lock().unwrap();
            log.push((signature, body.to_vec()));
            if log.len() == 1 {
                axum::http::StatusCode::SERVICE_UNAVAILABLE
            } else {
                axum::http::StatusCode::OK
            }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, received)
}

async fn until(received: &Received, count: usize) -> Vec<(String, Vec<u8>)> {
    for _ in 0..2000 {
        let got = received.lock().unwrap().clone();
        if got.len() >= count {
            return got;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?} webhooks came", received.lock().unwrap().len());
}

#[tokio::test]
async fn webhooks_are_signed_tried_again_and_go_wrong_on_request() {
    let wire = start(small()).await;
    let (url, received) = receiver().await;
    let control = wire.sandbox.control();
    let subscribe = |body: Value| {
        got(
            wire.client.request(
                Method::PUT,
                format!("{}/_sandbox/webhooks", wire.sandbox.highlevel_url),
            ),
            body,
        )
    };
    assert_eq!(subscribe(json!({"url": "ftp://x"})).await.status, 400);
    assert_eq!(
        subscribe(json!({"url": url, "copies": 2, "drop_every": 2}))
            .await
            .status,
        200
    );
    let pet = control.records("custom_objects.pets")[0].id.clone();
    for name in ["a", "b", "c", "d"] {
        assert!(control.set_property("custom_objects.pets", &pet, "name", json!(name)));
    }
    // Two of four are dropped, each other one comes twice, and the first is refused once.
    let got = until(&received, 5).await;
    let key = STANDARD.decode(control.webhook_key()).unwrap();
    let key = VerifyingKey::from_bytes(key[12..].try_into().unwrap()).unwrap();
    let mut names = Vec::new();
    for (signature, body) in &got {
        let signature = Signature::from_slice(&STANDARD.decode(signature).unwrap()).unwrap();
        key.verify_strict(body, &signature).unwrap();
        let body: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(
            (&body["type"], &body["id"]),
            (&json!("RecordUpdate"), &json!(pet))
        );
        let properties = list(&body, "properties");
        let name = properties
            .iter()
            .find(|property| property["key"] == "name")
            .unwrap();
        names.push(name["valueString"].as_str().unwrap().to_owned());
    }
    names.sort();
    names.dedup();
    assert_eq!(names, ["a", "c"]);
    assert!(control.subscribe(None));
    control.set_property("custom_objects.pets", &pet, "name", json!("e"));
    assert_eq!(received.lock().unwrap().len(), got.len());
}
