//! One line of input below the screen: the filter of a list.

use crate::tui::canvas::{Canvas, shown_width};
use crate::tui::hits::Hit;
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// The ways in which the last word of a text may go on; each replaces that word.
pub type Complete = fn(&str) -> Vec<String>;

/// Completions that are offered at a time.
const OFFERED: usize = 8;

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOutcome {
    /// The text or the cursor changed, or nothing did.
    Stay,
    Done,
    Dropped,
}

/// A text being typed, with completions of its last word.
#[derive(Clone, Debug, Default)]
pub struct InputLine {
    input: Input,
    /// What the list was filtered by before; `esc` goes back to it.
    pub before: String,
    /// Of a filter language; `None` where the text is just looked for.
    completes: Option<Complete>,
    completions: Vec<String>,
    chosen: usize,
}

impl InputLine {
    /// Starts with a text; `completes` offers what a filter language knows.
    pub fn new(text: &str, completes: Option<Complete>) -> Self {
        let mut line = Self {
            input: Input::new(text.to_owned()),
            before: text.to_owned(),
            completes,
            completions: Vec::new(),
            chosen: 0,
        };
        line.complete();
        line
    }

    /// The text as it stands.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// The completions of the text as it stands: never those of a text that was.
    fn complete(&mut self) {
        self.chosen = 0;
        self.completions = match self.completes {
            Some(complete) => complete(self.text()),
            None => Vec::new(),
        };
    }

    /// The keys that it takes, for the footer.
    pub fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match self.completes.is_some() {
            true => &[("enter", "apply"), ("tab", "complete"), ("esc", "leave")],
            false => &[("enter", "apply"), ("esc", "leave")],
        }
    }

    /// Puts pasted text in, on one line.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            self.input.handle(tui_input::InputRequest::InsertChar(c));
        }
        self.complete();
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> LineOutcome {
        match (key.code, key.modifiers) {
            (KeyCode::Enter, _) => return LineOutcome::Done,
            (KeyCode::Esc, _) | (KeyCode::Char('c'), KeyModifiers::CONTROL) => {
                return LineOutcome::Dropped;
            }
            (KeyCode::Tab | KeyCode::Right, _)
                if !self.completions.is_empty()
                    && self.input.cursor() == self.text().chars().count() =>
            {
                self.take(self.chosen);
            }
            (KeyCode::Down, _) if !self.completions.is_empty() => {
                self.chosen = (self.chosen + 1) % self.completions.len();
            }
            (KeyCode::Up, _) if !self.completions.is_empty() => {
                self.chosen = (self.chosen + self.completions.len() - 1) % self.completions.len();
            }
            _ => {
                let change = self.input.handle_event(&TerminalEvent::Key(*key));
                if change.is_some_and(|change| change.value) {
                    self.complete();
                }
            }
        }
        LineOutcome::Stay
    }

    /// True while completions are offered.
    pub fn offers(&self) -> bool {
        !self.completions.is_empty()
    }

    /// The lines that completions take above it, at most.
    pub fn offered_height(&self) -> u16 {
        self.completions.len().min(OFFERED) as u16
    }

    /// Takes the completion of this number.
    pub fn take(&mut self, at: usize) {
        let Some(word) = self.completions.get(at) else {
            return;
        };
        let text = self.input.value();
        let start = text.rfind(' ').map_or(0, |at| at + 1);
        let text = format!("{}{word}", &text[..start]);
        self.input = Input::new(text);
        self.complete();
    }

    /// Draws the line, and the completions above it.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let y = area.bottom().saturating_sub(1);
        canvas.clear(Rect::new(area.x, y, area.width, 1));
        let (key, text, muted) = (canvas.theme.key, canvas.theme.text, canvas.theme.muted);
        canvas.put(area.x + 1, y, 1, "/", key);
        let place = Rect::new(area.x + 2, y, area.width.saturating_sub(3), 1);
        canvas.typed(place, self.text(), self.input.cursor(), text, true);
        let most = usize::from(area.height.saturating_sub(1)).min(OFFERED);
        let from = (self.chosen + 1).saturating_sub(most);
        let list: Vec<_> = self.completions.iter().skip(from).take(most).collect();
        let width = list.iter().map(|c| shown_width(c)).max().unwrap_or(0) as u16 + 2;
        for (at, completion) in list.iter().enumerate() {
            let row = y - list.len() as u16 + at as u16;
            let width = width.min(area.width);
            canvas.clear(Rect::new(area.x, row, width, 1));
            let under = from + at == self.chosen;
            let style = if under { canvas.theme.cursor } else { muted };
            canvas.put(area.x + 1, row, width.saturating_sub(1), completion, style);
            canvas.hit(Rect::new(area.x, row, width, 1), Hit::Offer(from + at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobState;
    use crate::model::filter::Filter;

    fn press(line: &mut InputLine, code: KeyCode) -> LineOutcome {
        line.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn a_completion_replaces_the_last_word() {
        let mut line = InputLine::new("mapping:pets -st", Some(Filter::complete));
        press(&mut line, KeyCode::Tab);
        assert_eq!(line.text(), "mapping:pets -state:");
        press(&mut line, KeyCode::Down);
        press(&mut line, KeyCode::Tab);
        let second = JobState::ALL[1].name();
        assert_eq!(line.text(), format!("mapping:pets -state:{second}"));
    }

    #[test]
    fn a_completion_is_of_the_text_as_it_stands() {
        let mut line = InputLine::new("state:", Some(Filter::complete));
        for c in "fa".chars() {
            press(&mut line, KeyCode::Char(c));
        }
        press(&mut line, KeyCode::Tab);
        assert_eq!(line.text(), "state:failed");
        let mut line = InputLine::new("", None);
        press(&mut line, KeyCode::Char('s'));
        press(&mut line, KeyCode::Tab);
        assert_eq!(line.text(), "s");
    }

    #[test]
    fn pasted_lines_become_one() {
        let mut line = InputLine::new("", None);
        line.paste("a\nb\u{1b}");
        assert_eq!(line.text(), "a b ");
        assert_eq!(press(&mut line, KeyCode::Enter), LineOutcome::Done);
        assert_eq!(press(&mut line, KeyCode::Esc), LineOutcome::Dropped);
    }
}
