//! A list to choose from, narrowed by typing.

use super::overlay::frame;
use crate::tui::canvas::{Canvas, shown_width};
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickOutcome {
    Stay,
    /// The item of this number was chosen.
    Chosen(usize),
    Dropped,
}

/// One item: what it is, what is said about it where there is room, and its key at the right.
#[derive(Clone, Debug)]
pub struct Item {
    pub label: String,
    pub note: String,
    pub key: String,
}

/// Items, the text typed, and the items that match it, best first.
#[derive(Clone, Debug)]
pub struct Picker {
    title: String,
    items: Vec<Item>,
    input: Input,
    shown: Vec<usize>,
    cursor: usize,
}

impl Picker {
    /// A list under a title.
    pub fn new(title: impl Into<String>, items: Vec<Item>) -> Self {
        let mut picker = Self {
            title: title.into(),
            shown: Vec::new(),
            items,
            input: Input::default(),
            cursor: 0,
        };
        picker.narrow();
        picker
    }

    fn narrow(&mut self) {
        self.cursor = 0;
        if self.input.value().trim().is_empty() {
            self.shown = (0..self.items.len()).collect();
            return;
        }
        let pattern = Pattern::parse(
            self.input.value(),
            CaseMatching::Smart,
            Normalization::Smart,
        );
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| {
                let text = format!("{} {}", item.label, item.note);
                let score = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher)?;
                Some((score, at))
            })
            .collect();
        scored.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
        self.shown = scored.into_iter().map(|(_, at)| at).collect();
    }

    /// Puts pasted text in, on one line.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.input.handle(tui_input::InputRequest::InsertChar(c));
        }
        self.narrow();
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> PickOutcome {
        let last = self.shown.len().saturating_sub(1);
        match (key.code, key.modifiers) {
            (KeyCode::Esc, _) | (KeyCode::Char('c'), KeyModifiers::CONTROL) => {
                return PickOutcome::Dropped;
            }
            (KeyCode::Enter, _) => {
                return match self.shown.get(self.cursor) {
                    Some(at) => PickOutcome::Chosen(*at),
                    None => PickOutcome::Stay,
                };
            }
            (KeyCode::Down, _) | (KeyCode::Char('n'), KeyModifiers::CONTROL) => {
                self.cursor = (self.cursor + 1).min(last);
            }
            (KeyCode::Up, _) | (KeyCode::Char('p'), KeyModifiers::CONTROL) => {
                self.cursor = self.cursor.saturating_sub(1);
            }
            (KeyCode::PageDown, _) => self.cursor = (self.cursor + 10).min(last),
            (KeyCode::PageUp, _) => self.cursor = self.cursor.saturating_sub(10),
            _ => {
                let changed = self
                    .input
                    .handle_event(&TerminalEvent::Key(*key))
                    .is_some_and(|change| change.value);
                if changed {
                    self.narrow();
                }
            }
        }
        PickOutcome::Stay
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let width = area.width.saturating_sub(4).min(90);
        let height = (self.items.len() as u16 + 4).clamp(6, area.height.saturating_sub(2).max(6));
        let inner = frame(canvas, area, width, height.min(area.height), &self.title);
        if inner.height < 2 {
            return;
        }
        let (text, muted, key) = (canvas.theme.text, canvas.theme.muted, canvas.theme.key);
        canvas.put(inner.x, inner.y, 1, ":", key);
        let place = Rect::new(inner.x + 2, inner.y, inner.width.saturating_sub(2), 1);
        let at = self.input.cursor();
        canvas.typed(place, self.input.value(), at, text, true);
        let rows = usize::from(inner.height - 1);
        let from = (self.cursor + 1).saturating_sub(rows);
        if self.shown.is_empty() {
            canvas.put(
                inner.x + 2,
                inner.y + 1,
                inner.width,
                "nothing matches",
                muted,
            );
        }
        for (line, at) in self.shown.iter().skip(from).take(rows).enumerate() {
            let y = inner.y + 1 + line as u16;
            let item = &self.items[*at];
            let under = from + line == self.cursor;
            if under {
                let accent = canvas.theme.accent;
                canvas.put(inner.x, y, 1, canvas.theme.glyphs.marker, accent);
            }
            let style = if under { canvas.theme.title } else { text };
            let key_width = (shown_width(&item.key) as u16).min(inner.width / 3);
            let right = inner.right() - key_width;
            canvas.put_right(right, y, key_width, &item.key, key);
            let room = right.saturating_sub(inner.x + 3);
            let used = canvas.put(inner.x + 2, y, room, &item.label, style);
            let room = room.saturating_sub(used + 2);
            if shown_width(&item.note) <= usize::from(room) {
                canvas.put_right(inner.x + used + 4, y, room, &item.note, muted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_narrows_and_enter_chooses() {
        let items = ["retry all", "discard", "sync"].map(|label| Item {
            label: label.into(),
            note: String::new(),
            key: String::new(),
        });
        let mut picker = Picker::new("t", items.into());
        for c in "sy".chars() {
            picker.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(picker.key(&enter), PickOutcome::Chosen(2));
        picker.paste("zzz");
        assert_eq!(picker.key(&enter), PickOutcome::Stay);
    }
}
