//! Tells when another process wrote. The folder of the write-ahead log is watched: nothing wakes while nobody writes, and who
//! waits is told soon.

use super::sqlite::wal_path;
use super::{Inner, Store, StoreError};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sqlx::Row;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// Of writes that follow each other it is told this often. Milliseconds.
const PACE: u16 = 200;
/// How often the log is looked at where nothing tells of its changes. Milliseconds.
const OFTEN: u16 = 250;
/// How often the store is looked into whatever is told of the log. Milliseconds.
const SELDOM: u16 = 5_000;

/// The watch of a store. The first who wants to know begins it.
pub(super) struct Watch {
    told: watch::Sender<u64>,
    /// Its end ends the thread that watches. Without that thread the store is looked into once a second.
    _stop: Option<UnixStream>,
}

impl Store {
    /// A number that grows soon after another process wrote what it tells of, five times a second at most. For the writes of
    /// this process see [`Store::changes`].
    pub fn changes_elsewhere(&self) -> watch::Receiver<u64> {
        let watch = self.inner.watch.get_or_init(|| begin(&self.inner));
        watch.told.subscribe()
    }

    /// How often other processes told of what they wrote, counted from somewhere, and how many workers are alive: one that is
    /// killed tells nothing.
    async fn told_elsewhere(&self) -> Result<(i64, i64), StoreError> {
        let here = *self.inner.changes.borrow();
        let sql =
            "SELECT number, (SELECT count(*) FROM workers WHERE alive_until > $1) FROM changes";
        let row = sqlx::query(sql).bind(self.now_micros());
        let row = row.fetch_one(self.readers()).await?;
        // One that is committed here and not counted yet is told of twice, which costs a look.
        let number = row.try_get::<i64, _>(0)?.wrapping_sub_unsigned(here);
        Ok((number, row.try_get(1)?))
    }
}

fn begin(store: &Arc<Inner>) -> Watch {
    let told = watch::Sender::new(0);
    let (touched, touches) = watch::channel(());
    let stop = UnixStream::pair().and_then(|(stop, stopped)| {
        let log = wal_path(&store.path);
        std::thread::Builder::new()
            .name("store-watch".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || look_after(&log, &stopped, &touched))?;
        Ok(stop)
    });
    if let Err(error) = &stop {
        tracing::error!(%error, "the store cannot be watched");
    }
    tokio::spawn(tell(Arc::downgrade(store), touches, told.clone()));
    Watch {
        told,
        _stop: stop.ok(),
    }
}

/// Not every write is one to tell of: rate limits and signs of life change all the time, and what this process wrote is known.
async fn tell(store: Weak<Inner>, mut touches: watch::Receiver<()>, told: watch::Sender<u64>) {
    let mut known = None;
    loop {
        if touches.changed().await.is_err() {
            // There is no watch, or none any more.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let Some(inner) = store.upgrade() else {
            return;
        };
        match (Store { inner }).told_elsewhere().await {
            Ok(now) if known == Some(now) => continue,
            Ok(now) => known = Some(now),
            Err(StoreError::Closed) => return,
            // Who looks meets it, and says so.
            Err(_) => {}
        }
        told.send_modify(|number| *number += 1);
    }
}

/// Looks after the log until the other end of `stopped` is gone.
fn look_after(log: &Path, stopped: &UnixStream, touched: &watch::Sender<()>) {
    let notices = Notices::of(log);
    // What was written until here nobody noticed.
    touched.send_replace(());
    let mut seen = (stamp(log), Instant::now());
    loop {
        let most = if notices.is_some() { SELDOM } else { OFTEN };
        if ends_within(most, stopped, notices.as_ref()) {
            return;
        }
        let noticed = notices.as_ref().is_some_and(Notices::any);
        let now = stamp(log);
        if noticed || now != seen.0 {
            touched.send_replace(());
            // A commit is seen once it is on disk, which is after the log was written.
            if ends_within(PACE, stopped, None) {
                return;
            }
        } else if seen.1.elapsed() < Duration::from_millis(SELDOM.into()) {
            continue;
        }
        touched.send_replace(());
        seen = (now, Instant::now());
    }
}

/// Waits until something is noticed, for so many milliseconds at most; true if the watch is to end.
fn ends_within(most: u16, stopped: &UnixStream, notices: Option<&Notices>) -> bool {
    let mut fds = vec![PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
    fds.extend(notices.map(|notices| PollFd::new(notices.as_fd(), PollFlags::POLLIN)));
    // Interrupted, it is looked at a little early.
    let _ = poll(&mut fds, PollTimeout::from(most));
    fds[0].any() == Some(true)
}

/// Size and time of the log.
fn stamp(log: &Path) -> Option<(u64, SystemTime)> {
    let log = fs::metadata(log).ok()?;
    Some((log.len(), log.modified().ok()?))
}

#[cfg(target_os = "linux")]
use linux::Notices;

#[cfg(target_os = "linux")]
mod linux {
    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use std::ffi::OsString;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::Path;

    /// What the kernel tells of a file, whether or not it is there by now.
    pub struct Notices {
        inotify: Inotify,
        name: OsString,
    }

    impl Notices {
        /// `None` if the user has as many as the kernel allows.
        pub fn of(file: &Path) -> Option<Self> {
            let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
            let what =
                AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
            inotify.add_watch(file.parent()?, what).ok()?;
            let name = file.file_name()?.to_owned();
            Some(Self { inotify, name })
        }

        /// True if there were any since the last time. Takes them.
        pub fn any(&self) -> bool {
            let mut any = false;
            loop {
                match self.inotify.read_events() {
                    // One without a name says that some were lost.
                    Ok(events) => {
                        any |= events
                            .iter()
                            .any(|event| event.name.as_ref().is_none_or(|name| *name == self.name));
                    }
                    Err(Errno::EINTR) => {}
                    Err(_) => return any,
                }
            }
        }
    }

    impl AsFd for Notices {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.inotify.as_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
use none::Notices;

#[cfg(not(target_os = "linux"))]
mod none {
    use std::convert::Infallible;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::Path;

    /// There are none.
    pub struct Notices(Infallible);

    impl Notices {
        pub fn of(_: &Path) -> Option<Self> {
            None
        }

        pub fn any(&self) -> bool {
            match self.0 {}
        }
    }

    impl AsFd for Notices {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match self.0 {}
        }
    }
}
