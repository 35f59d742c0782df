//! The screen: how soon it is there, what it costs while nothing happens, what a frame and a step cost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to tell"
)]

mod support;

#[allow(dead_code)]
#[path = "../tests/screens/driver.rs"]
mod driver;
#[allow(dead_code)]
#[path = "../tests/screens/world.rs"]
mod world;

use crossterm::event::KeyCode;
use driver::Driver;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use sqlx::{ConnectOptions, Connection};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::process::cpu_of_id;
use support::{Against, figure, left_out, percentile};
use tramline::store::{Store, SystemClock};
use tramline::tui::painter::Painter;
use world::Mood;

const BINARY: &str = env!("CARGO_BIN_EXE_tramline");
const JOBS: u32 = 500_000;
const SCREENS: [&str; 6] = [
    "Schemas", "Records", "Mappings", "Queue", "Exports", "Activity",
];

fn main() {
    if !left_out("frame") {
        frames();
        steps();
    }
    if !left_out("process") {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        runtime.block_on(prepare(folder.path()));
        starts(folder.path());
        idle(folder.path());
    }
}

/// The screen's number as a key.
fn view(mood: Mood, screen: usize) -> Driver {
    let mut driver = Driver::new(mood).start();
    driver.frame(200, 60);
    driver.keys(&(screen + 1).to_string());
    driver.wait(200);
    driver
}

/// Update, view and diff of one step through a list of a million rows.
fn frames() {
    for screen in [1, 3] {
        let mut driver = view(Mood::Million, screen);
        let mut painter = Painter::new(std::io::sink());
        let size = Size::new(200, 60);
        painter
            .draw(size, |buf| driver.app.view(buf))
            .expect("drawn");
        let (mut made, mut drawn) = (Vec::new(), Vec::new());
        for step in 0..5_000 {
            // Page by page, so that every frame differs in every row.
            driver.press(if step % 200 < 199 {
                KeyCode::PageDown
            } else {
                KeyCode::Home
            });
            let start = Instant::now();
            let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 60));
            driver.app.view(&mut buffer);
            made.push(start.elapsed().as_secs_f64() * 1000.0);
            let start = Instant::now();
            painter
                .draw(size, |buf| driver.app.view(buf))
                .expect("drawn");
            drawn.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        let name = SCREENS[screen];
        figure(
            &format!("frame of {name}, 1,000,000 rows, 200x60, made: p99"),
            percentile(&mut made, 0.99),
            "ms",
            Against::Nothing,
            "",
        );
        figure(
            &format!("frame of {name}, 1,000,000 rows, 200x60, drawn: p99"),
            percentile(&mut drawn, 0.99),
            "ms",
            Against::Most(2.0),
            "the whole frame, made, compared and written",
        );
    }
}

#[derive(Clone, Default)]
struct Counted(Arc<Mutex<usize>>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        *self.0.lock().expect("no other thread") += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Bytes of one step of the selection.
fn steps() {
    for (screen, name) in SCREENS.iter().enumerate() {
        let mut driver = view(Mood::Million, screen);
        let written = Counted::default();
        let mut painter = Painter::new(written.clone());
        let size = Size::new(120, 40);
        let mut draw = |driver: &Driver| {
            painter
                .draw(size, |buf| driver.app.view(buf))
                .expect("drawn");
            std::mem::take(&mut *written.0.lock().expect("no other thread"))
        };
        draw(&driver);
        let most = [KeyCode::Down, KeyCode::Down, KeyCode::Up]
            .map(|code| {
                driver.press(code);
                draw(&driver)
            })
            .into_iter()
            .max();
        figure(
            &format!("selection moves a row in {name} at 120x40"),
            most.unwrap_or(0) as f64,
            "bytes",
            Against::Most(300.0),
            "the costliest of three steps",
        );
    }
}

/// A configuration whose APIs nobody answers for, with a store full of jobs.
async fn prepare(folder: &Path) {
    let config = "[highlevel]\nbase_url = \"http://127.0.0.1:9\"\nlocation_id = \"bench\"\n\
                  token = { file = \"token\" }\n\n\
                  [activecampaign]\nurl = \"http://127.0.0.1:9\"\ntoken = { file = \"token\" }\n\n\
                  [mappings.pets]\nobject = \"custom_objects.pets\"\nemail = \"owner_email\"\n\n\
                  [mappings.pets.fields]\nfirst_name = \"owner_first_name\"\n\n\
                  [store]\nurl = \"sqlite:tramline.db\"\n";
    std::fs::write(folder.join("config.toml"), config).expect("written");
    std::fs::write(folder.join("token"), "bench").expect("written");
    let path = folder.join("tramline.db");
    let store = Store::open(&path, Arc::new(SystemClock))
        .await
        .expect("a store");
    store.close().await.expect("closed");
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .pragma("synchronous", "OFF")
        .disable_statement_logging()
        .connect()
        .await
        .expect("a connection");
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         INSERT INTO jobs (id, connection, mapping, object, record_id, contact_id, email, state, trigger_kind, priority,
             attempts, error_class, error_message, error_group, search_ids, search_error, created_at, updated_at)
         SELECT printf('0198f000-0000-7000-8000-%012d', i), 'default', 'pets', 'custom_objects.pets',
             printf('66b1f2a4c9e77%011d', i), i, 'owner' || i || '@example.org',
             CASE WHEN i % 20 = 7 THEN 'failed' ELSE 'done' END, 'webhook', 2, 1,
             CASE WHEN i % 20 = 7 THEN 'invalid' END, CASE WHEN i % 20 = 7 THEN 'gigantic is no option of SIZE' END,
             CASE WHEN i % 20 = 7 THEN 'group' || (i % 19) END,
             printf('66b1f2a4c9e77%011d %d owner%d@example.org', i, i, i),
             CASE WHEN i % 20 = 7 THEN 'gigantic is no option of size' ELSE '' END,
             1780000000000000 + i * 1000, 1780000000000000 + i * 1000
         FROM n",
    )
    .bind(JOBS)
    .execute(&mut connection)
    .await
    .expect("filled");
    connection.close().await.expect("closed");
}

/// The release binary in a pseudo-terminal.
struct Room {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    started: Instant,
    // Closing it would hang up.
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Room {
    fn open(folder: &Path) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize {
                rows: 40,
                cols: 120,
                pixel_width: 0,
                pixel_height: 0,
            })
            .expect("a terminal");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut command = CommandBuilder::new(BINARY);
        command.args(["--config", "config.toml", "tui"]);
        command.env("TERM", "xterm-256color");
        command.env("HOME", folder);
        command.cwd(folder);
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).expect("it starts");
        Self {
            child,
            writer: pair.master.take_writer().expect("a writer"),
            output,
            started,
            _master: pair.master,
        }
    }

    /// Milliseconds from the start until the output so far holds all of these.
    fn until(&self, parts: &[&str]) -> f64 {
        let mut all = Vec::new();
        loop {
            let bytes = self
                .output
                .recv_timeout(Duration::from_secs(20))
                .expect("output");
            all.extend(bytes);
            let text = String::from_utf8_lossy(&all);
            if parts.iter().all(|part| text.contains(part)) {
                return self.started.elapsed().as_secs_f64() * 1000.0;
            }
        }
    }

    /// Bytes within a time.
    fn bytes_within(&self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut bytes = 0;
        loop {
            match self
                .output
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(more) => bytes += more.len(),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return bytes,
            }
        }
    }

    fn quit(mut self) {
        self.writer.write_all(b"q").expect("typed");
        self.child.wait().expect("it ends");
    }
}

/// From the start of the process until a whole frame, and until the numbers of the store stand in it.
fn starts(folder: &Path) {
    let (mut frame, mut counts) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let room = Room::open(folder);
        // The end of the first synchronized update is the end of the first frame.
        frame.push(room.until(&["Activity", "\x1b[?2026l"]));
        counts.push(room.until(&["25,000"]));
        room.quit();
    }
    for (name, measured, against) in [
        ("first full frame", &mut frame, Against::Most(50.0)),
        ("counts of the queue on it", &mut counts, Against::Nothing),
    ] {
        figure(
            &format!("start to {name}, 500,000 jobs: median of 20"),
            percentile(measured, 0.5),
            "ms",
            against,
            "no network",
        );
    }
    figure(
        "start to first full frame, 500,000 jobs: slowest of 20",
        percentile(&mut frame, 1.0),
        "ms",
        Against::Most(50.0),
        "no network",
    );
}

/// What a control room costs that nobody touches.
fn idle(folder: &Path) {
    const SECONDS: u64 = 20;
    let room = Room::open(folder);
    room.until(&["25,000"]);
    // Calls that nobody answers are over, messages have left, budgets are full again.
    let start = Instant::now();
    while room.bytes_within(Duration::from_secs(11)) > 0 {
        assert!(
            start.elapsed() < Duration::from_secs(180),
            "the screen never comes to rest"
        );
    }
    let id = room.child.process_id().expect("it runs");
    let before = cpu_of_id(id);
    let bytes = room.bytes_within(Duration::from_secs(SECONDS));
    let ticks = (cpu_of_id(id) - before) * 100.0;
    figure(
        "idle, 20 s: bytes to the terminal",
        bytes as f64,
        "bytes",
        Against::Most(0.0),
        "",
    );
    figure(
        "idle, 20 s: processor time",
        ticks.round(),
        "ticks",
        Against::Most(1.0),
        "ticks of 10 ms, user and system, worker included",
    );
    room.quit();
}
