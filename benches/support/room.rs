//! The control room of the release binary in a pseudo-terminal, with an emulator that reads what it writes.

use super::{open_store, past_store};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use sqlx::Connection;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Longer than anything on the screen takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A control room at work.
pub struct Room {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Arc<Output>,
    pub started: Instant,
    // Closing it would hang up.
    _master: Box<dyn MasterPty + Send>,
}

/// What came out of it.
struct Output {
    seen: Mutex<Seen>,
    news: Condvar,
}

struct Seen {
    parser: vt100::Parser,
    bytes: usize,
    /// When the last of them came.
    at: Instant,
}

impl Room {
    /// Opens one of this size with further arguments, configured by `folder`'s config.toml.
    pub fn open(folder: &Path, (columns, rows): (u16, u16), arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tramline"));
        command.args(["--config", "config.toml", "tui"]);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("HOME", folder);
        command.cwd(folder);
        Self::start(command, (columns, rows))
    }

    pub fn start(command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize {
                rows,
                cols: columns,
                pixel_width: 0,
                pixel_height: 0,
            })
            .expect("a terminal");
        let cells = |number| NonZero::new(number).expect("a size");
        let output = Arc::new(Output {
            seen: Mutex::new(Seen {
                parser: vt100::Parser::new(cells(rows), cells(columns), 0),
                bytes: 0,
                at: Instant::now(),
            }),
            news: Condvar::new(),
        });
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let told = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut seen = told.lock();
                seen.at = Instant::now();
                seen.bytes += count;
                seen.parser.process(&buffer[..count]);
                told.news.notify_all();
            }
        });
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

    /// Types keys.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("typed");
    }

    /// Waits until something holds of the screen's text. Answers when what made it so came out.
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> Instant {
        let start = Instant::now();
        let mut seen = self.output.lock();
        loop {
            let text = seen.parser.screen().contents();
            if holds(&text) {
                return seen.at;
            }
            assert!(start.elapsed() < PATIENCE, "{what} never came:\n{text}");
            let wait = self.output.news.wait_timeout(seen, PATIENCE);
            seen = wait.expect("the reader lives").0;
        }
    }

    /// As [`Room::until`], for a text.
    pub fn shows(&self, part: &str) -> Instant {
        self.until(part, |text| text.contains(part))
    }

    /// Types keys and waits until something holds of the screen's text. Answers the milliseconds in between.
    pub fn answers(&mut self, keys: &str, what: &str, holds: impl Fn(&str) -> bool) -> f64 {
        let pressed = Instant::now();
        self.keys(keys);
        self.until(what, holds)
            .saturating_duration_since(pressed)
            .as_secs_f64()
            * 1000.0
    }

    /// Presses tab until a text is shown.
    pub fn until_tab(&mut self, part: &str) {
        let start = Instant::now();
        while !self.text().contains(part) {
            assert!(start.elapsed() < PATIENCE, "{part} never came");
            self.keys("\t");
            self.rest(Duration::from_millis(300));
        }
    }

    /// What it shows.
    pub fn text(&self) -> String {
        self.output.lock().parser.screen().contents()
    }

    /// Bytes to the terminal so far.
    pub fn bytes(&self) -> usize {
        self.output.lock().bytes
    }

    /// Waits until nothing came for so long.
    pub fn rest(&self, quiet: Duration) {
        let start = Instant::now();
        while self.output.lock().at.elapsed() < quiet {
            assert!(
                start.elapsed() < Duration::from_secs(180),
                "the screen never comes to rest"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn id(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    pub fn quit(mut self) {
        self.keys("q");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("the reader lives")
    }
}

/// A configuration whose APIs nobody answers for, with a store of so many jobs: one in twenty failed, the others are done.
pub async fn prepare(folder: &Path, jobs: u32) {
    let config = "[highlevel]\nbase_url = \"http://127.0.0.1:9\"\nlocation_id = \"bench\"\n\
                  token = { file = \"token\" }\n\n\
                  [activecampaign]\nurl = \"http://127.0.0.1:9\"\ntoken = { file = \"token\" }\n\n\
                  [mappings.pets]\nobject = \"custom_objects.pets\"\nemail = \"owner_email\"\n\n\
                  [mappings.pets.fields]\nfirst_name = \"owner_first_name\"\n\n\
                  [store]\nurl = \"sqlite:tramline.db\"\n";
    std::fs::write(folder.join("config.toml"), config).expect("written");
    std::fs::write(folder.join("token"), "bench").expect("written");
    let path = folder.join("tramline.db");
    open_store(&path).await.close().await.expect("closed");
    let mut connection = past_store(&path).await;
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
             $2 + i * 1000, $2 + i * 1000
         FROM n",
    )
    .bind(jobs)
    // Young: what is done and old would be pruned.
    .bind(jiff::Timestamp::now().as_microsecond() - i64::from(jobs) * 1000)
    .execute(&mut connection)
    .await
    .expect("filled");
    connection.close().await.expect("closed");
}
