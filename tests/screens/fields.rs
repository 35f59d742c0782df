//! Contact fields that are missing, and suggested pairs: what is asked, and what becomes of the draft.

use crate::driver::{Driver, session};
use crate::view;
use crate::world::{Mood, NASTY};
use crossterm::event::KeyCode;
use tramline::mapping::{FieldSpec, MappingSpec};
use tramline::model::{ContactField, ErrorClass, FieldKind, NewField, Problem};
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::request::{Reply, Request};
use tramline::tui::theme::ThemeName;

fn created(driver: &Driver) -> Vec<NewField> {
    let created = driver.asked.iter().filter_map(|request| match request {
        Request::CreateField(new) => Some(new.clone()),
        _ => None,
    });
    created.collect()
}

fn source<'a>(spec: &'a MappingSpec, target: &str) -> Option<&'a str> {
    spec.fields.get(target).map(FieldSpec::source)
}

/// The answer to the creation that waits.
fn answer(driver: &mut Driver, result: Result<ContactField, Problem>) {
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::CreateField(_)));
    driver.silent = false;
    let reply = Reply::FieldCreated(result);
    driver.answer((slot, generation), reply);
}

#[test]
fn the_field_that_a_line_lacks_is_created_with_the_options_of_its_source() {
    let mut driver = view(Mood::Normal, "3\t\tGc");
    let text = driver.text(80, 24);
    assert!(text.contains("New contact field for temperament"), "{text}");
    assert!(
        text.contains("MOODS") && text.contains("● listbox"),
        "{text}"
    );
    assert!(text.contains("● Calm") && text.contains("● Bold"), "{text}");
    driver.keys("\n");
    let text = driver.text(80, 24);
    assert!(
        text.contains("Create this contact field in ActiveCampaign?"),
        "{text}"
    );
    assert!(text.contains("Options: Calm, Shy, Bold"), "{text}");
    driver.press(KeyCode::Enter);
    assert!(created(&driver).is_empty(), "enter is no");
    // The form is still there, and one option is left out.
    driver.keys("\t\t\t \ny");
    let wanted = NewField {
        title: "Temperament".into(),
        tag: Some("MOODS".into()),
        kind: FieldKind::Listbox,
        options: vec!["Shy".into(), "Bold".into()],
    };
    assert_eq!(created(&driver), [wanted]);
    assert!(!driver.app.has_overlay());
    let toasts = driver.app.toasts().join(" ");
    assert!(toasts.contains("%MOODS% is created: listbox"), "{toasts}");
    // The schema is read again, and the mapping is as it was.
    let reads = driver.asked.iter().rev();
    let reads = reads.take_while(|request| !matches!(request, Request::CreateField(_)));
    let reads: Vec<_> = reads.collect();
    assert!(
        reads.iter().any(|r| matches!(r, Request::Draft(_))),
        "{reads:?}"
    );
    assert!(
        reads.iter().any(|r| matches!(r, Request::MappingDetail(_))),
        "{reads:?}"
    );
    assert!(!driver.text(120, 40).contains("w saves"));
    driver.keys("C");
    let twin =
        "tramline fields create Temperament --kind listbox --tag MOODS --option Shy --option Bold";
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text == twin);
    assert!(driver.effects.iter().any(copied));
}

#[test]
fn a_field_for_a_record_field_comes_with_a_line() {
    let mut driver = view(Mood::Normal, "3c");
    let text = driver.text(80, 24);
    assert!(
        text.contains("A new contact field for which record field?"),
        "{text}"
    );
    driver.keys("fee\n");
    let text = driver.text(80, 24);
    assert!(
        text.contains("● number") && !text.contains("dropdown"),
        "{text}"
    );
    driver.keys("\ny");
    assert_eq!(created(&driver)[0].tag.as_deref(), Some("FEE"));
    assert!(driver.text(120, 40).contains("1 change, w saves"));
    assert_eq!(source(&driver.save_mapping(), "%FEE%"), Some("fee"));
}

#[test]
fn what_is_wrong_is_said_at_its_place_and_what_was_typed_stays() {
    let mut driver = view(Mood::Normal, "3cchip\n");
    driver.ctrl('u');
    driver.keys("\n");
    assert!(driver.text(120, 40).contains("this field is required"));
    driver.keys("Chip\t");
    driver.keys("!\n");
    assert!(driver.text(120, 40).contains("is no personalisation tag"));
    assert!(created(&driver).is_empty());
    driver.press(KeyCode::Backspace);
    driver.silent = true;
    driver.keys("\ny");
    assert!(driver.text(120, 40).contains("waiting for the answer; "));
    let half =
        "%CHIP% (id 8) was created, but is attached to no list: the server did not answer in time";
    let problem = Problem::new(ErrorClass::Transient, half)
        .remedy("create it again: what remains is done then, and nothing twice");
    answer(&mut driver, Err(problem));
    let text = driver.text(80, 24);
    assert!(text.contains("attached to no list"), "{text}");
    assert!(text.contains("nothing twice"), "{text}");
    driver.keys("\ny");
    assert_eq!(created(&driver).len(), 2);
    assert!(driver.app.toasts().join(" ").contains("%CHIP% is created"));
}

#[test]
fn a_choice_needs_an_option() {
    let mut driver = view(Mood::Normal, "3\t\tGc");
    driver.keys("\t\t\t");
    driver.press(KeyCode::Backspace);
    driver.keys("\n");
    assert!(driver.text(120, 40).contains("choose one at least"));
    // As a text it needs none.
    driver.press(KeyCode::Up);
    driver.press(KeyCode::Right);
    driver.keys("\ny");
    let new = &created(&driver)[0];
    assert!(!new.kind.is_choice() && new.options.is_empty(), "{new:?}");
}

#[test]
fn the_line_follows_the_tag_that_the_account_made() {
    let mut driver = view(Mood::Normal, "3\t\tGc");
    driver.silent = true;
    driver.keys("\ny");
    let mut field = crate::world::drafts::created(&created(&driver)[0]);
    field.tag = "MOODS_2".into();
    answer(&mut driver, Ok(field));
    assert!(
        driver
            .app
            .toasts()
            .join(" ")
            .contains("%MOODS% is %MOODS_2% now")
    );
    let after = driver.save_mapping();
    assert_eq!(source(&after, "%MOODS_2%"), Some("temperament"));
    assert_eq!(source(&after, "%MOODS%"), None);
}

#[test]
fn a_form_that_is_left_while_it_waits_tells_of_the_field_all_the_same() {
    let mut driver = view(Mood::Normal, "3cfee\n");
    driver.silent = true;
    driver.keys("\ny\u{1b}");
    assert!(!driver.app.has_overlay());
    let mut field = crate::world::drafts::created(&created(&driver)[0]);
    field.tag = format!("FEE{NASTY}");
    answer(&mut driver, Ok(field));
    assert!(driver.app.toasts().join(" ").contains("is created: number"));
    assert!(!driver.text(120, 40).contains("w saves"), "no line for it");
}

#[test]
fn production_is_asked_for_and_no_leaves_a_form_that_goes_on() {
    let production = Session {
        production: true,
        environment: "production".into(),
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, production, ThemeName::Dark, false).start();
    driver.keys("3cfee\n\n");
    let text = driver.text(80, 24);
    assert!(text.contains("This is production"), "{text}");
    driver.keys("n");
    assert!(
        !driver.text(80, 24).contains("saving; "),
        "nothing is being saved"
    );
    driver.keys("\ny");
    assert_eq!(created(&driver).len(), 1);
    // A record's form as well.
    driver.keys("2e\u{1b}");
    let mut fresh = Driver::with(
        Mood::Normal,
        Session {
            production: true,
            ..session()
        },
        ThemeName::Dark,
        false,
    )
    .start();
    fresh.keys("2eX\n");
    assert!(fresh.text(80, 24).contains("Write to production?"));
    fresh.keys("n");
    let text = fresh.text(80, 24);
    assert!(
        text.contains("Edit Pet") && !text.contains("saving; "),
        "{text}"
    );
    fresh.keys("Y\ny");
    let wrote = |r: &Request| matches!(r, Request::Update(..));
    assert_eq!(fresh.asked.iter().filter(|r| wrote(r)).count(), 1);
}

#[test]
fn several_suggested_pairs_are_taken_as_one_change() {
    let mut driver = view(Mood::Normal, "3A");
    let text = driver.text(80, 24);
    assert!(text.contains("87 %  the names agree"), "{text}");
    assert!(
        text.contains("71 %  the options"),
        "cut, not left out: {text}"
    );
    driver.keys(" ");
    driver.press(KeyCode::Down);
    driver.press(KeyCode::Down);
    driver.keys(" \n");
    let text = driver.text(120, 40);
    assert!(text.contains("2 changes, w saves"), "{text}");
    driver.keys("u");
    assert!(!driver.text(120, 40).contains("w saves"), "one step back");
    driver.keys("A");
    driver.press(KeyCode::Down);
    driver.keys("\t\n");
    let after = driver.save_mapping();
    assert_eq!(source(&after, "%STATE_OF_THE_PET%"), Some("status"));
    assert_eq!(source(&after, "%CHIP%"), None);
}
