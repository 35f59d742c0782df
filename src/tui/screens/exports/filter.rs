//! The filter of the runs: a text that is just looked for, and the two keys of the queue's language that runs have.

use crate::model::export::Run;
use crate::model::filter::FilterError;

/// What is to be in view.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wanted<'t> {
    states: Vec<&'t str>,
    mappings: Vec<&'t str>,
    /// The other words.
    pub(super) text: String,
}

/// The values of a word that has this key: `state:failed,paused`.
fn values<'t>(word: &'t str, key: &str) -> Option<impl Iterator<Item = &'t str>> {
    let values = word.strip_prefix(key)?.strip_prefix(':')?.split(',');
    Some(values.filter(|value| !value.is_empty()))
}

/// A name that none is called may be the beginning of one: it is still being typed.
fn is_one<'n>(wanted: &str, name: &str, mut names: impl Iterator<Item = &'n str>) -> bool {
    name == wanted || name.starts_with(wanted) && !names.any(|other| other == wanted)
}

/// `completed`, and `waiting` for a run at work that a pause keeps from going on.
fn states(run: &Run) -> [&'static str; 2] {
    [run.state.name(), run.standing()]
}

impl<'t> Wanted<'t> {
    pub(super) fn of(filter: &'t str) -> Self {
        let (mut wanted, mut text) = (Self::default(), Vec::new());
        for word in filter.split_whitespace() {
            if let Some(names) = values(word, "state") {
                wanted.states.extend(names);
            } else if let Some(names) = values(word, "mapping") {
                wanted.mappings.extend(names);
            } else {
                text.push(word);
            }
        }
        wanted.text = text.join(" ");
        wanted
    }

    /// True if the keys let a run through; `all` are the runs listed.
    pub(super) fn lets(&self, run: &Run, all: &[Run]) -> bool {
        let state = |wanted: &&str| states(run).iter().any(|name| name.starts_with(*wanted));
        let names = || all.iter().map(|run| run.mapping.as_str());
        let mapping = |wanted: &&str| is_one(wanted, run.mapping.as_str(), names());
        (self.states.is_empty() || self.states.iter().any(state))
            && (self.mappings.is_empty() || self.mappings.iter().any(mapping))
    }
}

/// What no run could ever be: a state that there is not.
pub(super) fn fault(filter: &str) -> Option<FilterError> {
    let wanted = Wanted::of(filter);
    let unknown = |name: &&&str| !STATES.iter().any(|state| state.starts_with(**name));
    let name = *wanted.states.iter().find(unknown)?;
    // The word stands in the filter, from which it was cut.
    let at = filter
        .find(&format!(":{name}"))
        .or_else(|| filter.find(name))?;
    Some(FilterError {
        position: filter[..at].chars().count(),
        message: format!("`{name}` is no state of an export: {}", STATES.join(", ")),
    })
}

/// All that [`states`] can say.
const STATES: [&str; 6] = [
    "running",
    "waiting",
    "paused",
    "cancelled",
    "completed",
    "failed",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_what_is_looked_for() {
        let wanted = Wanted::of("dry state:failed,paused mapping:pets run");
        assert_eq!(wanted.states, ["failed", "paused"]);
        assert_eq!(wanted.mappings, ["pets"]);
        assert_eq!(wanted.text, "dry run");
        assert_eq!(Wanted::of("state:").states, [""; 0]);
    }

    #[test]
    fn a_state_that_there_is_not_is_a_fault_at_its_place() {
        let error = fault("pets state:compelted").map(|fault| (fault.position, fault.message));
        let (at, message) = error.unwrap_or_default();
        assert_eq!(at, 10);
        assert!(message.contains("completed"), "{message}");
        assert_eq!(fault("state:comp compelted"), None);
    }
}
