//! One line of input below the screen: the filter of a list.

use crate::model::filter::{FilterError, quote};
use crate::tui::canvas::{Canvas, shown_width};
use crate::tui::hits::Hit;
use crate::tui::widgets::leaves;
use crate::tui::widgets::text::wrap;
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent};
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// The ways in which the last word of a text may go on; each replaces that word.
pub type Complete = fn(&str) -> Vec<String>;

/// Completions that are offered at a time.
const OFFERED: usize = 8;

/// Values that a key of the filter language may have.
#[derive(Clone, Debug)]
pub struct Known {
    pub key: &'static str,
    pub values: Vec<String>,
}

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
    /// Values of keys that only this place knows.
    known: Vec<Known>,
    completions: Vec<String>,
    chosen: usize,
    /// Why the text could not be entered, until it is changed.
    fault: Option<FilterError>,
}

/// Lines that a fault takes at most.
const FAULT: usize = 3;

impl InputLine {
    /// Starts with a text; `completes` offers what a filter language knows.
    pub fn new(text: &str, completes: Option<Complete>) -> Self {
        let mut line = Self {
            input: Input::new(text.to_owned()),
            before: text.to_owned(),
            completes,
            known: Vec::new(),
            completions: Vec::new(),
            chosen: 0,
            fault: None,
        };
        line.complete();
        line
    }

    /// The text cannot be entered: the cursor goes to what is wrong.
    pub fn refuse(&mut self, fault: FilterError) {
        let at = fault.position;
        self.input.handle(tui_input::InputRequest::SetCursor(at));
        self.fault = Some(fault);
    }

    /// Offers what a key of the filter language may be here: the names of mappings, of connections.
    pub fn knowing(mut self, known: Vec<Known>) -> Self {
        self.known = known;
        self.complete();
        self
    }

    /// The text as it stands.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// The completions of the text as it stands: never those of a text that was.
    fn complete(&mut self) {
        self.chosen = 0;
        self.fault = None;
        self.completions = match self.completes {
            Some(complete) => complete(self.text()),
            None => Vec::new(),
        };
        if self.completes.is_some() {
            let known: Vec<String> = self.known_values().collect();
            self.completions.extend(known);
        }
    }

    /// The ways in which the last word may go on, by what is known here.
    fn known_values(&self) -> impl Iterator<Item = String> {
        let word = self.text().rsplit(' ').next().unwrap_or_default();
        let (minus, bare) = match word.strip_prefix('-') {
            Some(bare) => ("-", bare),
            None => ("", word),
        };
        let (key, begun) = bare.split_once(':').unwrap_or(("", ""));
        let (before, last) = match begun.rfind(',') {
            Some(comma) => begun.split_at(comma + 1),
            None => ("", begun),
        };
        let known = self.known.iter().filter(move |known| known.key == key);
        known
            .flat_map(|known| &known.values)
            .filter_map(move |value| {
                let goes_on = value.starts_with(last.trim_start_matches('"')) && value != last;
                goes_on.then(|| format!("{minus}{key}:{before}{}", quote(value)))
            })
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
            _ if leaves(key) => return LineOutcome::Dropped,
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

    /// The lines that completions, or what is wrong with the text, take above it, at most.
    pub fn offered_height(&self) -> u16 {
        match self.fault {
            Some(_) => FAULT as u16,
            None => self.completions.len().min(OFFERED) as u16,
        }
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
        if let Some(fault) = &self.fault {
            let cross = canvas.theme.glyphs.cross;
            let mut lines = wrap(&format!("{cross} {fault}"), area.width.saturating_sub(2));
            lines.truncate(FAULT.min(usize::from(area.height.saturating_sub(1))));
            let top = y - lines.len() as u16;
            let style = canvas.theme.error;
            for (line, row) in lines.iter().zip(top..) {
                canvas.clear(Rect::new(area.x, row, area.width, 1));
                canvas.put(area.x + 1, row, area.width.saturating_sub(2), line, style);
            }
            return;
        }
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
    use crossterm::event::KeyModifiers;

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
    fn what_only_this_place_knows_is_offered_too() {
        let values = ["pets", "pet owners", "visits"].map(str::to_owned);
        let known = vec![Known {
            key: "mapping",
            values: values.into(),
        }];
        let line = |text| InputLine::new(text, Some(Filter::complete)).knowing(known.clone());
        assert_eq!(
            line("state:failed -mapping:v").completions,
            ["-mapping:visits"]
        );
        assert_eq!(line("mapping:pets,v").completions, ["mapping:pets,visits"]);
        assert_eq!(
            line("mapping:p").completions,
            ["mapping:pets", "mapping:\"pet owners\""]
        );
        assert!(line("run:p").completions.is_empty());
        let mut whole = line("mapping:pet ");
        whole.paste("mapping:pet");
        press(&mut whole, KeyCode::Down);
        press(&mut whole, KeyCode::Tab);
        assert!(Filter::parse(whole.text()).is_ok(), "{}", whole.text());
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
