//! What was typed into a form that was left before it was taken: the same form begins with it when it is opened again.

use super::widgets::form::Purpose;
use super::widgets::overlay::Overlay;

/// Forms kept at most; the oldest goes first.
const MOST: usize = 8;

/// Forms that were left, the latest last.
#[derive(Debug, Default)]
pub struct Unfinished(Vec<Overlay>);

impl Unfinished {
    /// Keeps what was typed into something that is left; what nobody typed into is dropped. So is a form for an export: the next
    /// one offers a dry run again.
    pub fn keep(&mut self, left: &Overlay) {
        let exports =
            matches!(left, Overlay::Form(form) if matches!(form.purpose, Purpose::Export(_)));
        if exports || !left.is_typed_in() {
            return;
        }
        self.0.retain(|kept| !kept.is_same(left));
        if self.0.len() == MOST {
            self.0.remove(0);
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

    /// What a form was for that was left while its answer was awaited is done: nothing of it is left to be typed. If it
    /// failed, the form can be entered again.
    pub fn answered(&mut self, of: impl Fn(&Purpose) -> bool, done: bool) {
        self.0.retain_mut(|kept| match kept {
            Overlay::Form(form) if form.busy && of(&form.purpose) => {
                form.busy = false;
                !done
            }
            _ => true,
        });
    }

    /// Forgets all: other accounts are in view.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
