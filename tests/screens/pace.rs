//! The line on how fast the queue moves, and actions on many that others began.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use jiff::{SignedDuration, Timestamp};
use tramline::model::bulk::{Bulk, BulkAction, BulkState};
use tramline::tui::context::Session;
use tramline::tui::event::Event;
use tramline::tui::request::Request;
use tramline::tui::theme::ThemeName;

fn queue(mood: Mood) -> Driver {
    let mut driver = Driver::new(mood).start();
    driver.frame(120, 40);
    driver.keys("4");
    driver
}

/// The line below the counts.
fn line(driver: &Driver, width: u16, height: u16) -> String {
    let text = driver.text(width, height);
    text.lines().nth(3).unwrap().to_owned()
}

fn paces(driver: &Driver) -> Vec<Timestamp> {
    let since = |request| match request {
        &Request::Pace(since) => Some(since),
        _ => None,
    };
    driver.asked.iter().filter_map(since).collect()
}

#[test]
fn rate_rest_and_budgets_stand_above_the_list_at_every_width() {
    let driver = queue(Mood::Normal);
    let wide = line(&driver, 200, 60);
    for part in [
        "/s   1,204 to go · ",
        " left   ",
        "GHL 19 %  AC 60 %  import 4 % in use",
    ] {
        assert!(wide.contains(part), "{part}: {wide}");
    }
    let narrow = line(&driver, 80, 24);
    assert!(
        narrow.contains("1,204 to go") && narrow.contains('█'),
        "{narrow}"
    );
    // On the smallest terminal the line belongs to the list.
    assert!(!driver.text(60, 16).contains("to go"));
}

#[test]
fn low_bandwidth_has_no_sparkline_and_ascii_other_glyphs() {
    let slow = Session {
        low_bandwidth: true,
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, slow, ThemeName::Dark, false).start();
    driver.keys("4");
    let text = line(&driver, 120, 40);
    assert!(text.contains("1,204 to go"), "{text}");
    assert!(!text.contains('█') && !text.contains('▁'), "{text}");
    let mut driver = Driver::with(Mood::Normal, session(), ThemeName::Dark, true).start();
    driver.keys("4");
    let text = line(&driver, 120, 40);
    assert!(text.is_ascii() && text.contains('#'), "{text}");
}

#[test]
fn the_pace_is_read_four_times_a_second_at_most_and_only_from_the_last_look_on() {
    let mut driver = queue(Mood::Normal);
    let begin = world::noon();
    assert_eq!(paces(&driver), [begin - SignedDuration::from_secs(300)]);
    for _ in 0..100 {
        driver.now += SignedDuration::from_millis(10);
        driver.event(Event::Changed);
    }
    let asked = paces(&driver);
    assert!((4..=5).contains(&asked.len()), "{asked:?}");
    let last = asked.last().unwrap();
    assert!(*last >= begin - SignedDuration::from_secs(2), "{asked:?}");
    // On another screen nobody asks.
    driver.keys("1");
    driver.wait(5000);
    driver.event(Event::Changed);
    assert_eq!(paces(&driver).len(), asked.len());
}

#[test]
fn a_queue_that_rests_says_since_when_and_wakes_nobody() {
    // Nothing but the pace of the queue moves in an empty world.
    let mut driver = queue(Mood::Empty);
    assert!(line(&driver, 120, 40).contains("nothing settled of late"));
    driver.mood = Mood::Million;
    driver.now += SignedDuration::from_secs(1);
    let since = world::noon() - SignedDuration::from_secs(300);
    driver.answer_pace(since);
    let mut wakes = 0;
    while let Some(at) = driver.app.wake() {
        assert!(at > driver.now && wakes < 10, "{at}");
        driver.now = at;
        driver.event(Event::Tick);
        wakes += 1;
    }
    assert!((5..=8).contains(&wakes), "{wakes}");
    let text = line(&driver, 120, 40);
    assert!(text.contains("last settled 14:02:2"), "{text}");
    assert!(text.contains("734,000 to go · — left"), "{text}");
}

fn of_others(changed: u64, state: BulkState) -> Bulk {
    Bulk {
        id: "0192b0ff".into(),
        by: "eve@laptop".into(),
        filter: Some("mapping:pets".into()),
        changed,
        state,
        start_at: world::noon(),
        created_at: world::noon() - SignedDuration::from_secs(2),
        ..world::bulk(BulkAction::Discard)
    }
}

#[test]
fn what_somebody_else_does_to_many_is_shown_with_its_progress_and_its_end() {
    let mut driver = Driver::new(Mood::Normal);
    driver.open = vec![of_others(500, BulkState::Open)];
    driver.bulks = Some(driver.open.clone());
    let mut driver = driver.start();
    driver.keys("4");
    let text = driver.text(80, 24);
    let line = "discard by eve@laptop of mapping:pets: 500 jobs so far";
    assert!(text.contains(line), "{text}");
    driver.bulks = Some(vec![of_others(1500, BulkState::Open)]);
    driver.wait(300);
    driver.event(Event::Changed);
    assert!(driver.text(80, 24).contains("1,500 jobs so far"));
    driver.bulks = Some(vec![of_others(1800, BulkState::Done)]);
    driver.wait(300);
    driver.event(Event::Changed);
    let toasts = driver.app.toasts().join("; ");
    assert!(
        toasts.contains("discard by eve@laptop: 1,800 jobs discarded"),
        "{toasts}"
    );
    // A status that is older than the end brings it back no more.
    driver.wait(300);
    driver.event(Event::Changed);
    assert!(!driver.text(80, 24).contains("so far"));
}

#[test]
fn what_somebody_else_began_is_stopped_only_after_a_question() {
    let mut driver = Driver::new(Mood::Normal);
    driver.open = vec![of_others(500, BulkState::Open)];
    driver.bulks = Some(driver.open.clone());
    let mut driver = driver.start();
    driver.keys("4u");
    let stop = Request::CancelBulk("0192b0ff".into());
    assert!(!driver.asked.contains(&stop));
    assert!(
        driver
            .text(80, 24)
            .contains("Stop the discard by eve@laptop?")
    );
    driver.keys("ny");
    assert!(!driver.asked.contains(&stop));
    driver.keys("\u{1b}uy");
    assert!(driver.asked.contains(&stop));
}

#[test]
fn an_action_that_was_begun_here_stays_this_rooms_own() {
    let mut driver = queue(Mood::Normal);
    // The status tells of it before the answer to the key comes.
    driver.open = vec![world::bulk(BulkAction::Retry)];
    driver.keys("\t\t\t\tR");
    driver.silent = true;
    driver.keys("y");
    driver.silent = false;
    driver.wait(300);
    driver.event(Event::Changed);
    assert!(
        driver
            .text(80, 24)
            .contains("retry by jo of state:failed begins in")
    );
    driver.speak();
    let text = driver.text(80, 24);
    assert!(text.contains("retry of 41 jobs begins in"), "{text}");
    assert_eq!(text.matches("begins in").count(), 1, "{text}");
}
