//! Short messages that leave by themselves; an error not before a key was pressed in its sight.

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
    /// An error that nobody has seen yet, as far as keys tell.
    unread: bool,
}

/// Messages in view, newest last; at most three.
#[derive(Clone, Debug, Default)]
pub struct Toasts(Vec<Toast>);

impl Toasts {
    /// Shows a message: errors stay longer, and until they are read.
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
            unread: level == Level::Error,
        });
    }

    /// Somebody is there: what is in view counts as read.
    pub fn read(&mut self) {
        for toast in &mut self.0 {
            toast.unread = false;
        }
    }

    /// Drops what has had its time; true if something was dropped.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.0.len();
        self.0.retain(|toast| toast.unread || toast.until > now);
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
        let leaving = self.0.iter().filter(|toast| !toast.unread);
        leaving.map(|toast| toast.until).min()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_stays_until_somebody_is_there() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut toasts = Toasts::default();
        toasts.push(Level::Error, "the store is locked".into(), at(0));
        toasts.push(Level::Ok, "saved".into(), at(0));
        assert_eq!(toasts.wake(), Some(at(4)));
        assert!(toasts.expire(at(3600)));
        assert_eq!(toasts.texts().collect::<Vec<_>>(), ["the store is locked"]);
        // Nobody is woken for what nobody reads.
        assert_eq!(toasts.wake(), None);
        toasts.read();
        assert!(toasts.expire(at(3600)));
        assert!(!toasts.clear());
    }

    #[test]
    fn an_error_that_is_read_at_once_still_has_its_time() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut toasts = Toasts::default();
        toasts.push(Level::Error, "refused".into(), at(0));
        toasts.read();
        assert!(!toasts.expire(at(9)));
        assert_eq!(toasts.wake(), Some(at(10)));
        assert!(toasts.expire(at(10)));
    }
}
