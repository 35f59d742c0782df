//! What every request goes through: log, limits, faults, then the routes of its API.

use super::Shared;
use super::chance;
use super::control_http;
use super::faults::{Fault, Kind};
use super::journal::Entry;
use super::limits::{self, retry_after_seconds};
use super::listener::Scissors;
use super::wire::{Api, Call, Reply};
use super::{activecampaign, highlevel};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use futures_util::stream;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the handler of one port needs.
#[derive(Clone)]
pub(super) struct Port {
    pub api: Api,
    pub shared: Arc<Shared>,
}

const MAX_BODY: usize = 32 * 1024 * 1024;

pub(super) async fn handle(
    State(port): State<Port>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let arrived = Instant::now();
    let at = jiff::Timestamp::now().as_microsecond();
    let Port { api, shared } = port;
    // The place in the log and in the rate window is that of arrival, before the body is read.
    let control = request.uri().path().starts_with("/_sandbox/");
    let seq = if control { 0 } else { shared.journal().next() };
    let rate = if control {
        None
    } else {
        Some(admit(&shared, api, arrived))
    };

    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return response(Reply::message(413, "Payload Too Large"));
    };
    let call = Call::new(parts.method, &parts.uri, parts.headers, body);
    if control {
        return response(control_http::route(&shared, &call));
    }
    // A client that gives up does not take its request back: the work goes on in a task of its own.
    let work = tokio::spawn(respond(shared, api, call, rate, seq, at));
    match work.await {
        Ok(Ok(response)) => response,
        Ok(Err(Cut)) | Err(_) => {
            scissors.cut();
            Response::new(Body::empty())
        }
    }
}

/// The connection is to be cut without an answer.
struct Cut;

async fn respond(
    shared: Arc<Shared>,
    api: Api,
    call: Call,
    rate: Option<Result<Left, Duration>>,
    seq: u64,
    at: i64,
) -> Result<Response, Cut> {
    let route = format!("{} {}", call.method, call.path);
    let fault = shared.faults().strike(api, &route);
    let kind = fault.as_ref().map(|fault| fault.kind);
    let reply = match rate {
        Some(Err(wait)) => throttled(&shared, api, wait),
        rate => {
            let reply = answer(&shared, api, &call, fault.as_ref()).await;
            match rate {
                Some(Ok(left)) => rate_headers(&shared, api, left, reply),
                _ => reply,
            }
        }
    };
    let is_cut = matches!(kind, Some(Kind::Reset | Kind::Stall | Kind::LostAck))
        && reply.violation.as_deref() != Some("rate");
    let is_write = call.method != Method::GET
        && call.body.len() < shared.options.logged_body
        && !call.body.is_empty();
    let entry = Entry {
        seq,
        api: api.name(),
        method: call.method.to_string(),
        path: call.target,
        status: if is_cut { 0 } else { reply.status },
        at,
        body: is_write.then(|| String::from_utf8_lossy(&call.body).into_owned()),
        contacts: reply.contacts,
        violation: reply.violation.clone(),
        fault: kind.map(Kind::name),
    };
    shared.journal().add(api, entry);
    if is_cut {
        if kind == Some(Kind::Stall) {
            shared.stop.cancelled().await;
        }
        return Err(Cut);
    }
    Ok(finish(&shared, reply, kind))
}

async fn answer(shared: &Shared, api: Api, call: &Call, fault: Option<&Fault>) -> Reply {
    let serve = |outcome| match api {
        Api::HighLevel => highlevel::route(shared, call),
        Api::ActiveCampaign => {
            activecampaign::route(shared, call, outcome).with_header("x-request-id", chance::uuid())
        }
    };
    let Some(fault) = fault else {
        return serve(None);
    };
    let pause = || async {
        let time = Duration::from_millis(fault.ms.unwrap_or(1000));
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = shared.stop.cancelled() => {}
        }
    };
    match fault.kind {
        Kind::Status(status) => status_fault(api, status, fault.retry_after),
        Kind::Html(status) => Reply::html(status),
        Kind::Empty200 | Kind::Reset | Kind::Stall => Reply::text(200, ""),
        Kind::Slow => {
            pause().await;
            serve(None)
        }
        Kind::LateAnswer => {
            let answer = serve(None);
            pause().await;
            answer
        }
        Kind::LostAck | Kind::TruncatedJson | Kind::HalfBody | Kind::StallBody => serve(None),
        Kind::ImportLimit => activecampaign::import_rate_limit(100),
        Kind::ImportFailed | Kind::ImportInterrupted => serve(Some(fault.kind)),
    }
}

fn status_fault(api: Api, status: u16, retry_after: Option<u64>) -> Reply {
    let reply = match (api, status) {
        (_, 502 | 504 | 511 | 520..=530) => Reply::html(status),
        (Api::HighLevel, _) => highlevel::errors::plain(status, "Simulated failure"),
        (Api::ActiveCampaign, 403) => Reply::message(403, "Forbidden"),
        (Api::ActiveCampaign, 429) => Reply::empty(429),
        (Api::ActiveCampaign, _) => Reply::message(status, "Simulated failure"),
    };
    match retry_after {
        Some(seconds) => reply.with_header("Retry-After", seconds),
        None => reply,
    }
}

/// What is left of the budgets after a request.
struct Left {
    window: usize,
    today: u64,
}

fn admit(shared: &Shared, api: Api, now: Instant) -> Result<Left, Duration> {
    if !shared.options.limits {
        let window = match api {
            Api::HighLevel => limits::HIGHLEVEL_MAX,
            Api::ActiveCampaign => limits::ACTIVECAMPAIGN_MAX,
        };
        return Ok(Left {
            window,
            today: limits::HIGHLEVEL_DAILY,
        });
    }
    let mut limits = shared.limits();
    match api {
        Api::HighLevel => {
            if limits.highlevel_left_today == 0 {
                return Err(Duration::from_secs(3600));
            }
            let window = limits.highlevel.admit(now)?;
            limits.highlevel_left_today -= 1;
            Ok(Left {
                window,
                today: limits.highlevel_left_today,
            })
        }
        Api::ActiveCampaign => {
            let window = limits.activecampaign.admit(now)?;
            Ok(Left { window, today: 0 })
        }
    }
}

fn rate_headers(shared: &Shared, api: Api, left: Left, reply: Reply) -> Reply {
    // Without limits the true headers would only teach a client to slow down.
    if !shared.options.quirks.rate_headers || !shared.options.limits {
        return reply;
    }
    match api {
        Api::HighLevel => reply
            .with_header("X-RateLimit-Limit-Daily", limits::HIGHLEVEL_DAILY)
            .with_header("X-RateLimit-Daily-Remaining", left.today)
            .with_header(
                "X-RateLimit-Interval-Milliseconds",
                limits::HIGHLEVEL_INTERVAL.as_millis(),
            )
            .with_header("X-RateLimit-Max", limits::HIGHLEVEL_MAX)
            .with_header("X-RateLimit-Remaining", left.window),
        Api::ActiveCampaign => reply
            .with_header("RateLimit-Limit", limits::ACTIVECAMPAIGN_MAX)
            .with_header("RateLimit-Remaining", left.window),
    }
}

fn throttled(shared: &Shared, api: Api, wait: Duration) -> Reply {
    let quirks = &shared.options.quirks;
    let mut reply = match api {
        Api::HighLevel => highlevel::errors::plain(429, "Too Many Requests"),
        Api::ActiveCampaign => Reply::empty(quirks.throttle_status),
    };
    if quirks.retry_after && reply.status == 429 {
        reply = reply.with_header("Retry-After", retry_after_seconds(wait));
    }
    let today = shared.limits().highlevel_left_today;
    rate_headers(shared, api, Left { window: 0, today }, reply).violating("rate")
}

fn finish(shared: &Arc<Shared>, mut reply: Reply, fault: Option<Kind>) -> Response {
    match fault {
        Some(Kind::TruncatedJson) => {
            reply.body = reply.body.slice(..reply.body.len() / 2);
            response(reply)
        }
        Some(Kind::HalfBody) => partial(reply, Duration::from_millis(20), None),
        Some(Kind::StallBody) => partial(reply, Duration::MAX, Some(Arc::clone(shared))),
        _ => response(reply),
    }
}

/// Announces the whole body, sends half of it, and breaks off after `pause` or when the sandbox stops.
fn partial(mut reply: Reply, pause: Duration, until_stop: Option<Arc<Shared>>) -> Response {
    let whole = std::mem::take(&mut reply.body);
    let half = whole.slice(..whole.len() / 2);
    let mut response = response(reply);
    let headers = response.headers_mut();
    headers.insert("content-length", HeaderValue::from(whole.len()));
    *response.body_mut() = Body::from_stream(stream::unfold(Some(half), move |rest| {
        let until_stop = until_stop.clone();
        async move {
            match rest {
                Some(half) => Some((Ok::<Bytes, io::Error>(half), None)),
                None => {
                    // The first half must leave before the connection does.
                    match until_stop {
                        Some(shared) => shared.stop.cancelled().await,
                        None => tokio::time::sleep(pause).await,
                    }
                    Some((Err(io::ErrorKind::ConnectionReset.into()), None))
                }
            }
        }
    }));
    response
}

fn response(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = axum::http::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(reply.content_type));
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (
            axum::http::HeaderName::try_from(name),
            HeaderValue::from_str(&value),
        ) {
            headers.insert(name, value);
        }
    }
    response
}
