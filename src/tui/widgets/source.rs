//! Where a contact field comes from, while it is typed: a record field or a template, with what the sample makes of it.

use super::expression::Expression;
use super::leaves;
use super::overlay::frame;
use super::text::{Tone, wrap};
use crate::model::MappingName;
use crate::tui::canvas::{Canvas, below};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

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
    expression: Expression,
    /// The text before anybody typed.
    before: String,
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
        Self {
            mapping,
            target,
            expression: Expression::new(text, fields),
            before: text.to_owned(),
            result: Vec::new(),
        }
    }

    /// True if the text is another one than at the beginning.
    pub fn is_typed_in(&self) -> bool {
        self.text() != self.before
    }

    /// True if both began with the same text of the same field.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.mapping, &self.target, &self.before)
            == (&other.mapping, &other.target, &other.before)
    }

    /// The text as it stands.
    pub fn text(&self) -> &str {
        self.expression.text()
    }

    /// What it is called.
    pub fn title(&self) -> String {
        format!("{} from", self.target)
    }

    /// Takes the offered field of this number.
    pub fn take(&mut self, at: usize) {
        self.expression.take(at);
    }

    /// Puts pasted text in, on one line.
    pub fn paste(&mut self, text: &str) {
        self.expression.paste(text);
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> SourceOutcome {
        match (key.code, key.modifiers) {
            _ if leaves(key) => return SourceOutcome::Dropped,
            (KeyCode::Char('r'), KeyModifiers::CONTROL) => {
                self.expression.retype(&self.before);
                return SourceOutcome::Typed;
            }
            (KeyCode::Enter, _) if self.text().trim().is_empty() => {}
            (KeyCode::Enter, _) => return SourceOutcome::Done,
            (KeyCode::Tab, _) if self.expression.offers() => {
                self.expression.complete();
                return SourceOutcome::Typed;
            }
            (KeyCode::Down, _) => self.expression.choose(true),
            (KeyCode::Up, _) => self.expression.choose(false),
            _ if self.expression.key(key) => return SourceOutcome::Typed,
            _ => {}
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
        let offered = self.expression.offered_height();
        let height = (result.len().max(1) + offered + 5) as u16;
        let inner = frame(canvas, area, width, height.min(area.height), &self.title());
        let line = Rect {
            height: 1.min(inner.height),
            ..inner
        };
        self.expression.draw(canvas, line, true);
        let room = below(inner, 1);
        let mut y = room.y + self.expression.draw_offered(canvas, room);
        y += 1;
        for (text, tone) in &result {
            if y + 1 >= inner.bottom() {
                break;
            }
            canvas.put(inner.x, y, inner.width, text, tone.style(theme));
            y += 1;
        }
        let keys = match self.is_typed_in() {
            true => "enter take   tab complete   ctrl-r as it was   esc leave",
            false => "enter take   tab complete   esc leave",
        };
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
