//! From a view that was opened from another one, `esc` leads to where it was opened from.

use super::driver::Driver;
use crossterm::event::KeyCode;
use tramline::tui::keymap::Tab;
use tramline::tui::request::Request;

fn room(keys: &str) -> Driver {
    let mut driver = Driver::after(keys);
    driver.wait(300);
    driver
}

fn esc(driver: &mut Driver) -> Tab {
    driver.keys("\u{1b}");
    driver.app.tab()
}

#[test]
fn every_view_that_a_thing_opens_leads_back_to_it() {
    for (keys, there, back) in [
        ("1\n", Tab::Records, Tab::Schemas),
        ("1m", Tab::Mappings, Tab::Schemas),
        ("4jo", Tab::Records, Tab::Queue),
        ("5\n", Tab::Queue, Tab::Exports),
        ("1!", Tab::Queue, Tab::Schemas),
        ("3L", Tab::Activity, Tab::Mappings),
        ("5O", Tab::Exports, Tab::Exports),
    ] {
        let mut driver = room(keys);
        assert_eq!(driver.app.tab(), there, "{keys}");
        assert_eq!(esc(&mut driver), back, "{keys}");
    }
}

#[test]
fn what_was_opened_in_between_is_closed_first() {
    let mut driver = room("5\n\n ");
    assert_eq!(driver.app.tab(), Tab::Queue);
    // The selection, then the detail, then the view.
    assert_eq!(esc(&mut driver), Tab::Queue);
    assert_eq!(esc(&mut driver), Tab::Queue);
    assert_eq!(esc(&mut driver), Tab::Exports);
    // Three views deep, and back again.
    let mut driver = room("5\noL");
    assert_eq!(driver.app.tab(), Tab::Activity);
    assert_eq!(esc(&mut driver), Tab::Records);
    assert!(
        driver.text(120, 40).contains("will send"),
        "its record is open still"
    );
    assert_eq!(esc(&mut driver), Tab::Queue);
    assert_eq!(esc(&mut driver), Tab::Exports);
    assert_eq!(esc(&mut driver), Tab::Exports);
}

#[test]
fn the_queue_is_as_it_was_before_a_run_was_looked_at_in_it() {
    let mut driver = room("4\t/age>1h\n5\n\u{1b}4");
    let text = driver.text(120, 40);
    assert!(text.contains("/age>1h") && !text.contains("run:"), "{text}");
    let listed = driver.asked.iter().rev().find_map(|request| match request {
        Request::Jobs { query, .. } => Some(query.filter.clone()),
        _ => None,
    });
    assert_eq!(listed.as_deref(), Some("state:ready age>1h"));
    driver.keys("4");
    assert_eq!(esc(&mut driver), Tab::Queue);
}

#[test]
fn a_record_whose_field_was_shown_whole_leads_back_too() {
    let mut driver = room("4jo\n");
    assert!(driver.app.has_overlay());
    assert_eq!(esc(&mut driver), Tab::Records);
    assert!(driver.text(120, 40).contains("will send"));
    assert_eq!(esc(&mut driver), Tab::Queue);
    // The list of the records is as it is without that record.
    driver.keys("2");
    assert!(!driver.text(120, 40).contains("will send"));
}

#[test]
fn who_chooses_a_tab_stays_there() {
    for keys in ["4jo42", "5\n64", "3L56"] {
        let mut driver = room(keys);
        let tab = driver.app.tab();
        for _ in 0..5 {
            assert_eq!(esc(&mut driver), tab, "{keys}");
        }
    }
}

#[test]
fn a_record_that_comes_late_is_given_up_and_the_way_back_stays() {
    let mut driver = room("4j");
    driver.silent = true;
    driver.keys("o");
    driver.wait(400);
    assert_eq!(driver.app.tab(), Tab::Records);
    esc(&mut driver);
    assert_eq!(esc(&mut driver), Tab::Queue);
    driver.speak();
    assert_eq!(driver.app.tab(), Tab::Queue);
    driver.keys("2");
    assert!(!driver.text(120, 40).contains("will send"));
}

#[test]
fn a_related_record_of_another_object_leads_back_to_the_list_as_it_was() {
    // From a row of the list, from its detail, and from a view of the detail.
    for (keys, seen) in [
        ("2jjjj", ""),
        ("2jjjj\n", "properties"),
        ("2jjjj\t\t", "sync view"),
    ] {
        let mut driver = room(keys);
        let before = driver.text(120, 40);
        assert!(before.contains(seen), "{before}");
        driver.keys("o");
        driver.press(KeyCode::Down);
        driver.keys("\n");
        driver.wait(300);
        let there = driver.text(120, 40);
        assert!(
            there != before && driver.app.tab() == Tab::Records,
            "{there}"
        );
        assert_eq!(esc(&mut driver), Tab::Records);
        driver.wait(15_000);
        assert_eq!(driver.text(120, 40), before, "{keys}");
    }
}

#[test]
fn from_log_to_log_esc_leads_back_one_by_one_and_the_kind_is_as_it_was() {
    // Actions are in view, with the cursor on the second.
    let mut driver = room("6\t\t\tj");
    let actions = driver.text(120, 40);
    assert!(actions.contains("actions"), "{actions}");
    // The log of a mapping, then that of a job that a line of it names; the same once more is no other view.
    driver.keys("3Ljj");
    let first = driver.text(120, 40);
    assert!(first.contains("/mapping:pets"), "{first}");
    driver.keys("LL");
    assert!(driver.text(120, 40).contains("/job:0192a"));
    assert_eq!(esc(&mut driver), Tab::Activity);
    assert_eq!(driver.text(120, 40), first);
    assert_eq!(esc(&mut driver), Tab::Mappings);
    driver.keys("6");
    driver.wait(15_000);
    assert_eq!(driver.text(120, 40), actions);
}

#[test]
fn the_queue_is_as_it_was_before_the_last_error_was_looked_at_in_it() {
    // The meter goes on.
    let seen = |driver: &Driver| -> Vec<String> {
        let text = driver.text(120, 40);
        let lines = text.lines().filter(|line| !line.contains("to go"));
        lines.map(str::to_owned).collect()
    };
    for keys in ["4\t/age>1h\njjj", "4jjj\n", "4vj", "4 j "] {
        let mut driver = room(keys);
        let before = seen(&driver);
        driver.keys("!");
        assert_ne!(seen(&driver), before);
        // From there to the log, and back.
        driver.keys("L");
        assert_eq!(driver.app.tab(), Tab::Activity);
        assert_eq!(esc(&mut driver), Tab::Queue);
        assert_eq!(esc(&mut driver), Tab::Queue);
        driver.wait(300);
        assert_eq!(seen(&driver), before, "{keys}");
    }
}
