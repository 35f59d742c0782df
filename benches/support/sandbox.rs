//! A sandbox in a process of its own, with a configuration that points at it.

use super::room::Room;
use portable_pty::CommandBuilder;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_tramline");

/// A rate that never makes anybody wait.
pub const LIFTED: &str = "{ requests = 100000, per = \"1s\" }";

/// A sandbox that ends when this is dropped.
pub struct Sandbox {
    pub child: Child,
    highlevel: String,
    folder: tempfile::TempDir,
    tokens: Vec<(String, String)>,
}

impl Sandbox {
    /// Starts one with so many pets. Without `limits` neither side waits for a rate.
    pub fn start(records: usize, limits: bool, import_delay_ms: u32) -> Self {
        let mut command = Command::new(BINARY);
        command
            .args(["sandbox", "--highlevel", "127.0.0.1:0"])
            .args(["--activecampaign", "127.0.0.1:0"])
            .args(["--records", &records.to_string()])
            .args(["--import-delay", &import_delay_ms.to_string()])
            .stdout(Stdio::piped());
        if !limits {
            command.arg("--no-limits");
        }
        let mut child = command.spawn().expect("the sandbox starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (mut config, mut tokens, mut highlevel) = (String::new(), Vec::new(), String::new());
        // One configuration, with tokens and addresses in its comments.
        for line in out.lines().map_while(Result::ok) {
            let comment = line.strip_prefix("# ").unwrap_or_default();
            if let Some((name, value)) = comment
                .strip_prefix("export ")
                .and_then(|assignment| assignment.split_once('='))
            {
                tokens.push((name.to_owned(), value.to_owned()));
            } else if let Some(url) = comment.strip_prefix("HighLevel ") {
                highlevel = url.trim().to_owned();
            }
            config.push_str(&line);
            config.push('\n');
            if !limits && line.starts_with("base_url = ") {
                config.push_str(&format!("rate = {LIFTED}\n"));
            } else if !limits && line.starts_with("url = \"http") {
                config.push_str(&format!("rate = {LIFTED}\nimport_rate = {LIFTED}\n"));
            }
            // The last line, by the mapping that the sandbox offers.
            if line.starts_with("\"%CLINIC%\"") {
                break;
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config.toml"), config).expect("written");
        Self {
            child,
            highlevel,
            folder,
            tokens,
        }
    }

    /// The release binary, configured for this sandbox, with a home of its own.
    pub fn tramline(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .arg("--config")
            .arg(self.config())
            .args(arguments)
            .env("XDG_STATE_HOME", self.folder.path())
            .envs(self.tokens.iter().cloned());
        command
    }

    /// The control room of the release binary, configured for this sandbox, with further arguments.
    pub fn room(&self, size: (u16, u16), arguments: &[&str]) -> Room {
        let mut command = CommandBuilder::new(BINARY);
        command.arg("--config");
        command.arg(self.config());
        command.arg("tui");
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("HOME", self.folder.path());
        command.env("XDG_STATE_HOME", self.folder.path());
        for (name, value) in &self.tokens {
            command.env(name, value);
        }
        Room::start(command, size)
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// The address of HighLevel.
    pub fn highlevel(&self) -> &str {
        &self.highlevel
    }

    pub fn token(&self, name: &str) -> &str {
        let token = self.tokens.iter().find(|(known, _)| known == name);
        token.map_or("", |(_, value)| value)
    }

    /// Every request since the log was cleared.
    pub async fn log(&self, http: &reqwest::Client) -> Vec<Value> {
        let url = format!("{}/_sandbox/log", self.highlevel);
        let answer = http.get(url).send().await.expect("the log");
        let body = answer.bytes().await.expect("the log");
        serde_json::from_slice(&body).expect("the log is JSON")
    }

    /// Forgets the log.
    pub async fn clear_log(&self, http: &reqwest::Client) {
        let url = format!("{}/_sandbox/log", self.highlevel);
        http.delete(url).send().await.expect("cleared");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
