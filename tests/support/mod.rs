//! What every end-to-end test stands on: a sandbox inside the test process, the real binary against it, and what the
//! contacts should look like, worked out from the sandbox's records without any of the product's own code.

#![allow(
    dead_code,
    reason = "each test file uses its own part of the shared house"
)]

pub mod expectation;
pub mod redact;
pub mod worker;

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tramline::sandbox::{
    ACTIVECAMPAIGN_TOKEN, Control, Entry, HIGHLEVEL_TOKEN, Options, Quirks, Sandbox,
};

pub const PETS: &str = "custom_objects.pets";
pub const VISITS: &str = "custom_objects.visits";

/// Longer than any command of a test takes; one that hangs is killed and fails its test.
const PATIENCE: Duration = Duration::from_secs(100);

/// A sandbox with a folder beside it: config.toml, token files, store, log.
pub struct House {
    pub control: Control,
    pub folder: tempfile::TempDir,
    pub highlevel_url: String,
    pub activecampaign_url: String,
    sandbox: Option<Sandbox>,
    runtime: tokio::runtime::Runtime,
}

/// How a command ended.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Rate limits are off and imports are quick: what most tests want.
pub fn options(records: usize) -> Options {
    Options {
        records,
        limits: false,
        import_delay: Duration::from_millis(20),
        ..Options::default()
    }
}

impl House {
    /// A house whose sandbox stands under a second connection as well, with a mapping `others` of its own.
    pub fn with_two_connections(records: usize) -> Self {
        let house = Self::new(records);
        let config = house.read("config.toml");
        let table = |name: &str| {
            let start = config.find(&format!("[{name}]")).unwrap();
            let rest = &config[start..];
            let end = rest[1..].find("\n[").map_or(rest.len(), |at| at + 1);
            rest[..end].replace(
                &format!("[{name}]"),
                &format!("[connections.second.{name}]"),
            )
        };
        let (highlevel, activecampaign) = (table("highlevel"), table("activecampaign"));
        house.write(
            "config.toml",
            &format!(
                "{config}\n{highlevel}\n{activecampaign}\n[mappings.others]\nconnection = \"second\"\nobject = \"{PETS}\"\n\
                 email = \"owner_email\"\n[mappings.others.fields]\nfirst_name = \"owner_first_name\"\n"
            ),
        );
        house
    }

    /// A sandbox without limits.
    pub fn new(records: usize) -> Self {
        Self::with(options(records))
    }

    /// A sandbox without limits that plays other sides of the open questions.
    pub fn quirky(records: usize, change: impl FnOnce(&mut Quirks)) -> Self {
        let mut options = options(records);
        change(&mut options.quirks);
        Self::with(options)
    }

    pub fn with(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let limits = options.limits;
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let house = Self {
            control: sandbox.control(),
            highlevel_url: sandbox.highlevel_url.clone(),
            activecampaign_url: sandbox.activecampaign_url.clone(),
            folder,
            sandbox: Some(sandbox),
            runtime,
        };
        house.write("highlevel.token", HIGHLEVEL_TOKEN);
        house.write("activecampaign.token", ACTIVECAMPAIGN_TOKEN);
        let mut config = house.sandbox.as_ref().unwrap().config_toml(
            Path::new("highlevel.token"),
            Path::new("activecampaign.token"),
        );
        if !limits {
            // The default rates are the real accounts'; without limits a test need not wait for them.
            config = config.replace(
                "[activecampaign]",
                "rate = { requests = 100000, per = \"1s\" }\n\n[activecampaign]\n\
                 rate = { requests = 100000, per = \"1s\" }\nimport_rate = { requests = 100000, per = \"1s\" }",
            );
        }
        config.push_str("\n[store]\nurl = \"sqlite:tramline.db\"\n");
        house.write("config.toml", &config);
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Changes config.toml; what is to be replaced must be there.
    pub fn edit_config(&self, from: &str, to: &str) {
        let config = self.read("config.toml");
        assert!(
            config.contains(from),
            "config.toml has no {from:?}:\n{config}"
        );
        self.write("config.toml", &config.replacen(from, to, 1));
    }

    /// The binary with this house's configuration, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tramline(self.folder.path());
        command
            .arg("--config")
            .arg(self.path("config.toml"))
            .args(arguments);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments), None)
    }

    /// Runs a command with this text on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        finish(self.command(arguments), Some(input))
    }

    /// Runs a command that must end with this code.
    pub fn expect(&self, code: i32, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "tramline {arguments:?}\n{ran:#?}");
        ran
    }

    /// Starts a command in the background; its output goes to files in the folder.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Child {
        let file =
            |suffix: &str| std::fs::File::create(self.path(&format!("{name}.{suffix}"))).unwrap();
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap()
    }

    /// Exports pets with these further arguments; the summary and how the command ended.
    pub fn export(&self, arguments: &[&str]) -> (Value, Ran) {
        let mut all = vec!["--json", "export", "pets"];
        all.extend(arguments);
        let ran = self.run(&all);
        (ran.summary(), ran)
    }

    /// Requests that write to ActiveCampaign since `seq`.
    pub fn writes_since(&self, seq: u64) -> Vec<Entry> {
        self.control
            .log_since(seq)
            .into_iter()
            .filter(|entry| entry.api == "activecampaign" && entry.method != "GET")
            .collect()
    }

    /// Number of the last request.
    pub fn now(&self) -> u64 {
        self.control.log().last().map_or(0, |entry| entry.seq)
    }

    /// No request was malformed or came too early.
    pub fn assert_no_violation(&self) {
        let bad: Vec<_> = self
            .control
            .log()
            .into_iter()
            .filter(|entry| entry.violation.is_some())
            .map(|entry| format!("{} {} {:?}", entry.method, entry.path, entry.violation))
            .collect();
        assert!(bad.is_empty(), "violations: {bad:#?}");
    }

    /// Changes the store behind the product's back.
    pub fn sql(&self, statements: &str) {
        self.runtime.block_on(async {
            let mut store = self.open().await;
            sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
                .execute(&mut store)
                .await
                .unwrap();
            sqlx::Connection::close(store).await.unwrap();
        });
    }

    /// The number that a query of the store tells, past the product.
    pub fn number(&self, query: &str) -> i64 {
        self.runtime.block_on(async {
            let mut store = self.open().await;
            let number = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
                .fetch_one(&mut store)
                .await
                .unwrap();
            sqlx::Connection::close(store).await.unwrap();
            number
        })
    }

    async fn open(&self) -> sqlx::SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.path("tramline.db"))
            .busy_timeout(Duration::from_secs(30));
        sqlx::ConnectOptions::connect(&options).await.unwrap()
    }

    /// What a process has for a while without a word from it, it has no longer: as if half a minute had gone by.
    pub fn end_leases(&self) {
        self.sql(
            "UPDATE jobs SET lease_until = 1 WHERE state = 'running'; UPDATE flights SET owner_until = 1",
        );
    }

    /// Requests whose `METHOD path` contains a text.
    pub fn requests(&self, route: &str) -> Vec<Entry> {
        self.control
            .log()
            .into_iter()
            .filter(|entry| format!("{} {}", entry.method, entry.path).contains(route))
            .collect()
    }

    /// Stops both APIs: nobody listens there any more.
    pub fn close_sandbox(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.runtime.block_on(sandbox.stop());
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = std::fs::read_to_string(self.path("tramline.log"))
        {
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the log's last lines");
            for line in lines.iter().skip(lines.len().saturating_sub(15)) {
                eprintln!("{}", line.chars().take(600).collect::<String>());
            }
        }
        self.close_sandbox();
    }
}

/// Runs stories that mostly wait, ten at a time.
pub fn side_by_side<T: Send>(stories: impl IntoIterator<Item = T>, run: impl Fn(T) + Sync) {
    let stories: Vec<T> = stories.into_iter().collect();
    let lanes = stories.len().min(10);
    let stories = std::sync::Mutex::new(stories.into_iter());
    let next = || stories.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while let Some(story) = next() {
                    run(story);
                }
            });
        }
    });
}

/// The binary with nothing of this machine's environment that could matter to it; home is `folder`.
pub fn tramline(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tramline"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("TZ", "UTC")
        .current_dir(folder);
    command
}

/// Runs a command to its end, kills it when it hangs.
pub fn finish(mut command: Command, input: Option<&str>) -> Ran {
    let mut child = command
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes()).unwrap();
    }
    let id = child.id();
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let mut patience = Patience::new(PATIENCE);
        while watch.recv_timeout(Duration::from_millis(500))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            if patience.is_over() {
                signal(id, "KILL");
                return;
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    Ran::from(output)
}

/// Sends a signal to a process that the test started.
pub fn signal(id: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), id.to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let _ = status;
}

/// Stops a process until `CONT`, at a moment when it does not hold the store's lock: others are to go on.
pub fn freeze(house: &House, id: u32) {
    for _ in 0..10 {
        signal(id, "STOP");
        // Opening the store takes the lock.
        if house.run(&["queue", "list", "--limit", "1"]).code == Some(0) {
            return;
        }
        signal(id, "CONT");
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("process {id} holds the store's lock whenever it is stopped");
}

/// How long a test still waits. Only time in which it could look counts: who was stopped meanwhile, as all that runs on a
/// busy machine may be, was not kept waiting.
pub struct Patience {
    left: Duration,
    looked: Instant,
}

impl Patience {
    /// The most that one look may take away.
    const STEP: Duration = Duration::from_secs(2);

    pub fn new(left: Duration) -> Self {
        Self {
            left,
            looked: Instant::now(),
        }
    }

    /// True once it has come to its end; to be asked again and again.
    pub fn is_over(&mut self) -> bool {
        let passed = self.looked.elapsed().min(Self::STEP);
        self.looked = Instant::now();
        self.left = self.left.saturating_sub(passed);
        self.left.is_zero()
    }
}

/// Waits until something holds; fails when it does not within `PATIENCE`.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut patience = Patience::new(PATIENCE);
    while !holds() {
        assert!(!patience.is_over(), "{what} did not come to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The ends of both texts: a failed test is to be read.
impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |text: &str| {
            let skip = text.chars().count().saturating_sub(1_500);
            text.chars().skip(skip).collect::<String>()
        };
        write!(
            f,
            "code {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            end(&self.stdout),
            end(&self.stderr)
        )
    }
}

impl Ran {
    /// The last line of stdout as JSON.
    pub fn summary(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no summary ({error}): {self:#?}"))
    }

    /// The whole of stdout as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON document ({error}): {self:#?}"))
    }

    /// Stdout as JSON lines.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

/// A count of the summary.
pub fn count(summary: &Value, key: &str) -> u64 {
    summary[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no {key} in {summary}"))
}

/// A whole export of pets ends as the mapping says, whatever stands in its way. The summary.
pub fn assert_export(house: &House, what: &str) -> Value {
    let before = expectation::contacts(&house.control);
    let expected = expectation::pets(&house.control, &before);
    let (summary, ran) = house.export(&[]);
    assert_eq!(ran.code, Some(3), "{what}: {ran:#?}");
    assert_outcome(house, &summary, &expected, what);
    summary
}

/// The summary and the contacts are as expected.
pub fn assert_outcome(
    house: &House,
    summary: &Value,
    expected: &expectation::Expected,
    what: &str,
) {
    assert_eq!(summary["state"], "completed", "{what}: {summary}");
    let counts = ["synced", "superseded", "skipped", "failed"].map(|key| count(summary, key));
    let wanted = [
        expected.winners,
        expected.superseded,
        expected.skipped,
        expected.failed,
    ];
    assert_eq!(counts, wanted, "{what}: {summary}");
    let found = expectation::contacts(&house.control);
    for (email, person) in &expected.contacts {
        assert_eq!(found.get(email), Some(person), "{what}: contact {email}");
    }
    assert_eq!(found.len(), expected.contacts.len(), "{what}");
}
