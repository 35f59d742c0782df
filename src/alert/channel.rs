//! How people are told: a webhook that takes Slack-shaped JSON, or a program.

use crate::http::BaseUrl;
use crate::model::{ErrorClass, Problem};
use crate::secret::{self, SecretRef};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long a delivery may take.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Whom to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The address is a secret: whoever knows it can write there.
    Webhook(SecretRef),
    /// A program with its arguments, run without a shell.
    Command(Vec<String>),
}

/// One thing to tell; this is what a program gets on its standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    pub text: String,
    /// `failed`, `stalled`, `credential`, `export pets`, `test`.
    pub condition: String,
    /// Empty where it is about the whole store.
    pub connection: String,
    /// `firing` or `recovered`.
    pub state: &'static str,
    pub environment: String,
    pub at: Timestamp,
}

impl Channel {
    /// Tells of it, within [`PATIENCE`].
    ///
    /// # Errors
    /// What went wrong, and never the address.
    pub async fn send(&self, notice: &Notice, folder: &Path) -> Result<(), Problem> {
        match self {
            Self::Webhook(reference) => {
                let url = address(reference, folder).await?;
                post(&url, notice, PATIENCE).await
            }
            Self::Command(words) => run(words, notice, folder, PATIENCE).await,
        }
    }

    /// Looks whether it could be used, and sends nothing.
    ///
    /// # Errors
    /// The address cannot be read or is none, or the program is not there.
    pub async fn check(&self, folder: &Path) -> Result<String, Problem> {
        match self {
            Self::Webhook(reference) => {
                address(reference, folder).await?;
                Ok(format!("webhook from {reference}"))
            }
            Self::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                let found = find(program, folder).ok_or_else(|| {
                    problem(format!(
                        "the program {program} is not there, or may not be run"
                    ))
                    .remedy("give its full path in [alerts] command")
                })?;
                Ok(format!("command {}", found.display()))
            }
        }
    }
}

fn problem(message: impl Into<String>) -> Problem {
    Problem::new(ErrorClass::Config, message)
}

/// Reads the webhook's address: https, or http on loopback.
async fn address(reference: &SecretRef, folder: &Path) -> Result<SecretString, Problem> {
    let text = reference.read(folder).await?;
    let refuse = |what: &str| {
        problem(format!("{reference} {what}"))
            .remedy("let it give the webhook's whole address, with https://")
    };
    let url = reqwest::Url::parse(text.expose_secret()).map_err(|_| refuse("gives no URL"))?;
    // The path is the secret part and may be anything; the rest has to be as elsewhere.
    let origin = url.origin().ascii_serialization();
    if !url.username().is_empty() || url.password().is_some() || BaseUrl::parse(&origin).is_err() {
        return Err(refuse(
            "gives an address that is not used: it must begin with https:// (http:// on this machine only) and name no user",
        ));
    }
    Ok(text)
}

async fn post(url: &SecretString, notice: &Notice, patience: Duration) -> Result<(), Problem> {
    let failed = |what: String| {
        // Whatever wrote this text has no reason to name the address; if it did all the same, it is taken out.
        let what = secret::hide(&what).into_owned();
        Problem::new(
            ErrorClass::Transient,
            format!("the webhook was not told: {what}"),
        )
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tramline/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(patience);
    if url.expose_secret().starts_with("http://") {
        // Loopback: no proxy, and no trust anchors to load.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    let client = builder
        .build()
        .map_err(|error| failed(error.without_url().to_string()))?;
    let body = json!({ "text": slack(&notice.text) }).to_string();
    let answer = client
        .post(url.expose_secret())
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await
        .map_err(|error| failed(cause(&error.without_url())))?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(failed(format!(
            "it answers HTTP {}",
            answer.status().as_u16()
        )))
    }
}

/// The last cause of an error: the one that tells something.
fn cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => cause(source),
        None => error.to_string(),
    }
}

/// Slack gives meaning to these three characters (`<!channel>`); its documentation has them written so.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Runs a program with the notice as JSON on its standard input. One that takes too long is killed, with what it started.
async fn run(
    words: &[String],
    notice: &Notice,
    folder: &Path,
    patience: Duration,
) -> Result<(), Problem> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(problem("[alerts] command is empty"));
    };
    let failed = |what: String| {
        Problem::new(
            ErrorClass::Transient,
            format!("the command {program} {what}"),
        )
    };
    let mut input = serde_json::to_vec(notice).map_err(|error| failed(error.to_string()))?;
    input.push(b'\n');
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .current_dir(folder_of(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let group = child.id();
    let stdin = child.stdin.take();
    let talk = async {
        if let Some(mut stdin) = stdin {
            // A program that does not want to read is free not to.
            let _ = stdin.write_all(&input).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(patience, talk).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(format!("ended with {status}"))),
        Ok(Err(error)) => Err(failed(format!("cannot be waited for: {error}"))),
        Err(_) => {
            kill_group(group);
            let _ = child.wait().await;
            let seconds = patience.as_secs_f32();
            Err(failed(format!(
                "did not end within {seconds} s and was killed"
            )))
        }
    }
}

fn kill_group(leader: Option<u32>) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    if let Some(leader) = leader.and_then(|id| i32::try_from(id).ok()) {
        // It may have ended in this moment.
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    }
}

/// The folder of config.toml, from which a program with a relative path is meant.
fn folder_of(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// Where a program lies, if it may be run: as the system looks for it.
fn find(program: &str, folder: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &PathBuf| {
        std::fs::metadata(path)
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(folder_of(folder).join(program)).filter(runs);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            text: "pets <!channel> & more".into(),
            condition: "test".into(),
            connection: String::new(),
            state: "firing",
            environment: "sandbox".into(),
            at: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn slack_is_given_no_commands() {
        assert_eq!(slack("<!channel> & a>b"), "&lt;!channel&gt; &amp; a&gt;b");
    }

    #[tokio::test]
    async fn a_command_gets_json_and_no_shell() {
        let folder = tempfile::tempdir().unwrap();
        // With a shell the second word would make a file called pwned.
        let program = words(&["tee", "got $(touch pwned); touch pwned"]);
        run(&program, &notice(), folder.path(), PATIENCE)
            .await
            .unwrap();
        let names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, ["got $(touch pwned); touch pwned"]);
        let text = std::fs::read_to_string(folder.path().join(&names[0])).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["text"], "pets <!channel> & more");
        assert_eq!(json["state"], "firing");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let program = words(&["sh", "-c", "sleep 1000 & echo $! > child; wait"]);
        let error = run(
            &program,
            &notice(),
            folder.path(),
            Duration::from_millis(500),
        )
        .await
        .unwrap_err();
        assert!(error.message.contains("was killed"), "{error}");
        let child = std::fs::read_to_string(folder.path().join("child")).unwrap();
        let alive = || {
            std::fs::read_to_string(format!("/proc/{}/stat", child.trim()))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        for _ in 0..500 {
            if !alive() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("its child lives on");
    }

    #[tokio::test]
    async fn what_fails_is_said() {
        let folder = Path::new(".");
        let failing = run(&words(&["false"]), &notice(), folder, PATIENCE).await;
        assert!(failing.unwrap_err().message.contains("ended with"));
        let missing = Channel::Command(words(&["no-such-program"]));
        assert!(
            missing
                .check(folder)
                .await
                .unwrap_err()
                .message
                .contains("not there")
        );
        assert!(missing.send(&notice(), folder).await.is_err());
        assert!(Channel::Command(words(&["sh"])).check(folder).await.is_ok());
    }

    #[tokio::test]
    async fn an_address_is_checked_and_never_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let channel = Channel::Webhook(SecretRef::File("url".into()));
        for bad in [
            "http://hooks.example.org/canary",
            "https://user:canary@hooks.example.org/",
            "canary",
        ] {
            std::fs::write(folder.path().join("url"), bad).unwrap();
            let error = channel.check(folder.path()).await.unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        // Nobody listens there.
        std::fs::write(folder.path().join("url"), "http://127.0.0.1:9/canary?x=1").unwrap();
        assert!(
            !channel
                .check(folder.path())
                .await
                .unwrap()
                .contains("canary")
        );
        let error = channel.send(&notice(), folder.path()).await.unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
