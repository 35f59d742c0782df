//! The keys of a screen, straight from the key table.

use super::overlay::frame;
use super::text::{Scroll, Tone};
use crate::tui::canvas::Canvas;
use crate::tui::keymap::{Keymap, Tab};
use ratatui::layout::Rect;

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
        let line = |keys: String, help: &str| (format!("{keys:<14} {help}"), Tone::Plain);
        let mut lines = vec![(format!("On {}", self.tab.title()), Tone::Title)];
        for bound in keymap.of(self.tab) {
            lines.push(line(bound.key_names(), bound.binding.help));
            if !bound.binding.twin.is_empty() {
                lines.push((format!("{:<14} {}", "", bound.binding.twin), Tone::Muted));
            }
        }
        lines.push((String::new(), Tone::Plain));
        lines.push(("Everywhere".to_owned(), Tone::Title));
        for bound in keymap.everywhere() {
            lines.push(line(bound.key_names(), bound.binding.help));
        }
        if let Some(path) = &canvas.session.log_path {
            lines.push((String::new(), Tone::Plain));
            lines.push((format!("log: {}", path.display()), Tone::Muted));
        }
        let height = (lines.len() as u16 + 2).min(area.height.saturating_sub(2));
        let inner = frame(canvas, area, width, height, "Keys");
        self.scroll.draw(canvas, inner, &lines);
    }
}
