//! What an operator is told: metrics, readiness, alerts, log lines, and how a worker ends.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "monitoring/alerts.rs"]
mod alerts;
#[path = "monitoring/ending.rs"]
mod ending;
#[path = "monitoring/exposition.rs"]
mod exposition;
#[path = "monitoring/metrics.rs"]
mod metrics;
mod support;

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{House, PETS, eventually, signal};

/// A worker in the background; ends with its test.
pub struct Worker {
    pub child: Child,
    pub address: String,
}

impl Worker {
    pub fn start(house: &House, name: &str) -> Self {
        Self::with(house, name, &[])
    }

    pub fn with(house: &House, name: &str, more: &[&str]) -> Self {
        let mut arguments = vec!["-v", "worker", "--metrics", "127.0.0.1:0"];
        arguments.extend(more);
        let child = house.start(name, &arguments);
        let mut address = String::new();
        eventually("the worker's start", || {
            let text = house.read(&format!("{name}.stderr"));
            let found = text
                .split_once("metrics at http://")
                .and_then(|(_, rest)| rest.split_once("/metrics"));
            address = found.map_or_else(String::new, |(address, _)| address.to_owned());
            !address.is_empty() && text.contains("worker started")
        });
        Self { child, address }
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(!head.contains("chunked"), "{head}");
        (status, body.to_owned())
    }

    pub fn scrape(&self) -> exposition::Exposition {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        exposition::Exposition::read(&text)
    }

    /// Ends it with SIGTERM; its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        signal(self.child.id(), "TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first records that can be synced.
pub fn good_records(house: &House, number: usize) -> Vec<String> {
    let mut addresses = std::collections::BTreeSet::new();
    let good = house.control.records(PETS).into_iter().filter(|record| {
        let email = record.properties.get("owner_email").and_then(Value::as_str);
        email.is_some_and(|email| email.ends_with(".com") && addresses.insert(email.to_lowercase()))
    });
    good.map(|record| record.id)
        .filter(|id| house.run(&["--json", "sync", "pets", id, "--dry-run"]).code == Some(0))
        .take(number)
        .collect()
}

/// Makes failed jobs of these records, and mends the records at once: a retry will succeed.
pub fn fail(house: &House, records: &[String]) {
    let mut emails = Vec::new();
    for id in records {
        let record = house.control.record(PETS, id).unwrap();
        emails.push(record.properties["owner_email"].clone());
        assert!(
            house
                .control
                .set_property(PETS, id, "owner_email", json!("no address"))
        );
    }
    let mut arguments = vec!["sync", "pets"];
    arguments.extend(records.iter().map(String::as_str));
    house.expect(3, &arguments);
    for (id, email) in records.iter().zip(emails) {
        assert!(house.control.set_property(PETS, id, "owner_email", email));
    }
}

pub fn retry(house: &House) {
    house.expect(0, &["queue", "retry", "--filter", "state:failed", "--yes"]);
}

/// Takes alerts, as Slack does: answers the first ones with these statuses, then 200.
pub struct Inbox {
    pub url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Inbox {
    pub fn open(path: &str, statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&bodies);
        // Ends with the test's process.
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for stream in listener.incoming() {
                let status = statuses.next().copied().unwrap_or(200);
                let Some(body) = answer(stream.unwrap(), status) else {
                    continue;
                };
                if status == 200 {
                    kept.lock().unwrap().push(body);
                }
            }
        });
        Self { url, bodies }
    }

    /// The texts that were taken.
    pub fn texts(&self) -> Vec<String> {
        let bodies = self.bodies.lock().unwrap();
        bodies
            .iter()
            .map(|body| {
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
                body["text"].as_str().unwrap().to_owned()
            })
            .collect()
    }
}

fn answer(mut stream: TcpStream, status: u16) -> Option<String> {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().ok())?
            })?;
            if body.len() >= length {
                write!(
                    stream,
                    "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                .ok()?;
                return Some(body.to_owned());
            }
        }
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
}
