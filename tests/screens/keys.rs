//! What keys do: which questions they ask, what is asked back, where esc leads.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::model::bulk::{Bulk, BulkAction, BulkState};
use tramline::model::{ErrorClass, JobState, Problem};
use tramline::operations::pauses::Scope;
use tramline::operations::queue::Chosen;
use tramline::tui::effect::Effect;
use tramline::tui::event::{Answer, Event};
use tramline::tui::frame::Dirty;
use tramline::tui::keymap::Tab;
use tramline::tui::request::{Configured, Reply, Request};
use tramline::tui::slots::Slot;
use tramline::tui::theme::ThemeName;

fn at(keys: &str) -> Driver {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.frame(120, 40);
    driver.keys(keys);
    driver.asked.clear();
    driver
}

fn asked(driver: &Driver, what: impl Fn(&Request) -> bool) -> usize {
    driver.asked.iter().filter(|request| what(request)).count()
}

#[test]
fn the_first_frame_needs_no_answer() {
    let driver = Driver::new(Mood::Normal);
    let text = driver.text(80, 24);
    assert!(text.contains("Tramline") && text.contains("1 Schemas"));
    assert_eq!(driver.app.dirty(), Dirty::Now);
}

#[test]
fn s_syncs_the_record_and_says_what_came_of_it() {
    let mut driver = at("2j");
    driver.keys("s");
    let id = world::record(Mood::Normal, 1).id;
    assert_eq!(
        asked(&driver, |r| *r
            == Request::Sync("pets".into(), vec![id.clone()])),
        1
    );
    assert!(driver.app.toasts()[0].contains("synced, contact 4711, 1 field changed"));
    driver.keys("C");
    assert!(driver.effects.iter().any(
        |e| matches!(e, Effect::Copy { text, .. } if text.starts_with("tramline sync pets 66b1"))
    ));
}

#[test]
fn production_is_asked_for_once_a_session() {
    let production = tramline::tui::context::Session {
        production: true,
        environment: "production".into(),
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, production, ThemeName::Dark, false).start();
    driver.keys("2s");
    assert_eq!(asked(&driver, |r| matches!(r, Request::Sync(..))), 0);
    assert!(driver.text(80, 24).contains("Write to production?"));
    driver.press(KeyCode::Enter);
    assert!(!driver.app.has_overlay(), "enter is no");
    assert_eq!(asked(&driver, |r| matches!(r, Request::Sync(..))), 0);
    driver.keys("sy");
    assert_eq!(asked(&driver, |r| matches!(r, Request::Sync(..))), 1);
    driver.keys("s");
    assert_eq!(asked(&driver, |r| matches!(r, Request::Sync(..))), 2);
    driver.keys("D");
    assert!(driver.app.has_overlay(), "what destroys asks every time");
}

#[test]
fn read_only_writes_nothing() {
    let read_only = tramline::tui::context::Session {
        read_only: true,
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, read_only, ThemeName::Dark, false).start();
    driver.keys("2sSDy\u{1b}E4rRy\u{1b}Xy\u{1b}uvRy\u{1b}Xy\u{1b}\u{1b}p\nwhy\n\u{1b}\u{1b}5Ky\u{1b}py\u{1b}");
    let writes = |r: &Request| {
        matches!(
            r,
            Request::Sync(..)
                | Request::Delete(..)
                | Request::Update(..)
                | Request::Retry(_)
                | Request::Later(..)
                | Request::CancelBulk(_)
                | Request::CancelExport(_)
                | Request::PauseExport(_)
                | Request::Pause { .. }
                | Request::Resume(_)
        )
    };
    assert_eq!(asked(&driver, writes), 0);
    assert!(driver.text(80, 24).contains("read-only"));
    assert!(!driver.effects.iter().any(|e| matches!(e, Effect::Edit(..))));
}

#[test]
fn many_are_selected_and_asked_for_with_their_number() {
    let mut driver = at("2");
    driver.keys("  jS");
    assert!(driver.text(80, 24).contains("Sync 2 records?"));
    driver.keys("y");
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::Sync(_, ids) if ids.len() == 2)
        ),
        1
    );
    driver.keys("D");
    assert!(
        driver.text(80, 24).contains("Delete 1 record"),
        "what was synced is not selected any more"
    );
}

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

#[test]
fn the_queue_is_read_again_at_once_and_then_four_times_a_second() {
    let mut driver = at("4");
    driver.wait(1000);
    driver.asked.clear();
    let jobs = |r: &Request| matches!(r, Request::Jobs { .. });
    driver.event(Event::Changed);
    assert_eq!(asked(&driver, jobs), 1);
    for _ in 0..100 {
        driver.now += jiff::SignedDuration::from_millis(1);
        driver.event(Event::Changed);
    }
    assert_eq!(asked(&driver, jobs), 1);
    driver.wait(150);
    assert_eq!(asked(&driver, jobs), 2);
    driver.wait(1000);
    assert_eq!(asked(&driver, jobs), 2, "nothing changed any more");
}

#[test]
fn a_quiet_room_wants_no_timer() {
    let mut driver = Driver::new(Mood::Empty).start();
    driver.keys("4v561");
    driver.wait(20_000);
    driver.wait(20_000);
    driver.app.drawn();
    assert_eq!(driver.app.wake(), None);
    assert_eq!(driver.app.dirty(), Dirty::Clean);
}

#[test]
fn a_slow_question_shows_a_spinner_and_esc_gives_it_up() {
    let mut driver = at("1");
    driver.silent = true;
    driver.keys("2");
    driver.wait(100);
    assert!(driver.text(80, 24).contains("reading records"));
    assert!(!driver.text(80, 24).contains("esc gives up"));
    driver.wait(100);
    assert!(driver.text(80, 24).contains("esc gives up"));
    driver.press(KeyCode::Esc);
    assert!(driver.effects.contains(&Effect::Cancel(Slot::Records)));
    driver.speak();
    assert!(
        driver.text(80, 24).contains("not read"),
        "a late answer is dropped"
    );
    driver.ctrl('r');
    assert!(driver.text(80, 24).contains("1 of 230"));
}

#[test]
fn an_answer_of_an_older_question_is_dropped() {
    let mut driver = at("4");
    let list = |page| Reply::Jobs {
        page,
        result: Err(world::problem()),
    };
    for generation in [0, 1, 99] {
        let answer = Answer {
            slot: Slot::Jobs,
            generation,
            reply: list(0),
        };
        driver.event(Event::Answer(Box::new(answer)));
    }
    assert!(!driver.text(80, 24).contains("refused"));
}

#[test]
fn a_failed_refresh_keeps_what_was_there_and_says_how_old_it_is() {
    let mut driver = at("4");
    driver.wait(1000);
    driver.mood = Mood::Broken;
    driver.event(Event::Changed);
    let text = driver.text(120, 40);
    assert!(text.contains("as of 14:02:30"), "{text}");
    assert!(text.contains("owner0@exam"));
}

#[test]
fn typing_a_filter_presses_no_keys_and_a_paste_neither() {
    let mut driver = at("4");
    driver.keys("/RqX1");
    assert_eq!(driver.app.tab(), Tab::Queue);
    assert!(driver.text(80, 24).contains("RqX1"));
    driver.press(KeyCode::Enter);
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::Jobs { query, .. } if query.filter == "RqX1")
        ),
        1
    );
    driver.event(Event::Paste("Xq\nR".into()));
    assert_eq!(asked(&driver, |r| matches!(r, Request::Count(_))), 0);
    assert!(!driver.effects.contains(&Effect::Quit));
}

#[test]
fn a_filter_is_completed_word_by_word() {
    let mut driver = at("4");
    driver.keys("/x state:fa");
    driver.press(KeyCode::Tab);
    driver.press(KeyCode::Enter);
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::Jobs { query, .. } if query.filter == "x state:failed")
        ),
        1
    );
}

#[test]
fn records_are_narrowed_while_typing_and_searched_on_enter() {
    let mut driver = at("2");
    driver.keys("/luna");
    assert!(driver.text(120, 40).contains("of the rows read"));
    assert_eq!(asked(&driver, |r| matches!(r, Request::Records { .. })), 0);
    driver.press(KeyCode::Enter);
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::Records { search, page: 0, .. } if search.query.as_deref() == Some("luna"))
        ),
        1
    );
    assert!(driver.text(80, 24).contains("1 of 2"));
    driver.press(KeyCode::Esc);
    assert!(driver.text(80, 24).contains("1 of 230"));
}

#[test]
fn pages_are_read_ahead_while_scrolling() {
    let mut driver = Driver::new(Mood::Million).start();
    driver.keys("2");
    driver.frame(120, 40);
    for _ in 0..60 {
        driver.ctrl('d');
        driver.frame(120, 40);
    }
    let text = driver.text(120, 40);
    assert!(text.contains("of 1,000,000"));
    assert!(
        !text.contains("  ·\n"),
        "a row in sight is not read: {text}"
    );
    let pages = asked(&driver, |r| matches!(r, Request::Records { .. }));
    assert!((10..30).contains(&pages), "{pages} pages");
}

#[test]
fn a_form_sends_only_what_was_changed_and_keeps_what_was_typed_when_refused() {
    let mut driver = at("2");
    driver.mood = Mood::Broken;
    driver.keys("e");
    driver.keys("!\n");
    let sent = driver.asked.iter().find_map(|r| match r {
        Request::Update(_, _, properties) => Some(properties.clone()),
        _ => None,
    });
    assert_eq!(
        serde_json::Value::Object(sent.unwrap()).to_string(),
        r#"{"name":"Rex!"}"#
    );
    let text = driver.text(120, 40);
    assert!(
        text.contains("Rex!") && text.contains("the token is refused"),
        "{text}"
    );
    driver.mood = Mood::Normal;
    driver.keys("\n");
    assert!(!driver.app.has_overlay());
    assert!(driver.app.toasts().iter().any(|t| t.contains("saved Rex")));
}

#[test]
fn json_that_cannot_be_read_goes_back_to_the_editor() {
    let mut driver = at("2");
    driver.keys("E");
    let Some(Effect::Edit(editing, text)) = driver.effects.last().cloned() else {
        panic!("no editor");
    };
    assert!(text.contains("\"weight\": 3.40"), "digits are kept: {text}");
    driver.event(Event::Edited(editing.clone(), Ok("{ \"name\": ".into())));
    assert!(driver.text(80, 24).contains("This is no JSON"));
    driver.keys("y");
    assert_eq!(
        driver.effects.last(),
        Some(&Effect::Edit(editing.clone(), "{ \"name\": ".into()))
    );
    let text = text
        .replace("\"Rex\"", "\"Max\"")
        .replace("  \"chip\": \"978-000000000\",\n", "");
    driver.event(Event::Edited(editing, Ok(text)));
    let sent = driver.asked.iter().find_map(|r| match r {
        Request::Update(_, _, properties) => Some(properties.clone()),
        _ => None,
    });
    assert_eq!(
        serde_json::Value::Object(sent.unwrap()).to_string(),
        r#"{"chip":null,"name":"Max"}"#
    );
}

#[test]
fn a_new_export_is_a_dry_run_unless_told_otherwise() {
    let mut driver = at("5");
    driver.keys("a\n");
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::StartExport(name, o) if name.as_str() == "pets" && o.dry_run && !o.full)
        ),
        1
    );
    driver.keys("a\t");
    driver.press(KeyCode::Left);
    driver.keys("\t\t250\n");
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::StartExport(_, o) if !o.dry_run && o.limit == Some(250))
        ),
        1
    );
}

#[test]
fn a_new_export_is_the_one_under_the_cursor() {
    let mut driver = at("5G");
    driver.keys("a\n");
    driver.wait(300);
    driver.keys("y");
    let new = world::run(Mood::Normal, 2, tramline::model::export::RunState::Running).id;
    let copied =
        |effect: &Effect| matches!(effect, Effect::Copy { text, .. } if *text == new.as_str());
    assert!(driver.effects.iter().any(copied), "{:?}", driver.effects);
}

#[test]
fn an_export_leads_to_its_failures() {
    let mut driver = at("5");
    driver.keys("\n");
    assert_eq!(driver.app.tab(), Tab::Queue);
    let wanted = format!(
        "state:{} run:0192aaaa-1111-7000-8000-000000000001",
        JobState::Failed.name()
    );
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::Jobs { query, .. } if query.filter == wanted && query.limit > 1)
        ),
        1
    );
}

#[test]
fn a_run_whose_failures_are_gone_says_who_has_them() {
    let jobs = |r: &Request| matches!(r, Request::Jobs { .. });
    let mut driver = at("5j");
    driver.keys("\n");
    assert_eq!(driver.app.tab(), Tab::Exports);
    let toasts = driver.app.toasts().join("; ");
    assert!(
        toasts.contains("nothing of this run is failed any more"),
        "{toasts}"
    );
    // The first run of the list is the later one, and it has failures.
    assert!(toasts.contains("0192aa…000001"), "{toasts}");
    assert_eq!(asked(&driver, jobs), 1);
    // The third is a dry run: it has no jobs to look for.
    let mut driver = at("5jj");
    driver.keys("\n");
    assert_eq!(driver.app.tab(), Tab::Exports);
    assert_eq!(asked(&driver, jobs), 0);
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("a dry run makes no jobs"), "{toasts}");
    driver.wait(200);
    let text = driver.text(80, 24);
    assert!(!text.contains("shows the failed ones"), "{text}");
}

#[test]
fn a_dry_run_is_told_from_a_real_one_at_any_width() {
    let driver = at("5");
    for (width, height) in super::SIZES {
        let text = driver.text(width, height);
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("dry run"))
            .collect();
        assert_eq!(rows.len(), 1, "{text}");
        assert!(
            !rows[0].contains("6,085"),
            "a dry run confirmed nothing: {text}"
        );
    }
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
fn without_a_filter_there_is_no_next_match() {
    for tab in ["1", "2", "3", "4", "5", "6"] {
        let mut driver = at(tab);
        let before = driver.text(120, 40);
        driver.keys("nnN");
        let toasts = driver.app.toasts().join("; ");
        assert!(
            toasts.contains("no filter to go by: / sets one"),
            "{tab}: {toasts}"
        );
        driver.keys("\u{1b}");
        assert_eq!(driver.text(120, 40), before, "{tab}");
        driver.keys("/e\nn");
        assert_ne!(driver.text(120, 40), before, "{tab}");
    }
}

#[test]
fn a_completion_never_lags_behind_the_text() {
    let mut driver = at("4");
    driver.silent = true;
    driver.keys("/state:fa\t\n");
    driver.speak();
    let wanted =
        |r: &Request| matches!(r, Request::Jobs { query, .. } if query.filter == "state:failed");
    assert!(asked(&driver, wanted) > 0, "{:?}", driver.asked);
}

#[test]
fn the_contact_stands_beside_the_record_with_what_surrounds_it() {
    let driver = {
        let mut driver = at("2d");
        driver.wait(200);
        driver
    };
    let around = [
        ("tags", "pet-owner, vip"),
        ("lists", "Newsletter (active)"),
        ("automations", "none"),
        ("scores", "Engagement 42"),
        ("segments", "Adopted pets"),
    ];
    for (width, height) in super::SIZES {
        let text = driver.text(width, height);
        let line_of = |part: &str| text.lines().position(|line| line.contains(part));
        for (name, value) in around {
            let line = line_of(value).unwrap_or_else(|| panic!("no {value} at {width}:\n{text}"));
            assert!(text.lines().nth(line).unwrap().contains(name), "{text}");
        }
        let (fields, tags) = (line_of("will send").unwrap(), line_of("pet-owner").unwrap());
        let beside = tags <= fields + 1;
        assert_eq!(beside, width >= 120, "{width}:\n{text}");
        // The target of a pair is never what is cut.
        for target in ["PET_NAME", "TEMPERAMENT", "WEIGHT_KG"] {
            assert!(text.contains(target), "{target} at {width}:\n{text}");
        }
    }
}

#[test]
fn a_part_that_may_not_be_read_is_not_shown_as_empty() {
    let mut driver = at("2jd");
    driver.wait(200);
    for (width, height) in super::SIZES {
        let text = driver.text(width, height);
        assert!(text.contains("may not be read: 403"), "{width}:\n{text}");
    }
}

#[test]
fn segments_come_later_and_are_given_up_with_their_record() {
    let mut driver = at("2");
    driver.keys("d");
    let segments = |r: &Request| matches!(r, Request::Segments(_));
    assert_eq!(asked(&driver, segments), 1);
    driver.silent = true;
    driver.keys("s");
    driver.speak();
    driver.silent = true;
    driver.ctrl('r');
    driver.wait(300);
    assert!(driver.app.waits(Slot::Preview) || driver.app.waits(Slot::Records));
    driver.speak();
    assert!(driver.text(120, 40).contains("Adopted pets"));
}

#[test]
fn pause_resume_and_cancel() {
    let mut driver = at("5");
    driver.keys("pjpK");
    assert_eq!(asked(&driver, |r| matches!(r, Request::PauseExport(_))), 1);
    assert_eq!(asked(&driver, |r| matches!(r, Request::ResumeExport(_))), 1);
    assert!(driver.text(80, 24).contains("Cancel the export of pets?"));
    driver.keys("n");
    assert_eq!(asked(&driver, |r| matches!(r, Request::CancelExport(_))), 0);
    driver.keys("Ky");
    assert_eq!(asked(&driver, |r| matches!(r, Request::CancelExport(_))), 1);
}

#[test]
fn quitting_asks_while_something_is_being_written() {
    let mut driver = at("2");
    driver.silent = true;
    driver.keys("sq");
    assert!(
        driver
            .text(80, 24)
            .contains("Quit while something is being written?")
    );
    assert!(!driver.effects.contains(&Effect::Quit));
    driver.keys("n");
    driver.speak();
    driver.keys("q");
    assert!(driver.effects.contains(&Effect::Quit));
}

#[test]
fn the_last_view_comes_back() {
    let mut driver = at("4");
    driver.keys("\t\t\t\t/age>1h\nq");
    let view = driver.effects.iter().find_map(|e| match e {
        Effect::Remember(view) => Some(view.clone()),
        _ => None,
    });
    let mut next = Driver::new(Mood::Normal);
    for effect in next.app.start() {
        if let Effect::Ask {
            slot: Slot::Remembered,
            generation,
            ..
        } = effect
        {
            let reply = Reply::Remembered(Ok(view.clone()));
            next.event(Event::Answer(Box::new(Answer {
                slot: Slot::Remembered,
                generation,
                reply,
            })));
        }
    }
    assert_eq!(next.app.tab(), Tab::Queue);
    assert_eq!(
        asked(
            &next,
            |r| matches!(r, Request::Jobs { query, .. } if query.filter == "state:failed age>1h")
        ),
        1
    );
}

#[test]
fn the_last_error_leads_to_its_jobs() {
    // Quotes, double blanks and words of the filter language are part of the message.
    let mut driver = at("1");
    driver.keys("!");
    assert_eq!(driver.app.tab(), Tab::Queue);
    let wanted = "state:failed error:\"422 invalid  \\\"e-mail\\\" state:bad\"";
    assert_eq!(
        asked(
            &driver,
            |r| matches!(r, Request::Jobs { query, .. } if query.filter == wanted)
        ),
        1
    );
}

#[test]
fn the_palette_runs_actions_of_other_screens() {
    let mut driver = at("1");
    driver.keys(":start an export\n");
    assert_eq!(driver.app.tab(), Tab::Exports);
    assert!(driver.text(80, 24).contains("New export"));
}

#[test]
fn the_keys_of_the_screen_are_always_in_sight() {
    // An export runs and there was an error: the bar is as full as it gets.
    for (tab, keys) in [
        ("1", "enter records  m mapping  tab other pane"),
        ("2", "s sync  d diff  enter detail  tab view  e edit  a new"),
        ("3", "t edit  a add  u undo  w save  space next sample"),
        (
            "4",
            "r retry  e mend  R retry all  enter detail  w why  v groups",
        ),
        ("5", "a new  p pause/resume  enter failures  K cancel"),
        ("6", "enter detail  tab kind  f follow"),
    ] {
        let driver = at(tab);
        let text = driver.text(80, 24);
        let foot = text.lines().last().unwrap();
        assert!(foot.contains(keys), "{foot}");
        for (width, height) in [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60)] {
            let text = driver.text(width, height);
            assert!(text.lines().last().unwrap().ends_with("? help"), "{text}");
            let bar = text.lines().rev().take(3).collect::<Vec<_>>().join("\n");
            assert!(bar.contains("(17)") && bar.contains("! "), "{text}");
            assert!(
                bar.contains("worker ● 2") && bar.contains("export pets"),
                "{text}"
            );
        }
    }
}

#[test]
fn the_help_cuts_nothing() {
    for tab in 1..=6 {
        // Nothing but the window on the screen.
        let mut driver = Driver::new(Mood::Empty).start();
        driver.keys(&format!("{tab}?"));
        let text = driver.text(80, 90);
        let flat = text.replace(['│', '\n'], " ");
        let words: Vec<&str> = flat.split_whitespace().collect();
        let flat = words.join(" ");
        let keymap = tramline::tui::keymap::Keymap::new(&Default::default()).unwrap();
        for bound in keymap.of(driver.app.tab()).chain(keymap.everywhere()) {
            assert!(
                flat.contains(bound.binding.help),
                "{}: {text}",
                bound.binding.help
            );
            assert!(
                flat.contains(bound.binding.twin),
                "{}: {text}",
                bound.binding.twin
            );
        }
        // A low window scrolls to the end.
        driver.text(80, 24);
        driver.keys("G");
        assert!(driver.text(80, 24).contains("tramline.log"));
    }
}

#[test]
fn the_help_is_the_key_table() {
    let mut driver = at("4");
    driver.keys("?");
    let text = driver.text(120, 80);
    assert!(text.contains("Retry every job that matches the filter"));
    assert!(text.contains("tramline queue retry --filter F"));
    assert!(text.contains("tramline.log"));
}

#[test]
fn why_and_related_answer_above_the_screen() {
    let mut driver = at("4");
    driver.keys("w");
    assert!(driver.text(80, 24).contains("it failed for good"));
    driver.keys("\u{1b}2o");
    assert!(driver.text(80, 24).contains("Jo Doe"));
    driver.keys("\n");
    assert!(
        driver
            .effects
            .iter()
            .any(|e| matches!(e, Effect::Copy { text, .. } if text == "c-1"))
    );
}

#[test]
fn a_failed_job_leads_to_its_record_and_back_by_esc() {
    let mut driver = at("4jjj");
    driver.keys("o");
    assert_eq!(driver.app.tab(), Tab::Records);
    let id = world::record(Mood::Normal, 3).id;
    let wanted = |r: &Request| matches!(r, Request::Record(_, record) if *record == id);
    assert_eq!(asked(&driver, wanted), 1);
    assert!(driver.text(120, 40).contains("will send"));
    driver.keys("s");
    assert_eq!(
        asked(&driver, |r| *r
            == Request::Sync("pets".into(), vec![id.clone()])),
        1
    );
    driver.keys("\u{1b}\u{1b}");
    assert!(driver.text(120, 40).contains("1 of 230"));
}

#[test]
fn e_mends_the_record_of_a_job_in_a_form_and_r_retries_the_job() {
    // A failed one: the fifth of the seven states.
    let mut driver = at("4jjjj");
    driver.keys("e");
    assert_eq!(driver.app.tab(), Tab::Queue);
    let id = world::job(Mood::Normal, 4).record;
    assert_eq!(
        asked(&driver, |r| *r == Request::Mend(world::pets(), id.clone())),
        1
    );
    let text = driver.text(120, 40);
    assert!(
        text.contains("Edit Pet") && text.contains("invalid e-mail"),
        "{text}"
    );
    // The cursor stands in the field that the refused e-mail comes from.
    driver.keys("x\n");
    let sent = driver.asked.iter().find_map(|r| match r {
        Request::Update(_, record, properties) => Some((record.clone(), properties.clone())),
        _ => None,
    });
    let (record, properties) = sent.unwrap();
    assert_eq!(record, id);
    assert_eq!(
        properties.keys().collect::<Vec<_>>(),
        ["owner_email"],
        "{properties:?}"
    );
    assert!(!driver.app.has_overlay());
    assert!(
        driver
            .app
            .toasts()
            .iter()
            .any(|t| t.contains("r retries its job")),
        "{:?}",
        driver.app.toasts()
    );
    driver.keys("r");
    let job = world::job(Mood::Normal, 4).id;
    assert_eq!(
        asked(&driver, |r| *r
            == Request::Retry(Chosen::Ids(vec![job.clone()]))),
        1
    );
}

#[test]
fn a_record_that_is_slow_to_come_shows_a_spinner_and_esc_gives_it_up() {
    let mut driver = at("4jjjj");
    driver.silent = true;
    driver.keys("e");
    driver.wait(200);
    assert!(driver.text(120, 40).contains("reading the record"));
    driver.keys("\u{1b}");
    assert!(!driver.text(120, 40).contains("reading the record"));
    driver.speak();
    assert!(!driver.app.has_overlay());
}

#[test]
fn a_record_that_cannot_be_read_is_no_form() {
    let mut driver = at("4jjjj");
    driver.mood = Mood::Broken;
    driver.keys("e");
    assert!(!driver.app.has_overlay());
    assert!(
        driver
            .app
            .toasts()
            .iter()
            .any(|t| t.contains("the token is refused"))
    );
}

#[test]
fn how_a_retried_job_ended_is_said() {
    let mut driver = at("4jjj");
    driver.keys("r");
    driver.wait(300);
    driver.event(Event::Changed);
    driver.wait(300);
    assert!(
        driver
            .app
            .toasts()
            .iter()
            .any(|t| t.contains("failed: 422")),
        "{:?}",
        driver.app.toasts()
    );
}

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

fn activity(keys: &str) -> Driver {
    let mut driver = at("6");
    driver.wait(1000);
    driver.keys(keys);
    driver
}

#[test]
fn tab_goes_through_all_that_goes_on_and_backtab_back() {
    let mut driver = activity("");
    let all = driver.text(120, 40);
    for part in ["all 104", "GHL POST", "job settled", "retry state:failed"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let has = |driver: &Driver, parts: [bool; 3]| {
        let text = driver.text(200, 60);
        for (part, there) in ["422", "outcome=synced", "10.0.0.7"].into_iter().zip(parts) {
            assert_eq!(text.contains(part), there, "{part}: {text}");
        }
    };
    driver.keys("\t");
    has(&driver, [true, false, false]);
    driver.keys("\t");
    assert!(driver.text(120, 40).contains("log 30"));
    driver.keys("\t");
    has(&driver, [true, false, true]);
    let text = driver.text(120, 40);
    for part in ["actions 4", "begun", "HighLevel: 422", "the field is", "41"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    driver.keys("C");
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text == "tramline audit");
    assert!(driver.effects.iter().any(copied));
    driver.press(KeyCode::BackTab);
    assert!(driver.text(120, 40).contains("log 30"));
    driver.keys("\u{1b}\u{1b}");
    assert!(driver.text(120, 40).contains("all 104"));
}

#[test]
fn the_activity_is_filtered_by_level_job_and_text() {
    let mut driver = activity("/level:er\t\n");
    let text = driver.text(120, 40);
    assert!(
        text.contains("all 11"),
        "10 lines and a failed action: {text}"
    );
    let log = |driver: &Driver| {
        let last = driver.asked.iter().rev().find_map(|request| match request {
            Request::Log { filter, .. } => Some(filter.clone()),
            _ => None,
        });
        last.unwrap()
    };
    assert_eq!(log(&driver).level.as_deref(), Some("error"));
    driver.keys("\u{1b}\u{1b}/job:0192a000\n");
    assert_eq!(log(&driver).job.as_deref(), Some("0192a000"));
    // Its call, its settling, and the person who gave it up.
    let text = driver.text(120, 40);
    assert!(
        text.contains("all 3") && text.contains("discard 0192a000"),
        "{text}"
    );
    driver.keys("C");
    let twin = "tramline activity --job 0192a000";
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text == twin);
    assert!(driver.effects.iter().any(copied));
    driver.keys("\u{1b}\u{1b}/synced -\"/api/3\"\n");
    assert!(driver.text(120, 40).contains("all 10"));
    driver.keys("/ recrd:1\n");
    let text = driver.text(120, 40);
    assert!(text.contains("did you mean record?"), "{text}");
}

#[test]
fn enter_shows_a_row_of_the_activity_whole_and_y_copies_its_id() {
    let mut driver = activity("\t");
    for (tabs, shown, copied) in [
        ("", "422", "ac-0"),
        ("\t", "job settled", "0192a000"),
        ("\t", "changed 41", "state:failed mapping:pets"),
    ] {
        driver.keys(tabs);
        if tabs.is_empty() {
            driver.keys("/status:422\n");
        }
        driver.keys("g\n");
        let text = driver.text(120, 40);
        assert!(driver.app.has_overlay() && text.contains(shown), "{text}");
        driver.keys("\u{1b}y");
        let last = driver.effects.iter().rev().find_map(|e| match e {
            Effect::Copy { text, .. } => Some(text.clone()),
            _ => None,
        });
        assert_eq!(last.as_deref(), Some(copied));
        driver.keys("/\u{1b}");
        if tabs.is_empty() {
            driver.keys("\u{1b}\u{1b}\t\u{1b}\u{1b}\t");
        }
    }
}

#[test]
fn a_call_is_shown_once_when_the_log_tells_of_it_too() {
    let mut driver = activity("\t");
    let count = |driver: &Driver| {
        let text = driver.text(120, 40);
        let at = text.find("calls ").unwrap() + 6;
        text[at..].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(count(&driver), "70");
    let call = world::logged_call(Mood::Normal, 1_000);
    driver.event(Event::Call(call.1));
    assert_eq!(count(&driver), "71");
    driver.silent = true;
    driver.wait(1000);
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::LogSince(_)));
    let reply = Reply::Log {
        since: true,
        result: Ok((vec![call.0], Default::default())),
    };
    driver.event(Event::Answer(Box::new(Answer {
        slot,
        generation,
        reply,
    })));
    assert_eq!(count(&driver), "71", "the line took the place of the call");
}

#[test]
fn a_quiet_activity_asks_for_nothing() {
    let mut driver = activity("");
    driver.wait(1000);
    driver.asked.clear();
    for _ in 0..20 {
        driver.wait(1000);
    }
    let reads = |r: &Request| {
        matches!(
            r,
            Request::Log { .. } | Request::LogSince(_) | Request::Audit { .. }
        )
    };
    assert_eq!(asked(&driver, reads), 0);
    driver.event(Event::Changed);
    driver.wait(100);
    driver.wait(1000);
    driver.wait(1000);
    assert_eq!(
        asked(&driver, |r| matches!(r, Request::LogSince(_))),
        2,
        "at once, and once later"
    );
}

#[test]
fn l_shows_the_log_of_the_chosen_thing_and_esc_leads_back() {
    let record = world::record(Mood::Normal, 1).id;
    for (keys, filter) in [
        ("2j", format!("/record:{record}")),
        ("2j\n", format!("/record:{record}")),
        ("3", "/mapping:pets".to_owned()),
        ("4j", "/job:".to_owned()),
        ("4j\n", "/job:".to_owned()),
        ("5", "/run:".to_owned()),
        ("1", "/custom_objects.pets".to_owned()),
    ] {
        let mut driver = at(keys);
        driver.wait(1000);
        let (tab, before) = (driver.app.tab(), driver.text(200, 60));
        driver.keys("L");
        assert_eq!(driver.app.tab(), Tab::Activity, "{keys}");
        driver.wait(1000);
        let text = driver.text(200, 60);
        assert!(text.contains(&filter) && text.contains("all "), "{text}");
        driver.keys("\u{1b}");
        assert_eq!(driver.app.tab(), tab, "{keys}");
        driver.wait(1000);
        let after = driver.text(200, 60);
        assert_eq!(body(&after), body(&before), "{keys}: one is where one was");
        driver.keys("6");
        let text = driver.text(200, 60);
        assert!(
            !text.lines().nth(2).unwrap().contains(&filter),
            "the filter is gone"
        );
    }
}

/// A frame without header and status bar, whose keys and times follow the clock.
fn body(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[2..lines.len() - 3].join("\n")
}

#[test]
fn l_reads_the_log_by_the_job_and_says_the_command() {
    let mut driver = at("4j");
    driver.keys("L");
    let job = driver.asked.iter().find_map(|request| match request {
        Request::Log { filter, .. } => filter.job.clone(),
        _ => None,
    });
    let job = job.unwrap();
    driver.keys("C");
    let twin = format!("tramline activity --job {job}");
    assert!(
        driver
            .effects
            .iter()
            .any(|e| matches!(e, Effect::Copy { text, .. } if *text == twin))
    );
    // From row to row, and still back in one step; a tab of one's own choice has no way back.
    driver.keys("6");
    driver.wait(1000);
    // The first closes what was said.
    driver.keys("L\u{1b}\u{1b}");
    assert_eq!(driver.app.tab(), Tab::Queue);
    driver.keys("L26\u{1b}");
    assert_eq!(driver.app.tab(), Tab::Activity);
    let mut driver = at("4v");
    driver.keys("L");
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("nothing is chosen here"), "{toasts}");
}
