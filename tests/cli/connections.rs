//! `--connection`: lists of what is in the store or in the log, narrowed to one connection's accounts.

use super::support::{House, PETS};

#[test]
fn what_is_of_another_connection_is_left_out() {
    let house = House::with_two_connections(12);
    let record = house.control.records(PETS)[0].id.clone();
    house.run(&["sync", "pets", &record]);
    house.run(&["sync", "others", &record]);
    house.run(&["export", "pets", "--dry-run"]);
    house.run(&["export", "others", "--dry-run"]);
    house.expect(
        0,
        &[
            "queue",
            "pause",
            "--connection",
            "second",
            "--reason",
            "night",
        ],
    );
    house.expect(
        0,
        &["queue", "pause", "--mapping", "pets", "--reason", "renamed"],
    );

    // Field of a line that tells of its connection, by command.
    for (command, field) in [
        (&["mappings", "list"][..], "connection"),
        (&["exports", "list"], "mapping"),
        (&["audit"], "connection"),
        (&["activity", "--limit", "1000"], "connection"),
    ] {
        let told = |more: &[&str]| {
            let mut all = vec!["--json"];
            all.extend(command);
            all.extend(more);
            let lines = house.expect(0, &all).lines();
            let mut told: Vec<String> = lines
                .iter()
                .filter_map(|line| Some(line[field].as_str()?.to_owned()))
                .collect();
            told.sort();
            told.dedup();
            told
        };
        let name = |connection: &str| match (field, connection) {
            ("mapping", "default") => "pets".to_owned(),
            ("mapping", _) => "others".to_owned(),
            _ => connection.to_owned(),
        };
        let all = told(&[]);
        for connection in ["default", "second"] {
            assert!(all.contains(&name(connection)), "{command:?}: {all:?}");
            let only = told(&["--connection", connection]);
            assert_eq!(only, [name(connection)], "{command:?}");
        }
    }
    // What people did to the queue as a whole, and what the log says of no connection, is of both.
    house.expect(0, &["queue", "pause", "--reason", "everything"]);
    let audit = house.expect(0, &["audit", "--connection", "default"]);
    assert!(audit.stdout.contains("everything"), "{audit:#?}");

    for command in [
        &["mappings", "list"][..],
        &["exports", "list"],
        &["queue", "groups"],
        &["alerts", "list"],
        &["activity"],
        &["audit"],
    ] {
        let mut all = command.to_vec();
        all.extend(["--connection", "third"]);
        let ran = house.expect(2, &all);
        assert!(ran.stderr.contains("known: default, second"), "{ran:#?}");
    }
}
