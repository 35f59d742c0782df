//! Keys and actions: the one source of the footer, the help and the palette.

mod key;
mod table;

use crate::model::nearest;
use crossterm::event::KeyEvent;
use std::collections::BTreeMap;
use thiserror::Error;

pub use key::Key;
pub use table::{Action, Binding, Needs, TABLE, Tab};

/// What is wrong with `[tui.keys]`.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeymapError {
    #[error("there is no action {name:?}")]
    UnknownAction { name: String, near: Option<String> },
    #[error("{key:?} is no key")]
    BadKey { action: String, key: String },
    #[error("{key:?} stands for {other} as well")]
    Conflict {
        key: String,
        action: String,
        other: String,
    },
}

impl KeymapError {
    /// The action of the table that it is about.
    pub fn action(&self) -> &str {
        match self {
            Self::UnknownAction { name, .. } => name,
            Self::BadKey { action, .. } | Self::Conflict { action, .. } => action,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::UnknownAction {
                near: Some(near), ..
            } => format!("did you mean {near:?}?"),
            Self::UnknownAction { near: None, .. } => "`tramline keys` names them".to_owned(),
            Self::BadKey { .. } => "keys look like \"x\", \"ctrl-x\", \"enter\", \"f5\"".to_owned(),
            Self::Conflict { .. } => "give one of them another key, or none with []".to_owned(),
        }
    }
}

/// A line of the table with the keys that are in force.
#[derive(Clone, Debug)]
pub struct Bound {
    pub binding: &'static Binding,
    pub keys: Vec<Key>,
}

impl Bound {
    /// The keys as text: `g, home`.
    pub fn key_names(&self) -> String {
        let names: Vec<_> = self.keys.iter().map(Key::name).collect();
        names.join(", ")
    }
}

/// The table with the user's own keys put in.
#[derive(Clone, Debug)]
pub struct Keymap {
    bounds: Vec<Bound>,
}

impl Keymap {
    /// The table with overrides: name of an action → its keys, none to unbind it.
    pub fn new(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        for (name, keys) in overrides {
            if !TABLE.iter().any(|binding| binding.name == name) {
                let names = TABLE.iter().map(|binding| binding.name);
                let near = nearest(name, names).map(str::to_owned);
                let name = name.clone();
                return Err(KeymapError::UnknownAction { name, near });
            }
            if let Some(key) = keys.iter().find(|key| Key::parse(key).is_none()) {
                return Err(KeymapError::BadKey {
                    action: name.clone(),
                    key: key.clone(),
                });
            }
        }
        let bounds = TABLE
            .iter()
            .map(|binding| Bound {
                binding,
                keys: match overrides.get(binding.name) {
                    Some(keys) => keys.iter().filter_map(|key| Key::parse(key)).collect(),
                    None => own_keys(binding),
                },
            })
            .collect();
        let keymap = Self { bounds };
        match keymap.conflict(overrides) {
            Some(conflict) => Err(conflict),
            None => Ok(keymap),
        }
    }

    /// The first two actions that a key would stand for at once; the one of the overrides comes first.
    fn conflict(&self, overrides: &BTreeMap<String, Vec<String>>) -> Option<KeymapError> {
        for (at, a) in self.bounds.iter().enumerate() {
            for b in &self.bounds[at + 1..] {
                let meet = a.binding.tab == b.binding.tab
                    || a.binding.tab.is_none()
                    || b.binding.tab.is_none();
                if !meet {
                    continue;
                }
                if let Some(key) = a.keys.iter().find(|key| b.keys.contains(key)) {
                    let (mut action, mut other) = (a.binding.name, b.binding.name);
                    if !overrides.contains_key(action) {
                        std::mem::swap(&mut action, &mut other);
                    }
                    return Some(KeymapError::Conflict {
                        key: key.name(),
                        action: action.to_owned(),
                        other: other.to_owned(),
                    });
                }
            }
        }
        None
    }

    /// What a key asks for on a screen.
    pub fn action(&self, tab: Tab, key: &KeyEvent) -> Option<Action> {
        let key = Key::of(key);
        self.of(tab)
            .chain(self.everywhere())
            .find(|bound| bound.keys.contains(&key))
            .map(|bound| bound.binding.action)
    }

    /// The lines of one screen.
    pub fn of(&self, tab: Tab) -> impl Iterator<Item = &Bound> {
        self.bounds
            .iter()
            .filter(move |bound| bound.binding.tab == Some(tab))
    }

    /// The lines that hold on every screen.
    pub fn everywhere(&self) -> impl Iterator<Item = &Bound> {
        self.bounds
            .iter()
            .filter(|bound| bound.binding.tab.is_none())
    }

    /// All lines.
    pub fn all(&self) -> &[Bound] {
        &self.bounds
    }

    /// The first key of an action, for hints in running text.
    pub fn key_of(&self, action: Action) -> String {
        self.bounds
            .iter()
            .find(|bound| bound.binding.action == action)
            .and_then(|bound| bound.keys.first())
            .map(Key::name)
            .unwrap_or_default()
    }
}

/// Without overrides.
impl Default for Keymap {
    fn default() -> Self {
        let bound = |binding| Bound {
            binding,
            keys: own_keys(binding),
        };
        Self {
            bounds: TABLE.iter().map(bound).collect(),
        }
    }
}

/// The keys that an action has by the table.
fn own_keys(binding: &Binding) -> Vec<Key> {
    let keys = binding.keys.iter();
    keys.filter_map(|key| Key::parse(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn with(pairs: &[(&str, &[&str])]) -> Result<Keymap, KeymapError> {
        Keymap::new(
            &pairs
                .iter()
                .map(|(name, keys)| {
                    let keys = keys.iter().map(|key| key.to_string()).collect();
                    (name.to_string(), keys)
                })
                .collect(),
        )
    }

    #[test]
    fn no_screen_key_shadows_a_global_one_and_all_keys_are_readable() {
        let keymap = with(&[]).unwrap();
        assert!(keymap.conflict(&BTreeMap::new()).is_none());
        for binding in TABLE {
            for key in binding.keys {
                let parsed = Key::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
                assert_eq!(parsed.name(), *key);
            }
        }
    }

    /// Terminals send some keys as others, and tmux, screen, flow control and editors' plugins keep some to themselves.
    #[test]
    fn no_action_hangs_on_a_key_that_may_never_arrive() {
        let lost = |key: &str| {
            let ctrl = key.strip_prefix("ctrl-");
            let taken = ctrl.is_some_and(|key| "abhijklmqs".contains(key) || key == "enter");
            taken || key.starts_with("alt-")
        };
        for binding in TABLE {
            let keys = binding.keys;
            assert!(
                keys.is_empty() || keys.iter().any(|key| !lost(key)),
                "{} has only {keys:?}",
                binding.name
            );
        }
    }

    #[test]
    fn every_action_has_a_help_text_and_one_name() {
        for binding in TABLE {
            assert!(binding.help.len() > 4, "{}", binding.name);
            for other in TABLE.iter().filter(|other| other.name == binding.name) {
                assert_eq!(other.action, binding.action, "{}", binding.name);
            }
        }
    }

    #[test]
    fn what_destroys_or_acts_on_many_is_upper_case() {
        for action in [
            Action::Delete,
            Action::SyncSelected,
            Action::RetryAll,
            Action::Discard,
            Action::Cancel,
        ] {
            let bound = TABLE
                .iter()
                .find(|binding| binding.action == action)
                .unwrap();
            assert!(
                bound
                    .keys
                    .iter()
                    .all(|key| key.chars().all(char::is_uppercase))
            );
        }
    }

    #[test]
    fn keys_can_be_changed_and_taken_away() {
        let keymap = with(&[("sync", &["ctrl-s", "f5"]), ("delete", &[])]).unwrap();
        let key = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
        assert_eq!(keymap.action(Tab::Records, &key), Some(Action::Sync));
        let key = KeyEvent::new(KeyCode::F(5), KeyModifiers::NONE);
        assert_eq!(keymap.action(Tab::Records, &key), Some(Action::Sync));
        for free in ['s', 'D'] {
            let key = KeyEvent::new(KeyCode::Char(free), KeyModifiers::NONE);
            assert_eq!(keymap.action(Tab::Records, &key), None);
        }
    }

    #[test]
    fn a_wrong_table_is_refused_with_the_reason() {
        assert_eq!(
            with(&[("retri", &["z"])]).unwrap_err(),
            KeymapError::UnknownAction {
                name: "retri".into(),
                near: Some("retry".into())
            }
        );
        assert!(matches!(
            with(&[("retry", &["ctrl-"])]).unwrap_err(),
            KeymapError::BadKey { .. }
        ));
        let conflict = with(&[("retry", &["q"])]).unwrap_err();
        assert!(matches!(conflict, KeymapError::Conflict { .. }));
        assert_eq!(conflict.action(), "retry", "the one that config.toml has");
        assert!(with(&[("retry", &["d"])]).is_ok(), "d is of another screen");
    }

    #[test]
    fn shift_is_part_of_the_character() {
        let keymap = with(&[]).unwrap();
        let key = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(keymap.action(Tab::Queue, &key), Some(Action::RetryAll));
        let key = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(keymap.action(Tab::Queue, &key), Some(Action::SwitchBack));
    }
}
