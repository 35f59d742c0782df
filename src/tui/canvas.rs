//! What a screen draws on: a buffer, the theme, and what the drawing may look at. Every text that is put
//! here passes the sanitiser, is measured by display width and cut with `…`.

use super::cells;
use super::slots::{SPINNER_AFTER, Slot, Slots};
use super::theme::Theme;
use crate::tui::context::Session;
use crate::tui::keymap::{Action, Keymap};
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;

/// A buffer being drawn.
pub struct Canvas<'a> {
    pub buf: &'a mut Buffer,
    pub theme: &'a Theme,
    pub now: Timestamp,
    pub slots: &'a Slots,
    pub session: &'a Session,
    pub keymap: &'a Keymap,
    /// Where the terminal's own cursor stands: in the text field that takes the keys.
    pub cursor: Option<Position>,
}

/// A text that is surely wider than `width` is not measured to its end: the longest prefix that matters.
fn prefix(text: &str, width: u16) -> (&str, bool) {
    let limit = usize::from(width) * 16 + 64;
    if text.len() <= limit {
        return (text, false);
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], true)
}

/// A style that leaves nothing of what was drawn in its place before.
fn whole(style: Style) -> Style {
    let style = Style {
        fg: style.fg.or(Some(Color::Reset)),
        bg: style.bg.or(Some(Color::Reset)),
        ..style
    };
    style.remove_modifier(Modifier::all().difference(style.add_modifier))
}

impl Canvas<'_> {
    /// Writes one line of text into at most `width` columns; returns the columns used.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let area = self.buf.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return 0;
        }
        let width = width.min(area.right() - x);
        if width == 0 {
            return 0;
        }
        let style = whole(style);
        let (text, cut) = prefix(text, width);
        let mut text: Cow<str> = cells::line(text);
        if self.theme.ascii && text.contains('…') {
            text = Cow::Owned(text.replace('…', self.theme.glyphs.cut));
        }
        if !cut && cells::width(&text) <= usize::from(width) {
            let (end, _) = self.buf.set_stringn(x, y, &text, usize::from(width), style);
            return end - x;
        }
        let (end, _) = self
            .buf
            .set_stringn(x, y, &text, usize::from(width - 1), style);
        self.buf
            .set_stringn(end, y, self.theme.glyphs.cut, 1, style);
        end - x + 1
    }

    /// A text that is being typed: `under` the cursor scrolled so that the place where it goes on is in sight, with a mark where
    /// its head is not, and the terminal's cursor there. `at` counts characters.
    pub fn typed(&mut self, area: Rect, text: &str, at: usize, style: Style, under: bool) {
        if !under {
            // Nobody types here: the text from its beginning.
            self.put(area.x, area.y, area.width, text, style);
            return;
        }
        let room = usize::from(area.width.saturating_sub(1));
        let before: String = text.chars().take(at).collect();
        let mut left = shown_width(&before).saturating_sub(room);
        let mut skipped = 0;
        for cluster in before.graphemes(true) {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(shown_width(cluster));
            skipped += cluster.len();
        }
        if skipped > 0 {
            // The mark takes the place of as much as it is wide.
            let mark = self.theme.glyphs.cut;
            let mut left = shown_width(mark);
            let mut hidden = skipped;
            for cluster in text[skipped..].graphemes(true) {
                if left == 0 {
                    break;
                }
                left = left.saturating_sub(shown_width(cluster));
                hidden += cluster.len();
            }
            let gap = shown_width(&text[skipped..hidden]) as u16;
            self.put(area.x, area.y, gap.min(area.width), mark, self.theme.muted);
            let (x, width) = (area.x + gap, area.width.saturating_sub(gap));
            self.put(x, area.y, width, &text[hidden..], style);
        } else {
            self.put(area.x, area.y, area.width, text, style);
        }
        let x = area.x + shown_width(&before[skipped..]) as u16;
        let x = x.min(area.right().saturating_sub(1));
        self.cursor = Some(Position::new(x, area.y));
    }

    /// As [`Canvas::put`], ending at the right edge of the `width` columns.
    pub fn put_right(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) {
        let used = shown_width(text).min(usize::from(width)) as u16;
        self.put(x + width - used, y, used, text, style);
    }

    /// Writes pieces of text one after another, from a line of an area on; what has no room goes to the next line as a whole.
    /// Returns the line behind them.
    pub fn flow(
        &mut self,
        area: Rect,
        mut y: u16,
        pieces: impl IntoIterator<Item = (String, Style)>,
    ) -> u16 {
        let mut x = area.x;
        for (piece, style) in pieces {
            if x > area.x
                && x + shown_width(&piece).min(usize::from(area.width)) as u16 > area.right()
            {
                (x, y) = (area.x, y + 1);
            }
            if y >= area.bottom() {
                break;
            }
            x += self.put(x, y, area.right().saturating_sub(x), &piece, style) + 3;
        }
        y + 1
    }

    /// Writes pieces of text one after another; returns the columns used.
    pub fn spans(&mut self, x: u16, y: u16, width: u16, spans: &[(&str, Style)]) -> u16 {
        let mut used = 0;
        for (text, style) in spans {
            if used >= width {
                break;
            }
            used += self.put(x + used, y, width - used, text, *style);
        }
        used
    }

    /// A line across.
    pub fn rule(&mut self, x: u16, y: u16, width: u16) {
        let line = self.theme.glyphs.horizontal.repeat(usize::from(width));
        self.put(x, y, width, &line, self.theme.muted);
    }

    /// A line down the left edge of an area; returns what is left of it.
    pub fn divide(&mut self, area: Rect) -> Rect {
        for y in area.top()..area.bottom() {
            self.put(area.x, y, 1, self.theme.glyphs.vertical, self.theme.muted);
        }
        Rect {
            x: area.x + 2.min(area.width),
            width: area.width.saturating_sub(2),
            ..area
        }
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buf.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.buf[(x, y)].reset();
            }
        }
    }

    /// Puts a style over cells that are drawn already.
    pub fn restyle(&mut self, area: Rect, style: Style) {
        self.buf.set_style(area.intersection(self.buf.area), style);
    }

    /// The key of an action, for hints in running text.
    pub fn key(&self, action: Action) -> String {
        self.keymap.key_of(action)
    }

    /// The spinner of a slot that has been waiting long enough to show one.
    pub fn spinner(&self, slot: Slot) -> Option<&'static str> {
        let waited = self.slots.waited(slot, self.now)?;
        (waited >= SPINNER_AFTER).then(|| {
            let step = waited.as_millis() / 250;
            self.theme.glyphs.spinner[(step.rem_euclid(4)) as usize]
        })
    }

    /// A time of day, with the date where it is not today's.
    pub fn time(&self, at: Timestamp) -> String {
        self.session.time(at, self.now)
    }

    /// A date and time whole.
    pub fn date_time(&self, at: Timestamp) -> String {
        at.to_zoned(self.session.time_zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S %Z")
            .to_string()
    }
}

/// What is left of an area below some lines.
pub fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect {
        y: area.y + lines,
        height: area.height - lines,
        ..area
    }
}

/// Columns that a text takes when it is put on a canvas whole.
pub fn shown_width(text: &str) -> usize {
    cells::width(&cells::line(text))
}

/// A text of at most `width` columns: what does not fit is cut with the mark for it.
pub fn cut(text: &str, width: u16, mark: &str) -> String {
    let text = cells::line(text);
    let width = usize::from(width);
    if cells::width(&text) <= width {
        return text.into_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for cluster in text.graphemes(true) {
        used += cells::cluster_width(cluster);
        if used > width {
            break;
        }
        out.push_str(cluster);
    }
    out + mark
}

/// `198,204`: thousands in groups.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 field`, `2 fields`: a number with its noun.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A span of time in at most two units: `850 ms`, `12 s`, `3:10`, `2 h 05`.
pub fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 if milliseconds > 0 => format!("{milliseconds} ms"),
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02}", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Long ids in the middle of text: `66b1c0…0009f2`.
pub fn short_id(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= 13 {
        return id.to_owned();
    }
    let tail: String = chars[chars.len() - 6..].iter().collect();
    let head: String = chars[..6].iter().collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_written_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1204), "1,204");
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(counted(1, "field"), "1 field");
        assert_eq!(counted(1204, "job"), "1,204 jobs");
        assert_eq!(span(850), "850 ms");
        assert_eq!(span(12_400), "12 s");
        assert_eq!(span(190_000), "3:10");
        assert_eq!(span(7_500_000), "2 h 05");
        assert_eq!(span(100_000_000), "1 d 3 h");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        assert_eq!(cut("owner", 5, "…"), "owner");
        assert_eq!(cut("owner_email", 6, "…"), "owner…");
        assert_eq!(cut("小雪小雪", 4, "…"), "小…");
    }

    #[test]
    fn short_ids_keep_both_ends() {
        assert_eq!(short_id("66b1c0ffee000000000009f2"), "66b1c0…0009f2");
        assert_eq!(short_id("4711"), "4711");
    }
}
