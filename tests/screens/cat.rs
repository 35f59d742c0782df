//! Whatever a cat does on the keyboard: nothing panics, nothing gets stuck, and `esc` always leads back.
//!
//! `TRAMLINE_KEYS=1000000 cargo test --test screens cat` lets the cat stay longer.

use super::driver::{Driver, session};
use super::world::Mood;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use fastrand::Rng;
use tramline::tui::context::Session;
use tramline::tui::event::Event;
use tramline::tui::keymap::Tab;
use tramline::tui::slots::Slot;
use tramline::tui::theme::ThemeName;

/// Keys of an ordinary test run.
const KEYS: usize = 60_000;
/// Keys of one session; after it all is asked to come to rest.
const SESSION: usize = 2_000;
/// The deepest place: a question above a form above a detail above a filter, with messages and answers that are awaited.
const DEEPEST: usize = 12;

const CODES: [KeyCode; 15] = [
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Tab,
    KeyCode::BackTab,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Backspace,
    KeyCode::Delete,
    KeyCode::F(5),
];

const MOODS: [Mood; 6] = [
    Mood::Normal,
    Mood::Paused,
    Mood::Empty,
    Mood::Broken,
    Mood::Hostile,
    Mood::Million,
];

const PASTES: [&str; 4] = [
    "a\nb\u{1b}[2J 日本語",
    "2024-05-01",
    "{{ name | upper",
    "state:failed error:\"",
];

fn any<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

fn key(rng: &mut Rng) -> KeyEvent {
    match rng.u8(..10) {
        0..6 => {
            let c = char::from(rng.u8(b' '..=b'~'));
            let alt = rng.u8(..30) == 0;
            let modifiers = [KeyModifiers::NONE, KeyModifiers::ALT][usize::from(alt)];
            KeyEvent::new(KeyCode::Char(c), modifiers)
        }
        6 => {
            let c = any(
                rng,
                &['d', 'u', 'f', 'b', 'r', 'z', 'x', 'c', 'w', 'a', 'é', '日'],
            );
            KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)
        }
        _ => KeyEvent::new(any(rng, &CODES), KeyModifiers::NONE),
    }
}

/// One session: any configuration, any answers in any order, any sizes.
fn walk(seed: u64, keys: usize) {
    let mut rng = Rng::with_seed(seed);
    let session = Session {
        production: rng.bool(),
        read_only: rng.u8(..4) == 0,
        low_bandwidth: rng.u8(..4) == 0,
        ..session()
    };
    let themes = [ThemeName::Dark, ThemeName::Sixteen, ThemeName::Mono];
    let mood = any(&mut rng, &MOODS);
    let theme = any(&mut rng, &themes);
    let mut driver = Driver::with(mood, session, theme, rng.u8(..4) == 0).start();
    for step in 0..keys {
        driver.event(Event::Key(key(&mut rng)));
        match rng.u8(..60) {
            0 => driver.event(Event::Paste(any(&mut rng, &PASTES).into())),
            1 => driver.event(Event::Changed),
            2 | 3 => driver.wait(rng.i64(0..3000)),
            // What is read next has nothing to do with what is on the screen.
            4..8 => driver.mood = any(&mut rng, &MOODS),
            8 => driver.silent = true,
            9 | 10 => driver.speak(),
            11 => driver.event(Event::Configured),
            13 => {
                let size = (rng.u16(0..130), rng.u16(0..45));
                driver.event(Event::Resize(size.0, size.1));
            }
            14..16 => driver.event(Event::Resize(80, 24)),
            12 => driver.event(Event::Mouse(MouseEvent {
                kind: any(
                    &mut rng,
                    &[MouseEventKind::ScrollDown, MouseEventKind::ScrollUp],
                ),
                column: rng.u16(..),
                row: rng.u16(..),
                modifiers: KeyModifiers::NONE,
            })),
            _ => {}
        }
        if step % 9 == 0 {
            let (width, height) = match rng.bool() {
                true => (rng.u16(0..130), rng.u16(0..45)),
                false => (80, 24),
            };
            driver.frame(width, height);
        }
        if step % 500 == 499 {
            rests(&mut driver, seed);
        }
    }
}

/// From wherever it is: esc leads back to a screen with nothing above it, whose keys work, and nothing is awaited for ever.
fn rests(driver: &mut Driver, seed: u64) {
    driver.event(Event::Resize(120, 40));
    for _ in 0..DEEPEST {
        driver.press(KeyCode::Esc);
    }
    assert!(
        !driver.app.has_overlay(),
        "seed {seed}: esc does not lead back"
    );
    driver.speak();
    // Answers may have opened something more.
    for _ in 0..DEEPEST {
        driver.press(KeyCode::Esc);
    }
    assert!(
        !driver.app.has_overlay(),
        "seed {seed}: esc does not lead back"
    );
    for tab in Tab::ALL {
        driver.keys(&(tab.index() + 1).to_string());
        assert_eq!(driver.app.tab(), tab, "seed {seed}: the keys are stuck");
        driver.wait(1000);
    }
    for slot in [
        Slot::Status,
        Slot::Jobs,
        Slot::Records,
        Slot::Schemas,
        Slot::Exports,
    ] {
        assert!(
            !driver.app.waits(slot),
            "seed {seed}: {slot:?} waits for ever"
        );
    }
    let text = driver.text(120, 40);
    assert!(
        !text.contains("saving;") && !text.contains(" writing "),
        "seed {seed}:\n{text}"
    );
}

#[test]
fn a_cat_on_the_keyboard_breaks_nothing_and_esc_leads_back() {
    let keys = std::env::var("TRAMLINE_KEYS").map_or(KEYS, |keys| keys.parse().unwrap());
    let sessions = keys.div_ceil(SESSION) as u64;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (thread..sessions).step_by(threads as usize) {
                    walk(20_261_126 + seed, SESSION);
                }
            });
        }
    });
}
