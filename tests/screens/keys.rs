//! What keys do: which questions they ask, what is asked back, where esc leads.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::tui::effect::Effect;
use tramline::tui::event::{Answer, Event};
use tramline::tui::frame::Dirty;
use tramline::tui::keymap::Tab;
use tramline::tui::request::{Reply, Request};
use tramline::tui::slots::Slot;
use tramline::tui::theme::ThemeName;

pub fn at(keys: &str) -> Driver {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.frame(120, 40);
    driver.keys(keys);
    driver.asked.clear();
    driver
}

pub fn asked(driver: &Driver, what: impl Fn(&Request) -> bool) -> usize {
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
        Request::Update(change) => Some(change.properties.clone()),
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
        Request::Update(change) => Some(change.properties.clone()),
        _ => None,
    });
    assert_eq!(
        serde_json::Value::Object(sent.unwrap()).to_string(),
        r#"{"chip":null,"name":"Max"}"#
    );
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
            next.answer((Slot::Remembered, generation), reply);
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
