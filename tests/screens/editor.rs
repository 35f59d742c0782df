//! The mapping editor: what keys do to a draft, what is asked, and that no change is lost.

use crate::driver::{Driver, session};
use crate::view;
use crate::world::Mood;
use crate::world::drafts::spec;
use crossterm::event::KeyCode;
use tramline::mapping::{FieldSpec, MappingSpec};
use tramline::model::MappingName;
use tramline::tui::effect::Effect;
use tramline::tui::request::Request;

fn saved(driver: &Driver) -> Vec<(MappingName, MappingSpec, MappingSpec)> {
    let saved = driver.asked.iter().filter_map(|request| match request {
        Request::SaveMapping(name, both) => Some((name.clone(), both.0.clone(), both.1.clone())),
        _ => None,
    });
    saved.collect()
}

fn source<'a>(spec: &'a MappingSpec, target: &str) -> Option<&'a str> {
    spec.fields.get(target).map(FieldSpec::source)
}

#[test]
fn what_a_source_makes_of_the_sample_stands_beneath_it_while_it_is_typed() {
    let mut driver = view(Mood::Normal, "3jt");
    assert!(driver.text(80, 24).contains("%PET_NAME% from"));
    assert!(
        driver.text(80, 24).contains("<name>"),
        "{}",
        driver.text(80, 24)
    );
    driver.keys("X");
    driver.wait(200);
    assert!(
        driver.text(80, 24).contains("<nameX>"),
        "{}",
        driver.text(80, 24)
    );
    driver.ctrl('u');
    driver.keys("{{ na");
    driver.wait(200);
    assert!(driver.text(80, 24).contains("the template does not end"));
    // Letters that are keys elsewhere are text here; tab completes the name that is being typed.
    driver.press(KeyCode::Tab);
    driver.keys(" }}q");
    driver.wait(200);
    assert!(
        driver.text(80, 24).contains("<{{ name }}q>"),
        "{}",
        driver.text(80, 24)
    );
    driver.press(KeyCode::Esc);
    assert!(!driver.app.has_overlay());
    assert!(
        !driver.text(80, 24).contains("1 change"),
        "esc leaves it as it was"
    );
}

#[test]
fn changes_are_marked_counted_taken_back_and_saved_with_a_question() {
    let mut driver = view(Mood::Normal, "3jt");
    driver.ctrl('u');
    driver.keys("chip\n");
    driver.keys("jDa");
    driver.keys("chip\nname\n");
    driver.wait(200);
    let text = driver.text(200, 60);
    assert!(text.contains("3 changes, w saves"), "{text}");
    assert!(text.contains('~') && text.contains('+'), "{text}");
    driver.keys("u");
    assert!(driver.text(120, 40).contains("2 changes"));
    driver.keys("w");
    let text = driver.text(80, 24);
    assert!(text.contains("~ %PET_NAME%: name -> chip"), "{text}");
    assert!(
        text.contains("- %WEIGHT_KG%: {{ weight | round(1) }}"),
        "{text}"
    );
    driver.press(KeyCode::Enter);
    assert_eq!(saved(&driver).len(), 0, "enter is no");
    driver.keys("wy");
    driver.wait(200);
    let all = saved(&driver);
    assert_eq!(all.len(), 1);
    let (name, before, after) = &all[0];
    assert_eq!((name.as_str(), before), ("pets", &spec()));
    assert_eq!(source(after, "%PET_NAME%"), Some("chip"));
    assert_eq!(source(after, "%WEIGHT_KG%"), None);
    assert!(
        driver
            .app
            .toasts()
            .iter()
            .any(|toast| toast.contains("saved in config.toml"))
    );
    assert!(!driver.text(120, 40).contains("w saves"));
}

#[test]
fn a_refused_save_keeps_the_changes_and_says_why() {
    let mut driver = view(Mood::Normal, "3D");
    driver.refuse_save = true;
    driver.keys("wy");
    driver.wait(200);
    assert!(
        driver
            .app
            .toasts()
            .iter()
            .any(|toast| toast.contains("says something else by now"))
    );
    assert!(driver.text(120, 40).contains("1 change, w saves"));
}

#[test]
fn unsaved_changes_survive_another_mapping_and_are_asked_about_at_the_end() {
    let mut driver = view(Mood::Normal, "3D");
    driver.press(KeyCode::Tab);
    driver.wait(200);
    assert!(!driver.text(120, 40).contains("w saves"));
    driver.press(KeyCode::Left);
    driver.wait(200);
    assert!(driver.text(120, 40).contains("1 change, w saves"));
    driver.keys("q");
    assert!(driver.text(80, 24).contains("Quit without saving?"));
    driver.press(KeyCode::Esc);
    assert!(!driver.effects.contains(&Effect::Quit));
    driver.keys("qy");
    assert!(driver.effects.contains(&Effect::Quit));
}

#[test]
fn a_suggested_pair_is_taken_into_the_draft() {
    let mut driver = view(Mood::Normal, "3A");
    driver.wait(200);
    driver.press(KeyCode::Enter);
    driver.wait(200);
    driver.keys("wy");
    assert_eq!(source(&saved(&driver)[0].2, "%CHIP%"), Some("chip"));
}

#[test]
fn read_only_edits_nothing_and_a_mapping_that_is_as_it_was_is_not_saved() {
    let read_only = tramline::tui::context::Session {
        read_only: true,
        ..session()
    };
    let theme = tramline::tui::theme::ThemeName::Dark;
    let mut driver = Driver::with(Mood::Normal, read_only, theme, false).start();
    driver.keys("3");
    driver.wait(200);
    for key in ["t", "a", "D", "w"] {
        driver.keys(key);
        assert!(!driver.app.has_overlay(), "{key}");
    }
    assert!(driver.text(80, 24).contains("read-only"));
    let mut driver = view(Mood::Normal, "3wu");
    assert_eq!(saved(&driver).len(), 0);
    assert!(
        driver
            .app
            .toasts()
            .iter()
            .any(|toast| toast.contains("no change to save"))
    );
    // Changed and changed back is as it was.
    driver.keys("Duw");
    assert!(!driver.app.has_overlay());
}
