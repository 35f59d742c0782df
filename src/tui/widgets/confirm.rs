//! A question before something that writes, destroys or acts on many. No is the default.

use super::overlay::frame;
use super::text::{Tone, wrap};
use crate::tui::canvas::Canvas;
use crate::tui::context::Then;
use ratatui::layout::Rect;

/// A yes-or-no question.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    pub title: String,
    lines: Vec<(String, Tone)>,
    /// What yes does.
    pub then: Option<Then>,
    /// The command that does the same.
    pub did: Option<String>,
}

impl Confirm {
    /// A question.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            lines: Vec::new(),
            then: None,
            did: None,
        }
    }

    /// Says more.
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.lines.push((text.into(), Tone::Plain));
        self
    }

    /// Warns.
    pub fn warn(mut self, text: impl Into<String>) -> Self {
        self.lines.push((text.into(), Tone::Warn));
        self
    }

    /// What yes does.
    pub fn then(mut self, then: Then) -> Self {
        self.then = Some(then);
        self
    }

    /// The same question with the title and the first lines of another: what else it says and does stays.
    pub fn as_in(mut self, other: Self) -> Self {
        self.title = other.title;
        for (line, new) in self.lines.iter_mut().zip(other.lines) {
            *line = new;
        }
        self
    }

    /// The command that does the same.
    pub fn did(mut self, command: String) -> Self {
        self.did = Some(command);
        self
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let width = area.width.saturating_sub(4).min(72);
        let mut lines = Vec::new();
        for (text, tone) in &self.lines {
            for line in wrap(text, width.saturating_sub(4)) {
                lines.push((line, *tone));
            }
        }
        let height = (lines.len() as u16 + 4).min(area.height);
        let inner = frame(canvas, area, width, height, &self.title);
        for (at, (line, tone)) in lines.iter().enumerate() {
            let y = inner.y + at as u16;
            if y + 1 >= inner.bottom() {
                break;
            }
            let style = tone.style(canvas.theme);
            canvas.put(inner.x, y, inner.width, line, style);
        }
        let (key, muted) = (canvas.theme.key, canvas.theme.muted);
        if inner.height > 0 {
            canvas.spans(
                inner.x,
                inner.bottom() - 1,
                inner.width,
                &[
                    ("y", key),
                    (" yes   ", muted),
                    ("n esc enter", key),
                    (" no", muted),
                ],
            );
        }
    }
}
