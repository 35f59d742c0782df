//! The control room without a terminal: keys in, frames out.

#![allow(
    clippy::unwrap_used,
    reason = "a test that fails here has found something"
)]

#[path = "screens/activity.rs"]
mod activity;
#[path = "screens/answers.rs"]
mod answers;
#[path = "screens/cat.rs"]
mod cat;
#[path = "screens/commands.rs"]
mod commands;
#[path = "screens/configured.rs"]
mod configured;
#[path = "screens/connections.rs"]
mod connections;
#[path = "screens/copying.rs"]
mod copying;
#[path = "screens/cursor.rs"]
mod cursor;
#[path = "screens/driver.rs"]
mod driver;
#[path = "screens/editor.rs"]
mod editor;
#[path = "screens/fields.rs"]
mod fields;
#[path = "screens/filters.rs"]
mod filters;
#[path = "screens/honest.rs"]
mod honest;
#[path = "screens/kept.rs"]
mod kept;
#[path = "screens/keys.rs"]
mod keys;
#[path = "screens/late.rs"]
mod late;
#[path = "screens/limits.rs"]
mod limits;
#[path = "screens/looks.rs"]
mod looks;
#[path = "screens/manners.rs"]
mod manners;
#[path = "screens/many.rs"]
mod many;
#[path = "screens/mending.rs"]
mod mending;
#[path = "screens/mouse.rs"]
mod mouse;
#[path = "screens/pace.rs"]
mod pace;
#[path = "screens/palette.rs"]
mod palette;
#[path = "screens/pauses.rs"]
mod pauses;
#[path = "screens/readme.rs"]
mod readme;
#[path = "screens/records.rs"]
mod records;
#[path = "screens/rules.rs"]
mod rules;
#[path = "screens/runs.rs"]
mod runs;
#[path = "screens/shape.rs"]
mod shape;
#[path = "screens/stumbles.rs"]
mod stumbles;
#[path = "screens/told.rs"]
mod told;
#[path = "screens/typed.rs"]
mod typed;
#[path = "screens/ways.rs"]
mod ways;
#[path = "screens/whole.rs"]
mod whole;
#[path = "screens/world.rs"]
mod world;

use driver::Driver;
use tramline::tui::theme::ThemeName;
use world::Mood;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// Keys that lead from the start to each view that is worth looking at.
const VIEWS: [(&str, &str); 13] = [
    ("schemas", "1"),
    ("records", "2"),
    ("record", "2\n"),
    ("sync", "2d"),
    ("mappings", "3"),
    ("queue", "4"),
    ("job", "4jjj\n"),
    ("groups", "4v"),
    ("exports", "5"),
    ("activity", "6"),
    ("calls", "6\t"),
    ("log", "6\t\t"),
    ("actions", "6\t\t\t"),
];

fn view(mood: Mood, keys: &str) -> Driver {
    led(Driver::new(mood), keys)
}

/// Starts an app and presses keys until it is at rest.
fn led(driver: Driver, keys: &str) -> Driver {
    let mut driver = driver.start();
    driver.text(120, 40);
    driver.keys(keys);
    driver.wait(200);
    driver
}

#[test]
fn every_view_with_data() {
    for (name, keys) in VIEWS {
        let driver = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

#[test]
fn every_view_in_every_mood() {
    for mood in [Mood::Empty, Mood::Broken, Mood::Hostile, Mood::Million] {
        for (name, keys) in VIEWS {
            let driver = view(mood, keys);
            for (width, height) in SIZES {
                let name = format!("{name}-{mood:?}-{width}x{height}").to_lowercase();
                insta::assert_snapshot!(name, driver.text(width, height));
            }
        }
    }
}

#[test]
fn every_view_while_it_loads() {
    for (name, keys) in VIEWS {
        let mut driver = Driver::new(Mood::Normal).start();
        driver.silent = true;
        driver.keys(keys);
        driver.wait(400);
        for (width, height) in SIZES {
            let name = format!("{name}-loading-{width}x{height}");
            insta::assert_snapshot!(name, driver.text(width, height));
        }
    }
}

/// Less is a notice only.
#[test]
fn every_view_at_its_smallest() {
    for (name, keys) in VIEWS {
        let driver = view(Mood::Normal, keys);
        insta::assert_snapshot!(format!("smallest-{name}"), driver.text(60, 16));
    }
}

#[test]
fn every_view_in_ascii() {
    for (name, keys) in VIEWS {
        let driver = led(looks::driver(ThemeName::Dark, true), keys);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("ascii-{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

/// What each cell's colour means. One theme is enough: `looks` proves of the others that they say the same.
#[test]
fn every_view_in_colour() {
    for (name, keys) in VIEWS {
        let driver = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("colour-{name}-{width}x{height}"),
                looks::meanings(&driver.frame(width, height))
            );
        }
    }
}

/// A view under `--read-only` is the view with a badge: `looks` proves that; here is what the header makes of it.
#[test]
fn every_view_read_only() {
    let headers = |width| {
        let view = |(_, keys): &(&str, &str)| {
            let text = led(looks::read_only(), keys).text(width, 24);
            text.lines().next().unwrap_or_default().to_owned()
        };
        VIEWS.iter().map(view).collect::<Vec<_>>().join("\n")
    };
    for (width, _) in SIZES {
        insta::assert_snapshot!(format!("read-only-{width}"), headers(width));
    }
}

#[test]
fn what_is_paused_stands_above_the_list() {
    let views = [
        ("queue", Mood::Paused, "4"),
        ("groups", Mood::Paused, "4v"),
        ("menu", Mood::Paused, "4p"),
        ("resume", Mood::Paused, "4p\n"),
        ("form", Mood::Normal, "4p\n"),
    ];
    for (name, mood, keys) in views {
        let driver = view(mood, keys);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("paused-{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

#[test]
fn what_is_done_to_many_stands_above_the_list() {
    let views = [
        ("begun", "4Ry", 1300),
        ("going-on", "4Ry", 6000),
        ("groups", "4vRy", 1300),
    ];
    for (name, keys, wait) in views {
        let mut driver = view(Mood::Normal, keys);
        driver.wait(wait);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("many-{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

#[test]
fn the_editor_of_a_mapping() {
    let views = [
        ("typing", "3jt", ""),
        ("problem", "3jt", "{{ na"),
        ("adding", "3a", ""),
        ("changed", "3jtX\nDjjD", ""),
        ("saving", "3jtX\nDw", ""),
    ];
    for (name, keys, instead) in views {
        let mut driver = view(Mood::Normal, keys);
        if !instead.is_empty() {
            driver.ctrl('u');
            driver.keys(instead);
        }
        driver.wait(200);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("editor-{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

#[test]
fn the_records_as_a_person_arranged_them() {
    let views = [
        ("columns", "2c"),
        ("arranged", "2c j JJ\nlltfre\nvjj"),
        ("export", "2x"),
        (
            "replace",
            "2x\t\t\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}there.csv\n",
        ),
    ];
    for (name, keys) in views {
        let driver = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("records-{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

#[test]
fn the_rules_of_a_mapping_and_their_editor() {
    let views = [
        ("list", "3r"),
        ("changed", "3r>jD"),
        ("rule", "3r\n"),
        ("new", "3raold\twe"),
        ("names", "3r\n\t for g"),
    ];
    for (name, keys) in views {
        let driver = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            let name = format!("rules-{name}-{width}x{height}");
            insta::assert_snapshot!(name, driver.text(width, height));
        }
    }
}

#[test]
fn a_contact_field_is_created_by_a_form() {
    let views = [
        ("choose", "3c"),
        ("form", "3\t\tGc"),
        ("question", "3\t\tGc\n"),
    ];
    for (name, keys) in views {
        let driver = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            let name = format!("new-field-{name}-{width}x{height}");
            insta::assert_snapshot!(name, driver.text(width, height));
        }
    }
}

/// What lies above a screen, by the keys that open it.
const ABOVE: [(&str, &str); 13] = [
    ("help", "4?"),
    ("palette", "2:"),
    ("form", "2e"),
    ("export-form", "5a"),
    ("delete", "2D"),
    ("related", "2o"),
    ("suggest", "3A"),
    ("check", "3V"),
    ("survey", "3v"),
    ("filter", "4/st"),
    ("retry-group", "4vjR"),
    ("saved-filters", "4/age>1h\nF"),
    ("save-filter", "4/age>1h\nFsave\n"),
];

#[test]
fn what_lies_above_a_screen() {
    for (name, keys) in ABOVE {
        let driver = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("above-{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

#[test]
fn several_connections() {
    for (name, keys) in [("choice", "@"), ("other", "4@eu\n")] {
        let mut driver = connections::room(Mood::Normal);
        driver.keys(keys);
        driver.wait(200);
        for (width, height) in SIZES {
            insta::assert_snapshot!(
                format!("connections-{name}-{width}x{height}"),
                driver.text(width, height)
            );
        }
    }
}

/// Lists and editors above a screen that show what comes from elsewhere.
const NEWER: [(&str, &str); 6] = [
    ("columns", "2c"),
    ("rules", "3r"),
    ("rule", "3r\n"),
    ("names", "3r\n\t "),
    ("saved", "4F"),
    ("pairs", "3A"),
];

#[test]
fn lists_and_editors_in_every_mood_and_in_ascii() {
    for (name, keys) in NEWER {
        let moods = [Mood::Empty, Mood::Broken, Mood::Hostile];
        let moods = moods.map(|mood| (format!("{mood:?}").to_lowercase(), view(mood, keys)));
        let ascii = led(looks::driver(ThemeName::Dark, true), keys);
        for (mood, driver) in moods.into_iter().chain([("ascii".to_owned(), ascii)]) {
            for (width, height) in SIZES {
                let name = format!("newer-{name}-{mood}-{width}x{height}");
                insta::assert_snapshot!(name, driver.text(width, height));
            }
        }
    }
}

#[test]
fn lists_and_editors_while_they_load() {
    for (name, keys) in NEWER {
        let mut driver = Driver::new(Mood::Normal).start();
        driver.silent = true;
        driver.keys(keys);
        driver.wait(400);
        for (width, height) in SIZES {
            let name = format!("newer-{name}-loading-{width}x{height}");
            insta::assert_snapshot!(name, driver.text(width, height));
        }
    }
}

/// Of what is only looked at `looks` proves that it stays as it is; here is what changes nothing is told of.
#[test]
fn lists_and_editors_read_only() {
    for (name, keys) in NEWER {
        let driver = led(looks::read_only(), keys);
        for (width, height) in SIZES {
            let name = format!("newer-{name}-read-only-{width}x{height}");
            insta::assert_snapshot!(name, driver.text(width, height));
        }
    }
}

#[test]
fn what_may_be_paused_in_every_mood() {
    let views = [("menu", "4p"), ("form", "4p\n")];
    for (name, keys) in views {
        for mood in [Mood::Empty, Mood::Broken, Mood::Hostile] {
            let driver = view(mood, keys);
            for (width, height) in SIZES {
                let name = format!("paused-{name}-{mood:?}-{width}x{height}").to_lowercase();
                insta::assert_snapshot!(name, driver.text(width, height));
            }
        }
    }
}

#[test]
fn the_choice_of_a_connection_in_every_mood() {
    for mood in [Mood::Broken, Mood::Hostile] {
        let mut driver = connections::room(mood);
        driver.keys("@");
        driver.wait(200);
        for (width, height) in SIZES {
            let name = format!("connections-choice-{mood:?}-{width}x{height}").to_lowercase();
            insta::assert_snapshot!(name, driver.text(width, height));
        }
    }
}
