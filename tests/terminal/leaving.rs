//! Whatever ends the control room, the terminal is as it was.

use super::pty::{Terminal, program, tramline};
use super::support::{House, eventually, finish};
use super::{open, room};
use tramline::sandbox::{Fault, Kind};

const SEARCH: &str = "POST /objects/custom_objects.pets/records/search";

/// A file that is being written is gone with the control room, however it is left.
#[test]
fn a_half_file_is_left_by_nobody() {
    for name in ["TERM", "HUP"] {
        let house = House::new(250);
        let mut terminal = open(&house);
        terminal.press("2", "of 250");
        let parts = || {
            let files = std::fs::read_dir(house.folder.path()).unwrap();
            let names = files.map(|file| file.unwrap().file_name());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .filter(|name| name.contains(".part") || name.ends_with(".csv"))
                .collect::<Vec<_>>()
        };
        // The total of the first screen and the page of the second; the file's second page never comes.
        eventually("the list", || house.requests(SEARCH).len() >= 2);
        house.control.fault(Fault {
            skip: 1,
            ..Fault::once(Kind::Stall, SEARCH)
        });
        terminal.press("x", "pets.csv");
        let path = house.path("pets.csv");
        // All records, into the folder of the house.
        terminal.keys("\x1b[C\t\t\x15");
        terminal.press(&path.to_string_lossy(), "pets.csv");
        terminal.press("\r", "writing 100 of 250 records");
        assert_eq!(parts().len(), 1);
        terminal.signal(name);
        terminal.ended();
        assert_eq!(parts(), Vec::<String>::new());
        let audit = house.expect(0, &["--json", "audit"]).stdout;
        assert!(audit.contains("stopped after 100 records"), "{audit}");
    }
}

#[test]
fn q_gives_the_terminal_back() {
    let house = House::new(30);
    let mut terminal = open(&house);
    assert!(terminal.on_alternate_screen());
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn signals_give_the_terminal_back_and_are_the_exit_code() {
    let house = House::new(30);
    for (name, code) in [("TERM", 143), ("HUP", 0), ("INT", 130)] {
        let mut terminal = open(&house);
        terminal.signal(name);
        assert_eq!(terminal.ended().exit_code(), code, "{name}");
        terminal.assert_restored();
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_what_happened() {
    let house = House::new(30);
    for (place, words) in [
        ("task", "a task that fails on request"),
        ("frame", "a frame that fails on request"),
    ] {
        let mut command = room(&house);
        command.env("TRAMLINE_PANIC", place);
        let mut terminal = Terminal::start(command, 120, 40);
        assert_eq!(terminal.ended().exit_code(), 1, "{place}");
        terminal.assert_restored();
        // Said on the screen that the person is back on, not on the one that is gone.
        eventually("the message", || {
            let text = terminal.text();
            text.contains(words) && text.contains("panicked at")
        });
        eventually("the log's path", || {
            let text = terminal.text();
            let (at, log) = (text.find(words), text.find("log: "));
            at.is_some() && log > at && text.contains("tramline.log")
        });
    }
}

#[test]
fn a_lost_connection_ends_the_program_and_loses_nothing() {
    let house = House::new(30);
    let mut terminal = open(&house);
    terminal.hang_up();
    terminal.ended();
    // The store was closed in order: the next start works on it at once.
    let mut again = open(&house);
    again.keys("q");
    assert_eq!(again.ended().exit_code(), 0);
}

#[test]
fn ctrl_z_lends_the_terminal_to_the_shell_and_fg_takes_it_back() {
    let house = House::new(30);
    let mut shell = program("bash", house.folder.path());
    shell.args(["--norc", "--noprofile", "-i"]);
    shell.env("PS1", "shell> ");
    let mut terminal = Terminal::start(shell, 120, 40);
    terminal.until("shell> ");
    let binary = env!("CARGO_BIN_EXE_tramline");
    let config = house.path("config.toml");
    terminal.press(
        &format!("{binary} --config {} tui\r", config.display()),
        "custom_objects.pets",
    );
    terminal.keys("\x1a");
    terminal.until("Stopped");
    assert!(!terminal.on_alternate_screen());
    // bash itself edits lines in raw mode: what the terminal was left in is what stty sees.
    let modes = terminal.press("clear; stty -a; echo said\r", "\nsaid");
    assert!(
        modes.contains(" icanon") && modes.contains(" echo "),
        "{modes}"
    );
    terminal.press("fg\r", "custom_objects.pets");
    terminal.press("?", "Everywhere");
    terminal.escape("Everywhere");
    terminal.keys("q");
    terminal.until_that("the shell's prompt", |text| {
        text.trim_end().ends_with("shell>")
    });
    terminal.keys("exit\r");
    terminal.ended();
    assert!(!terminal.on_alternate_screen());
}

#[test]
fn without_a_terminal_it_says_so() {
    let house = House::new(10);
    let ran = house.expect(2, &["tui"]);
    assert!(ran.stderr.contains("needs a terminal"), "{ran:#?}");
    let mut dumb = room(&house);
    dumb.env("TERM", "dumb");
    let mut terminal = Terminal::start(dumb, 80, 24);
    assert_eq!(terminal.ended().exit_code(), 2);
    eventually("the message", || terminal.text().contains("TERM is dumb"));
    assert!(!terminal.bytes().contains(&0x1b), "{:?}", terminal.text());
}

#[test]
fn the_demo_opens_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = tramline(folder.path());
    demo.args(["demo", "--records", "300"]);
    let mut terminal = Terminal::start(demo, 120, 40);
    terminal.until("custom_objects.pets");
    terminal.press("2", "of 300");
    terminal.signal("TERM");
    assert_eq!(terminal.ended().exit_code(), 143);
    terminal.assert_restored();
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_broken_configuration_leaves_the_terminal_alone() {
    let house = House::new(10);
    house.write("config.toml", "nonsense = [\n");
    let mut terminal = Terminal::start(room(&house), 80, 24);
    assert_eq!(terminal.ended().exit_code(), 2);
    eventually("the message", || terminal.text().contains("config.toml"));
    terminal.assert_restored();
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("?1049h"));
}

#[test]
fn another_process_changes_the_queue_and_the_screen_follows() {
    let house = House::new(60);
    let mut room = room(&house);
    room.arg("--no-worker");
    let mut terminal = Terminal::start(room, 120, 40);
    terminal.until("custom_objects.pets");
    terminal.press("5", "no export yet");
    let ran = finish(house.command(&["--json", "export", "pets"]), None);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    terminal.until("completed");
    terminal.press("4", "failed");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
}
