//! The way back: from a view that was opened from another one, `esc` leads to where it was opened from, as it was.

use super::App;
use crate::tui::context::{Cx, Go};
use crate::tui::keymap::Tab;
use crate::tui::screens::activity::Look;
use crate::tui::screens::queue::Queue;
use crate::tui::screens::records::Left;

/// Ways kept at most, each with the view that it leads back to; the oldest goes first.
const MOST: usize = 12;

/// From one view to the one that opened it.
pub(super) struct Way {
    back: Tab,
    /// How much was open when the view came up: what was opened since is closed first.
    depth: usize,
    before: Before,
}

/// What the screen that a view was opened on had in view before.
enum Before {
    /// As the view leaves it.
    Same,
    Records(Left),
    Queue(Box<Queue>),
    Activity(Box<Look>),
}

impl App {
    /// Goes to a view. One that a thing opens leads back to where it was opened from; who chooses a tab stays there.
    pub(in crate::tui) fn go(&mut self, go: Go) {
        if let Go::Tab(tab) = go {
            if tab != self.tab {
                self.ways.clear();
                self.activity.left();
            }
            self.show_tab(tab);
            return;
        }
        // Another part of the same list is no other view.
        let same = match &go {
            Go::Queue(_, wanted) => self.tab == Tab::Queue && *wanted == self.queue.remembered().1,
            Go::Records(..) => self.tab == Tab::Records,
            Go::Mapping(_) => self.tab == Tab::Mappings,
            Go::Log(wanted) => self.tab == Tab::Activity && self.activity.is_log_of(wanted),
            Go::Tab(_) | Go::Record(..) => false,
        };
        let back = self.tab;
        let before = self.arrive(go, same);
        if !same {
            let depth = self.screen(self.tab).depth();
            if self.ways.len() == MOST {
                self.ways.remove(0);
            }
            self.ways.push(Way {
                back,
                depth,
                before,
            });
        }
    }

    fn show_tab(&mut self, tab: Tab) {
        self.tab = tab;
        self.with_screen(|screen, cx| screen.open(cx));
    }

    /// Shows a view; what its screen had in view before is given back.
    fn arrive(&mut self, go: Go, same: bool) -> Before {
        let mut cx = hands!(self);
        let (tab, before) = match go {
            Go::Tab(tab) => (tab, Before::Same),
            Go::Records(object, schema) => {
                self.records.choose(object, schema.map(|s| *s), &mut cx);
                (Tab::Records, Before::Same)
            }
            Go::Record(object, record) => {
                let left = self.records.step_aside(&object, &mut cx);
                self.records.choose_one(object, record, &mut cx);
                (Tab::Records, Before::Records(left))
            }
            Go::Mapping(name) => {
                self.mappings.choose(name, &mut cx);
                (Tab::Mappings, Before::Same)
            }
            Go::Queue(state, filter) => {
                let before = match same {
                    true => Before::Same,
                    false => Before::Queue(self.queue.step_aside(&mut cx)),
                };
                self.queue.choose(state, filter, &mut cx);
                (Tab::Queue, before)
            }
            Go::Log(filter) => {
                let look = self.activity.choose(filter, &mut cx);
                (Tab::Activity, Before::Activity(Box::new(look)))
            }
        };
        self.show_tab(tab);
        before
    }

    /// Closes the innermost thing of the view, or leads back to where the view was opened from.
    pub(super) fn close_or_return(&mut self) {
        let depth = self.screen(self.tab).depth();
        match self.ways.pop_if(|way| depth <= way.depth) {
            Some(way) => self.go_back(way),
            None => self.with_screen(|screen, cx| {
                screen.back(cx);
            }),
        }
    }

    /// The lists of records that esc leads back to.
    pub(super) fn left_lists(&mut self) -> impl Iterator<Item = &mut Left> {
        self.ways
            .iter_mut()
            .filter_map(|way| match &mut way.before {
                Before::Records(left) => Some(left),
                _ => None,
            })
    }

    fn go_back(&mut self, way: Way) {
        let mut cx = hands!(self);
        match way.before {
            Before::Records(left) => self.records.put_back(left, &mut cx),
            Before::Queue(left) => self.queue.put_back(left, &mut cx),
            Before::Activity(look) => self.activity.put_back(*look, &mut cx),
            // The list of the records is found without the one that was opened in it meanwhile.
            Before::Same if self.tab == Tab::Records => self.records.close(&mut cx),
            Before::Same => {}
        }
        self.show_tab(way.back);
    }
}
