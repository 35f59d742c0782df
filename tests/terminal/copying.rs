//! What `C` copies does the same thing when it is pasted into another shell.

use super::pty::{Terminal, tramline};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::path::Path;
use std::process::Command;

/// The text that was sent to the clipboard last.
fn copied(terminal: &Terminal) -> String {
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    let (_, last) = bytes.rsplit_once("\x1b]52;c;").unwrap();
    let (text, _) = last.split_once('\x07').unwrap();
    String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap()
}

#[test]
fn a_command_that_the_demo_copies_works_in_another_shell_while_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = tramline(folder.path());
    demo.args(["demo", "--records", "20"]);
    let mut terminal = Terminal::start(demo, 120, 40);
    terminal.until("custom_objects.pets");
    terminal.press("2", "of 20");
    terminal.press("d", "will send");
    terminal.press("C", "as long as this demo is open");
    terminal.until("by OSC 52");
    let command = copied(&terminal);
    assert!(command.contains("mappings preview pets"), "{command}");
    let binary = Path::new(env!("CARGO_BIN_EXE_tramline"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let ran = Command::new("sh")
        .args(["-c", &command])
        .env("PATH", path)
        .env("HOME", folder.path())
        .env_remove("TRAMLINE_CONFIG")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(out.contains("PET_NAME"), "{command}: {ran:?}");
    terminal.keys("q");
    terminal.ended();
}
