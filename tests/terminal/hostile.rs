//! Names that would act on a terminal, in everything that either account lets a person name: each is seen in the views that
//! show it, and nothing of it reaches the terminal but text.

use super::pty::Terminal;
use super::spoiler::{Spoiler, seen};
use super::support::{House, PETS, finish, tramline};
use serde_json::json;

/// A house whose accounts have such names; what happens first goes by the names as they were.
struct Spoiled {
    house: House,
    _proxies: [Spoiler; 2],
}

fn spoiled_house() -> (Spoiled, String) {
    let house = House::new(30);
    // A pet of somebody whom ActiveCampaign knows already, with tags, lists and scores.
    let records = house.control.records(PETS);
    let known = |email: &str| house.control.contact(email).is_some();
    let record = records
        .iter()
        .find(|record| record.properties["owner_email"].as_str().is_some_and(known))
        .unwrap();
    let email = record.properties["owner_email"].as_str().unwrap();
    // From a store of its own: the one of the house is to know the accounts at their other addresses only.
    let plain = house.read("config.toml");
    house.write("plain.toml", &plain.replace("tramline.db", "plain.db"));
    let run = |arguments: &[&str], input: Option<&str>| {
        let mut command = tramline(house.folder.path());
        command
            .arg("--config")
            .arg(house.path("plain.toml"))
            .args(arguments);
        let ran = finish(command, input);
        assert_eq!(ran.code, Some(0), "{arguments:?} {ran:#?}");
        ran
    };
    let shown = run(&["--json", "contacts", "show", email], None).json();
    let id = shown["contact"]["id"].as_str();
    let id = id.unwrap_or_else(|| panic!("{shown}"));
    let enrol = json!({ "contactAutomation": { "contact": id, "automation": "1" } });
    let event = json!({ "eventTrackingEvent": { "name": "visited" } });
    for (path, body) in [
        ("/contactAutomations", enrol),
        ("/eventTrackingEvents", event),
    ] {
        let arguments = ["api", "activecampaign", "POST", path, "--data", "-"];
        run(&arguments, Some(&body.to_string()));
    }
    house.control.fault(tramline::sandbox::Fault::once(
        tramline::sandbox::Kind::Status(422),
        "contact/sync",
    ));
    let proxies = [&house.highlevel_url, &house.activecampaign_url].map(|url| Spoiler::before(url));
    house.edit_config(&house.highlevel_url, &proxies[0].url);
    house.edit_config(&house.activecampaign_url, &proxies[1].url);
    let spoiled = Spoiled {
        house,
        _proxies: proxies,
    };
    (spoiled, email.to_owned())
}

/// Waits until spoiled names of all these kinds are seen at once.
fn sees(terminal: &mut Terminal, marks: &[&str]) {
    for mark in marks {
        terminal.until(&seen(mark));
    }
}

const MODES: [&str; 4] = ["?1049", "?25", "?2004", "?2026"];
const MOUSE: [&str; 5] = ["?1000", "?1002", "?1003", "?1006", "?1015"];

/// Nothing reached the terminal that a drawing of cells does not need.
fn assert_only_drawing(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() || is_invisible(c)) {
        let found = &rest[at..];
        let near: String = found.chars().take(24).collect();
        let sequence = found.strip_prefix("\u{1b}[");
        let sequence = sequence.unwrap_or_else(|| panic!("{near:?} reached the terminal"));
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let (parameters, last) = (&sequence[..end], sequence.as_bytes()[end]);
        let own = match last {
            // Modes of its own, all of them named; those of the mouse it only takes back.
            b'h' => MODES.contains(&parameters),
            b'l' => MODES.contains(&parameters) || MOUSE.contains(&parameters),
            // The cursor's place and the looks of cells.
            b'H' | b'm' => parameters
                .bytes()
                .all(|b| b.is_ascii_digit() || b";:".contains(&b)),
            b'J' => parameters == "2",
            _ => false,
        };
        assert!(own, "{near:?} reached the terminal");
        rest = &sequence[end + 1..];
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Presses keys, waits until spoiled names of these kinds are seen, and closes the window that the keys opened, by its title.
fn opens(terminal: &mut Terminal, keys: &str, marks: &[&str], window: &str) {
    terminal.press(keys, window);
    sees(terminal, marks);
    terminal.escape(window);
}

fn press(terminal: &mut Terminal, keys: &str, marks: &[&str]) {
    terminal.keys(keys);
    sees(terminal, marks);
}

#[test]
fn names_that_would_act_on_a_terminal_are_seen_and_do_nothing() {
    let (spoiled, email) = spoiled_house();
    let mut terminal = Terminal::start(super::room(&spoiled.house), 200, 60);
    let terminal = &mut terminal;
    sees(terminal, &["object", "field", "option"]);
    records(terminal, &email);
    mappings(terminal);
    // The first sync was refused.
    press(terminal, "4", &["refused"]);
    // The error stands in the rule above the bar before the list is read.
    terminal.until("▶ ✗ failed");
    terminal.press("\r", "attempt 1");
    sees(terminal, &["refused"]);
    terminal.escape("attempt 1");
    opens(terminal, "w", &["refused"], "── Job ");
    terminal.press("v", "1 group");
    sees(terminal, &["refused"]);
    terminal.escape("1 group");
    press(terminal, "6", &["refused"]);
    terminal.press("/refused\r", "/refused");
    opens(terminal, "\r", &["refused"], "── Line of the log");
    terminal.resize(80, 24);
    press(terminal, "1", &["object"]);
    press(terminal, "2", &["field"]);
    terminal.press("3", "sample 1 of");
    press(terminal, "4", &["refused"]);
    terminal.press("5", "no export yet");
    press(terminal, "6", &["refused"]);
    // The rule that was left is typed in.
    terminal.press("q", "Quit and lose what was typed?");
    terminal.keys("y");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    assert_only_drawing(&terminal.bytes());
}

fn records(terminal: &mut Terminal, email: &str) {
    terminal.press("2", "of 30");
    opens(terminal, "c", &["field"], "── Columns");
    opens(terminal, "O", &["object"], "── Records of");
    terminal.press(&format!("/{email}\r"), &format!("search {email}"));
    press(terminal, "\r", &["field", "option"]);
    press(
        terminal,
        "d",
        &["tag", "list", "automation", "score", "segment"],
    );
    opens(terminal, "e", &["object", "field", "option"], "── Edit ");
    terminal.press("s", "422");
    // A visit has a contact of HighLevel beside it.
    terminal.press("Ovisits\r", "1 of 20");
    opens(terminal, "o", &["person"], "── Related");
}

fn mappings(terminal: &mut Terminal) {
    terminal.press("3", "sample 1 of");
    opens(terminal, "a", &["title", "PERSTAG"], "── Fill");
    terminal.press("V", "configuration: ");
    terminal.escape("configuration: ");
    terminal.press("r", "has no rules");
    terminal.press("aspoiled\ttrue\t", "add tags");
    let down = "\x1b[B";
    for (lines, mark) in [(0, "tag"), (2, "list"), (3, "automation"), (2, "event")] {
        terminal.keys(&down.repeat(lines));
        opens(terminal, " ", &[mark], "take the marked");
    }
    terminal.escape("── New rule");
}
