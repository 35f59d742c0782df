//! What comes too late, or comes back: a text that is not written, a list that was left, a question whose reason is over.

use super::driver::Driver;
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use serde_json::json;
use tramline::model::export::RunState;
use tramline::model::{ObjectKey, Record};
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::keymap::Tab;
use tramline::tui::request::{Editing, Reply, Request};

const OVERWRITE: &str = "Overwrite what somebody else changed meanwhile?";

/// The answer to a change that came too late: HighLevel has another name by now.
fn too_late(driver: &mut Driver) {
    let found = driver.asked.iter().rev().find_map(|request| match request {
        Request::Update(change) => Some(change.clone()),
        _ => None,
    });
    let change = found.unwrap();
    let mut live = world::record(Mood::Normal, 0);
    live.id = change.record.clone();
    live.properties["name"] = json!("Max");
    let place = driver.waiting(|request| matches!(request, Request::Update(..)));
    driver.silent = false;
    driver.answer(place, Reply::Overtaken(change, Box::new(live)));
}

/// A text of the editor over a record, with another name.
fn edited(record: &Record, name: &str) -> Event {
    let mut after = record.properties.clone();
    after["name"] = json!(name);
    let editing = Editing {
        object: record.object.clone(),
        record: Some(record.id.clone()),
        before: record.properties.clone(),
    };
    Event::Edited(editing, Ok(serde_json::to_string(&after).unwrap()))
}

/// What the editor was opened with last.
fn opened(driver: &Driver) -> Option<(Editing, String)> {
    driver.effects.iter().rev().find_map(|effect| match effect {
        Effect::Edit(editing, text) => Some((editing.clone(), text.clone())),
        _ => None,
    })
}

#[test]
fn who_does_not_overwrite_has_the_text_of_the_editor_back() {
    let mut driver = Driver::after("2");
    driver.silent = true;
    driver.event(edited(&world::record(Mood::Normal, 0), "Bello"));
    too_late(&mut driver);
    let text = driver.text(80, 24);
    assert!(
        text.contains(OVERWRITE) && text.contains("No leads back to the text"),
        "{text}"
    );
    for no in [KeyCode::Char('n'), KeyCode::Enter, KeyCode::Esc] {
        driver.press(no);
        assert!(driver.text(80, 24).contains("Edit it again?"));
        driver.keys("y");
        let (editing, text) = opened(&driver).unwrap();
        assert!(text.contains("Bello"), "{text}");
        assert_eq!(editing.before["name"], "Max", "that was told");
        // The same text once more goes over what was told, and over no later value.
        driver.silent = true;
        driver.event(Event::Edited(editing, Ok(text)));
        too_late(&mut driver);
        driver.effects.clear();
    }
    driver.keys("nn");
    assert!(!driver.app.has_overlay() && opened(&driver).is_none());
}

#[test]
fn a_text_of_the_editor_is_not_lost_by_the_question_about_production_either() {
    let mut session = super::driver::session();
    session.production = true;
    let theme = tramline::tui::theme::ThemeName::Dark;
    let mut driver = Driver::with(Mood::Normal, session, theme, false).start();
    driver.keys("2");
    driver.event(edited(&world::record(Mood::Normal, 0), "Bello"));
    assert!(driver.text(80, 24).contains("Write to production?"));
    driver.keys("ny");
    assert!(opened(&driver).unwrap().1.contains("Bello"));
    // Another question's no is no more than that.
    driver.effects.clear();
    driver.keys("Dn");
    assert!(!driver.app.has_overlay() && opened(&driver).is_none());
}

#[test]
fn a_value_that_the_row_did_not_have_is_not_said_to_be_changed_by_somebody() {
    let mut driver = Driver::after("2");
    let mut record = world::record(Mood::Normal, 0);
    record.properties.remove("name");
    driver.silent = true;
    let mut event = edited(&world::record(Mood::Normal, 0), "Bello");
    if let Event::Edited(editing, _) = &mut event {
        editing.before = record.properties;
    }
    driver.event(event);
    too_late(&mut driver);
    let text = driver.text(80, 24);
    assert!(text.contains("Overwrite what was not shown?"), "{text}");
    assert!(
        text.contains("nothing was shown, Max is there now"),
        "{text}"
    );
}

#[test]
fn a_form_closes_when_it_is_saved_though_something_was_opened_above_it() {
    let mut driver = Driver::after("2");
    driver.silent = true;
    driver.keys("oeX\n");
    let related = driver.waiting(|request| matches!(request, Request::Related(..)));
    let Request::Related(_, id) = driver
        .asked
        .iter()
        .find(|request| matches!(request, Request::Related(..)))
        .unwrap()
        .clone()
    else {
        panic!()
    };
    let object = ObjectKey::from("custom_objects.pets");
    let reply = world::answer(Mood::Normal, Request::Related(object, id));
    driver.answer(related, reply);
    assert!(driver.text(120, 40).contains("Related records"));
    too_late(&mut driver);
    assert!(driver.text(120, 40).contains(OVERWRITE));
    driver.keys("y");
    assert!(driver.said().contains("saved"), "{}", driver.said());
    driver.keys("\u{1b}");
    let text = driver.text(120, 40);
    assert!(!driver.app.has_overlay(), "{text}");
}

#[test]
fn who_asked_to_quit_while_something_was_written_quits_when_that_is_over() {
    let mut driver = Driver::after("2");
    driver.silent = true;
    driver.keys("sq");
    assert!(
        driver
            .text(80, 24)
            .contains("Quit while something is being written?")
    );
    driver.speak();
    assert!(driver.effects.contains(&Effect::Quit));
    assert!(!driver.said().contains("nothing was done"));
    // What is typed elsewhere is asked about still.
    let mut driver = Driver::after("2eX\u{1b}");
    driver.silent = true;
    driver.keys("sq");
    driver.speak();
    assert!(!driver.effects.contains(&Effect::Quit));
    assert!(
        driver
            .text(80, 24)
            .contains("Quit and lose what was typed?")
    );
}

#[test]
fn a_cancel_that_is_asked_about_is_dropped_when_the_run_is_over() {
    let mut driver = Driver::after("5");
    driver.keys("K");
    assert!(driver.text(80, 24).contains("Cancel the export of pets?"));
    driver.silent = true;
    driver.event(Event::Changed);
    driver.wait(2_000);
    let place = driver.waiting(|request| *request == Request::Exports);
    let Reply::Exports(Ok(mut runs)) = world::answer(Mood::Normal, Request::Exports) else {
        panic!()
    };
    runs[0].state = RunState::Completed;
    driver.answer(place, Reply::Exports(Ok(runs)));
    assert!(!driver.app.has_overlay());
    assert!(driver.said().contains("what was asked about is over"));
    assert!(!driver.effects.contains(&Effect::Quit));
}

/// A list of pets that was left for a visit, with a write of its first record under way.
fn left_for_a_visit(begin: impl FnOnce(&mut Driver)) -> Driver {
    let mut driver = Driver::after("2");
    driver.silent = true;
    begin(&mut driver);
    driver.silent = false;
    driver.keys("o");
    driver.press(KeyCode::Down);
    driver.keys("\n");
    driver.wait(300);
    let visit = |r: &Request| matches!(r, Request::Record(object, _) if object.short() == "visits");
    assert!(driver.asked.iter().any(visit));
    driver
}

#[test]
fn a_list_that_comes_back_has_what_was_saved_since() {
    let pet = world::record(Mood::Normal, 0);
    let mut saved = pet.clone();
    saved.properties["name"] = json!("Bello");
    let event = edited(&pet, "Bello");
    let mut driver = left_for_a_visit(|driver| driver.event(event));
    let place = driver.waiting(|request| matches!(request, Request::Update(..)));
    driver.answer(place, Reply::Saved(Ok(saved)));
    driver.keys("\u{1b}");
    let text = driver.text(120, 40);
    assert!(text.contains("Bello"), "{text}");
    // Who edits it sees what was saved, and is not asked about it.
    driver.keys("eX");
    driver.silent = true;
    driver.keys("\n");
    let seen = driver.asked.iter().rev().find_map(|request| match request {
        Request::Update(change) => change.seen.get("name").cloned(),
        _ => None,
    });
    assert_eq!(seen, Some(json!("Bello")));
}

#[test]
fn a_record_that_was_left_open_comes_back_as_it_was_saved_since() {
    // A visit, and from it another one.
    let mut driver = left_for_a_visit(|_| {});
    driver.keys("\t");
    let visit = world::record(Mood::Normal, 7);
    driver.silent = true;
    driver.event(edited(&visit, "Bello"));
    driver.silent = false;
    driver.keys("o");
    driver.press(KeyCode::Down);
    driver.keys("\n");
    driver.wait(300);
    let place = driver.waiting(|request| matches!(request, Request::Update(..)));
    let mut saved = visit;
    saved.properties["name"] = json!("Bello");
    driver.answer(place, Reply::Saved(Ok(saved)));
    driver.keys("\u{1b}");
    let text = driver.text(120, 40);
    assert!(
        text.contains("properties") && text.contains("Bello"),
        "{text}"
    );
}

#[test]
fn a_list_that_comes_back_is_read_anew_where_a_record_of_it_was_deleted_since() {
    let lists = |driver: &Driver| {
        let of_pets = |r: &&Request| matches!(r, Request::Records { object, page: 0, .. } if object.short() == "pets");
        driver.asked.iter().filter(of_pets).count()
    };
    for (deleted, anew) in [(true, 1), (false, 0)] {
        let mut driver = left_for_a_visit(|driver| driver.keys("\nDy"));
        let before = lists(&driver);
        let place = driver.waiting(|request| matches!(request, Request::Delete(..)));
        let gone = match deleted {
            true => vec![world::record(Mood::Normal, 0).id],
            false => vec![],
        };
        driver.answer(place, Reply::Deleted(gone, None));
        driver.keys("\u{1b}");
        assert_eq!(driver.app.tab(), Tab::Records);
        assert_eq!(lists(&driver) - before, anew, "{deleted}");
        // The record that is gone is open no more; one that is there is.
        let open = driver.text(120, 40).contains("sync view");
        assert_eq!(open, !deleted);
    }
}

#[test]
fn names_that_were_typed_into_a_list_of_tags_are_there_when_it_is_opened_again() {
    let mut driver = Driver::after("3rt");
    driver.wait(200);
    driver.press(KeyCode::Down);
    driver.keys("sen");
    driver.keys("\u{1b}");
    assert!(!driver.text(80, 24).contains("Add which tags?"));
    // The rule is not taken with half a name, nor is it left without a word.
    driver.keys("ior");
    let text = driver.text(80, 24);
    assert!(text.contains("new tag: senior"), "{text}");
    assert!(driver.said().is_empty(), "{}", driver.said());
    driver.keys("\u{1b}\u{1b}q");
    let text = driver.text(80, 24);
    assert!(text.contains("Quit and lose what was typed?"), "{text}");
    driver.keys("nt");
    driver.wait(200);
    driver.keys(" ");
    let text = driver.text(80, 24);
    assert!(text.contains("new tag: senior"), "{text}");
    assert!(
        driver.said().contains("what was typed"),
        "{}",
        driver.said()
    );
    driver.keys("\n\n");
    let text = driver.text(80, 24);
    assert!(text.contains("pet-adopted, senior"), "{text}");
}

#[test]
fn a_mapping_with_more_lines_than_fit_says_how_many_are_out_of_sight() {
    let mut driver = Driver::after("");
    driver.silent = true;
    driver.keys("3");
    let asks = |request: &Request| matches!(request, Request::MappingDetail(_));
    let place = driver.waiting(asks);
    let detail = world::answer(Mood::Normal, Request::MappingDetail("pets".into()));
    let Reply::MappingDetail(name, Ok(mut detail)) = detail else {
        panic!()
    };
    let line = detail.lines[1].clone();
    detail.lines = (10..40)
        .map(|n| tramline::operations::mappings::MappingLine {
            target: format!("%LINE_{n}%"),
            ..line.clone()
        })
        .collect();
    driver.answer(place, Reply::MappingDetail(name, Ok(detail)));
    for (width, height) in [(60, 16), (80, 24), (120, 20)] {
        driver.keys("g");
        let text = driver.text(width, height);
        let seen = text.matches("LINE_").count();
        assert!(seen > 2, "{text}");
        assert!(
            text.contains(&format!(" {} more below", 30 - seen)),
            "{text}"
        );
        driver.keys("G");
        let text = driver.text(width, height);
        assert!(text.contains("LINE_39"), "{text}");
        assert!(
            text.contains(&format!(" {} more above", 30 - seen)),
            "{text}"
        );
        assert!(!text.contains("below"), "{text}");
    }
    // Where all are seen nothing is said.
    let text = driver.text(200, 60);
    assert!(
        !text.contains("above") && text.contains("LINE_10"),
        "{text}"
    );
}

#[test]
fn what_is_left_of_the_failures_of_a_run_stands_below_it_and_is_counted_again_now_and_then() {
    let id = world::run(Mood::Normal, 5, RunState::Cancelled).id;
    let counted = |driver: &Driver| {
        let this = |request: &&Request| **request == Request::StillFailed(id.clone());
        driver.asked.iter().filter(this).count()
    };
    for (left, said) in [
        (50, "shows the failed ones in the queue"),
        (8, "8 were not taken up again; the others were retried"),
        (0, "all that failed were retried, synced again"),
    ] {
        let mut driver = Driver::after("5G");
        driver.silent = true;
        driver.wait(200);
        assert_eq!(counted(&driver), 1);
        let place = driver.waiting(|request| matches!(request, Request::StillFailed(_)));
        driver.answer(place, Reply::StillFailed(id.clone(), Ok(left)));
        let text = driver.text(120, 40);
        assert!(text.contains(said), "{text}");
        let text = driver.text(80, 24);
        assert!(text.contains(&said[..20]), "{text}");
        // The store changes: the runs are read again at once, what is left of one after a while.
        driver.speak();
        driver.asked.clear();
        for _ in 0..4 {
            driver.event(Event::Changed);
            driver.wait(1_000);
        }
        assert_eq!(counted(&driver), 0);
        driver.wait(2_000);
        assert_eq!(counted(&driver), 1);
    }
}

#[test]
fn nothing_is_counted_of_a_run_that_left_nothing_or_is_not_over() {
    // The first one runs, the third one is a dry run.
    for keys in ["5", "5jj"] {
        let mut driver = Driver::after(keys);
        driver.wait(1_000);
        let counts = |request: &Request| matches!(request, Request::StillFailed(_));
        assert!(!driver.asked.iter().any(counts), "{keys}");
    }
}
