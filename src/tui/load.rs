//! What is known of something that is read from elsewhere: one type for every place on the screen.

use crate::model::Problem;
use jiff::Timestamp;

/// Not yet asked for, on its way, there, or failed. While a newer state is on its way, and after it
/// failed, the last one stays at hand with the time it was read.
#[derive(Clone, Debug, Default)]
pub enum Load<T> {
    #[default]
    Idle,
    Loading {
        last: Option<(T, Timestamp)>,
    },
    Ready {
        value: T,
        at: Timestamp,
    },
    Failed {
        problem: Problem,
        last: Option<(T, Timestamp)>,
    },
}

impl<T> Load<T> {
    fn take_last(&mut self) -> Option<(T, Timestamp)> {
        match std::mem::take(self) {
            Self::Idle => None,
            Self::Loading { last } | Self::Failed { last, .. } => last,
            Self::Ready { value, at } => Some((value, at)),
        }
    }

    /// A newer state was asked for.
    pub fn start(&mut self) {
        let last = self.take_last();
        *self = Self::Loading { last };
    }

    /// The answer came.
    pub fn finish(&mut self, answer: Result<T, Problem>, now: Timestamp) {
        *self = match answer {
            Ok(value) => Self::Ready { value, at: now },
            Err(problem) => Self::Failed {
                problem,
                last: self.take_last(),
            },
        };
    }

    /// Nobody waits for the answer any more.
    pub fn cancel(&mut self) {
        if self.is_loading() {
            *self = match self.take_last() {
                Some((value, at)) => Self::Ready { value, at },
                None => Self::Idle,
            };
        }
    }

    /// The newest state that is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Ready { value, .. } => Some(value),
            Self::Loading { last } | Self::Failed { last, .. } => last.as_ref().map(|(v, _)| v),
            Self::Idle => None,
        }
    }

    /// As [`Load::value`], for what is known of a part of it before it is read again.
    pub fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Ready { value, .. } => Some(value),
            Self::Loading { last } | Self::Failed { last, .. } => last.as_mut().map(|(v, _)| v),
            Self::Idle => None,
        }
    }

    /// When [`Load::value`] was read.
    pub fn read_at(&self) -> Option<Timestamp> {
        match self {
            Self::Ready { at, .. } => Some(*at),
            Self::Loading { last } | Self::Failed { last, .. } => last.as_ref().map(|(_, at)| *at),
            Self::Idle => None,
        }
    }

    /// Why the last attempt failed.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Failed { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// True while an answer is awaited.
    pub fn is_loading(&self) -> bool {
        matches!(self, Self::Loading { .. })
    }

    /// True if it was never asked for, or the asking was given up.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorClass;

    #[test]
    fn the_last_state_survives_a_failure_with_its_time() {
        let mut load = Load::Idle;
        load.start();
        assert!(load.is_loading() && load.value().is_none());
        load.finish(Ok(7), Timestamp::UNIX_EPOCH);
        load.start();
        assert_eq!(load.value(), Some(&7));
        load.finish(
            Err(Problem::new(ErrorClass::Transient, "down")),
            Timestamp::MAX,
        );
        assert_eq!(load.value(), Some(&7));
        assert_eq!(load.read_at(), Some(Timestamp::UNIX_EPOCH));
        assert!(load.problem().is_some());
    }

    #[test]
    fn giving_up_goes_back() {
        let mut load = Load::Idle;
        load.finish(Ok(1), Timestamp::UNIX_EPOCH);
        load.start();
        load.cancel();
        assert!(matches!(load, Load::Ready { value: 1, .. }));
        let mut fresh: Load<u8> = Load::Idle;
        fresh.start();
        fresh.cancel();
        assert!(fresh.is_idle());
    }
}
