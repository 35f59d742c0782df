//! A disk that takes no more: commands end with a reason, and the work goes on once there is room.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::process::Command;
use support::{House, finish};

/// The command in a shell that lets no file grow beyond `blocks` of 512 bytes (some shells count in 1,024).
fn cramped(house: &House, blocks: u32, arguments: &[&str]) -> Command {
    let inner = house.command(arguments);
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        // Ignored, the signal becomes an error of the write.
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks} || exit 77; exec \"$0\" \"$@\""
        ))
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .current_dir(house.folder.path());
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
}

#[test]
fn an_export_on_a_disk_that_takes_no_more_ends_and_says_why() {
    let house = House::new(1_000);
    // The store is there, and small enough to be opened under the limit.
    house.expect(0, &["queue", "list"]);
    let ran = finish(cramped(&house, 500, &["export", "pets", "--json"]), None);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("disk"), "{ran:#?}");
    assert!(
        ran.stderr.contains("\"remedy\":\"look at the disk"),
        "{ran:#?}"
    );
    // With room again the same command does all of it.
    let (summary, _) = house.export(&[]);
    assert_eq!(summary["state"], "completed", "{summary}");
}
