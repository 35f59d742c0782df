//! The window in which columns are chosen, put in order and sorted by.

use super::layout::Sort;
use crate::operations::records::csv::Column;
use crate::tui::canvas::{Canvas, shown_width};
use crate::tui::hits::Hit;
use crate::tui::widgets::leaves;
use crate::tui::widgets::overlay::frame;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

/// The keys that it takes, for the footer.
pub const KEYS: &[(&str, &str)] = &[
    ("space", "show"),
    ("shift-arrows", "order"),
    ("t", "sort"),
    ("a", "all"),
    ("enter", "take"),
    ("esc", "leave"),
];

/// A column that can be shown.
#[derive(Clone, Debug)]
pub struct Choice {
    pub column: Column,
    pub title: String,
    /// What is said about it where there is room: key and type.
    pub note: String,
    pub shown: bool,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChooserOutcome {
    Stay,
    Taken,
    Dropped,
}

/// All columns, those that are shown first, in their order.
#[derive(Clone, Debug)]
pub struct Chooser {
    choices: Vec<Choice>,
    cursor: usize,
    pub sort: Option<Sort>,
    /// Why it cannot be taken.
    problem: Option<&'static str>,
}

impl Chooser {
    /// Columns to choose among, the cursor on one of them.
    pub fn new(choices: Vec<Choice>, cursor: usize, sort: Option<Sort>) -> Self {
        Self {
            cursor: cursor.min(choices.len().saturating_sub(1)),
            choices,
            sort,
            problem: None,
        }
    }

    /// The columns chosen, in order.
    pub fn columns(&self) -> Vec<Column> {
        let shown = self.choices.iter().filter(|choice| choice.shown);
        shown.map(|choice| choice.column.clone()).collect()
    }

    fn carry(&mut self, down: bool) {
        let to = match down {
            true => self.cursor + 1,
            false => self.cursor.wrapping_sub(1),
        };
        if to < self.choices.len() {
            self.choices.swap(self.cursor, to);
            self.cursor = to;
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> ChooserOutcome {
        let last = self.choices.len().saturating_sub(1);
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        self.problem = None;
        match key.code {
            KeyCode::Char('q') => return ChooserOutcome::Dropped,
            _ if leaves(key) => return ChooserOutcome::Dropped,
            KeyCode::Enter if self.choices.iter().any(|choice| choice.shown) => {
                return ChooserOutcome::Taken;
            }
            KeyCode::Enter => self.problem = Some("at least one column is shown"),
            KeyCode::Left | KeyCode::Up if shift => self.carry(false),
            KeyCode::Right | KeyCode::Down if shift => self.carry(true),
            // Not every terminal tells shifted arrows from plain ones.
            KeyCode::Char('K' | 'H') => self.carry(false),
            KeyCode::Char('J' | 'L') => self.carry(true),
            KeyCode::Up | KeyCode::Char('k') => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.cursor = (self.cursor + 1).min(last),
            KeyCode::Home | KeyCode::Char('g') => self.cursor = 0,
            KeyCode::End | KeyCode::Char('G') => self.cursor = last,
            KeyCode::PageUp => self.cursor = self.cursor.saturating_sub(10),
            KeyCode::PageDown => self.cursor = (self.cursor + 10).min(last),
            KeyCode::Char(' ') => {
                if let Some(choice) = self.choices.get_mut(self.cursor) {
                    choice.shown = !choice.shown;
                }
            }
            KeyCode::Char('a') => {
                let all = self.choices.iter().all(|choice| choice.shown);
                self.choices
                    .iter_mut()
                    .for_each(|choice| choice.shown = !all);
            }
            KeyCode::Char('t') => {
                if let Some(choice) = self.choices.get(self.cursor) {
                    self.sort = Sort::next(self.sort.as_ref(), choice.column.clone());
                }
            }
            _ => {}
        }
        ChooserOutcome::Stay
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let width = area.width.saturating_sub(4).min(72);
        let height = (self.choices.len() as u16).saturating_add(3);
        let height = height.clamp(5, area.height.saturating_sub(2).max(5));
        let inner = frame(canvas, area, width, height.min(area.height), "Columns");
        if inner.height < 2 {
            return;
        }
        let theme = canvas.theme;
        let rows = usize::from(inner.height - 1);
        let from = (self.cursor + 1).saturating_sub(rows);
        for (line, choice) in self.choices.iter().skip(from).take(rows).enumerate() {
            let y = inner.y + line as u16;
            let under = from + line == self.cursor;
            let steps = (from + line) as isize - self.cursor as isize;
            canvas.hit(Rect::new(inner.x, y, inner.width, 1), Hit::Row(steps));
            if under {
                canvas.put(inner.x, y, 1, theme.glyphs.marker, theme.accent);
            }
            let (mark, style) = match choice.shown {
                true => (theme.glyphs.selected, theme.accent),
                false => (theme.glyphs.ready, theme.muted),
            };
            canvas.put(inner.x + 2, y, 1, mark, style);
            let style = match (under, choice.shown) {
                (true, _) => theme.title,
                (false, true) => theme.text,
                (false, false) => theme.muted,
            };
            let sort = self.sort.as_ref();
            let sorted = sort.filter(|sort| sort.column == choice.column);
            let arrow = sorted.map_or(" ", |sort| match sort.descending {
                true => theme.glyphs.descending,
                false => theme.glyphs.ascending,
            });
            canvas.put(inner.x + 4, y, 1, arrow, theme.accent);
            let room = inner.width.saturating_sub(6);
            let used = canvas.put(inner.x + 6, y, room, &choice.title, style);
            let room = room.saturating_sub(used + 2);
            if shown_width(&choice.note) <= usize::from(room) {
                canvas.put_right(inner.x + used + 8, y, room, &choice.note, theme.muted);
            }
        }
        let shown = self.choices.iter().filter(|choice| choice.shown).count();
        let text = format!("{shown} of {} shown", self.choices.len());
        let (text, style) = match self.problem {
            Some(problem) => (format!("{} {problem}", theme.glyphs.cross), theme.error),
            None => (text, theme.muted),
        };
        canvas.put(inner.x, inner.bottom() - 1, inner.width, &text, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chooser() -> Chooser {
        let choices = ["name", "weight", "born"].map(|key| Choice {
            column: Column::Property(key.to_owned()),
            title: key.to_owned(),
            note: String::new(),
            shown: key != "born",
        });
        Chooser::new(choices.into(), 0, None)
    }

    fn press(chooser: &mut Chooser, code: KeyCode, modifiers: KeyModifiers) -> ChooserOutcome {
        chooser.key(&KeyEvent::new(code, modifiers))
    }

    fn keys(chooser: &Chooser) -> Vec<String> {
        let columns = chooser.columns();
        columns
            .iter()
            .map(|column| column.heading().to_owned())
            .collect()
    }

    #[test]
    fn columns_are_shown_hidden_and_carried() {
        let mut chooser = chooser();
        for (code, modifiers) in [
            (KeyCode::Right, KeyModifiers::SHIFT),
            (KeyCode::Char('J'), KeyModifiers::SHIFT),
            (KeyCode::Char('J'), KeyModifiers::SHIFT),
        ] {
            press(&mut chooser, code, modifiers);
        }
        assert_eq!(keys(&chooser), ["weight", "name"]);
        press(&mut chooser, KeyCode::Up, KeyModifiers::NONE);
        press(&mut chooser, KeyCode::Char(' '), KeyModifiers::NONE);
        assert_eq!(keys(&chooser), ["weight", "born", "name"]);
        for code in [KeyCode::Left, KeyCode::Up, KeyCode::Left] {
            press(&mut chooser, code, KeyModifiers::SHIFT);
        }
        assert_eq!(keys(&chooser), ["born", "weight", "name"]);
    }

    #[test]
    fn nothing_at_all_cannot_be_taken() {
        let mut chooser = chooser();
        press(&mut chooser, KeyCode::Char('a'), KeyModifiers::NONE);
        assert_eq!(keys(&chooser).len(), 3);
        press(&mut chooser, KeyCode::Char('a'), KeyModifiers::NONE);
        let enter = press(&mut chooser, KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(enter, ChooserOutcome::Stay);
        assert!(chooser.problem.is_some());
        press(&mut chooser, KeyCode::Char(' '), KeyModifiers::NONE);
        let enter = press(&mut chooser, KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(enter, ChooserOutcome::Taken);
    }

    #[test]
    fn one_key_sorts_up_down_and_not() {
        let mut chooser = chooser();
        let mut seen = Vec::new();
        for _ in 0..3 {
            press(&mut chooser, KeyCode::Char('t'), KeyModifiers::NONE);
            seen.push(chooser.sort.as_ref().map(|sort| sort.descending));
        }
        assert_eq!(seen, [Some(false), Some(true), None]);
    }
}
