//! Text shown whole: wrapped by display width, scrolled, in tones.

use crate::tui::canvas::Canvas;
use crate::tui::cells;
use crate::tui::keymap::Action;
use crate::tui::theme::Theme;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::cell::Cell as Shared;
use unicode_segmentation::UnicodeSegmentation;

/// What a line of text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Muted,
    Accent,
    Ok,
    Warn,
    Error,
    Title,
}

impl Tone {
    /// The style of the meaning.
    pub fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Plain => theme.text,
            Self::Muted => theme.muted,
            Self::Accent => theme.accent,
            Self::Ok => theme.ok,
            Self::Warn => theme.warn,
            Self::Error => theme.error,
            Self::Title => theme.title,
        }
    }
}

/// A space at which no line is broken; it is drawn as one.
const TIED: &str = "\u{a0}";

/// Texts with their tones, one a paragraph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paragraphs(pub Vec<(String, Tone)>);

impl Paragraphs {
    /// Adds a paragraph; newlines in it are kept.
    pub fn add(&mut self, text: impl Into<String>, tone: Tone) {
        self.0.push((text.into(), tone));
    }

    /// Adds a paragraph of pieces, each of which stays on one line where it has room.
    pub fn pieces(&mut self, pieces: &[String], tone: Tone) {
        let whole: Vec<_> = pieces.iter().map(|p| p.replace(' ', TIED)).collect();
        self.add(whole.join("   "), tone);
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.0.push((String::new(), Tone::Plain));
    }

    /// Lines of at most `width` columns.
    pub fn lines(&self, width: u16) -> Vec<(String, Tone)> {
        self.0
            .iter()
            .flat_map(|(text, tone)| wrap(text, width).into_iter().map(|line| (line, *tone)))
            .collect()
    }
}

/// Breaks text into lines of at most `width` columns, at spaces where there are any.
pub fn wrap(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width.max(2));
    let clean = cells::block(text);
    let mut lines = Vec::new();
    for paragraph in clean.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_inclusive(' ') {
            let wide = cells::width(word);
            if used + cells::width(word.trim_end()) > width && used > 0 {
                // The space at the break may stand beyond the width: the line would be cut for it.
                line.truncate(line.trim_end_matches(' ').len());
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if wide <= width || cells::width(word.trim_end()) <= width {
                line.push_str(word);
                used += wide;
                continue;
            }
            for cluster in word.graphemes(true) {
                let wide = cells::cluster_width(cluster);
                if used + wide > width {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(cluster);
                used += wide;
            }
        }
        lines.push(line);
    }
    for line in lines.iter_mut().filter(|line| line.contains(TIED)) {
        *line = line.replace(TIED, " ");
    }
    lines
}

/// What lies out of sight: `3 above, 12 below`; nothing where all is in sight.
pub fn out_of_sight(above: usize, below: usize) -> String {
    let parts = [(above, "above"), (below, "below")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, way)| format!("{number} {way}"))
        .collect();
    parts.join(", ")
}

/// How far a text is scrolled.
#[derive(Clone, Debug, Default)]
pub struct Scroll {
    top: usize,
    height: Shared<usize>,
    lines: Shared<usize>,
}

impl Scroll {
    /// Scrolls; true if the action was a movement.
    pub fn act(&mut self, action: Action) -> bool {
        let height = self.height.get().max(1);
        let last = self.lines.get().saturating_sub(height);
        self.top = match action {
            Action::Up => self.top.saturating_sub(1),
            Action::Down => self.top + 1,
            Action::Top => 0,
            Action::Bottom => last,
            Action::HalfDown => self.top + height / 2,
            Action::HalfUp => self.top.saturating_sub(height / 2),
            Action::PageDown => self.top + height,
            Action::PageUp => self.top.saturating_sub(height),
            _ => return false,
        }
        .min(last);
        true
    }

    /// Back to the top.
    pub fn reset(&mut self) {
        self.top = 0;
    }

    /// Draws lines from where the text is scrolled to, with a note of what is below.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, lines: &[(String, Tone)]) {
        let height = usize::from(area.height);
        self.height.set(height);
        self.lines.set(lines.len());
        let top = self.top.min(lines.len().saturating_sub(height));
        // The note has the last line for itself, so that it hides nothing.
        let more = lines.len() > top + height && area.height > 1;
        let shown = height - usize::from(more);
        for (at, (line, tone)) in lines.iter().skip(top).take(shown).enumerate() {
            let style = tone.style(canvas.theme);
            canvas.put(area.x, area.y + at as u16, area.width, line, style);
        }
        if more {
            let below = lines.len() - top - shown;
            let note = format!(" {below} more lines ");
            let style = canvas.theme.muted;
            canvas.put_right(area.x, area.bottom() - 1, area.width, &note, style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_inside() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(
            wrap("e\u{301}e\u{301}e\u{301}", 2),
            ["e\u{301}e\u{301}", "e\u{301}"]
        );
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
        assert_eq!(wrap("x\u{1b}[2J", 10), ["x␛[2J"]);
        for line in wrap(&"wörd ".repeat(100), 17) {
            assert!(cells::width(&line) <= 17);
        }
    }
}
