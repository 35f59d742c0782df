//! The filter as it is typed: the list follows every text that can be read, and is what it was when the text is dropped.

use super::Queue;
use crate::model::filter::{Condition, Filter};
use crate::model::{JobId, JobState};
use crate::operations::queue::SEARCHABLE;
use crate::tui::context::Cx;

/// What was in force when typing began.
pub struct Before {
    filter: String,
    state: Option<JobState>,
    under: Option<JobId>,
}

/// True for a filter that can be read and asked for with every key. A word that may become a key is none yet, and a text too
/// short for the index is looked for in every job: only one that is taken is worth that.
fn askable(text: &str) -> bool {
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let may_be_key = Filter::is_key(word) || !Filter::complete(text).is_empty();
    if !word.is_empty() && !word.contains(':') && may_be_key {
        return false;
    }
    let long = |text: &String| text.chars().count() >= SEARCHABLE;
    Filter::parse(text).is_ok_and(|filter| {
        filter.terms.iter().all(|term| match &term.condition {
            Condition::Text(text) => long(text),
            Condition::Error(texts) => texts.iter().all(long),
            _ => true,
        })
    })
}

impl Queue {
    /// A text that is still being typed. What cannot be read yet leaves the list as it is.
    pub(super) fn filter_typed(&mut self, text: &str, cx: &mut Cx) {
        if text == self.filter || self.groups.is_open() || !askable(text) {
            return;
        }
        self.before.get_or_insert_with(|| Before {
            filter: self.filter.clone(),
            state: self.state,
            under: self.under.clone(),
        });
        self.filter = text.to_owned();
        self.restart(cx);
    }

    /// A text that is to be in force; that from before typing brings its list back, with the cursor on its job.
    pub(super) fn filter_taken(&mut self, text: &str, cx: &mut Cx) {
        match self.before.take() {
            Some(before) if before.filter == text => {
                self.filter = before.filter;
                self.state = before.state;
                self.under = before.under;
                self.read_anew(cx);
                return;
            }
            None if text == self.filter => return,
            _ => {}
        }
        if text != self.filter {
            self.filter = text.to_owned();
            self.groups.leave();
            self.restart(cx);
        }
        self.did_list(cx);
    }
}
