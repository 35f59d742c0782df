//! A bar with its numbers beside it: the bar never stands alone.

use crate::tui::canvas::Canvas;
use crate::tui::theme::Theme;
use ratatui::style::Style;

/// The two halves of a bar `width` cells wide: `████` and `░░`.
pub fn cells(theme: &Theme, width: u16, part: u64, of: u64) -> (String, String) {
    let full = (u128::from(part.min(of)) * u128::from(width))
        .checked_div(u128::from(of))
        .unwrap_or(0) as usize;
    let empty = usize::from(width) - full;
    (
        theme.glyphs.full.repeat(full),
        theme.glyphs.empty.repeat(empty),
    )
}

/// Draws a bar; returns the columns used.
pub fn bar(
    canvas: &mut Canvas,
    x: u16,
    y: u16,
    width: u16,
    part: u64,
    of: u64,
    style: Style,
) -> u16 {
    let (full, empty) = cells(canvas.theme, width, part, of);
    let muted = canvas.theme.muted;
    canvas.spans(x, y, width, &[(&full, style), (&empty, muted)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::ThemeName;

    #[test]
    fn a_bar_is_as_full_as_its_part() {
        let theme = Theme::new(ThemeName::Mono, true);
        let bar = |part, of| {
            let (full, empty) = cells(&theme, 10, part, of);
            full + &empty
        };
        assert_eq!(bar(81, 100), "########..");
        assert_eq!(bar(0, 0), "..........");
        assert_eq!(bar(7, 5), "##########");
    }
}
