//! Sizes, bytes, times, and whatever a cat does on the keyboard.

use super::driver::{Driver, session, text};
use super::world::Mood;
use super::{SIZES, VIEWS, view};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use ratatui::style::Color;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use tramline::tui::event::Event;
use tramline::tui::painter::Painter;
use tramline::tui::theme::ThemeName;

/// Keys that open what lies above the screens.
const ABOVE: [&str; 22] = [
    "1?",
    "1@",
    "4F",
    "4Fdelete\n",
    "6F",
    "1:",
    "2e",
    "2o",
    "2D",
    "2/x",
    "2c",
    "2x",
    "2frex",
    "3r",
    "3A",
    "3v",
    "3\n",
    "4w",
    "4vR",
    "4p",
    "4p\n",
    "6\n",
];

#[test]
fn no_control_character_ever_reaches_a_cell() {
    let keys = VIEWS.iter().map(|(_, keys)| *keys).chain(ABOVE);
    let keys = keys.map(|keys| (Mood::Hostile, keys));
    for (mood, keys) in keys.chain([(Mood::Paused, "4"), (Mood::Paused, "4pconn\n")]) {
        let driver = view(mood, keys);
        for (width, height) in SIZES {
            for cell in &driver.frame(width, height).content {
                let hostile = |c: char| {
                    c.is_control()
                        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}')
                };
                assert!(
                    !cell.symbol().chars().any(hostile),
                    "{:?} after {keys:?}",
                    cell.symbol()
                );
            }
        }
    }
}

#[test]
fn mono_has_no_colour_and_looks_the_same() {
    for (name, keys) in VIEWS {
        let mut mono = Driver::with(Mood::Normal, session(), ThemeName::Mono, false).start();
        mono.frame(120, 40);
        mono.keys(keys);
        mono.wait(200);
        let coloured = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            let frame = mono.frame(width, height);
            assert!(
                frame
                    .content
                    .iter()
                    .all(|c| c.fg == Color::Reset && c.bg == Color::Reset),
                "{name}"
            );
            assert_eq!(text(&frame), coloured.text(width, height), "{name}");
        }
    }
}

#[test]
fn ascii_draws_with_ascii_only() {
    for keys in ["1", "4", "4v", "5", "6", "4?", "5a"] {
        let mut driver = Driver::with(Mood::Normal, session(), ThemeName::Dark, true).start();
        driver.frame(120, 40);
        driver.keys(keys);
        driver.wait(200);
        let text = driver.text(120, 40);
        let foreign: String = text.chars().filter(|c| !c.is_ascii()).collect();
        assert_eq!(foreign, "", "after {keys:?}:\n{text}");
    }
}

#[test]
fn a_small_terminal_gets_a_plain_notice() {
    let driver = view(Mood::Normal, "2");
    assert!(driver.text(59, 16).contains("59×16 is too small"));
    assert!(driver.text(60, 15).contains("60×16 at least"));
    assert!(driver.text(60, 16).contains("Records"));
    for (width, height) in [(0, 0), (1, 1), (2, 50), (60, 1), (20, 5), (400, 120)] {
        driver.frame(width, height);
    }
}

#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn moving_the_selection_costs_few_bytes() {
    for keys in ["1", "2", "3", "4", "4v", "5", "6"] {
        let mut driver = view(Mood::Million, keys);
        let sink = Sink::default();
        let mut painter = Painter::new(sink.clone());
        let size = Size::new(120, 40);
        painter.draw(size, |buf| driver.app.view(buf)).unwrap();
        let mut most = 0;
        for code in [KeyCode::Down, KeyCode::Down, KeyCode::Up] {
            driver.press(code);
            let before = sink.0.borrow().len();
            painter.draw(size, |buf| driver.app.view(buf)).unwrap();
            most = most.max(sink.0.borrow().len() - before);
        }
        println!("tab {keys}: {most} bytes a step at 120×40");
        assert!((1..=300).contains(&most), "tab {keys}: {most} bytes");
    }
}

#[test]
fn what_stands_beside_a_list_follows_when_the_selection_rests() {
    let mut driver = view(Mood::Normal, "1");
    driver.keys("j");
    assert!(driver.text(120, 40).contains("Pets  custom_objects.pets"));
    driver.wait(200);
    assert!(
        driver
            .text(120, 40)
            .contains("Visits  custom_objects.visits")
    );
    let mut driver = view(Mood::Normal, "5");
    let whole = |number: u64| format!("pets  0192aaaa-1111-7000-8000-{number:012}");
    driver.keys("j");
    assert!(driver.text(120, 40).contains(&whole(1)));
    driver.wait(200);
    assert!(driver.text(120, 40).contains(&whole(2)));
}

#[test]
fn a_cat_on_the_keyboard_breaks_nothing_and_esc_leads_back() {
    fastrand::seed(20261123);
    let codes = [
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
    let moods = [
        Mood::Normal,
        Mood::Paused,
        Mood::Empty,
        Mood::Broken,
        Mood::Hostile,
        Mood::Million,
    ];
    for round in 0..50 {
        let mut driver = Driver::new(moods[round % moods.len()]).start();
        for step in 0..2000 {
            let key = match fastrand::u8(..10) {
                0..5 => KeyEvent::new(
                    KeyCode::Char(char::from(fastrand::u8(b' '..=b'~'))),
                    KeyModifiers::NONE,
                ),
                5 => KeyEvent::new(
                    KeyCode::Char(
                        fastrand::choice(['d', 'u', 'f', 'b', 'r', 'z', 'x', 'c', 'é', '日'])
                            .unwrap_or('d'),
                    ),
                    KeyModifiers::CONTROL,
                ),
                _ => KeyEvent::new(codes[fastrand::usize(..codes.len())], KeyModifiers::NONE),
            };
            driver.event(Event::Key(key));
            match fastrand::u8(..40) {
                0 => driver.event(Event::Paste("a\nb\u{1b}[2J 日本".into())),
                1 => driver.event(Event::Changed),
                2 => driver.wait(fastrand::i64(0..3000)),
                3 => driver.mood = moods[fastrand::usize(..moods.len())],
                4 => driver.silent = true,
                5 => driver.speak(),
                _ => {}
            }
            if step % 9 == 0 {
                let size = if fastrand::bool() {
                    (fastrand::u16(0..130), fastrand::u16(0..45))
                } else {
                    (80, 24)
                };
                driver.frame(size.0, size.1);
            }
        }
        driver.speak();
        for _ in 0..20 {
            driver.press(KeyCode::Esc);
        }
        assert!(!driver.app.has_overlay());
        let tab = driver.app.tab();
        driver.keys("1");
        assert_eq!(driver.app.tab().index(), 0, "keys work again after {tab:?}");
    }
}
