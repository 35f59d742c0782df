//! The log file itself: bounded in size, with one predecessor, and shared by all processes of a store.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A log beyond this size is set aside as `.1`, in place of the one before.
pub const LONGEST: u64 = 16 << 20;

/// Where lines are written. A file that was renamed or removed under way, by another process of this program or by
/// logrotate, is followed by a new one at the same path: nobody has to be told.
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes beyond which the file is set aside.
    longest: u64,
}

impl LogFile {
    /// Opens or makes the file (mode 0600, its folder 0700).
    ///
    /// # Errors
    /// As the file system's.
    pub fn open(path: &Path, longest: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file: append(path)?,
            longest,
        })
    }

    /// Makes sure that the line goes to the file at the path, and that this stays within its bounds.
    fn follow(&mut self, more: u64) -> io::Result<()> {
        let own = self.file.metadata()?;
        if !self.is_at_path(&own) {
            self.file = append(&self.path)?;
        } else if own.len() > 0 && own.len() + more > self.longest {
            self.set_aside(&own)?;
        }
        Ok(())
    }

    /// Two processes may come to the end at the same time: the lock lets one rename the file, and the other see that
    /// this was done.
    fn set_aside(&mut self, own: &Metadata) -> io::Result<()> {
        match self.file.try_lock() {
            Ok(()) => {}
            // Somebody is at it; this line makes the file a little longer.
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if self.is_at_path(own) {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        // Closing the old file gives its lock up.
        self.file = append(&self.path)?;
        Ok(())
    }

    fn is_at_path(&self, own: &Metadata) -> bool {
        std::fs::metadata(&self.path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()))
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A log that cannot be set aside, for want of permissions, is still written to.
        let _ = self.follow(line.len() as u64);
        // In one call, so that lines of several processes do not mix.
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_full_log_is_set_aside_once_and_no_line_of_two_writers_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tramline.log");
        let mut writers = [(); 2].map(|()| LogFile::open(&path, 1_000).unwrap());
        // 30 lines of 50 bytes fill the first file and half of the second.
        for number in 0..30 {
            let line = format!("{number:049}\n");
            writers[number % 2].write_all(line.as_bytes()).unwrap();
        }
        let old = folder.path().join("tramline.log.1");
        let mut all = lines(&old);
        assert_eq!(all.len(), 20, "the first file holds what fits");
        all.extend(lines(&path));
        let expected: Vec<String> = (0..30).map(|number| format!("{number:049}")).collect();
        assert_eq!(all, expected);
        // The one before goes: there is one predecessor.
        for number in 30..60 {
            let line = format!("{number:049}\n");
            writers[number % 2].write_all(line.as_bytes()).unwrap();
        }
        assert!(lines(&path).len() + lines(&old).len() <= 40);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_that_was_taken_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tramline.log");
        let mut writer = LogFile::open(&path, 1_000).unwrap();
        writer.write_all(b"one\n").unwrap();
        std::fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        writer.write_all(b"two\n").unwrap();
        assert_eq!(lines(&path), ["two"]);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::fs::remove_file(&path).unwrap();
        writer.write_all(b"three\n").unwrap();
        assert_eq!(lines(&path), ["three"]);
    }
}
