//! Faults as a client meets them.

use super::*;
use crate::sandbox::{Fault, Kind};

async fn sync_once(wire: &Wire, email: &str) -> Result<(u16, String), reqwest::Error> {
    let body = json!({"contact": {"email": email}}).to_string();
    let request = wire
        .activecampaign("POST", "/contact/sync")
        .header("Content-Type", "application/json")
        .body(body);
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok((status, response.text().await?))
}

async fn struck(wire: &Wire, kind: Kind) -> (Result<(u16, String), reqwest::Error>, bool) {
    let email = format!("{}@example.com", kind.name());
    wire.sandbox.control().fault(Fault {
        ms: Some(30),
        ..Fault::once(kind, "POST /api/3/contact/sync")
    });
    let answer = sync_once(wire, &email).await;
    (answer, wire.sandbox.control().contact(&email).is_some())
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    let wire = start(small()).await;
    for kind in [Kind::Reset, Kind::LostAck, Kind::HalfBody] {
        let (answer, written) = struck(&wire, kind).await;
        assert!(answer.is_err(), "{kind:?}");
        assert_eq!(written, kind != Kind::Reset, "{kind:?}");
    }
    for (kind, status, takes_effect) in [
        (Kind::Status(503), 503, false),
        (Kind::Html(200), 200, false),
        (Kind::Empty200, 200, false),
        (Kind::Slow, 201, true),
    ] {
        let (answer, written) = struck(&wire, kind).await;
        assert_eq!(
            (answer.unwrap().0, written),
            (status, takes_effect),
            "{kind:?}"
        );
    }
    let (answer, written) = struck(&wire, Kind::TruncatedJson).await;
    let (status, text) = answer.unwrap();
    assert!(status == 201 && written && serde_json::from_str::<Value>(&text).is_err());
    assert_eq!(sync_once(&wire, "after@example.com").await.unwrap().0, 201);
    let log = wire.sandbox.control().log();
    let faults: Vec<_> = log
        .iter()
        .filter_map(|entry| entry.fault.as_deref())
        .collect();
    assert_eq!(
        faults,
        [
            "reset",
            "lost_ack",
            "half_body",
            "503",
            "html",
            "empty_200",
            "slow",
            "truncated_json"
        ]
    );
    assert_eq!(log[0].status, 0);
}

#[tokio::test]
async fn a_stalled_answer_ends_with_the_sandbox() {
    for kind in [Kind::Stall, Kind::StallBody] {
        let wire = start(small()).await;
        wire.sandbox.control().fault(Fault::once(kind, ""));
        let request = wire.activecampaign("GET", "/users/me").send();
        let waiting = tokio::spawn(async move { request.await?.text().await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished(), "{kind:?}");
        assert_eq!(wire.sandbox.control().log().len(), 1, "{kind:?}");
        wire.sandbox.stop().await;
        assert!(waiting.await.unwrap().is_err(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_request_whose_client_gave_up_still_takes_effect_and_is_logged() {
    let wire = start(small()).await;
    let control = wire.sandbox.control();
    control.fault(Fault {
        ms: Some(80),
        ..Fault::once(Kind::Slow, "contact/sync")
    });
    let body = json!({"contact": {"email": "late@example.com"}}).to_string();
    let request = wire
        .activecampaign("POST", "/contact/sync")
        .header("Content-Type", "application/json")
        .body(body)
        .timeout(Duration::from_millis(20));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert!(control.log().is_empty());
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(control.contact("late@example.com").is_some());
    assert_eq!(control.log().len(), 1);
}

#[tokio::test]
async fn imports_are_limited_failed_and_interrupted_on_request() {
    let wire = start(small()).await;
    let contacts: Vec<Value> = (0..4)
        .map(|at| json!({"email": format!("i{at}@example.com")}))
        .collect();
    let mut ends = Vec::new();
    for kind in [
        Kind::ImportLimit,
        Kind::ImportFailed,
        Kind::ImportInterrupted,
    ] {
        wire.sandbox
            .control()
            .fault(Fault::once(kind, "bulk_import"));
        let queued = wire
            .ac("POST", "/import/bulk_import", json!({"contacts": contacts}))
            .await;
        if kind == Kind::ImportLimit {
            assert_eq!(
                (queued.status, &queued.body["message"]),
                (400, &json!("Rate limit exceeded."))
            );
            continue;
        }
        let path = format!(
            "/import/info?batchId={}",
            queued.body["batchId"].as_str().unwrap()
        );
        let info = wire.ac("GET", &path, Value::Null).await.body;
        ends.push((info["status"].clone(), list(&info, "success").len()));
    }
    assert_eq!(ends, [(json!("failed"), 0), (json!("interrupted"), 2)]);
    assert!(wire.sandbox.control().contact("i1@example.com").is_some());
    assert!(wire.sandbox.control().contact("i2@example.com").is_none());
}
