//! What gives way where there is little room, and what must not: frame, columns, forms.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use super::{SIZES, view};
use crossterm::event::KeyCode;
use tramline::model::{ErrorClass, Problem};
use tramline::operations::status::Status;
use tramline::tui::context::Session;
use tramline::tui::event::Event;
use tramline::tui::request::{Reply, Request};
use tramline::tui::theme::ThemeName;

/// The app at rest with another status than the world's.
fn with_status(change: impl FnOnce(&mut Status)) -> Driver {
    let mut driver = Driver::new(Mood::Normal);
    driver.silent = true;
    let mut driver = driver.start();
    hear(&mut driver, change);
    driver
}

/// Answers what was asked last of the status.
fn hear(driver: &mut Driver, change: impl FnOnce(&mut Status)) {
    let (slot, generation) = driver.waiting(|request| *request == Request::Status);
    let Reply::Status(Ok(mut status)) = world::answer(Mood::Normal, Request::Status) else {
        panic!("the world has no status");
    };
    change(&mut status);
    let reply = Reply::Status(Ok(status));
    driver.answer((slot, generation), reply);
}

/// The line of the budgets, without its figures.
fn budgets(driver: &Driver, width: u16, height: u16) -> String {
    let text = driver.text(width, height);
    let line = text.lines().rev().find(|line| line.contains("GHL"));
    let shape = line.unwrap_or_default().split_whitespace();
    let words = shape.filter(|word| !word.contains('/'));
    let words = words.map(|word| word.replace('█', "░"));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_said_of_the_budgets_does_not_change_with_every_call() {
    for (width, height) in SIZES {
        for failed in [0, 4, 41, 410, 4100, 41_000, 410_000] {
            let with = |left| {
                let driver = with_status(|status| {
                    status.counts.waiting = 0;
                    status.counts.failed = failed;
                    status.highlevel.as_mut().unwrap().left = left;
                });
                budgets(&driver, width, height)
            };
            let full = with(100);
            for left in [0, 9, 10, 98, 99] {
                assert_eq!(full, with(left), "{left} left at {width}, {failed} failed");
            }
        }
    }
}

#[test]
fn an_error_can_be_read_though_others_follow_it() {
    let error = |message: &'static str| {
        move |status: &mut Status| {
            status.last_error.as_mut().unwrap().problem =
                Problem::new(ErrorClass::Invalid, message);
        }
    };
    let says = |driver: &Driver, text: &str| driver.text(120, 40).contains(text);
    let mut driver = with_status(error("the first"));
    driver.wait(500);
    for message in ["the second", "the third"] {
        driver.event(Event::Changed);
        driver.wait(500);
        hear(&mut driver, error(message));
        assert!(says(&driver, "the first"), "{}", driver.text(120, 40));
    }
    // The newest comes by itself.
    driver.wait(1_000);
    hear(&mut driver, error("the third"));
    assert!(says(&driver, "the third"), "{}", driver.text(120, 40));
    // After a while of one error the next one is shown at once; that there is none any more always is.
    driver.event(Event::Changed);
    driver.wait(3_000);
    hear(&mut driver, error("the fourth"));
    assert!(says(&driver, "the fourth"));
    driver.event(Event::Changed);
    driver.wait(500);
    hear(&mut driver, |status| status.last_error = None);
    assert!(!says(&driver, "the fourth"));
}

#[test]
fn the_last_error_says_more_on_a_wide_terminal_than_on_a_narrow_one() {
    let message: String = ('a'..='z').cycle().take(200).collect();
    let mut driver = with_status(|status| {
        status.last_error.as_mut().unwrap().problem = Problem::new(ErrorClass::Invalid, &message);
    });
    // The screen with the most keys.
    driver.keys("4");
    let said = |(width, height)| {
        let text = driver.text(width, height);
        let fits = |part: &usize| text.contains(&message[..*part]);
        (1..200).take_while(fits).last().unwrap_or(0)
    };
    let [narrow, middle, wide] = SIZES.map(said);
    assert!(narrow < middle, "{narrow}, {middle}");
    assert!(wide > narrow && wide > 40, "{narrow}, {wide}");
    assert!(driver.text(200, 60).contains("? help"));
}

#[test]
fn the_headings_of_the_sync_view_are_whole() {
    let driver = view(Mood::Normal, "2d");
    for (width, height) in SIZES.into_iter().chain([(60, 16)]) {
        let text = driver.text(width, height);
        assert!(text.contains("contact now"), "{text}");
    }
}

#[test]
fn badges_leave_the_tabs_their_names() {
    for read_only in [false, true] {
        for account in ["acme", "acme-pets-of-northern-europe"] {
            let session = Session {
                account: account.into(),
                environment: "production".into(),
                production: true,
                read_only,
                ..session()
            };
            let mut driver = Driver::with(Mood::Normal, session, ThemeName::Dark, false).start();
            let mut starts = Vec::new();
            for key in ["1", "2", "3", "4", "5", "6"] {
                driver.keys(key);
                let text = driver.text(80, 24);
                let header = text.lines().next().unwrap();
                for part in [
                    "acme",
                    "production",
                    "1 Sch",
                    "2 Rec",
                    "3 Map",
                    "4 Que",
                    "5 Exp",
                    "6 Act",
                ] {
                    assert!(header.contains(part), "{part}: {header}");
                }
                assert_eq!(header.contains("read-only"), read_only, "{header}");
                starts.push(header.find("production"));
            }
            starts.dedup();
            assert_eq!(starts.len(), 1, "the header jumps from tab to tab");
        }
    }
}

/// The form over the record of a failed job whose status the contact refuses.
fn mending() -> Driver {
    let mut driver = view(Mood::Normal, "4jjjj");
    driver.silent = true;
    driver.keys("e");
    let (slot, generation) = driver.waiting(|request| matches!(request, Request::Mend(..)));
    let id = world::job(Mood::Normal, 4).record;
    let reply = world::answer(Mood::Normal, Request::Mend(world::pets(), id));
    driver.answer((slot, generation), reply);
    driver
}

#[test]
fn what_is_wrong_with_a_field_hides_nothing_of_it() {
    let mut driver = view(Mood::Normal, "2e");
    // A date that is none, in a field whose value is long.
    driver.keys("\t\t\t\t\t");
    driver.ctrl('u');
    driver.keys("this is no date at all, and it is a long one\n");
    for (width, height) in SIZES {
        let text = driver.text(width, height);
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.contains("│ Born"));
        let at = at.unwrap_or_else(|| panic!("{text}"));
        assert!(lines[at].contains("at all, and it is a long one"), "{text}");
        assert!(
            lines[at + 1].contains("a date looks like 2026-11-23"),
            "{text}"
        );
    }
    let driver = mending();
    let text = driver.text(80, 24);
    assert!(text.contains("invalid e-mail"), "{text}");
    for choices in ["○ Available  ● Adopted  ○ Pending", "Calm  ● Shy  ○ Bold"] {
        assert!(text.contains(choices), "{choices}: {text}");
    }
}

#[test]
fn a_form_that_is_taller_than_the_screen_says_what_is_hidden() {
    let mut driver = view(Mood::Normal, "2e");
    let text = driver.text(80, 24);
    assert!(!text.contains("more above") && !text.contains("more below"));
    let text = driver.text(60, 16);
    assert!(text.contains(" more below"), "{text}");
    assert!(!text.contains("more above"), "{text}");
    driver.press(KeyCode::Up);
    let text = driver.text(60, 16);
    assert!(text.contains(" more above"), "{text}");
    assert!(!text.contains("more below"), "{text}");
}

#[test]
fn a_long_value_is_cut_where_it_is_not_typed_and_says_so() {
    let mut driver = view(Mood::Normal, "2e");
    let value: String = ('a'..='z').cycle().take(200).collect();
    driver.event(Event::Paste(value.clone()));
    let typed = driver.text(80, 24);
    let name = |text: &str| {
        let line = text.lines().find(|line| line.contains(" Name"));
        line.unwrap().to_owned()
    };
    assert!(name(&typed).contains(&value[190..]), "{typed}");
    assert!(
        name(&typed).contains("…"),
        "what is hidden before it: {typed}"
    );
    driver.keys("\t");
    let left = driver.text(80, 24);
    assert!(name(&left).contains("Rexabc"), "{left}");
    assert!(name(&left).contains("…"), "{left}");
}

#[test]
fn a_choice_of_many_shows_the_one_under_the_cursor_and_that_there_are_more() {
    let mut driver = view(Mood::Normal, "3\t\tGc");
    driver.keys("\t\t");
    let line = |driver: &Driver| {
        let text = driver.text(60, 16);
        let line = text.lines().find(|line| line.contains(" Type "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let first = line(&driver);
    assert!(
        first.contains("● listbox") && first.contains("…"),
        "{first}"
    );
    let mut seen = vec![first];
    for _ in 0..12 {
        driver.press(KeyCode::Right);
        seen.push(line(&driver));
        let now = seen.last().unwrap();
        assert!(now.contains('●'), "the chosen one is in sight: {now}");
        assert!(now.contains("…"), "there are more: {now}");
    }
    assert!(!seen.last().unwrap().contains("listbox"));
}

/// A room whose last view had a filter, which may be of another version of the program.
pub fn left_with(mood: Mood, tab: &str, filter: &str) -> Driver {
    let mut driver = Driver::new(mood);
    let view = serde_json::json!({
        "tab": tab, "queue": { "filter": filter }, "activity": { "filter": filter },
    });
    driver.remembered = Some(view.to_string());
    driver.start()
}

#[test]
fn a_filter_that_cannot_be_read_is_not_to_be_read_again() {
    let driver = view(Mood::Broken, "4");
    assert!(driver.text(80, 24).contains("ctrl-r reads it again"));
    let driver = left_with(Mood::Broken, "Queue", "age>soon");
    let text = driver.text(80, 24);
    assert!(!text.contains("reads it again"), "{text}");
    assert!(
        text.contains("/ changes the filter, esc clears it"),
        "{text}"
    );
}

#[test]
fn a_dry_run_is_found_by_these_words() {
    let mut driver = view(Mood::Normal, "5");
    assert!(driver.text(120, 40).contains("dry run"));
    driver.keys("/dry\n");
    let text = driver.text(120, 40);
    let rows = text
        .lines()
        .filter(|line| line.contains("completed  dry run"));
    assert_eq!(rows.count(), 1, "{text}");
    assert!(!text.contains("▸ running"), "{text}");
}

#[test]
fn a_sample_follows_its_record_and_says_when_it_was_read() {
    let mut driver = view(Mood::Normal, "3");
    let sample = |driver: &Driver| {
        driver.asked.iter().rev().find_map(|request| match request {
            Request::SamplePreview(_, record) => Some((**record).clone()),
            _ => None,
        })
    };
    let before = sample(&driver).unwrap();
    let text = driver.text(120, 40);
    assert!(
        text.contains("sample 1 of") && text.contains("read 14:02:30"),
        "{text}"
    );
    driver.asked.clear();
    // The first record of the list is the first sample.
    driver.keys("2e");
    driver.silent = true;
    driver.keys("Q\n");
    let (slot, generation) = driver.waiting(|request| matches!(request, Request::Update(..)));
    let mut record = before.clone();
    let name = record.properties.get_mut("name").unwrap();
    *name = "RexQ".into();
    driver.answer((slot, generation), Reply::Saved(Ok(record)));
    driver.speak();
    let after = sample(&driver).expect("the sample goes through again");
    assert_eq!(after.id, before.id);
    assert_eq!(after.properties["name"], "RexQ");
    driver.keys("2Dy");
    let next = sample(&driver).unwrap();
    assert_ne!(next.id, before.id, "a deleted record is no sample");
}

#[test]
fn under_read_only_no_form_opens_that_would_write() {
    let session = Session {
        read_only: true,
        ..session()
    };
    for keys in ["2e", "2a", "2E", "4jjjje", "3e", "3a", "3c", "4p"] {
        let driver = Driver::with(Mood::Normal, session.clone(), ThemeName::Dark, false);
        let mut driver = driver.start();
        driver.text(120, 40);
        driver.keys(keys);
        assert!(!driver.app.has_overlay(), "{keys}");
        let said = driver.app.toasts();
        assert!(
            said.iter().any(|text| text.contains("read-only")),
            "{keys}: {said:?}"
        );
    }
    // A dry run writes nothing, and is all that can be chosen.
    let mut driver = Driver::with(Mood::Normal, session, ThemeName::Dark, false).start();
    driver.keys("5a\t");
    driver.press(KeyCode::Left);
    driver.press(KeyCode::Right);
    driver.keys("\n");
    let started = driver.asked.iter().find_map(|request| match request {
        Request::StartExport(_, options) => Some(options.dry_run),
        _ => None,
    });
    assert_eq!(started, Some(true));
}

#[test]
fn a_line_from_an_unknown_field_is_called_so_and_shows_no_old_sample() {
    let mut driver = view(Mood::Normal, "3jjjt");
    let before = driver.text(200, 60);
    let line = |text: &str| {
        let line = text.lines().find(|line| line.contains("TEMPERAMENT "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert!(line(&before).contains("calm, shy"), "{before}");
    driver.ctrl('u');
    driver.silent = true;
    driver.keys("temperamnt\n");
    let drafted = |request: &Request| match request {
        Request::DraftDetail(name, _) => Some(name.clone()),
        _ => None,
    };
    let (slot, generation) = driver.waiting(|request| drafted(request).is_some());
    let name = driver.asked.iter().rev().find_map(drafted).unwrap();
    let Reply::MappingDetail(name, Ok(mut detail)) =
        world::answer(Mood::Normal, Request::MappingDetail(name))
    else {
        panic!("the world has no mapping");
    };
    let lines = &mut detail.lines;
    let edited = lines.iter_mut().find(|line| line.source == "temperament");
    let edited = edited.unwrap();
    edited.source = "temperamnt".into();
    edited.source_type = None;
    let reply = Reply::MappingDetail(name, Ok(detail));
    driver.answer((slot, generation), reply);
    // A mapping that does not fit the schema sends no sample through.
    let (slot, generation) = driver.waiting(|request| matches!(request, Request::DraftPreview(..)));
    let problem = Problem::new(ErrorClass::Config, "pets has no field temperamnt");
    driver.answer((slot, generation), Reply::SamplePreview(Err(problem)));
    let after = line(&driver.text(200, 60));
    assert!(after.contains("temperamnt"), "{after}");
    assert!(
        after.contains("unknown") && !after.contains("template"),
        "{after}"
    );
    assert!(!after.to_lowercase().contains("calm"), "{after}");
}

#[test]
fn changes_that_are_not_saved_are_named_before_what_only_describes() {
    let driver = view(Mood::Normal, "3jD");
    for width in [60, 70, 80, 200] {
        let text = driver.text(width, 24);
        assert!(text.contains("1 change, w saves"), "{width}: {text}");
        assert!(text.contains("1 problem"), "{width}: {text}");
        assert!(text.contains("sample 1 of 5"), "{width}: {text}");
    }
    assert!(driver.text(200, 24).contains("email: owner_email"));
    assert!(!driver.text(60, 24).contains("email: owner_email"));
}

#[test]
fn a_time_is_not_broken_between_two_lines() {
    let driver = view(Mood::Normal, "4jjj\n");
    for width in 60..140 {
        let text = driver.text(width, 40);
        assert!(
            text.contains("made 2026-11-23 12:32:30 UTC"),
            "{width}: {text}"
        );
    }
}
