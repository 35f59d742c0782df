//! The keys of a screen, straight from the key table; those with a text, once one is looked for.

use super::overlay::frame;
use super::text::{Scroll, Tone, wrap};
use crate::tui::app::types;
use crate::tui::canvas::Canvas;
use crate::tui::keymap::{Bound, Keymap, Tab};
use crate::tui::screens::contains;
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent};
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// Columns for the keys.
const KEYS: u16 = 14;

/// The help of one screen.
#[derive(Clone, Debug)]
pub struct Help {
    tab: Tab,
    pub scroll: Scroll,
    /// What is looked for.
    find: Input,
    /// Keys are characters of it.
    finding: bool,
}

impl Help {
    /// The help of a screen.
    pub fn new(tab: Tab) -> Self {
        Self {
            tab,
            scroll: Scroll::default(),
            find: Input::default(),
            finding: false,
        }
    }

    /// Lets a text be typed that is looked for.
    pub fn search(&mut self) {
        self.finding = true;
    }

    /// Puts pasted text into what is looked for.
    pub fn paste(&mut self, text: &str) {
        if self.finding {
            for c in text.chars().filter(|c| !c.is_control()) {
                self.find.handle(tui_input::InputRequest::InsertChar(c));
            }
            self.scroll.reset();
        }
    }

    /// Takes a key while something is looked for; false if it is none of the search.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        match key.code {
            KeyCode::Esc if self.finding || !self.find.value().is_empty() => {
                self.find = Input::default();
                self.finding = false;
            }
            KeyCode::Enter if self.finding => self.finding = false,
            // What was found is scrolled meanwhile.
            KeyCode::Char(_) if !types(key) => return false,
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => return false,
            _ if self.finding => {
                self.find.handle_event(&TerminalEvent::Key(*key));
            }
            _ => return false,
        }
        self.scroll.reset();
        true
    }

    /// The keys that it takes, for the footer.
    pub fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match self.finding {
            true => &[("type", "to find"), ("enter", "keep"), ("esc", "all keys")],
            false if self.find.value().is_empty() => {
                &[("j k", "scroll"), ("/", "search"), ("esc", "close")]
            }
            false => &[("j k", "scroll"), ("/", "search"), ("esc", "all keys")],
        }
    }

    fn finds(&self, bound: &Bound) -> bool {
        let (find, keys) = (self.find.value().trim(), bound.key_names());
        let texts = [
            &*keys,
            bound.binding.name,
            bound.binding.help,
            bound.binding.twin,
        ];
        texts.into_iter().any(|text| contains(text, find))
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, keymap: &Keymap) {
        let width = area.width.saturating_sub(4).min(90);
        let room = width.saturating_sub(4 + KEYS + 1);
        let add = |lines: &mut Vec<(String, Tone)>, keys: &str, text: &str, tone: Tone| {
            // Keys that do not fit beside the text stand above it.
            let beside = keys.len() <= usize::from(KEYS);
            if !beside {
                lines.push((keys.to_owned(), tone));
            }
            for (at, part) in wrap(text, room).into_iter().enumerate() {
                let keys = if at == 0 && beside { keys } else { "" };
                lines.push((
                    format!("{keys:<width$} {part}", width = usize::from(KEYS)),
                    tone,
                ));
            }
        };
        let aim = canvas.session.aim();
        let all = self.find.value().trim().is_empty();
        let mut lines = Vec::new();
        let here: Vec<&Bound> = keymap.of(self.tab).filter(|b| self.finds(b)).collect();
        let everywhere: Vec<&Bound> = keymap.everywhere().filter(|b| self.finds(b)).collect();
        let parts = [
            (format!("On {}", self.tab.title()), here),
            ("Everywhere".to_owned(), everywhere),
        ];
        for (title, bounds) in parts {
            if bounds.is_empty() {
                continue;
            }
            if !lines.is_empty() {
                lines.push((String::new(), Tone::Plain));
            }
            lines.push((title, Tone::Title));
            for bound in bounds {
                add(
                    &mut lines,
                    &bound.key_names(),
                    bound.binding.help,
                    Tone::Plain,
                );
                if !bound.binding.twin.is_empty() {
                    add(&mut lines, "", &aim.lines(bound.binding.twin), Tone::Muted);
                }
            }
        }
        if lines.is_empty() {
            let key = keymap.key_of(crate::tui::keymap::Action::Palette);
            let text = format!("no key here has that; {key} looks on every screen");
            lines.push((text, Tone::Muted));
        }
        if let Some(path) = canvas.session.log_path.as_ref().filter(|_| all) {
            lines.push((String::new(), Tone::Plain));
            let text = format!("log: {}", path.display());
            let parts = wrap(&text, width.saturating_sub(4)).into_iter();
            lines.extend(parts.map(|part| (part, Tone::Muted)));
        }
        let searched = self.finding || !all;
        let height =
            (lines.len() as u16 + 2 + u16::from(searched)).min(area.height.saturating_sub(2));
        let mut inner = frame(canvas, area, width, height, "Keys");
        if searched && inner.height > 1 {
            canvas.put(inner.x, inner.y, 1, "/", canvas.theme.key);
            let place = Rect::new(inner.x + 1, inner.y, inner.width.saturating_sub(1), 1);
            let (text, at) = (self.find.value(), self.find.cursor());
            canvas.typed(place, text, at, canvas.theme.text, self.finding);
            inner = crate::tui::canvas::below(inner, 1);
        }
        self.scroll.draw(canvas, inner, &lines);
    }
}
