//! What `C` and the palette say: the command of what was done last, for the accounts in view, wherever it is pasted.

use crate::driver::{Driver, session};
use crate::led;
use crate::world::{self, Mood};
use serde_json::json;
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::theme::ThemeName;

fn room(session: Session, keys: &str) -> Driver {
    led(
        Driver::with(Mood::Normal, session, ThemeName::Dark, false),
        keys,
    )
}

fn copied(driver: &mut Driver) -> String {
    driver.keys("C");
    let texts = driver.effects.iter().rev().find_map(|effect| match effect {
        Effect::Copy { what, text } if what == "command" => Some(text.clone()),
        _ => None,
    });
    texts.unwrap()
}

fn id(row: u64) -> String {
    world::record(Mood::Normal, row).id.to_string()
}

#[test]
fn a_copied_command_names_connection_and_configuration_where_they_are_not_found() {
    let us = Session {
        connection: "us".into(),
        connections: vec!["eu".into(), "us".into()],
        config: Some("/home/jo/two accounts.toml".into()),
        ..session()
    };
    let mut driver = room(us.clone(), "2eX\n");
    let twin = format!(
        "tramline --config '/home/jo/two accounts.toml' records update --connection us pets {} --set name=RexX",
        id(0)
    );
    assert_eq!(copied(&mut driver), twin);
    assert!(driver.app.toasts().contains(&twin.as_str()));
    driver.keys("s");
    let twin = format!(
        "tramline --config '/home/jo/two accounts.toml' sync pets {}",
        id(0)
    );
    assert_eq!(copied(&mut driver), twin, "a mapping has one connection");
    // The first of several is named too: which one is first may change.
    let eu = Session {
        connection: "eu".into(),
        ..us.clone()
    };
    let mut driver = room(eu, "2x\n");
    let twin = copied(&mut driver);
    assert!(twin.contains("records list --connection eu pets"), "{twin}");
    // The only one, in the configuration that is found, needs no word.
    let mut driver = room(session(), "2eX\n");
    let twin = format!("tramline records update pets {} --set name=RexX", id(0));
    assert_eq!(copied(&mut driver), twin);
    // Palette and help say the same, without the file.
    let mut driver = room(us, "2:update\u{1b}");
    driver.keys(":");
    for c in "JSON in".chars() {
        driver.keys(&c.to_string());
    }
    let palette = driver.text(200, 60);
    let twin = "tramline records update --connection us OBJECT RECORD --data FILE";
    assert!(palette.contains(twin), "{palette}");
    driver.keys("\u{1b}?");
    let help = driver.text(200, 90);
    assert!(help.contains("records update --connection us"), "{help}");
}

#[test]
fn a_demo_says_that_its_commands_end_with_it() {
    let demo = Session {
        config: Some("/tmp/tramline-demo-1/config.toml".into()),
        passing: true,
        ..session()
    };
    let mut driver = room(demo, "2s");
    let twin = copied(&mut driver);
    assert!(
        twin.starts_with("tramline --config /tmp/tramline-demo-1/config.toml sync"),
        "{twin}"
    );
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("as long as this demo is open"), "{toasts}");
}

#[test]
fn what_is_only_read_again_is_not_what_was_done() {
    let mut driver = room(session(), "2d");
    assert_eq!(
        copied(&mut driver),
        format!("tramline mappings preview pets {}", id(0))
    );
    driver.keys("s");
    // The sync view reads the contact again.
    driver.wait(500);
    driver.event(Event::Changed);
    driver.wait(500);
    assert_eq!(copied(&mut driver), format!("tramline sync pets {}", id(0)));
    driver.keys("eX\n");
    driver.wait(500);
    let twin = format!("tramline records update pets {} --set name=RexX", id(0));
    assert_eq!(copied(&mut driver), twin);
    driver.ctrl('r');
    driver.wait(500);
    assert_eq!(copied(&mut driver), twin);
    // Looking at the next record is something that a person does.
    driver.keys("hj");
    driver.wait(500);
    let _ = driver.text(200, 60);
    assert_eq!(
        copied(&mut driver),
        format!("tramline mappings preview pets {}", id(1))
    );
}

#[test]
fn what_the_editor_changed_is_said_whole() {
    let mut driver = room(session(), "2E");
    let edit = driver.effects.iter().rev().find_map(|effect| match effect {
        Effect::Edit(editing, _) => Some(editing.clone()),
        _ => None,
    });
    let editing = edit.unwrap();
    let mut after = editing.before.clone();
    after.insert("name".into(), json!("Rex's"));
    after.insert("weight".into(), json!(12.5));
    after.shift_remove("owner_email");
    let text = serde_json::to_string(&after).unwrap();
    driver.event(Event::Edited(editing, Ok(text)));
    let twin = copied(&mut driver);
    let start = format!("tramline records update pets {} --set ", id(0));
    assert!(twin.starts_with(&start), "{twin}");
    for words in [
        r"--set 'name=Rex'\''s'",
        "--set weight=12.5",
        "--set owner_email=",
    ] {
        assert!(twin.contains(words), "{words}: {twin}");
    }
    assert!(!twin.contains("--data"), "{twin}");
}
