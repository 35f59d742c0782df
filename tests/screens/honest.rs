//! What the room says is so: drafts, pauses, runs, filters, faults and footers, read by somebody who sees it for the first time.

use super::driver::Driver;
use super::world::drafts::draft;
use super::world::{self, Mood};
use tramline::mapping::{FieldSpec, MappingSpec};
use tramline::model::export::RunState;
use tramline::model::{PauseKind, WaitReason, Waiting};
use tramline::operations::pace::Pace;
use tramline::operations::pauses::Scope;
use tramline::tui::event::Event;
use tramline::tui::keymap::Tab;
use tramline::tui::request::{Reply, Request};

fn room(keys: &str) -> Driver {
    let mut driver = Driver::after(keys);
    driver.wait(300);
    driver
}

/// The file has another mapping by now, and the editor reads it.
fn file_changed(driver: &mut Driver, change: impl FnOnce(&mut MappingSpec)) {
    driver.silent = true;
    driver.ctrl('r');
    let mut read = draft(Mood::Normal, &"pets".into());
    change(&mut read.spec);
    let answer = Reply::Draft("pets".into(), Ok(Box::new(read)));
    driver.reply(|r| matches!(r, Request::Draft(_)), answer);
    driver.silent = false;
    driver.wait(200);
}

fn set(spec: &mut MappingSpec, target: &str, source: &str) {
    let line = spec.fields.0.iter_mut().find(|(name, _)| name == target);
    line.unwrap().1 = FieldSpec::Short(source.into());
}

#[test]
fn changes_of_a_mapping_go_on_top_of_what_the_file_has_by_now() {
    let mut driver = room("3D");
    file_changed(&mut driver, |spec| set(spec, "%PET_NAME%", "chip"));
    assert!(driver.said().contains("on top of it"), "{}", driver.said());
    let saved = driver.save_mapping();
    let source = |target: &str| saved.fields.get(target).map(FieldSpec::source);
    assert_eq!(source("%PET_NAME%"), Some("chip"));
    assert_eq!(source("first_name"), None);
}

#[test]
fn a_line_that_the_file_changed_too_says_how_to_go_on() {
    let typed = || {
        let mut driver = room("3jt");
        driver.ctrl('u');
        driver.keys("weight\n");
        file_changed(&mut driver, |spec| set(spec, "%PET_NAME%", "chip"));
        for width in [80, 120, 200] {
            let text = driver.text(width, 40);
            assert!(text.contains("config.toml changed"), "{text}");
        }
        driver.keys("w");
        assert!(!driver.app.has_overlay(), "it could not be saved");
        driver
    };
    let mut over = typed();
    file_changed(&mut over, |spec| set(spec, "%PET_NAME%", "chip"));
    over.keys("w");
    let text = over.text(120, 40);
    assert!(text.contains("~ %PET_NAME%: chip -> weight"), "{text}");
    let mut back = typed();
    back.keys("u");
    back.wait(200);
    assert!(!back.text(200, 40).contains("config.toml changed"));
    // What is edited next begins with the file as it is.
    back.keys("t");
    let text = back.text(120, 40);
    assert!(
        text.contains("chip") && text.contains("%PET_NAME% from"),
        "{text}"
    );
}

/// The status as the world has it, with a run that waits, and the queue's pace.
fn waits(keys: &str) -> Driver {
    let mut driver = room(keys);
    driver.silent = true;
    driver.event(Event::Changed);
    driver.wait(3000);
    let Reply::Status(Ok(mut status)) = world::answer(Mood::Normal, Request::Status) else {
        unreachable!("a status answers")
    };
    status.exports[0].waiting = Some(Waiting {
        reason: WaitReason::Paused,
        until: Some("2026-11-23T18:00:00Z".parse().unwrap()),
        by: "jo".into(),
    });
    let answer = Reply::Status(Ok(status));
    driver.reply(|r| *r == Request::Status, answer);
    driver
}

#[test]
fn an_export_that_a_pause_holds_has_no_time_left() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let text = waits("2").text(width, height);
        let foot: Vec<&str> = text.lines().rev().take(3).collect();
        let foot = foot.join("\n");
        assert!(foot.contains("% paused until 18:00:00"), "{foot}");
        assert!(!foot.contains(" left"), "{foot}");
    }
}

#[test]
fn what_an_export_has_not_sent_yet_is_to_come() {
    let mut driver = waits("4");
    let since = |r: &Request| matches!(r, Request::Pace(_));
    let Some(Request::Pace(at)) = driver.asked.iter().rev().find(|r| since(r)).cloned() else {
        unreachable!("the pace is asked for")
    };
    let pace = Pace {
        settled: Vec::new(),
        to_go: 0,
    };
    driver.reply(since, Reply::Pace(at, Ok(pace)));
    let text = driver.text(120, 40);
    assert!(text.contains("nothing to go yet, "), "{text}");
    assert!(text.contains(" records to come"), "{text}");
}

#[test]
fn a_pause_says_on_which_day_it_ends() {
    for (until, said) in [
        ("2026-11-23T18:00:00Z", "is paused until 18:00;"),
        ("2026-11-24T09:00:00Z", "is paused until tomorrow 09:00;"),
        ("2026-12-01T09:00:00Z", "is paused until 2026-12-01 09:00;"),
    ] {
        let mut driver = room("4p\n");
        driver.silent = true;
        driver.keys("a rewrite\t9:00\n");
        let mut pause = world::pauses().remove(0);
        pause.kind = PauseKind::Person;
        pause.mapping = Some("pets".into());
        pause.until = Some(until.parse().unwrap());
        let answer = Reply::Paused(Scope::Mapping("pets".into()), Ok(vec![pause]));
        driver.reply(|r| matches!(r, Request::Pause { .. }), answer);
        assert!(driver.said().contains(said), "{}", driver.said());
    }
}

#[test]
fn leaving_with_something_typed_does_not_promise_it_to_those_who_leave() {
    let mut driver = room("2e");
    driver.keys("Rex\u{1b}q");
    let text = driver.text(120, 40);
    assert!(text.contains("Quit and lose what was typed?"), "{text}");
    assert!(text.contains("Answer no"), "{text}");
    assert!(
        text.contains("open it again: it holds what was typed"),
        "{text}"
    );
}

#[test]
fn a_dry_run_is_announced_as_one() {
    for (dry, said) in [
        (true, "started: dry run of pets"),
        (false, "started: export of pets"),
    ] {
        let mut driver = room("5");
        driver.silent = true;
        driver.keys("a\n");
        let mut run = world::run(Mood::Normal, 1, RunState::Running);
        run.options.dry_run = dry;
        let export = |r: &Request| matches!(r, Request::StartExport(..));
        driver.reply(export, Reply::Run("started", Ok(run)));
        assert!(driver.said().contains(said), "{}", driver.said());
    }
}

#[test]
fn the_filter_of_the_exports_knows_states_and_mappings() {
    let runs = |keys: &str| {
        let text = room(keys).text(200, 60);
        let list: Vec<String> = text.lines().take(20).map(str::to_owned).collect();
        list.join("\n")
    };
    let all = runs("5");
    assert!(
        all.contains("running") && all.contains("completed"),
        "{all}"
    );
    let completed = runs("5/state:completed\n");
    assert!(completed.contains("completed  "), "{completed}");
    assert!(!completed.contains("running"), "{completed}");
    assert!(runs("5/state:running mapping:pets\n").contains("running"));
    assert!(runs("5/mapping:nobody\n").contains("no export matches"));
    let driver = room("5/state:compelted\n");
    assert!(driver.app.has_overlay(), "it cannot be entered");
    assert!(driver.text(120, 40).contains("is no state of an export"));
}

#[test]
fn the_list_stays_while_a_key_of_the_filter_is_typed() {
    for typed in ["state:fail", "age<1x", "-state:fa", "attempts"] {
        let mut driver = room("4");
        driver.asked.clear();
        driver.keys(&format!("/{typed}"));
        let jobs = driver.asked.iter().filter_map(|request| match request {
            Request::Jobs { query, .. } => Some(query.filter.clone()),
            _ => None,
        });
        assert_eq!(jobs.collect::<Vec<_>>(), [""; 0], "{typed}");
    }
}

#[test]
fn a_search_that_is_left_leads_back_to_the_record_it_began_at() {
    for search in ["/zzz\n", "/zzz", "/zzz\n/zzzz\n"] {
        let mut driver = room("2jj");
        assert!(driver.text(120, 40).contains("3 of "));
        driver.keys(search);
        driver.wait(200);
        driver.keys("\u{1b}");
        driver.wait(200);
        let text = driver.text(120, 40);
        assert!(text.contains("3 of "), "{search}: {text}");
    }
}

#[test]
fn the_activity_follows_after_the_log_of_one_thing() {
    let mut driver = room("4L");
    driver.wait(300);
    driver.keys("\u{1b}");
    driver.keys("6");
    driver.wait(300);
    assert!(driver.text(80, 24).contains("following"));
    let mut driver = room("6jjj");
    driver.keys("4L");
    driver.wait(300);
    driver.keys("\u{1b}6");
    driver.wait(300);
    assert!(
        !driver.text(80, 24).contains("following"),
        "the row is kept"
    );
}

/// The form that mends the record of a job that failed over this value, with that value in the record.
fn mended(error: &str, now: &str) -> String {
    let mut driver = room("4jjjj");
    driver.silent = true;
    driver.keys("e");
    let Some(Request::Mend(object, id)) = driver.asked.last().cloned() else {
        unreachable!("the record is asked for")
    };
    let answer = world::answer(Mood::Normal, Request::Mend(object, id));
    let Reply::Mend(Ok((detail, mut record))) = answer else {
        unreachable!("the record answers")
    };
    let value = serde_json::Value::from(now);
    record.properties.insert("owner_email".into(), value);
    record.updated_at = match error {
        "later" => Some(driver.now),
        _ => None,
    };
    let answer = Reply::Mend(Ok((detail, record)));
    driver.reply(|r| matches!(r, Request::Mend(..)), answer);
    driver.text(120, 40)
}

#[test]
fn the_fault_of_a_value_stands_once_and_goes_with_it() {
    let text = mended("", "jo@example.org");
    assert_eq!(text.matches("✗ invalid e-mail").count(), 1, "{text}");
    let text = mended("later", "jo@example.org");
    assert_eq!(text.matches("✗ invalid e-mail").count(), 0, "{text}");
}

#[test]
fn what_failed_looks_so_at_every_width() {
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let driver = room("6\t\t\t");
        let text = driver.text(width, height);
        let failed = text.lines().find(|line| line.contains("record upd"));
        assert!(failed.unwrap().contains("✗ record upd"), "{text}");
        let done = text.lines().find(|line| line.contains("retry"));
        assert!(!done.unwrap().contains('✗'), "{text}");
    }
    let text = room("6/record update\n").text(80, 24);
    assert!(text.contains("! jo from 10.0.0.7 record update"), "{text}");
}

#[test]
fn a_sample_that_was_written_is_as_new_as_that() {
    let mut driver = room("3");
    assert!(driver.text(120, 40).contains("read 14:02:3"));
    driver.wait(120_000);
    driver.keys("2");
    driver.wait(200);
    driver.keys("ex\n");
    driver.wait(200);
    driver.keys("3");
    driver.wait(200);
    let text = driver.text(120, 40);
    assert!(text.contains("read 14:04:3"), "{text}");
}

#[test]
fn the_footer_of_a_window_always_says_how_it_is_left() {
    for keys in [
        "3r\n", "3r\n\t", "3r\n\t ", "4p\n", "4p", "2e", "2c", "3t", "3A", "5a",
    ] {
        for (width, height) in [(60, 16), (80, 24)] {
            let text = room(keys).text(width, height);
            let foot = text.lines().last().unwrap_or_default();
            assert!(foot.contains("esc "), "{keys} {width}: {foot}");
            assert!(!foot.ends_with('…'), "{keys} {width}: {foot}");
        }
    }
}

#[test]
fn a_pause_that_has_no_room_for_who_names_nobody_by_half() {
    let mut driver = Driver::new(Mood::Paused).start();
    driver.keys("4");
    driver.wait(300);
    for width in 60..140 {
        let text = driver.text(width, 24);
        let lines = text.lines().filter(|line| line.contains(" resumes"));
        for line in lines.filter(|line| line.contains("(by ")) {
            assert!(line.contains(')'), "{width}: {line}");
        }
    }
}

#[test]
fn objects_without_records_here_say_so_beforehand() {
    let mut driver = room("1/business\n\n");
    driver.wait(200);
    assert_eq!(driver.app.tab(), Tab::Schemas);
    assert!(
        driver.said().contains("cannot be listed"),
        "{}",
        driver.said()
    );
    let mut driver = room("1\n");
    driver.wait(200);
    assert_eq!(driver.app.tab(), Tab::Records);
}
