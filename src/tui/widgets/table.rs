//! A table that knows only the rows it shows: its cost does not depend on how many there are.

use crate::tui::canvas::Canvas;
use crate::tui::hits::Hit;
use crate::tui::keymap::Action;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;
use std::cell::Cell as Shared;

/// One column. Columns of a lower priority number stay longest when there is little room.
#[derive(Clone, Debug)]
pub struct Column {
    pub title: Cow<'static, str>,
    pub priority: u8,
    pub min: u16,
    pub max: u16,
    /// Numbers end at the right.
    pub right: bool,
}

impl Column {
    /// A column of `min` to `max` columns of the terminal.
    pub fn new(title: impl Into<Cow<'static, str>>, priority: u8, min: u16, max: u16) -> Self {
        Self {
            title: title.into(),
            priority,
            min,
            max: max.max(min),
            right: false,
        }
    }

    /// Ends at the right.
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// One cell of a row that is shown.
pub struct TableCell<'a> {
    pub text: Cow<'a, str>,
    pub style: Style,
}

impl<'a> TableCell<'a> {
    /// A cell with its style.
    pub fn new(text: impl Into<Cow<'a, str>>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }
}

/// A row that is shown.
pub struct Row<'a> {
    pub cells: Vec<TableCell<'a>>,
    /// True if the person selected it for an action of many.
    pub selected: bool,
}

/// Where the cursor stands, and what was shown last.
#[derive(Clone, Debug, Default)]
pub struct TableState {
    pub cursor: usize,
    /// The column that keys act on, in tables whose columns have a cursor of their own; it is kept in sight.
    pub heading: Option<usize>,
    /// How wide that column was drawn.
    heading_width: Shared<u16>,
    /// Columns that made room to the left, the first never among them.
    skipped: Shared<usize>,
    offset: Shared<usize>,
    height: Shared<usize>,
}

impl TableState {
    /// Of a table whose columns have a cursor of their own.
    pub fn with_headings() -> Self {
        Self {
            heading: Some(0),
            ..Self::default()
        }
    }

    /// Rows that fit on the screen, as of the last frame.
    pub fn height(&self) -> usize {
        self.height.get().max(1)
    }

    /// The rows shown, and as many again on both sides: what should be at hand.
    pub fn near(&self) -> std::ops::Range<usize> {
        let height = self.height().max(20);
        self.cursor.saturating_sub(height)..self.cursor + 2 * height
    }

    /// Moves the cursor; true if the action was a movement.
    pub fn act(&mut self, action: Action, rows: usize) -> bool {
        let last = rows.saturating_sub(1);
        let half = (self.height() / 2).max(1);
        self.cursor = match action {
            Action::Up => self.cursor.saturating_sub(1),
            Action::Down => self.cursor + 1,
            Action::Top => 0,
            Action::Bottom => last,
            Action::HalfDown => self.cursor + half,
            Action::HalfUp => self.cursor.saturating_sub(half),
            Action::PageDown => self.cursor + self.height(),
            Action::PageUp => self.cursor.saturating_sub(self.height()),
            _ => return false,
        }
        .min(last);
        true
    }

    /// Keeps the cursor inside a list that became shorter.
    pub fn clamp(&mut self, rows: usize) {
        self.cursor = self.cursor.min(rows.saturating_sub(1));
    }

    /// Back to the first row.
    pub fn reset(&mut self) {
        self.cursor = 0;
        self.offset.set(0);
    }

    /// What is listed changed: the cursor stays on its row, which has this place now, or goes to the first.
    pub fn stay(&mut self, row: Option<usize>) {
        match row {
            Some(row) => self.cursor = row,
            None => self.reset(),
        }
    }

    /// How wide the column under the cursor was drawn last.
    pub fn heading_width(&self) -> u16 {
        self.heading_width.get()
    }

    /// The columns to draw in a width, with how wide each is.
    fn columns(&self, columns: &[Column], width: u16) -> Vec<(usize, u16)> {
        let Some(heading) = self.heading else {
            return fit(columns, 0, width);
        };
        let wanted = heading.min(columns.len().saturating_sub(1));
        let place = |shown: &[(usize, u16)]| {
            let mut shown = shown.iter();
            shown.find(|(at, _)| *at == wanted).map(|(_, width)| *width)
        };
        let mut skipped = self.skipped.get().min(wanted.saturating_sub(1));
        let mut shown = fit(columns, skipped, width);
        while place(&shown).is_none() && skipped + 1 < wanted {
            skipped += 1;
            shown = fit(columns, skipped, width);
        }
        self.skipped.set(skipped);
        self.heading_width.set(place(&shown).unwrap_or_default());
        shown
    }

    /// The rows that [`draw`] will show in an area of this height, its heading included.
    pub fn shown_rows(&self, area_height: u16, rows: usize) -> std::ops::Range<usize> {
        let height = usize::from(area_height.saturating_sub(1));
        let offset = self.scroll(height, rows);
        offset..(offset + height).min(rows)
    }

    /// The first row to show at this height, so that the cursor is in sight.
    pub fn scroll(&self, height: usize, rows: usize) -> usize {
        self.height.set(height);
        let highest = self.cursor.saturating_sub(height.saturating_sub(1));
        let offset = self
            .offset
            .get()
            .clamp(highest, self.cursor)
            .min(rows.saturating_sub(height).max(highest));
        self.offset.set(offset);
        offset
    }
}

/// Which columns fit into a width, and how wide each is. The first never leaves.
pub fn fit(columns: &[Column], from: usize, width: u16) -> Vec<(usize, u16)> {
    let mut order: Vec<usize> = (0..columns.len())
        .filter(|at| *at == 0 || *at > from)
        .collect();
    order.sort_by_key(|at| (*at != 0, columns[*at].priority, *at));
    let mut room = width;
    let mut taken: Vec<(usize, u16)> = Vec::new();
    for at in order {
        let gap = if taken.is_empty() { 0 } else { 2 };
        let least = columns[at].min + gap;
        if taken.is_empty() {
            let first = columns[at].min.min(room);
            taken.push((at, first));
            room -= first;
        } else if least <= room {
            taken.push((at, columns[at].min));
            room -= least;
        } else {
            break;
        }
    }
    // What is left goes round, a cell at a time, so that no column takes it all.
    while room > 0 {
        let before = room;
        for (at, wide) in &mut taken {
            if room > 0 && *wide < columns[*at].max {
                *wide += 1;
                room -= 1;
            }
        }
        if room == before {
            break;
        }
    }
    taken.sort_by_key(|(at, _)| *at);
    taken
}

/// Draws the heading and the rows in sight. `row` is asked only for those; `None` is a row whose page is not
/// read yet.
pub fn draw<'r>(
    canvas: &mut Canvas,
    area: Rect,
    columns: &[Column],
    state: &TableState,
    rows: usize,
    focused: bool,
    mut row: impl FnMut(usize) -> Option<Row<'r>>,
) {
    if area.height < 2 || area.width < 4 {
        return;
    }
    let theme = canvas.theme;
    let shown = state.columns(columns, area.width - 2);
    let mut x = area.x + 2;
    for (at, width) in &shown {
        let column = &columns[*at];
        let heading = match focused && state.heading == Some(*at) {
            true => theme.title,
            false => theme.muted,
        };
        if column.right {
            canvas.put_right(x, area.y, *width, &column.title, heading);
        } else {
            canvas.put(x, area.y, *width, &column.title, heading);
        }
        x += width + 2;
    }
    let height = usize::from(area.height - 1);
    let offset = state.scroll(height, rows);
    for line in 0..height.min(rows.saturating_sub(offset)) {
        let number = offset + line;
        let y = area.y + 1 + line as u16;
        let under = number == state.cursor;
        let steps = number as isize - state.cursor as isize;
        canvas.hit(Rect::new(area.x, y, area.width, 1), Hit::Row(steps));
        let Some(row) = row(number) else {
            canvas.put(area.x + 2, y, area.width - 2, theme.glyphs.dot, theme.muted);
            continue;
        };
        let mark = if under { theme.glyphs.marker } else { " " };
        let mark_style = if focused { theme.accent } else { theme.muted };
        canvas.put(area.x, y, 1, mark, mark_style);
        if row.selected {
            canvas.put(area.x + 1, y, 1, theme.glyphs.selected, theme.selected);
        }
        let mut x = area.x + 2;
        for (at, width) in &shown {
            let Some(cell) = row.cells.get(*at) else {
                break;
            };
            let mut style = cell.style;
            if row.selected {
                style = style.patch(theme.selected);
            }
            if columns[*at].right {
                canvas.put_right(x, y, *width, &cell.text, style);
            } else {
                canvas.put(x, y, *width, &cell.text, style);
            }
            // Only the first cell is highlighted: a whole row would cost a slow line hundreds of bytes a step.
            if under && focused && *at == 0 {
                canvas.restyle(Rect::new(x, y, *width, 1), theme.cursor);
            }
            x += width + 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::context::Session;
    use crate::tui::hits::Hits;
    use crate::tui::keymap::Keymap;
    use crate::tui::slots::Slots;
    use crate::tui::theme::{Theme, ThemeName};
    use ratatui::buffer::Buffer;

    #[test]
    fn columns_leave_by_priority_and_the_first_stays() {
        let columns = [
            Column::new("a", 0, 10, 20),
            Column::new("b", 3, 10, 10),
            Column::new("c", 1, 10, 10),
        ];
        let at = |width| -> Vec<usize> { fit(&columns, 0, width).iter().map(|c| c.0).collect() };
        assert_eq!(at(5), [0]);
        assert_eq!(at(22), [0, 2]);
        assert_eq!(at(34), [0, 1, 2]);
        assert_eq!(fit(&columns, 0, 60)[0], (0, 20));
        let used: u16 = fit(&columns, 0, 40).iter().map(|c| c.1 + 2).sum();
        assert!(used - 2 <= 40);
    }

    #[test]
    fn the_column_under_the_cursor_is_always_in_sight() {
        let mut columns = vec![Column::new("first", 0, 10, 10)];
        columns.extend((1..12u8).map(|at| Column::new(at.to_string(), at, 10, 10)));
        columns.push(Column::new("time", 2, 10, 10));
        let mut state = TableState::with_headings();
        for at in (0..13).chain((0..13).rev()) {
            state.heading = Some(at);
            let shown = state.columns(&columns, 60);
            assert!(
                shown.iter().any(|(column, _)| *column == at),
                "{at}: {shown:?}"
            );
            assert_eq!(shown[0].0, 0, "the first stays");
            assert_eq!(state.heading_width(), 10);
        }
        assert_eq!(state.columns(&columns, 60), fit(&columns, 0, 60));
        // Wider than there is room for, or beyond the last: nothing breaks.
        state.heading = Some(40);
        state.columns(
            &[Column::new("one", 0, 90, 90), Column::new("two", 1, 90, 90)],
            60,
        );
        state.columns(&[], 60);
    }

    /// A canvas over an empty buffer of a size.
    fn on_canvas(width: u16, height: u16, draw: impl FnOnce(&mut Canvas, Rect)) {
        let keymap = Keymap::new(&Default::default()).unwrap();
        let theme = Theme::new(ThemeName::Mono, false);
        let (slots, session) = (Slots::default(), Session::of_nobody());
        let area = Rect::new(0, 0, width, height);
        let mut canvas = Canvas {
            buf: &mut Buffer::empty(area),
            theme: &theme,
            now: jiff::Timestamp::UNIX_EPOCH,
            slots: &slots,
            session: &session,
            keymap: &keymap,
            hits: &Hits::default(),
            cursor: None,
        };
        draw(&mut canvas, area);
    }

    #[test]
    fn only_the_rows_in_sight_are_asked_for() {
        let columns = [Column::new("a", 0, 10, 20)];
        for rows in [3, 1000, 1_000_000] {
            let mut state = TableState::default();
            state.act(Action::Bottom, rows);
            let mut asked = Vec::new();
            on_canvas(80, 25, |canvas, area| {
                draw(canvas, area, &columns, &state, rows, true, |row| {
                    asked.push(row);
                    None
                });
            });
            let seen: Vec<usize> = (rows.saturating_sub(24)..rows).collect();
            assert_eq!(asked, seen);
        }
    }

    #[test]
    fn the_cursor_stays_inside_and_in_sight() {
        let mut state = TableState::default();
        for _ in 0..5 {
            state.act(Action::Down, 3);
        }
        assert_eq!(state.cursor, 2);
        state.act(Action::Bottom, 1000);
        assert_eq!(state.scroll(10, 1000), 990);
        state.act(Action::Up, 1000);
        assert_eq!(state.scroll(10, 1000), 990);
        state.act(Action::Top, 1000);
        assert_eq!(state.scroll(10, 1000), 0);
        state.clamp(0);
        assert_eq!(state.cursor, 0);
        assert!(!state.act(Action::Copy, 10));
    }
}
