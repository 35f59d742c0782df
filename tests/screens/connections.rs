//! Several connections: choosing one, what then changes, what comes back.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use tramline::model::bulk::BulkAction;
use tramline::operations::queue::{Chosen, JobQuery};
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::event::{Answer, Event};
use tramline::tui::keymap::Tab;
use tramline::tui::request::Request;
use tramline::tui::theme::ThemeName;

fn of_two(connection: &str) -> Session {
    Session {
        connection: connection.into(),
        connections: vec!["default".into(), "eu".into()],
        ..session()
    }
}

pub fn room(mood: Mood) -> Driver {
    let driver = Driver::with(mood, of_two("default"), ThemeName::Dark, false).start();
    driver.frame(120, 40);
    driver
}

fn connects(driver: &Driver) -> Vec<&str> {
    let effects = driver.effects.iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Connect(name) => Some(name.as_str()),
            _ => None,
        })
        .collect()
}

/// Filters of the lists of jobs that were asked for.
fn lists(driver: &Driver) -> Vec<&str> {
    let asked = driver.asked.iter();
    asked
        .filter_map(|request| match request {
            Request::Jobs { query, .. } => Some(query.filter.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn at_lists_the_connections_and_enter_shows_another_one_on_every_screen() {
    let mut driver = room(Mood::Normal);
    driver.keys("4@");
    let text = driver.text(120, 40);
    for part in [
        "Connection · sandbox",
        "● default  alive                  acme.api-us1.com     ve9EPM428h8vShlRW1KT",
        "  eu       paused until 15:02:30  acme-eu.api-us1.com  eu7Kq2mR8h8vShlRW1KT",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    driver.asked.clear();
    driver.keys("eu\n");
    assert_eq!(connects(&driver), ["eu"]);
    assert_eq!(lists(&driver), ["connection:eu"]);
    for request in [Request::Status, Request::Mappings] {
        assert!(driver.asked.contains(&request), "{:?}", driver.asked);
    }
    assert_eq!(driver.app.tab(), Tab::Queue, "the screen stays");
    for size in [(80, 24), (200, 60)] {
        let text = driver.text(size.0, size.1);
        let first = text.lines().next().unwrap();
        assert!(first.starts_with(" Tramline  eu · "), "{first}");
    }
    driver.keys("C");
    let twin = "tramline tui --connection eu";
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text == twin);
    assert!(driver.effects.iter().any(copied));
    // Every other screen asks anew too.
    driver.asked.clear();
    driver.keys("1");
    assert!(driver.asked.contains(&Request::Schemas { totals: false }));
    driver.keys("5");
    assert!(driver.asked.contains(&Request::Exports));
}

#[test]
fn what_was_asked_of_the_other_connection_is_dropped_when_it_comes() {
    let mut driver = room(Mood::Normal);
    driver.silent = true;
    driver.keys("4");
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::Jobs { .. }));
    let (status, old) = driver.waiting(|r| matches!(r, Request::Pace(_)));
    driver.silent = false;
    driver.keys("@");
    driver.silent = true;
    driver.keys("eu\n");
    let late = world::answer(
        Mood::Normal,
        Request::Jobs {
            query: JobQuery {
                limit: 100,
                ..JobQuery::default()
            },
            page: 0,
        },
    );
    let answer = |slot, generation, reply| {
        Event::Answer(Box::new(Answer {
            slot,
            generation,
            reply,
        }))
    };
    driver.event(answer(slot, generation, late.clone()));
    let since = "2026-11-23T14:00:00Z".parse().unwrap();
    let pace = world::answer(Mood::Normal, Request::Pace(since));
    driver.event(answer(status, old, pace));
    let text = driver.text(120, 40);
    assert!(
        !text.contains("1 of 230") && !text.contains("to go"),
        "{text}"
    );
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::Jobs { .. }));
    driver.event(answer(slot, generation, late));
    assert!(driver.text(120, 40).contains("1 of 230"));
}

#[test]
fn what_is_written_goes_on_and_its_end_is_said_without_a_screen() {
    let mut driver = room(Mood::Normal);
    driver.keys("2");
    driver.silent = true;
    driver.keys("s");
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::Sync(..)));
    driver.silent = false;
    driver.keys("@eu\n");
    let cancelled = |e: &Effect| *e == Effect::Cancel(slot);
    assert!(
        !driver.effects.iter().any(cancelled),
        "a write is never given up"
    );
    driver.mood = Mood::Broken;
    let id = world::record(Mood::Normal, 1).id;
    let reply = world::answer(Mood::Broken, Request::Sync("pets".into(), vec![id]));
    driver.answer((slot, generation), reply);
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("default: "), "{toasts}");
    assert!(toasts.contains("the token is refused"), "{toasts}");
}

#[test]
fn each_connection_keeps_its_view_and_the_last_one_comes_back_at_the_next_start() {
    let mut driver = room(Mood::Normal);
    driver.keys("4/age>1h\n@eu\n/mapping:pets\n\t@def\n");
    assert_eq!(lists(&driver).last(), Some(&"age>1h connection:default"));
    driver.keys("@eu\nq");
    let kept = driver.effects.iter().find_map(|e| match e {
        Effect::Remember(view) => Some(view.clone()),
        _ => None,
    });
    let mut next = Driver::with(Mood::Normal, of_two("eu"), ThemeName::Dark, false);
    next.remembered = kept;
    let mut next = next.start();
    assert_eq!(next.app.tab(), Tab::Queue);
    let last = "state:ready mapping:pets connection:eu";
    assert_eq!(lists(&next).last(), Some(&last));
    next.keys("@def\n");
    assert_eq!(lists(&next).last(), Some(&"age>1h connection:default"));
}

#[test]
fn changes_that_are_in_no_file_are_asked_about_first() {
    let mut driver = room(Mood::Normal);
    driver.keys("3jtX\n@eu\n");
    assert!(
        driver
            .text(80, 24)
            .contains("Changes of pets are in no file")
    );
    driver.keys("n");
    assert!(connects(&driver).is_empty());
    driver.keys("@eu\ny");
    assert_eq!(connects(&driver), ["eu"]);
}

#[test]
fn a_yes_to_production_is_no_yes_for_other_accounts() {
    let production = Session {
        production: true,
        environment: "production".into(),
        ..of_two("default")
    };
    let mut driver = Driver::with(Mood::Normal, production, ThemeName::Dark, false).start();
    driver.keys("2sy@eu\n2");
    driver.asked.clear();
    driver.keys("s");
    assert!(driver.text(80, 24).contains("Write to production?"));
}

#[test]
fn lists_and_actions_on_many_are_about_the_connection_in_view() {
    let mut driver = room(Mood::Normal);
    driver.keys("4\t\t\t\tR");
    let chosen = Chosen::Filter("state:failed connection:default".into());
    assert!(driver.asked.contains(&Request::Count(chosen.clone())));
    driver.keys("y");
    let later = Request::Later(BulkAction::Retry, chosen, 41);
    assert!(driver.asked.contains(&later), "{:?}", driver.asked);
    // A filter that names connections is taken at its word.
    driver.keys("/connection:eu\n");
    assert_eq!(lists(&driver).last(), Some(&"state:failed connection:eu"));
}

#[test]
fn with_one_connection_nothing_is_narrowed_and_choosing_it_changes_nothing() {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.keys("4");
    assert_eq!(lists(&driver), [""]);
    assert!(
        driver
            .text(120, 40)
            .starts_with(" Tramline  acme · sandbox")
    );
    driver.keys("@\n");
    assert!(connects(&driver).is_empty());
}

#[test]
fn the_activity_leaves_out_what_is_known_to_be_of_another_connection() {
    let call = |connection: &str, path: &str| {
        let mut call = world::call(Mood::Empty, 1);
        call.connection = Some(connection.into());
        call.path = path.into();
        Event::Call(call)
    };
    let mut driver = room(Mood::Empty);
    driver.keys("6");
    driver.event(call("default", "/objects/of-default"));
    driver.event(call("eu", "/objects/of-eu"));
    let text = driver.text(120, 40);
    assert!(
        text.contains("of-default") && !text.contains("of-eu"),
        "{text}"
    );
    driver.keys("/connection:eu\n");
    let text = driver.text(120, 40);
    assert!(
        !text.contains("of-default") && text.contains("of-eu"),
        "{text}"
    );
}
