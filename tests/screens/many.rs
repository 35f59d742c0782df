//! Actions on many jobs: counted, asked for, taken back; failure groups.

use super::driver::Driver;
use super::keys::{asked, at};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::model::JobState;
use tramline::model::bulk::{Bulk, BulkAction, BulkState};
use tramline::operations::queue::Chosen;
use tramline::operations::retried::{AfterRetry, Count};
use tramline::tui::effect::Effect;
use tramline::tui::event::{Answer, Event};
use tramline::tui::request::{Reply, Request};

/// A room in which every failed job is to be retried, five seconds from now.
fn retrying_all(mood: Mood) -> Driver {
    let mut driver = Driver::new(mood).start();
    driver.frame(120, 40);
    driver.keys("4\t\t\t\t");
    driver.wait(200);
    driver.asked.clear();
    driver.keys("Ry");
    driver
}

fn later(filter: &str) -> impl Fn(&Request) -> bool {
    let wanted = Request::Later(BulkAction::Retry, Chosen::Filter(filter.into()), 41);
    move |request| *request == wanted
}

#[test]
fn retry_all_counts_first_and_can_be_taken_back_for_five_seconds() {
    let mut driver = at("4");
    for _ in 0..4 {
        driver.press(KeyCode::Tab);
    }
    driver.keys("R");
    let failed = Chosen::Filter("state:failed".into());
    assert_eq!(asked(&driver, |r| *r == Request::Count(failed.clone())), 1);
    assert!(driver.text(80, 24).contains("Retry 41 jobs?"));
    assert_eq!(asked(&driver, later("state:failed")), 0);

    let mut driver = retrying_all(Mood::Normal);
    assert_eq!(asked(&driver, later("state:failed")), 1);
    for left in [5, 4, 3, 2, 1] {
        for (width, height) in [(60, 16), (80, 24), (200, 60)] {
            let text = driver.text(width, height);
            let line = format!("retry of 41 jobs begins in {left} s");
            assert!(
                text.contains(&line) && text.contains("u takes it back"),
                "{text}"
            );
        }
        driver.wait(1000);
    }
    assert!(driver.text(80, 24).contains("retry: 0 of 41 jobs"));
}

#[test]
fn u_takes_an_action_back_and_says_what_became_of_it() {
    let mut driver = retrying_all(Mood::Normal);
    driver.wait(1000);
    driver.bulks = Some(vec![Bulk {
        state: BulkState::Cancelled,
        ..world::bulk(BulkAction::Retry)
    }]);
    driver.keys("u");
    let taken_back = Request::CancelBulk("0192b01c".into());
    assert_eq!(asked(&driver, |r| *r == taken_back), 1);
    driver.wait(300);
    let toasts = driver.app.toasts().join("; ");
    assert!(
        toasts.contains("retry taken back: no job was changed"),
        "{toasts}"
    );
    assert!(!driver.text(80, 24).contains("takes it back"));
    driver.keys("u");
    assert_eq!(asked(&driver, |r| *r == taken_back), 1);
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("nothing to take back"), "{toasts}");
}

#[test]
fn what_is_taken_back_half_way_is_told_with_both_numbers() {
    let mut driver = retrying_all(Mood::Normal);
    driver.wait(5000);
    let half = |state| Bulk {
        state,
        changed: 20,
        ..world::bulk(BulkAction::Retry)
    };
    driver.bulks = Some(vec![half(BulkState::Open)]);
    driver.event(Event::Changed);
    let text = driver.text(80, 24);
    assert!(text.contains("retry: 20 of 41 jobs"), "{text}");
    assert!(text.contains("u stops the rest"), "{text}");
    driver.bulks = Some(vec![half(BulkState::Cancelled)]);
    driver.keys("u");
    driver.wait(300);
    let toasts = driver.app.toasts().join("; ");
    assert!(
        toasts.contains("retry stopped: 20 jobs are ready again of 41"),
        "{toasts}"
    );
}

#[test]
fn an_action_that_cannot_be_taken_back_goes_on_and_can_be_tried_again() {
    let mut driver = retrying_all(Mood::Normal);
    driver.mood = Mood::Broken;
    driver.keys("u");
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("the token is refused"), "{toasts}");
    assert!(driver.text(80, 24).contains("u takes it back"));
    driver.mood = Mood::Normal;
    driver.keys("u");
    let cancels = |r: &Request| matches!(r, Request::CancelBulk(_));
    assert_eq!(asked(&driver, cancels), 2);
}

#[test]
fn the_countdown_wakes_once_a_second_and_nothing_wakes_once_it_is_over() {
    // A room in which nothing else moves.
    let mut driver = retrying_all(Mood::Empty);
    driver.wait(250);
    driver.event(Event::Changed);
    let mut wakes = Vec::new();
    while let Some(at) = driver.app.wake() {
        assert!(at > driver.now && wakes.len() < 10, "{wakes:?}");
        driver.now = at;
        driver.event(Event::Tick);
        wakes.push(at.duration_since(world::noon()).as_millis());
    }
    assert_eq!(wakes, [1200, 2200, 3200, 4200, 5200]);
    let bulks = |r: &Request| *r == Request::Bulks;
    let before = asked(&driver, bulks);
    driver.wait(60_000);
    assert_eq!(asked(&driver, bulks), before, "it is not asked for by time");
    driver.bulks = Some(vec![Bulk {
        state: BulkState::Done,
        changed: 40,
        ..world::bulk(BulkAction::Retry)
    }]);
    driver.event(Event::Changed);
    assert_eq!(driver.app.toasts(), ["40 jobs are ready again"]);
    assert!(!driver.text(80, 24).contains("of 41 jobs"));
    driver.event(Event::Changed);
    driver.wait(20_000);
    driver.wait(20_000);
    assert_eq!(
        asked(&driver, bulks),
        before + 1,
        "nothing is left to ask for"
    );
    assert_eq!(driver.app.wake(), None);
}

#[test]
fn what_became_of_retried_jobs_is_said() {
    let mut driver = retrying_all(Mood::Normal);
    driver.wait(6_000);
    let done = Bulk {
        state: BulkState::Done,
        changed: 41,
        ..world::bulk(BulkAction::Retry)
    };
    let since = done.start_at;
    driver.bulks = Some(vec![done]);
    driver.event(Event::Changed);
    driver.wait(300);
    assert_eq!(asked(&driver, |r| *r == Request::AfterRetry(since)), 1);
    let said = "41 jobs retried; of all retried since: 30 done, 11 failed";
    assert!(driver.said().contains(said), "{}", driver.said());
    assert!(!driver.text(80, 24).contains("to go: "));
    driver.event(Event::Changed);
    driver.wait(300);
    assert_eq!(
        asked(&driver, |r| *r == Request::AfterRetry(since)),
        1,
        "it is over"
    );
}

#[test]
fn retried_jobs_that_are_still_to_go_are_counted_above_the_list_until_nothing_moves() {
    let mut driver = retrying_all(Mood::Normal);
    driver.wait(6_000);
    driver.bulks = Some(vec![Bulk {
        state: BulkState::Done,
        changed: 41,
        ..world::bulk(BulkAction::Retry)
    }]);
    driver.silent = true;
    driver.event(Event::Changed);
    let reply = |driver: &mut Driver, what: fn(&Request) -> bool, reply: Reply| {
        let (slot, generation) = driver.waiting(what);
        let answer = Answer {
            slot,
            generation,
            reply,
        };
        driver.event(Event::Answer(Box::new(answer)));
    };
    let bulks = driver.bulks.clone().unwrap();
    let since = bulks[0].start_at;
    reply(
        &mut driver,
        |r| *r == Request::Bulks,
        Reply::Bulks(Ok(bulks)),
    );
    driver.wait(300);
    let became = |done, failed, to_go| AfterRetry {
        done: Count::exactly(done),
        failed: Count::exactly(failed),
        to_go,
    };
    let stand = |driver: &mut Driver, became: AfterRetry| {
        reply(
            driver,
            |r| matches!(r, Request::AfterRetry(_)),
            Reply::AfterRetry(since, Ok(became)),
        );
    };
    // More than are counted move though their number stands still.
    let many = Count {
        number: 10_000,
        exact: false,
    };
    for _ in 0..4 {
        stand(&mut driver, became(20, 8, many));
        let text = driver.text(80, 24);
        assert!(text.contains("20 done, 8 failed, 10,000+ to go"), "{text}");
        driver.wait(30_000);
        driver.event(Event::Changed);
        driver.wait(300);
    }
    stand(&mut driver, became(20, 8, Count::exactly(13)));
    for (width, height) in super::SIZES {
        let text = driver.text(width, height);
        assert!(
            text.contains("41 jobs retried; of all retried since: 20 done, 8 failed, 13 to go"),
            "{text}"
        );
    }
    driver.wait(61_000);
    assert!(
        driver.said().contains("20 done, 8 failed, 13 to go"),
        "{}",
        driver.said()
    );
    driver.wait(20_000);
    assert!(!driver.text(120, 40).contains("jobs retried"));
}

#[test]
fn retried_jobs_that_others_took_over_or_discarded_are_said_to_be_so() {
    for (done, said) in [
        (0, "newer changes took all over, or they were discarded"),
        (30, "30 done; 11 taken over by newer changes or discarded"),
        // Somebody else retried some as well.
        (50, "of all retried since: 50 done"),
    ] {
        let mut driver = retrying_all(Mood::Normal);
        driver.wait(6_000);
        driver.bulks = Some(vec![Bulk {
            state: BulkState::Done,
            changed: 41,
            ..world::bulk(BulkAction::Retry)
        }]);
        driver.event(Event::Changed);
        driver.silent = true;
        driver.wait(300);
        let (slot, generation) = driver.waiting(|r| matches!(r, Request::AfterRetry(_)));
        let became = AfterRetry {
            done: Count::exactly(done),
            failed: Count::exactly(0),
            to_go: Count::exactly(0),
        };
        let since = world::bulk(BulkAction::Retry).start_at;
        driver.answer((slot, generation), Reply::AfterRetry(since, Ok(became)));
        let end = driver.said();
        assert!(
            end.contains("41 jobs retried; ") && end.contains(said),
            "{end}"
        );
        assert!(done != 50 || end.ends_with("50 done"), "{end}");
    }
}

/// The jobs that the world's second failure group counts.
const GROUP: &str = "state:failed,unknown group:5afe00000001 connection:default";

#[test]
fn v_shows_failure_groups_and_enter_the_jobs_of_one_and_esc_leads_back() {
    let mut driver = at("4");
    driver.keys("\t\t/age>1h\nv");
    assert_eq!(asked(&driver, |r| *r == Request::Groups), 1);
    let text = driver.text(120, 40);
    assert!(
        text.contains("42 jobs in 3 groups   as of 14:02:30"),
        "{text}"
    );
    for part in ["28", "invalid", "leads to no contact", "14:02:11", "0192f0"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    driver.asked.clear();
    driver.keys("j\n");
    let shown = |filter: &'static str| move |r: &Request| matches!(r, Request::Jobs { query, .. } if query.filter == filter);
    assert_eq!(asked(&driver, shown(GROUP)), 1, "{:?}", driver.asked);
    assert!(driver.text(120, 40).contains("1 of 230"));
    driver.keys("C");
    let twin = format!("tramline queue list --filter '{GROUP}'");
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if *text == twin);
    assert!(driver.effects.iter().any(copied), "{:?}", driver.effects);
    // What C said is in nobody's way.
    driver.asked.clear();
    driver.keys("\u{1b}");
    assert!(driver.text(120, 40).contains("failure groups"));
    driver.keys("\u{1b}");
    assert!(!driver.text(120, 40).contains("failure groups"));
    assert_eq!(asked(&driver, shown("state:waiting age>1h")), 1);
}

#[test]
fn a_whole_group_is_counted_before_it_is_retried_or_given_up() {
    for key in ["r", "R"] {
        let mut driver = at("4vj");
        driver.keys(key);
        let group = Chosen::Filter(GROUP.into());
        assert_eq!(asked(&driver, |r| *r == Request::Count(group.clone())), 1);
        let text = driver.text(80, 24);
        assert!(text.contains("Retry 41 jobs?"), "{text}");
        assert!(text.contains("leads to no contact"), "{text}");
        driver.keys("n");
        assert_eq!(asked(&driver, later(GROUP)), 0);
        driver.keys(key);
        driver.keys("y");
        assert_eq!(asked(&driver, later(GROUP)), 1);
    }
    let mut driver = at("4vjX");
    let group = Chosen::Filter(GROUP.into());
    assert!(driver.text(80, 24).contains("Discard 41 jobs?"));
    driver.keys("y");
    let wanted = Request::Later(BulkAction::Discard, group, 41);
    assert_eq!(asked(&driver, |r| *r == wanted), 1);
    assert!(driver.text(80, 24).contains("discard of 41 jobs begins in"));
}

#[test]
fn every_key_of_the_groups_answers() {
    let mut driver = at("4v");
    driver.keys("w");
    let sample = world::job(Mood::Normal, 4).id.to_string();
    assert_eq!(asked(&driver, |r| *r == Request::Job(sample.clone())), 1);
    assert!(driver.text(80, 24).contains("it failed for good"));
    driver.keys("\u{1b}y");
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text == "5afe00000000");
    assert!(driver.effects.iter().any(copied));
    for key in ["e", "o", " ", "f"] {
        driver.keys(key);
        let toasts = driver.app.toasts().join("; ");
        assert!(toasts.contains("that is for one job"), "{key}: {toasts}");
        driver.wait(10_000);
    }
    assert!(driver.text(80, 24).contains("failure groups"));
    driver.keys("\t");
    assert!(!driver.text(80, 24).contains("failure groups"));
}

#[test]
fn groups_are_read_again_when_the_store_changes_and_the_cursor_stays_on_its_group() {
    let mut driver = at("4vj");
    driver.wait(1000);
    driver.asked.clear();
    driver.mood = Mood::Broken;
    driver.event(Event::Changed);
    assert_eq!(asked(&driver, |r| *r == Request::Groups), 1);
    assert_eq!(asked(&driver, |r| matches!(r, Request::Jobs { .. })), 0);
    let text = driver.text(120, 40);
    assert!(text.contains("as of 14:02:30"), "{text}");
    assert!(text.contains("leads to no contact"), "{text}");
    driver.mood = Mood::Normal;
    driver.wait(1000);
    driver.event(Event::Changed);
    let text = driver.text(120, 40);
    assert!(text.contains("as of 14:02:32"), "{text}");
    let row = text.lines().find(|line| line.contains("▶")).unwrap();
    assert!(row.contains("leads to no contact"), "{text}");
    driver.wait(20_000);
    driver.wait(20_000);
    driver.app.drawn();
    assert!(driver.app.wake().is_none_or(|at| at > driver.now));
}

#[test]
fn nothing_is_retried_that_is_done() {
    let mut driver = at("4");
    // The list shows all states in turn.
    let row = JobState::ALL
        .iter()
        .position(|s| *s == JobState::Done)
        .unwrap();
    driver.keys(&"j".repeat(row));
    driver.keys("r");
    let toasts = driver.app.toasts().join("; ");
    assert!(
        toasts.contains("nothing was retried: this job is done"),
        "{toasts}"
    );
}

#[test]
fn what_is_discarded_is_counted_as_such() {
    let mut driver = at("4");
    driver.keys("X");
    let counts = |r: &Request| matches!(r, Request::CountDiscardable(_));
    assert_eq!(asked(&driver, counts), 1);
}

#[test]
fn quitting_asks_before_what_can_still_be_taken_back() {
    let mut driver = at("4");
    driver.keys("Ryq");
    assert!(!driver.effects.contains(&Effect::Quit));
    let text = driver.text(120, 40);
    for part in ["Quit before it begins?", "retry of 41 jobs begins in"] {
        assert!(text.contains(part), "{text}");
    }
    driver.keys("nuq");
    assert!(driver.effects.contains(&Effect::Quit));
}
