//! The mouse: a click does what keys would do, to what was drawn where it fell.

use super::driver::Driver;
use super::view;
use super::world::{self, Mood};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use tramline::model::JobState;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::frame::Dirty;
use tramline::tui::keymap::Tab;
use tramline::tui::request::Request;
use unicode_width::UnicodeWidthStr;

const SIZE: (u16, u16) = (200, 60);

fn mouse(driver: &mut Driver, kind: MouseEventKind, (column, row): (u16, u16)) {
    driver.event(Event::Mouse(MouseEvent {
        kind,
        column,
        row,
        modifiers: KeyModifiers::NONE,
    }));
}

/// Where a text stands on the screen.
fn place(driver: &Driver, text: &str) -> (u16, u16) {
    let screen = driver.text(SIZE.0, SIZE.1);
    let mut lines = screen.lines().enumerate();
    let found = lines.find_map(|(row, line)| Some((line[..line.find(text)?].width(), row)));
    let (column, row) = found.unwrap_or_else(|| panic!("no {text}: {screen}"));
    (column as u16, row as u16)
}

fn click_at(driver: &mut Driver, place: (u16, u16)) {
    // What can be hit is what was drawn last.
    driver.frame(SIZE.0, SIZE.1);
    mouse(driver, MouseEventKind::Down(MouseButton::Left), place);
    mouse(driver, MouseEventKind::Up(MouseButton::Left), place);
}

fn click(driver: &mut Driver, text: &str) {
    let place = place(driver, text);
    click_at(driver, place);
}

fn double_click(driver: &mut Driver, text: &str) {
    let place = place(driver, text);
    click_at(driver, place);
    driver.wait(100);
    click_at(driver, place);
}

/// What `y` copies: what the cursor is on.
fn under(driver: &mut Driver) -> String {
    driver.keys("y");
    let copied = driver.effects.iter().rev().find_map(|effect| match effect {
        Effect::Copy { text, .. } => Some(text.clone()),
        _ => None,
    });
    copied.unwrap()
}

#[test]
fn a_click_opens_a_tab() {
    let mut driver = view(Mood::Normal, "1");
    for (title, tab) in [
        (" 4 Queue", Tab::Queue),
        (" 6 Activity", Tab::Activity),
        (" 2 Records", Tab::Records),
    ] {
        click(&mut driver, title);
        assert_eq!(driver.app.tab(), tab);
    }
}

#[test]
fn a_click_goes_to_a_row_and_a_double_click_is_enter() {
    let mut driver = view(Mood::Normal, "1");
    click(&mut driver, "Visits ");
    assert_eq!(under(&mut driver), "custom_objects.visits");
    assert_eq!(driver.app.tab(), Tab::Schemas);
    click(&mut driver, "Shelters ");
    assert_eq!(under(&mut driver), "custom_objects.shelters");
    double_click(&mut driver, "Visits ");
    assert_eq!(driver.app.tab(), Tab::Records);
    let visits = driver.asked.iter().any(
        |request| matches!(request, Request::Records { object, .. } if object.short() == "visits"),
    );
    assert!(visits);
}

#[test]
fn two_clicks_that_are_far_apart_or_have_a_key_between_them_are_no_double_click() {
    let mut driver = view(Mood::Normal, "1");
    let (visits, shelters) = (place(&driver, "Visits "), place(&driver, "Shelters "));
    click_at(&mut driver, visits);
    driver.wait(600);
    click_at(&mut driver, visits);
    driver.keys("y");
    for row in [visits, shelters, visits] {
        click_at(&mut driver, row);
    }
    assert_eq!(driver.app.tab(), Tab::Schemas);
    // A tab is opened by one click; two of them open nothing in it.
    driver.wait(600);
    double_click(&mut driver, " 4 Queue");
    assert_eq!(driver.app.tab(), Tab::Queue);
    assert!(!driver.asked.iter().any(|r| matches!(r, Request::Job(_))));
}

#[test]
fn a_click_gives_the_keys_to_its_pane() {
    let mut driver = view(Mood::Normal, "1");
    click(&mut driver, "Chip number");
    assert_eq!(under(&mut driver), "chip");
    click(&mut driver, "Visits ");
    assert_eq!(under(&mut driver), "custom_objects.visits");

    let mut driver = view(Mood::Normal, "2\n");
    let first = under(&mut driver);
    // The detail has the keys; a click into the list moves there, also beside the JSON tree.
    for view in ["", "\t"] {
        driver.keys(view);
        click(&mut driver, "小雪 ");
        let other = under(&mut driver);
        assert_ne!(first, other);
        driver.keys("gk");
        assert_eq!(under(&mut driver), first);
        click(
            &mut driver,
            if view.is_empty() {
                "TEXTBOX"
            } else {
                "properties"
            },
        );
        driver.keys("j");
        assert_eq!(under(&mut driver), first, "j moves in the detail");
    }
}

#[test]
fn a_click_chooses_a_mapping_and_a_state_of_the_queue() {
    let mut driver = view(Mood::Normal, "3");
    click(&mut driver, "visits");
    let detail = driver.asked.iter().rev().find_map(|request| match request {
        Request::MappingDetail(name) => Some(name.to_string()),
        _ => None,
    });
    assert_eq!(detail.as_deref(), Some("visits"));
    driver.keys("4/age>1h\n");
    click(&mut driver, "failed 41");
    let filter = driver.asked.iter().rev().find_map(|request| match request {
        Request::Jobs { query, .. } => Some(query.filter.clone()),
        _ => None,
    });
    let failed = format!("state:{}", JobState::Failed.name());
    assert_eq!(filter, Some(format!("{failed} age>1h")));
    let job = place(&driver, "message");
    click_at(&mut driver, (job.0, job.1 + 3));
    driver.keys("w");
    assert!(
        driver
            .asked
            .iter()
            .any(|r| *r == Request::Job(world::job(Mood::Normal, 2).id.to_string()))
    );
}

#[test]
fn what_lies_above_takes_the_clicks() {
    let mut driver = view(Mood::Normal, "2O");
    click(&mut driver, " 4 Queue");
    assert!(driver.app.has_overlay());
    assert_eq!(driver.app.tab(), Tab::Records);
    click(&mut driver, "Visits");
    assert!(driver.app.has_overlay(), "one click chooses nothing");
    double_click(&mut driver, "Shelters");
    assert!(!driver.app.has_overlay());
    let shelters = driver.asked.iter().any(|request| {
        matches!(request, Request::Records { object, .. } if object.short() == "shelters")
    });
    assert!(shelters);
}

#[test]
fn a_click_answers_no_question_and_saves_no_form() {
    let mut driver = view(Mood::Normal, "2D");
    driver.frame(SIZE.0, SIZE.1);
    for row in 0..SIZE.1 {
        for column in (0..SIZE.0).step_by(5) {
            let click = MouseEventKind::Down(MouseButton::Left);
            mouse(&mut driver, click, (column, row));
            mouse(&mut driver, click, (column, row));
        }
    }
    mouse(&mut driver, MouseEventKind::ScrollDown, (9, 9));
    assert!(driver.app.has_overlay());
    assert!(
        !driver
            .asked
            .iter()
            .any(|r| matches!(r, Request::Delete(..)))
    );
    driver.keys("\u{1b}e");
    double_click(&mut driver, "Chip number");
    driver.keys("7");
    let text = driver.text(SIZE.0, SIZE.1);
    assert!(driver.app.has_overlay(), "{text}");
    let line = text.lines().find(|line| line.contains("│ Chip number"));
    assert!(
        line.unwrap().contains('7'),
        "the field takes what is typed: {text}"
    );
    assert!(
        !driver
            .asked
            .iter()
            .any(|r| matches!(r, Request::Update(..)))
    );
}

#[test]
fn the_wheel_moves_in_lists_and_what_only_moves_the_mouse_draws_nothing() {
    let mut driver = view(Mood::Normal, "1");
    driver.frame(SIZE.0, SIZE.1);
    let first = under(&mut driver);
    mouse(&mut driver, MouseEventKind::ScrollDown, (9, 9));
    assert_ne!(under(&mut driver), first);
    mouse(&mut driver, MouseEventKind::ScrollUp, (9, 9));
    assert_eq!(under(&mut driver), first);
    driver.keys(":");
    let before = driver.text(SIZE.0, SIZE.1);
    mouse(&mut driver, MouseEventKind::ScrollDown, (9, 9));
    assert_ne!(driver.text(SIZE.0, SIZE.1), before);
    driver.keys("\u{1b}");
    driver.app.drawn();
    for kind in [
        MouseEventKind::Moved,
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Down(MouseButton::Right),
    ] {
        mouse(&mut driver, kind, (9, 9));
        assert_eq!(driver.app.dirty(), Dirty::Clean, "{kind:?}");
    }
}

#[test]
fn a_click_into_the_notice_of_a_small_terminal_does_nothing() {
    let mut driver = view(Mood::Normal, "1");
    let tab = place(&driver, " 4 Queue");
    driver.event(Event::Resize(40, 10));
    driver.frame(40, 10);
    mouse(&mut driver, MouseEventKind::Down(MouseButton::Left), tab);
    assert_eq!(driver.app.tab(), Tab::Schemas);
}

#[test]
fn a_click_reaches_the_lines_of_a_rule_and_what_is_offered_for_its_condition() {
    let shows = |driver: &Driver, part: &str| {
        let text = driver.text(SIZE.0, SIZE.1);
        assert!(text.contains(part), "{part}: {text}");
    };
    let mut driver = view(Mood::Normal, "3r\n");
    click(&mut driver, "at first sync too");
    shows(&driver, "at first sync too no");
    driver.wait(600);
    double_click(&mut driver, "at first sync too");
    shows(&driver, "at first sync too yes");
    double_click(&mut driver, "add tags");
    shows(&driver, "Add which tags?");
    driver.keys("\u{1b}");
    click(&mut driver, "when              status");
    driver.ctrl('u');
    driver.keys("na");
    click(&mut driver, "name  Name");
    shows(&driver, "when              name ");
    // On a line of text a double click types nothing.
    double_click(&mut driver, "when              name");
    driver.keys("!");
    shows(&driver, "when              name!");
    let mut driver = view(Mood::Normal, "3jt");
    driver.ctrl('u');
    driver.keys("we");
    click(&mut driver, "weight  Weight");
    driver.keys("\n");
    shows(&driver, "1 change, w saves");
}

#[test]
fn a_click_goes_to_a_line_of_the_json_and_another_one_folds_it() {
    let mut driver = view(Mood::Normal, "2\n\t");
    let leaf = "978-0";
    click(&mut driver, "temperament");
    assert!(
        driver.text(SIZE.0, SIZE.1).contains("calm"),
        "the first click only goes there"
    );
    let before = driver.text(SIZE.0, SIZE.1);
    click(&mut driver, "▾ temperament");
    let folded = driver.text(SIZE.0, SIZE.1);
    assert_ne!(folded, before);
    assert!(folded.contains("temperament: […] 2"), "{folded}");
    driver.wait(600);
    click(&mut driver, "▸ temperament");
    assert_eq!(driver.text(SIZE.0, SIZE.1), before);
    // On a leaf two clicks close nothing.
    driver.wait(600);
    double_click(&mut driver, leaf);
    assert!(driver.text(SIZE.0, SIZE.1).contains("▾ temperament"));
}

#[test]
fn a_click_takes_a_completion_of_the_filter() {
    let mut driver = view(Mood::Normal, "4/st");
    click(&mut driver, "state:");
    let text = driver.text(SIZE.0, SIZE.1);
    assert!(text.contains("/state:"), "{text}");
    click(&mut driver, " state:failed");
    let text = driver.text(SIZE.0, SIZE.1);
    assert!(text.contains("/state:failed"), "{text}");
    driver.keys("\n");
    let filter = driver.asked.iter().rev().find_map(|request| match request {
        Request::Jobs { query, .. } => Some(query.filter.clone()),
        _ => None,
    });
    assert_eq!(filter.as_deref(), Some("state:failed"));
}
