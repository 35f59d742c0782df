//! The way back: from a view that was opened from another one, `esc` leads to where it was opened from.

use super::App;
use crate::model::JobState;
use crate::tui::context::{Cx, Go};
use crate::tui::keymap::Tab;

/// From one view to the one that opened it.
#[derive(Clone, Debug)]
pub(super) struct Way {
    back: Go,
    /// How much was open when the view came up: what was opened since is closed first.
    depth: usize,
    /// State and filter of the queue before it was opened.
    queue: Option<(Option<JobState>, String)>,
}

impl App {
    /// Goes to a view. One that a thing opens leads back to where it was opened from; who chooses a tab stays there.
    pub(in crate::tui) fn go(&mut self, go: Go) {
        if let Go::Tab(tab) = go {
            if tab != self.tab {
                self.ways.clear();
                self.activity.left();
            }
            self.arrive(go);
            return;
        }
        let from = self.tab;
        let (state, filter) = self.queue.remembered();
        let way = Way {
            back: match (&go, self.records.opened()) {
                (Go::Record(..), Some((object, record))) if from == Tab::Records => {
                    Go::Record(object, record)
                }
                _ => Go::Tab(from),
            },
            depth: 0,
            queue: matches!(go, Go::Queue(..)).then(|| (state, filter.to_owned())),
        };
        // Another part of the same list is no other view.
        let same = match &go {
            Go::Queue(_, wanted) => from == Tab::Queue && wanted == filter,
            Go::Records(..) => from == Tab::Records,
            Go::Mapping(_) => from == Tab::Mappings,
            Go::Tab(_) | Go::Record(..) | Go::Log(_) => false,
        };
        let first = self.arrive(go);
        if !same && first {
            let depth = self.screen(self.tab).depth();
            self.ways.push(Way { depth, ..way });
        }
    }

    /// Shows a view; false if it was opened for something of its own kind before.
    fn arrive(&mut self, go: Go) -> bool {
        let mut first = true;
        let tab = match go {
            Go::Tab(tab) => tab,
            Go::Records(object, schema) => {
                self.records
                    .choose(object, schema.map(|s| *s), &mut hands!(self));
                Tab::Records
            }
            Go::Record(object, record) => {
                self.records.choose_one(object, record, &mut hands!(self));
                Tab::Records
            }
            Go::Mapping(name) => {
                self.mappings.choose(name, &mut hands!(self));
                Tab::Mappings
            }
            Go::Queue(state, filter) => {
                self.queue.choose(state, filter, &mut hands!(self));
                Tab::Queue
            }
            Go::Log(filter) => {
                first = self.activity.choose(filter, &mut hands!(self));
                Tab::Activity
            }
        };
        self.tab = tab;
        self.with_screen(|screen, cx| screen.open(cx));
        first
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

    fn go_back(&mut self, way: Way) {
        match self.tab {
            Tab::Activity => self.activity.put_back(&mut hands!(self)),
            Tab::Queue => {
                if let Some((state, filter)) = way.queue {
                    self.queue.put_back(state, filter, &mut hands!(self));
                }
            }
            // The list of the records is found without the one that was opened from elsewhere.
            Tab::Records => self.records.close(&mut hands!(self)),
            Tab::Schemas | Tab::Mappings | Tab::Exports => {}
        }
        self.arrive(way.back);
    }
}
