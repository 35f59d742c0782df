//! What hands do beside single keys: an editor, a paste; and a line that is cut while much is being done.

use super::pty::Terminal;
use super::support::{House, PETS, eventually, expectation, options};
use super::{open, room};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tramline::sandbox::Options;

/// An editor that spoils the text at its first start and mends it at the second; what it was given each time is kept.
const EDITOR: &str = r#"#!/bin/sh
stat -c %a "$1" >> modes
if [ -e first ]; then
  cp "$1" second
  sed 's/"name": "[^"]*"/"name": "Mended by hand"/' first > "$1"
else
  cp "$1" first
  printf '{ "name": "Typed for an hour", oops' > "$1"
  echo "in the editor"
  read -r answer
fi
"#;

#[test]
fn a_text_that_is_no_json_goes_back_to_the_editor_as_it_was_typed() {
    let house = House::new(30);
    let editor = house.write("editor", EDITOR);
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = room(&house);
    command.env("VISUAL", &editor);
    command.env("EDITOR", "false");
    let mut terminal = Terminal::start(command, 120, 40);
    terminal.until("GHL ");
    terminal.press("2", "1 of 30");
    terminal.press("E", "in the editor");
    assert!(
        !terminal.on_alternate_screen(),
        "the terminal is the editor's"
    );
    // Keys are the editor's as well: q would quit.
    terminal.press("q\r", "This is no JSON. Edit it again?");
    assert!(terminal.on_alternate_screen());
    assert_eq!(house.requests("PUT /objects").len(), 0);
    terminal.press("y", "saved Mended by hand");
    assert_eq!(
        house.read("second"),
        "{ \"name\": \"Typed for an hour\", oops",
        "what was typed is not lost"
    );
    assert_eq!(house.read("modes"), "600\n600\n");
    let records = house.control.records(PETS);
    let mended = |name: &serde_json::Value| name == "Mended by hand";
    let count = records.iter().filter(|r| mended(&r.properties["name"]));
    assert_eq!(count.count(), 1);
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    // No text of a record stays behind in a temporary file.
    let left = std::fs::read_dir(house.folder.path()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = left.filter(|name| name.starts_with("tramline-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_paste_is_text_in_a_field_and_nothing_elsewhere() {
    let house = House::new(30);
    let mut terminal = open(&house);
    terminal.press("2", "1 of 30");
    // Keys that would quit, delete and say yes.
    terminal.keys("\x1b[200~Dy\rqy\x1b[201~");
    terminal.press("/", "enter apply");
    terminal.press("\x1b[200~qDy\r6\x1b[201~", "qDy 6");
    terminal.press("\r", "search qDy 6");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
    assert_eq!(house.control.records(PETS).len(), 30);
    assert_eq!(house.requests("DELETE ").len(), 0);
}

#[test]
fn a_terminal_is_asked_nothing() {
    let house = House::new(10);
    let mut terminal = open(&house);
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    let bytes = String::from_utf8(terminal.bytes()).unwrap();
    // Device attributes, cursor position, modes, colours, keyboard protocol: a slow line would have to answer first.
    let sequences = bytes.split('\x1b').skip(1);
    let asks = sequences.filter(|sequence| {
        let end = sequence.find(|c: char| c.is_ascii_alphabetic());
        let csi = sequence.starts_with('[')
            && end.is_some_and(|end| {
                matches!(sequence.as_bytes()[end], b'c' | b'n' | b'p' | b'u' | b't')
            });
        csi || sequence.starts_with(']') || sequence.starts_with('P')
    });
    assert_eq!(asks.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn an_export_goes_on_after_the_line_was_cut() {
    let house = House::with(Options {
        import_delay: Duration::from_millis(1_500),
        ..options(600)
    });
    let before = expectation::contacts(&house.control);
    let expected = expectation::pets(&house.control, &before);
    let mut terminal = open(&house);
    terminal.press("5", "no export yet");
    terminal.press("a", "Dry run: write nothing");
    terminal.keys("\t\x1b[D");
    terminal.until("● no  ○ yes");
    terminal.keys("\r");
    terminal.until("running");
    // Contacts are on their way, and nobody knows yet what became of them.
    eventually("an import", || {
        !house.requests("import/bulk_import").is_empty()
    });
    terminal.hang_up();
    terminal.ended();
    let run = house.expect(0, &["--json", "exports", "list"]).summary();
    assert_ne!(run["state"], "completed", "{run}");

    // The view that was lost with the line comes back.
    let mut again = Terminal::start(room(&house), 120, 40);
    again.until("completed");
    again.keys("q");
    assert_eq!(again.ended().exit_code(), 0);
    let after = house.expect(0, &["--json", "exports", "list"]).summary();
    assert_eq!(after["id"], run["id"], "the same run goes on");
    let found = expectation::contacts(&house.control);
    for (email, person) in &expected.contacts {
        assert_eq!(found.get(email), Some(person), "contact {email}");
    }
    assert_eq!(found.len(), expected.contacts.len());
    house.assert_no_violation();
}

#[test]
fn what_the_command_line_says_goes_before_the_file() {
    let house = House::new(10);
    let mut command = room(&house);
    command.args([
        "--ascii",
        "--theme",
        "mono",
        "--low-bandwidth",
        "--fps",
        "5",
    ]);
    let mut terminal = Terminal::start(command, 120, 40);
    terminal.until("GHL ");
    // Also after the file was read again.
    house.edit_config("environment = \"sandbox\"", "environment = \"rehearsal\"");
    terminal.until("environment changed");
    terminal.rest();
    let text = terminal.text();
    assert!(text.is_ascii(), "{text}");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    let bytes = String::from_utf8(terminal.bytes()).unwrap();
    for colour in ["\x1b[38;5;", "\x1b[48;5;"] {
        assert!(!bytes.contains(colour), "no colour was asked for");
    }
    let ran = house.expect(2, &["tui", "--fps", "0"]);
    assert!(ran.stderr.contains("--fps"), "{ran:#?}");
}

#[test]
fn the_next_start_shows_what_the_last_one_showed() {
    let house = House::new(60);
    house.expect(3, &["export", "pets", "--json"]);
    let mut terminal = open(&house);
    terminal.press("4", "failed");
    terminal.press("/", "enter apply");
    terminal.press("state:failed attempts>=1\r", "attempts>=1");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    let mut again = Terminal::start(room(&house), 120, 40);
    again.until("/state:failed attempts>=1  1 of 4");
    again.keys("q");
    assert_eq!(again.ended().exit_code(), 0);
}

#[test]
fn without_a_network_what_was_read_stays_with_its_age() {
    let mut house = House::new(30);
    let mut terminal = open(&house);
    let total = " 30  custom_objects.pe";
    terminal.until(total);
    house.close_sandbox();
    let text = terminal.press("\x12", "as of ");
    assert!(text.contains("cannot connect"), "{text}");
    assert!(text.contains(total), "{text}");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
}
