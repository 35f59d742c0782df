//! What reaches the terminal: only what the program means to send, whatever the records say.

use super::pty::Terminal;
use super::support::{House, PETS};
use super::{open, room};
use serde_json::json;
use unicode_width::UnicodeWidthChar;

/// One thing in a stream of terminal output.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(char),
    /// `ESC [ … final`: parameters and the final character.
    Csi(String, char),
    /// A control character, or the start of any other sequence.
    Other(char),
}

fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut chars = text.chars().peekable();
    let mut out = Vec::new();
    while let Some(c) = chars.next() {
        if c == '\x1b' && chars.peek() == Some(&'[') {
            chars.next();
            let mut parameters = String::new();
            for c in chars.by_ref() {
                if ('@'..='~').contains(&c) {
                    out.push(Piece::Csi(parameters, c));
                    break;
                }
                parameters.push(c);
            }
        } else if c.is_control() {
            out.push(Piece::Other(c));
        } else {
            out.push(Piece::Text(c));
        }
    }
    out
}

/// Sequences that the program draws with: cursor, colours, clear, modes.
fn is_drawn_with(piece: &Piece) -> bool {
    match piece {
        Piece::Text(c) => {
            !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        }
        Piece::Csi(parameters, 'H' | 'm') => {
            parameters.chars().all(|c| c.is_ascii_digit() || c == ';')
        }
        Piece::Csi(parameters, 'J') => parameters == "2",
        Piece::Csi(parameters, 'h' | 'l') => [
            "?25", "?1049", "?2004", "?2026", "?1000", "?1002", "?1003", "?1006", "?1015",
        ]
        .contains(&parameters.as_str()),
        Piece::Csi(..) | Piece::Other(_) => false,
    }
}

#[test]
fn nothing_that_a_record_says_is_taken_by_the_terminal() {
    let house = House::new(60);
    let evil =
        "Evil\u{1b}]52;c;cm0gLXJmIH4=\u{7}\u{1b}[2J\u{1b}[?1049l\u{9b}31m\u{202e}cod\u{2066}";
    for record in house.control.records(PETS) {
        let keys: Vec<_> = record.properties.keys().cloned().collect();
        for key in keys {
            house
                .control
                .set_property(PETS, &record.id, &key, json!(evil));
        }
    }
    house.expect(3, &["export", "pets", "--json"]);
    let mut terminal = open(&house);
    terminal.press("2", "1 of 60");
    // Properties, JSON, beside the contact, related, the form; then failed jobs with their attempts, calls.
    terminal.press("\r", "properties");
    terminal.press("\t", "Evil");
    terminal.press("\t", "will send");
    terminal.press("e", "enter save");
    terminal.escape("enter save");
    terminal.press("o", "elated records");
    terminal.keys("\x1b");
    terminal.rest();
    terminal.press("4", "1 of 59");
    terminal.press("\r", "attempt");
    terminal.press("w", "── Job");
    terminal.escape("── Job");
    terminal.press("e", "enter save");
    terminal.escape("enter save");
    terminal.press("6", "actions");
    terminal.press("3", "pets → contacts");
    terminal.rest();
    assert!(terminal.on_alternate_screen());
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    let strange: Vec<_> = pieces(&terminal.bytes())
        .into_iter()
        .filter(|piece| !is_drawn_with(piece))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn a_copy_is_the_only_sequence_that_speaks_to_the_clipboard() {
    let house = House::new(30);
    let mut terminal = open(&house);
    terminal.press("y", "clipboard by OSC 52");
    terminal.keys("q");
    terminal.ended();
    let text = String::from_utf8(terminal.bytes()).unwrap();
    // "custom_objects.…" in base 64.
    assert_eq!(text.matches("\x1b]52;c;Y3VzdG9tX29iamVjdHMu").count(), 1);
    assert_eq!(text.matches("\x1b]").count(), 1);
}

#[test]
fn no_color_means_no_colour() {
    let house = House::new(30);
    let colours = |value: &str| {
        let mut command = room(&house);
        command.env("NO_COLOR", value);
        let mut terminal = Terminal::start(command, 120, 40);
        terminal.until("GHL ");
        terminal.press("2", "of 30");
        terminal.press("?", "On Records");
        terminal.escape("On Records");
        terminal.keys("q");
        terminal.ended();
        let coloured = |parameters: &str| {
            let numbers: Vec<u16> = parameters
                .split(';')
                .filter_map(|number| number.parse().ok())
                .collect();
            numbers
                .iter()
                .any(|n| matches!(n, 30..=38 | 40..=48 | 90..=97 | 100..=107))
        };
        pieces(&terminal.bytes())
            .iter()
            .filter(|piece| matches!(piece, Piece::Csi(parameters, 'm') if coloured(parameters)))
            .count()
    };
    assert_eq!(colours("1"), 0);
    // An empty NO_COLOR is none.
    assert!(colours("") > 0);
}

#[test]
fn names_that_terminals_measure_differently_shift_no_row() {
    let house = House::new(8);
    let names = [
        "Rex",
        "🐕\u{200d}🦺 guide",
        "👨\u{200d}👩\u{200d}👧\u{200d}👦 family",
        "🇩🇪🇫🇷 flags",
        "👍🏽 thumb",
        "❤\u{fe0f} 1\u{fe0f}\u{20e3} heart",
        "e\u{301}a\u{308} marks",
        "小雪日本語 wide",
    ];
    for (record, name) in house.control.records(PETS).iter().zip(names) {
        house
            .control
            .set_property(PETS, &record.id, "name", json!(name));
        house
            .control
            .set_property(PETS, &record.id, "chip", json!("CHIP"));
    }
    let mut terminal = open(&house);
    terminal.press("2", "1 of 8");
    for size in [(80, 24), (120, 40)] {
        terminal.resize(size.0, size.1);
        terminal.rest();
        // This terminal measures character by character, as many do.
        let rows: Vec<String> = terminal
            .text()
            .lines()
            .filter(|line| line.contains(" CHIP "))
            .map(str::to_owned)
            .collect();
        let columns: Vec<usize> = rows
            .iter()
            .map(|row| {
                let before = row.split(" CHIP ").next().unwrap();
                before.chars().map(|c| c.width().unwrap_or(0)).sum()
            })
            .collect();
        assert_eq!(columns.len(), 8, "{}", terminal.text());
        assert!(
            columns.iter().all(|c| *c == columns[0]),
            "{}",
            terminal.text()
        );
        let bytes = String::from_utf8(terminal.bytes()).unwrap();
        let joins = |c: char| matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{20e3}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f3fb}'..='\u{1f3ff}');
        assert!(!bytes.contains(joins));
    }
    assert!(
        terminal.text().contains("小雪日本語"),
        "{}",
        terminal.text()
    );
    terminal.keys("q");
    terminal.ended();
}
