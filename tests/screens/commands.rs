//! `C`: the command that does what was just done, about the same accounts and the same mapping, or none.

use super::driver::{Driver, session};
use super::view;
use super::world::Mood;
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::theme::ThemeName;

/// The command that `C` copies last.
fn copied(driver: &mut Driver) -> Option<String> {
    driver.effects.clear();
    driver.keys("C");
    driver.effects.iter().find_map(|effect| match effect {
        Effect::Copy { text, .. } => Some(text.clone()),
        _ => None,
    })
}

#[test]
fn a_mapping_that_is_edited_gives_no_command_that_would_go_by_config_toml() {
    for (keys, command) in [
        (" ", "tramline mappings preview pets "),
        ("A", "tramline mappings suggest pets"),
        ("v", "tramline export pets --dry-run"),
        ("rr", "tramline mappings preview pets"),
    ] {
        let mut driver = view(Mood::Normal, &format!("3{keys}"));
        driver.keys("\u{1b}");
        let whole = copied(&mut driver).unwrap();
        assert!(whole.starts_with(command), "{whole}");
        let mut driver = view(Mood::Normal, &format!("3jD{keys}"));
        driver.keys("\u{1b}");
        assert_eq!(copied(&mut driver), None, "{keys}");
        let said = driver.app.toasts().join(" ");
        assert!(
            said.contains("pets has changes that are not saved") && said.contains("w saves"),
            "{said}"
        );
        // Another mapping's command is about what is saved, and so is this one's once nothing is edited.
        driver.keys("\u{1b}\u{1b}\u{1b}\t ");
        let other = copied(&mut driver).unwrap();
        assert!(other.starts_with("tramline mappings preview "), "{other}");
    }
    let mut driver = view(Mood::Normal, "3jD u");
    let whole = copied(&mut driver).unwrap();
    assert!(
        whole.starts_with("tramline mappings preview pets "),
        "{whole}"
    );
}

#[test]
fn a_mapping_that_was_saved_gives_the_command_that_checks_it_and_says_why() {
    let mut driver = view(Mood::Normal, "3 jDw");
    driver.keys("y");
    driver.wait(300);
    assert_eq!(copied(&mut driver).unwrap(), "tramline mappings check pets");
    assert!(
        driver.said().contains("no command saves a mapping"),
        "{}",
        driver.said()
    );
    // One that could not be saved leaves the command of what was done before.
    let mut driver = view(Mood::Normal, "3 jD");
    driver.refuse_save = true;
    driver.keys("wy");
    driver.keys("u");
    let whole = copied(&mut driver).unwrap();
    assert!(
        whole.starts_with("tramline mappings preview pets "),
        "{whole}"
    );
}

#[test]
fn what_goes_on_is_asked_for_of_the_connection_in_view() {
    let eu = Session {
        connection: "eu".into(),
        connections: vec!["default".into(), "eu".into()],
        ..session()
    };
    for (keys, command) in [
        ("6\t", "tramline activity --connection eu"),
        ("6\t\t\t", "tramline audit --connection eu"),
        (
            "6/level:warn\n",
            "tramline activity --connection eu --level warn",
        ),
        (
            "6/connection:default\n",
            "tramline activity --connection default",
        ),
    ] {
        let mut driver = Driver::with(Mood::Normal, eu.clone(), ThemeName::Dark, false).start();
        driver.keys(keys);
        assert_eq!(copied(&mut driver).as_deref(), Some(command));
    }
    let mut driver = Driver::with(Mood::Normal, eu, ThemeName::Dark, false).start();
    driver.keys("6?");
    let text = driver.text(120, 80);
    let both = "tramline activity --connection eu; tramline audit --connection eu";
    assert!(text.contains(both), "{text}");
}
