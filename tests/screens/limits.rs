//! Sizes, bytes and times.

use super::world::Mood;
use super::{SIZES, VIEWS, view};
use crossterm::event::KeyCode;
use ratatui::layout::Size;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::painter::Painter;

/// Keys that open what lies above the screens.
const ABOVE: [&str; 26] = [
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
    "3r\n",
    "3r\n\t ",
    "3c",
    "3cchip\n",
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
fn a_small_terminal_gets_a_plain_notice() {
    let driver = view(Mood::Normal, "2");
    assert!(driver.text(59, 16).contains("59×16 is too small"));
    assert!(driver.text(60, 15).contains("60×16 at least"));
    assert!(driver.text(60, 16).contains("Records"));
    for (width, height) in [(0, 0), (1, 1), (2, 50), (60, 1), (20, 5), (400, 120)] {
        driver.frame(width, height);
    }
}

#[test]
fn both_budgets_are_always_in_view() {
    for mood in [Mood::Normal, Mood::Paused] {
        let driver = view(mood, "4");
        for (width, height) in [(60, 16), (70, 20), (80, 24), (120, 40), (200, 60)] {
            let text = driver.text(width, height);
            let bar = text.lines().rev().nth(1).unwrap();
            assert!(bar.contains("81/100") && bar.contains("2/5"), "{text}");
            assert!(bar.contains("41 failed"), "{text}");
        }
    }
}

#[test]
fn what_cannot_be_seen_is_not_acted_on() {
    let mut driver = view(Mood::Normal, "2");
    let asked = driver.asked.len();
    driver.event(Event::Resize(59, 16));
    driver.keys("Dys6?\n");
    assert_eq!(driver.asked.len(), asked);
    assert!(!driver.app.has_overlay());
    assert!(driver.text(59, 16).contains("q quits"));
    // A question that stood there already is shown, and can be answered.
    driver.event(Event::Resize(60, 16));
    driver.keys("D");
    driver.event(Event::Resize(40, 8));
    let text = driver.text(40, 8);
    assert!(text.contains("Delete") && text.contains("n no"), "{text}");
    driver.keys("n");
    assert!(!driver.app.has_overlay());
    // A form keeps what was typed: what comes next is no part of it.
    driver.event(Event::Resize(80, 24));
    driver.keys("eX");
    driver.event(Event::Resize(40, 8));
    driver.keys("q7");
    assert!(driver.text(40, 8).contains("esc closes what is open"));
    assert!(driver.text(80, 24).contains("RexX "));
    driver.keys("\u{1b}");
    assert!(!driver.app.has_overlay());
    driver.keys("qy");
    assert!(driver.effects.contains(&Effect::Quit));
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
