//! config.toml read again: what changes, and what a fault leaves as it was.

use super::driver::Driver;
use super::keys::{asked, at};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::model::{ErrorClass, Problem};
use tramline::tui::effect::Effect;
use tramline::tui::event::{Answer, Event};
use tramline::tui::request::{Configured, Reply, Request};
use tramline::tui::slots::Slot;

fn reloaded(driver: &mut Driver, change: impl FnOnce(&mut Configured)) {
    let mut configured = world::configured(Mood::Normal);
    configured.reloaded.changed.push("tui".into());
    change(&mut configured);
    driver.silent = true;
    driver.event(Event::Configured);
    driver.silent = false;
    let answer = Box::new(Answer {
        slot: Slot::Configuration,
        generation: 1,
        reply: Reply::Reloaded(Ok(Box::new(configured))),
    });
    driver.event(Event::Answer(answer));
}

#[test]
fn a_changed_configuration_is_in_force_at_once() {
    let mut driver = at("3");
    reloaded(&mut driver, |configured| {
        configured.environment = "production".into();
        configured.production = true;
        configured.options.keys = [("quit".to_owned(), vec!["Z".to_owned()])].into();
        configured.options.mouse = true;
        configured.mappings.remove(0);
    });
    assert!(driver.app.toasts()[0].contains("tui changed"));
    assert!(driver.text(120, 40).contains("production"));
    let tune = Effect::Tune {
        fps: 30,
        low_bandwidth: false,
        mouse: true,
    };
    assert!(driver.effects.contains(&tune), "{:?}", driver.effects);
    // The mapping in view is gone: the next one is read.
    assert_eq!(
        asked(&driver, |r| *r == Request::MappingDetail("shelters".into())),
        1
    );
    driver.keys("q");
    assert!(!driver.effects.contains(&Effect::Quit));
    driver.keys("Z");
    assert!(driver.effects.contains(&Effect::Quit));
}

#[test]
fn keys_that_cannot_be_used_leave_the_old_ones_and_say_why() {
    let mut driver = at("");
    reloaded(&mut driver, |configured| {
        configured.options.keys = [("quit".to_owned(), vec!["1".to_owned()])].into();
    });
    let toasts = driver.app.toasts().join("\n");
    assert!(toasts.contains("the keys stay as they were"), "{toasts}");
    driver.keys("q");
    assert!(driver.effects.contains(&Effect::Quit));
}

#[test]
fn a_configuration_that_cannot_be_used_changes_nothing_and_is_told() {
    let mut driver = at("");
    driver.silent = true;
    driver.event(Event::Configured);
    driver.silent = false;
    let before = driver.text(120, 40);
    let problem = Problem::new(ErrorClass::Config, "config.toml:3: nonsense");
    let answer = Box::new(Answer {
        slot: Slot::Configuration,
        generation: 1,
        reply: Reply::Reloaded(Err(problem)),
    });
    driver.event(Event::Answer(answer));
    assert_eq!(driver.app.toasts(), ["config.toml:3: nonsense"]);
    assert!(
        !driver
            .effects
            .iter()
            .any(|e| matches!(e, Effect::Tune { .. }))
    );
    driver.press(KeyCode::Esc);
    assert_eq!(driver.text(120, 40), before);
}

#[test]
fn reloading_by_hand_reads_the_configuration_and_the_tokens_too() {
    let mut driver = at("");
    driver.ctrl('r');
    assert_eq!(
        asked(&driver, |r| *r == Request::Reload { credentials: true }),
        1
    );
    assert!(driver.app.toasts().is_empty(), "nothing changed");
}
