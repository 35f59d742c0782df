//! A bar with its numbers beside it: the bar never stands alone.

use crate::tui::canvas::Canvas;
use ratatui::style::Style;

/// Draws `████░░` in `width` columns; returns the columns used.
pub fn bar(
    canvas: &mut Canvas,
    x: u16,
    y: u16,
    width: u16,
    part: u64,
    of: u64,
    style: Style,
) -> u16 {
    let full = (u128::from(part.min(of)) * u128::from(width))
        .checked_div(u128::from(of))
        .unwrap_or(0) as u16;
    let glyphs = canvas.theme.glyphs;
    let muted = canvas.theme.muted;
    canvas.put(x, y, full, &glyphs.full.repeat(usize::from(full)), style);
    let empty = width - full;
    canvas.put(
        x + full,
        y,
        empty,
        &glyphs.empty.repeat(usize::from(empty)),
        muted,
    );
    width
}
