//! Rules act, and each effect happens once: the sandbox counts enrolments, events and requests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{House, PETS, Ran, eventually, side_by_side, signal};
use tramline::sandbox::{ContactState, EVENT_ACCOUNT, EVENT_KEY, Fault, Kind};

const OWNER: &str = "owner@example.org";

/// A house whose pets have these rules, and one pet that was synced as available. Its id.
fn house(rules: &str) -> (House, String) {
    with_rules(House::new(40), rules)
}

fn with_rules(house: House, rules: &str) -> (House, String) {
    house.write("event.key", EVENT_KEY);
    house.edit_config(
        "[activecampaign]",
        &format!(
            "[activecampaign]\nevents = {{ account_id = \"{EVENT_ACCOUNT}\", key = {{ file = \"event.key\" }}, url = \"{}/event\" }}",
            house.activecampaign_url
        ),
    );
    let config = house.read("config.toml");
    house.write("config.toml", &format!("{config}\n{rules}"));
    let pet = pets(&house, 1).remove(0);
    set(&house, &pet, "owner_email", OWNER);
    set(&house, &pet, "status", "available");
    (house, pet)
}

/// Pets that can be synced.
fn pets(house: &House, number: usize) -> Vec<String> {
    let all = house.control.records(PETS).into_iter();
    let good = all.filter(|record| {
        let ran = house.run(&["--json", "sync", "pets", &record.id, "--dry-run"]);
        ran.code == Some(0)
    });
    good.take(number).map(|record| record.id).collect()
}

fn set(house: &House, pet: &str, key: &str, value: &str) {
    assert!(house.control.set_property(PETS, pet, key, json!(value)));
}

fn sync(house: &House, pet: &str) -> Ran {
    house.expect(0, &["--json", "sync", "pets", pet])
}

fn contact(house: &House) -> ContactState {
    house.control.contact(OWNER).unwrap()
}

/// The last job that was made, with its effects.
fn job(house: &House) -> Value {
    let jobs = house
        .expect(0, &["--json", "queue", "list", "--limit", "1"])
        .lines();
    let id = jobs[0]["id"].as_str().unwrap();
    house.expect(0, &["--json", "queue", "show", id]).json()
}

/// Action, target and state of each effect.
fn effects(job: &Value) -> Vec<[&str; 3]> {
    job["effects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| ["action", "target", "state"].map(|key| effect[key].as_str().unwrap()))
        .collect()
}

/// Requests that changed something since `seq`, without contact/sync.
fn changes(house: &House, seq: u64) -> Vec<String> {
    house
        .writes_since(seq)
        .into_iter()
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect()
}

const ALL: &str = r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = ["PET-Adopted", "donor"]
subscribe = "adopters"
start_automation = "adoption welcome"
record_event = "pet_adopted"

[[mappings.pets.rules]]
name = "back"
when = "status == 'available' and previous.status == 'adopted'"
remove_tags = "pet-adopted"
unsubscribe = "Adopters"
leave_automation = "Adoption welcome"
"#;

#[test]
fn a_dry_run_names_the_rules_that_would_fire() {
    let (house, pet) = house(ALL);
    sync(&house, &pet);
    set(&house, &pet, "status", "adopted");
    let one = house.expect(0, &["--json", "sync", "pets", &pet, "--dry-run"]);
    assert_eq!(one.lines()[0]["rules"][0]["rule"], "adopted", "{one:#?}");
    let (_, all) = house.export(&["--dry-run"]);
    let told: Vec<Value> = all
        .lines()
        .into_iter()
        .filter(|line| !line["rules"].is_null())
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["record"], pet);
    let actions = told[0]["rules"][0]["actions"].as_array().unwrap();
    assert!(actions.contains(&json!("tag PET-Adopted")), "{actions:?}");
    let text = house.run(&["export", "pets", "--dry-run"]);
    assert!(
        text.stdout.contains("rules that would fire: adopted 1\n"),
        "{text:#?}"
    );
    let now = contact(&house);
    assert!(now.tags.is_empty() && now.events.is_empty(), "{now:?}");
}

#[test]
fn every_action_is_done_when_its_condition_turns_true_and_not_again() {
    let (house, pet) = house(ALL);
    let ran = sync(&house, &pet);
    assert_eq!(ran.lines()[0]["outcome"], "synced");
    let before = contact(&house);
    assert!(
        before.enrolled.is_empty() && before.events.is_empty(),
        "{before:?}"
    );

    set(&house, &pet, "status", "adopted");
    let preview = house
        .expect(0, &["--json", "mappings", "preview", "pets", &pet])
        .json();
    assert_eq!(preview["rules"][0]["fires"], true, "{preview}");
    assert_eq!(preview["rules"][1]["fires"], false, "{preview}");
    sync(&house, &pet);
    let now = contact(&house);
    assert!(now.tags.contains(&"pet-adopted".to_owned()), "{now:?}");
    assert!(now.tags.contains(&"Donor".to_owned()), "{now:?}");
    assert_eq!(now.lists.get("Adopters"), Some(&1));
    assert_eq!(now.automations, ["Adoption welcome"]);
    assert_eq!(now.events, ["pet_adopted"]);
    let job = job(&house);
    assert_eq!(
        effects(&job),
        [
            ["add_tag", "PET-Adopted", "done"],
            ["add_tag", "donor", "done"],
            ["subscribe", "adopters", "done"],
            ["start_automation", "adoption welcome", "done"],
            ["record_event", "pet_adopted", "done"],
        ]
    );
    let shown = house.expect(0, &["queue", "show", job["id"].as_str().unwrap()]);
    assert!(
        shown.stdout.contains("event pet_adopted  done"),
        "{shown:#?}"
    );

    // True at the last sync already: nothing more, whatever else changes.
    let seq = house.now();
    set(&house, &pet, "breed", "Beagle");
    sync(&house, &pet);
    assert_eq!(changes(&house, seq), ["POST /api/3/contact/sync"]);

    set(&house, &pet, "status", "available");
    sync(&house, &pet);
    let now = contact(&house);
    assert!(!now.tags.contains(&"pet-adopted".to_owned()), "{now:?}");
    assert_eq!(now.lists.get("Adopters"), Some(&2));
    assert!(now.automations.is_empty(), "{now:?}");

    // A second turn is a second time; the list was left by a rule, so it is no wish of the contact's.
    set(&house, &pet, "status", "adopted");
    sync(&house, &pet);
    let now = contact(&house);
    assert_eq!(now.enrolled.len(), 2);
    assert_eq!(now.events.len(), 2);
    assert_eq!(now.lists.get("Adopters"), Some(&1));
    house.assert_no_violation();
    for text in [house.read("tramline.log"), shown.stdout, job.to_string()] {
        assert!(!text.contains(EVENT_KEY), "{text}");
    }
}

#[test]
fn a_first_sync_fires_only_what_says_so() {
    let (house, pet) = house(
        r#"
[[mappings.pets.rules]]
name = "later"
when = "status == 'available'"
add_tags = "Donor"

[[mappings.pets.rules]]
name = "at once"
when = "status == 'available'"
on_first_sync = true
add_tags = "newsletter"
"#,
    );
    let preview = house
        .expect(0, &["--json", "mappings", "preview", "pets", &pet])
        .json();
    let fires = |rule: usize| preview["rules"][rule]["fires"].as_bool().unwrap();
    assert!(!fires(0) && fires(1), "{preview}");
    sync(&house, &pet);
    let now = contact(&house);
    assert!(now.tags.contains(&"newsletter".to_owned()), "{now:?}");
    assert!(!now.tags.contains(&"Donor".to_owned()), "{now:?}");
}

#[test]
fn a_lost_answer_doubles_nothing() {
    side_by_side([Kind::LostAck, Kind::TruncatedJson], |kind| {
        let (house, pet) = house(ALL);
        sync(&house, &pet);
        for route in [
            "POST /api/3/contactTags",
            "DELETE /api/3/contactTags",
            "POST /api/3/contactLists",
            "POST /api/3/contactAutomations",
            "DELETE /api/3/contactAutomations",
            "POST /event",
        ] {
            house.control.fault(Fault::once(kind, route));
        }
        set(&house, &pet, "status", "adopted");
        sync(&house, &pet);
        let now = contact(&house);
        assert_eq!(now.enrolled, ["Adoption welcome"], "{kind:?}");
        assert_eq!(now.events, ["pet_adopted"], "{kind:?}");
        assert_eq!(now.lists.get("Adopters"), Some(&1));
        assert!(
            effects(&job(&house))
                .iter()
                .all(|[.., state]| *state == "done")
        );
        assert_eq!(house.requests("POST /event").len(), 1, "{kind:?}");
        assert_eq!(house.requests("POST /api/3/contactAutomations").len(), 1);

        house
            .control
            .fault(Fault::once(kind, "POST /api/3/contactLists"));
        set(&house, &pet, "status", "available");
        sync(&house, &pet);
        let now = contact(&house);
        assert_eq!(now.lists.get("Adopters"), Some(&2));
        assert!(now.automations.is_empty() && !now.tags.contains(&"pet-adopted".to_owned()));
        house.assert_no_violation();
    });
}

#[test]
fn what_did_not_arrive_is_sent_again_or_left_to_a_person() {
    let (house, pet) = house(ALL);
    sync(&house, &pet);
    for route in ["POST /api/3/contactAutomations", "POST /event"] {
        house.control.fault(Fault::once(Kind::Reset, route));
    }
    set(&house, &pet, "status", "adopted");
    // The log of events cannot prove that there was none.
    let ran = house.expect(3, &["--json", "sync", "pets", &pet]);
    assert_eq!(ran.lines()[0]["outcome"], "unknown", "{ran:#?}");
    let now = contact(&house);
    assert_eq!(now.enrolled, ["Adoption welcome"]);
    assert!(now.events.is_empty(), "{now:?}");
    let unknown = job(&house);
    assert_eq!(unknown["state"], "unknown");
    assert_eq!(unknown["error"]["class"], "unknown");
    assert_eq!(
        effects(&unknown)[4],
        ["record_event", "pet_adopted", "unknown"]
    );

    // A change of the record repeats nothing; a person's retry does, and only this.
    set(&house, &pet, "breed", "Beagle");
    house.expect(3, &["--json", "sync", "pets", &pet]);
    assert!(contact(&house).events.is_empty());
    let seq = house.now();
    house.expect(
        0,
        &["queue", "retry", unknown["id"].as_str().unwrap(), "--wait"],
    );
    assert_eq!(contact(&house).events, ["pet_adopted"]);
    assert_eq!(contact(&house).enrolled, ["Adoption welcome"]);
    assert_eq!(changes(&house, seq), ["POST /event"]);
    assert_eq!(job(&house)["state"], "done");
}

#[test]
fn discarding_gives_an_unknown_effect_up() {
    let (house, pet) = house(ALL);
    sync(&house, &pet);
    house.control.fault(Fault::once(Kind::Reset, "POST /event"));
    set(&house, &pet, "status", "adopted");
    house.expect(3, &["--json", "sync", "pets", &pet]);
    let unknown = job(&house);
    house.expect(0, &["queue", "discard", unknown["id"].as_str().unwrap()]);
    set(&house, &pet, "breed", "Beagle");
    sync(&house, &pet);
    assert!(contact(&house).events.is_empty());
}

#[test]
fn a_retry_runs_only_what_failed() {
    let (house, pet) = house(
        r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = ["Donor", "no such tag"]
start_automation = "Adoption welcome"
"#,
    );
    sync(&house, &pet);
    set(&house, &pet, "status", "adopted");
    let ran = house.expect(3, &["--json", "sync", "pets", &pet]);
    let line = ran.lines().remove(0);
    assert_eq!(line["outcome"], "failed");
    let message = line["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("no such tag") && message.contains("adopted"),
        "{message}"
    );
    assert_eq!(contact(&house).enrolled.len(), 1);
    let failed = job(&house);
    assert_eq!(failed["state"], "failed");
    assert_eq!(effects(&failed)[1], ["add_tag", "no such tag", "failed"]);

    let tag = r#"{"tag":{"tag":"No Such Tag","tagType":"contact","description":""}}"#;
    let made = house.run_with(
        &["api", "activecampaign", "POST", "/tags", "--data", "-"],
        tag,
    );
    assert_eq!(made.code, Some(0), "{made:#?}");
    let seq = house.now();
    house.expect(
        0,
        &["queue", "retry", failed["id"].as_str().unwrap(), "--wait"],
    );
    assert_eq!(changes(&house, seq), ["POST /api/3/contactTags"]);
    assert!(contact(&house).tags.contains(&"No Such Tag".to_owned()));
    assert!(
        effects(&job(&house))
            .iter()
            .all(|[.., state]| *state == "done")
    );
}

#[test]
fn a_corrected_rule_is_done_in_place_of_what_it_said_before() {
    let (house, pet) = house(
        r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = ["dnor"]
"#,
    );
    sync(&house, &pet);
    set(&house, &pet, "status", "adopted");
    house.expect(3, &["--json", "sync", "pets", &pet]);
    let failed = job(&house);
    house.edit_config("dnor", "donor");
    house.expect(
        0,
        &["queue", "retry", failed["id"].as_str().unwrap(), "--wait"],
    );
    let done = job(&house);
    assert_eq!(
        effects(&done),
        [
            ["add_tag", "dnor", "obsolete"],
            ["add_tag", "donor", "done"]
        ]
    );
    assert!(contact(&house).tags.contains(&"Donor".to_owned()));
}

#[test]
fn tags_are_made_only_where_the_mapping_says_so() {
    let (house, pet) = house(
        r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = "brand new"
"#,
    );
    house.edit_config("[mappings.pets]", "[mappings.pets]\ncreate_tags = true");
    sync(&house, &pet);
    set(&house, &pet, "status", "adopted");
    sync(&house, &pet);
    assert!(contact(&house).tags.contains(&"brand new".to_owned()));
    house.assert_no_violation();
}

#[test]
fn an_automation_that_cannot_be_entered_fails_its_effect_and_no_other() {
    let (house, pet) = house(
        r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
start_automation = ["Old onboarding", "Adoption welcome"]
"#,
    );
    sync(&house, &pet);
    set(&house, &pet, "status", "adopted");
    let ran = house.expect(3, &["--json", "sync", "pets", &pet]);
    assert_eq!(ran.lines()[0]["error"]["class"], "invalid", "{ran:#?}");
    assert_eq!(contact(&house).enrolled, ["Adoption welcome"]);
    assert_eq!(house.requests("POST /api/3/contactAutomations").len(), 2);
}

#[test]
fn a_condition_that_no_longer_holds_makes_its_effects_obsolete() {
    let (house, pet) = house(ALL);
    sync(&house, &pet);
    set(&house, &pet, "status", "adopted");
    // The contact is refused, so nothing follows.
    house
        .control
        .fault(Fault::once(Kind::Status(422), "POST /api/3/contact/sync"));
    house.expect(3, &["--json", "sync", "pets", &pet]);
    assert!(
        effects(&job(&house))
            .iter()
            .all(|[.., state]| *state == "planned")
    );
    set(&house, &pet, "status", "available");
    sync(&house, &pet);
    let states = job(&house);
    assert!(
        effects(&states)
            .iter()
            .all(|[.., state]| *state == "obsolete"),
        "{states}"
    );
    assert!(contact(&house).enrolled.is_empty() && contact(&house).events.is_empty());

    // Turned again: now it happens.
    set(&house, &pet, "status", "adopted");
    sync(&house, &pet);
    assert_eq!(contact(&house).enrolled.len(), 1);
    assert_eq!(contact(&house).events.len(), 1);
}

#[test]
fn who_left_a_list_by_hand_is_brought_back_only_where_the_rule_says_so() {
    for resubscribe in [false, true] {
        let (house, pet) = house(&format!(
            "[[mappings.pets.rules]]\nname = \"adopted\"\nwhen = \"status == 'adopted'\"\nsubscribe = \"Newsletter\"\nresubscribe = {resubscribe}\n"
        ));
        sync(&house, &pet);
        assert!(house.control.unsubscribe(OWNER, "Newsletter"));
        set(&house, &pet, "status", "adopted");
        sync(&house, &pet);
        let expected = if resubscribe { 1 } else { 2 };
        assert_eq!(contact(&house).lists.get("Newsletter"), Some(&expected));
        let sent = house.requests("POST /api/3/contactLists");
        assert_eq!(sent.len(), usize::from(resubscribe));
        if let Some(sent) = sent.first() {
            assert!(
                sent.body.as_deref().unwrap().contains("\"sourceid\":4"),
                "{sent:?}"
            );
        }
    }
}

const ON_AND_OFF: &str = r#"
[[mappings.pets.rules]]
name = "on"
when = "status == 'adopted'"
subscribe = "Newsletter"

[[mappings.pets.rules]]
name = "off"
when = "status == 'available'"
unsubscribe = "newsletter"
"#;

#[test]
fn whom_a_rule_put_off_a_list_a_rule_may_bring_back_and_no_person() {
    let (house, pet) = house(ON_AND_OFF);
    let turn = |status: &str| {
        set(&house, &pet, "status", status);
        sync(&house, &pet);
        contact(&house).lists.get("Newsletter").copied()
    };
    sync(&house, &pet);
    assert_eq!(turn("adopted"), Some(1));
    assert_eq!(turn("available"), Some(2));
    assert_eq!(turn("adopted"), Some(1));
    let sent = house.requests("POST /api/3/contactLists");
    let back = sent.last().unwrap().body.clone().unwrap();
    assert!(back.contains("\"sourceid\":4"), "{back}");
    // Put off by the rule; a minute later the contact comes back, and leaves by itself.
    assert_eq!(turn("available"), Some(2));
    house
        .sql("UPDATE effects SET sent_at = sent_at - 60000000, updated_at = updated_at - 60000000");
    assert!(house.control.unsubscribe(OWNER, "Newsletter"));
    assert_eq!(turn("adopted"), Some(2));
    let left = job(&house);
    let why = left["effects"][0]["response"].as_str().unwrap();
    assert!(why.starts_with("left alone"), "{left}");
    // It left already, so no rule puts it off: it stays its own wish.
    assert_eq!(turn("available"), Some(2));
    assert_eq!(turn("adopted"), Some(2));
    house.assert_no_violation();
}

#[test]
fn who_was_never_on_a_list_is_not_put_off_it() {
    let (house, pet) = house(ON_AND_OFF);
    set(&house, &pet, "status", "pending");
    sync(&house, &pet);
    set(&house, &pet, "status", "available");
    sync(&house, &pet);
    let done = job(&house);
    assert_eq!(
        effects(&done),
        [["unsubscribe", "newsletter", "done"]],
        "{done}"
    );
    assert!(contact(&house).lists.is_empty());
    set(&house, &pet, "status", "adopted");
    sync(&house, &pet);
    assert_eq!(contact(&house).lists.get("Newsletter"), Some(&1));
}

#[test]
fn in_exports_a_rule_puts_off_and_brings_back_whom_it_does_one_by_one() {
    let (house, pets) = exported(ON_AND_OFF);
    let turn = |status: &str, pets: &[String]| {
        for pet in pets {
            set(&house, pet, "status", status);
        }
        house.export(&[]);
    };
    let standing = |number: usize| {
        let contact = house.control.contact(&owner(number)).unwrap();
        contact.lists.get("Newsletter").copied()
    };
    // Nobody was on the list.
    turn("pending", &pets);
    turn("available", &pets);
    assert!((0..10).all(|number| standing(number).is_none()));
    turn("adopted", &pets);
    assert!((0..10).all(|number| standing(number) == Some(1)));
    turn("available", &pets);
    assert!((0..10).all(|number| standing(number) == Some(2)));
    // A minute later one of them comes back, and leaves by itself.
    let id = house.control.contact(&owner(9)).unwrap().id;
    house.sql(&format!(
        "UPDATE effects SET sent_at = sent_at - 60000000, updated_at = updated_at - 60000000 WHERE contact_id = '{id}'"
    ));
    assert!(house.control.unsubscribe(&owner(9), "Newsletter"));
    turn("adopted", &pets);
    let now: Vec<_> = (0..10).map(standing).collect();
    assert!(
        now[..9].iter().all(|standing| *standing == Some(1)),
        "{now:?}"
    );
    assert_eq!(now[9], Some(2));
    house.assert_no_violation();
}

#[test]
fn killed_between_the_contact_and_its_effects_it_goes_on_with_them() {
    let (house, pet) = house(ALL);
    sync(&house, &pet);
    // Killed at each stage: before the first effect, while it is sent, behind it.
    for (round, route) in [
        "GET /api/3/tags",
        "POST /api/3/contactTags",
        "POST /api/3/contactAutomations",
        "POST /event",
    ]
    .into_iter()
    .enumerate()
    {
        let turns = round + 1;
        house.control.fault(Fault {
            ms: Some(1_200),
            ..Fault::once(Kind::Slow, route)
        });
        set(&house, &pet, "status", "adopted");
        let seq = house.now();
        let mut child = house.start("killed", &["sync", "pets", &pet]);
        let begun = |house: &House| house.control.log_since(seq);
        eventually("the contact's write", || {
            begun(&house)
                .iter()
                .any(|entry| entry.path.ends_with("/contact/sync"))
        });
        // The requests before the slow one take some milliseconds; the slow one is in the log once it is answered.
        std::thread::sleep(std::time::Duration::from_millis(500));
        signal(child.id(), "KILL");
        child.wait().unwrap();
        house.end_leases();
        sync(&house, &pet);
        let now = contact(&house);
        assert_eq!(now.enrolled.len(), turns, "{route}: {now:?}");
        assert_eq!(now.events.len(), turns, "{route}: {now:?}");
        assert!(
            now.tags.contains(&"pet-adopted".to_owned()),
            "{route}: {now:?}"
        );
        set(&house, &pet, "status", "available");
        sync(&house, &pet);
    }
    house.assert_no_violation();
}

/// What was done for a state stays done: if that state never came to its settlement, the one before it is turned to anew.
#[test]
fn killed_amid_its_effects_and_turned_back_it_does_them_again() {
    let (house, pet) = house(ALL);
    sync(&house, &pet);
    let killed_amid = |command: &[&str]| {
        house.control.fault(Fault {
            ms: Some(1_500),
            ..Fault::once(Kind::Slow, "DELETE /api/3/contactAutomations")
        });
        let mut child = house.start("killed", command);
        eventually("the tag is gone", || {
            !contact(&house).tags.contains(&"pet-adopted".to_owned())
        });
        signal(child.id(), "KILL");
        child.wait().unwrap();
        house.end_leases();
    };
    for (turns, command) in [["sync", "pets", &pet], ["--json", "export", "pets"]]
        .into_iter()
        .enumerate()
    {
        set(&house, &pet, "status", "adopted");
        sync(&house, &pet);
        assert_eq!(contact(&house).enrolled.len(), 2 * turns + 1);
        set(&house, &pet, "status", "available");
        killed_amid(&command);
        set(&house, &pet, "status", "adopted");
        house.run(&["--json", "export", "pets"]);
        sync(&house, &pet);
        let now = contact(&house);
        assert!(now.tags.contains(&"pet-adopted".to_owned()), "{now:?}");
        assert_eq!(now.enrolled.len(), 2 * turns + 2, "{now:?}");
        assert_eq!(now.events.len(), 2 * turns + 2, "{now:?}");
        set(&house, &pet, "status", "available");
        sync(&house, &pet);
    }
    house.assert_no_violation();
}

const RIDING: &str = r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = ["PET-ADOPTED"]
subscribe = "Adopters"
"#;

/// Ten pets with an owner each, exported as available.
fn exported(rules: &str) -> (House, Vec<String>) {
    exported_by(House::new(40), rules)
}

fn exported_by(house: House, rules: &str) -> (House, Vec<String>) {
    let (house, first) = with_rules(house, rules);
    let mut pets = pets(&house, 10);
    if !pets.contains(&first) {
        pets[0] = first;
    }
    for (number, pet) in pets.iter().enumerate() {
        set(&house, pet, "owner_email", &owner(number));
        set(&house, pet, "status", "available");
    }
    house.export(&[]);
    (house, pets)
}

fn owner(number: usize) -> String {
    format!("owner{number}@example.org")
}

#[test]
fn tags_and_lists_ride_along_in_an_import() {
    let (house, pets) = exported(RIDING);
    for pet in &pets {
        set(&house, pet, "status", "adopted");
    }
    let seq = house.now();
    let (summary, ran) = house.export(&[]);
    assert_eq!(summary["synced"], 10, "{ran:#?}");
    assert_eq!(changes(&house, seq), ["POST /api/3/import/bulk_import"]);
    for number in 0..10 {
        let contact = house.control.contact(&owner(number)).unwrap();
        assert!(
            contact.tags.contains(&"pet-adopted".to_owned()),
            "{contact:?}"
        );
        assert_eq!(contact.lists.get("Adopters"), Some(&1));
    }
    // The next one finds the condition true at the last sync already.
    let seq = house.now();
    house.export(&["--full"]);
    let plain = |change: &String| change.contains("bulk_import") || change.contains("contact/sync");
    assert!(changes(&house, seq).iter().all(plain));
    let contact = house.control.contact(&owner(0)).unwrap();
    let tags = contact.tags.iter().filter(|tag| *tag == "pet-adopted");
    assert_eq!(tags.count(), 1);
    house.assert_no_violation();
}

#[test]
fn an_import_that_does_not_name_its_contacts_is_read_back_with_what_rode_along() {
    let (house, pets) = exported_by(
        House::quirky(40, |quirks| quirks.success_names_updated = false),
        RIDING,
    );
    // No value changes: only that the contacts were written tells of the import.
    house.edit_config("\"%STATUS%\" = \"status\"\n", "");
    house.export(&[]);
    for pet in &pets {
        set(&house, pet, "status", "adopted");
    }
    let (summary, ran) = house.export(&[]);
    assert_eq!(summary["synced"], 10, "{ran:#?}");
    for number in 0..10 {
        let contact = house.control.contact(&owner(number)).unwrap();
        assert!(
            contact.tags.contains(&"pet-adopted".to_owned()),
            "{contact:?}"
        );
    }
    assert!(house.requests("POST /api/3/contactTags").is_empty());
}

#[test]
fn a_status_that_no_field_shows_fires_all_the_same() {
    let (house, pets) = exported(RIDING);
    house.edit_config("\"%STATUS%\" = \"status\"\n", "");
    house.export(&[]);
    for pet in &pets {
        set(&house, pet, "status", "adopted");
    }
    let (summary, _) = house.export(&[]);
    assert_eq!(summary["synced"], 10, "{summary}");
    let contact = house.control.contact(&owner(3)).unwrap();
    assert!(
        contact.tags.contains(&"pet-adopted".to_owned()),
        "{contact:?}"
    );
    let (summary, _) = house.export(&[]);
    assert_eq!(summary["synced"], 0, "{summary}");
}

#[test]
fn what_an_import_cannot_carry_goes_one_by_one() {
    let (house, pets) = exported(ALL);
    for pet in &pets[..4] {
        set(&house, pet, "status", "adopted");
    }
    // One answer of each kind is lost on the way.
    for route in ["POST /api/3/contactAutomations", "POST /event"] {
        house.control.fault(Fault::once(Kind::LostAck, route));
    }
    let seq = house.now();
    let (summary, ran) = house.export(&[]);
    assert_eq!(summary["synced"], 4, "{ran:#?}");
    assert!(
        changes(&house, seq)
            .iter()
            .all(|change| !change.contains("import"))
    );
    for number in 0..4 {
        let contact = house.control.contact(&owner(number)).unwrap();
        assert_eq!(contact.enrolled, ["Adoption welcome"], "{contact:?}");
        assert_eq!(contact.events, ["pet_adopted"], "{contact:?}");
    }
    house.assert_no_violation();
}

#[test]
fn an_export_never_lets_an_import_make_a_tag_by_mistake() {
    let (house, pets) = exported(&RIDING.replace("PET-ADOPTED", "pet-adpoted"));
    for pet in &pets[..3] {
        set(&house, pet, "status", "adopted");
    }
    let (summary, ran) = house.export(&[]);
    assert!(summary["failed"].as_u64().unwrap() >= 3, "{ran:#?}");
    let all = house.control.contacts();
    assert!(
        all.iter()
            .all(|contact| !contact.tags.contains(&"pet-adpoted".to_owned()))
    );
    let contact = house.control.contact(&owner(0)).unwrap();
    assert_eq!(contact.lists.get("Adopters"), Some(&1), "{contact:?}");
    let failed = house
        .expect(
            0,
            &[
                "--json",
                "queue",
                "list",
                "--filter",
                "state:failed pet-adpoted",
            ],
        )
        .lines();
    assert_eq!(failed.len(), 3, "{failed:?}");
    // Another export resolves no job whose effects are open.
    house.export(&[]);
    house.edit_config("pet-adpoted", "pet-adopted");
    let all = [
        "queue",
        "retry",
        "--filter",
        "state:failed pet-adpoted",
        "--yes",
        "--wait",
    ];
    house.expect(0, &all);
    let contact = house.control.contact(&owner(0)).unwrap();
    assert!(
        contact.tags.contains(&"pet-adopted".to_owned()),
        "{contact:?}"
    );
}

#[test]
fn an_export_that_is_killed_again_and_again_enrols_nobody_twice() {
    let (house, pets) = exported(ALL);
    for pet in &pets {
        set(&house, pet, "status", "adopted");
    }
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..6 {
        let mut child = house.start("killed", &["--json", "export", "pets"]);
        std::thread::sleep(std::time::Duration::from_millis(60 + rng.u64(0..300)));
        signal(child.id(), "KILL");
        child.wait().unwrap();
    }
    let (summary, ran) = house.export(&[]);
    assert_eq!(summary["state"], "completed", "seed {seed}: {ran:#?}");
    let unknown = house
        .expect(0, &["--json", "queue", "list", "--filter", "state:unknown"])
        .lines();
    let mut without = 0;
    for number in 0..10 {
        let contact = house.control.contact(&owner(number)).unwrap();
        assert_eq!(
            contact.enrolled,
            ["Adoption welcome"],
            "seed {seed}: {contact:?}"
        );
        assert!(contact.events.len() <= 1, "seed {seed}: {contact:?}");
        assert!(
            contact.tags.contains(&"pet-adopted".to_owned()),
            "seed {seed}"
        );
        without += usize::from(contact.events.is_empty());
    }
    // An event that may or may not have left is a person's, and no other is missing.
    assert!(
        without <= unknown.len(),
        "seed {seed}: {without} {unknown:?}"
    );
    house.assert_no_violation();
}
