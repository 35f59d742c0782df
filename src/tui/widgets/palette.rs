//! Every action of every screen, with its key and its command.

use super::picker::{Item, Picker};
use crate::tui::keymap::{Action, Bound, Keymap, Tab};

/// The palette, and the actions in the order of its items.
#[derive(Clone, Debug)]
pub struct Palette {
    pub picker: Picker,
    actions: Vec<(Option<Tab>, Action)>,
}

impl Palette {
    /// All actions, those of the screen in view first.
    pub fn new(keymap: &Keymap, tab: Tab) -> Self {
        let here = keymap.of(tab);
        let others = keymap
            .all()
            .iter()
            .filter(|bound| bound.binding.tab.is_some_and(|other| other != tab));
        let (mut items, mut actions) = (Vec::new(), Vec::new());
        for bound in here.chain(keymap.everywhere()).chain(others) {
            // Plain movements would only be noise in a list of commands.
            if bound.binding.help.ends_with("row") || bound.binding.action == Action::Palette {
                continue;
            }
            items.push(item(bound));
            actions.push((bound.binding.tab, bound.binding.action));
        }
        Self {
            picker: Picker::new("Commands", items),
            actions,
        }
    }

    /// The screen and action of an item.
    pub fn action(&self, at: usize) -> Option<(Option<Tab>, Action)> {
        self.actions.get(at).copied()
    }
}

fn item(bound: &Bound) -> Item {
    let place = match bound.binding.tab {
        Some(tab) => format!("{}: ", tab.title()),
        None => String::new(),
    };
    Item {
        label: format!("{place}{}", bound.binding.help),
        note: bound.binding.twin.to_owned(),
        key: bound.key_names(),
    }
}
