//! The terminal as it was found: entered once, always given back, whatever happens.

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{execute, style};
use std::io::{self, stdout};
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// True while the terminal is ours: giving it back twice would print stray sequences.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// Held while a frame is written, so that a panic elsewhere does not print into the middle of it.
static WRITING: Mutex<()> = Mutex::new(());

/// Writes to the terminal, if it is ours; a panic of another thread waits until that is done.
pub fn write_frame<T>(write: impl FnOnce() -> io::Result<T>) -> io::Result<Option<T>> {
    let _guard = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    match ENTERED.load(Ordering::SeqCst) {
        true => write().map(Some),
        false => Ok(None),
    }
}

/// Gives the terminal back after a panic.
fn leave_in_panic() {
    // If it is the drawing itself that panicked, the lock is never free: then nothing is being written.
    let mut guard = None;
    for _ in 0..20 {
        match WRITING.try_lock() {
            Ok(free) => guard = Some(free),
            Err(TryLockError::Poisoned(free)) => guard = Some(free.into_inner()),
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
        }
        break;
    }
    leave();
    drop(guard);
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync + 'static;

/// Holds the terminal in raw mode on its alternate screen until it is dropped.
pub struct Held {
    mouse: bool,
    panicked: Arc<Notify>,
    before: Arc<Hook>,
}

fn enter(mouse: bool) -> io::Result<()> {
    // NO_COLOR makes crossterm write a reset for each colour, which erases highlights: the mono theme is the
    // answer to NO_COLOR instead.
    style::force_color_output(true);
    ENTERED.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)?;
    if mouse {
        execute!(stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

/// Gives the terminal back; does nothing if that was done already.
fn leave() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    // Each step is tried even if one before it failed: there is nobody to tell.
    let _ = execute!(
        stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        style::ResetColor,
        Show,
        LeaveAlternateScreen
    );
    let _ = disable_raw_mode();
}

impl Held {
    /// Enters the alternate screen. From now on a panic gives the terminal back before it prints its message,
    /// and the path of the log after it.
    pub fn enter(mouse: bool, log_path: Option<PathBuf>) -> io::Result<Self> {
        let panicked = Arc::new(Notify::new());
        let before: Arc<Hook> = Arc::from(panic::take_hook());
        let (inner, notify) = (Arc::clone(&before), Arc::clone(&panicked));
        panic::set_hook(Box::new(move |info| {
            leave_in_panic();
            inner(info);
            if let Some(path) = &log_path {
                eprintln!("log: {}", path.display());
            }
            notify.notify_one();
        }));
        let held = Self {
            mouse,
            panicked,
            before,
        };
        enter(mouse)?;
        Ok(held)
    }

    /// Resolves after a panic anywhere in the process: the terminal is given back already.
    pub fn panicked(&self) -> Arc<Notify> {
        Arc::clone(&self.panicked)
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        if self.mouse != on {
            self.mouse = on;
            write_frame(|| match on {
                true => execute!(stdout(), EnableMouseCapture),
                false => execute!(stdout(), DisableMouseCapture),
            })?;
        }
        Ok(())
    }

    /// Lends the terminal: to an editor, or to the shell.
    pub fn lend(&self) {
        leave();
    }

    /// Takes the lent terminal again.
    pub fn take_back(&self) -> io::Result<()> {
        enter(self.mouse)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        leave();
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

/// A stop that has not happened by then never will: there is no shell that could continue it.
const STOPS_WITHIN: Duration = Duration::from_millis(300);

/// Stops the whole process group, as ctrl-z does in a shell; comes back when it is continued.
pub async fn stop() -> io::Result<()> {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    // With several threads the call may return before the process is stopped.
    let mut continued = signal(SignalKind::from_raw(Signal::SIGCONT as i32))?;
    kill(Pid::from_raw(0), Signal::SIGTSTP)?;
    // The time that it was stopped counts: whichever comes first, it is continued.
    let _ = tokio::time::timeout(STOPS_WITHIN, continued.recv()).await;
    Ok(())
}
