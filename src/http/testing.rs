//! A small server on loopback for the clients' tests: it records what it is asked and answers as told.

use super::{Budget, FixedToken, Http, Limit, MemoryLedger, SystemClock};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const TOKEN: &str = "canary-token-5d41402a";

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: String,
    /// Path with query, decoded.
    pub path: String,
    pub headers: axum::http::HeaderMap,
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

/// An answer: status, headers, body.
pub(crate) type Told = (u16, Vec<(&'static str, String)>, String);

pub(crate) fn told(status: u16, body: impl ToString) -> Told {
    (status, Vec::new(), body.to_string())
}

pub(crate) struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request by `answer`, which is given the request and how many came before it.
    pub async fn start(answer: impl Fn(&Asked, usize) -> Told + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = asked.clone();
        let answer = Arc::new(answer);
        let app = axum::Router::new().fallback(move |request: Request| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = to_bytes(body, 1 << 24).await.unwrap();
                let asked = Asked {
                    method: parts.method.to_string(),
                    path: decode(&parts.uri.to_string()),
                    headers: parts.headers,
                    body: serde_json::from_slice(&bytes).unwrap_or_default(),
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                };
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(asked.clone());
                    log.len() - 1
                };
                let (status, headers, body) = answer(&asked, before);
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(body)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.unwrap();
        });
        Self { url, asked, task }
    }

    /// Everything asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// `METHOD path` of everything asked so far.
    pub fn lines(&self) -> Vec<String> {
        self.asked()
            .iter()
            .map(|asked| format!("{} {}", asked.method, asked.path))
            .collect()
    }
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            let hex = std::str::from_utf8(&hex).unwrap();
            out.push(u8::from_str_radix(hex, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

/// A budget that never makes a test wait, save after a rate-limit answer.
pub(crate) fn lifted() -> Budget {
    budget(100_000, Duration::from_millis(100))
}

pub(crate) fn budget(requests: u32, per: Duration) -> Budget {
    Budget::new(
        "test",
        "test",
        Limit::new(requests, per),
        Duration::from_secs(1),
        Arc::new(MemoryLedger::default()),
        Arc::new(SystemClock),
    )
}

pub(crate) fn token() -> Arc<FixedToken> {
    Arc::new(FixedToken::new(TOKEN))
}

pub(crate) fn http() -> Arc<Http> {
    Arc::new(Http::new(Duration::from_millis(600)))
}
