//! A failed job: its record in a form, then a retry.

use super::keys::{asked, at};
use super::world::{self, Mood};
use tramline::operations::queue::Chosen;
use tramline::tui::event::Event;
use tramline::tui::keymap::Tab;
use tramline::tui::request::Request;

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
    driver.keys("\u{1b}");
    assert_eq!(driver.app.tab(), Tab::Queue);
    assert!(driver.text(120, 40).contains("4 of 230"));
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
        Request::Update(change) => Some((change.record.clone(), change.properties.clone())),
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
fn what_is_to_be_done_after_mending_is_said_by_the_state_of_the_job() {
    for (rows, said) in [
        ("", "its job is ready"),
        ("j", "r retries its job"),
        ("jj", "a worker was on its job"),
        ("jjjj", "r retries its job"),
        ("jjjjj", "its job is done: sync the record"),
        ("jjjjjj", "its job is discarded: sync the record"),
    ] {
        let mut driver = at(&format!("4{rows}"));
        driver.keys("ex\n");
        assert!(driver.said().contains(said), "{rows}: {}", driver.said());
        driver.keys("r");
        assert!(!driver.said().contains(said), "{rows}: {}", driver.said());
    }
}

#[test]
fn a_job_that_is_done_without_anything_sent_says_why() {
    let driver = at("4jjjjj");
    for (width, height) in super::SIZES {
        let text = driver.text(width, height);
        assert!(text.contains("skipped: the record"), "{text}");
    }
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
