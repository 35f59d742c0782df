//! Saved filters, and the filters of the last session.

use super::driver::Driver;
use super::world::Mood;
use tramline::operations::filters::{FilterOf, SavedFilter};
use tramline::tui::effect::Effect;
use tramline::tui::keymap::Tab;
use tramline::tui::request::Request;

fn asked(driver: &Driver, what: impl Fn(&Request) -> bool) -> usize {
    driver.asked.iter().filter(|request| what(request)).count()
}

fn copied(driver: &Driver) -> Option<&str> {
    driver.effects.iter().rev().find_map(|effect| match effect {
        Effect::Copy { text, .. } => Some(text.as_str()),
        _ => None,
    })
}

#[test]
fn f_lists_saved_filters_with_what_they_stand_for_and_enter_uses_one() {
    let mut driver = Driver::after("4F");
    assert_eq!(
        asked(&driver, |r| *r == Request::Filters(FilterOf::Queue)),
        1
    );
    let text = driver.text(80, 24);
    for part in [
        "bad addresses  state:failed error:\"invalid e-mail\"",
        "pets of today  mapping:pets age<1d",
        "delete a saved filter",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("save the filter"),
        "none is in force: {text}"
    );
    driver.keys("bad\n");
    let wanted = "state:failed error:\"invalid e-mail\"";
    let shown = |r: &Request| matches!(r, Request::Jobs { query, .. } if query.filter == wanted);
    assert_eq!(asked(&driver, shown), 1, "{:?}", driver.asked);
    driver.keys("C");
    let twin = format!("tramline queue list --filter '{wanted}'");
    assert_eq!(copied(&driver), Some(twin.as_str()));
    // What is saved already is not offered to be saved again.
    driver.keys("F");
    assert!(!driver.text(80, 24).contains("save the filter"));
}

#[test]
fn the_filter_in_force_is_saved_under_a_name() {
    let mut driver = Driver::after("4\t/age>1h\nF");
    let text = driver.text(80, 24);
    let save = "save the filter in force: state:ready age>1h";
    assert!(text.contains(save), "{text}");
    driver.keys("save\nold ones\n");
    let filter = SavedFilter {
        of: FilterOf::Queue,
        name: "old ones".into(),
        part: Some("ready".into()),
        filter: "age>1h".into(),
    };
    let saved = Request::SaveFilter(filter);
    assert_eq!(asked(&driver, |r| *r == saved), 1, "{:?}", driver.asked);
    assert!(!driver.app.has_overlay());
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("saved as old ones"), "{toasts}");
}

#[test]
fn a_filter_without_a_name_or_one_that_cannot_be_kept_stays_in_its_form() {
    let mut driver = Driver::after("4/age>1h\nFsave\n\n");
    assert_eq!(asked(&driver, |r| matches!(r, Request::SaveFilter(_))), 0);
    assert!(driver.app.has_overlay(), "a name is wanted");
    driver.mood = Mood::Broken;
    driver.keys("mine\n");
    let text = driver.text(80, 24);
    assert!(text.contains("mine") && text.contains("refused"), "{text}");
    driver.mood = Mood::Normal;
    driver.keys("\n");
    assert_eq!(asked(&driver, |r| matches!(r, Request::SaveFilter(_))), 2);
    assert!(!driver.app.has_overlay());
}

#[test]
fn a_saved_filter_is_deleted_and_its_words_are_said_once_more() {
    let driver = Driver::after("4Fdelete\npets\n");
    let gone = |r: &Request| matches!(r, Request::DeleteFilter(f) if f.name == "pets of today");
    assert_eq!(asked(&driver, gone), 1, "{:?}", driver.asked);
    let toasts = driver.app.toasts().join("; ");
    assert!(
        toasts.contains("pets of today is deleted; it was mapping:pets age<1d"),
        "{toasts}"
    );
}

#[test]
fn without_any_filter_f_says_how_one_is_made() {
    let mut driver = Driver::new(Mood::Empty).start();
    driver.keys("4F");
    assert!(!driver.app.has_overlay());
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("/ sets one, then F saves it"), "{toasts}");
}

#[test]
fn the_list_does_not_open_over_something_else() {
    let mut driver = Driver::after("4");
    driver.silent = true;
    driver.keys("F5");
    driver.speak();
    assert_eq!(driver.app.tab(), Tab::Exports);
    assert!(!driver.app.has_overlay());
}

#[test]
fn the_activity_has_saved_filters_of_its_own() {
    let mut driver = Driver::after("6F");
    let text = driver.text(80, 24);
    assert!(text.contains("refused calls  calls status:4xx"), "{text}");
    driver.keys("\n");
    let text = driver.text(120, 40);
    assert!(text.contains("/status:4xx"), "{text}");
    driver.keys("C");
    assert_eq!(copied(&driver), Some("tramline activity"));
    driver.keys("\u{1b}\t\t/level:warn\nFsave\nwarnings\n");
    let saved = |r: &Request| {
        matches!(r, Request::SaveFilter(SavedFilter { of: FilterOf::Activity, part: Some(kind), filter, .. })
            if kind == "actions" && filter == "level:warn")
    };
    assert_eq!(asked(&driver, saved), 1, "{:?}", driver.asked);
}

#[test]
fn kind_and_filter_of_the_activity_come_back_at_the_next_start() {
    let mut driver = Driver::after("6\t/status:4xx\n");
    // The log of one thing is no view to come back to.
    driver.keys("4L");
    driver.keys("q");
    let kept = driver.effects.iter().find_map(|e| match e {
        Effect::Remember(view) => Some(view.clone()),
        _ => None,
    });
    let mut next = Driver::new(Mood::Normal);
    next.remembered = kept;
    let mut next = next.start();
    assert_eq!(next.app.tab(), Tab::Activity);
    let text = next.text(120, 40);
    assert!(
        text.contains("/status:4xx") && !text.contains("job:"),
        "{text}"
    );
    next.keys("C");
    let mut plain = Driver::after("6\t/level:warn\nq");
    let kept = plain.effects.drain(..).find_map(|e| match e {
        Effect::Remember(view) => Some(view),
        _ => None,
    });
    let mut next = Driver::new(Mood::Normal);
    next.remembered = kept;
    let next = next.start();
    let text = next.text(120, 40);
    let title = text.lines().nth(2).unwrap();
    assert!(
        title.contains("calls ") && title.contains("/level:warn"),
        "{title}"
    );
}
