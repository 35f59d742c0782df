//! Short messages that leave by themselves.

use crate::model::Level;
use crate::tui::canvas::{Canvas, shown_width};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

/// One message and the time it leaves.
#[derive(Clone, Debug)]
pub struct Toast {
    pub level: Level,
    pub text: String,
    pub until: Timestamp,
}

/// Messages in view, newest last; at most three.
#[derive(Clone, Debug, Default)]
pub struct Toasts(Vec<Toast>);

impl Toasts {
    /// Shows a message: errors stay longer.
    pub fn push(&mut self, level: Level, text: String, now: Timestamp) {
        let seconds = match level {
            Level::Ok => 4,
            Level::Warning => 6,
            Level::Error => 10,
        };
        self.0.retain(|toast| toast.text != text);
        if self.0.len() == 3 {
            self.0.remove(0);
        }
        self.0.push(Toast {
            level,
            text,
            until: now + SignedDuration::from_secs(seconds),
        });
    }

    /// Drops what has had its time; true if something was dropped.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.0.len();
        self.0.retain(|toast| toast.until > now);
        self.0.len() != before
    }

    /// Drops all; true if there was one.
    pub fn clear(&mut self) -> bool {
        let any = !self.0.is_empty();
        self.0.clear();
        any
    }

    /// When the next one leaves.
    pub fn wake(&self) -> Option<Timestamp> {
        self.0.iter().map(|toast| toast.until).min()
    }

    /// The messages in view.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|toast| toast.text.as_str())
    }

    /// Draws them in the lower right corner of an area.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        for (at, toast) in self.0.iter().rev().enumerate() {
            let Some(y) = area.bottom().checked_sub(1 + at as u16) else {
                return;
            };
            if y < area.y {
                return;
            }
            let glyphs = canvas.theme.glyphs;
            let (glyph, style) = match toast.level {
                Level::Ok => (glyphs.check, canvas.theme.ok),
                Level::Warning => ("!", canvas.theme.warn),
                Level::Error => (glyphs.cross, canvas.theme.error),
            };
            let text = format!(" {glyph} {} ", toast.text);
            let width = shown_width(&text).min(usize::from(area.width)) as u16;
            let x = area.right() - width;
            canvas.clear(Rect::new(x, y, width, 1));
            canvas.put(x, y, width, &text, style);
        }
    }
}
