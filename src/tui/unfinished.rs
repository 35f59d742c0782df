//! What was typed into a form that was left before it was taken: the same form begins with it when it is opened again.

use super::slots::Slot;
use super::widgets::form::Purpose;
use super::widgets::overlay::Overlay;

/// Forms kept at most; the oldest goes first.
const MOST: usize = 8;

/// Forms that were left, the latest last.
#[derive(Debug, Default)]
pub struct Unfinished(Vec<Overlay>);

impl Unfinished {
    /// Keeps what was typed into something that is left, and what waits for an answer; what nobody typed into is dropped. So is a
    /// form for an export: the next one offers a dry run again.
    pub fn keep(&mut self, left: &Overlay) {
        let exports =
            matches!(left, Overlay::Form(form) if matches!(form.purpose, Purpose::Export(_)));
        if exports || !(left.is_typed_in() || left.is_busy()) {
            return;
        }
        self.0.retain(|kept| !kept.is_same(left));
        if self.0.len() == MOST {
            let idle = self.0.iter().position(|kept| !kept.is_busy());
            self.0.remove(idle.unwrap_or(0));
        }
        self.0.push(left.clone());
    }

    /// Gives something that opens what was typed into it before; true if there was something.
    pub fn take_up(&mut self, opened: &mut Overlay) -> bool {
        let Some(at) = self.0.iter().position(|kept| kept.is_same(opened)) else {
            return false;
        };
        let kept = self.0.remove(at);
        opened.take_up(kept)
    }

    /// A write ended whose form was left while the answer was awaited: if it is done, nothing of it is left to be typed; if
    /// it failed, the form can be entered again.
    pub fn answered(&mut self, write: Slot, done: bool) {
        self.0.retain_mut(|kept| match kept {
            Overlay::Form(form) if form.awaits == Some(write) => {
                form.awaits = None;
                !done
            }
            _ => true,
        });
    }

    /// What was typed into, the latest first. What is being written is written.
    pub fn titles(&self) -> impl Iterator<Item = String> {
        let idle = self.0.iter().rev().filter(|kept| !kept.is_busy());
        idle.map(Overlay::title)
    }

    /// Forgets all: other accounts are in view.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
