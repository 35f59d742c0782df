//! A worker that receives webhooks, and a hand that sends them: plain bytes over a plain connection.

use super::{House, eventually, signal};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;
use tramline::sandbox::Subscription;

/// A running `tramline worker`; killed when it is dropped.
pub struct Worker {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl House {
    /// Lets config.toml say where webhooks are received (on a free port) and whom to believe; `more` goes into the same table.
    pub fn receive_webhooks(&self, more: &str) {
        self.write("webhook.key", &self.control.webhook_key());
        let mut config = self.read("config.toml");
        config.push_str(&format!(
            "\n[webhooks]\nlisten = \"127.0.0.1:0\"\npublic_key = {{ file = \"webhook.key\" }}\n{more}\n"
        ));
        self.write("config.toml", &config);
    }

    /// Starts a worker and waits until it listens.
    pub fn worker(&self, name: &str) -> Worker {
        let mut child = self.start(name, &["worker"]);
        let mut address = None;
        eventually("a worker that listens", || {
            let told = self.read(&format!("{name}.stderr"));
            assert!(child.try_wait().unwrap().is_none(), "it ended: {told}");
            address = told.lines().find_map(|line| {
                let (_, address) = line.split_once("received at http://")?;
                Some(address.trim().to_owned())
            });
            address.is_some()
        });
        Worker {
            child,
            address: address.unwrap(),
        }
    }

    /// Lets the sandbox send its webhooks to a worker.
    pub fn subscribe(&self, worker: &Worker, change: impl FnOnce(&mut Subscription)) {
        let mut subscription =
            Subscription::to(format!("http://{}/webhooks/highlevel", worker.address));
        change(&mut subscription);
        assert!(self.control.subscribe(Some(subscription)));
    }

    /// Sends a webhook signed by the sandbox.
    pub fn announce(&self, worker: &Worker, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = self.control.sign(&body);
        worker.post(
            "/webhooks/highlevel",
            &[("X-GHL-Signature", &signature)],
            body.as_bytes(),
        )
    }

    /// The jobs in the queue.
    pub fn jobs(&self) -> Vec<Value> {
        self.expect(0, &["--json", "queue", "list"]).lines()
    }
}

impl Worker {
    /// Sends a body; the answer.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.connect(), path, headers, body)
    }

    /// A connection to the receiver.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    /// Ends the process at once, as a crash does.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        signal(self.child.id(), "KILL");
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// Sends a body over a connection; the answer.
pub fn send(mut stream: TcpStream, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever refuses a body need not read it to its end.
    let _ = stream.write_all(body);
    answer(stream)
}

/// Reads an answer to its end.
pub fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer ends it as well.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Answer {
        status,
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}
