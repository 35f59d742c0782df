//! Rules and missing contact fields with the hands on the keyboard, down to config.toml and to the account.

use super::open;
use super::support::{House, PETS};
use serde_json::json;

#[test]
fn a_rule_is_written_and_the_next_sync_fires_it() {
    let house = House::new(30);
    let record = house.control.records(PETS)[0].id.clone();
    house
        .control
        .set_property(PETS, &record, "owner_email", json!("ruled@example.org"));
    house
        .control
        .set_property(PETS, &record, "weight", json!(50));
    let before = house.read("config.toml");
    let mut terminal = open(&house);
    terminal.press("3", "sample 1 of");
    terminal.press("r", "this mapping has no rules");
    terminal.press("a", "no condition yet");
    terminal.press("heavy\twei\t > 4", "weight > 4");
    terminal.until_that("the condition's result", |text| {
        text.contains("holds for") || text.contains("does not hold for")
    });
    terminal.press("0\t ", "Add which tags?");
    terminal.press("heavy pet\r\r", "heavy pet");
    terminal.until("would do: tag heavy pet");
    // Up round the lines to the last one.
    terminal.keys("\x1b[A\x1b[A\x1b[A");
    terminal.press(" ", "at first sync too yes");
    terminal.press("\r", "1 change, w saves");
    terminal.press("w", "rule heavy: weight > 40: tag heavy pet");
    terminal.press("y", "is saved in config.toml");
    let after = house.read("config.toml");
    let (head, tail) = before.split_once("[mappings.visits]").unwrap();
    let rule = "[[mappings.pets.rules]]\nname = \"heavy\"\nwhen = \"weight > 40\"\non_first_sync = true\n\
        add_tags = [\"heavy pet\"]\n";
    assert!(
        after.starts_with(head.trim_end()) && after.ends_with(tail),
        "{after}"
    );
    assert!(after.contains(rule), "{after}");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    house.edit_config(
        "object = \"custom_objects.pets\"",
        "object = \"custom_objects.pets\"\ncreate_tags = true",
    );
    house.expect(0, &["sync", "pets", &record]);
    let contact = house.control.contact("ruled@example.org").unwrap();
    assert!(format!("{contact:?}").contains("heavy pet"), "{contact:?}");
    house.assert_no_violation();
}

#[test]
fn a_missing_contact_field_is_created_where_it_is_missed() {
    let house = House::new(30);
    house.edit_config("\"%CHIP%\" =", "\"%SIZE_OF_PET%\" = \"size\"\n\"%CHIP%\" =");
    let mut terminal = open(&house);
    terminal.press("3", "1 problem");
    terminal.press("/SIZE_OF\r", "SIZE_OF_PET");
    let form = terminal.press("c", "New contact field for size");
    assert!(form.contains("SIZE_OF_PET"), "{form}");
    terminal.press("\r", "Create this contact field in ActiveCampaign?");
    terminal.press("y", "%SIZE_OF_PET% is created");
    terminal.until("no problems");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    let fields = house.expect(0, &["--json", "fields", "list"]).lines();
    let field = fields.iter().find(|field| field["tag"] == "SIZE_OF_PET");
    let field = field.unwrap();
    assert_eq!(field["listed"], true);
    assert!(!field["options"].as_array().unwrap().is_empty(), "{field}");
    house.assert_no_violation();
}
