//! Every action of every screen, with its key and its command.

use super::picker::{Item, Picker};
use crate::tui::command::Aim;
use crate::tui::keymap::{Action, Bound, Keymap, Tab};

/// The palette, and the actions in the order of its items.
#[derive(Clone, Debug)]
pub struct Palette {
    pub picker: Picker,
    actions: Vec<(Option<Tab>, Action)>,
}

impl Palette {
    /// All actions, those of the screen in view first, with the commands for the accounts in view. What an action of the
    /// screen in view `lacks` stands in the place of its command.
    pub fn new(
        keymap: &Keymap,
        tab: Tab,
        aim: &Aim,
        lacks: &dyn Fn(Action) -> Option<String>,
    ) -> Self {
        let moves = |bound: &&Bound| bound.binding.action.moves();
        let here = keymap.of(tab);
        let (moving, everywhere): (Vec<_>, Vec<_>) = keymap.everywhere().partition(moves);
        let others = keymap
            .all()
            .iter()
            .filter(|bound| bound.binding.tab.is_some_and(|other| other != tab));
        let (mut items, mut names, mut actions) = (Vec::new(), Vec::new(), Vec::new());
        // Plain movements come last: they are found by their name, and in nobody's way.
        for bound in here.chain(everywhere).chain(others).chain(moving) {
            if bound.binding.action == Action::Palette {
                continue;
            }
            let elsewhere = bound.binding.tab.is_some_and(|other| other != tab);
            let lacking = match elsewhere {
                true => None,
                false => lacks(bound.binding.action),
            };
            items.push(item(bound, aim, lacking));
            names.push(bound.binding.name);
            actions.push((bound.binding.tab, bound.binding.action));
        }
        Self {
            picker: Picker::new("Commands", items).whole().named(names),
            actions,
        }
    }

    /// The screen and action of an item.
    pub fn action(&self, at: usize) -> Option<(Option<Tab>, Action)> {
        self.actions.get(at).copied()
    }
}

fn item(bound: &Bound, aim: &Aim, lacking: Option<String>) -> Item {
    let place = match bound.binding.tab {
        Some(tab) => format!("{}: ", tab.title()),
        None => String::new(),
    };
    Item {
        label: format!("{place}{}", bound.binding.help),
        off: lacking.is_some(),
        note: lacking.unwrap_or_else(|| aim.lines(bound.binding.twin)),
        key: bound.key_names(),
    }
}
