//! What `C` copies does the same thing when it is pasted into another shell.

use super::pty::{Terminal, tramline};
use super::support::House;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use portable_pty::CommandBuilder;
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

/// The command of a look at a record, as it is copied by a control room that was started so.
fn twin(command: CommandBuilder) -> String {
    let mut terminal = Terminal::start(command, 120, 40);
    // Which screen comes first is what was in view last.
    terminal.until("GHL ");
    terminal.press("2", "of 20");
    terminal.press("d", "will send");
    terminal.press("C", "by OSC 52");
    let copied = copied(&terminal);
    terminal.keys("q");
    terminal.ended();
    copied
}

#[test]
fn a_configuration_is_named_unless_every_shell_finds_it() {
    let house = House::new(20);
    let home = house.folder.path();
    let own = home.join(".config/tramline");
    std::fs::create_dir_all(&own).unwrap();
    for name in ["config.toml", "highlevel.token", "activecampaign.token"] {
        std::fs::copy(house.path(name), own.join(name)).unwrap();
    }
    let plain = twin(tramline(home));
    assert!(
        plain.starts_with("tramline mappings preview pets "),
        "{plain}"
    );
    // Another shell may have no such variable.
    let elsewhere = house.path("config.toml");
    let named = format!(
        "tramline --config {} mappings preview pets ",
        elsewhere.display()
    );
    let mut command = tramline(home);
    command.env("TRAMLINE_CONFIG", &elsewhere);
    let copied = twin(command);
    assert!(copied.starts_with(&named), "{copied}");
    // A path that was given from here is of no use there.
    let mut command = tramline(home);
    command.args(["--config", "config.toml"]);
    let copied = twin(command);
    assert!(copied.starts_with(&named), "{copied}");
}
