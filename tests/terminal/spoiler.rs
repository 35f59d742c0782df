//! A proxy between the program and the sandbox that spoils every name that either account has: both APIs answer as they
//! did, and whatever a person could have named there carries what would act on a terminal.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How long a spoiled name is at least.
const LENGTH: usize = 4 * 1024;

/// A name that writes the clipboard and the title, clears the screen, turns the direction of text and has lines of its
/// own; `mark` stands where it is cut last.
pub fn spoiled(mark: &str, name: &str) -> String {
    let mut text = format!(
        "\u{1b}{mark}.{name}\u{1b}]52;c;c3RvbGVu\u{7}\u{1b}]0;owned\u{1b}\\\u{9b}2J\u{1b}[2J\u{1b}[?1049l\u{202e}\u{2066}\
         \u{200b}\0\u{8}\r\nnext\u{2028}\u{7f}"
    );
    while text.len() < LENGTH {
        text.push_str(" and \u{1b}[31mon");
    }
    text
}

/// The visible beginning of a spoiled name.
pub fn seen(mark: &str) -> String {
    format!("␛{mark}.")
}

/// The proxy before one API; it ends with the value.
pub struct Spoiler {
    pub url: String,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Way {
    target: String,
    client: reqwest::Client,
}

impl Spoiler {
    /// Starts on loopback before this address.
    pub fn before(target: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = Way {
            target: target.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let router = Router::new().fallback(pass).with_state(way);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            _runtime: runtime,
        }
    }
}

/// Passes a request on, and its answer back with other names in it.
async fn pass(State(way): State<Way>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap().as_str();
    let mut headers = head.headers.clone();
    for own in ["host", "content-length", "accept-encoding"] {
        headers.remove(own);
    }
    let asked = way
        .client
        .request(head.method.clone(), format!("{}{path}", way.target))
        .headers(headers)
        .body(to_bytes(body, usize::MAX).await.unwrap());
    let answer = asked.send().await.unwrap();
    let status = answer.status();
    let mut response = Response::builder().status(status);
    for (name, value) in answer.headers() {
        if name != "content-length" && name != "transfer-encoding" {
            response = response.header(name, value);
        }
    }
    let text = answer.bytes().await.unwrap();
    response
        .body(Body::from(spoil(head.uri.path(), status, text)))
        .unwrap()
}

fn spoil(path: &str, status: StatusCode, text: Bytes) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Value>(&text) else {
        return text;
    };
    let refused = status.is_client_error();
    rename(&mut answer, "", &|key, name| {
        let mark = match refused {
            true => matches!(key, "message" | "title" | "detail" | "error").then_some("refused"),
            false => mark(path, key),
        };
        Some(spoiled(mark?, name))
    });
    if path.ends_with("/api/3/fields") {
        // A personalisation tag is nothing that ActiveCampaign lets a person write freely; a screen must not count on it.
        let mut more = answer["fields"][0].clone();
        more["id"] = "9999".into();
        more["perstag"] = spoiled("PERSTAG", "").into();
        more["options"] = Value::Array(Vec::new());
        answer["fields"].as_array_mut().unwrap().push(more);
        let total = answer["fields"].as_array().unwrap().len();
        if answer["meta"]["total"].is_string() {
            answer["meta"]["total"] = total.to_string().into();
        }
    }
    answer.to_string().into()
}

/// What kind of name a key of an answer is; `None` for what is none.
fn mark(path: &str, key: &str) -> Option<&'static str> {
    let at = |part: &str| path.contains(part);
    match key {
        "singular" | "plural" => Some("object"),
        "tag" if at("/tags") => Some("tag"),
        "title" if at("/fields") => Some("title"),
        "name" if at("/lists") => Some("list"),
        "name" if at("/automations") => Some("automation"),
        "name" if at("/scores") => Some("score"),
        "name" if at("/audiences") || at("/segments") => Some("segment"),
        "name" if at("/eventTracking") => Some("event"),
        "name" if at("/objects/") && !at("/records") => Some("field"),
        "label" => Some("option"),
        "name" | "firstName" | "first_name" if at("/contacts") => Some("person"),
        _ => None,
    }
}

fn rename(value: &mut Value, key: &str, name: &dyn Fn(&str, &str) -> Option<String>) {
    match value {
        // Some keys have an id in one place and a name in another.
        Value::String(text) if !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            if let Some(other) = name(key, text) {
                *text = other;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, key, name)),
        Value::Object(members) => {
            for (key, value) in members {
                rename(value, key, name);
            }
        }
        _ => {}
    }
}
