//! Where a contact field comes from, while it is typed: a record field or a template, with what the sample makes of it.

use super::overlay::frame;
use super::text::{Tone, wrap};
use crate::model::MappingName;
use crate::tui::canvas::{Canvas, shown_width};
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

/// Record fields that are offered at a time.
const OFFERED: usize = 6;

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceOutcome {
    /// Nothing that changes the result.
    Stay,
    /// The text is another one.
    Typed,
    Done,
    Dropped,
}

/// A source being typed.
#[derive(Clone, Debug)]
pub struct Source {
    pub mapping: MappingName,
    /// The contact field, as config.toml names it.
    pub target: String,
    input: Input,
    /// The record's fields: key and what is said about it.
    fields: Vec<(String, String)>,
    offered: Vec<usize>,
    chosen: usize,
    /// What the text makes of the sample, or why it does not; empty until that is known.
    pub result: Vec<(String, Tone)>,
}

impl Source {
    /// Begins with a text.
    pub fn new(
        mapping: MappingName,
        target: String,
        text: &str,
        fields: Vec<(String, String)>,
    ) -> Self {
        let mut source = Self {
            mapping,
            target,
            input: Input::new(text.to_owned()),
            fields,
            offered: Vec::new(),
            chosen: 0,
            result: Vec::new(),
        };
        source.offer();
        source
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

    fn take(&mut self) {
        let Some((key, _)) = self.offered.get(self.chosen).map(|at| &self.fields[*at]) else {
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

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> SourceOutcome {
        let many = self.offered.len().max(1);
        match (key.code, key.modifiers) {
            (KeyCode::Esc, _) | (KeyCode::Char('c'), KeyModifiers::CONTROL) => {
                return SourceOutcome::Dropped;
            }
            (KeyCode::Enter, _) if self.text().trim().is_empty() => {}
            (KeyCode::Enter, _) => return SourceOutcome::Done,
            (KeyCode::Tab, _) if !self.offered.is_empty() => {
                self.take();
                return SourceOutcome::Typed;
            }
            (KeyCode::Down, _) => self.chosen = (self.chosen + 1) % many,
            (KeyCode::Up, _) => self.chosen = (self.chosen + many - 1) % many,
            _ => {
                let change = self.input.handle_event(&TerminalEvent::Key(*key));
                if change.is_some_and(|change| change.value) {
                    self.offer();
                    return SourceOutcome::Typed;
                }
            }
        }
        SourceOutcome::Stay
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let width = area.width.saturating_sub(4).min(100);
        let inside = width.saturating_sub(4);
        let result = self.result.iter().flat_map(|(text, tone)| {
            let lines = wrap(text, inside).into_iter();
            lines.map(|line| (line, *tone))
        });
        let result: Vec<_> = result.collect();
        let offered = self.offered.len().min(OFFERED);
        let height = (result.len().max(1) + offered + 5) as u16;
        let title = format!("{} from", self.target);
        let inner = frame(canvas, area, width, height.min(area.height), &title);
        let line = Rect {
            height: 1.min(inner.height),
            ..inner
        };
        canvas.typed(line, self.text(), self.input.cursor(), theme.text, true);
        let mut y = inner.y + 1;
        let from = (self.chosen + 1).saturating_sub(OFFERED);
        let widest = self
            .offered
            .iter()
            .map(|at| shown_width(&self.fields[*at].0));
        let widest = widest.max().unwrap_or(0).min(40) as u16;
        for (place, at) in self.offered.iter().enumerate().skip(from).take(offered) {
            if y >= inner.bottom() {
                return;
            }
            let (key, note) = &self.fields[*at];
            let style = if place == self.chosen {
                theme.cursor
            } else {
                theme.muted
            };
            canvas.put(inner.x + 2, y, widest, key, style);
            let x = inner.x + 4 + widest;
            canvas.put(x, y, inner.right().saturating_sub(x), note, theme.muted);
            y += 1;
        }
        y += 1;
        for (text, tone) in &result {
            if y + 1 >= inner.bottom() {
                break;
            }
            canvas.put(inner.x, y, inner.width, text, tone.style(theme));
            y += 1;
        }
        let keys = "enter take   tab complete   esc leave";
        if inner.height > 2 {
            canvas.put(inner.x, inner.bottom() - 1, inner.width, keys, theme.muted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        let fields = ["name", "weight", "owner_name"].map(|key| (key.to_owned(), String::new()));
        Source::new("pets".into(), "%X%".into(), text, fields.into())
    }

    fn press(source: &mut Source, code: KeyCode) -> SourceOutcome {
        source.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn a_field_is_completed_alone_and_inside_a_template() {
        let mut plain = source("na");
        assert_eq!(press(&mut plain, KeyCode::Tab), SourceOutcome::Typed);
        assert_eq!(plain.text(), "name");
        let mut template = source("é {{ wei");
        press(&mut template, KeyCode::Tab);
        assert_eq!(template.text(), "é {{ weight");
        press(&mut template, KeyCode::Char(' '));
        assert_eq!(
            press(&mut template, KeyCode::Tab),
            SourceOutcome::Stay,
            "nothing is being named"
        );
    }

    #[test]
    fn arrows_choose_among_what_is_offered() {
        let mut plain = source("name");
        press(&mut plain, KeyCode::Tab);
        assert_eq!(plain.text(), "owner_name");
        let mut empty = source("");
        press(&mut empty, KeyCode::Down);
        press(&mut empty, KeyCode::Tab);
        assert_eq!(empty.text(), "weight");
    }

    #[test]
    fn an_empty_source_is_not_taken() {
        let mut empty = source(" ");
        assert_eq!(press(&mut empty, KeyCode::Enter), SourceOutcome::Stay);
        assert_eq!(press(&mut empty, KeyCode::Esc), SourceOutcome::Dropped);
    }
}
