//! Small things that somebody who presses every key stumbles over.

use super::connections;
use super::driver::Driver;
use super::world::{self, Mood};
use tramline::model::view::Outcome;
use tramline::model::{ErrorClass, Problem};
use tramline::tui::request::{Reply, Request};

fn room(keys: &str) -> Driver {
    let mut driver = Driver::after(keys);
    driver.wait(300);
    driver
}

#[test]
fn the_options_of_a_field_are_in_reach_at_every_size() {
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let mut driver = room("1\t");
        driver.frame(width, height);
        let temperament = (0..30).any(|_| {
            driver.keys("\n");
            let text = driver.text(width, height);
            if text.contains("key      temperament") {
                driver.keys("G");
                return driver.text(width, height).contains("Bold   bold");
            }
            driver.keys("\u{1b}j");
            false
        });
        assert!(temperament, "{width}: {}", driver.text(width, height));
        driver.keys("\u{1b}");
        assert!(!driver.app.has_overlay());
    }
    // In the other pane enter still opens the records.
    assert_eq!(room("1\n").app.tab(), tramline::tui::keymap::Tab::Records);
}

#[test]
fn objects_whose_fields_are_elsewhere_say_where() {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.frame(120, 40);
    let silent = |r: &Request| matches!(r, Request::Schema(key) if key.as_str() == "contact");
    driver.silent = true;
    driver.keys("1/contact\n");
    driver.wait(300);
    let (slot, generation) = driver.waiting(silent);
    let key = tramline::model::ObjectKey::from("contact");
    let mut schema = world::schema(Mood::Normal, &key);
    schema.properties.clear();
    let detail = tramline::tui::request::SchemaDetail {
        schema,
        mapped_to: vec![],
    };
    let reply = Reply::Schema(key, Ok(detail));
    driver.answer((slot, generation), reply);
    let text = driver.text(120, 40);
    assert!(
        text.contains("HighLevel gives the fields of contacts"),
        "{text}"
    );
    assert!(
        !text.contains("0 fields") && !text.contains("has no fields"),
        "{text}"
    );
}

#[test]
fn names_of_mappings_and_connections_are_completed() {
    for keys in ["4/state:failed mapping:v", "6/mapping:v"] {
        let mut driver = room(keys);
        assert!(driver.text(80, 24).contains("mapping:visits"));
        driver.keys("\t");
        let text = driver.text(80, 24);
        assert!(text.contains("mapping:visits"), "{text}");
        driver.keys("\n");
        assert!(driver.text(200, 60).contains("mapping:visits"));
    }
    // Text that is just looked for is no filter language.
    assert!(!room("5/mapping:v").text(80, 24).contains("mapping:visits"));
}

#[test]
fn a_name_is_a_whole_name_in_the_activity() {
    let rows = |keys: &str| {
        let driver = room(keys);
        driver.text(120, 40)
    };
    let whole = rows("6\t\t\t/mapping:pets\n");
    assert!(
        whole.contains("pause") && whole.contains("retry"),
        "{whole}"
    );
    let part = rows("6\t\t\t/mapping:pet\n");
    assert!(part.contains("nothing matches"), "{part}");
}

#[test]
fn following_is_said_only_while_it_is_done() {
    let mut driver = room("6");
    assert!(driver.text(80, 24).contains("following"));
    driver.keys("G");
    assert!(!driver.text(80, 24).contains("following"));
    driver.keys("g");
    assert!(driver.text(80, 24).contains("following"));
}

#[test]
fn the_connection_in_view_is_under_the_cursor() {
    for (first, here) in [("", "▶ ● default"), ("@eu\n", "▶ ● eu")] {
        let mut driver = connections::room(Mood::Normal);
        driver.keys(first);
        driver.wait(200);
        driver.keys("@");
        let text = driver.text(80, 24);
        assert!(text.contains(here), "{text}");
    }
}

#[test]
fn what_was_skipped_is_no_success() {
    for (outcome, words) in [
        (Outcome::Skipped, "skipped: nothing was sent"),
        (Outcome::Superseded, "superseded: nothing was sent"),
    ] {
        let mut driver = room("2");
        driver.silent = true;
        driver.keys("s");
        let (slot, generation) = driver.waiting(|r| matches!(r, Request::Sync(..)));
        let request = Request::Sync("pets".into(), vec![world::record(Mood::Normal, 0).id]);
        let Reply::Synced(Ok(mut results)) = world::answer(Mood::Normal, request) else {
            unreachable!("a sync answers a sync")
        };
        results[0].outcome = outcome;
        results[0].contact_id = None;
        results[0].fields.clear();
        let reply = Reply::Synced(Ok(results));
        driver.answer((slot, generation), reply);
        assert!(driver.said().contains(words), "{}", driver.said());
        assert!(driver.text(120, 40).contains(&format!("! {words}")));
    }
}

#[test]
fn what_became_of_many_interrupts_nobody_and_names_what_failed() {
    let mut driver = room("2");
    driver.silent = true;
    driver.keys("s");
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::Sync(..)));
    let ids = [0, 1, 2].map(|at| world::record(Mood::Normal, at).id);
    let request = Request::Sync("pets".into(), ids.to_vec());
    let Reply::Synced(Ok(mut results)) = world::answer(Mood::Normal, request) else {
        unreachable!("a sync answers a sync")
    };
    results[1].outcome = Outcome::Waiting;
    results[2].outcome = Outcome::Failed;
    results[2].why = Some("gigantic is no option".to_owned());
    driver.keys("a");
    driver.answer((slot, generation), Reply::Synced(Ok(results)));
    driver.keys("Rex");
    let text = driver.text(120, 40);
    assert!(
        text.contains("Rex") && text.contains("enter create"),
        "{text}"
    );
    let said = driver.said();
    assert!(
        said.contains("3 records: ") && said.contains("1 waiting") && said.contains("1 failed"),
        "{said}"
    );
    assert!(said.contains("gigantic is no option"), "{said}");
}

#[test]
fn values_of_another_record_never_stand_under_a_sample() {
    let mut driver = room("3");
    let title = |driver: &Driver| {
        let text = driver.text(120, 40);
        let line = text.lines().find(|line| line.contains("sample ")).unwrap();
        line.to_owned()
    };
    let first = title(&driver);
    let name = first
        .split("of ")
        .nth(1)
        .and_then(|rest| rest.split(' ').nth(1));
    let name = name.unwrap().to_owned();
    driver.silent = true;
    driver.keys(" ");
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::SamplePreview(..)));
    let problem = Problem::new(ErrorClass::Config, "the mapping cannot be used");
    driver.answer((slot, generation), Reply::SamplePreview(Err(problem)));
    let second = title(&driver);
    assert!(second.contains("sample 2 of"), "{second}");
    assert!(!second.contains(&name), "{name} stands in {second}");
}

#[test]
fn an_export_that_was_not_begun_offers_a_dry_run_again() {
    let mut driver = room("5a");
    driver.press(crossterm::event::KeyCode::Tab);
    driver.press(crossterm::event::KeyCode::Left);
    assert!(driver.text(120, 40).contains("● no  ○ yes"));
    driver.keys("\u{1b}a");
    assert!(
        driver.text(120, 40).contains("● yes"),
        "{}",
        driver.text(120, 40)
    );
}

#[test]
fn a_question_about_one_speaks_of_one() {
    let mut driver = room("4");
    driver.silent = true;
    driver.keys("X");
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::CountDiscardable(_)));
    let chosen = driver.asked.iter().rev().find_map(|request| match request {
        Request::CountDiscardable(chosen) => Some(chosen.clone()),
        _ => None,
    });
    let reply = Reply::Count(chosen.unwrap(), Ok(1));
    driver.answer((slot, generation), reply);
    let text = driver.text(80, 24);
    assert!(
        text.contains("Discard 1 job?") && text.contains("It is given up"),
        "{text}"
    );
    assert!(!text.contains("They"), "{text}");
}

#[test]
fn saved_filters_that_come_late_show_a_spinner_and_are_given_up_by_esc() {
    for tab in ["4", "6"] {
        let mut driver = room(tab);
        driver.silent = true;
        driver.keys("F");
        assert!(!driver.text(80, 24).contains("saved filters"));
        driver.wait(400);
        assert!(driver.text(80, 24).contains("saved filters"));
        driver.keys("\u{1b}");
        assert!(!driver.text(80, 24).contains("saved filters"));
        driver.speak();
        assert!(!driver.app.has_overlay());
        driver.keys("F");
        driver.wait(400);
        assert!(driver.app.has_overlay());
        assert!(!driver.text(80, 24).contains("saved filters"));
    }
}

#[test]
fn the_last_line_of_a_text_is_not_written_over() {
    for height in [16, 24, 40] {
        let mut driver = room("4?");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let text = driver.text(80, height);
            let inside = text.lines().filter(|line| line.contains('│'));
            let inside: Vec<_> = inside.map(str::to_owned).collect();
            let note = inside.last().filter(|line| line.contains("more lines"));
            if let Some(note) = note {
                let words = note.split_whitespace().count();
                assert_eq!(words, 5, "the note stands alone: {note}");
            }
            seen.extend(inside);
            driver.keys("j");
        }
        assert!(seen.iter().any(|line| line.contains("log: ")), "{height}");
    }
}

#[test]
fn what_a_person_did_stands_whole_beneath_the_list() {
    let mut driver = room("6\t\t\tj");
    for (width, height) in [(80, 24), (120, 40)] {
        let text = driver.text(width, height);
        let whole = "record update custom_objects.pets 66b1c0ffee: HighLevel: 422 born is no date";
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(whole), "{text}");
    }
    driver.keys("j");
    assert!(driver.text(80, 24).contains("the field is being renamed"));
}
