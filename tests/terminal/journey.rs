//! The main job with the hands on the keyboard: export, open what failed, mend it, retry it.

use super::open;
use super::support::{House, PETS, eventually};
use serde_json::json;

#[test]
fn tabs_help_palette_and_filter_answer() {
    let house = House::new(300);
    let mut terminal = open(&house);
    for (key, part) in [
        ("2", "of 300"),
        ("3", "pets → contacts"),
        ("4", "the queue is empty"),
        ("5", "no export yet"),
        ("6", "/objects/"),
        ("1", "of 10 custom"),
    ] {
        terminal.press(key, part);
    }
    terminal.press("?", "On Schemas");
    terminal.escape("On Schemas");
    terminal.press(":", "── Commands");
    terminal.press("start an export", "tramline export MAPPING");
    terminal.press("\r", "New export");
    terminal.escape("New export");
    let name = house.control.records(PETS)[200].properties["name"].clone();
    let name = name.as_str().unwrap().to_owned();
    terminal.press("2", "of 300");
    terminal.press(&format!("/{name}\r"), &format!("search {name}"));
    terminal.until_that("fewer records", |text| !text.contains("of 300"));
    terminal.keys("\x1b");
    terminal.until("of 300");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    house.assert_no_violation();
}

#[test]
fn a_failed_record_is_mended_in_the_form_and_its_contact_changes() {
    let house = House::new(300);
    let broken = house.control.records(PETS)[250].id.clone();
    let set = |key: &str, value| house.control.set_property(PETS, &broken, key, value);
    assert!(set("owner_email", json!("mend.me@@example.org")));
    assert!(set("name", json!("Mender")));

    let mut terminal = open(&house);
    terminal.press("5", "no export yet");
    terminal.press("a", "Dry run: write nothing");
    terminal.press("\r", "started");
    terminal.until("✓ completed");
    terminal.until("would send");
    assert_eq!(house.writes_since(0).len(), 0, "a dry run writes nothing");

    terminal.press("a", "Dry run: write nothing");
    // To the second field, and to "no".
    terminal.keys("\t\x1b[D");
    terminal.until("● no  ○ yes");
    terminal.keys("\r");
    // The new run is the one under the cursor.
    terminal.until_that("the export's end", |text| {
        text.contains("confirmed") && text.matches("✓ completed").count() >= 3
    });
    assert!(house.control.contact("mended@example.org").is_none());

    terminal.press("4", "failed");
    terminal.press("/", "state:");
    terminal.press("error:mend.me\r", "1 of 1");
    terminal.press("\r", "mend.me@@example.org");
    terminal.press("o", "sync view");
    terminal.until("Mender");
    terminal.keys("4");
    terminal.until("mend.me@@example.org");
    // The cursor stands on the field at fault: its text goes, the new one comes.
    let form = terminal.press("e", "enter save");
    assert!(form.contains("mend.me@@example.org"), "{form}");
    terminal.keys("\x15");
    terminal.until_that("an empty field", |text| {
        !text.contains("│ Owner email             mend.me")
    });
    terminal.press("mended@example.org\r", "r retries its job");
    let record = house.control.record(PETS, &broken).unwrap();
    assert_eq!(record.properties["owner_email"], "mended@example.org");

    terminal.keys("r");
    eventually("the contact", || {
        house.control.contact("mended@example.org").is_some()
    });
    terminal.until("done");
    terminal.until_that("the job's end", |text| {
        text.contains("✓ done") || text.contains("attempt 2")
    });
    let contact = house.control.contact("mended@example.org").unwrap();
    assert!(format!("{contact:?}").contains("Mender"), "{contact:?}");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    house.assert_no_violation();
}

#[test]
fn a_mapping_is_edited_and_saved_and_the_next_sync_goes_by_it() {
    let house = House::new(40);
    let before = house.read("config.toml");
    let mut terminal = open(&house);
    terminal.press("3", "sample 1 of");
    // To the line of the pet's name, wherever it stands.
    terminal.press("/PET_NAME\r", "PET_NAME");
    terminal.press("t", "%PET_NAME% from");
    terminal.press("\x15{{ name | upper }} the pet", "the pet");
    terminal.until_that("the sample's result", |text| {
        text.lines()
            .any(|line| line.contains(" the pet") && !line.contains("{{"))
    });
    terminal.press("\r", "1 change, w saves");
    terminal.press("w", "Write 1 change of pets into config.toml?");
    terminal.press("y", "is saved in config.toml");
    let after = house.read("config.toml");
    assert_ne!(before, after);
    let changed = before
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new);
    let changed: Vec<_> = changed.map(|(_, new)| new).collect();
    assert_eq!(changed, ["\"%PET_NAME%\" = \"{{ name | upper }} the pet\""]);
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    let preview = house.control.records(PETS).into_iter().find_map(|record| {
        let ran = house.run(&["mappings", "preview", "pets", &record.id, "--json"]);
        (ran.code == Some(0)).then(|| ran.json())
    });
    let fields = preview.unwrap()["fields"].clone();
    let name = fields
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["field"] == "%PET_NAME%");
    let send = name.unwrap()["send"].as_str().unwrap().to_owned();
    assert!(send.ends_with(" the pet"), "{send}");
}

#[test]
fn all_records_go_through_a_mapping_before_and_after_an_export() {
    let house = House::new(120);
    let mut terminal = open(&house);
    terminal.press("3", "sample 1 of");
    // What stands beneath is drawn behind it.
    let text = terminal.press("v", "would fail:");
    let (summary, _) = house.export(&[]);
    for (count, words) in [
        ("synced", "contacts would change"),
        ("failed", "records would fail"),
        ("superseded", "records lost to another record"),
        ("read", "records "),
    ] {
        let told = format!("{} {words}", summary[count]);
        assert!(text.contains(&told), "{told}: {text}");
    }
    terminal.escape("would change");
    terminal.press("v", " 0 contacts would change");
    terminal.escape("would change");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    house.assert_no_violation();
}

#[test]
fn the_budget_fills_up_again_on_the_screen() {
    let house = House::with(tramline::sandbox::Options {
        records: 30,
        ..Default::default()
    });
    let mut terminal = open(&house);
    terminal.until_that("a spent permit", |text| {
        text.contains("GHL") && !text.contains("GHL ██████████ 100/100")
    });
    // A window is 10 s; nothing is typed meanwhile.
    terminal.until("GHL ██████████ 100/100");
    terminal.rest();
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
}
