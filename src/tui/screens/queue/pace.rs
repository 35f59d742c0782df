//! One line above the list: a sparkline of what was settled, jobs a second, what is still to go and for how long, and how much
//! of the budgets is in use. What has no room gives way: the imports' budget, the other ones, the sparkline.

use super::Queue;
use super::meter::{COLUMNS, Meter, Rate};
use crate::tui::canvas::{Canvas, below, counted, grouped, shown_width, span};
use crate::tui::theme::Theme;
use jiff::Timestamp;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The sparkline comes in steps of so many columns; a narrower one says nothing.
const STEP: usize = 10;
/// Columns between the parts of the line.
const GAP: usize = 3;
/// Below this height of the screen every line belongs to the list.
const LEAST_HEIGHT: u16 = 12;

/// `1,204/s`, `4.2/s`, `3/min`.
fn per_second(rate: f64) -> String {
    match rate {
        10.0.. => format!("{}/s", grouped(rate.round() as u64)),
        0.1..10.0 => format!("{rate:.1}/s"),
        _ => format!("{}/min", (rate * 60.0).round().max(1.0)),
    }
}

/// A length of time without the digits that an estimate does not have: what would change with every look says nothing.
fn roughly(milliseconds: u64) -> String {
    let step = match milliseconds {
        0..60_000 => 5_000,
        60_000..600_000 => 10_000,
        600_000..86_400_000 => 60_000,
        _ => 3_600_000,
    };
    span(milliseconds.div_ceil(step).max(1) * step)
}

type Pieces = Vec<(String, Style)>;

fn width_of(pieces: &Pieces) -> usize {
    pieces.iter().map(|(text, _)| shown_width(text)).sum()
}

impl Meter {
    fn rate_text(&self, canvas: &Canvas) -> (String, Style) {
        let theme = canvas.theme;
        match self.rate(canvas.now) {
            Rate::Never => ("nothing settled of late".to_owned(), theme.muted),
            Rate::Quiet(last) => {
                let at = Timestamp::from_second(last).unwrap_or(canvas.now);
                (format!("last settled {}", canvas.time(at)), theme.muted)
            }
            Rate::Measuring => (format!("{}/s", theme.glyphs.none), theme.accent),
            Rate::Known(rate) => (per_second(rate), theme.accent),
        }
    }

    /// What is to go, and for how long.
    fn backlog(&self, canvas: &Canvas) -> Pieces {
        let theme = canvas.theme;
        if self.to_go == 0 {
            // What an export has not sent yet is in no queue, and is to go all the same.
            let text = match self.to_come {
                None | Some(Some(0)) => "nothing to go".to_owned(),
                Some(Some(more)) => {
                    format!("nothing to go yet, {} to come", counted(more, "record"))
                }
                Some(None) => "nothing to go yet, an export is not over".to_owned(),
            };
            return vec![(text, theme.muted)];
        }
        let left = self.left(canvas.now);
        let left = left.map_or(theme.glyphs.none.to_owned(), roughly);
        vec![
            (format!("{} to go", grouped(self.to_go)), theme.text),
            (format!(" {} {left} left", theme.glyphs.dot), theme.text),
        ]
    }

    fn uses(&self, theme: &Theme, all: bool) -> Pieces {
        let mut pieces = Pieces::new();
        for (name, used, size) in &self.uses {
            if !all && *name == "import" {
                continue;
            }
            let percent = (u64::from(*used) * 100).checked_div(u64::from(*size));
            let percent = percent.unwrap_or(0);
            let style = if percent > 80 { theme.warn } else { theme.text };
            let gap = if pieces.is_empty() { "" } else { "  " };
            pieces.push((format!("{gap}{name} "), theme.muted));
            pieces.push((format!("{percent} %"), style));
        }
        if !pieces.is_empty() {
            pieces.push((" in use".to_owned(), theme.muted));
        }
        pieces
    }

    /// The sparkline of at most so many columns; `None` where it would say nothing.
    fn sparkline(&self, canvas: &Canvas, room: usize) -> Option<(String, Style)> {
        let theme = canvas.theme;
        // In steps: a text that gets a digit more must not move all columns.
        let columns = (room - room % STEP).min(COLUMNS);
        let style = match self.rate(canvas.now) {
            Rate::Never => return None,
            Rate::Quiet(_) => theme.muted,
            Rate::Measuring | Rate::Known(_) => theme.accent,
        };
        let levels = theme.glyphs.levels;
        let heights = self.heights(canvas.now, columns, levels.len() - 1);
        let line: String = heights.iter().map(|height| levels[*height]).collect();
        (columns > 0 && !canvas.session.low_bandwidth).then_some((line, style))
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let width = usize::from(area.width);
        let mut pieces = vec![self.rate_text(canvas), (" ".repeat(GAP), Style::new())];
        pieces.extend(self.backlog(canvas));
        let spark = match canvas.session.low_bandwidth {
            true => 0,
            false => STEP + 2,
        };
        let taken = width_of(&pieces) + GAP;
        let uses = [true, false].map(|all| self.uses(canvas.theme, all));
        let mut uses = uses.into_iter();
        let uses = uses.find(|uses| taken + width_of(uses) + spark <= width);
        let uses = uses.unwrap_or_default();
        let room = width.saturating_sub(taken + width_of(&uses) + 2);
        let mut x = area.x;
        if let Some((line, style)) = self.sparkline(canvas, room) {
            x += canvas.put(x, area.y, area.width, &line, style) + 2;
        }
        for (text, style) in &pieces {
            x += canvas.put(x, area.y, area.right().saturating_sub(x), text, *style);
        }
        let mut x = area.right().saturating_sub(width_of(&uses) as u16);
        for (text, style) in &uses {
            x += canvas.put(x, area.y, area.right().saturating_sub(x), text, *style);
        }
    }
}

impl Queue {
    /// Draws the line on the queue's pace; returns what is left of the area.
    pub(super) fn draw_pace(&self, canvas: &mut Canvas, area: Rect) -> Rect {
        if area.height < LEAST_HEIGHT {
            return area;
        }
        // Until it is read the line stays empty, so that the list does not move then.
        if self.meter.read.is_some() {
            self.meter.draw(canvas, area);
        }
        below(area, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_more_digits_than_they_know() {
        assert_eq!(per_second(1204.4), "1,204/s");
        assert_eq!(per_second(4.25), "4.2/s");
        assert_eq!(per_second(0.05), "3/min");
        assert_eq!(per_second(0.0001), "1/min");
        assert_eq!(roughly(1), "5 s");
        assert_eq!(roughly(63_200), "1:10");
        assert_eq!(roughly(4_000_000), "1 h 07");
    }
}
