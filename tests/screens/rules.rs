//! Rules on the mapping screen: what keys do to them, what is asked, and what is said.

use crate::driver::{Driver, session};
use crate::view;
use crate::world::Mood;
use crate::world::drafts::spec;
use crossterm::event::KeyCode;
use tramline::mapping::RuleSpec;
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::request::Request;
use tramline::tui::theme::ThemeName;

/// The rule that was tried last.
fn tried(driver: &Driver) -> RuleSpec {
    let tried = driver.asked.iter().rev().find_map(|request| match request {
        Request::TryRule(_, draft, at, _) => Some(draft.rules[*at].clone()),
        _ => None,
    });
    tried.unwrap()
}

#[test]
fn r_shows_the_rules_with_the_sample_and_leads_back() {
    let mut driver = view(Mood::Normal, "3r");
    let text = driver.text(120, 40);
    assert!(text.contains("status == 'adopted'"), "{text}");
    assert!(text.contains("for Rex a sync fires it"), "{text}");
    driver.keys("j");
    let text = driver.text(120, 40);
    assert!(text.contains("it does not hold: never confirmed"), "{text}");
    driver.keys("y");
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text == "heavy");
    assert!(driver.effects.iter().any(copied));
    driver.keys("/status\n");
    assert!(!driver.text(120, 40).contains("weight > 40"));
    driver.press(KeyCode::Esc);
    assert!(driver.text(120, 40).contains("weight > 40"));
    driver.press(KeyCode::Esc);
    assert!(
        driver.text(120, 40).contains("PET_NAME"),
        "the lines are back"
    );
    driver.keys("rr");
    assert!(driver.text(120, 40).contains("PET_NAME"));
}

#[test]
fn a_name_that_is_typed_where_an_action_stands_is_not_lost() {
    let mut driver = view(Mood::Normal, "3rt");
    driver.wait(200);
    // From the condition to the tags to add; the letters begin a name in their list.
    driver.press(KeyCode::Down);
    driver.keys("senior");
    let text = driver.text(80, 24);
    assert!(
        text.contains("Add which tags?") && text.contains("senior"),
        "{text}"
    );
    // Tab takes it as marked, enter takes all that are.
    driver.keys("\t\n");
    driver.press(KeyCode::Down);
    let text = driver.text(80, 24);
    assert!(text.contains("pet-adopted, senior"), "{text}");
}

#[test]
fn a_rule_is_added_with_its_condition_tried_while_it_is_typed() {
    let mut driver = view(Mood::Normal, "3ra");
    let text = driver.text(80, 24);
    assert!(
        text.contains("New rule of pets") && text.contains("no condition yet"),
        "{text}"
    );
    driver.keys("young\twei\t == 'a");
    driver.wait(200);
    let text = driver.text(80, 24);
    assert!(text.contains("weight == 'a"), "{text}");
    assert!(
        text.contains("the condition: the text does not end"),
        "{text}"
    );
    driver.keys("dopted'");
    driver.wait(200);
    let text = driver.text(80, 24);
    assert!(text.contains("holds for Rex, but does not fire"), "{text}");
    assert!(text.contains("it does nothing"), "{text}");
    // Tags: one that the account has, one that it has not.
    driver.keys("\t vip\tfor good\n\n");
    assert_eq!(tried(&driver).add_tags.0, ["vip", "for good"]);
    let text = driver.text(80, 24);
    assert!(text.contains("tag vip, tag for good"), "{text}");
    assert!(!text.contains("it does nothing"), "{text}");
    // The last line: at a first sync too.
    driver.press(KeyCode::BackTab);
    driver.press(KeyCode::BackTab);
    driver.press(KeyCode::BackTab);
    driver.keys(" ");
    assert!(driver.text(80, 24).contains("a sync fires it"));
    driver.keys("\n");
    assert!(!driver.app.has_overlay());
    let text = driver.text(120, 40);
    assert!(text.contains("1 change, w saves"), "{text}");
    assert!(text.contains("+  young"), "{text}");
    driver.keys("w");
    let text = driver.text(120, 40);
    assert!(
        text.contains("+ rule young: weight == 'adopted': tag vip, tag for good"),
        "{text}"
    );
    driver.press(KeyCode::Esc);
    let after = driver.save_mapping();
    assert_eq!(after.rules.len(), 3);
    let young = &after.rules[2];
    assert_eq!((young.name.as_str(), young.on_first_sync), ("young", true));
    assert_eq!(after.fields, spec().fields);
}

#[test]
fn lists_automations_and_events_are_chosen_from_what_the_account_has() {
    let mut driver = view(Mood::Normal, "3r\n");
    assert!(driver.text(80, 24).contains("Rule adopted"));
    let down = |driver: &mut Driver, times: usize| {
        for _ in 0..times {
            driver.press(KeyCode::Down);
        }
    };
    down(&mut driver, 3);
    driver.keys(" ");
    let text = driver.text(80, 24);
    assert!(
        text.contains("Subscribe to which lists?") && text.contains("Newsletter"),
        "{text}"
    );
    driver.press(KeyCode::Down);
    driver.keys(" \n");
    down(&mut driver, 1);
    driver.keys(" ");
    // What a rule starts already stands first and is marked; a mark is taken away.
    down(&mut driver, 2);
    driver.keys("  ");
    assert_eq!(tried(&driver).subscribe.0, ["Newsletter"]);
    assert!(tried(&driver).resubscribe);
    driver.press(KeyCode::Down);
    driver.keys(" \n");
    let rule = tried(&driver);
    assert_eq!(rule.start_automation.0, ["Farewell"]);
    // Events may not be listed; one is typed. Backspace takes it out again.
    down(&mut driver, 2);
    driver.keys(" ");
    assert!(
        driver
            .app
            .toasts()
            .join(" ")
            .contains("the events cannot be listed: 403")
    );
    driver.keys("fare well\n\n");
    assert_eq!(tried(&driver).record_event.0, ["fare well"]);
    driver.press(KeyCode::Backspace);
    assert!(tried(&driver).record_event.is_empty());
    driver.keys("\n");
    let after = driver.save_mapping();
    assert_eq!(after.rules[0].subscribe.0, ["Newsletter"]);
    assert!(after.rules[0].resubscribe);
}

#[test]
fn names_that_come_late_come_into_the_open_list() {
    let mut driver = view(Mood::Normal, "3r");
    driver.silent = true;
    driver.keys("\n\t ");
    let text = driver.text(80, 24);
    assert!(
        text.contains("pet-adopted") && !text.contains("pet-owner"),
        "{text}"
    );
    driver.speak();
    assert!(driver.text(80, 24).contains("pet-owner"));
    driver.keys("owner\t\n");
    assert_eq!(tried(&driver).add_tags.0, ["pet-adopted", "pet-owner"]);
}

#[test]
fn rules_are_moved_taken_out_and_brought_back() {
    let mut driver = view(Mood::Normal, "3r>");
    let order = |driver: &Driver| {
        let text = driver.text(120, 40);
        text.find("status ==").unwrap() < text.find("weight >").unwrap()
    };
    assert!(!order(&driver));
    assert!(driver.text(120, 40).contains("1 change, w saves"));
    driver.keys("w");
    let text = driver.text(120, 40);
    assert!(
        text.contains("order of rules: adopted, heavy -> heavy, adopted"),
        "{text}"
    );
    driver.press(KeyCode::Esc);
    // The cursor went along.
    driver.keys("<");
    assert!(order(&driver) && !driver.text(120, 40).contains("w saves"));
    driver.keys("uu");
    assert!(order(&driver));
    driver.keys("D");
    let text = driver.text(120, 40);
    assert!(!text.contains("status == 'adopted'"), "{text}");
    assert!(
        driver
            .app
            .toasts()
            .join(" ")
            .contains("adopted is taken out")
    );
    driver.keys("u");
    assert!(driver.text(120, 40).contains("status == 'adopted'"));
    driver.keys("D");
    let after = driver.save_mapping();
    let names: Vec<&str> = after.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["heavy"]);
}

#[test]
fn the_survey_counts_by_the_rules_as_they_are_to_be() {
    let mut driver = view(Mood::Normal, "3rDv");
    let surveyed = driver.asked.iter().find_map(|request| match request {
        Request::Survey(_, draft) => Some(draft.rules.len()),
        _ => None,
    });
    assert_eq!(surveyed, Some(1));
    driver.press(KeyCode::Esc);
    driver.keys("<>");
    driver.press(KeyCode::Esc);
    driver.press(KeyCode::Esc);
    driver.keys("<");
    assert!(
        driver
            .app
            .toasts()
            .join(" ")
            .contains("only their order counts")
    );
}

#[test]
fn what_is_typed_and_pasted_into_a_rule_is_no_key() {
    let mut driver = view(Mood::Normal, "3r\n");
    driver.ctrl('u');
    driver.event(Event::Paste("quit == 'q'\nD".to_owned()));
    driver.wait(200);
    assert_eq!(tried(&driver).when, "quit == 'q' D");
    driver.ctrl('u');
    driver.keys("na");
    driver.ctrl('n');
    driver.ctrl('p');
    driver.keys("\t");
    assert_eq!(tried(&driver).when, "name");
    driver.press(KeyCode::Esc);
    assert!(
        !driver.text(120, 40).contains("w saves"),
        "esc leaves it as it was"
    );
    driver.keys("\n");
    driver.press(KeyCode::Up);
    driver.ctrl('u');
    driver.keys("\n");
    assert!(driver.text(80, 24).contains("a rule needs a name"));
    driver.keys("heavy\n");
    assert!(driver.text(80, 24).contains("another rule has this name"));
}

#[test]
fn read_only_changes_no_rule() {
    let read_only = Session {
        read_only: true,
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, read_only, ThemeName::Dark, false).start();
    driver.keys("3r");
    for key in ["\n", "a", "D", ">", "c"] {
        driver.keys(key);
        assert!(!driver.app.has_overlay(), "{key}");
    }
    assert!(driver.text(120, 40).contains("status == 'adopted'"));
    assert!(driver.text(80, 24).contains("read-only"));
}
