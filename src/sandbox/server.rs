//! What every request goes through: log, limits, faults, then the routes of its API.

use super::Shared;
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
const LOGGED_BODY: usize = 2048;

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

    let route = format!("{} {}", call.method, call.path);
    let fault = shared.faults().strike(api, &route);
    let reply = match rate {
        Some(Err(wait)) => Ok(throttled(&shared, api, wait)),
        rate => answer(&shared, api, &call, fault.as_ref())
            .await
            .map(|reply| match rate {
                Some(Ok(left)) => rate_headers(&shared, api, left, reply),
                _ => reply,
            }),
    };
    let (status, violation, contacts) = match &reply {
        Ok(reply) => (reply.status, reply.violation.clone(), reply.contacts),
        Err(Cut) => (0, None, None),
    };
    let is_write =
        call.method != Method::GET && call.body.len() < LOGGED_BODY && !call.body.is_empty();
    let entry = Entry {
        seq,
        api: api.name(),
        method: call.method.to_string(),
        path: call.target,
        status,
        at,
        body: is_write.then(|| String::from_utf8_lossy(&call.body).into_owned()),
        contacts,
        violation,
        fault: fault.as_ref().map(|fault| fault.kind.name()),
    };
    shared.journal().add(api, entry);
    match reply {
        Ok(reply) => finish(&shared, reply, fault.map(|fault| fault.kind)),
        Err(Cut) => {
            scissors.cut();
            Response::new(Body::empty())
        }
    }
}

/// The connection is to be cut without an answer.
struct Cut;

async fn answer(
    shared: &Arc<Shared>,
    api: Api,
    call: &Call,
    fault: Option<&Fault>,
) -> Result<Reply, Cut> {
    let serve = |outcome| match api {
        Api::HighLevel => highlevel::route(shared, call),
        Api::ActiveCampaign => activecampaign::route(shared, call, outcome),
    };
    let Some(fault) = fault else {
        return Ok(serve(None));
    };
    Ok(match fault.kind {
        Kind::Status(status) => status_fault(api, status, fault.retry_after),
        Kind::Html => Reply::html(200),
        Kind::Empty200 => Reply::text(200, ""),
        Kind::Reset => return Err(Cut),
        Kind::Stall => {
            shared.stop.cancelled().await;
            return Err(Cut);
        }
        Kind::Slow => {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(fault.ms.unwrap_or(1000))) => serve(None),
                () = shared.stop.cancelled() => return Err(Cut),
            }
        }
        Kind::LostAck => {
            // The write is done; only its answer is lost.
            let _ = serve(None);
            return Err(Cut);
        }
        Kind::TruncatedJson | Kind::HalfBody | Kind::StallBody => serve(None),
        Kind::ImportLimit => activecampaign::import_rate_limit(100),
        Kind::ImportFailed | Kind::ImportInterrupted => serve(Some(fault.kind)),
    })
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
