use super::testing::{Server, TOKEN, budget, http, lifted, token, told};
use super::*;
use crate::model::call::{Api, Call};
use crate::model::{ErrorClass, Problem};
use futures_util::future::BoxFuture;
use reqwest::Method;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn transport(api: Api, url: &str) -> Transport {
    Transport {
        api,
        base: Arc::new(BaseUrl::parse(url).unwrap()),
        http: http(),
        token: token(),
        budget: lifted(),
        observer: None,
        meter: None,
        lane: Lane::Bulk,
        patience: PATIENCE,
        headers: HeaderMap::new(),
        key_field: None,
    }
}

fn write() -> Request {
    Request::write(Method::POST, "/things", Some(b"{\"a\":1}".to_vec()))
}

async fn get(transport: &Transport) -> Result<Value, ApiError> {
    transport.json(&Request::get("/things")).await
}

async fn post(transport: &Transport) -> Result<Value, ApiError> {
    transport.json(&write()).await
}

#[tokio::test]
async fn a_rate_limit_answer_is_waited_for_and_counted() {
    let server = Server::start(|_, before| match before {
        0 => (429, vec![("retry-after", "0.2".to_owned())], String::new()),
        1 => told(429, "{\"message\":\"Too many\"}"),
        _ => told(200, "{\"ok\":true}"),
    })
    .await;
    let meter = Arc::new(Meter::default());
    let mut transport = transport(Api::HighLevel, &server.url);
    transport.meter = Some(meter.clone());
    let started = Instant::now();
    assert_eq!(post(&transport).await.unwrap()["ok"], true);
    // The asked 200 ms, then a window of 100 ms.
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(meter.throttled(), 2);
    assert_eq!(meter.counts().highlevel, 3);
    assert_eq!(meter.counts().activecampaign, 0);
}

#[tokio::test]
async fn a_wait_of_an_hour_is_an_error() {
    let server =
        Server::start(|_, _| (429, vec![("retry-after", "3600".to_owned())], String::new())).await;
    let transport = transport(Api::HighLevel, &server.url);
    let error = get(&transport).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Throttled);
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    // The next call is not even sent.
    let error = get(&transport).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Throttled);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_503_is_a_rate_limit_only_under_pressure() {
    let server = Server::start(|_, before| match before {
        0 => told(503, ""),
        _ => told(200, "{}"),
    })
    .await;
    let error = post(&transport(Api::ActiveCampaign, &server.url))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.ambiguous);

    let server = Server::start(|_, before| match before {
        0 => told(503, ""),
        _ => told(200, "{}"),
    })
    .await;
    let mut pressed = transport(Api::ActiveCampaign, &server.url);
    pressed.budget = budget(1, Duration::from_millis(50));
    post(&pressed).await.unwrap();
    assert_eq!(server.asked().len(), 2);

    let server = Server::start(|_, _| told(503, "")).await;
    let mut down = transport(Api::ActiveCampaign, &server.url);
    down.budget = budget(1, Duration::from_millis(20));
    let error = post(&down).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn an_import_limit_closes_the_import_budget_alone() {
    let server = Server::start(|_, before| match before {
        0 => (
            400,
            vec![("retry-after", "0.15".to_owned())],
            r#"{"success":0,"message":"Rate limit exceeded.","failureReasons":["Up to 100 imports"]}"#
                .to_owned(),
        ),
        _ => told(200, "{}"),
    })
    .await;
    let transport = transport(Api::ActiveCampaign, &server.url);
    let mut request = write();
    let imports = budget(100, Duration::from_secs(60));
    request.also = Some(imports.clone());
    let working = {
        let transport = transport.clone();
        tokio::spawn(async move { transport.json::<Value>(&request).await })
    };
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(imports.view().blocked_until.is_some());
    assert!(transport.budget.view().blocked_until.is_none());
    working.await.unwrap().unwrap();
}

#[tokio::test]
async fn reads_are_tried_again_and_writes_are_not() {
    for body in [
        told(500, "{\"message\":\"oops\"}"),
        told(200, "<html><title>Down</title></html>"),
        told(200, "{\"cut\": \"of"),
        told(200, ""),
        told(522, ""),
        // Something between: the API itself refuses in JSON.
        told(400, "<html><title>Bad request</title></html>"),
        told(404, "\n<!DOCTYPE html><title>Not here</title>"),
        told(403, "<html><title>Just a moment...</title></html>"),
    ] {
        let shown = body.clone();
        let server = Server::start(move |_, before| match before {
            0 | 2 => body.clone(),
            _ => told(200, "{\"ok\":1}"),
        })
        .await;
        let transport = transport(Api::HighLevel, &server.url);
        assert_eq!(get(&transport).await.unwrap()["ok"], 1, "{shown:?}");
        let error = post(&transport).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "{shown:?}");
        assert!(error.ambiguous, "{shown:?}");
        assert_eq!(error.request, "POST /things {\"a\":1}");
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_read_gives_up_in_the_end() {
    let server = Server::start(|_, _| told(500, "")).await;
    let error = get(&transport(Api::HighLevel, &server.url))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(!error.ambiguous);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn what_never_left_is_not_ambiguous() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = post(&transport(Api::HighLevel, &url)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(!error.ambiguous, "{error}");
    let address = url.trim_start_matches("http://");
    let what = format!("cannot connect to {address}: ");
    assert!(error.message.starts_with(&what), "{error}");
}

/// Takes the request, sends `said`, then hangs up or falls silent.
async fn rude(said: &'static str, hang_up: bool) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(said.as_bytes()).await;
            if !hang_up {
                kept.push(stream);
            }
        }
    });
    (url, task)
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_a_write_in_doubt() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":";
    for (said, hang_up, words) in [
        ("", true, "failed"),
        ("", false, "no answer"),
        (half, true, "broke off"),
        (half, false, "in time"),
    ] {
        let (url, task) = rude(said, hang_up).await;
        let error = post(&transport(Api::ActiveCampaign, &url))
            .await
            .unwrap_err();
        task.abort();
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.ambiguous, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert_eq!(error.status, None);
    }
}

#[tokio::test]
async fn an_endless_answer_is_refused() {
    let server = Server::start(|_, _| told(200, "x".repeat(17 << 20))).await;
    let mut transport = transport(Api::HighLevel, &server.url);
    transport.http = Arc::new(Http::new(Duration::from_secs(10)));
    let error = post(&transport).await.unwrap_err();
    assert!(error.message.contains("larger than 16 MiB"), "{error}");
}

#[tokio::test]
async fn a_doubtful_403_is_tried_twice_more() {
    let server = Server::start(|_, before| match before {
        0 | 1 => told(403, "{\"message\":\"Forbidden\"}"),
        _ => told(200, "{}"),
    })
    .await;
    get(&transport(Api::ActiveCampaign, &server.url))
        .await
        .unwrap();
    assert_eq!(server.asked().len(), 3);

    let server = Server::start(|_, _| told(403, "")).await;
    let error = get(&transport(Api::ActiveCampaign, &server.url))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth);
    assert_eq!(server.asked().len(), 3);
    assert!(error.remedy.is_some());

    let server =
        Server::start(|_, _| told(403, "{\"message\":\"Could not create SubscriberSeries\"}"))
            .await;
    let error = get(&transport(Api::ActiveCampaign, &server.url))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert_eq!(server.asked().len(), 1);
}

/// A token that is another one after it was read again.
struct Rotated(AtomicBool);

impl Token for Rotated {
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>> {
        let text = if self.0.load(Ordering::Relaxed) {
            "new-token"
        } else {
            "old-token"
        };
        Box::pin(async move { Ok(SecretString::from(text)) })
    }

    fn refresh<'a>(&'a self, refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Problem>> {
        assert_eq!(refused.expose_secret(), "old-token");
        let changed = !self.0.swap(true, Ordering::Relaxed);
        Box::pin(async move { Ok(changed) })
    }
}

#[tokio::test]
async fn a_refused_token_is_read_again_once() {
    let answer = |asked: &testing::Asked, _| {
        if asked.headers.get("authorization").unwrap() == "Bearer new-token" {
            told(200, "{}")
        } else {
            told(
                401,
                "{\"statusCode\":401,\"message\":\"Invalid Private Integration token\"}",
            )
        }
    };
    let server = Server::start(answer).await;
    let mut rotating = transport(Api::HighLevel, &server.url);
    rotating.token = Arc::new(Rotated(AtomicBool::new(false)));
    post(&rotating).await.unwrap();
    assert_eq!(server.asked().len(), 2);

    let fixed = transport(Api::HighLevel, &server.url);
    let error = post(&fixed).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth);
    assert_eq!(error.message, "Invalid Private Integration token");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let other = Server::start(|_, _| told(200, "{}")).await;
    let target = other.url.clone();
    let server = Server::start(move |_, _| {
        (
            302,
            vec![("location", format!("{target}/things"))],
            String::new(),
        )
    })
    .await;
    let error = get(&transport(Api::ActiveCampaign, &server.url))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Config);
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn the_token_never_shows() {
    let server = Server::start(|_, before| {
        let echo = format!("your token {TOKEN} is bad");
        if before % 2 == 0 {
            told(
                422,
                serde_json::json!({ "message": [echo], "traceId": "t" }),
            )
        } else {
            told(401, echo)
        }
    })
    .await;
    let seen: Arc<Mutex<Vec<Call>>> = Arc::default();
    let calls = seen.clone();
    let mut transport = transport(Api::HighLevel, &server.url);
    transport.observer = Some(Arc::new(move |call: &Call| {
        calls.lock().unwrap().push(call.clone());
    }));
    for _ in 0..2 {
        let request = Request::write(
            Method::POST,
            format!("/things?echo={TOKEN}"),
            Some(format!("{{\"t\":\"{TOKEN}\"}}").into_bytes()),
        );
        let error = transport.json::<Value>(&request).await.unwrap_err();
        let problem = Problem::from(error.clone());
        assert!(!format!("{error:?} {error} {problem:?}").contains(TOKEN));
        assert!(error.response.as_ref().unwrap().contains("[redacted]"));
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].request_id.as_deref(), Some("t"));
    assert_eq!(seen[0].status, Some(422));
    assert!(!format!("{seen:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_raw_request_stays_below_the_base() {
    let server = Server::start(|_, _| told(404, "{\"message\":\"no\"}")).await;
    let transport = transport(Api::HighLevel, &server.url);
    let raw = |path: &str| {
        let request = Request::get(path);
        let transport = transport.clone();
        async move { transport.raw(request).await }
    };
    let answer = raw("objects/?x=1").await.unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.body,
        RawBody::Json(serde_json::json!({ "message": "no" }))
    );
    assert_eq!(server.lines(), ["GET /objects/?x=1"]);
    for bad in [
        "https://example.com/",
        "//example.com/",
        "/a/../../b",
        "/a/%2e%2E/b",
        "/a b",
        "/a\r\nb",
        "\\\\example.com",
    ] {
        let error = raw(bad).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Config, "{bad}");
    }
    assert_eq!(server.asked().len(), 1);
}
