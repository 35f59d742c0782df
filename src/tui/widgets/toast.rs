//! Short messages that leave by themselves; an error not before a key was pressed in its sight. What a later event makes
//! untrue is taken back by what it is about.

use super::text::wrap;
use crate::model::Level;
use crate::tui::canvas::{Canvas, cut, shown_width};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// What a message is about that may not be true for as long as it would stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// What is wrong with config.toml.
    Configuration,
    /// The last change of a mapping.
    Change,
    /// What config.toml has by now where a mapping is being changed.
    Base,
    /// What a person is to do next: true until the next key.
    Next,
    /// A job whose record was mended: true until it is retried.
    Mended,
}

/// Columns and lines that a message takes at most.
const WIDEST: u16 = 100;
const LINES: usize = 5;

/// One message and the time it leaves.
#[derive(Clone, Debug)]
pub struct Toast {
    pub level: Level,
    pub text: String,
    pub until: Timestamp,
    about: Option<About>,
    /// An error that nobody has seen yet, as far as keys tell.
    unread: bool,
}

/// Messages in view, newest last; at most three.
#[derive(Clone, Debug, Default)]
pub struct Toasts(Vec<Toast>);

impl Toasts {
    /// Shows a message: errors stay longer, and until they are read.
    pub fn push(&mut self, level: Level, text: String, now: Timestamp) {
        self.add(None, level, text, now);
    }

    /// Shows a message that may be taken back.
    pub fn push_about(&mut self, about: About, level: Level, text: String, now: Timestamp) {
        self.add(Some(about), level, text, now);
    }

    /// Takes back what was said about something.
    pub fn retract(&mut self, about: About) {
        self.0.retain(|toast| toast.about != Some(about));
    }

    fn add(&mut self, about: Option<About>, level: Level, text: String, now: Timestamp) {
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
            about,
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

    /// Drops all.
    pub fn clear(&mut self) {
        self.0.clear();
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

    /// The newest message in so many columns, with its lines' style: what is said while a window is open.
    fn newest(&self, canvas: &Canvas, width: u16) -> Option<(Vec<String>, Style)> {
        let toast = self.0.last()?;
        let (glyph, style) = look(canvas, toast.level);
        let mut lines = wrap(&toast.text, width.saturating_sub(6));
        lines.truncate(LINES);
        let lines = lines.iter().enumerate().map(|(at, line)| {
            let mark = if at == 0 { glyph } else { " " };
            format!(" {mark} {line} ")
        });
        Some((lines.collect(), style))
    }

    /// Lines that [`Toasts::draw_beneath`] takes.
    pub fn height_beneath(&self, canvas: &Canvas, width: u16) -> u16 {
        let newest = self.newest(canvas, width);
        newest.map_or(0, |(lines, _)| lines.len() as u16)
    }

    /// Draws the newest message on the last lines of an area, which no window stands on.
    pub fn draw_beneath(&self, canvas: &mut Canvas, area: Rect) {
        let Some((lines, style)) = self.newest(canvas, area.width) else {
            return;
        };
        let widest = lines.iter().map(|line| shown_width(line)).max();
        let width = (widest.unwrap_or(0) as u16).min(area.width);
        let top = area.bottom().saturating_sub(lines.len() as u16);
        let x = area.right() - width;
        canvas.clear(Rect::new(x, top, width, lines.len() as u16));
        for (line, y) in lines.iter().zip(top..) {
            canvas.put(x, y, width, line, style);
        }
    }

    /// Draws them in the lower right corner of an area, the newest lowest: each whole as far as its lines go.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let room = area.width.saturating_sub(4).min(WIDEST);
        let mut bottom = area.bottom();
        for toast in self.0.iter().rev() {
            let glyphs = canvas.theme.glyphs;
            let (glyph, style) = look(canvas, toast.level);
            let mut lines = wrap(&toast.text, room);
            if lines.len() > LINES {
                lines.truncate(LINES);
                if let Some(last) = lines.last_mut() {
                    last.push_str(&glyphs.cut.repeat(2));
                    *last = cut(last, room, glyphs.cut);
                }
            }
            let height = lines.len() as u16;
            let widest = lines.iter().map(|line| shown_width(line)).max();
            let width = (widest.unwrap_or(0) as u16 + 4).min(area.width);
            let Some(top) = bottom.checked_sub(height).filter(|top| *top >= area.y) else {
                return;
            };
            bottom = top;
            let x = area.right() - width;
            canvas.clear(Rect::new(x, top, width, height));
            for (line, y) in lines.iter().zip(top..) {
                let mark = if y == top { glyph } else { " " };
                canvas.put(x, y, width, &format!(" {mark} {line} "), style);
            }
        }
    }
}

/// What marks a message of a level.
fn look(canvas: &Canvas, level: Level) -> (&'static str, Style) {
    let theme = canvas.theme;
    match level {
        Level::Ok => (theme.glyphs.check, theme.ok),
        Level::Warning => ("!", theme.warn),
        Level::Error => (theme.glyphs.cross, theme.error),
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
        assert_eq!(toasts.texts().count(), 0);
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
