//! The palette: an action that has nothing to act on waits while its list is read, and says why where there is nothing.

use super::driver::Driver;
use super::view;
use super::world::Mood;
use tramline::tui::request::Request;

fn related(driver: &Driver) -> bool {
    driver
        .asked
        .iter()
        .any(|r| matches!(r, Request::Related(..)))
}

#[test]
fn an_action_that_needs_a_row_waits_while_the_list_is_read() {
    // From its own screen and from another one.
    for keys in ["2:show related\n", "1:show related\n"] {
        let mut driver = Driver::new(Mood::Normal).start();
        let (screen, palette) = keys.split_at(1);
        driver.silent = true;
        driver.keys(screen);
        driver.keys(palette);
        assert!(driver.app.toasts().is_empty(), "{:?}", driver.app.toasts());
        assert!(!related(&driver));
        driver.speak();
        assert!(related(&driver), "{keys}");
    }
}

#[test]
fn a_key_gives_up_what_waits() {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.silent = true;
    driver.keys("2:show related\nj");
    driver.speak();
    assert!(!related(&driver));
}

#[test]
fn what_writes_unasked_does_not_come_by_surprise() {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.silent = true;
    driver.keys("2:sync this record\n");
    driver.speak();
    let synced = driver.asked.iter().any(|r| matches!(r, Request::Sync(..)));
    assert!(!synced);
    assert!(driver.app.toasts()[0].contains("choose the row"));
}

#[test]
fn an_action_that_has_nothing_to_act_on_says_so_in_its_line() {
    let reason = "o needs a row, and there is none here";
    let mut driver = view(Mood::Empty, "2:show related");
    let text = driver.text(120, 40);
    assert!(text.contains(reason), "{text}");
    driver.keys("\n");
    assert!(driver.app.toasts()[0].contains(reason));
    // While the list is read nobody knows, and with rows there is none to say.
    let mut driver = Driver::new(Mood::Normal).start();
    driver.silent = true;
    driver.keys("2:show related");
    assert!(!driver.text(120, 40).contains("needs a row"));
    let driver = view(Mood::Normal, "2:");
    assert!(!driver.text(200, 60).contains("needs a row"));
}
