//! What does not fit says so, and every value can be seen whole.

use super::driver::Driver;
use super::view;
use super::world::Mood;
use crossterm::event::KeyCode;

/// Scrolls a window to its end; all that was seen on the way.
fn read_through(driver: &mut Driver, width: u16, height: u16) -> String {
    let mut seen = driver.text(width, height);
    for _ in 0..400 {
        driver.keys("j");
        let now = driver.text(width, height);
        if seen.ends_with(&now) {
            break;
        }
        seen.push_str(&now);
    }
    seen
}

#[test]
fn a_detail_that_is_taller_than_the_screen_says_how_much_lies_above_and_below() {
    for (keys, width) in [("2\n", 60), ("2d", 60), ("2\n\t", 60), ("2d", 80)] {
        let mut driver = view(Mood::Normal, keys);
        let height = 16;
        let top = driver.text(width, height);
        assert!(
            top.contains(" below") || top.contains(" +"),
            "{keys}: {top}"
        );
        assert!(!top.contains(" above"), "{keys}: {top}");
        driver.keys("G");
        let bottom = driver.text(width, height);
        assert!(
            bottom.contains(" above") || bottom.contains(" -"),
            "{keys}: {bottom}"
        );
        assert!(!bottom.contains(" below"), "{keys}: {bottom}");
        // Where all fits, nothing is said.
        let tall = driver.text(200, 60);
        assert!(
            !tall.contains(" below") && !tall.contains(" above"),
            "{tall}"
        );
    }
}

#[test]
fn enter_shows_a_value_whole_in_each_view() {
    for keys in ["2\n", "2\n\tjjjj", "2d"] {
        let mut driver = view(Mood::Hostile, keys);
        assert!(!driver.app.has_overlay());
        let before = driver.text(80, 24);
        driver.press(KeyCode::Enter);
        assert!(driver.app.has_overlay(), "{keys}: {before}");
        let text = driver.text(80, 24);
        assert!(text.contains("more lines"), "{keys}: {before}{text}");
        // The end of the value has the last of its words, which no view has room for.
        let seen = read_through(&mut driver, 80, 24);
        assert!(!driver.text(80, 24).contains("more lines"), "{keys}");
        let words = seen.matches("long long long").count();
        assert!(
            words > before.matches("long long long").count(),
            "{keys}: {seen}"
        );
        driver.keys("\u{1b}");
        assert_eq!(driver.text(80, 24), before, "{keys}");
    }
    // Rules and surroundings, for which a small window has no room.
    let mut driver = view(Mood::Normal, "2d");
    let text = driver.text(60, 16);
    assert!(text.contains("lines more: enter shows all"), "{text}");
    driver.press(KeyCode::Enter);
    let seen = read_through(&mut driver, 60, 16);
    for part in [
        "rule heavy",
        "automations",
        "scores",
        "segments",
        "contact now",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
}
