//! The cursor stays on its row when a filter is typed or cleared, in every list that has one.

use super::driver::Driver;
use super::view;
use super::world::Mood;
use crossterm::event::KeyCode;
use tramline::tui::effect::Effect;

/// What `y` copies: what the cursor is on.
fn under(driver: &mut Driver) -> String {
    driver.effects.clear();
    driver.keys("y");
    let copied = driver.effects.iter().find_map(|effect| match effect {
        Effect::Copy { text, .. } => Some(text.clone()),
        _ => None,
    });
    copied.unwrap()
}

/// A list, a filter that leaves more than one of its rows, and what keys lead to a row that is not the first.
const LISTS: [(&str, &str, &str); 7] = [
    ("1", "s", "j"),
    ("1\t", "a", "jj"),
    ("2f", "max", "j"),
    ("3", "e", "j"),
    ("3r", "a", "j"),
    ("5", "pets", "j"),
    ("6\t", "422", "jj"),
];

#[test]
fn a_filter_that_is_cleared_leaves_the_cursor_on_its_row() {
    for (open, filter, down) in LISTS {
        let slash = if open.ends_with('f') { "" } else { "/" };
        for clear in ["\u{1b}", "line"] {
            let mut driver = view(Mood::Normal, &format!("{open}{slash}{filter}\n{down}"));
            let row = under(&mut driver);
            driver.keys("g");
            assert_ne!(
                under(&mut driver),
                row,
                "{open}: there is more than one row"
            );
            driver.keys(down);
            match clear {
                "line" => {
                    driver.keys(if open.ends_with('f') { "f" } else { "/" });
                    driver.ctrl('u');
                    driver.press(KeyCode::Enter);
                }
                esc => driver.keys(esc),
            }
            driver.wait(300);
            let text = driver.text(200, 60);
            assert!(!text.contains(&format!("/{filter}")), "{open}: {text}");
            assert_eq!(under(&mut driver), row, "{open} {clear}");
        }
    }
}

#[test]
fn a_filter_that_the_row_passes_leaves_the_cursor_on_it_and_one_that_it_does_not_goes_to_the_first()
{
    let mut driver = view(Mood::Normal, "1jj");
    let row = under(&mut driver);
    assert_eq!(row, "custom_objects.shelters");
    driver.keys("/s\n");
    assert_eq!(under(&mut driver), row);
    driver.keys("/\u{8}visits\n");
    assert_eq!(under(&mut driver), "custom_objects.visits");
}

#[test]
fn a_search_that_is_given_up_leaves_the_cursor_on_a_record_of_the_first_page() {
    let mut driver = view(Mood::Normal, "2/rex\nj");
    let row = under(&mut driver);
    driver.keys("\u{1b}\u{1b}");
    driver.wait(300);
    assert!(driver.text(120, 40).contains("2 of 230"));
    assert_eq!(under(&mut driver), row);
}
