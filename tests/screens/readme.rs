//! The pictures of README.md are frames of the program: one that has become another is found here.
//! `UPDATE_README=1 cargo test --test screens readme` puts the present ones in.

use crate::view;
use crate::world::Mood;
use std::path::Path;

/// Views by the name in `<!-- screen NAME -->`, with the keys that lead there and their height; all are as wide as a page.
const PICTURES: [(&str, &str, u16); 3] = [
    ("sync", "2d", 19),
    ("mappings", "3", 16),
    ("queue", "4", 19),
];
const WIDTH: u16 = 112;

#[test]
fn the_readmes_pictures_are_frames_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let mut wanted = readme.clone();
    for (name, keys, height) in PICTURES {
        let frame = view(Mood::Normal, keys).text(WIDTH, height);
        let lines: Vec<&str> = frame.lines().map(str::trim_end).collect();
        let mark = format!("<!-- screen {name} -->\n```\n");
        let from = wanted.find(&mark).map(|at| at + mark.len());
        let from = from.unwrap_or_else(|| panic!("README.md has no picture of {name}"));
        let to = from + wanted[from..].find("\n```").unwrap();
        wanted.replace_range(from..to, lines.join("\n").trim_end());
    }
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(
            readme == wanted,
            "README.md shows screens as they were; UPDATE_README=1 cargo test --test screens readme puts the present ones in"
        );
    }
}
