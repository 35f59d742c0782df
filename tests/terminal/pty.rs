//! The real binary in a real pseudo-terminal, with a terminal emulator that reads what it writes.

use super::support::Patience;
use portable_pty::{
    Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system,
};
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than anything on the screen takes in a dev build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came out of the program so far.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    // Held so that what the program wrote last can be read after its end.
    slave: Option<Box<dyn SlavePty + Send>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    /// The terminal's modes before the program started, as text.
    modes: String,
    reader: Option<JoinHandle<()>>,
    deaf: Arc<AtomicBool>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

fn modes_of(master: &dyn MasterPty) -> String {
    let modes = master.get_termios().unwrap();
    format!(
        "{:?} {:?} {:?}",
        modes.input_flags, modes.output_flags, modes.local_flags
    )
}

/// The binary with nothing of this machine's environment that could matter to it; home is `folder`.
pub fn tramline(folder: &Path) -> CommandBuilder {
    program(env!("CARGO_BIN_EXE_tramline"), folder)
}

/// A program with the same environment.
pub fn program(name: &str, folder: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(name);
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", folder);
    command.env("TMPDIR", folder);
    command.env("TZ", "UTC");
    command.env("TERM", "xterm-256color");
    command.cwd(folder);
    command
}

impl Terminal {
    /// Starts a command in a terminal of this size.
    pub fn start(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let modes = modes_of(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            parser: vt100::Parser::new(cells(rows), cells(columns), 0),
            bytes: Vec::new(),
        }));
        let keep = Arc::clone(&seen);
        let deaf = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&deaf);
        // It ends when both sides of the terminal are closed, or the connection is lost.
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut seen = keep.lock().unwrap_or_else(PoisonError::into_inner);
                seen.bytes.extend_from_slice(&buffer[..count]);
                seen.parser.process(&buffer[..count]);
                if stop.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Self {
            writer: Some(pair.master.take_writer().unwrap()),
            master: Some(pair.master),
            slave: Some(pair.slave),
            child,
            seen,
            modes,
            reader: Some(reader),
            deaf,
        }
    }

    fn with<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the screen shows.
    pub fn text(&self) -> String {
        self.with(|seen| seen.parser.screen().contents())
    }

    /// All bytes so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.with(|seen| seen.bytes.clone())
    }

    /// True while the program's own screen is shown.
    pub fn on_alternate_screen(&self) -> bool {
        self.with(|seen| seen.parser.screen().alternate_screen())
    }

    /// Types keys.
    pub fn keys(&mut self, keys: &str) {
        self.writer
            .as_mut()
            .unwrap()
            .write_all(keys.as_bytes())
            .unwrap();
    }

    /// Waits until something holds of the screen's text; shows the screen when it does not come to pass.
    pub fn until_that(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut patience = Patience::new(PATIENCE);
        loop {
            let text = self.text();
            if holds(&text) {
                return text;
            }
            let over = self.child.try_wait().unwrap();
            assert!(
                !patience.is_over() && over.is_none(),
                "{what} never came; the program {over:?}; the screen:\n{text}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the screen shows a text.
    pub fn until(&mut self, part: &str) -> String {
        self.until_that(part, |text| text.contains(part))
    }

    /// Types keys, then waits until the screen shows a text.
    pub fn press(&mut self, keys: &str, part: &str) -> String {
        self.keys(keys);
        self.until(part)
    }

    /// Presses esc, and waits until the screen does not show a text any more: a key right behind it would be alt and that key.
    pub fn escape(&mut self, part: &str) {
        self.keys("\x1b");
        self.until_that(&format!("an end of {part:?}"), |text| !text.contains(part));
    }

    /// Waits until nothing was written for a while.
    pub fn rest(&self) {
        let mut patience = Patience::new(PATIENCE);
        let mut before = usize::MAX;
        loop {
            let now = self.with(|seen| seen.bytes.len());
            if now == before {
                return;
            }
            before = now;
            assert!(!patience.is_over(), "the screen never comes to rest");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.parser
            .screen_mut()
            .set_size(cells(rows), cells(columns));
        self.master
            .as_ref()
            .unwrap()
            .resize(size(columns, rows))
            .unwrap();
    }

    /// Sends a signal to the program.
    pub fn signal(&self, name: &str) {
        super::support::signal(self.child.process_id().unwrap(), name);
    }

    /// The connection is lost: the terminal is no more.
    pub fn hang_up(&mut self) {
        self.deaf.store(true, Ordering::SeqCst);
        // Something is to be read, so that the reader lets go of its end.
        self.keys("?");
        self.reader.take().unwrap().join().unwrap();
        self.writer = None;
        self.slave = None;
        self.master = None;
    }

    /// Waits for the program's end.
    pub fn ended(&mut self) -> ExitStatus {
        let mut patience = Patience::new(PATIENCE);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                !patience.is_over(),
                "it does not end; the screen:\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The terminal is as it was before the program: own screen left, cursor shown, modes off, line discipline back.
    pub fn assert_restored(&self) {
        // What was written last may still be on its way to the reader.
        let start = Instant::now();
        while self.on_alternate_screen() && start.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.with(|seen| {
            let screen = seen.parser.screen();
            assert!(!screen.alternate_screen(), "its own screen is still shown");
            assert!(!screen.hide_cursor(), "the cursor is hidden");
            assert!(!screen.bracketed_paste(), "pastes come in brackets");
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
            let text = String::from_utf8_lossy(&seen.bytes);
            let count = |part: &str| text.matches(part).count();
            assert!(count("\x1b[?2026l") >= count("\x1b[?2026h"));
            assert_eq!(count("\x1b[?1049h"), count("\x1b[?1049l"));
            assert!(text.rfind("\x1b[?25h") >= text.rfind("\x1b[?25l"));
        });
        assert_eq!(modes_of(&**self.master.as_ref().unwrap()), self.modes);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
