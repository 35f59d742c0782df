//! The headless demo: the whole main job once, and nothing left behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{count, finish, tramline};

#[test]
fn the_headless_demo_does_the_main_job_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tramline(folder.path());
    command.args(["demo", "--headless", "--records", "300", "--json"]);
    let ran = finish(command, None);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let story = ran.json();
    let export = &story["export"];
    assert_eq!(
        (export["state"].as_str(), count(export, "read")),
        (Some("completed"), 300),
        "{story}"
    );
    assert_eq!(count(export, "throttled"), 0, "{story}");
    let check = &story["check"];
    assert!(count(check, "good") > 0, "{story}");
    assert_eq!(
        (count(check, "warnings"), count(check, "errors")),
        (0, 0),
        "{story}"
    );
    assert_eq!(story["changed"]["outcome"], "synced", "{story}");
    assert_eq!(story["mended"]["state"], "done", "{story}");
    assert!(story["mended"]["contact_id"].is_string(), "{story}");
    for step in ["1/4", "2/4", "3/4", "4/4"] {
        assert!(ran.stderr.contains(step), "{ran:#?}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_demo_without_records_has_nothing_to_change_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tramline(folder.path());
    command.args(["demo", "--headless", "--records", "0", "--json"]);
    let ran = finish(command, None);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let story = ran.json();
    assert_eq!(count(&story["export"], "read"), 0, "{story}");
    assert!(
        story["changed"].is_null() && story["mended"].is_null(),
        "{story}"
    );
}
