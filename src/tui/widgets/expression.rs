//! A text that may name record fields, while it is typed: the fields that fit what is being typed are offered.

use crate::tui::canvas::{Canvas, shown_width};
use crate::tui::hits::Hit;
use crossterm::event::{Event as TerminalEvent, KeyEvent};
use ratatui::layout::Rect;
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

/// Record fields that are offered at a time.
const OFFERED: usize = 6;

/// A source, a template or a condition being typed.
#[derive(Clone, Debug)]
pub struct Expression {
    input: Input,
    /// The record's fields: key and what is said about it.
    fields: Vec<(String, String)>,
    offered: Vec<usize>,
    chosen: usize,
}

impl Expression {
    /// Begins with a text.
    pub fn new(text: &str, fields: Vec<(String, String)>) -> Self {
        let mut expression = Self {
            input: Input::new(text.to_owned()),
            fields,
            offered: Vec::new(),
            chosen: 0,
        };
        expression.offer();
        expression
    }

    /// Begins anew with a text.
    pub fn retype(&mut self, text: &str) {
        self.input = Input::new(text.to_owned());
        self.offer();
    }

    /// The text as it stands.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// The word before the cursor, by which fields are offered: all of a plain source, in a template the name being typed.
    fn word(&self) -> (usize, &str) {
        let before: usize = self
            .text()
            .chars()
            .take(self.input.cursor())
            .map(char::len_utf8)
            .sum();
        let head = &self.text()[..before];
        let start = head
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(0, |at| {
                at + head[at..].chars().next().map_or(1, char::len_utf8)
            });
        (start, &head[start..])
    }

    fn offer(&mut self) {
        let (start, word) = self.word();
        let word = word.to_lowercase();
        let whole = start == 0;
        let fits = |key: &str| key.contains(&word) && key != word && (whole || !word.is_empty());
        self.offered = (0..self.fields.len())
            .filter(|at| fits(&self.fields[*at].0))
            .collect();
        self.offered
            .sort_by_key(|at| !self.fields[*at].0.starts_with(&word));
        self.chosen = 0;
    }

    /// True if a field is offered that could be taken.
    pub fn offers(&self) -> bool {
        !self.offered.is_empty()
    }

    /// True if what is typed is the beginning of a field's name, or of a part of it, and not the whole of one.
    pub fn is_naming(&self) -> bool {
        let word = self.word().1;
        self.offers() && !word.is_empty() && !self.fields.iter().any(|(key, _)| key == word)
    }

    /// Goes to the next field that is offered, or to the one before.
    pub fn choose(&mut self, forward: bool) {
        let many = self.offered.len().max(1);
        self.chosen = match forward {
            true => (self.chosen + 1) % many,
            false => (self.chosen + many - 1) % many,
        };
    }

    /// Puts the chosen field in place of the word being typed.
    pub fn complete(&mut self) {
        self.take(self.chosen);
    }

    /// Puts the offered field of this number in place of the word being typed.
    pub fn take(&mut self, at: usize) {
        let Some((key, _)) = self.offered.get(at).map(|at| &self.fields[*at]) else {
            return;
        };
        let (start, word) = self.word();
        let end = start + word.len();
        let text = format!("{}{key}{}", &self.text()[..start], &self.text()[end..]);
        let cursor = text[..start].chars().count() + key.chars().count();
        self.input = Input::new(text).with_cursor(cursor);
        self.offer();
    }

    /// Puts pasted text in, on one line.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            self.input.handle(InputRequest::InsertChar(c));
        }
        self.offer();
    }

    /// Takes a key of plain editing; true if the text is another one.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        let change = self.input.handle_event(&TerminalEvent::Key(*key));
        let changed = change.is_some_and(|change| change.value);
        if changed {
            self.offer();
        }
        changed
    }

    /// Draws the text on one line.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, under: bool) {
        let style = canvas.theme.text;
        canvas.typed(area, self.text(), self.input.cursor(), style, under);
    }

    /// The lines that the offered fields take.
    pub fn offered_height(&self) -> usize {
        self.offered.len().min(OFFERED)
    }

    /// Draws the fields that are offered, as many as fit; returns how many lines they took.
    pub fn draw_offered(&self, canvas: &mut Canvas, area: Rect) -> u16 {
        let theme = canvas.theme;
        let from = (self.chosen + 1).saturating_sub(OFFERED);
        let widest = self
            .offered
            .iter()
            .map(|at| shown_width(&self.fields[*at].0));
        let widest = widest.max().unwrap_or(0).min(40) as u16;
        let mut y = area.y;
        for (place, at) in self.offered.iter().enumerate().skip(from).take(OFFERED) {
            if y >= area.bottom() {
                break;
            }
            let (key, note) = &self.fields[*at];
            let style = if place == self.chosen {
                theme.cursor
            } else {
                theme.muted
            };
            canvas.put(area.x + 2, y, widest, key, style);
            canvas.hit(Rect::new(area.x, y, area.width, 1), Hit::Offer(place));
            let x = area.x + 4 + widest;
            canvas.put(x, y, area.right().saturating_sub(x), note, theme.muted);
            y += 1;
        }
        y - area.y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_whole_is_not_being_named() {
        let fields = ["status", "owner_status"].map(|key| (key.to_owned(), String::new()));
        let mut condition = Expression::new("", fields.into());
        assert!(condition.offers() && !condition.is_naming());
        condition.paste("stat");
        assert!(condition.is_naming());
        condition.complete();
        assert_eq!(condition.text(), "status");
        assert!(
            condition.offers() && !condition.is_naming(),
            "the other one is offered"
        );
    }
}
