//! What a person typed, and what somebody else did meanwhile: nothing is lost, and nothing is overwritten, unasked.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use serde_json::json;
use tramline::model::{Record, RecordId};
use tramline::operations::records::change::RecordChange;
use tramline::operations::records::file::Format;
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::request::{Editing, Reply, Request};
use tramline::tui::theme::ThemeName;

/// The change asked for last.
fn change(driver: &Driver) -> RecordChange {
    let found = driver.asked.iter().rev().find_map(|request| match request {
        Request::Update(change) => Some((**change).clone()),
        _ => None,
    });
    found.unwrap()
}

fn changes(driver: &Driver) -> usize {
    let update = |request: &&Request| matches!(request, Request::Update(..));
    driver.asked.iter().filter(update).count()
}

/// Enters what is open; HighLevel has another name by now.
fn enter_too_late(driver: &mut Driver, name: &str) {
    driver.silent = true;
    driver.press(KeyCode::Enter);
    answer_too_late(driver, name);
}

fn answer_too_late(driver: &mut Driver, name: &str) {
    let (slot, generation) = driver.waiting(|request| matches!(request, Request::Update(..)));
    let change = change(driver);
    let mut live = world::record(Mood::Normal, 0);
    live.id = change.record.clone();
    live.properties["name"] = json!(name);
    driver.silent = false;
    driver.answer(
        (slot, generation),
        Reply::Overtaken(Box::new(change), Box::new(live)),
    );
}

const QUESTION: &str = "Overwrite what somebody else changed meanwhile?";

#[test]
fn a_field_that_somebody_else_changed_meanwhile_is_asked_about_with_both_values() {
    let mut driver = Driver::after("2eX");
    enter_too_late(&mut driver, "Max");
    for (width, height) in super::SIZES {
        let text = driver.text(width, height);
        for part in [
            QUESTION,
            "Name: Rex was shown, Max is there now",
            "yours is RexX",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    assert_eq!(changes(&driver), 1);
    // No is the default, and the form is open as it was.
    driver.keys("\n");
    let text = driver.text(120, 40);
    assert!(!text.contains(QUESTION) && text.contains("RexX"), "{text}");
    assert_eq!(changes(&driver), 1);
    // Asked again, yes writes over the value that was shown in the question, and over no later one.
    enter_too_late(&mut driver, "Max");
    driver.keys("y");
    let sent = change(&driver);
    assert_eq!(sent.properties.keys().collect::<Vec<_>>(), ["name"]);
    assert_eq!(sent.properties["name"], "RexX");
    assert_eq!(sent.seen["name"], "Max");
    assert!(!driver.app.has_overlay());
    assert!(driver.said().contains("saved"), "{}", driver.said());
    // The list has what was read.
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text.contains("update") && text.contains("name=RexX"));
    driver.keys("C");
    assert!(driver.effects.iter().any(copied));
}

#[test]
fn what_was_typed_over_an_older_value_is_asked_about_when_it_is_entered_later() {
    let mut driver = Driver::after("2eX\u{1b}");
    // Meanwhile the list is read again, with another value.
    let mut live = world::record(Mood::Normal, 0);
    live.properties["name"] = json!("Max");
    let shown: RecordId = live.id.clone();
    driver.keys("eZ");
    driver.silent = true;
    driver.keys("\n");
    let sent = change(&driver);
    assert_eq!(sent.record, shown);
    assert_eq!(sent.seen["name"], "Rex");
    driver.keys("\u{1b}");
    answer_too_late(&mut driver, "Max");
    // The form was left: what happened is said, and what was typed is there still.
    assert!(!driver.app.has_overlay());
    assert!(
        driver.said().contains("Max is there now"),
        "{}",
        driver.said()
    );
    driver.keys("e");
    assert!(driver.text(120, 40).contains("RexXZ"));
    driver.silent = true;
    driver.keys("\n");
    assert_eq!(
        change(&driver).seen["name"],
        "Rex",
        "Max was never shown in it"
    );
}

#[test]
fn a_text_of_the_editor_is_asked_about_too() {
    let mut driver = Driver::after("2");
    let record: Record = world::record(Mood::Normal, 0);
    let editing = Editing {
        object: record.object.clone(),
        record: Some(record.id.clone()),
        before: record.properties.clone(),
    };
    let mut after = record.properties.clone();
    after["name"] = json!("Bello");
    let text = serde_json::to_string(&after).unwrap();
    driver.silent = true;
    driver.event(Event::Edited(editing, Ok(text)));
    answer_too_late(&mut driver, "Max");
    let text = driver.text(80, 24);
    assert!(
        text.contains(QUESTION) && text.contains("Max is there now"),
        "{text}"
    );
    driver.keys("y");
    assert_eq!(change(&driver).seen["name"], "Max");
    assert_eq!(change(&driver).properties["name"], "Bello");
}

#[test]
fn quitting_asks_before_a_text_that_was_kept_is_lost() {
    let mut driver = Driver::after("2eX\u{1b}q");
    let text = driver.text(80, 24);
    assert!(text.contains("Quit and lose what was typed?"), "{text}");
    assert!(text.contains("Typed and not entered: Edit Pet"), "{text}");
    assert!(!driver.effects.contains(&Effect::Quit));
    driver.keys("\n");
    assert!(!driver.effects.contains(&Effect::Quit), "no is the default");
    // Taken back, there is nothing to lose.
    driver.keys("e");
    driver.ctrl('r');
    driver.keys("\u{1b}q");
    assert!(driver.effects.contains(&Effect::Quit));
    // A source of a mapping, and a pause with a reason.
    let mut driver = Driver::after("3t\u{8}\u{8}\u{1b}4p\nwhy\u{1b}q");
    let text = driver.text(120, 40);
    assert!(text.contains("Pause ") && text.contains(" from"), "{text}");
    driver.keys("y");
    assert!(driver.effects.contains(&Effect::Quit));
}

#[test]
fn another_connection_is_not_shown_before_a_kept_text_was_asked_about() {
    let session = Session {
        connections: vec!["default".into(), "eu".into()],
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, session, ThemeName::Dark, false).start();
    driver.keys("2eX\u{1b}");
    driver.keys("@eu\n");
    let text = driver.text(120, 40);
    assert!(text.contains("what was typed?"), "{text}");
    assert!(text.contains("Edit Pet"), "{text}");
}

#[test]
fn a_filter_that_cannot_be_read_stays_open_with_its_fault_and_the_cursor_there() {
    for (keys, said) in [
        ("4/age>1h stat:x\n", "character 8: unknown key stat"),
        (
            "4/state:broken\n",
            "character 7: unknown state broken; one of ready",
        ),
        (
            "6/level:loud\n",
            "character 7: unknown level loud; one of error warn",
        ),
        (
            "6/x levl:\n",
            "character 3: unknown key levl; did you mean level?",
        ),
        (
            "6/zzz:1\n",
            "character 1: unknown key zzz; the keys are level job",
        ),
    ] {
        let mut driver = Driver::after(keys);
        for (width, height) in super::SIZES {
            let text = driver.text(width, height);
            assert!(text.contains(said), "{keys}: {text}");
            let typed = keys.trim_end().split_once('/').unwrap().1;
            assert!(text.contains(&format!(" /{typed}")), "{keys}: {text}");
        }
        // The next character goes where the fault is, and takes the fault away.
        driver.keys("\"");
        let text = driver.text(120, 40);
        assert!(!text.contains("filter, character"), "{text}");
        let place = keys.trim_end().split_once('/').unwrap().1;
        let at: usize = said["character ".len()..]
            .split(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let (before, after) = place.split_at(at - 1);
        assert!(text.contains(&format!("/{before}\"{after}")), "{text}");
        // What was in force before is in force.
        driver.keys("\u{1b}");
        assert!(!driver.app.has_overlay());
        assert!(!driver.text(120, 40).contains("filter, character"));
    }
}

#[test]
fn a_typed_path_stays_whatever_is_chosen_beside_it_and_its_end_chooses_the_format() {
    let mut driver = Driver::after("2x");
    driver.keys("\t\t");
    driver.ctrl('u');
    driver.keys("/tmp/animals.txt");
    for code in [
        KeyCode::Tab,
        KeyCode::Right,
        KeyCode::Tab,
        KeyCode::Right,
        KeyCode::Left,
    ] {
        driver.press(code);
        let text = driver.text(80, 24);
        assert!(text.contains("/tmp/animals.txt"), "{text}");
    }
    driver.keys("\t");
    driver.ctrl('u');
    // Letter by letter, and nothing of it is another one.
    driver.keys("/tmp/animals.jsonl");
    let text = driver.text(80, 24);
    assert!(
        text.contains("/tmp/animals.jsonl") && text.contains("● JSON lines"),
        "{text}"
    );
    driver.keys("\n");
    let file = driver.asked.iter().find_map(|request| match request {
        Request::FileRecords(file) => Some(file.clone()),
        _ => None,
    });
    let file = file.unwrap();
    assert_eq!(
        (file.path.as_str(), file.format),
        ("/tmp/animals.jsonl", Format::JsonLines)
    );
}

#[test]
fn what_was_typed_before_is_said_until_the_next_key() {
    let mut driver = Driver::after("2eX\u{1b}e");
    assert!(driver.said().contains("what was typed before"));
    driver.keys("Y");
    assert!(
        !driver.said().contains("what was typed before"),
        "{}",
        driver.said()
    );
}

#[test]
fn what_a_key_lacks_is_said_of_the_place_it_was_pressed_in() {
    let mut driver = Driver::new(Mood::Empty).start();
    driver.keys("5K");
    assert!(driver.said().contains("K needs a row"), "{}", driver.said());
    driver.keys("4");
    assert_eq!(driver.said(), "");
}
