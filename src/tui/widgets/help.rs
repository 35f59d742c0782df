//! The keys of a screen, straight from the key table.

use super::overlay::frame;
use super::text::{Scroll, Tone, wrap};
use crate::tui::canvas::Canvas;
use crate::tui::keymap::{Bound, Keymap, Tab};
use ratatui::layout::Rect;

/// Columns for the keys.
const KEYS: u16 = 14;

/// The help of one screen.
#[derive(Clone, Debug)]
pub struct Help {
    tab: Tab,
    pub scroll: Scroll,
}

impl Help {
    /// The help of a screen.
    pub fn new(tab: Tab) -> Self {
        Self {
            tab,
            scroll: Scroll::default(),
        }
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, keymap: &Keymap) {
        let width = area.width.saturating_sub(4).min(90);
        let room = width.saturating_sub(4 + KEYS + 1);
        let mut lines = vec![(format!("On {}", self.tab.title()), Tone::Title)];
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
        let bind = |lines: &mut Vec<(String, Tone)>, bound: &Bound| {
            add(lines, &bound.key_names(), bound.binding.help, Tone::Plain);
            if !bound.binding.twin.is_empty() {
                add(lines, "", &aim.lines(bound.binding.twin), Tone::Muted);
            }
        };
        for bound in keymap.of(self.tab) {
            bind(&mut lines, bound);
        }
        lines.push((String::new(), Tone::Plain));
        lines.push(("Everywhere".to_owned(), Tone::Title));
        for bound in keymap.everywhere() {
            bind(&mut lines, bound);
        }
        if let Some(path) = &canvas.session.log_path {
            lines.push((String::new(), Tone::Plain));
            let text = format!("log: {}", path.display());
            let parts = wrap(&text, width.saturating_sub(4)).into_iter();
            lines.extend(parts.map(|part| (part, Tone::Muted)));
        }
        let height = (lines.len() as u16 + 2).min(area.height.saturating_sub(2));
        let inner = frame(canvas, area, width, height, "Keys");
        self.scroll.draw(canvas, inner, &lines);
    }
}
