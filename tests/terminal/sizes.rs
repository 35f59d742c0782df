//! Any size, and sizes that change all the time.

use super::pty::Terminal;
use super::support::House;
use super::{open, room};

#[test]
fn a_small_terminal_gets_a_plain_notice_and_a_larger_one_the_whole() {
    let house = House::new(30);
    let mut terminal = Terminal::start(room(&house), 20, 5);
    terminal.until("too small");
    terminal.until("q quits");
    terminal.resize(80, 24);
    terminal.until("Objects");
    terminal.until("GHL ");
    terminal.resize(20, 5);
    terminal.until("too small");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn a_storm_of_sizes_breaks_nothing() {
    let house = House::new(120);
    let mut terminal = open(&house);
    for (key, part) in [
        ("1", "Objects"),
        ("2", "of 120"),
        ("3", "contacts"),
        ("4", "all "),
        ("5", "Exports"),
        ("6", "actions"),
    ] {
        for step in 0..30_u16 {
            let (columns, rows) = match step % 6 {
                0 => (1, 1),
                1 => (300, 100),
                2 => (2, 90),
                3 => (290, 3),
                4 => (60, 16),
                _ => (60 + step * 7, 16 + step),
            };
            terminal.resize(columns, rows);
            if step % 5 == 0 {
                // Overlays meet every size too.
                terminal.keys("?j");
            }
            if step % 5 == 2 {
                terminal.keys("\x1b");
            }
            if step == 14 {
                terminal.keys(key);
            }
        }
        terminal.resize(120, 40);
        // Esc and a key right behind it would be alt and that key.
        terminal.keys("\x1b");
        terminal.rest();
        terminal.press(key, part);
        terminal.until("Tramline");
    }
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
    terminal.assert_restored();
}
