//! Runs of bulk exports: begun, paused, cancelled; their failures.

use super::keys::{asked, at};
use super::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::model::JobState;
use tramline::tui::effect::Effect;
use tramline::tui::keymap::Tab;
use tramline::tui::request::Request;

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
fn a_limit_that_is_none_begins_no_export() {
    for typed in ["12.5", "-3", "0", "abc", "99999999999999999999"] {
        let mut driver = at("5");
        driver.keys(&format!("a\t\t\t{typed}\n"));
        let begun = |r: &Request| matches!(r, Request::StartExport(..));
        assert_eq!(asked(&driver, begun), 0, "{typed}");
        assert!(driver.text(80, 24).contains("a whole number such as 50"));
    }
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
