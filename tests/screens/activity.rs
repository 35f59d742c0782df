//! What goes on: calls, log and actions in one list, and the way there from any thing and back.

use super::driver::Driver;
use super::keys::{asked, at};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::keymap::Tab;
use tramline::tui::request::{Reply, Request};

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
    driver.answer((slot, generation), reply);
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
