//! When to draw: a key at once, data at most `fps` times a second, what streams four times a second.

use std::time::{Duration, Instant};

/// How urgently a frame is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dirty {
    #[default]
    Clean,
    /// Something that changes all the time.
    Stream,
    /// Data came.
    Data,
    /// A person did something.
    Now,
}

/// The time between two frames.
#[derive(Clone, Debug)]
pub struct Pacer {
    data: Duration,
    stream: Duration,
    last: Option<Instant>,
}

impl Pacer {
    /// At most `fps` frames a second for data; `low_bandwidth` streams once a second.
    pub fn new(fps: u16, low_bandwidth: bool) -> Self {
        Self {
            data: Duration::from_secs(1) / u32::from(fps.clamp(1, 120)),
            stream: Duration::from_millis(if low_bandwidth { 1000 } else { 250 }),
            last: None,
        }
    }

    /// When to draw; `None` while nothing changed.
    pub fn due(&self, dirty: Dirty, now: Instant) -> Option<Instant> {
        let wait = match dirty {
            Dirty::Clean => return None,
            Dirty::Stream => self.stream,
            Dirty::Data => self.data,
            Dirty::Now => return Some(now),
        };
        Some(self.last.map_or(now, |last| last + wait))
    }

    /// A frame was drawn.
    pub fn drawn(&mut self, now: Instant) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_draws_at_once_and_data_waits_its_turn() {
        let start = Instant::now();
        let mut pacer = Pacer::new(30, false);
        assert_eq!(pacer.due(Dirty::Clean, start), None);
        assert_eq!(pacer.due(Dirty::Data, start), Some(start));
        pacer.drawn(start);
        assert_eq!(pacer.due(Dirty::Now, start), Some(start));
        let data = pacer.due(Dirty::Data, start).unwrap() - start;
        assert!((33..34).contains(&data.as_millis()));
        let stream = pacer.due(Dirty::Stream, start).unwrap() - start;
        assert_eq!(stream.as_millis(), 250);
    }
}
