//! The control room: one event loop over the terminal, the answers of effects, changes of the store, and one
//! timer that exists only while something moves.

pub mod app;
pub mod canvas;
mod cells;
mod chrome;
mod clipboard;
pub mod command;
mod config_watch;
pub mod context;
mod editor;
pub mod effect;
pub mod event;
pub mod frame;
mod hits;
pub mod keymap;
pub mod load;
mod overlays;
pub mod painter;
pub mod remembered;
pub mod request;
pub mod screens;
pub mod slots;
mod terminal;
pub mod theme;
mod unfinished;
pub mod widgets;

use crate::config::{self, Config, ConfigError, Keys};
use crate::model::call::Call;
use crate::model::{ConnectionName, Level};
use crate::operations::Operations;
use anyhow::Context as _;
use app::App;
use clipboard::Taker;
use config_watch::ConfigWatch;
use context::Session;
use crossterm::event::{Event as TerminalEvent, EventStream};
use effect::{Doors, Effect, Runner};
use event::Event;
use frame::Pacer;
use futures_util::StreamExt;
use jiff::Timestamp;
use keymap::{Key, Keymap, Tab};
use painter::Painter;
use ratatui::layout::Size;
use remembered::Remembered;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufWriter, Stdout, stdout};
use std::sync::Arc;
use std::time::{Duration, Instant};
use terminal::Held;
use theme::Theme;
pub use theme::ThemeName;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, mpsc};

/// How the control room looks and listens: `[tui]` of config.toml.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Frames a second at most when data changes.
    pub fps: u16,
    /// Numbers that change often are drawn once a second, and no bars.
    pub low_bandwidth: bool,
    /// Draws with ASCII only.
    pub ascii: bool,
    /// Takes clicks and the wheel; the terminal's own selection then needs shift.
    pub mouse: bool,
    pub theme: ThemeName,
    /// Action → keys, none to unbind it.
    pub keys: BTreeMap<String, Vec<String>>,
    /// The connection in view.
    pub connection: ConnectionName,
}

/// What this one session wants, whatever config.toml says: a slow line, a strange terminal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    pub fps: Option<u16>,
    pub low_bandwidth: bool,
    pub ascii: bool,
    pub theme: Option<ThemeName>,
}

impl Options {
    /// What config.toml says, and before it the command line; under `NO_COLOR` without colours, unless the command line names
    /// a theme.
    pub fn of(settings: &config::Tui, overrides: &Overrides, connection: ConnectionName) -> Self {
        let mono = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let theme = match mono {
            true => ThemeName::Mono,
            false => ThemeName::parse(settings.theme.name()).unwrap_or_default(),
        };
        Self {
            fps: overrides.fps.unwrap_or(settings.fps),
            low_bandwidth: overrides.low_bandwidth || settings.low_bandwidth,
            ascii: overrides.ascii || settings.ascii,
            mouse: settings.mouse,
            theme: overrides.theme.unwrap_or(theme),
            keys: key_lists(settings),
            connection,
        }
    }
}

/// An action of the key table with the keys that are in force.
#[derive(Debug, Serialize)]
pub struct KeyLine {
    /// The name used in `[tui.keys]`.
    pub action: &'static str,
    /// `None` where it works on every screen.
    pub screen: Option<&'static str>,
    pub keys: Vec<String>,
    pub help: &'static str,
}

/// All actions with their keys; the default ones without a configuration.
///
/// # Errors
/// As [`check_keys`].
pub fn keys(config: Option<&Config>) -> Result<Vec<KeyLine>, ConfigError> {
    let keymap = match config {
        Some(config) => keymap_of(config)?,
        None => Keymap::default(),
    };
    let lines = keymap.all().iter().map(|bound| KeyLine {
        action: bound.binding.name,
        screen: bound.binding.tab.map(Tab::title),
        keys: bound.keys.iter().map(Key::name).collect(),
        help: bound.binding.help,
    });
    Ok(lines.collect())
}

/// Checks `[tui.keys]`: what actions and keys there are is known here only.
///
/// # Errors
/// The first thing that is wrong, and where it stands.
pub fn check_keys(config: &Config) -> Result<(), ConfigError> {
    keymap_of(config).map(drop)
}

fn keymap_of(config: &Config) -> Result<Keymap, ConfigError> {
    Keymap::new(&key_lists(&config.tui)).map_err(|error| {
        let key = ["tui", "keys", error.action()];
        config.fault(&key, &error.to_string(), &error.remedy())
    })
}

fn key_lists(settings: &config::Tui) -> BTreeMap<String, Vec<String>> {
    let keys = settings.keys.iter();
    keys.map(|(action, keys)| (action.clone(), Keys::list(keys)))
        .collect()
}

/// Answers that wait to be taken in.
const ANSWERS: usize = 256;
/// Quitting waits this long for writes in flight.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// What ended the control room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The person quit, or the terminal is gone.
    Quit,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// A part of the program panicked: its message and the path of the log stand on the terminal.
    Failed,
}

/// Opens the control room and runs it until the person quits or a signal ends it. The terminal is given back
/// on every way out. `passing`: configuration and store end with it, as those of the demo do. Fails if the key table is wrong or the terminal cannot be used.
pub async fn run(
    operations: Operations,
    connection: ConnectionName,
    overrides: Overrides,
    passing: bool,
) -> anyhow::Result<Ended> {
    let options = Options::of(&operations.tui(), &overrides, connection);
    let session = Session {
        connection: options.connection.clone(),
        connections: operations.connections(),
        account: operations.account(&options.connection),
        environment: operations.environment().to_owned(),
        production: operations.is_production(),
        read_only: operations.is_read_only(),
        writes_allowed: false,
        log_path: operations.log_path(),
        working_dir: std::env::current_dir().unwrap_or_default(),
        config: operations.config_to_name(),
        passing,
        time_zone: jiff::tz::TimeZone::system(),
        low_bandwidth: options.low_bandwidth,
        mappings: Vec::new(),
    };
    let doors = Doors::of(&operations, overrides);
    run_with(doors, session, options).await
}

/// The connection that was in view when the control room was left last, if config.toml still has it.
pub async fn last_connection(operations: &Operations) -> Option<ConnectionName> {
    // A store that cannot be read says so on the screen.
    let text = operations.remembered(remembered::KEY).await.ok()??;
    let known = operations.connections();
    let own = known.first()?;
    let last = Remembered::read(&text, own).connection?;
    known.contains(&last).then_some(last)
}

/// As [`run`], through doors of any make.
pub async fn run_with(doors: Doors, session: Session, options: Options) -> anyhow::Result<Ended> {
    let keymap = Keymap::new(&options.keys)?;
    let theme = Theme::new(options.theme, options.ascii);
    let log_path = session.log_path.clone();
    let app = App::new(session, keymap, theme, Timestamp::now());
    let held = Held::enter(options.mouse, log_path).context("the terminal cannot be used")?;
    let mut room = Room::new(app, doors, held, &options)?;
    // On a worker's own thread a tick wakes one thread; on the thread that blocks on this future it would
    // wake two, for as long as the room stands idle.
    let life = tokio::spawn(async move {
        let result = room.live().await;
        room.leave().await;
        result
    });
    match life.await {
        Ok(result) => result,
        // The room itself panicked; nobody else ends it before its time.
        Err(_) => Ok(Ended::Failed),
    }
}

struct Room {
    app: App,
    painter: Painter<BufWriter<Stdout>>,
    pacer: Pacer,
    doors: Doors,
    runner: Runner,
    answers: mpsc::Receiver<Event>,
    /// `None` once nobody makes calls any more.
    calls: Option<broadcast::Receiver<Call>>,
    /// Dropped while the terminal is lent: two readers of one terminal steal each other's keys.
    keys: Option<EventStream>,
    signals: Signals,
    panicked: Arc<Notify>,
    config: ConfigWatch,
    held: Held,
    /// Why it is over, once it is.
    over: Option<Ended>,
    /// True once the view is kept for the next start.
    kept: bool,
}

struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) -> Ended {
        tokio::select! {
            _ = self.terminate.recv() => Ended::Terminated,
            _ = self.hang_up.recv() => Ended::Quit,
            _ = self.interrupt.recv() => Ended::Interrupted,
        }
    }
}

impl Room {
    fn new(app: App, doors: Doors, held: Held, options: &Options) -> anyhow::Result<Self> {
        let (sender, answers) = mpsc::channel(ANSWERS);
        Ok(Self {
            app,
            painter: Painter::new(BufWriter::with_capacity(64 * 1024, stdout())),
            pacer: Pacer::new(options.fps, options.low_bandwidth),
            runner: Runner::new(doors.clone(), options.connection.clone(), sender),
            answers,
            calls: Some((doors.calls)()),
            keys: None,
            signals: Signals::new()?,
            panicked: held.panicked(),
            config: ConfigWatch::start(Arc::clone(&doors.config)),
            doors,
            held,
            over: None,
            kept: false,
        })
    }

    async fn live(&mut self) -> anyhow::Result<Ended> {
        // The first frame waits for nothing; then the questions are asked and the keys are read.
        self.draw()?;
        self.keys = Some(EventStream::new());
        if fault("task") {
            tokio::spawn(async { panic!("a task that fails on request") });
        }
        let effects = self.app.start();
        self.perform(effects).await?;
        let (width, height) = crossterm::terminal::size()?;
        let effects = self
            .app
            .update(Event::Resize(width, height), Timestamp::now());
        self.perform(effects).await?;
        loop {
            if let Some(ended) = self.over {
                // A lost connection or a signal ended it: the view is to come back all the same.
                if let Some(view) = self.app.remembered().filter(|_| !self.kept) {
                    self.runner.remember(view);
                }
                return Ok(ended);
            }
            let now = Instant::now();
            let due = self.pacer.due(self.app.dirty(), now);
            if due.is_some_and(|due| due <= now) {
                self.draw()?;
                continue;
            }
            let wake = self.app.wake().map(|at| now + until(at));
            let timer = [due, wake].into_iter().flatten().min();
            let event = self.next(timer).await?;
            let Some(event) = event else { continue };
            if matches!(event, Event::Resize(..)) {
                // What a terminal shows after a resize is not known, even if it is back at its size.
                self.painter.forget();
            }
            let effects = self.app.update(event, Timestamp::now());
            self.perform(effects).await?;
        }
    }

    /// The next thing that happens; `None` if it changes nothing.
    async fn next(&mut self, timer: Option<Instant>) -> anyhow::Result<Option<Event>> {
        let sleep = async {
            match timer {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let key = async {
            match &mut self.keys {
                Some(keys) => keys.next().await,
                None => std::future::pending().await,
            }
        };
        let call = async {
            match &mut self.calls {
                Some(calls) => calls.recv().await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            () = self.panicked.notified() => {
                self.over = Some(Ended::Failed);
                None
            }
            ended = self.signals.any() => {
                self.over = Some(ended);
                None
            }
            key = key => match key {
                Some(Ok(event)) => terminal_event(event),
                // The terminal is gone: the connection was lost.
                Some(Err(_)) | None => {
                    self.over = Some(Ended::Quit);
                    None
                }
            },
            Some(answer) = self.answers.recv() => Some(answer),
            Ok(()) = self.doors.changes.changed() => Some(Event::Changed),
            Ok(()) = self.doors.elsewhere.changed() => Some(Event::Changed),
            call = call => match call {
                Ok(call) => Some(Event::Call(call)),
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => {
                    self.calls = None;
                    None
                }
            },
            () = self.config.changed() => Some(Event::Configured),
            () = sleep => Some(Event::Tick),
        };
        Ok(event)
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let (width, height) = crossterm::terminal::size()?;
        let app = &self.app;
        let (painter, size) = (&mut self.painter, Size::new(width, height));
        // The first frame is drawn before the keys are read; a later one finds the terminal in full use.
        let fails = self.keys.is_some() && fault("frame");
        terminal::write_frame(|| {
            painter.draw(size, |buf| {
                assert!(!fails, "a frame that fails on request");
                app.view(buf)
            })
        })?;
        self.app.drawn();
        self.pacer.drawn(Instant::now());
        Ok(())
    }

    async fn perform(&mut self, effects: Vec<Effect>) -> anyhow::Result<()> {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            let event = match effect {
                Effect::Ask {
                    slot,
                    generation,
                    request,
                } => {
                    self.runner.ask(slot, generation, request);
                    None
                }
                Effect::Cancel(slot) => {
                    self.runner.cancel(slot);
                    None
                }
                Effect::Copy { what, text } => Some(self.copy(&what, &text).await?),
                Effect::Remember(view) => {
                    self.runner.remember(view);
                    self.kept = true;
                    None
                }
                Effect::Connect(connection) => {
                    self.runner.connect(connection);
                    None
                }
                Effect::Redraw => {
                    self.painter.forget();
                    None
                }
                Effect::Tune {
                    fps,
                    low_bandwidth,
                    mouse,
                } => {
                    self.pacer = Pacer::new(fps, low_bandwidth);
                    self.held.mouse(mouse)?;
                    None
                }
                Effect::Quit => {
                    self.over = Some(Ended::Quit);
                    None
                }
                Effect::Suspend => {
                    self.lend();
                    terminal::stop().await?;
                    Some(self.take_back()?)
                }
                Effect::Edit(editing, text) => {
                    self.lend();
                    let result = editor::edit(&text).await;
                    self.take_back()?;
                    // A ctrl-c meant for the editor is not for Tramline.
                    self.signals.interrupt = signal(SignalKind::interrupt())?;
                    Some(Event::Edited(editing, result))
                }
            };
            if let Some(event) = event {
                effects.extend(self.app.update(event, Timestamp::now()));
            }
        }
        Ok(())
    }

    async fn copy(&mut self, what: &str, text: &str) -> anyhow::Result<Event> {
        let term = std::env::var("TERM").unwrap_or_default();
        let inside = std::env::var_os("TMUX").is_some();
        if inside && text.len() <= clipboard::MOST && clipboard::load("tmux", text).await {
            return Ok(Event::Note(Level::Ok, clipboard::kept(what)));
        }
        let taker = Taker::of(inside, &term);
        Ok(match clipboard::sequence(text, taker) {
            Some(sequence) => {
                let painter = &mut self.painter;
                terminal::write_frame(|| painter.pass(&sequence))?;
                Event::Note(Level::Ok, taker.told(what))
            }
            None => Event::Note(
                Level::Warning,
                format!(
                    "{what} is too long to copy: at most {} bytes",
                    clipboard::MOST
                ),
            ),
        })
    }

    fn lend(&mut self) {
        self.keys = None;
        self.held.lend();
    }

    fn take_back(&mut self) -> anyhow::Result<Event> {
        self.held.take_back()?;
        self.painter.forget();
        self.keys = Some(EventStream::new());
        let (width, height) = crossterm::terminal::size()?;
        Ok(Event::Resize(width, height))
    }

    /// Gives the terminal back first, then waits for writes in flight.
    async fn leave(self) {
        let Self {
            app,
            held,
            keys,
            runner,
            mut answers,
            ..
        } = self;
        drop(keys);
        drop(held);
        // A file that is still being written is stopped by this, and leaves nothing half done.
        drop(app);
        runner.shut_down(&mut answers, LAST_WRITES).await;
    }
}

/// True if the environment asks for a panic at this place: for the tests of what a panic leaves behind. Builds for people
/// know no such thing.
#[cfg(debug_assertions)]
fn fault(place: &str) -> bool {
    std::env::var_os("TRAMLINE_PANIC").is_some_and(|asked| asked == place)
}

#[cfg(not(debug_assertions))]
fn fault(_: &str) -> bool {
    false
}

fn terminal_event(event: TerminalEvent) -> Option<Event> {
    match event {
        TerminalEvent::Key(key) => Some(Event::Key(key)),
        TerminalEvent::Paste(text) => Some(Event::Paste(text)),
        TerminalEvent::Mouse(mouse) => Some(Event::Mouse(mouse)),
        TerminalEvent::Resize(width, height) => Some(Event::Resize(width, height)),
        TerminalEvent::FocusGained | TerminalEvent::FocusLost => None,
    }
}

/// The time until a moment, never negative.
fn until(at: Timestamp) -> Duration {
    let left = at.duration_since(Timestamp::now());
    Duration::try_from(left).unwrap_or(Duration::ZERO)
}
