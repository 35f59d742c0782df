//! A change of config.toml is on the screen without a restart.

use super::open;
use super::support::House;

#[test]
fn an_edited_file_is_in_force_and_a_broken_one_is_named() {
    let house = House::new(30);
    let mut terminal = open(&house);
    let good = house.read("config.toml");
    house.write("config.toml", "nonsense = [\n");
    terminal.until("stays as it was");
    house.write(
        "config.toml",
        &good.replace("environment = \"sandbox\"", "environment = \"rehearsal\""),
    );
    terminal.until("environment changed");
    terminal.until("127.0.0.1 · rehearsal");
    terminal.keys("q");
    assert_eq!(terminal.ended().exit_code(), 0);
}
