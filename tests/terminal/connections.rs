//! Several connections in one config.toml: which one is in view, and what comes back at the next start.

use super::pty::Terminal;
use super::room;
use super::support::House;

fn start(house: &House, arguments: &[&str]) -> Terminal {
    let mut command = room(house);
    command.args(arguments);
    let mut terminal = Terminal::start(command, 120, 40);
    terminal.until("GHL ");
    terminal
}

fn quit(mut terminal: Terminal) {
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn the_connection_of_the_command_line_wins_and_the_last_one_comes_back() {
    let house = House::with_two_connections(30);
    let mut terminal = start(&house, &[]);
    terminal.until("Tramline  default · sandbox");
    terminal.press("3", "pets");
    terminal.press("@", "● default  alive");
    terminal.press("second\r", "Tramline  second · sandbox");
    terminal.until("▶ others");
    terminal.press("4", "the queue is empty");
    terminal.press("/mapping:others\r", "/mapping:others");
    terminal.press("F", "save the filter in force: mapping:others");
    terminal.press("save\r", "Save mapping:others");
    terminal.press("of the second\r", "saved as of the second");
    quit(terminal);

    let mut terminal = start(&house, &[]);
    terminal.until("Tramline  second · sandbox");
    terminal.until("/mapping:others");
    terminal.press("F", "of the second  mapping:others");
    terminal.escape("of the second  mapping:others");
    quit(terminal);

    let mut terminal = start(&house, &["--connection", "default"]);
    terminal.until("Tramline  default · sandbox");
    quit(terminal);

    let mut command = room(&house);
    command.args(["--connection", "third"]);
    let mut terminal = Terminal::start(command, 120, 40);
    terminal.until("there is no connection `third`");
    assert_eq!(terminal.ended().exit_code(), 2);
}

#[test]
fn the_view_comes_back_after_the_connection_to_the_terminal_was_lost() {
    let house = House::with_two_connections(30);
    let mut terminal = start(&house, &["--connection", "second"]);
    terminal.press("6", "all ");
    terminal.press("/level:warn\r", "/level:warn");
    terminal.rest();
    terminal.hang_up();
    terminal.ended();
    let mut terminal = start(&house, &[]);
    terminal.until("Tramline  second · sandbox");
    terminal.until("/level:warn");
    quit(terminal);
}
