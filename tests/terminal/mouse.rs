//! The mouse in a real terminal, which tells of clicks in bytes.

use super::open;
use super::pty::Terminal;
use super::support::House;

/// Presses and releases the left button on the first place where the screen shows a text.
fn click(terminal: &mut Terminal, text: &str) {
    terminal.rest();
    let screen = terminal.text();
    let mut lines = screen.lines().enumerate();
    let found = lines.find_map(|(row, line)| {
        let at = line.find(text)?;
        Some((line[..at].chars().count() + 1, row + 1))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("no {text}: {screen}"));
    terminal.keys(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
}

#[test]
fn clicks_are_taken_where_the_configuration_says_so() {
    let house = House::new(30);
    house.edit_config("[store]", "[tui]\nmouse = true\n[store]");
    let mut terminal = open(&house);
    click(&mut terminal, " 4 Queue");
    terminal.until("the queue is empty");
    click(&mut terminal, " 2 Records");
    terminal.until("1 of 30");
    click(&mut terminal, " 1 Schemas");
    terminal.until("custom_objects.pets");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn the_mouse_is_left_to_the_terminal_otherwise() {
    let house = House::new(10);
    let mut terminal = open(&house);
    terminal.rest();
    let bytes = String::from_utf8(terminal.bytes()).unwrap();
    assert!(!bytes.contains("\x1b[?1000h"), "the mouse was taken");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
}
