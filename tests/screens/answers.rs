//! No key is silent: it does something, or says why it does not. And none does more than was meant.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use super::{VIEWS, view};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use std::collections::{BTreeMap, BTreeSet};
use tramline::tui::app::App;
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::keymap::{Action, Keymap};
use tramline::tui::request::{Reply, Request};
use tramline::tui::slots::Slot;
use tramline::tui::theme::{Theme, ThemeName};

/// The key of an action's first binding as a terminal sends it.
fn press(driver: &mut Driver, name: &str) {
    let code = match name {
        "enter" => KeyCode::Enter,
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        other => KeyCode::Char(other.chars().next().unwrap()),
    };
    driver.event(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

/// What a person, and what the world, would notice.
fn trace(driver: &Driver) -> (Buffer, usize, usize) {
    let frame = driver.frame(200, 60);
    (frame, driver.effects.len(), driver.asked.len())
}

#[test]
fn every_key_of_a_screen_answers_in_every_mood() {
    let keymap = Keymap::new(&Default::default()).unwrap();
    let mut silent = BTreeSet::new();
    for mood in [Mood::Normal, Mood::Empty, Mood::Broken, Mood::Paused] {
        for (name, keys) in VIEWS {
            let tab = view(mood, keys).app.tab();
            for bound in keymap.of(tab) {
                // The sync view is what this key leads to.
                if (name, bound.binding.action) == ("sync", Action::Diff) {
                    continue;
                }
                let mut driver = view(mood, keys);
                // What the keys on the way said has left by now.
                driver.wait(15_000);
                let before = trace(&driver);
                press(&mut driver, &bound.keys[0].name());
                if trace(&driver) == before {
                    silent.insert(format!("{name} {mood:?}: {}", bound.binding.name));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

fn asked(driver: &Driver, what: impl Fn(&Request) -> bool) -> usize {
    driver.asked.iter().filter(|request| what(request)).count()
}

#[test]
fn a_key_without_a_row_says_that_it_needs_one() {
    let mut driver = view(Mood::Empty, "2s");
    assert_eq!(
        driver.app.toasts(),
        ["s needs a row, and there is none here"]
    );
    driver.keys("3w");
    let toasts = driver.app.toasts().join("; ");
    assert!(
        toasts.contains("w needs a mapping, and there is none here"),
        "{toasts}"
    );
    // Nothing is known yet.
    let mut driver = Driver::new(Mood::Normal).start();
    driver.silent = true;
    driver.keys("4X");
    assert_eq!(
        driver.app.toasts(),
        ["X needs a row, and there is none here yet"]
    );
}

/// Over a slow line esc and the key behind it may arrive at once, which is alt and that key.
#[test]
fn only_a_plain_y_is_yes() {
    for (modifiers, yes) in [
        (KeyModifiers::NONE, 1),
        (KeyModifiers::ALT, 0),
        (KeyModifiers::CONTROL, 0),
    ] {
        let mut driver = view(Mood::Normal, "2D");
        assert!(driver.app.has_overlay());
        let key = KeyEvent::new(KeyCode::Char('y'), modifiers);
        driver.event(Event::Key(key));
        assert!(!driver.app.has_overlay(), "{modifiers:?}");
        let deleted = asked(&driver, |r| matches!(r, Request::Delete(..)));
        assert_eq!(deleted, yes, "{modifiers:?}");
    }
    let mut driver = view(Mood::Normal, "2D");
    driver.ctrl('c');
    assert!(!driver.app.has_overlay(), "ctrl-c is no");
    assert!(!driver.effects.contains(&Effect::Quit));
}

#[test]
fn the_cursor_stays_in_its_place_when_its_record_is_deleted() {
    // That under the cursor, and two above it that are selected, from the sixth row.
    for keys in ["2jjjDy", "2 j jjDy"] {
        let mut driver = view(Mood::Normal, keys);
        driver.wait(300);
        let text = driver.text(80, 24);
        assert!(text.contains("4 of 230"), "{keys}: {text}");
    }
}

#[test]
fn a_form_whose_write_was_declined_can_be_changed_and_saved() {
    let production = Session {
        production: true,
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, production, ThemeName::Dark, false).start();
    driver.keys("2eX\n");
    assert!(driver.text(120, 40).contains("Write to production?"));
    driver.keys("n");
    let text = driver.text(120, 40);
    assert!(
        text.contains("RexX") && text.contains("enter save"),
        "{text}"
    );
    driver.keys("Y\ny");
    let sent = driver.asked.iter().find_map(|request| match request {
        Request::Update(change) => Some(change.properties["name"].clone()),
        _ => None,
    });
    assert_eq!(sent.unwrap(), "RexXY");
    assert!(!driver.app.has_overlay());
}

#[test]
fn numbers_that_cannot_be_read_again_say_how_old_they_are() {
    let mut driver = view(Mood::Normal, "1");
    driver.silent = true;
    driver.wait(2000);
    let (slot, generation) = driver.waiting(|request| *request == Request::Status);
    assert_eq!(slot, Slot::Status);
    driver.answer((slot, generation), Reply::Status(Err(world::problem())));
    for (width, height) in super::SIZES {
        let text = driver.text(width, height);
        assert!(text.contains("as of 14:02:30"), "{text}");
        assert!(text.contains("41 failed"), "{text}");
    }
}

#[test]
fn the_help_is_searched_where_it_stands() {
    let mut driver = view(Mood::Normal, "4?/give this");
    for (width, height) in [(80, 24), (120, 40)] {
        let text = driver.text(width, height);
        assert!(
            text.contains("Keys") && text.contains("Give this job"),
            "{text}"
        );
        assert!(!text.contains("Retry this job"), "{text}");
    }
    // Enter keeps what was found, and the letters are keys again; esc shows all keys, and closes them.
    driver.keys("\nj");
    assert!(driver.text(120, 40).contains("/give this"));
    driver.keys("\u{1b}");
    assert!(driver.text(120, 40).contains("Retry this job"));
    driver.keys("\u{1b}");
    assert!(!driver.app.has_overlay());
    // What no key of the screen has is looked for everywhere.
    driver.keys("?/hologram");
    assert!(driver.text(120, 40).contains("looks on every screen"));
    driver.keys("\u{1b}:");
    assert!(driver.text(120, 40).contains("Commands"));
}

#[test]
fn a_key_that_can_be_typed_is_a_character_wherever_text_goes() {
    let keys = BTreeMap::from([("suspend".to_owned(), vec!["z".to_owned()])]);
    let (keymap, theme) = (
        Keymap::new(&keys).unwrap(),
        Theme::new(ThemeName::Dark, false),
    );
    let mut driver = Driver::new(Mood::Normal);
    driver.app = App::new(session(), keymap, theme, world::noon());
    let mut driver = driver.start();
    driver.keys("4/pizza");
    assert!(driver.text(120, 40).contains("pizza"));
    assert!(!driver.effects.contains(&Effect::Suspend));
    driver.keys("\u{1b}z");
    assert!(driver.effects.contains(&Effect::Suspend));
}
