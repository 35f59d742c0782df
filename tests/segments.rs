//! Segments by the real binary: listed, made of tags, and shown with the contact that matches them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::House;

const MADE: &str = "POST /api/3/segmentsV2";

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|l| l["name"].as_str().unwrap()).collect()
}

#[test]
fn the_list_has_what_activecampaign_says() {
    let house = House::new(20);
    let ran = house.expect(0, &["--json", "segments", "list"]);
    let lines = ran.lines();
    assert_eq!(
        names(&lines),
        ["Adopted pets", "Available pets", "Calm pets"]
    );
    let holding = |value: &str| {
        let contacts = house.control.contacts();
        let with = contacts
            .iter()
            .filter(|contact| contact.fields.values().any(|held| held == value));
        with.count() as u64
    };
    assert_eq!(lines[1]["id"], "1");
    assert_eq!(lines[1]["last_total"], json!(holding("Available")));
    assert!(lines[1]["updated_at"].is_string());
    let ran = house.expect(0, &["segments", "list", "--limit", "1"]);
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:#?}");
    assert!(ran.stderr.contains("2 more: give --limit 3"), "{ran:#?}");
    house.assert_no_violation();
}

#[test]
fn a_segment_is_made_of_tags_and_stands_beside_its_contacts() {
    let house = House::new(20);
    let arguments = [
        "--json",
        "segments",
        "create",
        "Owners who give",
        "--tag",
        "PET-OWNER",
        "--tag",
        "Donor",
        "--tag",
        "pet-owner",
        "--any",
    ];
    let seq = house.now();
    let draft = house
        .expect(0, &[&arguments[..], &["--dry-run"]].concat())
        .json();
    assert_eq!(house.writes_since(seq).len(), 0);
    let tags = draft["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 2, "a tag stands once: {draft}");
    let group = &draft["request"]["data"][0]["attributes"]["segment_condition_groups"][0];
    assert_eq!(group["operator"], "or");

    let made = house.expect(0, &arguments).lines().remove(0);
    assert_eq!(made["name"], "Owners who give");
    assert_eq!(house.requests(MADE).len(), 1);
    let audit = house.expect(0, &["--json", "audit"]).lines().remove(0);
    assert_eq!(
        (&audit["action"], &audit["target"], &audit["outcome"]),
        (
            &json!("segment create"),
            &json!("Owners who give"),
            &json!("done")
        )
    );
    let listed = house.expect(0, &["--json", "segments", "list"]).lines();
    assert_eq!(listed[3]["id"], made["id"]);

    let wanted = ["pet-owner", "Donor"];
    let contacts = house.control.contacts();
    let (mut inside, mut outside) = (0, 0);
    for contact in contacts.iter().take(6) {
        let does = contact
            .tags
            .iter()
            .any(|tag| wanted.contains(&tag.as_str()));
        let shown = house
            .expect(0, &["--json", "contacts", "show", &contact.email])
            .json();
        let matching = shown["segments"]["matching"].as_array().unwrap();
        assert_eq!(matching.contains(&json!("Owners who give")), does);
        assert_eq!(shown["surroundings"]["scores"].as_array().unwrap().len(), 2);
        if does { inside += 1 } else { outside += 1 }
    }
    assert!(inside > 0 && outside > 0, "both sides are tried");
    house.assert_no_violation();
}

#[test]
fn what_cannot_be_made_is_refused_before_it_is_sent() {
    let house = House::new(20);
    let tag = ["--tag", "Donor"];
    for (arguments, code, says) in [
        (
            &["segments", "create", "New", "--tag", "pet-ownr"][..],
            1,
            "did you mean \"pet-owner\"?",
        ),
        (
            &["segments", "create", "New", "--tag", "zebra"],
            1,
            "create_tags",
        ),
        (&["segments", "create", "New"], 2, "--tag"),
        (&["segments", "create", "  ", tag[0], tag[1]], 2, "no name"),
        (
            &["segments", "create", "calm PETS", tag[0], tag[1]],
            1,
            "already",
        ),
        (
            &[
                "segments",
                "create",
                "Calm pets",
                tag[0],
                tag[1],
                "--dry-run",
            ],
            1,
            "already",
        ),
        (
            &[
                "segments", "create", "New", tag[0], tag[1], "--all", "--any",
            ],
            2,
            "--any",
        ),
        (
            &["--read-only", "segments", "create", "New", tag[0], tag[1]],
            2,
            "--read-only",
        ),
        (
            &["segments", "list", "--connection", "elsewhere"],
            2,
            "elsewhere",
        ),
    ] {
        let ran = house.expect(code, arguments);
        assert!(ran.stderr.contains(says), "{arguments:?}\n{ran:#?}");
    }
    let dry = [
        "--read-only",
        "segments",
        "create",
        "New",
        tag[0],
        tag[1],
        "--dry-run",
    ];
    let ran = house.expect(0, &dry);
    assert!(ran.stdout.contains("the tag Donor (id "), "{ran:#?}");
    assert_eq!(house.requests(MADE).len(), 0);
    house.assert_no_violation();
}
