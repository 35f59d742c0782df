//! What is said of syncs that wait, of records that are skipped, and of a mapping's first rule.

use crate::driver::Driver;
use crate::view;
use crate::world::{self, Mood};
use tramline::model::view::{FiringRule, Outcome, Preview, SyncResult};
use tramline::operations::drafts::Saved;
use tramline::tui::request::{Reply, Request};

/// Answers the question that a key asks in words of the test's own.
fn answered(driver: &mut Driver, keys: &str, is: impl Fn(&Request) -> bool, reply: Reply) {
    driver.silent = true;
    driver.keys(keys);
    driver.silent = false;
    let (slot, generation) = driver.waiting(is);
    driver.answer((slot, generation), reply);
}

fn result(outcome: Outcome) -> SyncResult {
    SyncResult {
        record: "66b1".into(),
        outcome,
        contact_id: None,
        fields: Vec::new(),
        superseded_by: None,
        warning: None,
        rules: Vec::new(),
        why: None,
        error: None,
    }
}

fn synced(result: SyncResult) -> String {
    let mut driver = view(Mood::Normal, "2");
    let is = |request: &Request| matches!(request, Request::Sync(..));
    answered(&mut driver, "s", is, Reply::Synced(Ok(vec![result])));
    driver.app.toasts().join("\n")
}

#[test]
fn a_sync_that_waits_says_what_for_and_one_that_fires_what() {
    let told = synced(SyncResult {
        why: Some("It is paused (mapping pets: new fields).".into()),
        ..result(Outcome::Waiting)
    });
    assert!(
        told.contains("waiting: It is paused (mapping pets: new fields)."),
        "{told}"
    );
    assert!(!told.contains("changed"), "{told}");
    let told = synced(SyncResult {
        rules: vec![FiringRule {
            rule: "adopted".into(),
            actions: vec!["tag pet-adopted".into()],
        }],
        ..result(Outcome::Synced)
    });
    assert!(
        told.contains("rule adopted fired: tag pet-adopted"),
        "{told}"
    );
}

#[test]
fn a_record_that_is_skipped_is_not_said_to_be_at_fault() {
    let mut driver = view(Mood::Normal, "2\n");
    let record = world::record(Mood::Normal, 0);
    let id = record.id.clone();
    let preview = Preview {
        skips: true,
        email: None,
        contact_id: None,
        surroundings: None,
        ..world::preview(Mood::Normal, record)
    };
    let is = |request: &Request| matches!(request, Request::Preview(..));
    answered(&mut driver, "\t\t", is, Reply::Preview(id, Ok(preview)));
    let text = driver.text(120, 40);
    assert!(
        text.contains("skipped: the record has no e-mail address"),
        "{text}"
    );
    assert!(!text.contains("cannot sync"), "{text}");
}

#[test]
fn saving_the_first_rule_says_that_states_are_not_known_and_what_notes_them() {
    let mut driver = view(Mood::Normal, "3rD");
    let saved = Saved {
        unknown_states: Some((
            "9,850 records were last synced before the mapping had rules".into(),
            "run `tramline export pets` once".into(),
        )),
        ..Saved::default()
    };
    let is = |request: &Request| matches!(request, Request::SaveMapping(..));
    answered(
        &mut driver,
        "wy",
        is,
        Reply::MappingSaved("pets".into(), Ok(saved)),
    );
    let text = driver.text(120, 40);
    assert!(text.contains("pets is saved in config.toml"), "{text}");
    assert!(text.contains("9,850 records were last synced"), "{text}");
    assert!(text.contains("run `tramline export pets` once"), "{text}");
}
