//! A change of a record that somebody else's change came before: both values are shown, and the person says which one stays.

use super::App;
use crate::model::{Level, Record};
use crate::operations::records::change::RecordChange;
use crate::tui::canvas::{cut, shown_width};
use crate::tui::command::update;
use crate::tui::context::Then;
use crate::tui::request::Request;
use crate::tui::screens::records::value;
use crate::tui::slots::Slot;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::form::Form;
use crate::tui::widgets::overlay::Overlay;
use serde_json::Value;

/// Fields that are named in the question; of more there is only the number.
const NAMED: usize = 4;
/// Columns that a value takes at most.
const WIDEST: u16 = 60;
/// Characters of a long value that stand before the first one that differs.
const LEAD: usize = 12;

impl App {
    /// A change was not written, because the record is not as the person saw it any more.
    pub(super) fn overtaken(&mut self, write: Slot, change: RecordChange, live: Record) {
        let at = self.busy_form(write);
        let form = at.and_then(|at| match &self.overlays[at] {
            Overlay::Form(form) => Some(form),
            _ => None,
        });
        let lines = differences(
            form.map(|form| &**form),
            &change,
            &live,
            self.theme.glyphs.cut,
        );
        self.show_as_it_is(&live);
        let edit = self.edit.as_mut().filter(|edit| edit.slot == Some(write));
        if at.is_none() && edit.is_none() {
            // The form was left: what was typed is kept, and asked about when it is entered again.
            self.unfinished.answered(write, false);
            let text = format!(
                "record {} was changed by somebody else meanwhile, nothing was written: {}",
                change.record,
                lines.join("; ")
            );
            self.toasts.push(Level::Error, text, self.now);
            return;
        }
        let overtaken: Vec<String> = change.overtaken(&live).map(str::to_owned).collect();
        let title = match overtaken.iter().any(|key| change.seen.contains_key(key)) {
            true => "Overwrite what somebody else changed meanwhile?",
            // A list leaves out what is empty; it may have left out more.
            false => "Overwrite what was not shown?",
        };
        let again = change.over(&live);
        let did = update(&again);
        let request = Request::Update(Box::new(again));
        let mut question = Confirm::new(title);
        for line in lines {
            question = question.warn(line);
        }
        let no = match edit {
            Some(edit) => {
                edit.slot = None;
                edit.request = request.clone();
                // Whoever edits it again has been told of these values.
                for key in overtaken {
                    match live.properties.get(&key) {
                        Some(value) => edit.editing.before.insert(key, value.clone()),
                        None => edit.editing.before.remove(&key),
                    };
                }
                "Nothing was written. No leads back to the text."
            }
            None => "Nothing was written. No leaves it so, and the form open.",
        };
        if let Some(Overlay::Form(form)) = at.map(|at| &mut self.overlays[at]) {
            form.awaits = None;
        }
        let question = question.line(no).then(Then::Ask(request)).did(did);
        self.overlays.push(Overlay::Confirm(question));
    }
}

/// A value in few columns: a long one from a little before where it differs from another one, or both would look alike.
fn told(text: &str, other: &str, mark: &str) -> String {
    let same = text.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    let same = same.count();
    if shown_width(text) <= usize::from(WIDEST) || same <= LEAD {
        return cut(text, WIDEST, mark);
    }
    let rest: String = text.chars().skip(same - LEAD).collect();
    cut(&format!("{mark}{rest}"), WIDEST, mark)
}

/// What differs: `Weight: 12.4 was shown, 13.1 is there now, yours is 12.9`.
fn differences(
    form: Option<&Form>,
    change: &RecordChange,
    live: &Record,
    mark: &str,
) -> Vec<String> {
    let keys: Vec<&str> = change.overtaken(live).collect();
    let line = |key: &&str| {
        let field = form.and_then(|form| form.fields.iter().find(|field| field.key == **key));
        let words = |value: Option<&Value>| {
            let value = value.unwrap_or(&Value::Null);
            let text = match field {
                Some(field) => field.words(value),
                None => value::show(None, value),
            };
            match text.trim() {
                "" => "nothing".to_owned(),
                text => text.to_owned(),
            }
        };
        let seen = words(change.seen.get(*key));
        let there = words(live.properties.get(*key));
        let mine = words(change.properties.get(*key));
        format!(
            "{}: {} was shown, {} is there now, yours is {}",
            field.map_or(*key, |field| field.label.as_str()),
            told(&seen, &there, mark),
            told(&there, &mine, mark),
            told(&mine, &there, mark)
        )
    };
    let mut lines: Vec<String> = keys.iter().take(NAMED).map(line).collect();
    if let Some(more) = keys.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_told_from_where_they_differ() {
        let head = "She likes long walks, old shoes and everybody who has a biscuit; ";
        let (a, b) = (format!("{head}children too."), format!("{head}cats, less."));
        assert_eq!(told(&a, &b, "…"), "…a biscuit; children too.");
        assert_eq!(told(&b, &a, "…"), "…a biscuit; cats, less.");
        assert_eq!(told("12.4", "13.1", "…"), "12.4");
        let short = told(&a, "Other", "…");
        assert!(
            short.starts_with("She likes") && short.ends_with('…'),
            "{short}"
        );
    }
}
