//! Two control rooms on one store: each sees what the other one does.

use super::open;
use super::support::{House, PETS};
use serde_json::json;

#[test]
fn an_action_on_many_of_another_room_is_shown_and_can_be_stopped() {
    let house = House::new(30);
    for record in &house.control.records(PETS)[..3] {
        let broken = json!("mend.me@@example.org");
        assert!(
            house
                .control
                .set_property(PETS, &record.id, "owner_email", broken)
        );
    }
    house.expect(3, &["export", "pets", "--json"]);
    let (mut one, mut other) = (open(&house), open(&house));
    other.press("4", "✗ failed");
    one.press("4", "✗ failed");
    one.press("R", "Retry ");
    one.press("y", "begins in 5 s");
    other.until_that("the other room's action", |text| {
        text.contains("retry by ") && text.contains("begins in ")
    });
    other.press("u", "Stop the retry by ");
    other.press("y", "taken back: no job was changed");
    one.until("retry taken back: no job was changed");
    for mut terminal in [one, other] {
        terminal.keys("q");
        assert_eq!(terminal.ended().exit_code(), 0);
    }
    house.assert_no_violation();
}
