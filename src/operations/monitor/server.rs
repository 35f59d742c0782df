//! The port for Prometheus and for whoever watches over the process. It reads, and answers nobody anything else.

use super::Operations;
use crate::model::{Finding, Level};
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpListener;

/// A store that does not answer within this time is not reachable.
const STORE_ANSWERS: Duration = Duration::from_secs(2);

/// Answers until it is dropped.
pub async fn serve(operations: Operations, listener: TcpListener) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(operations);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are not answered any more");
    }
}

async fn metrics(State(operations): State<Operations>) -> Response {
    match operations.exposition().await {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
    }
}

/// 200 if work can be done, else 503; the body says what stands in the way.
async fn ready(State(operations): State<Operations>) -> Response {
    let mut checks = vec![operations.store_finding().await];
    checks.extend(operations.inner.health.findings());
    // Before the first look at the accounts nothing is known of them.
    let ready = checks.len() > 1 && checks.iter().all(|check| check.level != Level::Error);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(json!({ "ready": ready, "checks": checks }))).into_response()
}

impl Operations {
    pub(super) async fn store_finding(&self) -> Finding {
        match tokio::time::timeout(STORE_ANSWERS, self.inner.store.ping()).await {
            Ok(Ok(())) => Finding::ok("store", "it answers"),
            Ok(Err(error)) => Finding::error("store", error.to_string()),
            Err(_) => Finding::error(
                "store",
                format!("no answer within {} s", STORE_ANSWERS.as_secs()),
            ),
        }
    }
}
