//! Pausing and going on: who, why, until when; on every screen.

use super::driver::{Driver, session};
use super::keys::{asked, at};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::operations::pauses::Scope;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::request::Request;
use tramline::tui::theme::ThemeName;

#[test]
fn p_pauses_the_mapping_of_the_job_with_a_reason() {
    let mut driver = at("4p");
    let text = driver.text(120, 40);
    assert!(text.contains("pause mapping pets"), "{text}");
    assert!(text.contains("pause connection default"), "{text}");
    driver.keys("\n\n");
    let pauses = |r: &Request| matches!(r, Request::Pause { .. });
    assert_eq!(asked(&driver, pauses), 0);
    let text = driver.text(120, 40);
    assert!(text.contains("this field is required"), "{text}");
    driver.keys("a rewrite\tsoon\n");
    assert_eq!(asked(&driver, pauses), 0);
    let text = driver.text(120, 40);
    assert!(text.contains("write 30m, 2h, 18:00"), "{text}");
    for _ in 0..4 {
        driver.press(KeyCode::Backspace);
    }
    driver.keys("2h\n");
    let wanted = Request::Pause {
        scope: Scope::Mapping("pets".into()),
        reason: "a rewrite".into(),
        until: Some(world::noon() + jiff::SignedDuration::from_hours(2)),
    };
    assert_eq!(asked(&driver, |r| *r == wanted), 1, "{:?}", driver.asked);
    assert!(!driver.app.has_overlay());
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("mapping pets is paused"), "{toasts}");
    let text = driver.text(200, 60);
    assert!(
        text.contains("(by jo from 192.0.2.7 since 13:45:30)"),
        "{text}"
    );
    driver.keys("C");
    let twin =
        "tramline queue pause --mapping pets --reason 'a rewrite' --until 2026-11-23T16:02:30Z";
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text == twin);
    assert!(driver.effects.iter().any(copied), "{:?}", driver.effects);
}

#[test]
fn a_pause_ends_when_the_clock_shows_the_time_that_was_typed() {
    for (typed, end) in [
        ("18:00", "2026-11-23T18:00:00Z"),
        ("9:00", "2026-11-24T09:00:00Z"),
    ] {
        let mut driver = at("4p\n");
        driver.keys(&format!("a rewrite\t{typed}\n"));
        let until = driver.asked.iter().find_map(|request| match request {
            Request::Pause { until, .. } => *until,
            _ => None,
        });
        assert_eq!(
            until.map(|at| at.to_string()).as_deref(),
            Some(end),
            "{typed}"
        );
    }
}

#[test]
fn a_pause_that_is_refused_keeps_what_was_typed() {
    let mut driver = at("4p\n");
    driver.mood = Mood::Broken;
    driver.keys("a rewrite\n");
    let text = driver.text(120, 40);
    assert!(
        text.contains("a rewrite") && text.contains("is refused"),
        "{text}"
    );
    driver.mood = Mood::Normal;
    driver.keys("\n");
    assert!(!driver.app.has_overlay());
}

#[test]
fn stopping_is_not_asked_for_on_production_and_going_on_is() {
    let production = tramline::tui::context::Session {
        production: true,
        ..session()
    };
    let mut driver = Driver::with(Mood::Paused, production, ThemeName::Dark, false).start();
    driver.keys("4p");
    // What is paused already can go on; the connection's breaker does not stand in a person's way.
    for row in [
        "resume mapping pets",
        "resume connection",
        "pause connection",
    ] {
        assert!(driver.text(80, 24).contains(row), "{row}");
    }
    driver.keys("pause con\nwhy not\n");
    let pauses = |r: &Request| {
        matches!(
            r,
            Request::Pause {
                scope: Scope::Connection(_),
                until: None,
                ..
            }
        )
    };
    assert_eq!(asked(&driver, pauses), 1);
    driver.keys("\u{1b}p\n");
    let resumes = |r: &Request| *r == Request::Resume(Scope::Mapping("pets".into()));
    let text = driver.text(120, 40);
    for part in [
        "Resume mapping pets?",
        "paused until 15:02:30",
        "by jo from 192.0.2.7 since 13:45:30",
        "the campaign of the shelters",
        "This is production",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(asked(&driver, resumes), 0);
    driver.keys("y");
    assert_eq!(asked(&driver, resumes), 1);
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("mapping pets goes on"), "{toasts}");
}

#[test]
fn what_is_paused_is_said_on_every_screen_and_at_every_size() {
    for tab in ["1", "2", "3", "4", "5", "6"] {
        let mut driver = Driver::new(Mood::Paused).start();
        driver.keys(tab);
        for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
            let text = driver.text(width, height);
            assert!(text.contains("2 pauses"), "{tab}: {text}");
        }
    }
    let mut driver = Driver::new(Mood::Paused).start();
    driver.keys("4");
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let text = driver.text(width, height);
        assert!(text.contains("mapping pets is paused until"), "{text}");
        assert!(text.contains("connection default is stopped"), "{text}");
        assert!(text.contains("p resumes"), "{text}");
    }
}

#[test]
fn the_status_is_read_again_when_a_pause_ends_by_itself() {
    let mut driver = Driver::new(Mood::Paused).start();
    driver.keys("1");
    driver.mood = Mood::Normal;
    driver.asked.clear();
    let end = world::pauses()[0].until.unwrap();
    while let Some(at) = driver.app.wake().filter(|at| *at < end) {
        driver.now = at.max(driver.now + jiff::SignedDuration::from_millis(1));
        driver.mood = Mood::Paused;
        driver.event(Event::Tick);
    }
    driver.mood = Mood::Normal;
    assert_eq!(driver.app.wake(), Some(end));
    assert!(driver.text(80, 24).contains("2 pauses"));
    driver.now = end;
    driver.event(Event::Tick);
    assert!(!driver.text(80, 24).contains("pauses"));
}
