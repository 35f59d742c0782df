//! How a file looked, so that a change of it is noticed by a mere stat.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Differs when a file was written or replaced. Of a file that is not there, it is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    inode: u64,
    length: u64,
    /// Nanoseconds since 1970.
    modified: i128,
}

impl Stamp {
    /// A look at a file.
    pub fn of(path: &Path) -> Self {
        // What cannot be looked at cannot be read either, and reading says why.
        let Ok(meta) = std::fs::metadata(path) else {
            return Self::default();
        };
        Self {
            inode: meta.ino(),
            length: meta.len(),
            modified: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_replacing_and_removing_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let none = Stamp::of(&path);
        std::fs::write(&path, "one").unwrap();
        let one = Stamp::of(&path);
        assert_eq!(one, Stamp::of(&path));
        std::fs::write(&path, "three").unwrap();
        let three = Stamp::of(&path);
        std::fs::write(folder.path().join("new"), "three").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        let replaced = Stamp::of(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Stamp::of(&path), none);
        assert!(none != one && one != three && three != replaced);
    }
}
