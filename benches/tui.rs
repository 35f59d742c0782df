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
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::process::{cpu_of_id, wake_ups_of_id};
use support::room::{Room, prepare};
use support::{Against, figure, left_out, percentile};
use tramline::tui::painter::Painter;
use world::Mood;

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
        runtime.block_on(prepare(folder.path(), JOBS));
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

/// From the start of the process until a whole frame, and until the numbers of the store stand in it.
fn starts(folder: &Path) {
    let (mut frame, mut counts) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let room = Room::open(folder, (120, 40), &[]);
        let since = |at: Instant| (at - room.started).as_secs_f64() * 1000.0;
        // The first frame is one write: its last line is there with its first.
        frame.push(since(room.until("the first frame", |text| {
            text.contains("Activity") && text.contains("? help") && text.contains("AC ")
        })));
        counts.push(since(room.shows("25,000")));
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
    let room = Room::open(folder, (120, 40), &[]);
    room.shows("25,000");
    // Calls that nobody answers are over, messages have left, budgets are full again: two seconds after the longest window.
    room.rest(Duration::from_secs(16));
    let (cpu, woken, bytes) = (
        cpu_of_id(room.id()),
        wake_ups_of_id(room.id()),
        room.bytes(),
    );
    std::thread::sleep(Duration::from_secs(SECONDS));
    figure(
        "idle, 20 s: bytes to the terminal",
        (room.bytes() - bytes) as f64,
        "bytes",
        Against::Most(0.0),
        "",
    );
    figure(
        "idle, 20 s: processor time",
        ((cpu_of_id(room.id()) - cpu) * 100.0).round(),
        "ticks",
        Against::Most(1.0),
        "ticks of 10 ms, user and system, worker included",
    );
    figure(
        "idle: wake-ups",
        (wake_ups_of_id(room.id()) - woken) / SECONDS as f64,
        "a second",
        Against::Most(6.0),
        "of all threads",
    );
    room.quit();
}
