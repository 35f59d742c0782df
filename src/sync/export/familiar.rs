//! What a run has met before, in 8 bytes each: most records are new, and then the store need not be asked.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Texts that were met, by hash. It may take a new one for an old one, never the other way round.
pub struct Familiar {
    hasher: RandomState,
    met: HashSet<u64>,
    /// False where the run began in another process: then anything may have been met.
    whole: bool,
}

impl Familiar {
    /// Nothing was met yet; `whole` says that nothing was met elsewhere either.
    pub fn new(whole: bool) -> Self {
        Self {
            hasher: RandomState::new(),
            met: HashSet::new(),
            whole,
        }
    }

    /// Notes a text.
    pub fn note(&mut self, text: &str) {
        if self.whole {
            self.met.insert(self.hasher.hash_one(text));
        }
    }

    /// False if the text surely was not met.
    pub fn may_know(&self, text: &str) -> bool {
        !self.whole || self.met.contains(&self.hasher.hash_one(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_is_known_and_the_rest_is_asked_for_only_after_a_restart() {
        let mut fresh = Familiar::new(true);
        assert!(!fresh.may_know("a"));
        fresh.note("a");
        assert!(fresh.may_know("a"));
        assert!(!fresh.may_know("b"));
        assert!(Familiar::new(false).may_know("b"));
    }
}
